//! The event `STATUS`, by which a deployment is asked whether it works.

use serde_json::{Value, json};

use super::support::idp::Idp;
use super::support::tokens::SigningKey;
use super::{bearer, claims, provider, said, start};

const STATUS: &str = r#"{"type":"STATUS"}"#;

#[test]
fn the_status_names_every_source_and_what_it_has() {
    let keys = [SigningKey::rsa("k1"), SigningKey::rsa("k2")];
    let idp = Idp::start();
    idp.serve(&[&keys[0], &keys[1]]);
    let lists = Idp::start();
    lists.serve_json(json!({"jti": ["a", "b"], "before": 5}));
    let address = lists.jwks_uri();
    let signed = format!("{address}?signature=SECRET");
    let lambda = start(&idp, &[("REVOKED", &signed), ("METRICS_NAMESPACE", "Pets")]);
    let mut status = lambda.invoke(STATUS).body;
    for source in status["sources"].as_array_mut().unwrap() {
        let age = source.as_object_mut().unwrap().remove("age_seconds").unwrap();
        assert!(age.as_u64().unwrap() < 60, "{age}");
    }
    assert_eq!(
        status,
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "settings": "ok",
            "sources": [
                {"issuer": idp.issuer(), "available": true, "entries": 2},
                {"list": address, "available": true, "entries": 3},
            ],
        })
    );
    // It is logged as itself and counts as no decision.
    let line = lambda.wait_for_log(|line| line["message"] == "status answered");
    assert_eq!((&line["available"], line["request_id"].is_string()), (&json!(true), true));
    lambda.invoke(&bearer("rubbish"));
    lambda.wait_for_log(|line| line["Reason"] == "token_malformed");
    let counted = |name: &str| lambda.log_lines().iter().any(|line| line.get(name).is_some());
    assert!(!counted("Unavailable") && !counted("Allowed") && counted("Refused"));
    assert!(!lambda.log_lines().iter().any(|line| line["decision"] == "none"));
    assert!(!lambda.output().contains("SECRET"));
}

#[test]
fn the_status_waits_for_keys_and_says_why_there_are_none() {
    let key = SigningKey::rsa("k1");
    let idp = Idp::start();
    idp.down();
    let lambda = start(&idp, &[]);
    let source = |lambda: &super::Lambda| lambda.invoke(STATUS).body["sources"][0].take();
    let down = source(&lambda);
    assert_eq!(
        (&down["available"], &down["entries"], &down["last_failure"]["stage"]),
        (&json!(false), &json!(0), &json!("connect"))
    );
    assert!(down["last_failure"]["error"].as_str().unwrap().len() > 5, "{down}");
    assert!(down.get("age_seconds").is_none(), "{down}");
    // A fetch that is due is waited for, as for a request.
    idp.up();
    idp.serve(&[&key]);
    let mut last = Value::Null;
    for _ in 0..50 {
        last = source(&lambda);
        if last["available"] == true {
            break;
        }
        // The pause after a failed fetch.
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!((&last["available"], &last["entries"]), (&json!(true), &json!(1)), "{last}");
    assert!(last.get("last_failure").is_none(), "{last}");
    assert_eq!(said(&lambda.invoke(&bearer(&key.token(&claims(&idp, json!({})))))), "Allow");
}

#[test]
fn only_an_event_of_no_other_kind_asks_for_the_status() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[]);
    let arn = "arn:aws:execute-api:us-east-1:123456789012:ymy8tbxw7b/dev/GET/pets";
    for (event, is_status) in [
        (json!({"type": "STATUS", "anything": [1]}), true),
        (json!({"type": "STATUS", "methodArn": arn}), true),
        (json!({"type": "status"}), false),
        (json!({"type": ["STATUS"]}), false),
        (json!(["STATUS"]), false),
        (json!({"type": "STATUS", "version": "2.0", "routeArn": arn}), false),
        (
            json!({"type": "STATUS", "requestContext": {"eventType": "CONNECT"}, "methodArn": arn}),
            false,
        ),
        (json!({"type": "TOKEN", "methodArn": arn, "STATUS": 1}), false),
    ] {
        let reply = lambda.invoke(&event.to_string());
        assert_eq!(reply.body.get("settings").is_some(), is_status, "{event}: {}", reply.body);
        assert!(!is_status || reply.body.get("policyDocument").is_none());
    }
}
