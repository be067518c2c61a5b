//! The answer to API Gateway: an IAM policy that stays right for as long as it is cached.
//!
//! API Gateway applies a cached policy to every method of the stage, so the document is decided for the token
//! and never for the request: resources are made of the ARN's partition, region, account, API and stage, and of
//! configured routes. No byte of the request's verb or path reaches it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use aws_lambda_events::iam::{IamPolicyDocument, IamPolicyEffect, IamPolicyStatement};
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::event::Stage;
use crate::reason::Reason;
use crate::rights::{Entry, Grant, Routes};
use crate::token::{ClaimPath, Claims};

/// The longest resource that API Gateway takes (Developer Guide, "Output from an API Gateway Lambda authorizer").
pub(crate) const MAX_RESOURCE: usize = 512;

/// The longest policy. No figure is published for REST and HTTP APIs; a WebSocket API takes a result of 8 KB.
pub(crate) const MAX_DOCUMENT: usize = 8 * 1024;

/// The size of `context` up to which claims are copied: they end up in headers, of which API Gateway takes 10,240
/// bytes in sum.
pub(crate) const MAX_CONTEXT: usize = 4 * 1024;

/// The longest ARN up to the stage for which a table of routes is proven to fit: 96 characters leave room for the
/// longest partition and region, and for a stage name of some 30.
const PROVEN_PREFIX: usize = 96;

/// Who a refused caller is: nothing unverified is answered as fact.
const ANONYMOUS: &str = "anonymous";

/// A claim to hand to the backend, and the name it gets there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContextClaim {
    pub(crate) name: String,
    pub(crate) path: ClaimPath,
}

/// An answer, ready to be sent.
pub type Answer = Box<RawValue>;

/// The form in which an answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An IAM policy.
    Policy,
    /// `{isAuthorized, context}`, for HTTP APIs with simple responses.
    Simple,
}

/// What is answered to a good token.
pub(crate) struct Permit<'a> {
    pub(crate) principal: &'a str,
    pub(crate) grant: &'a Grant<'a>,
    /// The Unix time from which on the policy itself refuses, if it is to.
    pub(crate) ends: Option<f64>,
    pub(crate) context: Context<'a>,
    pub(crate) usage_key: Option<&'a str>,
}

impl Permit<'_> {
    /// The answer as JSON.
    pub(crate) fn answer(&self, stage: &Stage<'_>, form: Form) -> Answer {
        if form == Form::Simple {
            return json(&Simple { is_authorized: true, context: &self.context });
        }
        json(&Output {
            principal_id: self.principal,
            policy_document: &document(stage, self.grant, self.ends),
            context: &self.context,
            usage_identifier_key: self.usage_key,
        })
    }
}

/// Whether API Gateway takes the document of these rights for this stage. Proven at start for all but the longest
/// names of a stage.
pub(crate) fn check_length(stage: &Stage<'_>, grant: &Grant<'_>, ends: Option<f64>) -> Result<(), TooLarge> {
    if stage.arn().len() > PROVEN_PREFIX && matches!(grant, Grant::Routes(_)) {
        return check(&document(stage, grant, ends));
    }
    Ok(())
}

/// A Deny for everything that a cached answer could be applied to. `principal` is given for a verified token.
pub(crate) fn deny(stage: &Stage<'_>, form: Form, reason: Reason, principal: Option<&str>) -> Answer {
    let context = Context { entries: vec![("reason", Cow::Owned(reason.code().into()))], left_out: Vec::new() };
    if form == Form::Simple {
        return json(&Simple { is_authorized: false, context: &context });
    }
    json(&Output {
        principal_id: principal.unwrap_or(ANONYMOUS),
        policy_document: &of_statements(vec![statement(IamPolicyEffect::Deny, stage, [stage.everything()])]),
        context: &context,
        usage_identifier_key: None,
    })
}

/// The document would exceed [`MAX_DOCUMENT`] or [`MAX_RESOURCE`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge {
    pub(crate) document: usize,
    pub(crate) resource: usize,
}

/// Whether the document of every token fits, whatever rights it has, for ARNs of up to [`PROVEN_PREFIX`].
pub(crate) fn fits(routes: &Routes) -> Result<(), TooLarge> {
    let stage = Stage::of_length(PROVEN_PREFIX);
    // Every entry stands in one of two statements, and never takes more room than where it is open. So the longest
    // document has one entry in the other statement, of those that take the same room there; `ANY /*` stands once.
    let is_as_long = |entry: &Entry| entry.patterns(false) == entry.patterns(true);
    let closed = routes.entries().iter().position(is_as_long).filter(|_| routes.entries().len() > 1);
    let entries = routes.entries().iter().enumerate();
    let entries = entries.map(|(index, entry)| (entry, Some(index) != closed)).collect();
    check(&document(&stage, &Grant::Routes(entries), Some(0.0)))
}

/// The document for a good token: the Allow first, then what the token's rights leave closed, then its end.
fn document(stage: &Stage<'_>, grant: &Grant<'_>, ends: Option<f64>) -> IamPolicyDocument {
    let mut statements = Vec::new();
    match grant {
        Grant::Stage => statements.push(statement(IamPolicyEffect::Allow, stage, [stage.everything()])),
        Grant::Routes(entries) => {
            for (effect, wanted) in [(IamPolicyEffect::Allow, true), (IamPolicyEffect::Deny, false)] {
                let entries = entries.iter().filter(|(_, is_open)| *is_open == wanted);
                let patterns = entries.flat_map(|(entry, is_open)| entry.patterns(*is_open).iter().map(String::as_str));
                let statement = statement(effect, stage, patterns);
                // IAM takes no statement without a resource.
                if !statement.resource.is_empty() {
                    statements.push(statement);
                }
            }
        }
    }
    if let Some(end) = ends.and_then(date_time) {
        // A Deny, since an Allow that only ends leaves the request to the API's resource policy.
        let mut guard = statement(IamPolicyEffect::Deny, stage, [stage.everything()]);
        let from = HashMap::from([("aws:CurrentTime".to_owned(), vec![end])]);
        guard.condition = Some(HashMap::from([("DateGreaterThanEquals".to_owned(), from)]));
        statements.push(guard);
    }
    of_statements(statements)
}

fn of_statements(statements: Vec<IamPolicyStatement>) -> IamPolicyDocument {
    let mut document = IamPolicyDocument::default();
    document.version = Some("2012-10-17".to_owned());
    document.statement = statements;
    document
}

/// A statement about these patterns below the stage.
fn statement<'p>(
    effect: IamPolicyEffect,
    stage: &Stage<'_>,
    patterns: impl IntoIterator<Item = &'p str>,
) -> IamPolicyStatement {
    let mut statement = IamPolicyStatement::default();
    statement.effect = effect;
    statement.action = vec!["execute-api:Invoke".to_owned()];
    statement.resource = patterns.into_iter().map(|pattern| [stage.arn(), "/", pattern].concat()).collect();
    statement
}

/// Whether API Gateway takes this document.
fn check(document: &IamPolicyDocument) -> Result<(), TooLarge> {
    let resources = document.statement.iter().flat_map(|statement| &statement.resource);
    let resource = resources.map(String::len).max().unwrap_or_default();
    let document = length(document);
    if document > MAX_DOCUMENT || resource > MAX_RESOURCE { Err(TooLarge { document, resource }) } else { Ok(()) }
}

/// ISO 8601 in UTC without a fraction, as IAM takes dates; none beyond the year 9999.
fn date_time(unix: f64) -> Option<String> {
    let end = SystemTime::UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(unix.floor()).ok()?)?;
    let year_10000 = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_800);
    (end < year_10000).then(|| humantime::format_rfc3339_seconds(end).to_string())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Output<'a> {
    principal_id: &'a str,
    policy_document: &'a IamPolicyDocument,
    context: &'a Context<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_identifier_key: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Simple<'a> {
    is_authorized: bool,
    context: &'a Context<'a>,
}

/// What the backend learns about the caller: strings, numbers and booleans, for every kind of API.
#[derive(Debug, Default)]
pub(crate) struct Context<'a> {
    entries: Vec<(&'a str, Cow<'a, Value>)>,
    /// The names of claims that would have made it longer than [`MAX_CONTEXT`].
    pub(crate) left_out: Vec<&'a str>,
}

impl<'a> Context<'a> {
    /// Copies the claims that are present, in this order. REST and WebSocket APIs take no arrays and objects, so
    /// these are given as JSON text.
    pub(crate) fn copy(wanted: &'a [ContextClaim], claims: &'a Claims) -> Self {
        let mut context = Self::default();
        let mut size = "{}".len();
        for ContextClaim { name, path } in wanted {
            let value = match claims.get(path) {
                None => continue,
                Some(nested @ (Value::Array(_) | Value::Object(_))) => Cow::Owned(nested.to_string().into()),
                Some(scalar) => Cow::Borrowed(scalar),
            };
            let comma = usize::from(!context.entries.is_empty());
            let grown = size + comma + length(name) + ":".len() + length(&value);
            if grown > MAX_CONTEXT {
                context.left_out.push(name);
            } else {
                size = grown;
                context.entries.push((name, value));
            }
        }
        context
    }
}

impl Serialize for Context<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.entries.iter().map(|(name, value)| (name, value)))
    }
}

/// The length of a value as JSON text.
fn length(value: &(impl Serialize + ?Sized)) -> usize {
    struct Counter(usize);

    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, value).map_or(usize::MAX / 2, |()| counter.0)
}

#[allow(clippy::expect_used, reason = "serializing plain structs with string keys to memory cannot fail")]
fn json(answer: &impl Serialize) -> Answer {
    serde_json::value::to_raw_value(answer).expect("plain data")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::rights::Rights;
    use serde_json::json;

    const ARN: &str = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/prod";

    /// The stage of an event that asks for `arn`, on a WebSocket API if that ends in `$connect`.
    fn stage(arn: &str) -> Stage<'static> {
        let event = json!({"type": "REQUEST", "methodArn": arn}).to_string();
        let event: &'static Event<'static> = Box::leak(Box::new(Event::parse(event.leak()).unwrap()));
        event.request().unwrap().stage
    }

    fn rest() -> Stage<'static> {
        stage(&format!("{ARN}/DELETE/secret?q={{}}"))
    }

    fn routes(table: &Value) -> Routes {
        Routes::parse(table.as_object().unwrap()).unwrap()
    }

    fn permit<'a>(grant: &'a Grant<'a>, ends: Option<f64>) -> Permit<'a> {
        Permit { principal: "alice", grant, ends, context: Context::default(), usage_key: None }
    }

    fn with_rights(table: &Value, scopes: &str, then: impl FnOnce(Grant<'_>)) {
        let rights = Rights { required: Vec::new(), routes: Some(routes(table)) };
        let claims = Claims::verified(json!({"scope": scopes}));
        then(rights.grant(&[ClaimPath::parse("scope").unwrap()], &claims, None).unwrap());
    }

    fn claims_to(names: &[&str]) -> Vec<ContextClaim> {
        let wanted = names.iter().map(|entry| {
            let (name, path) = entry.split_once('=').unwrap_or((entry, entry));
            ContextClaim { name: name.to_owned(), path: ClaimPath::parse(path).unwrap() }
        });
        wanted.collect()
    }

    #[test]
    fn a_good_token_opens_the_stage_until_it_ends() {
        let wanted = claims_to(&["sub", "exp"]);
        let claims = Claims::verified(json!({"sub": "alice", "exp": 1_700_000_000}));
        let permit = Permit {
            context: Context::copy(&wanted, &claims),
            usage_key: Some("key-1"),
            ..permit(&Grant::Stage, Some(1_700_000_030.9))
        };
        assert_eq!(
            permit.answer(&rest(), Form::Policy).get(),
            concat!(
                r#"{"principalId":"alice","policyDocument":{"Version":"2012-10-17","Statement":["#,
                r#"{"Action":["execute-api:Invoke"],"Effect":"Allow","#,
                r#""Resource":["arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/prod/*"]},"#,
                r#"{"Action":["execute-api:Invoke"],"Effect":"Deny","#,
                r#""Resource":["arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/prod/*"],"#,
                r#""Condition":{"DateGreaterThanEquals":{"aws:CurrentTime":["2023-11-14T22:13:50Z"]}}}]},"#,
                r#""context":{"sub":"alice","exp":1700000000},"usageIdentifierKey":"key-1"}"#,
            )
        );
        assert_eq!(
            permit.answer(&rest(), Form::Simple).get(),
            r#"{"isAuthorized":true,"context":{"sub":"alice","exp":1700000000}}"#
        );
    }

    #[test]
    fn a_permit_without_guard_has_no_condition() {
        assert_eq!(
            permit(&Grant::Stage, None).answer(&rest(), Form::Policy).get(),
            concat!(
                r#"{"principalId":"alice","policyDocument":{"Version":"2012-10-17","Statement":["#,
                r#"{"Action":["execute-api:Invoke"],"Effect":"Allow","#,
                r#""Resource":["arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/prod/*"]}]},"context":{}}"#,
            )
        );
    }

    #[test]
    fn a_table_opens_some_routes_and_closes_the_others() {
        let table = json!({"ANY /*": [], "GET /pets/{id}": ["read"], "ANY /admin/*": ["admin"]});
        let resources = |statement: &Value| -> Vec<String> {
            let resources = statement["Resource"].as_array().unwrap().iter();
            resources.map(|resource| resource.as_str().unwrap().strip_prefix(ARN).unwrap().to_owned()).collect()
        };
        with_rights(&table, "read", |grant| {
            let answer = permit(&grant, Some(0.0)).answer(&rest(), Form::Policy);
            let answer: Value = serde_json::from_str(answer.get()).unwrap();
            let statements = answer["policyDocument"]["Statement"].as_array().unwrap();
            let effects: Vec<_> = statements.iter().map(|statement| &statement["Effect"]).collect();
            assert_eq!(effects, ["Allow", "Deny", "Deny"]);
            let mut open = resources(&statements[0]);
            open.sort_unstable();
            let verbs = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
            let mut expected: Vec<_> = verbs.iter().map(|verb| format!("/{verb}/*")).collect();
            expected.insert(2, "/GET/pets/*".to_owned());
            assert_eq!(open, expected);
            assert_eq!(resources(&statements[1]), verbs.map(|verb| format!("/{verb}/admin/*")));
            assert_eq!(resources(&statements[2]), ["/*"]);
        });
        with_rights(&table, "read admin", |grant| {
            let answer = permit(&grant, None).answer(&rest(), Form::Policy);
            let answer: Value = serde_json::from_str(answer.get()).unwrap();
            assert_eq!(answer["policyDocument"]["Statement"].as_array().unwrap().len(), 1);
            assert_eq!(resources(&answer["policyDocument"]["Statement"][0]).len(), 15);
        });
        let table = json!({"ANY /*": ["all"], "GET /pets": []});
        with_rights(&table, "", |grant| {
            let answer = permit(&grant, None).answer(&rest(), Form::Policy);
            let answer: Value = serde_json::from_str(answer.get()).unwrap();
            let statements = answer["policyDocument"]["Statement"].as_array().unwrap();
            assert_eq!((&statements[1]["Effect"], resources(&statements[1])), (&json!("Deny"), vec!["/*".to_owned()]));
        });
    }

    #[test]
    fn a_websocket_connection_gets_its_own_resource() {
        let connect = format!("{ARN}/$connect");
        let answer = permit(&Grant::Stage, Some(0.0)).answer(&stage(&connect), Form::Policy);
        let answer: Value = serde_json::from_str(answer.get()).unwrap();
        for statement in answer["policyDocument"]["Statement"].as_array().unwrap() {
            assert_eq!(statement["Resource"], json!([connect]));
        }
        assert!(deny(&stage(&connect), Form::Policy, Reason::TokenExpired, None).get().contains(&connect));
    }

    #[test]
    fn a_refusal_closes_the_stage_and_says_why() {
        let text = |principal: &str, reason: &str| {
            let policy = concat!(
                r#""policyDocument":{"Version":"2012-10-17","Statement":[{"Action":["execute-api:Invoke"],"#,
                r#""Effect":"Deny","Resource":["arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/prod/*"]}]}"#,
            );
            format!(r#"{{"principalId":"{principal}",{policy},"context":{{"reason":"{reason}"}}}}"#)
        };
        for reason in Reason::ALL {
            let code = reason.code();
            assert_eq!(deny(&rest(), Form::Policy, reason, None).get(), text("anonymous", code));
            assert_eq!(deny(&rest(), Form::Policy, reason, Some("alice")).get(), text("alice", code));
            let simple = format!(r#"{{"isAuthorized":false,"context":{{"reason":"{code}"}}}}"#);
            assert_eq!(deny(&rest(), Form::Simple, reason, Some("alice")).get(), simple);
        }
    }

    #[test]
    fn context_holds_scalars_in_the_configured_order() {
        let wanted = claims_to(&[
            "z",
            "text",
            "number",
            "float",
            "big",
            "flag",
            "null",
            "absent",
            "list",
            "object",
            "empty",
            "role=/deep/roles/0",
            "a",
        ]);
        let claims = Claims::verified(json!({
            "a": 1, "z": 2, "text": "\"\n<é>", "number": -5, "float": 1.5, "big": u64::MAX, "flag": false,
            "null": null, "list": ["x", null, 1], "object": {"k": [true]}, "empty": "", "deep": {"roles": ["admin"]},
        }));
        let context = Context::copy(&wanted, &claims);
        assert_eq!(
            json(&context).get(),
            concat!(
                r#"{"z":2,"text":"\"\n<é>","number":-5,"float":1.5,"big":18446744073709551615,"flag":false,"#,
                r#""list":"[\"x\",null,1]","object":"{\"k\":[true]}","empty":"","role":"admin","a":1}"#,
            )
        );
        assert_eq!(context.left_out, [""; 0]);
    }

    #[test]
    fn context_grows_to_4_kib_and_no_further() {
        let wanted = claims_to(&["a", "b", "c"]);
        // {"a":1,"b":"..."} around the text.
        let room = 4096 - r#"{"a":1,"b":""}"#.len();
        let cases = [
            (json!("x".repeat(room)), 4096, vec!["c"]),
            (json!("x".repeat(room + 1)), r#"{"a":1,"c":3}"#.len(), vec!["b"]),
            (json!("x".repeat(room - r#","c":3"#.len())), 4096, vec![]),
            (json!("x".repeat(room - r#","c":3"#.len() + 1)), 4091, vec!["c"]),
            (json!("\n".repeat(room / 2)), 4096, vec!["c"]),
            (json!("\n".repeat(room / 2 + 1)), r#"{"a":1,"c":3}"#.len(), vec!["b"]),
            (json!(["x".repeat(room)]), r#"{"a":1,"c":3}"#.len(), vec!["b"]),
        ];
        for (value, length, left_out) in cases {
            let claims = Claims::verified(json!({"a": 1, "b": value, "c": 3}));
            let context = Context::copy(&wanted, &claims);
            assert_eq!((json(&context).get().len(), &context.left_out), (length, &left_out));
        }
    }

    #[test]
    fn a_time_is_written_down_to_the_year_9999() {
        for (unix, expected) in [
            (0.0, Some("1970-01-01T00:00:00Z")),
            (0.999, Some("1970-01-01T00:00:00Z")),
            (951_782_400.0, Some("2000-02-29T00:00:00Z")),
            (1_700_000_000.5, Some("2023-11-14T22:13:20Z")),
            (253_402_300_799.0, Some("9999-12-31T23:59:59Z")),
            (253_402_300_799.5, Some("9999-12-31T23:59:59Z")),
            (253_402_300_800.0, None),
            (u64::MAX as f64, None),
            (1e308, None),
            (f64::INFINITY, None),
            (-1.0, None),
        ] {
            assert_eq!(date_time(unix).as_deref(), expected, "{unix}");
        }
        let answer = permit(&Grant::Stage, Some(253_402_300_800.0)).answer(&rest(), Form::Policy);
        assert!(!answer.get().contains("Deny"), "no guard");
    }

    #[test]
    fn a_resource_has_at_most_512_characters() {
        let path = |length: usize| json!({format!("GET /{}", "a".repeat(length)): []});
        let longest = 512 - 96 - "/GET/".len();
        assert_eq!(fits(&routes(&path(longest))), Ok(()));
        assert_eq!(fits(&routes(&path(longest + 1))).unwrap_err().resource, 513);
    }

    #[test]
    fn a_document_has_at_most_8_kib_whatever_the_rights() {
        let table = |last: usize| {
            let mut table = json!({"GET /open": ["a"]});
            for entry in 0..15 {
                table[format!("POST /{entry:0>391}")] = json!(["b"]);
            }
            table[format!("PUT /{}", "a".repeat(last))] = json!(["b"]);
            table
        };
        let measured = |last: usize| {
            let routes = routes(&table(last));
            let entries = routes.entries().iter().enumerate().map(|(index, entry)| (entry, index != 0)).collect();
            length(&document(&Stage::of_length(96), &Grant::Routes(entries), Some(0.0)))
        };
        let exact = 8192 - measured(0);
        assert_eq!(fits(&routes(&table(exact))), Ok(()));
        assert_eq!(fits(&routes(&table(exact + 1))), Err(TooLarge { document: 8193, resource: 493 }));

        let long_stage = |length: usize| {
            let arn = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/";
            stage(&format!("{arn}{}/GET/open", "s".repeat(length - arn.len())))
        };
        for scopes in ["a", "b", "a b"] {
            with_rights(&table(exact), scopes, |grant| {
                let permit = permit(&grant, Some(0.0));
                let answer = permit.answer(&long_stage(96), Form::Policy);
                let answer: Value = serde_json::from_str(answer.get()).unwrap();
                let document = length(&answer["policyDocument"]);
                assert!((8000..=8192).contains(&document), "{document}");
                assert!(check_length(&long_stage(96), &grant, Some(0.0)).is_ok());
                assert!(check_length(&long_stage(128), &grant, Some(0.0)).is_err());
            });
        }
        assert!(check_length(&long_stage(128), &Grant::Stage, None).is_ok());
    }
}

#[cfg(test)]
mod evaluation {
    use std::collections::{BTreeSet, HashSet};

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::claims::Rules;
    use crate::clock::Now;
    use crate::config::Config;
    use crate::event::Event;
    use crate::rights::Rights;
    use crate::support::iam::{Verdict, evaluate};

    const VERBS: [&str; 8] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];
    const SCOPES: [&str; 3] = ["r", "w", "x"];
    const STAGE: &str = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/prod";
    /// Some time within a token's life.
    const NOW: u64 = 1_800_000_000;
    const ENDS: f64 = 1_800_000_600.0;

    /// What is left to the stage of an ARN by a wildcard that reaches too far.
    const ELSEWHERE: [&str; 12] = [
        "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/test",
        "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/prod2",
        "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/pro",
        "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/test/prod",
        "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/$default",
        "arn:aws:execute-api:eu-west-1:123456789012:abcdef1235/prod",
        "arn:aws:execute-api:eu-west-1:123456789012:xabcdef1234/prod",
        "arn:aws:execute-api:eu-west-1:123456789013:abcdef1234/prod",
        "arn:aws:execute-api:eu-west-2:123456789012:abcdef1234/prod",
        "arn:aws:execute-api:us-east-1:000000000000:zzzzzzzzzz/prod",
        "arn:aws-cn:execute-api:eu-west-1:123456789012:abcdef1234/prod",
        "arn:aws:lambda:eu-west-1:123456789012:abcdef1234/prod",
    ];

    /// The table of an operator.
    type Table = Vec<(String, Vec<String>)>;

    /// The rule of the product, read off the table's own text.
    #[derive(Debug, PartialEq)]
    enum Rule {
        Open,
        /// An entry matches, and the token does not satisfy it.
        Closed,
        /// No entry matches.
        Nowhere,
    }

    fn rule(table: &Table, held: &[String], verb: &str, path: &str) -> Rule {
        let satisfied = |scopes: &[String]| scopes.iter().all(|scope| held.contains(scope));
        let (open, closed): (Vec<_>, Vec<_>) = table.iter().partition(|(_, scopes)| satisfied(scopes));
        if closed.iter().any(|(route, _)| is_for(route, verb, path) || is_for_everything(route)) {
            Rule::Closed
        } else if open.iter().any(|(route, _)| is_for(route, verb, path)) {
            Rule::Open
        } else {
            Rule::Nowhere
        }
    }

    fn is_for(route: &str, verb: &str, path: &str) -> bool {
        let Some((wanted, template)) = route.split_once(' ') else { return false };
        let is_verb = if wanted == "ANY" { VERBS[..7].contains(&verb) } else { wanted == verb };
        is_verb && stands_for(template, path)
    }

    fn is_for_everything(route: &str) -> bool {
        ["ANY /*", "ANY /{proxy+}", "ANY /{id}"].contains(&route)
    }

    /// Whether the literal pieces of a path template come in the path in this order, with anything between.
    fn stands_for(template: &str, path: &str) -> bool {
        let pieces = pieces(template);
        let Some((last, others)) = pieces.split_last() else { return false };
        let Some((first, middle)) = others.split_first() else { return last == path };
        let Some(mut rest) = path.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str())) else {
            return false;
        };
        middle.iter().all(|piece| {
            let after = rest.find(piece.as_str()).map(|at| &rest[at + piece.len()..]);
            rest = after.unwrap_or_default();
            after.is_some()
        })
    }

    /// `/a/{x}/b*` in pieces: `/a/`, `/b` and nothing.
    fn pieces(template: &str) -> Vec<String> {
        let mut pieces = vec![String::new()];
        let mut is_name = false;
        for c in template.chars() {
            match c {
                '}' => is_name = false,
                '{' | '*' => {
                    is_name = c == '{';
                    pieces.push(String::new());
                }
                _ if is_name => {}
                c => pieces.last_mut().unwrap().push(c),
            }
        }
        pieces
    }

    /// A request that is made from a template by filling its gaps, and then perhaps spoilt a little.
    #[derive(Clone, Debug)]
    struct Wanted {
        entry: prop::sample::Index,
        verb: Option<&'static str>,
        fills: Vec<&'static str>,
        spoil: u8,
    }

    impl Wanted {
        fn request(&self, table: &Table) -> (String, String) {
            let (route, _) = self.entry.get(table);
            let (verb, template) = route.split_once(' ').unwrap_or(("GET", "/$connect"));
            let verb = self.verb.unwrap_or(if verb == "ANY" { "POST" } else { verb });
            let mut path = String::new();
            for (index, piece) in pieces(template).iter().enumerate() {
                if index > 0 {
                    path.push_str(self.fills[index % self.fills.len()]);
                }
                path.push_str(piece);
            }
            match self.spoil {
                0 => path.push('/'),
                1 => path.push_str("/x"),
                2 if path.len() > 1 => drop(path.pop()),
                3 => path.make_ascii_uppercase(),
                4 => path.insert(1, '/'),
                5 => path = path.replacen("pets", "pet", 1),
                6 => path.insert_str(0, "/GET"),
                _ => {}
            }
            (verb.to_owned(), path)
        }
    }

    fn route() -> impl Strategy<Value = String> {
        let verb = prop::sample::select(vec!["GET", "GET", "POST", "DELETE", "PUT", "ANY", "ANY"]);
        let part = prop::sample::select(vec!["pets", "a", "{id}", "{proxy+}", "*", "a*", "v{n}b", "b:c", "$x", ""]);
        let path = prop::collection::vec(part, 0..=3).prop_map(|parts| format!("/{}", parts.join("/")));
        let route = (verb, path).prop_map(|(verb, path)| format!("{verb} {path}"));
        prop_oneof![20 => route, 1 => Just("ANY /*".to_owned()), 1 => Just("$connect".to_owned())]
    }

    fn scopes() -> impl Strategy<Value = Vec<String>> {
        let some = prop::sample::subsequence(SCOPES.to_vec(), 0..=SCOPES.len());
        some.prop_map(|scopes| scopes.into_iter().map(str::to_owned).collect())
    }

    /// A table without entries that stand for the same requests.
    fn table() -> impl Strategy<Value = Table> {
        prop::collection::vec((route(), scopes()), 1..=5).prop_map(|mut table| {
            let mut seen = HashSet::new();
            table.retain(|(route, _)| {
                let verb = route.split(' ').next().unwrap().to_owned();
                seen.insert((verb, pieces(route)))
            });
            table
        })
    }

    fn wanted() -> impl Strategy<Value = Wanted> {
        let fill = prop::sample::select(vec!["", "1", "a", "a/b", "pets", "x:y", "*", "?", "${a}", "%2F", "..", "/"]);
        let verb = prop::option::weighted(0.3, prop::sample::select(VERBS.to_vec()));
        (any::<prop::sample::Index>(), verb, prop::collection::vec(fill, 3), 0..12_u8)
            .prop_map(|(entry, verb, fills, spoil)| Wanted { entry, verb, fills, spoil })
    }

    fn rights(table: &Table, required: &[String]) -> Rights {
        let routes = table.iter().map(|(route, scopes)| (route.clone(), json!(scopes))).collect();
        Rights { required: required.to_vec(), routes: Some(Routes::parse(&routes).unwrap()) }
    }

    fn claims(held: &[String], as_array: bool) -> Claims {
        Claims::verified(if as_array { json!({ "scp": held }) } else { json!({ "scope": held.join(" ") }) })
    }

    fn event(kind: &str, arn: &str) -> String {
        match kind {
            "token" => json!({ "type": "TOKEN", "methodArn": arn, "authorizationToken": "" }),
            "rest" => json!({ "type": "REQUEST", "methodArn": arn }),
            "http1" => json!({ "type": "REQUEST", "version": "1.0", "methodArn": arn }),
            "http2" => json!({ "type": "REQUEST", "version": "2.0", "routeArn": arn }),
            _ => json!({ "type": "REQUEST", "methodArn": arn, "requestContext": { "eventType": "CONNECT" } }),
        }
        .to_string()
    }

    /// The document that is answered to this event.
    fn document_for(event: &str, rights: &Rights, claims: &Claims, ends: Option<f64>) -> Value {
        let event = Event::parse(event).unwrap();
        let request = event.request().unwrap();
        let paths = ["scope", "scp"].map(|name| ClaimPath::Member(name.to_owned()));
        let only = (request.kind == crate::event::Kind::WebSocket).then_some(request.route);
        let answer = match rights.grant(&paths, claims, only) {
            Ok(grant) => permit(&grant, ends).answer(&request.stage, Form::Policy),
            Err(denial) => deny(&request.stage, Form::Policy, denial.reason, Some("user-1")),
        };
        serde_json::from_str::<Value>(answer.get()).unwrap()["policyDocument"].take()
    }

    fn permit<'a>(grant: &'a Grant<'a>, ends: Option<f64>) -> Permit<'a> {
        Permit { principal: "user-1", grant, ends, context: Context::default(), usage_key: None }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

        #[test]
        fn the_policy_says_what_the_table_says(
            table in table(),
            required in prop::option::weighted(0.2, scopes()),
            held in scopes(),
            as_array in any::<bool>(),
            kind in prop::sample::select(vec!["token", "rest", "http1", "http2"]),
            asked in wanted(),
            wanted in prop::collection::vec(wanted(), 8),
            elsewhere in prop::sample::select(ELSEWHERE.to_vec()),
        ) {
            let required = required.unwrap_or_default();
            let (rights, claims) = (rights(&table, &required), claims(&held, as_array));
            let (verb, path) = asked.request(&table);
            let document = document_for(&event(kind, &format!("{STAGE}/{verb}{path}")), &rights, &claims, Some(ENDS));
            // It is cached, so what was asked for must not be in it.
            let other = document_for(&event("token", &format!("{STAGE}/GET/other")), &rights, &claims, Some(ENDS));
            prop_assert_eq!(&document, &other);

            let has_all = required.iter().all(|scope| held.contains(scope));
            let opens_any = table.iter().any(|(_, scopes)| scopes.iter().all(|scope| held.contains(scope)));
            for (verb, path) in wanted.iter().chain([&asked]).map(|wanted| wanted.request(&table)) {
                let route = format!("{verb}{path}");
                let rule = rule(&table, &held, &verb, &path);
                let expected = match rule {
                    _ if !has_all || !opens_any => Verdict::ExplicitDeny,
                    Rule::Open => Verdict::Allow,
                    Rule::Closed => Verdict::ExplicitDeny,
                    Rule::Nowhere => Verdict::ImplicitDeny,
                };
                prop_assert_eq!(evaluate(&document, &format!("{STAGE}/{route}"), NOW), expected, "{}", route);
                let after = evaluate(&document, &format!("{STAGE}/{route}"), ENDS as u64);
                prop_assert_eq!(after, Verdict::ExplicitDeny, "{} after the token's end", route);
                prop_assert_ne!(evaluate(&document, &format!("{elsewhere}/{route}"), NOW), Verdict::Allow);

                // An answer for one route only says the same.
                let paths = ["scope", "scp"].map(|name| ClaimPath::Member(name.to_owned()));
                let is_open = rights.grant(&paths, &claims, Some(&route)).is_ok();
                prop_assert_eq!(is_open, expected == Verdict::Allow, "{} alone", route);
            }
        }

        #[test]
        fn a_connection_is_open_by_its_own_entry_only(table in table(), held in scopes(), open in any::<bool>()) {
            let (rights, claims) = (rights(&table, &[]), claims(&held, false));
            let rights = if open { Rights::default() } else { rights };
            let document = document_for(&event("connect", &format!("{STAGE}/$connect")), &rights, &claims, Some(ENDS));
            let entry = table.iter().find(|(route, _)| route == "$connect");
            let is_open = entry.is_some_and(|(_, scopes)| scopes.iter().all(|scope| held.contains(scope)));
            let expected = if open || is_open { Verdict::Allow } else { Verdict::ExplicitDeny };
            prop_assert_eq!(evaluate(&document, &format!("{STAGE}/$connect"), NOW), expected);
            prop_assert_ne!(evaluate(&document, &format!("{STAGE}/GET/$connect"), NOW), Verdict::Allow);
            for elsewhere in ELSEWHERE {
                prop_assert_ne!(evaluate(&document, &format!("{elsewhere}/$connect"), NOW), Verdict::Allow);
            }
        }
    }

    #[test]
    fn a_path_that_ends_like_a_connection_is_a_path() {
        // Taken for a WebSocket's, a refusal would stand for `$connect` alone, and leave the request to whatever
        // the API's resource policy says.
        let claims = claims(&[], false);
        for route in ["GET/$connect", "GET/a/$connect", "ANY/$connect"] {
            let closed = rights(&vec![("GET /x".to_owned(), vec!["r".to_owned()])], &[]);
            let document = document_for(&event("rest", &format!("{STAGE}/{route}")), &closed, &claims, None);
            assert_eq!(evaluate(&document, &format!("{STAGE}/{route}"), NOW), Verdict::ExplicitDeny, "{route}");
            let document = document_for(&event("rest", &format!("{STAGE}/{route}")), &Rights::default(), &claims, None);
            assert_eq!(evaluate(&document, &format!("{STAGE}/{route}"), NOW), Verdict::Allow, "{route}");
        }
        let document = document_for(&event("rest", &format!("{STAGE}/$connect")), &Rights::default(), &claims, None);
        assert_eq!(evaluate(&document, &format!("{STAGE}/$connect"), NOW), Verdict::Allow);
        assert_eq!(evaluate(&document, &format!("{STAGE}/GET/"), NOW), Verdict::ImplicitDeny);
    }

    #[test]
    fn without_a_table_the_stage_is_open_and_nothing_else() {
        let event = event("token", &format!("{STAGE}/GET/pets"));
        let document = document_for(&event, &Rights::default(), &claims(&[], false), Some(ENDS));
        for route in ["GET/pets", "POST/", "DELETE/a/b/c", "GET/*", "GET/${aws:username}", "PATCH/\u{e4}"] {
            assert_eq!(evaluate(&document, &format!("{STAGE}/{route}"), NOW), Verdict::Allow, "{route}");
            for elsewhere in ELSEWHERE {
                let verdict = evaluate(&document, &format!("{elsewhere}/{route}"), NOW);
                assert_eq!(verdict, Verdict::ImplicitDeny, "{elsewhere}/{route}");
            }
        }
        assert_eq!(document["Statement"][0]["Resource"], json!([format!("{STAGE}/*")]));
    }

    #[test]
    fn the_policy_ends_with_the_token_to_the_second() {
        let rules = |leeway| Rules {
            audience_claims: vec![ClaimPath::Member("aud".to_owned())],
            audiences: vec!["my-api".to_owned()],
            leeway,
            required: Vec::new(),
            principal_claims: vec![ClaimPath::Member("sub".to_owned())],
        };
        let request = format!("{STAGE}/GET/pets");
        for (exp, leeway, last) in [
            (json!(NOW + 600), 0.0, NOW + 599),
            (json!(NOW + 600), 30.0, NOW + 629),
            (json!(1_800_000_600.0), 0.0, NOW + 599),
            (json!(1_800_000_600.001), 0.0, NOW + 599),
            (json!(1_800_000_600.999), 0.0, NOW + 599),
            (json!(1_800_000_599.999), 0.0, NOW + 598),
            (json!(1_800_000_600.5), 300.0, NOW + 899),
            // The last second that has a date of four digits for its year, and leeway across it.
            (json!(253_402_300_799_u64), 0.0, 253_402_300_798),
            (json!(253_402_300_739_u64), 60.0, 253_402_300_798),
        ] {
            let claims = Claims::verified(json!({ "aud": "my-api", "sub": "user-1", "exp": exp }));
            let ends = rules(leeway).check(&claims, &Now::at(NOW as f64)).unwrap().ends;
            let event = event("token", &request);
            for rights in [Rights::default(), rights(&vec![("GET /pets".to_owned(), Vec::new())], &[])] {
                let document = document_for(&event, &rights, &claims, Some(ends));
                assert_eq!(evaluate(&document, &request, last), Verdict::Allow, "{exp} + {leeway}");
                assert_eq!(evaluate(&document, &request, last + 1), Verdict::ExplicitDeny, "{exp} + {leeway}");
                assert_eq!(evaluate(&document, &format!("{STAGE}/PUT/else"), last + 1), Verdict::ExplicitDeny);
                let unguarded = document_for(&event, &rights, &claims, None);
                assert_eq!(evaluate(&unguarded, &request, u64::MAX), Verdict::Allow, "EXPIRY_GUARD=off");
            }
        }
    }

    #[test]
    fn a_token_that_lives_for_ever_has_no_guard() {
        let event = event("token", &format!("{STAGE}/GET/pets"));
        for ends in [253_402_300_800.0, 1e15, 1e300, f64::MAX] {
            let document = document_for(&event, &Rights::default(), &claims(&[], false), Some(ends));
            assert_eq!(document["Statement"].as_array().unwrap().len(), 1, "{ends}");
        }
        assert_eq!(date_time(253_402_300_799.9).as_deref(), Some("9999-12-31T23:59:59Z"));
        assert_eq!(date_time(1_800_000_000.9).as_deref(), Some("2027-01-15T08:00:00Z"));
    }

    #[test]
    fn a_guard_on_a_connection_is_a_guard_on_connections() {
        let event = event("connect", &format!("{STAGE}/$connect"));
        let document = document_for(&event, &Rights::default(), &claims(&[], false), Some(ENDS));
        assert_eq!(evaluate(&document, &format!("{STAGE}/$connect"), ENDS as u64 - 1), Verdict::Allow);
        assert_eq!(evaluate(&document, &format!("{STAGE}/$connect"), ENDS as u64), Verdict::ExplicitDeny);
    }

    /// The problems of a table, with the other settings right.
    fn problems(routes: &Value) -> Vec<String> {
        let routes = routes.to_string();
        let config = Config::read(|name| match name {
            "ISSUER" => Some("https://login.example.com".to_owned()),
            "AUDIENCE" => Some("my-api".to_owned()),
            "ROUTES" => Some(routes.clone()),
            _ => None,
        });
        let problems = config.err().map(|problems| problems.0).unwrap_or_default();
        problems.iter().map(ToString::to_string).collect()
    }

    /// An ARN up to the stage of this length, as real as it can be.
    fn stage_of_length(length: usize) -> String {
        let stage = "arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:abcdefghij/".to_owned();
        let name = "s".repeat(length - stage.len());
        stage + &name
    }

    /// A table with paths of about the same length, such that its longest document has `size` bytes.
    fn table_of_size(routes: usize, size: usize) -> Table {
        let base: Table = (0..routes)
            .map(|n| (format!("GET /{n:03}/"), vec![["r", "w"][usize::from(n % 2 == 0)].to_owned()]))
            .collect();
        let missing = size - longest(&base, 96);
        let fill = |n: usize| missing / routes + usize::from(n < missing % routes);
        base.into_iter().enumerate().map(|(n, (route, scopes))| (route + &"p".repeat(fill(n)), scopes)).collect()
    }

    /// The length of the longest document that this table gives, over all tokens.
    fn longest(table: &Table, prefix: usize) -> usize {
        let rights = rights(table, &[]);
        let event = event("token", &format!("{}/GET/", stage_of_length(prefix)));
        let tokens = [&["r"][..], &["w"], &["r", "w"]].map(|held| held.iter().map(ToString::to_string).collect());
        let tokens = tokens.iter().map(|held: &Vec<String>| claims(held, true));
        tokens.map(|claims| document_for(&event, &rights, &claims, Some(ENDS)).to_string().len()).max().unwrap()
    }

    fn as_json(table: &Table) -> Value {
        table.iter().map(|(route, scopes)| (route.clone(), json!(scopes))).collect::<serde_json::Map<_, _>>().into()
    }

    #[test]
    fn a_table_that_just_fits_is_taken_and_one_byte_more_is_not() {
        for routes in [20, 60, 67] {
            let fitting = table_of_size(routes, MAX_DOCUMENT);
            assert_eq!(problems(&as_json(&fitting)), [""; 0], "{routes} routes");
            assert_eq!(longest(&fitting, 96), MAX_DOCUMENT, "{routes} routes");
            let mut larger = fitting;
            larger[routes / 2].0.push('p');
            let expected = format!("ROUTES: the policy would have {} bytes", MAX_DOCUMENT + 1);
            let problems = problems(&as_json(&larger));
            assert!(problems.len() == 1 && problems[0].starts_with(&expected), "{routes} routes: {problems:?}");
        }
    }

    #[test]
    fn a_resource_that_just_fits_is_taken_and_one_character_more_is_not() {
        for verb in ["GET", "OPTIONS", "ANY"] {
            // The longest verb counts.
            let written = if verb == "ANY" { "OPTIONS" } else { verb };
            let room = MAX_RESOURCE - 96 - "/".len() - written.len() - "/".len();
            let fitting = json!({ format!("{verb} /{}", "p".repeat(room)): [] });
            assert_eq!(problems(&fitting), [""; 0], "{verb}");
            let larger = json!({ format!("{verb} /{}", "p".repeat(room + 1)): [] });
            let problems = problems(&larger);
            let expected = "resources of up to 513 characters; API Gateway takes 8192 and 512";
            assert!(problems.len() == 1 && problems[0].contains(expected), "{verb}: {problems:?}");
        }
    }

    #[test]
    fn any_verb_of_everything_counts_seven_times() {
        // As a Deny it is one resource, as an Allow seven: the table has to fit in every case.
        let table = |last: usize| {
            let mut table: Table = (0..13).map(|n| (format!("POST /{n:0>401}"), vec!["w".to_owned()])).collect();
            table.push(("ANY /*".to_owned(), vec!["r".to_owned()]));
            table.push((format!("PUT /{}", "p".repeat(last)), vec!["r".to_owned(), "w".to_owned()]));
            table
        };
        let exact = MAX_DOCUMENT - longest(&table(0), 96);
        assert_eq!(problems(&as_json(&table(exact))), [""; 0]);
        assert_eq!(longest(&table(exact), 96), MAX_DOCUMENT);
        assert_eq!(problems(&as_json(&table(exact + 1))).len(), 1);
        assert_eq!(problems(&json!({ "ANY /*": [] })), [""; 0]);
    }

    #[test]
    fn sixty_routes_of_an_ordinary_api_fit() {
        let table: Table =
            (0..60).map(|n| (format!("GET /customers/{{id}}/x{n:02}"), vec![format!("customers:read:{n}")])).collect();
        assert_eq!(problems(&as_json(&table)), [""; 0]);
        let nine_anys: Table = (0..9).map(|n| (format!("ANY /customers/{n}"), Vec::new())).collect();
        assert_eq!(problems(&as_json(&nine_anys)), [""; 0]);
        let ten_anys: Table = (0..10).map(|n| (format!("ANY /customers/{n}"), Vec::new())).collect();
        assert_eq!(problems(&as_json(&ten_anys)).len(), 1, "ANY counts seven times");
    }

    #[test]
    fn the_proof_holds_for_the_prefix_it_was_made_for_and_a_longer_one_is_checked() {
        let table = table_of_size(60, MAX_DOCUMENT);
        let rights = rights(&table, &[]);
        let claims = claims(&["r".to_owned()], false);
        let event_of = |length| event("token", &format!("{}/GET/", stage_of_length(length)));
        let scope = [ClaimPath::Member("scope".to_owned())];
        for (length, fits) in [(70, true), (96, true), (97, false), (140, false)] {
            let event = event_of(length);
            let event = Event::parse(&event).unwrap();
            let stage = event.request().unwrap().stage;
            let grant = rights.grant(&scope, &claims, None).unwrap();
            assert_eq!(check_length(&stage, &grant, Some(ENDS)).is_ok(), fits, "{length}");
        }
    }

    #[test]
    fn problems_of_the_table_are_reported_under_its_name() {
        for (routes, expected) in [
            (json!({}), vec!["ROUTES: is empty: name at least one route, as {\"GET /pets\": [\"pets:read\"]}"]),
            (json!([]), vec!["ROUTES: want a JSON object: not an object"]),
            (
                json!({ "GET pets": [], "GET /pets": "pets:read" }),
                vec![
                    "ROUTES: entry `GET /pets`: its scopes are not an array of strings, as [\"pets:read\"]",
                    "ROUTES: entry `GET pets`: the path must begin with `/`",
                ],
            ),
        ] {
            assert_eq!(problems(&routes), expected);
        }
    }

    #[test]
    fn an_answer_has_no_null_and_allows_first() {
        let rights = rights(&vec![("GET /a".to_owned(), vec!["r".to_owned()]), ("GET /b".to_owned(), Vec::new())], &[]);
        let event = event("token", &format!("{STAGE}/GET/a"));
        for held in [&["r".to_owned()][..], &[]] {
            let document = document_for(&event, &rights, &claims(held, false), Some(ENDS));
            let statements = document["Statement"].as_array().unwrap();
            assert_eq!(statements[0]["Effect"], "Allow");
            assert!(!document.to_string().contains("null"));
            let members: BTreeSet<_> = statements.iter().flat_map(|s| s.as_object().unwrap().keys()).collect();
            let known = ["Action", "Condition", "Effect", "Resource"];
            assert!(members.iter().all(|member| known.contains(&member.as_str())), "{members:?}");
        }
    }
}
