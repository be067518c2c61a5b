//! One token, one answer: every outcome, and every reason by its code.

use std::fs;

use serde_json::{Value, json};

use super::support::idp::Idp;
use super::support::tokens::{self, SigningKey, b64};
use super::{STAGE, assert_no_verdict, bearer, claims, event, provider, said, start};

#[test]
fn a_good_token_opens_the_stage_until_it_expires() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[]);
    let token = key.token(&claims(&idp, json!({"exp": 1_900_000_000, "jti": "j1"})));
    let reply = lambda.invoke(&bearer(&token));
    assert_eq!(
        reply.body,
        json!({
            "principalId": "user-1",
            "policyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Action": ["execute-api:Invoke"], "Resource": [format!("{STAGE}/*")]},
                    {
                        "Effect": "Deny",
                        "Action": ["execute-api:Invoke"],
                        "Resource": [format!("{STAGE}/*")],
                        "Condition": {"DateGreaterThanEquals": {"aws:CurrentTime": ["2030-03-17T17:46:40Z"]}},
                    },
                ],
            },
            "context": {
                "iss": idp.issuer(),
                "sub": "user-1",
                "client_id": "client-1",
                "scope": "pets:read pets:write",
                "exp": 1_900_000_000,
                "jti": "j1",
            },
        })
    );
}

#[test]
fn a_refused_token_gets_a_deny_that_tells_nothing_but_the_reason_and_what_to_do() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[]);
    let token = key.token(&claims(&idp, json!({"exp": tokens::now() - 1})));
    assert_eq!(
        lambda.invoke(&bearer(&token)).body,
        json!({
            "principalId": "anonymous",
            "policyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Deny", "Action": ["execute-api:Invoke"], "Resource": [format!("{STAGE}/*")]},
                ],
            },
            "context": {
                "reason": "token_expired",
                "challenge": r#"Bearer error="invalid_token", error_description="token_expired""#,
            },
        })
    );
}

/// Settings under which every reason can be reached.
pub(crate) const RIGHTS: [(&str, &str); 4] = [
    ("REQUIRED_CLAIMS", r#"{"token_use": "access"}"#),
    ("REQUIRED_SCOPES", "pets:read"),
    ("LEEWAY_SECONDS", "5"),
    ("REVOKED", r#"{"sid": ["session-1"]}"#),
];

/// Events that are allowed or reach a reason under these settings, each with its name and what it must be answered.
pub(crate) fn every_reason(
    key: &SigningKey,
    idp: &Idp,
) -> Vec<(&'static str, String, &'static str)> {
    let good = |changes: Value| {
        let mut claims = claims(idp, json!({"token_use": "access"}));
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    let token = |changes: Value| bearer(&key.token(&good(changes)));
    let with_header = |header: Value| bearer(&key.token_with(&header, &good(json!({}))));
    let now = tokens::now();
    let valid = key.token(&good(json!({})));
    let other = SigningKey::rsa_other("k1", 1);
    let public = SigningKey::hmac("k1", key.spki_pem().as_bytes());
    let unsigned = format!("{}.{}.", b64(r#"{"alg":"none"}"#), valid.split('.').nth(1).unwrap());
    let unsigned_with_signature = format!("{unsigned}{}", valid.rsplit('.').next().unwrap());

    vec![
        ("good", bearer(&valid), "Allow"),
        ("good, scheme in another case", event(&format!("bEARER   {valid}")), "Allow"),
        ("leeway", token(json!({"exp": now - 1, "nbf": now + 4})), "Allow"),
        ("no field", json!({"type": "TOKEN", "methodArn": format!("{STAGE}/GET/")}).to_string(), "token_missing"),
        (
            "null",
            json!({"type": "TOKEN", "authorizationToken": null, "methodArn": format!("{STAGE}/GET/")}).to_string(),
            "token_missing",
        ),
        ("empty", event(""), "token_missing"),
        ("blank", event("  \t "), "token_missing"),
        ("over-long", event(&format!("Bearer {}", "a".repeat(16 * 1024 + 1))), "token_too_long"),
        ("no scheme", event(&valid), "token_malformed"),
        ("another scheme", event(&format!("Basic {valid}")), "token_malformed"),
        ("two tokens", event(&format!("Bearer {valid} {valid}")), "token_malformed"),
        ("a tab before the token", bearer(&format!("\t{valid}")), "token_malformed"),
        ("a line end after the token", bearer(&format!("{valid}\n")), "token_malformed"),
        ("a wide space after the token", bearer(&format!("{valid}\u{a0}")), "token_malformed"),
        ("rubbish", bearer("rubbish"), "token_malformed"),
        ("unsigned", bearer(&unsigned), "token_malformed"),
        ("critical", with_header(json!({"alg": "RS256", "kid": "k1", "crit": ["exp"]})), "critical_header_unsupported"),
        ("type", with_header(json!({"alg": "RS256", "kid": "k1", "typ": "logout+jwt"})), "type_not_accepted"),
        ("alg none", bearer(&unsigned_with_signature), "algorithm_not_allowed"),
        ("HS256 with the public key", bearer(&public.token(&good(json!({})))), "algorithm_not_allowed"),
        ("another issuer", token(json!({"iss": format!("{}/", idp.issuer())})), "issuer_untrusted"),
        ("another key id", bearer(&SigningKey::rsa("k2").token(&good(json!({})))), "key_unknown"),
        ("another key", bearer(&other.token(&good(json!({})))), "signature_invalid"),
        ("expired", token(json!({"exp": now - 5})), "token_expired"),
        ("not yet valid", token(json!({"nbf": now + 3600})), "token_not_yet_valid"),
        ("another audience", token(json!({"aud": ["https://cats.example.com"]})), "audience_mismatch"),
        ("no exp", token(json!({"exp": null})), "claim_missing"),
        ("exp as text", token(json!({"exp": (now + 60).to_string()})), "claim_invalid"),
        ("ID token", token(json!({"token_use": "id"})), "claim_invalid"),
        ("bound", token(json!({"cnf": {"jkt": "k1"}, "scope": ""})), "token_binding_invalid"),
        ("revoked", token(json!({"sid": "session-1"})), "token_revoked"),
        ("no rights", token(json!({"scope": "pets:write"})), "insufficient_scope"),
    ]
}

#[test]
fn every_reason_is_reached() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[&RIGHTS[..], &[("METRICS_NAMESPACE", "Pets")]].concat());
    let rows = every_reason(&key, &idp);
    for (name, event, expected) in &rows {
        let expected =
            if *expected == "Allow" { "Allow".to_owned() } else { format!("Deny {expected}") };
        assert_eq!(said(&lambda.invoke_to_end(event)), expected, "{name}");
    }
    for reason in token_authorizer::Reason::ALL {
        assert!(
            rows.iter().any(|(_, _, expected)| *expected == reason.code()),
            "{reason:?} is not reached"
        );
    }
    // One log event for each decision, with the same code.
    let decisions = || lambda.log_lines().into_iter().filter(|line| line.get("decision").is_some());
    lambda.wait_for_log(|_| decisions().count() == rows.len());
    for (line, (name, _, expected)) in decisions().zip(&rows) {
        let (decision, reason) =
            if *expected == "Allow" { ("allow", None) } else { ("deny", Some(*expected)) };
        assert_eq!(
            (line["decision"].as_str(), line["reason"].as_str()),
            (Some(decision), reason),
            "{name}: {line}"
        );
        assert!(
            line["duration_us"].is_u64()
                && line["request_id"].is_string()
                && line["trace_id"].is_string()
        );
        assert_eq!(line["level"], "INFO");
    }
    // ... and one metric, by the same code.
    let metrics = || {
        lambda
            .log_lines()
            .into_iter()
            .filter(|line| line.get("Allowed").or(line.get("Refused")).is_some())
    };
    lambda.wait_for_log(|_| metrics().count() == rows.len());
    for (line, (name, _, expected)) in metrics().zip(&rows) {
        let reason = (*expected != "Allow").then_some(*expected);
        assert_eq!(line["Reason"].as_str(), reason, "{name}: {line}");
    }
}

#[test]
fn a_caller_without_rights_is_named_and_never_gets_401() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[("REQUIRED_SCOPES", "pets:delete"), ("REFUSAL", "unauthorized")]);
    let reply = lambda.invoke(&bearer(&key.token(&claims(&idp, json!({})))));
    assert_eq!(said(&reply), "Deny insufficient_scope");
    assert_eq!(reply.body["principalId"], "user-1");
}

#[test]
fn refusal_unauthorized_fails_with_exactly_that_word() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[("REFUSAL", "unauthorized")]);
    assert_eq!(said(&lambda.invoke(&bearer(&key.token(&claims(&idp, json!({})))))), "Allow");
    for event in
        [event(""), bearer("rubbish"), bearer(&key.token(&claims(&idp, json!({"exp": 1}))))]
    {
        let reply = lambda.invoke(&event);
        assert!(reply.is_error);
        assert_eq!(
            (&reply.body["errorMessage"], &reply.body["errorType"]),
            (&json!("Unauthorized"), &json!("Unauthorized"))
        );
    }
    let line = lambda.wait_for_log(|line| line["reason"] == "token_expired");
    assert_eq!(line["level"], "INFO", "a refused token is no fault: {line}");
    let errors = lambda.log_lines().into_iter().filter(|line| line["level"] == "ERROR").count();
    assert_eq!(errors, 0, "{}", lambda.output());
}

#[test]
fn what_is_not_an_event_gets_no_verdict_and_no_echo() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[]);
    let token = key.token(&claims(&idp, json!({})));
    let with_arn = |arn: &str| {
        json!({"type": "TOKEN", "authorizationToken": token, "methodArn": arn}).to_string()
    };
    let events = [
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        r#""text""#.to_owned(),
        json!([token]).to_string(),
        json!({"type": "SOMETHING", "authorizationToken": token}).to_string(),
        json!({"type": "TOKEN", "authorizationToken": [token], "methodArn": format!("{STAGE}/GET/")}).to_string(),
        json!({"type": "TOKEN", "authorizationToken": token}).to_string(),
        with_arn("arn"),
        with_arn("arn:aws:execute-api:us-east-1:123456789012:ymy8tbxw7b"),
        with_arn("arn:aws:execute-api:us-east-1:123456789012:ymy8tbxw7b/*/GET/pets"),
        with_arn("arn:aws:execute-api:us-east-1:*:ymy8tbxw7b/dev/GET/pets"),
        with_arn("arn:aws:execute-api:us-east-1:123456789012:${aws:username}/dev/GET/pets"),
    ];
    for event in events {
        assert_no_verdict(&lambda.invoke(&event), "event_unsupported");
    }
    assert_eq!(said(&lambda.invoke(&bearer(&token))), "Allow", "the next invocation works");
}

#[test]
fn no_byte_of_the_request_reaches_the_policy() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[]);
    let token = key.token(&claims(&idp, json!({})));
    let plain = lambda.invoke(&bearer(&token)).raw;
    for path in [
        "GET/*",
        "GET/${aws:username}",
        "GET/\"}],\"x\":[{\"",
        "GET/a\nb",
        "PUT/?/:/",
        "$connect/x",
        "",
    ] {
        let event = json!({
            "type": "TOKEN", "authorizationToken": format!("Bearer {token}"), "methodArn": format!("{STAGE}/{path}"),
        });
        assert_eq!(lambda.invoke(&event.to_string()).raw, plain, "{path}");
    }
}

#[test]
fn sample_events_are_answered_as_their_names_say() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[]);
    let good = key.token(&claims(&idp, json!({})));
    let expired = key.token(&claims(&idp, json!({"exp": tokens::now() - 1})));
    for (file, expected) in [
        ("token-allowed", "Allow"),
        ("token-expired", "Deny token_expired"),
        ("token-no-bearer", "Deny token_malformed"),
    ] {
        let event = fs::read_to_string(format!("events/{file}.json")).unwrap();
        let event = event.replace("{{token}}", &good).replace("{{token:expired}}", &expired);
        assert_eq!(said(&lambda.invoke(&event)), expected, "{file}");
    }
}

#[test]
fn over_https_with_a_private_authority_it_is_the_same() {
    let key = SigningKey::rsa("k1");
    let idp = Idp::start_tls();
    idp.serve(&[&key]);
    let ca_file = idp.ca_file().to_str().unwrap();
    for variable in ["JWKS_CA_FILE", "SSL_CERT_FILE"] {
        let lambda = start(&idp, &[(variable, ca_file)]);
        let rows = [
            (bearer(&key.token(&claims(&idp, json!({})))), "Allow"),
            (bearer(&key.token(&claims(&idp, json!({"exp": 1})))), "Deny token_expired"),
            (
                bearer(&SigningKey::rsa_other("k1", 1).token(&claims(&idp, json!({})))),
                "Deny signature_invalid",
            ),
            (
                bearer(&key.token(&tokens::claims(&idp.issuer(), "another"))),
                "Deny audience_mismatch",
            ),
            (bearer("a.b"), "Deny token_malformed"),
            (event(""), "Deny token_missing"),
        ];
        for (event, expected) in rows {
            assert_eq!(said(&lambda.invoke(&event)), expected);
        }
    }
}

#[test]
fn many_invocations_make_one_fetch() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[]);
    let token = key.token(&claims(&idp, json!({})));
    for _ in 0..300 {
        assert_eq!(said(&lambda.invoke(&bearer(&token))), "Allow");
    }
    assert_eq!(idp.requests(), 1);
}
