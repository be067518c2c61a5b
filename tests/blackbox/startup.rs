//! What happens before the first event: settings that are wrong, and keys that are not there yet.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use serde_json::{Value, json};

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
        \n  LEEWAY_SECONDS: `301`: must be a whole number from 0 to 300\
        \n  AUDIENCE: is required: the audiences of this API's tokens\
        \n  JWKS_URI: must be https: http is for loopback addresses only\
        \n  REFUSAL: `no`: must be `deny` or `unauthorized`";
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
fn a_setting_that_is_not_utf_8_is_not_unset() {
    // Without these checks a good token would be allowed.
    for (name, value) in [
        ("REQUIRED_SCOPES", &b"admin\xff"[..]),
        ("REQUIRED_CLAIMS", b"{\"tenant\": \"\xe9\"}"),
        ("ROUTES", b"{\"GET /\xff\": []}"),
        ("TOKEN_TYPES", b"at+jwt\xff"),
        ("ALGORITHMS", b"ES256 \xc3"),
        ("LEEWAY_SECONDS", b"\xff"),
        ("ISSUERS", b"[\xff]"),
        ("LAMBDA_TASK_ROOT", b"\xff"),
        ("SSL_CERT_FILE", b"\xff"),
    ] {
        let basic =
            [("ISSUER", OsStr::new("https://login.example.com")), ("AUDIENCE", OsStr::new("api"))];
        let settings = [&basic[..], &[(name, OsStr::from_bytes(value))]].concat();
        let exit = Lambda::try_spawn_os(&program(), &settings)
            .err()
            .expect("it must not start with these settings");
        assert_eq!(exit.code, Some(78), "{name}");
        let expected = format!("bad configuration\n  {name}: is not UTF-8\n");
        assert!(exit.output.ends_with(&expected), "{name}: {}", exit.output);
    }
}

#[test]
fn a_setting_that_is_misspelled_is_not_ignored() {
    for (name, meant) in [
        ("REQUIRED_SCOPE", "REQUIRED_SCOPES"),
        ("ROUTE", "ROUTES"),
        ("ALGORITHM", "ALGORITHMS"),
        ("JWKS_URL", "JWKS_URI"),
    ] {
        let exit =
            refused(&[("ISSUER", "https://login.example.com"), ("AUDIENCE", "api"), (name, "x")]);
        assert_eq!(exit.code, Some(78), "{name}");
        let expected =
            format!("bad configuration\n  {name}: is not a setting; did you mean {meant}?\n");
        assert!(exit.output.ends_with(&expected), "{name}: {}", exit.output);
    }
}

#[test]
fn bad_configuration_is_one_event_where_the_log_is_json() {
    let settings = |format| {
        [
            ("ISSUER", "http://login.example.com"),
            ("AUDIENCE", AUDIENCE),
            ("REFUSAL", "\u{202e}\n{\"level\":\"INFO\"}"),
        ]
        .into_iter()
        .chain([("AWS_LAMBDA_LOG_FORMAT", format), ("AWS_LAMBDA_LOG_LEVEL", "FATAL")])
        .collect::<Vec<_>>()
    };
    for format in ["JSON", " json "] {
        let exit = refused(&settings(format));
        assert_eq!(exit.code, Some(78));
        let [line] = exit.output.lines().collect::<Vec<_>>()[..] else { panic!("{}", exit.output) };
        let event: Value = serde_json::from_str(line).unwrap();
        humantime::parse_rfc3339(event["timestamp"].as_str().unwrap()).unwrap();
        assert_eq!(
            (&event["level"], &event["message"]),
            (&json!("ERROR"), &json!("bad configuration"))
        );
        let problems: Vec<_> = event["problems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap())
            .collect();
        assert!(
            problems[0].starts_with("ISSUER: ") && problems[1].starts_with("REFUSAL: "),
            "{problems:?}"
        );
        assert_eq!((problems.len(), event.as_object().unwrap().len()), (2, 4), "{event}");
        assert_eq!(exit.init_error.unwrap()["errorType"], "BadConfiguration");
    }
    for format in ["TEXT", " ", "xml"] {
        let exit = refused(&settings(format));
        assert!(
            exit.output
                .contains("bad configuration\n  ISSUER: `http://login.example.com`: must be https"),
            "{format}: {}",
            exit.output
        );
    }
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
