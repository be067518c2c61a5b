//! `TRIAL` changes no answer, and its verdict is that of the same settings made real.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "tokens are made for now")]

#[path = "support/mod.rs"]
mod support;

use std::sync::LazyLock;

use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};
use support::iam::{self, evaluate};
use support::tokens::{self, SigningKey};
use token_authorizer::{Authorizer, Config, Verdict};
use tokio::runtime::{Builder, Runtime};

const ISSUER: &str = "https://issuer.example.com";
const STAGE: &str = "arn:aws:execute-api:us-east-1:123456789012:ymy8tbxw7b/dev";

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::es256("k1"));

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());

fn authorizer(settings: &[(&str, String)]) -> Authorizer {
    let mut all = vec![
        ("ISSUER", ISSUER.to_owned()),
        ("AUDIENCE", "api other".to_owned()),
        ("ALGORITHMS", "ES256".to_owned()),
        ("JWKS", tokens::jwks(&[&KEY]).to_string()),
    ];
    for (name, value) in settings {
        all.retain(|(other, _)| other != name);
        all.push((name, value.clone()));
    }
    let config = Config::read(&all.into_iter().collect()).unwrap_or_else(|bad| panic!("{bad}"));
    Authorizer::new(config)
}

/// The event for a request with this token.
fn event(kind: &str, request: &str, token: &str) -> String {
    let arn = format!("{STAGE}/{request}");
    match kind {
        "token" => json!({
            "type": "TOKEN", "methodArn": arn, "authorizationToken": format!("Bearer {token}"),
        }),
        "http2" => json!({
            "type": "REQUEST", "version": "2.0", "routeArn": arn,
            "headers": {"Authorization": format!("Bearer {token}")},
        }),
        _ => json!({
            "type": "REQUEST", "methodArn": format!("{STAGE}/$connect"),
            "headers": {"Authorization": format!("Bearer {token}")},
            "requestContext": {"eventType": "CONNECT"},
        }),
    }
    .to_string()
}

/// The reason for which a request is refused, if it is: by the authorizer, or by the policy of its answer.
fn refused(authorizer: &Authorizer, kind: &str, request: &str, token: &str) -> Option<String> {
    let decision = RUNTIME.block_on(authorizer.decide(&event(kind, request, token)));
    if !matches!(decision.verdict, Verdict::Allow(_)) {
        return decision.verdict.code().map(str::to_owned);
    }
    let answer: Value = serde_json::from_str(decision.answer.unwrap().get()).unwrap();
    let request = if kind == "connect" { "$connect" } else { request };
    let arn = format!("{STAGE}/{request}");
    match evaluate(&answer["policyDocument"], &arn, tokens::now()) {
        iam::Verdict::Allow => None,
        _ => Some("insufficient_scope".to_owned()),
    }
}

/// Members of `TRIAL`, each with the setting that it is for.
fn member() -> impl Strategy<Value = (&'static str, &'static str, Value)> {
    let table = select(vec![
        json!({"GET /pets": []}),
        json!({"GET /pets": ["read"], "ANY /pets/{id}": ["write"]}),
        json!({"GET /pets/{id}": {"path": {"id": "sub"}}, "$connect": ["chat"]}),
        json!({"ANY /*": ["admin"], "GET /pets": [{"claims": {"tier": "gold"}}]}),
        json!({"ANY /*": ["read"], "GET /pets": ["read", {"max_age": 300}]}),
        json!({"ANY /*": {"any": ["write", {"max_age": 3600}]}, "$connect": [{"max_age": 300}]}),
    ]);
    prop_oneof![
        select(vec![json!("api"), json!(["other"]), json!(["new", "api"])])
            .prop_map(|value| ("audience", "AUDIENCE", value)),
        select(vec![json!("aud"), json!(["azp", "aud"]), json!("azp")]).prop_map(|value| (
            "audience_claim",
            "AUDIENCE_CLAIM",
            value
        )),
        select(vec![json!("at+jwt"), json!(["JWT"]), json!(["application/at+jwt", "x"])])
            .prop_map(|value| ("token_types", "TOKEN_TYPES", value)),
        select(vec![json!({"tier": "gold"}), json!({"tier": {"none": ["gold"]}}), json!({})])
            .prop_map(|value| ("required_claims", "REQUIRED_CLAIMS", value)),
        select(vec![json!(300), json!(3600)]).prop_map(|value| (
            "max_token_seconds",
            "MAX_TOKEN_SECONDS",
            value
        )),
        select(vec![json!("read"), json!(["read", "write"])]).prop_map(|value| (
            "required_scopes",
            "REQUIRED_SCOPES",
            value
        )),
        table.prop_map(|value| ("routes", "ROUTES", value)),
    ]
}

/// A member's value as its setting is written.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            values.iter().map(|value| value.as_str().unwrap()).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

fn token() -> impl Strategy<Value = (Value, Value)> {
    let audiences = vec![json!("api"), json!(["other"]), json!(["api", "other"])];
    let scopes = subsequence(vec!["read", "write", "chat", "admin"], 0..=4);
    let tiers = select(vec![json!(null), json!("gold"), json!(["gold", "x"]), json!("tin")]);
    // Seconds ago, far enough from the ages of the tables.
    let sign_ins = option::of(select(vec![0, 1000, 10_000]));
    let types = select(vec![None, Some("JWT"), Some("at+jwt"), Some("application/at+jwt")]);
    let lives = select(vec![600, 301]);
    (select(audiences), scopes, tiers, lives, any::<bool>(), sign_ins, types).prop_map(
        |(audience, scopes, tier, life, has_iat, sign_in, typ)| {
            let mut header = json!({"alg": "ES256", "kid": "k1"});
            if let Some(typ) = typ {
                header["typ"] = json!(typ);
            }
            let now = tokens::now();
            let mut claims = json!({
                "iss": ISSUER, "aud": audience, "sub": "bob", "azp": "api", "tier": tier,
                "scope": scopes.join(" "), "exp": now + life,
            });
            if has_iat {
                claims["iat"] = json!(now);
            }
            if let Some(seconds_ago) = sign_in {
                claims["auth_time"] = json!(now - seconds_ago);
            }
            (header, claims)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn a_trial_changes_no_answer_and_tells_the_truth(
        members in proptest::collection::vec(member(), 1..4),
        (header, claims) in token(),
        has_table in any::<bool>(),
        request in select(vec!["GET/pets", "GET/pets/bob", "PUT/pets/eve", "GET/pets/../x"]),
        kind in select(vec!["token", "http2", "connect"]),
    ) {
        let mut base = Vec::new();
        if has_table {
            let table = json!({"ANY /*": [], "GET /pets": ["read"], "$connect": ["read"]});
            base.push(("ROUTES", table.to_string()));
        }
        let mut trial = Map::new();
        let mut real = base.clone();
        for (name, setting, value) in &members {
            trial.insert((*name).to_owned(), value.clone());
            real.retain(|(other, _)| other != setting);
            real.push((*setting, written(value)));
        }
        let tables = trial.contains_key("routes");
        let token = KEY.token_with(&header, &claims);
        let plain = authorizer(&base);
        base.push(("TRIAL", Value::Object(trial.clone()).to_string()));
        let trying = authorizer(&base);

        let event = event(kind, request, &token);
        let without = RUNTIME.block_on(plain.decide(&event));
        let with = RUNTIME.block_on(trying.decide(&event));
        let text = |answer: &Result<token_authorizer::Answer, _>| {
            answer.as_ref().map(|answer| answer.get().to_owned()).ok()
        };
        prop_assert_eq!(text(&without.answer), text(&with.answer));

        let found = trying.explain(&with).trial.map(|denial| denial.reason().code().to_owned());
        if matches!(with.verdict, Verdict::Allow(_)) {
            // What the table of today refuses is no news, unless another table is on trial.
            let is_open = refused(&plain, kind, request, &token).is_none();
            if tables || is_open {
                let expected = refused(&authorizer(&real), kind, request, &token);
                prop_assert_eq!(found, expected, "{:?} {} {}", trial, request, claims);
            }
        } else {
            prop_assert_eq!(found, None);
        }
    }
}
