//! What happens before the first event: settings that are wrong, and keys that are not there yet.

use serde_json::json;

use super::support::idp::Idp;
use super::support::process::Lambda;
use super::support::tokens::{SigningKey, jwks};
use super::{AUDIENCE, bearer, claims, program, provider, refused, said};

#[test]
fn every_problem_is_named_at_once_and_nothing_is_fetched() {
    let idp = provider(&SigningKey::rsa("k1"));
    let exit = refused(&[
        ("ISSUER", &idp.issuer()),
        ("JWKS_URI", "http://login.example.com/keys"),
        ("REFUSAL", "no"),
        ("LEEWAY_SECONDS", "301"),
        ("AUDIENCE", "  "),
    ]);
    assert_eq!(exit.code, Some(78));
    let expected = "bad configuration\
        \n  LEEWAY_SECONDS: `301`: want a whole number from 0 to 300\
        \n  AUDIENCE: is required: the audiences of this API's tokens\
        \n  JWKS_URI: must be https: http is for loopback addresses only\
        \n  REFUSAL: `no`: want `deny` or `unauthorized`";
    assert!(exit.output.contains(expected), "{}", exit.output);
    let report = exit.init_error.expect("Lambda is told");
    assert_eq!(report, json!({"errorType": "BadConfiguration", "errorMessage": expected}));
    assert_eq!(idp.requests(), 0);
}

#[test]
fn without_any_setting_it_says_what_is_required() {
    let exit = refused(&[]);
    assert!(exit.output.contains("ISSUER: is required"), "{}", exit.output);
    assert!(exit.output.contains("AUDIENCE: is required"), "{}", exit.output);
}

#[test]
fn outside_lambda_it_says_so() {
    let settings = |address| {
        [
            ("ISSUER", "https://login.example.com"),
            ("AUDIENCE", AUDIENCE),
            ("AWS_LAMBDA_RUNTIME_API", address),
        ]
    };
    for (address, wrong) in [
        ("", "AWS_LAMBDA_RUNTIME_API is not set"),
        ("/path", "AWS_LAMBDA_RUNTIME_API is not a host and a port"),
        ("not an address", "AWS_LAMBDA_RUNTIME_API is not a host and a port"),
    ] {
        let exit = refused(&settings(address));
        assert_eq!(exit.code, Some(78), "{address}");
        assert!(exit.output.contains(wrong), "{address}: {}", exit.output);
    }
    let exit = refused(&settings("")[1..]);
    assert_eq!(exit.code, Some(78));
    assert!(
        exit.output.contains("ISSUER: is required") && !exit.output.contains("panic"),
        "{}",
        exit.output
    );
}

#[test]
fn a_missing_file_is_named() {
    let exit = refused(&[
        ("ISSUER", "https://login.example.com"),
        ("AUDIENCE", AUDIENCE),
        ("JWKS", "@keys.json"),
        ("JWKS_CA_FILE", "ca.pem"),
        ("LAMBDA_TASK_ROOT", "/nowhere"),
    ]);
    for line in
        ["JWKS: /nowhere/keys.json: No such file", "JWKS_CA_FILE: /nowhere/ca.pem: No such file"]
    {
        assert!(exit.output.contains(line), "{}", exit.output);
    }
}

#[test]
fn without_a_jwks_uri_it_is_discovered() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = Lambda::spawn(&program(), &[("ISSUER", &idp.issuer()), ("AUDIENCE", AUDIENCE)]);
    assert_eq!(said(&lambda.invoke(&bearer(&key.token(&claims(&idp, json!({})))))), "Allow");
    assert_eq!((idp.discoveries(), idp.fetches()), (1, 1));
}

#[test]
fn configured_keys_need_no_network() {
    let key = SigningKey::rsa("k1");
    let idp = Idp::start();
    let secret = SigningKey::hmac("h1", &[7; 32]);
    let keys = jwks(&[&key, &secret]).to_string();
    let settings = [
        ("ISSUER", &*idp.issuer()),
        ("AUDIENCE", AUDIENCE),
        ("JWKS", &keys),
        ("ALGORITHMS", "RS256, HS256"),
    ];
    let lambda = Lambda::spawn(&program(), &settings);
    let claims = claims(&idp, json!({}));
    assert_eq!(said(&lambda.invoke(&bearer(&key.token(&claims)))), "Allow");
    assert_eq!(said(&lambda.invoke(&bearer(&secret.token(&claims)))), "Allow");
    assert_eq!(
        said(&lambda.invoke(&bearer(&SigningKey::rsa("k2").token(&claims)))),
        "Deny key_unknown"
    );
    assert_eq!(
        said(&lambda.invoke(&bearer(&SigningKey::rsa_other("k1", 1).token(&claims)))),
        "Deny signature_invalid"
    );
    assert_eq!(idp.requests(), 0);
}

#[test]
fn log_settings_that_lambda_does_not_know_are_warned_of() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda =
        super::start(&idp, &[("AWS_LAMBDA_LOG_LEVEL", "loud"), ("AWS_LAMBDA_LOG_FORMAT", "xml")]);
    for variable in ["AWS_LAMBDA_LOG_LEVEL", "AWS_LAMBDA_LOG_FORMAT"] {
        lambda.wait_for_log(|line| {
            line["level"] == "WARN"
                && line["message"].as_str().is_some_and(|message| message.starts_with(variable))
        });
    }
    assert_eq!(said(&lambda.invoke(&bearer(&key.token(&claims(&idp, json!({})))))), "Allow");
}
