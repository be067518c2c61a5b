//! The answer to API Gateway: an IAM policy that is safe to cache.
//!
//! API Gateway applies a cached policy to every method of the stage. So the document is decided for the token,
//! never for the request. Resources are made of the ARN's partition, region, account, API and stage, and of
//! configured routes. No byte of the request's verb or path reaches them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use aws_lambda_events::iam::{IamPolicyDocument, IamPolicyEffect, IamPolicyStatement};
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::access::rights::Access;
use crate::access::routes::RouteStates;
use crate::access::routes::guard::GUARDED;
use crate::clock::date_time;
use crate::denial::Denial;
use crate::gateway::arn::Stage;
use crate::jose::token::{ClaimPath, Claims};

/// The most bytes of `context`; claims beyond it are omitted. They end up in headers, of which API Gateway takes 10,240
/// bytes in sum.
pub(crate) const MAX_CONTEXT: usize = 4 * 1024;

/// The principal of a refused caller: no answer states anything unverified as fact.
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
pub(crate) enum ResponseFormat {
    /// An IAM policy.
    Policy,
    /// `{isAuthorized, context}`, for HTTP APIs with simple responses.
    Simple,
}

/// What is answered to a good token.
pub(crate) struct Allow<'a> {
    pub(crate) principal: &'a str,
    pub(crate) access: &'a Access<'a>,
    /// The Unix time from which on the policy itself refuses, if it should.
    pub(crate) expires_at: Option<f64>,
    pub(crate) context: Context<'a>,
    pub(crate) usage_key: Option<&'a str>,
}

impl Allow<'_> {
    /// The answer as JSON.
    pub(crate) fn answer(&self, stage: &Stage<'_>, response_format: ResponseFormat) -> Answer {
        if response_format == ResponseFormat::Simple {
            return to_answer(&Simple { is_authorized: true, context: &self.context });
        }
        to_answer(&Output {
            principal_id: self.principal,
            policy_document: &document(stage, self.access, self.expires_at),
            context: &self.context,
            usage_identifier_key: self.usage_key,
        })
    }
}

/// A Deny for the whole stage. It names the caller of a valid token, and nobody else.
pub(crate) fn deny(
    stage: &Stage<'_>,
    response_format: ResponseFormat,
    denial: &Denial,
    challenge: String,
) -> Answer {
    let entries = vec![
        ("reason", Cow::Owned(denial.reason().code().into())),
        ("challenge", Cow::Owned(challenge.into())),
    ];
    let context = Context { entries, ..Context::default() };
    if response_format == ResponseFormat::Simple {
        return to_answer(&Simple { is_authorized: false, context: &context });
    }
    let principal_id = match denial {
        Denial::InsufficientScope { principal, .. } => principal,
        _ => ANONYMOUS,
    };
    to_answer(&Output {
        principal_id,
        policy_document: &of_statements(vec![about_everything(IamPolicyEffect::Deny, stage)]),
        context: &context,
        usage_identifier_key: None,
    })
}

/// The document for a good token: the Allow first, then the Deny of what stays closed, then the Deny from `exp` on.
/// Without `expires_at` it says nothing about time, also not when a sign-in gets too old.
pub(crate) fn document(
    stage: &Stage<'_>,
    access: &Access<'_>,
    expires_at: Option<f64>,
) -> IamPolicyDocument {
    let mut statements = Vec::new();
    match access {
        Access::Stage => statements.push(about_everything(IamPolicyEffect::Allow, stage)),
        Access::Routes(decided) => {
            statements.extend(of_routes(stage, decided, expires_at.is_some()));
        }
    }
    if let Some(end) = expires_at.and_then(date_time) {
        // A Deny: if the Allow just ended, the API's resource policy would decide about the request.
        let everything = about_everything(IamPolicyEffect::Deny, stage);
        statements.push(with_time(everything, "DateGreaterThanEquals", Some(end)));
    }
    of_statements(statements)
}

fn of_statements(statements: Vec<IamPolicyStatement>) -> IamPolicyDocument {
    let mut document = IamPolicyDocument::default();
    document.version = Some("2012-10-17".to_owned());
    document.statement = statements;
    document
}

pub(crate) fn statement(effect: IamPolicyEffect, resources: Vec<String>) -> IamPolicyStatement {
    let mut statement = IamPolicyStatement::default();
    statement.effect = effect;
    statement.action = vec!["execute-api:Invoke".to_owned()];
    statement.resource = resources;
    statement
}

/// A statement about every request that the answer could be used for.
fn about_everything(effect: IamPolicyEffect, stage: &Stage<'_>) -> IamPolicyStatement {
    statement(effect, vec![resource(stage, stage.everything())])
}

/// The statements for the entries of a table: the Allows first. Each time at which a sign-in gets too old has one.
fn of_routes(
    stage: &Stage<'_>,
    decided: &RouteStates<'_>,
    says_times: bool,
) -> Vec<IamPolicyStatement> {
    let (mut allowed, mut denied) = (Vec::with_capacity(decided.entries.len()), Vec::new());
    let (mut allowed_until, mut denied_from) = (BTreeMap::new(), BTreeMap::new());
    for index in 0..decided.entries.len() {
        // The usual case: nothing changes with time.
        if decided.changes.is_empty() {
            push_resources(stage, decided.allowed(index), &mut allowed);
            push_resources(stage, decided.denied(index), &mut denied);
            continue;
        }
        let patterns = decided.patterns(index, says_times);
        push_resources(stage, patterns.allowed, &mut allowed);
        push_resources(stage, patterns.denied, &mut denied);
        for (end, ending) in patterns.allowed_until {
            push_resources(stage, &ending, allowed_until.entry(date_time(end)).or_default());
        }
        if let Some((start, closing)) = patterns.denied_from {
            push_resources(stage, closing, denied_from.entry(date_time(start)).or_default());
        }
    }
    if decided.guard {
        push_resources(stage, &GUARDED, &mut denied);
    }
    let mut statements = Vec::new();
    // IAM takes no statement without a resource.
    if !allowed.is_empty() {
        statements.push(statement(IamPolicyEffect::Allow, allowed));
    }
    for (end, resources) in allowed_until {
        let allow = statement(IamPolicyEffect::Allow, resources);
        statements.push(with_time(allow, "DateLessThan", end));
    }
    if !denied.is_empty() {
        statements.push(statement(IamPolicyEffect::Deny, denied));
    }
    for (start, resources) in denied_from {
        let deny = statement(IamPolicyEffect::Deny, resources);
        statements.push(with_time(deny, "DateGreaterThanEquals", start));
    }
    statements
}

/// A statement that holds only where the time of a request compares so with this one. No time is beyond the year 9999,
/// and never comes.
pub(crate) fn with_time(
    mut statement: IamPolicyStatement,
    operator: &str,
    time: Option<String>,
) -> IamPolicyStatement {
    if let Some(time) = time {
        let time = HashMap::from([("aws:CurrentTime".to_owned(), vec![time])]);
        statement.condition = Some(HashMap::from([(operator.to_owned(), time)]));
    }
    statement
}

fn push_resources(stage: &Stage<'_>, patterns: &[impl AsRef<str>], resources: &mut Vec<String>) {
    for pattern in patterns {
        resources.push(resource(stage, pattern.as_ref()));
    }
}

/// The resource in a policy for a pattern below the stage.
fn resource(stage: &Stage<'_>, pattern: &str) -> String {
    [stage.arn(), "/", pattern].concat()
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
    /// The names of values that would have made it longer than [`MAX_CONTEXT`], or have a control character.
    pub(crate) omitted: Vec<&'a str>,
    /// As JSON.
    len: usize,
}

impl<'a> Context<'a> {
    /// A challenge, if there is one, and the claims that are present, in this order. REST and WebSocket APIs take no
    /// arrays and objects, so these are given as JSON text.
    pub(crate) fn of_allow(
        challenge: Option<Cow<'a, Value>>,
        wanted: &'a [ContextClaim],
        claims: &'a Claims,
    ) -> Self {
        let mut context = Self { entries: Vec::new(), omitted: Vec::new(), len: "{}".len() };
        if let Some(challenge) = challenge {
            context.add("challenge", challenge);
        }
        for ContextClaim { name, path } in wanted {
            match claims.get(path) {
                None => {}
                Some(nested @ (Value::Array(_) | Value::Object(_))) => {
                    context.add(name, Cow::Owned(nested.to_string().into()));
                }
                Some(scalar) => context.add(name, Cow::Borrowed(scalar)),
            }
        }
        context
    }

    /// Adds a value, or its name to those that are omitted.
    fn add(&mut self, name: &'a str, value: Cow<'a, Value>) {
        // Backends get it as a header, in which a control character could forge a line.
        let is_header = match &*value {
            Value::String(text) => !text.bytes().any(|byte| byte.is_ascii_control()),
            _ => true,
        };
        let comma = usize::from(!self.entries.is_empty());
        let grown = self.len + comma + encoded_len(name) + ":".len() + encoded_len(&value);
        if !is_header || grown > MAX_CONTEXT {
            self.omitted.push(name);
            return;
        }
        self.len = grown;
        self.entries.push((name, value));
    }
}

impl Serialize for Context<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.entries.iter().map(|(name, value)| (name, value)))
    }
}

/// The length of a value as JSON text. Only counted: to write it would take 2 % of an Allow.
pub(crate) fn encoded_len(value: &(impl Serialize + ?Sized)) -> usize {
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

#[allow(
    clippy::expect_used,
    reason = "serializing plain structs with string keys to memory cannot fail"
)]
pub(crate) fn to_answer(answer: &impl Serialize) -> Answer {
    serde_json::value::to_raw_value(answer).expect("plain data")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::access::claims::Present;
    use crate::access::rights::{AnswerScope, Rights};
    use crate::access::routes::Routes;
    use crate::denial::tests::one_of_each;
    use crate::gateway::event::Event;
    use serde_json::json;

    const ARN: &str = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/prod";

    /// The stage of an event that asks for `arn`, on a WebSocket API if that ends in `$connect`.
    pub(crate) fn stage(arn: &str) -> Stage<'static> {
        let event = json!({"type": "REQUEST", "methodArn": arn}).to_string();
        let event: &'static Event<'static> =
            Box::leak(Box::new(Event::parse(event.leak()).unwrap()));
        event.request().unwrap().stage
    }

    fn rest() -> Stage<'static> {
        stage(&format!("{ARN}/DELETE/secret?q={{}}"))
    }

    pub(crate) fn routes(table: &Value) -> Routes {
        Routes::parse(table.as_object().unwrap(), false).unwrap()
    }

    pub(crate) fn allow<'a>(access: &'a Access<'a>, expires_at: Option<f64>) -> Allow<'a> {
        Allow {
            principal: "alice",
            access,
            expires_at,
            context: Context::default(),
            usage_key: None,
        }
    }

    pub(crate) fn with_rights(table: &Value, scopes: &str, then: impl FnOnce(Access<'_>)) {
        let rights = Rights { required: Vec::new(), routes: Some(routes(table).into()) };
        let claims = Claims::verified(json!({"scope": scopes}));
        then(
            rights
                .access(
                    &[ClaimPath::parse("scope").unwrap()],
                    &claims,
                    Present::at(0.0),
                    AnswerScope::Stage,
                )
                .unwrap(),
        );
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
        let allow = Allow {
            context: Context::of_allow(None, &wanted, &claims),
            usage_key: Some("key-1"),
            ..allow(&Access::Stage, Some(1_700_000_030.9))
        };
        assert_eq!(
            allow.answer(&rest(), ResponseFormat::Policy).get(),
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
            allow.answer(&rest(), ResponseFormat::Simple).get(),
            r#"{"isAuthorized":true,"context":{"sub":"alice","exp":1700000000}}"#
        );
    }

    #[test]
    fn a_permit_without_guard_has_no_condition() {
        assert_eq!(
            allow(&Access::Stage, None).answer(&rest(), ResponseFormat::Policy).get(),
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
            resources
                .map(|resource| resource.as_str().unwrap().strip_prefix(ARN).unwrap().to_owned())
                .collect()
        };
        with_rights(&table, "read", |access| {
            let answer = allow(&access, Some(0.0)).answer(&rest(), ResponseFormat::Policy);
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
        with_rights(&table, "read admin", |access| {
            let answer = allow(&access, None).answer(&rest(), ResponseFormat::Policy);
            let answer: Value = serde_json::from_str(answer.get()).unwrap();
            assert_eq!(answer["policyDocument"]["Statement"].as_array().unwrap().len(), 1);
            assert_eq!(resources(&answer["policyDocument"]["Statement"][0]).len(), 15);
        });
        let table = json!({"ANY /*": ["all"], "GET /pets": []});
        with_rights(&table, "", |access| {
            let answer = allow(&access, None).answer(&rest(), ResponseFormat::Policy);
            let answer: Value = serde_json::from_str(answer.get()).unwrap();
            let statements = answer["policyDocument"]["Statement"].as_array().unwrap();
            assert_eq!(
                (&statements[1]["Effect"], resources(&statements[1])),
                (&json!("Deny"), vec!["/*".to_owned()])
            );
        });
    }

    #[test]
    fn a_websocket_connection_gets_its_own_resource() {
        let connect = format!("{ARN}/$connect");
        let answer =
            allow(&Access::Stage, Some(0.0)).answer(&stage(&connect), ResponseFormat::Policy);
        let answer: Value = serde_json::from_str(answer.get()).unwrap();
        for statement in answer["policyDocument"]["Statement"].as_array().unwrap() {
            assert_eq!(statement["Resource"], json!([connect]));
        }
        assert!(
            deny(
                &stage(&connect),
                ResponseFormat::Policy,
                &Denial::TokenExpired { seconds_ago: 1.0 },
                "Bearer".to_owned()
            )
            .get()
            .contains(&connect)
        );
    }

    #[test]
    fn a_refusal_closes_the_stage_and_says_why() {
        let text = |principal: &str, reason: &str| {
            let policy = concat!(
                r#""policyDocument":{"Version":"2012-10-17","Statement":[{"Action":["execute-api:Invoke"],"#,
                r#""Effect":"Deny","Resource":["arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/prod/*"]}]}"#,
            );
            let context = format!(r#"{{"reason":"{reason}","challenge":"Bearer x=\"y\""}}"#);
            format!(r#"{{"principalId":"{principal}",{policy},"context":{context}}}"#)
        };
        for denial in one_of_each() {
            let code = denial.reason().code();
            let answer = |format| deny(&rest(), format, &denial, r#"Bearer x="y""#.to_owned());
            let is_valid = matches!(denial, Denial::InsufficientScope { .. });
            let principal = if is_valid { "x" } else { "anonymous" };
            assert_eq!(answer(ResponseFormat::Policy).get(), text(principal, code));
            let context = format!(r#"{{"reason":"{code}","challenge":"Bearer x=\"y\""}}"#);
            let simple = format!(r#"{{"isAuthorized":false,"context":{context}}}"#);
            assert_eq!(answer(ResponseFormat::Simple).get(), simple);
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
            "a": 1, "z": 2, "text": "\"<é>", "number": -5, "float": 1.5, "big": u64::MAX, "flag": false,
            "null": null, "list": ["x", null, 1], "object": {"k": [true]}, "empty": "", "deep": {"roles": ["admin"]},
        }));
        let context = Context::of_allow(None, &wanted, &claims);
        assert_eq!(
            to_answer(&context).get(),
            concat!(
                r#"{"z":2,"text":"\"<é>","number":-5,"float":1.5,"big":18446744073709551615,"flag":false,"#,
                r#""list":"[\"x\",null,1]","object":"{\"k\":[true]}","empty":"","role":"admin","a":1}"#,
            )
        );
        assert_eq!(context.omitted, [""; 0]);
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
            (json!("\"".repeat(room / 2)), 4096, vec!["c"]),
            (json!("\"".repeat(room / 2 + 1)), r#"{"a":1,"c":3}"#.len(), vec!["b"]),
            (json!(["x".repeat(room)]), r#"{"a":1,"c":3}"#.len(), vec!["b"]),
        ];
        for (value, length, omitted) in cases {
            let claims = Claims::verified(json!({"a": 1, "b": value, "c": 3}));
            let context = Context::of_allow(None, &wanted, &claims);
            assert_eq!((to_answer(&context).get().len(), &context.omitted), (length, &omitted));
        }
    }

    #[test]
    fn a_challenge_comes_first_and_takes_its_room() {
        let wanted = claims_to(&["a"]);
        let claims = Claims::verified(json!({"a": 1}));
        let of = |challenge: &Value| {
            let context = Context::of_allow(Some(Cow::Borrowed(challenge)), &wanted, &claims);
            (to_answer(&context).get().to_owned(), context.omitted.join(" "))
        };
        assert_eq!(of(&json!("c")), (r#"{"challenge":"c","a":1}"#.to_owned(), String::new()));
        let room = 4096 - r#"{"challenge":""}"#.len();
        assert_eq!(of(&json!("c".repeat(room))).1, "a");
        assert_eq!(of(&json!("c".repeat(room + 1))), (r#"{"a":1}"#.to_owned(), "challenge".into()));
        let with_claim = room - r#","a":1"#.len();
        assert_eq!(of(&json!("c".repeat(with_claim))).1, "");
        assert_eq!(of(&json!("c".repeat(with_claim + 1))).1, "a");
    }

    #[test]
    fn a_value_with_a_control_character_is_omitted() {
        let wanted = claims_to(&["v", "w"]);
        for (value, is_omitted) in [
            (json!("a\nb"), true),
            (json!("\u{0}"), true),
            (json!("a\u{1f}"), true),
            (json!("\u{7f}"), true),
            (json!(["\u{7f}"]), true),
            (json!({"\u{7f}": 1}), true),
            // Escaped in JSON text.
            (json!(["a\nb"]), false),
            (json!(" ~"), false),
            (json!("\u{80}\u{a0}é"), false),
            (json!(5), false),
        ] {
            let claims = Claims::verified(json!({"v": value, "w": 1}));
            let context = Context::of_allow(None, &wanted, &claims);
            let written: Value = serde_json::from_str(to_answer(&context).get()).unwrap();
            assert_eq!(written.get("v").is_none(), is_omitted, "{value:?}");
            assert_eq!(context.omitted, if is_omitted { &["v"][..] } else { &[] });
            assert_eq!(written["w"], 1);
        }
    }

    #[test]
    fn a_token_that_ends_after_the_year_9999_has_no_guard() {
        let answer =
            allow(&Access::Stage, Some(253_402_300_800.0)).answer(&rest(), ResponseFormat::Policy);
        assert!(!answer.get().contains("Deny"), "no guard");
    }
}

#[cfg(test)]
#[path = "policy_properties.rs"]
mod properties;
