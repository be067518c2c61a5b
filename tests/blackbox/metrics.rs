//! Metrics in embedded metric format: one line for each decision and each fetch, whatever the log says.

use serde_json::{Value, json};

use super::support::process::Lambda;
use super::support::tokens::SigningKey;
use super::{bearer, claims, provider, said, start};

/// The metric lines so far, with the names, units and dimensions that they declare.
fn lines(lambda: &Lambda) -> Vec<Value> {
    lambda.log_lines().into_iter().filter(|line| line.get("_aws").is_some()).collect()
}

fn values(line: &Value) -> Value {
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(directive["Namespace"], "Pets");
    let metrics = directive["Metrics"].as_array().unwrap();
    let value = |metric: &Value| {
        (
            metric["Name"].as_str().unwrap().to_owned(),
            line[metric["Name"].as_str().unwrap()].clone(),
        )
    };
    Value::Object(metrics.iter().map(value).collect())
}

#[test]
fn decisions_and_fetches_are_counted_whatever_the_level_and_format() {
    let key = SigningKey::rsa("k1");
    for (level, format) in
        [("INFO", "JSON"), ("FATAL", "JSON"), ("ERROR", "TEXT"), ("TRACE", "TEXT")]
    {
        let idp = provider(&key);
        let settings = [
            ("METRICS_NAMESPACE", "Pets"),
            ("AWS_LAMBDA_LOG_LEVEL", level),
            ("AWS_LAMBDA_LOG_FORMAT", format),
        ];
        let lambda = start(&idp, &settings);
        assert_eq!(
            said(&lambda.invoke_to_end(&bearer(&key.token(&claims(&idp, json!({})))))),
            "Allow"
        );
        assert_eq!(said(&lambda.invoke_to_end(&bearer("rubbish"))), "Deny token_malformed");
        assert!(lambda.invoke_to_end("{}").is_error);
        idp.down();
        lambda.invoke_to_end(&bearer(&SigningKey::rsa("k2").token(&claims(&idp, json!({})))));
        lambda.wait_for_log(|_| lines(&lambda).len() == 6);
        let lines = lines(&lambda);
        let fetched = |failures: u8, line: &Value| {
            let values = values(line);
            assert!(values["KeyFetchMilliseconds"].is_u64(), "{line}");
            assert!(values["KeyAge"].as_u64().unwrap() < 5, "{line}");
            assert_eq!(
                (&values["KeyFetches"], &values["KeyFetchFailures"]),
                (&json!(1), &json!(failures))
            );
        };
        fetched(0, &lines[0]);
        assert_eq!(values(&lines[1]), json!({"Allowed": 1}));
        assert_eq!(values(&lines[2]), json!({"Refused": 1}));
        assert_eq!(lines[2]["Reason"], "token_malformed");
        assert_eq!(lines[2]["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Reason"], []]));
        assert_eq!(values(&lines[3]), json!({"Unavailable": 1}));
        assert_eq!(lines[3]["Reason"], "event_unsupported");
        assert_eq!(lines[3]["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Reason"], []]));
        fetched(1, &lines[4]);
        assert_eq!(values(&lines[5]), json!({"Unavailable": 1}));
        assert_eq!(lines[5]["Reason"], "keys_unavailable");
        assert!(lines[1].get("Reason").is_none(), "an Allow has none");
        for line in &lines {
            assert_eq!(line["level"], level, "Lambda's own filter lets it pass");
            assert!(line["timestamp"].is_string() && line["_aws"]["Timestamp"].is_u64(), "{line}");
        }
    }
}

#[test]
fn without_a_namespace_there_are_none() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[]);
    assert_eq!(said(&lambda.invoke(&bearer(&key.token(&claims(&idp, json!({})))))), "Allow");
    lambda.wait_for_log(|line| line["decision"] == "allow");
    assert_eq!(lines(&lambda), [json!(null); 0]);
}

#[test]
fn lines_bear_a_level_that_lambda_knows() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    for (level, expected) in [(" Warn ", "WARN"), ("loud", "INFO"), ("", "INFO")] {
        let settings = [("METRICS_NAMESPACE", "Pets"), ("AWS_LAMBDA_LOG_LEVEL", level)];
        let lambda = start(&idp, &settings);
        let line = lambda.wait_for_log(|line| line.get("_aws").is_some());
        assert_eq!(line["level"], expected, "{level}");
    }
}

#[test]
fn a_trial_is_logged_and_counted_and_changes_no_answer() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let trial = r#"{"required_scopes": ["admin"], "required_claims": {"client_id": "client-1"}}"#;
    let lambda = start(&idp, &[("METRICS_NAMESPACE", "Pets"), ("TRIAL", trial)]);
    let plain = start(&idp, &[]);
    // One line for the fetch at start, one for each decision, one for each refusal on trial.
    let mut expected_lines = 1;
    for (changes, reason, detail) in [
        (json!({"scope": "admin"}), json!(null), json!(null)),
        (json!({"scope": "read"}), json!("insufficient_scope"), json!("scope `admin`")),
        (json!({"client_id": "x"}), json!("claim_invalid"), json!("claim `client_id`")),
    ] {
        let event = bearer(&key.token(&claims(&idp, changes)));
        let reply = lambda.invoke(&event);
        assert_eq!(reply.body, plain.invoke(&event).body);
        expected_lines += if reason.is_null() { 1 } else { 2 };
        lambda.wait_for_log(|_| lines(&lambda).len() == expected_lines);
        let log = lambda.log_lines();
        let decision = log.iter().rfind(|line| line.get("decision").is_some()).unwrap();
        assert_eq!(decision["decision"], "allow");
        assert_eq!((&decision["trial"], &decision["trial_detail"]), (&reason, &detail));
        let counted = lines(&lambda);
        let last = counted.last().unwrap();
        if reason.is_null() {
            assert_eq!(values(last), json!({"Allowed": 1}));
        } else {
            assert_eq!(values(last), json!({"TrialRefused": 1}));
            assert_eq!(last["Reason"], reason);
        }
    }
    // A refusal is tried no further.
    lambda.invoke(&bearer("rubbish"));
    lambda.wait_for_log(|_| lines(&lambda).len() == expected_lines + 1);
    assert_eq!(values(lines(&lambda).last().unwrap()), json!({"Refused": 1}));
}
