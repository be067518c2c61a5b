//! What holds for any input: a changed token is refused, a right one is allowed, the answer keeps its limits, and no
//! bytes are too odd or too long to be answered.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "tokens are made for now")]

#[path = "support/mod.rs"]
mod support;

use std::sync::LazyLock;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};
use support::events::bearer;
use support::tokens::{self, SigningKey};
use token_authorizer::{Authorizer, Config, Failure, Obstacle};
use tokio::runtime::{Builder, Runtime};

const ISSUER: &str = "https://issuer.example.com";
const AUDIENCE: &str = "https://pets.example.com";
const ARN: &str = "arn:aws:execute-api:us-east-1:123456789012:ymy8tbxw7b/dev/GET/pets";

static KEYS: LazyLock<Vec<SigningKey>> = LazyLock::new(|| {
    let rsa = SigningKey::rsa("rsa");
    let pss = SigningKey::rsa_other("pss", 0).with_alg("PS256");
    let hmac = SigningKey::hmac("hmac", &[7; 64]).with_alg("HS512");
    vec![
        rsa,
        pss,
        hmac,
        SigningKey::es256("p256"),
        SigningKey::es384("p384"),
        SigningKey::ed25519("ed"),
    ]
});

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());

static AUTHORIZER: LazyLock<Authorizer> = LazyLock::new(|| authorizer(&[]));

static ROUTED: LazyLock<Authorizer> = LazyLock::new(|| {
    authorizer(&[
        ("CONTEXT_CLAIMS", "iss sub aud exp nbf iat scope scp client_id jti deep=/sub/a"),
        ("ROUTES", r#"{"GET /pets": ["a"], "ANY /pets/{id}": ["b"], "ANY /open/*": []}"#),
        ("USAGE_KEY_CLAIM", "jti"),
    ])
});

static BOUND: LazyLock<Authorizer> =
    LazyLock::new(|| authorizer(&[("TOKEN_BINDING", "certificate")]));

/// What texts of certificates are made of, and what is not quite that.
const PEM: [&str; 9] = [
    "-----BEGIN CERTIFICATE-----",
    "-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----",
    "MIIB",
    "\n",
    "\r\n",
    " ",
    "=",
    "-",
];

/// Trusts all of [`KEYS`]; these settings are added.
fn authorizer(settings: &[(&str, &str)]) -> Authorizer {
    let keys: Vec<&SigningKey> = KEYS.iter().collect();
    let (jwks, algorithms) =
        (tokens::jwks(&keys).to_string(), keys.iter().map(|key| key.alg()).collect::<Vec<_>>());
    let algorithms = algorithms.join(" ");
    let usual = [
        ("ISSUER", ISSUER),
        ("AUDIENCE", AUDIENCE),
        ("JWKS", &*jwks),
        ("ALGORITHMS", &*algorithms),
    ];
    let all = usual.iter().chain(settings).copied();
    Authorizer::new(Config::read(&all.collect()).unwrap())
}

fn ask(authorizer: &Authorizer, event: &str) -> Result<Value, Failure> {
    let answer = RUNTIME.block_on(authorizer.decide(event)).answer?;
    Ok(serde_json::from_str(answer.get()).expect("the answer is JSON"))
}

/// `Allow`, or the reason's code.
fn said(answer: &Value) -> &str {
    let effect = answer["policyDocument"]["Statement"][0]["Effect"].as_str().unwrap();
    if effect == "Allow" { effect } else { answer["context"]["reason"].as_str().unwrap() }
}

/// `Allow`, or the reason's code, or that there is none.
fn verdict(token: &str) -> String {
    ask(&AUTHORIZER, &bearer(token))
        .map_or("no verdict".to_owned(), |answer| said(&answer).to_owned())
}

/// What holds for every answer, whatever it says.
fn assert_within_limits(answer: &Value) {
    let context = answer["context"].as_object().expect("a context");
    assert!(
        context.values().all(|value| value.is_string() || value.is_number() || value.is_boolean()),
        "{answer}"
    );
    assert!(
        answer["context"].to_string().len() <= 4 * 1024,
        "{} bytes",
        answer["context"].to_string().len()
    );
    assert!(answer["policyDocument"].to_string().len() <= 8 * 1024);
    let members = answer.as_object().unwrap().keys().map(String::as_str);
    assert!(members.into_iter().all(|name| {
        ["principalId", "policyDocument", "context", "usageIdentifierKey"].contains(&name)
            && !answer[name].is_null()
    }));
    let statements = answer["policyDocument"]["Statement"].as_array().expect("statements");
    for (index, statement) in statements.iter().enumerate() {
        assert!(!statement.as_object().unwrap().values().any(Value::is_null), "{statement}");
        assert!(
            index == 0 || statement["Effect"] == "Deny",
            "only the first statement may allow: {answer}"
        );
        let resources = statement["Resource"].as_array().unwrap();
        assert!(!resources.is_empty());
        assert!(
            resources.iter().all(|resource| resource.as_str().unwrap().len() <= 512),
            "{statement}"
        );
    }
}

/// An answer, or a fault that is not this program's.
fn assert_answered(authorizer: &Authorizer, event: &str) {
    match ask(authorizer, event) {
        Ok(answer) => assert_within_limits(&answer),
        Err(Failure::NoVerdict(fault)) => assert_ne!(fault.obstacle, Obstacle::InternalError),
        Err(Failure::Unauthorized) => panic!("not configured"),
    }
}

/// Any JSON, of some depth and size.
fn any_json() -> impl Strategy<Value = Value> {
    let number =
        prop_oneof![any::<i64>().prop_map(Value::from), any::<f64>().prop_map(Value::from)];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        ".*".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        let object = btree_map(".{0,8}", inner.clone(), 0..6).prop_map(|members| json!(members));
        prop_oneof![vec(inner, 0..6).prop_map(Value::from), object]
    })
}

/// Claims under the names that mean something, and others.
fn any_claims() -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof![
        3 => select(vec!["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "scope", "scp", "client_id"])
            .prop_map(str::to_owned),
        1 => ".{0,12}",
    ];
    let value = prop_oneof![
        3 => any_json(),
        1 => Just(json!(ISSUER)),
        1 => Just(json!(AUDIENCE)),
        1 => Just(json!(tokens::now() + 600)),
    ];
    btree_map(name, value, 0..10).prop_map(|claims| claims.into_iter().collect())
}

/// Claims that satisfy the rules, with others beside them that mean nothing to them.
fn right_claims() -> impl Strategy<Value = Value> {
    let text = "[^\\p{C}\\p{Z}][^\\p{C}]{0,40}";
    let date = |offset: i64| {
        prop_oneof![
            (1i64..1_000_000).prop_map(move |by| json!(tokens::now() as i64 + offset * (by + 60))),
            (1f64..1e6)
                .prop_map(move |by| json!(tokens::now() as f64 + offset as f64 * (by + 60.0))),
        ]
    };
    let audience = prop_oneof![
        Just(json!(AUDIENCE)),
        (vec(".{0,10}", 0..4), vec(".{0,10}", 0..4))
            .prop_map(|(before, after)| json!([before, vec![AUDIENCE.to_owned()], after].concat())),
    ];
    let scopes =
        prop_oneof![text.prop_map(Value::from), vec(text, 0..5).prop_map(Value::from), any_json()];
    let others = btree_map("x-.{0,20}", any_json(), 0..4);
    let dates = (date(1), proptest::option::of(date(-1)), proptest::option::of(date(1)));
    (text, audience, dates, scopes, others).prop_map(
        |(sub, aud, (exp, nbf, iat), scope, others)| {
            let mut claims =
                json!({"iss": ISSUER, "sub": sub, "aud": aud, "exp": exp, "scope": scope});
            let claims_map = claims.as_object_mut().unwrap();
            claims_map.extend(nbf.map(|nbf| ("nbf".to_owned(), nbf)));
            claims_map.extend(iat.map(|iat| ("iat".to_owned(), iat)));
            claims_map.extend(others);
            claims
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_token_with_any_byte_changed_is_refused(at: Index, byte: u8, key in select((0..6).collect::<Vec<_>>())) {
        let token = KEYS[key].token(&tokens::claims(ISSUER, AUDIENCE));
        prop_assert_eq!(verdict(&token), "Allow");
        let mut changed = token.clone().into_bytes();
        let at = at.index(changed.len());
        changed[at] = byte;
        let changed = String::from_utf8_lossy(&changed).into_owned();
        prop_assume!(changed != token);
        let answer = ask(&AUTHORIZER, &bearer(&changed)).unwrap();
        prop_assert_ne!(said(&answer), "Allow");
        prop_assert_eq!(&answer["principalId"], "anonymous");
    }

    #[test]
    fn a_token_cut_or_lengthened_anywhere_is_refused(at: Index, more in "[A-Za-z0-9_-]{1,4}", key in 0usize..6) {
        let token = KEYS[key].token(&tokens::claims(ISSUER, AUDIENCE));
        let at = at.index(token.len());
        for changed in [token[..at].to_owned(), token[at + 1..].to_owned(), format!("{}{more}{}", &token[..at], &token[at..])] {
            prop_assert_ne!(verdict(&changed), "Allow");
        }
    }

    #[test]
    fn claims_that_satisfy_the_rules_are_allowed(claims in right_claims(), key in 0usize..6) {
        let token = KEYS[key].token(&claims);
        let answer = ask(&AUTHORIZER, &bearer(&token)).unwrap();
        prop_assert_eq!(said(&answer), "Allow", "{}", claims);
        prop_assert_eq!(&answer["principalId"], &claims["sub"]);
        assert_within_limits(&answer);
    }

    #[test]
    fn whatever_the_claims_are_the_answer_keeps_its_limits(claims in any_claims(), others in any_claims()) {
        let mut right = tokens::claims(ISSUER, AUDIENCE);
        right.as_object_mut().unwrap().extend(others);
        for claims in [Value::Object(claims), right] {
            for authorizer in [&AUTHORIZER, &ROUTED] {
                let answer = ask(authorizer, &bearer(&KEYS[2].token(&claims))).unwrap();
                assert_within_limits(&answer);
            }
        }
    }

    #[test]
    fn large_claims_do_not_overflow_the_context(sizes in vec(0usize..3000, 4)) {
        let mut claims = tokens::claims(ISSUER, AUDIENCE);
        for (name, size) in ["sub", "client_id", "scope", "jti"].into_iter().zip(sizes) {
            claims[name] = json!("\"".repeat(size / 2) + "a");
        }
        let answer = ask(&AUTHORIZER, &bearer(&KEYS[2].token(&claims))).unwrap();
        assert_within_limits(&answer);
    }

    #[test]
    fn no_text_is_too_odd_for_a_certificate_and_none_proves_a_binding(
        pieces in vec(prop_oneof![select(PEM.to_vec()).prop_map(str::to_owned), ".{0,8}"], 0..16),
    ) {
        let mut claims = tokens::claims(ISSUER, AUDIENCE);
        claims["cnf"] = json!({"x5t#S256": tokens::b64([7; 32])});
        let event = json!({
            "type": "REQUEST",
            "methodArn": ARN,
            "headers": {"Authorization": format!("Bearer {}", KEYS[2].token(&claims))},
            "requestContext": {"identity": {"clientCert": {"clientCertPem": pieces.concat()}}},
        });
        let answer = ask(&BOUND, &event.to_string()).unwrap();
        prop_assert_eq!(said(&answer), "token_binding_invalid");
    }

    #[test]
    fn no_text_is_too_odd_for_an_event(event in "\\PC{0,300}|.{0,300}") {
        assert_answered(&AUTHORIZER, &event);
    }

    #[test]
    fn no_json_is_too_odd_for_an_event(values in vec(any_json(), 8), kind in select(vec!["TOKEN", "REQUEST"])) {
        let mut values = values.into_iter();
        let mut event = json!({"type": kind, "methodArn": ARN});
        let names = ["version", "headers", "multiValueHeaders", "queryStringParameters", "cookies", "requestContext"];
        for name in names {
            event[name] = values.next().unwrap();
            assert_answered(&AUTHORIZER, &event.to_string());
        }
        event["authorizationToken"] = values.next().unwrap();
        assert_answered(&AUTHORIZER, &event.to_string());
        event["methodArn"] = values.next().unwrap();
        assert_answered(&AUTHORIZER, &event.to_string());
    }

    #[test]
    fn no_bytes_are_too_odd_for_a_token(header in vec(any::<u8>(), 0..200), payload in vec(any::<u8>(), 0..200)) {
        let token = KEYS[2].token_raw(&header, &payload);
        prop_assert_ne!(verdict(&token), "Allow");
        let text = String::from_utf8_lossy(&header).into_owned();
        prop_assert_ne!(verdict(&text), "Allow");
    }

    #[test]
    fn no_json_is_too_odd_for_a_header_or_the_claims(header in any_json(), claims in any_json(), alg in any_json()) {
        assert_answered(&AUTHORIZER, &bearer(&KEYS[2].token_with(&header, &claims)));
        let header = json!({"alg": alg, "kid": header, "typ": claims});
        assert_answered(&AUTHORIZER, &bearer(&KEYS[2].token_with(&header, &claims)));
        let header = json!({"alg": "HS512", "kid": "hmac"});
        assert_answered(&AUTHORIZER, &bearer(&KEYS[2].token_with(&header, &claims)));
    }

    #[test]
    fn no_text_is_too_odd_for_a_setting(values in vec(prop_oneof!["[^@]{0,80}".boxed(), any_json().prop_map(|json| json.to_string()).boxed()], token_authorizer::SETTINGS.len())) {
        // `@` and the authorities would be read from files.
        let settings = token_authorizer::SETTINGS.iter().map(|setting| setting.name).zip(&values);
        let settings: Vec<_> = settings.filter(|(name, value)| *name != "JWKS_CA_FILE" && !value.trim().starts_with('@')).collect();
        if let Err(problems) = Config::read(&settings.iter().copied().collect()) {
            prop_assert!(!problems.0.is_empty());
        }
        for setting in settings {
            prop_assert!(Config::read(&[setting].into_iter().collect()).is_err());
        }
    }

    #[test]
    fn no_json_is_too_odd_for_a_key_set(members in vec(any_json(), 0..6), key in any_json(), whole in any_json()) {
        let mut jwk = KEYS[0].jwk();
        for (name, value) in ["kid", "use", "alg", "key_ops", "n", "e"].into_iter().zip(members.iter().cycle()) {
            jwk[name] = value.clone();
        }
        for document in [json!({"keys": members}), json!({"keys": [key, KEYS[3].jwk(), jwk]}), json!({"keys": whole}), whole] {
            let document = document.to_string();
            let settings = [("ISSUER", ISSUER), ("AUDIENCE", AUDIENCE), ("JWKS", &document), ("ALGORITHMS", "RS256 ES256")];
            let config = Config::read(&settings.into_iter().collect());
            if let Ok(config) = config {
                assert_answered(&Authorizer::new(config), &bearer(&KEYS[3].token(&tokens::claims(ISSUER, AUDIENCE))));
            }
        }
    }
}

/// A parser that were quadratic in any of these would not end within the time of a test run.
#[test]
fn inputs_of_the_largest_size_are_answered() {
    // Lambda hands over 6 MiB at most; a third of it shows the same in less time.
    const EVENT: usize = 2 << 20;
    let fill = |piece: &str| piece.repeat(EVENT / piece.len());
    let request = |members: &str| format!(r#"{{"type":"REQUEST","methodArn":"{ARN}",{members}}}"#);
    let mut many = String::new();
    for n in 0..EVENT / 24 {
        many += &format!(r#""Authorization{n}":"{n}","#);
    }
    let events = [
        fill("["),
        fill("{\"type\":"),
        fill("\\"),
        fill("\"\\u0000"),
        request(&format!(r#""headers":{{{many}"a":"b"}}"#)),
        request(&format!(r#""headers":{{"Cookie":"{}"}}"#, fill("token=a;"))),
        request(&format!(r#""headers":{{"Authorization":"Bearer {}"}}"#, fill("a."))),
        request(&format!(r#""multiValueHeaders":{{"Authorization":[{}"b"]}}"#, fill("\"a\","))),
        request(&format!(r#""multiValueHeaders":{{"Authorization":[{}]}}"#, fill("["))),
        request(&format!(r#""cookies":[{}"b"]"#, fill("\"token=a\","))),
        json!({"type": "TOKEN", "methodArn": ARN, "authorizationToken": fill("Bearer ")}).to_string(),
        json!({"type": "TOKEN", "methodArn": fill("arn:"), "authorizationToken": "Bearer a.b.c"}).to_string(),
        json!({"type": "TOKEN", "methodArn": format!("{ARN}{}", fill("/")), "authorizationToken": ""}).to_string(),
    ];
    let sources = authorizer(&[("TOKEN_SOURCE", "cookie:token header:Authorization")]);
    for event in events {
        assert_answered(&AUTHORIZER, &event);
        assert_answered(&sources, &event);
    }
    // As much as fits into the longest token.
    for piece in ["[", "{\"a\":", "1,", "\"\\u0061\",", "1e9,", "{},"] {
        let filled = piece.repeat(12_000 / piece.len());
        for payload in [filled.clone(), format!("{{\"a\":[{filled}0]}}"), format!("[{filled}0]")] {
            assert_answered(
                &AUTHORIZER,
                &bearer(&KEYS[2].token_raw(br#"{"alg":"HS512","kid":"hmac"}"#, payload.as_bytes())),
            );
        }
    }
    let members: Map<String, Value> = (0..600).map(|n| (format!("m{n}"), json!(n))).collect();
    let mut claims = tokens::claims(ISSUER, AUDIENCE);
    claims.as_object_mut().unwrap().extend(members);
    assert_eq!(verdict(&KEYS[2].token(&claims)), "Allow");
}
