//! Events of other projects: emulators of API Gateway, and the samples of libraries. Each file in `tests/events/` has
//! the shape of what the project sends or carries, with values of our own, and says which of its files it follows.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};

use super::support::iam::{Verdict, evaluate};
use super::support::process::Lambda;
use super::support::tokens::{self, SigningKey};
use super::{assert_no_verdict, claims, provider, said, start};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Foreign {
    project: String,
    /// The file of that project, or the page.
    follows: String,
    /// The setting, where the token is not in a header.
    token_source: Option<String>,
    /// What the message says, where the event cannot be answered.
    refused: Option<String>,
    /// With `{{token}}` for the token.
    event: Value,
}

impl Foreign {
    fn event(&self, token: &str) -> String {
        self.event.to_string().replace("{{token}}", token)
    }

    fn arn(&self) -> &str {
        let names = match self.event["version"].as_str() {
            Some("2.0") => ["routeArn", "methodArn"],
            _ => ["methodArn", "routeArn"],
        };
        names.into_iter().find_map(|name| self.event[name].as_str()).unwrap()
    }

    fn source(&self) -> &str {
        self.token_source.as_deref().unwrap_or("header:Authorization")
    }
}

/// By name.
fn foreign_events() -> BTreeMap<String, Foreign> {
    let files = fs::read_dir("tests/events").unwrap().map(|file| file.unwrap().path());
    let read = files.map(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let foreign = serde_json::from_slice(&fs::read(&path).unwrap());
        (name, foreign.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    });
    read.collect()
}

fn answered() -> Vec<(String, Foreign)> {
    foreign_events().into_iter().filter(|(_, foreign)| foreign.refused.is_none()).collect()
}

#[test]
fn a_good_token_is_allowed_in_events_of_other_projects() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let good = key.token(&claims(&idp, json!({})));
    let expired = key.token(&claims(&idp, json!({"exp": tokens::now() - 1})));
    let mut lambdas: BTreeMap<String, Lambda> = BTreeMap::new();
    let mut projects = BTreeSet::new();
    for (name, foreign) in answered() {
        let source = foreign.source().to_owned();
        let lambda = lambdas
            .entry(source)
            .or_insert_with_key(|source| start(&idp, &[("TOKEN_SOURCE", source)]));
        let reply = lambda.invoke(&foreign.event(&good));
        assert_eq!(said(&reply), "Allow", "{name}");
        let verdict = evaluate(&reply.body["policyDocument"], foreign.arn(), tokens::now());
        assert_eq!(verdict, Verdict::Allow, "{name}: {}", reply.body);

        let reply = lambda.invoke(&foreign.event(&expired));
        assert_eq!(said(&reply), "Deny token_expired", "{name}");
        let verdict = evaluate(&reply.body["policyDocument"], foreign.arn(), tokens::now());
        assert_eq!(verdict, Verdict::ExplicitDeny, "{name}: {}", reply.body);
        assert!(!foreign.follows.is_empty(), "{name}");
        projects.insert(foreign.project);
    }
    assert!(projects.len() >= 14, "{projects:?}");
}

/// A simple response is for version 2.0, whichever name the ARN has there, and for the route in the ARN.
#[test]
fn a_simple_response_follows_the_version_and_the_arn() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let good = key.token(&claims(&idp, json!({})));
    let routes = r#"{"GET /orders": [], "GET /orders/{id}": []}"#;
    let lambda = start(&idp, &[("SIMPLE_RESPONSE", "on"), ("ROUTES", routes)]);
    let mut seen = BTreeSet::new();
    for (name, foreign) in answered() {
        if foreign.event["version"] != "2.0" {
            continue;
        }
        let reply = lambda.invoke(&foreign.event(&good));
        let is_open = foreign.arn().contains("/GET/orders");
        assert_eq!(reply.body["isAuthorized"], is_open, "{name}: {}", reply.body);
        seen.insert((foreign.event.get("routeArn").is_some(), is_open));
    }
    assert_eq!(seen, BTreeSet::from([(true, true), (true, false), (false, true)]));
}

#[test]
fn other_events_say_what_is_wrong_with_them() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[]);
    let good = key.token(&claims(&idp, json!({})));
    for (name, foreign) in foreign_events() {
        let Some(refused) = &foreign.refused else { continue };
        let reply = lambda.invoke(&foreign.event(&good));
        assert_no_verdict(&reply, "event_unsupported");
        assert!(said(&reply).contains(refused), "{name}: {}", said(&reply));
        assert!(!said(&reply).contains(&good), "{name}: {}", said(&reply));
    }
}

#[test]
#[ignore = "needs the SAM CLI: run .ci/lambda"]
fn events_that_sam_generates_are_allowed() {
    let sam = env::var("SAM").expect("SAM is not set: run .ci/lambda");
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let bearer = format!("Bearer {}", key.token(&claims(&idp, json!({}))));
    for (name, credential, source) in [
        ("authorizer", "incoming-client-token", "header:Authorization"),
        ("request-authorizer", "headerValue1", "header:HeaderAuth1"),
    ] {
        let mut generate = Command::new(&sam);
        generate.args(["local", "generate-event", "apigateway", name]);
        let output = generate.env("SAM_CLI_TELEMETRY", "0").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let event = String::from_utf8(output.stdout).unwrap();
        assert!(event.contains(credential), "{event}");
        let lambda = start(&idp, &[("TOKEN_SOURCE", source)]);
        assert_eq!(said(&lambda.invoke(&event.replace(credential, &bearer))), "Allow", "{event}");
    }
}
