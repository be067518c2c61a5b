//! What is fuzzed: any bytes in, no panic, and never a wrong answer. `tests/corpus.rs` replays the corpus through
//! the same functions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a finding is a panic")]
#![allow(unreachable_pub, reason = "in `tests/corpus.rs` this is a module")]

#[path = "../../tests/support/iam.rs"]
mod iam;

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use iam::{Verdict, evaluate};
use serde_json::{Value, json};
use token_authorizer::{Authorizer, Config, DecidedBy, Failure, Invocation, Obstacle};
use tokio::runtime::{Builder, Runtime};

const ALGORITHMS: [&str; 12] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "HS256",
    "HS384", "HS512",
];

/// The secret of the key `hs`, by which the fuzzer gets its own tokens signed.
const SECRET: [u8; 64] = [7; 64];

const STAGE: &str = "arn:aws:execute-api:us-east-1:123456789012:ymy8tbxw7b/dev";

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().unwrap());

static AUTHORIZER: LazyLock<Authorizer> = LazyLock::new(|| {
    let keys = json!({"keys": [
        {"kid": "rs", "kty": "RSA", "n": "_".repeat(341) + "w", "e": "AQAB"},
        {"kid": "es", "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
        {"kid": "ed", "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        {"kid": "hs", "kty": "oct", "k": URL_SAFE_NO_PAD.encode(SECRET)},
    ]});
    authorizer(&[
        ("ISSUER", "https://issuer.example.com"),
        ("AUDIENCE", "api"),
        ("ALGORITHMS", &ALGORITHMS.join(" ")),
        ("JWKS", &keys.to_string()),
        ("TOKEN_SOURCE", "header:Authorization query:token cookie:token"),
        ("CONTEXT_CLAIMS", "iss sub exp scope groups roles=/realm/roles"),
        ("ROUTES", r#"{"GET /pets": ["read"], "ANY /pets/{id}": ["write"], "$connect": []}"#),
        ("SIMPLE_RESPONSE", "on"),
    ])
    .unwrap()
});

/// An event, as Lambda hands it over.
pub fn event(bytes: &[u8]) {
    if let Ok(event) = std::str::from_utf8(bytes) {
        decide(&AUTHORIZER, event);
    }
}

/// A token as it stands; or, in two lines, the header and the payload of one that is then signed.
pub fn token(bytes: &[u8]) {
    let token = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => signed(&bytes[..end], &bytes[end + 1..]),
        None => String::from_utf8_lossy(bytes).into_owned(),
    };
    decide(&AUTHORIZER, &bearer(&token));
}

/// A key set, and a token for each algorithm to try its keys on.
pub fn keys(bytes: &[u8]) {
    let Ok(document) = std::str::from_utf8(bytes) else { return };
    // Blank counts as unset, and a file or a provider would be asked.
    if document.trim().is_empty() || document.trim_start().starts_with('@') {
        return;
    }
    let algorithms = ALGORITHMS.join(" ");
    let issuer = [("ISSUER", "https://issuer.example.com"), ("AUDIENCE", "api")];
    let keys = [("ALGORITHMS", &*algorithms), ("JWKS", document)];
    let Some(authorizer) = authorizer(&[issuer, keys].concat()) else { return };
    for algorithm in ALGORITHMS {
        let header = json!({"alg": algorithm, "kid": "k"});
        decide(
            &authorizer,
            &bearer(&signed(
                header.to_string().as_bytes(),
                br#"{"iss":"https://issuer.example.com"}"#,
            )),
        );
    }
}

/// Lines: a revocation list, and the claims of tokens. A list that is read says of each token what a lenient reader
/// makes of it.
pub fn revoked(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.lines();
    // Anything else may be an address or a file, and is no list.
    let Some(list) = lines.next().filter(|list| list.trim_start().starts_with('{')) else { return };
    let keys = json!({"keys": [{"kid": "hs", "kty": "oct", "k": URL_SAFE_NO_PAD.encode(SECRET)}]})
        .to_string();
    let settings = [
        ("ISSUER", "https://issuer.example.com"),
        ("AUDIENCE", "api"),
        ("ALGORITHMS", "HS256"),
        ("JWKS", &*keys),
        ("PRINCIPAL_CLAIM", "client_id"),
        ("CONTEXT_CLAIMS", "none"),
        ("REVOKED", list),
    ];
    let Some(authorizer) = authorizer(&settings) else { return };
    // Settings are trimmed.
    let list: Value = serde_json::from_str(list.trim()).unwrap();
    for line in lines.take(8) {
        let Ok(Value::Object(changes)) = serde_json::from_str(line) else { continue };
        let mut claims = json!({"iss": "https://issuer.example.com", "aud": "api", "exp": 4_102_444_800_u64, "client_id": "c"});
        let changes =
            changes.into_iter().filter(|(name, _)| ["jti", "sid", "sub", "iat"].contains(&&**name));
        claims.as_object_mut().unwrap().extend(changes);
        let is_listed = |name: &str| {
            let listed = list[name].as_array();
            claims[name].is_string() && listed.is_some_and(|texts| texts.contains(&claims[name]))
        };
        let of_subject = claims["sub"].as_str().and_then(|subject| list["sub"].get(subject));
        let is_older = |time: &Value| {
            claims["iat"].as_f64().is_none_or(|issued| issued < time.as_f64().unwrap())
        };
        let is_revoked = is_listed("jti")
            || is_listed("sid")
            || of_subject.is_some_and(is_older)
            || list.get("before").is_some_and(is_older);
        let expected = match claims.get("iat") {
            Some(issued) if !issued.is_number() => json!("claim_invalid"),
            _ if is_revoked => json!("token_revoked"),
            _ => Value::Null,
        };
        let token = signed(br#"{"alg":"HS256","kid":"hs"}"#, claims.to_string().as_bytes());
        let answer = decide(&authorizer, &bearer(&token)).unwrap();
        assert_eq!(answer["context"]["reason"], expected, "{list} {claims}");
    }
}

/// Lines: a table of routes, a token's claims, and requests as they stand in an ARN. What the policy makes of a request
/// is what a simple response says, and what is told of the entries; and no byte of a claim is in it but those that can
/// stand in a path.
pub fn routes(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.lines();
    let (Some(table), Some(claims)) = (lines.next(), lines.next()) else { return };
    if table.trim().is_empty() || table.trim_start().starts_with('@') {
        return;
    }
    let mut token = json!({"iss": "https://issuer.example.com", "aud": "api", "exp": 4_102_444_800_u64, "sub": "u"});
    if let Ok(Value::Object(claims)) = serde_json::from_str(claims) {
        token
            .as_object_mut()
            .unwrap()
            .extend(claims.into_iter().filter(|(name, _)| name != "iss" && name != "exp"));
    }
    let token = signed(br#"{"alg":"HS256","kid":"hs"}"#, token.to_string().as_bytes());
    let keys = json!({"keys": [{"kid": "hs", "kty": "oct", "k": URL_SAFE_NO_PAD.encode(SECRET)}]})
        .to_string();
    let requests: Vec<_> = lines.take(16).collect();
    for guard in ["on", "off"] {
        let issuer = [
            ("ISSUER", "https://issuer.example.com"),
            ("AUDIENCE", "api"),
            ("ALGORITHMS", "HS256"),
        ];
        let settings = [
            ("JWKS", &*keys),
            ("CONTEXT_CLAIMS", "none"),
            ("ROUTES", table),
            ("PATH_GUARD", guard),
        ];
        let settings = [&issuer[..], &settings].concat();
        let Some(policies) = authorizer(&settings) else { continue };
        let simple = authorizer(&[&settings[..], &[("SIMPLE_RESPONSE", "on")]].concat()).unwrap();
        let event = bearer(&token);
        let answer = decide(&policies, &event).unwrap();
        let document = &answer["policyDocument"];
        for resource in document["Statement"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|s| s["Resource"].as_array().unwrap())
        {
            let below = resource.as_str().unwrap().strip_prefix(STAGE).unwrap();
            // The guard denies a backslash.
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@%/".contains(c);
            let is_route = below == r"/*\*" || below.chars().all(is_plain);
            assert!(below.len() <= 512 && is_route, "{below}");
        }
        let decision = RUNTIME.block_on(policies.decide(&event));
        let report = policies.explain(&decision).table;
        for request in &requests {
            let arn = format!("{STAGE}/{request}");
            let headers = json!({"authorization": format!("Bearer {token}")});
            let event =
                json!({"type": "REQUEST", "version": "2.0", "routeArn": arn, "headers": headers});
            let Some(answer) = decide(&simple, &event.to_string()) else { continue };
            // A connection is asked for by an event of its own, and gets a policy of its own.
            let of_connection = (*request == "$connect").then(|| {
                let event = json!({"type": "REQUEST", "methodArn": arn, "headers": headers});
                decide(&policies, &event.to_string()).unwrap()
            });
            let document =
                of_connection.as_ref().map_or(document, |answer| &answer["policyDocument"]);
            let is_allowed = evaluate(document, &arn, 0) == Verdict::Allow;
            assert_eq!(answer["isAuthorized"], is_allowed, "{request}");
            let is_open = report
                .as_ref()
                .is_some_and(|report| matches!(report.decided_by(request), DecidedBy::Open(_)));
            assert_eq!(is_open, is_allowed, "{request}");
        }
    }
}

/// A discovery document: of an issuer over https, and of one on this machine.
pub fn discovery(bytes: &[u8]) {
    for issuer in ["https://issuer.example.com", "http://127.0.0.1:8080"] {
        match token_authorizer::jwks_uri(bytes, issuer) {
            Ok(keys_at) => {
                assert!(keys_at.is_https() || issuer.starts_with("http:"), "{keys_at}");
                // What serde_json would not read may stand in members that nobody looks at.
                if let Ok(document) = serde_json::from_slice::<Value>(bytes) {
                    assert_eq!(document["issuer"], issuer);
                    assert!(document["jwks_uri"].is_string());
                }
            }
            Err(problem) => {
                assert!(
                    !problem.is_empty() && problem.len() < 2000 && !problem.contains('\n'),
                    "{problem}"
                )
            }
        }
    }
}

/// An environment: `NAME=value` lines. No provider is asked and no file is read.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let settings: Vec<_> =
        lines.filter(|(name, value)| *name != "JWKS_CA_FILE" && !value.contains('@')).collect();
    authorizer(&settings);
}

/// Nothing where the configuration is refused, which it must be with reasons.
fn authorizer(settings: &[(&str, &str)]) -> Option<Authorizer> {
    match Config::read(&settings.iter().copied().collect()) {
        Ok(config) => Some(Authorizer::new(config)),
        Err(problems) => {
            assert!(!problems.0.is_empty() && problems.to_string().contains('\n'));
            None
        }
    }
}

/// The answer, if there is one.
fn decide(authorizer: &Authorizer, event: &str) -> Option<Value> {
    let (answer, after) = RUNTIME.block_on(authorizer.handle(event));
    after.record(Invocation::default());
    let answer = match answer {
        Ok(answer) => answer,
        Err(Failure::NoVerdict(fault)) => {
            assert_ne!(fault.obstacle, Obstacle::InternalError);
            return None;
        }
        Err(Failure::Unauthorized) => panic!("not configured"),
    };
    let parsed: Value = serde_json::from_str(answer.get()).unwrap();
    let Some(statements) = parsed["policyDocument"]["Statement"].as_array() else {
        assert!(parsed["isAuthorized"].is_boolean(), "{answer}");
        return Some(parsed);
    };
    assert!(
        statements.iter().all(|statement| !statement
            .as_object()
            .unwrap()
            .values()
            .any(Value::is_null))
    );
    assert!(
        parsed["policyDocument"].to_string().len() <= 8 * 1024
            && parsed["context"].to_string().len() <= 4 * 1024
    );
    let context = parsed["context"].as_object().unwrap();
    assert!(
        context.values().all(|value| value.is_string() || value.is_number() || value.is_boolean()),
        "{answer}"
    );
    let is_refusal = statements.iter().all(|statement| statement["Effect"] == "Deny");
    assert_eq!(is_refusal, context.contains_key("reason"), "{answer}");
    Some(parsed)
}

fn signed(header: &[u8], payload: &[u8]) -> String {
    let message = [URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload)].join(".");
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &SECRET), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn bearer(token: &str) -> String {
    let arn = format!("{STAGE}/GET/pets");
    json!({"type": "TOKEN", "authorizationToken": format!("Bearer {token}"), "methodArn": arn})
        .to_string()
}
