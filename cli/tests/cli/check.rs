//! `authorizer check`: problems, warnings, sizes, and what can be fetched.

use serde_json::{Map, Value, json};

use crate::support::idp::Idp;
use crate::support::tokens::SigningKey;
use crate::{Folder, Ran, run};

const SETTINGS: [(&str, &str); 2] = [("ISSUER", "https://issuer.example"), ("AUDIENCE", "my-api")];

fn check(settings: &[(&str, &str)], options: &[&str]) -> Ran {
    run(settings, &[&["check", "--format", "json"], options].concat(), "")
}

#[test]
fn good_settings_are_as_expected() {
    let ran = run(&SETTINGS, &["check"], "");
    assert_eq!((ran.code, &*ran.err), (0, ""), "{}", ran.out);
    let expected =
        "Settings: the environment\nProblems: 0\nWarnings: 0\nVariables: 55 of 4096 bytes\n";
    assert_eq!(ran.out, expected);
}

#[test]
fn every_problem_is_shown() {
    let settings = [("AUDIENCE", "a"), ("REFUSAL", "no"), ("ROUTE", "{}")];
    let ran = check(&settings, &[]);
    assert_eq!(ran.code, 1);
    let problems = ran.json()["problems"].to_string();
    for name in ["ISSUER: ", "REFUSAL: ", "ROUTE: "] {
        assert!(problems.contains(name), "{name} is not in: {problems}");
    }
    let page = run(&settings, &["check"], "");
    assert_eq!(page.code, 1);
    assert!(page.out.contains("Problems: 3\n  "), "{}", page.out);
}

#[test]
fn a_warning_is_no_problem() {
    let routes = r#"{"GET /a": []}"#;
    let settings = [&SETTINGS[..], &[("ROUTES", routes), ("SIMPLE_RESPONSE", "on")]].concat();
    let ran = check(&settings, &[]);
    assert_eq!((ran.code, &ran.json()["problems"]), (0, &json!([])));
    assert!(ran.json()["warnings"][0].as_str().unwrap().contains("SIMPLE_RESPONSE"), "{}", ran.out);
}

#[test]
fn a_policy_is_shown_by_entry_even_if_it_is_too_large() {
    let small = json!({"GET /pets": ["a"], "ANY /users/{id}": ["b"]});
    let settings = |routes: &Value| routes.to_string();
    let routes = settings(&small);
    let ran = check(&[&SETTINGS[..], &[("ROUTES", &routes)]].concat(), &[]);
    let policy = &ran.json()["policies"][0];
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert_eq!(policy["table"], "ROUTES for https://issuer.example");
    assert_eq!(policy["entries"][0]["entry"], "ANY /users/{id}");
    assert_eq!(policy["entries"][0]["resources"], 7);
    assert_eq!(policy["entries"][1], json!({"entry": "GET /pets", "bytes": 108, "resources": 1}));
    assert!(policy["bytes"].as_u64() < policy["limit"].as_u64());
    let sum: u64 = policy["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["bytes"].as_u64().unwrap())
        .sum();
    assert!(policy["bytes"].as_u64().unwrap() > sum + policy["path_guard"].as_u64().unwrap());

    let mut large = Map::new();
    for number in 0..80 {
        large.insert(format!("GET /things/{number}"), json!(["a"]));
    }
    let large = Value::from(large);
    let folder = Folder::new("check-large");
    folder.file("routes.json", &large.to_string());
    let root = folder.path("").to_str().unwrap().to_owned();
    for (routes, options) in
        [(settings(&large), vec![]), ("@routes.json".to_owned(), vec!["--root", root.as_str()])]
    {
        let ran = check(&[&SETTINGS[..], &[("ROUTES", &routes)]].concat(), &options);
        assert_eq!(ran.code, 1);
        let policy = &ran.json()["policies"][0];
        assert_eq!(policy["entries"].as_array().unwrap().len(), 80);
        assert!(policy["bytes"].as_u64() > policy["limit"].as_u64());
    }
}

#[test]
fn variables_are_counted_as_lambda_counts_them() {
    let folder = Folder::new("check-size");
    let rows: Vec<Value> =
        serde_json::from_str(include_str!("../../../tests/environment_size.json")).unwrap();
    assert!(rows.len() > 40);
    for row in rows {
        let mut variables = row["variables"].clone();
        for value in variables.as_object_mut().unwrap().values_mut() {
            if let [text, times] = value.as_array().map_or(&[][..], Vec::as_slice) {
                let times = usize::try_from(times.as_u64().unwrap()).unwrap();
                *value = text.as_str().unwrap().repeat(times).into();
            }
        }
        let function = json!({"Environment": {"Variables": variables}});
        let ran =
            check(&[], &["--deployment", &folder.file("function.json", &function.to_string())]);
        let report = ran.json();
        assert_eq!(report["variables"]["bytes"], row["bytes"], "{}", row["name"]);
        let problem = format!("the variables take {} bytes as JSON", row["bytes"]);
        assert_eq!(
            !report["problems"].to_string().contains(&problem),
            row["fits"],
            "{}",
            row["name"]
        );
    }
}

#[test]
fn the_environment_counts_only_what_the_function_would_have() {
    let settings = [&SETTINGS[..], &[("PATH", "/bin"), ("AWS_LAMBDA_LOG_LEVEL", "INFO")]].concat();
    assert_eq!(check(&settings, &[]).json()["variables"]["bytes"], 55);
}

#[test]
fn paths_that_look_like_a_mistake_are_warned_of() {
    let warnings = |routes: &Value, options: &[&str]| {
        let routes = routes.to_string();
        let ran = check(&[&SETTINGS[..], &[("ROUTES", &routes)]].concat(), options);
        assert_eq!(ran.code, 0, "{}", ran.out);
        let warnings = ran.json()["warnings"].clone();
        warnings
            .as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let table = json!({"GET /orders/:id": [], "GET /v7/pets": [], "GET /a:b": []});
    let found = warnings(&table, &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with(
        "entry `GET /orders/:id`: `:id` is a literal segment here: a variable is written `{id}`"
    ));
    assert!(
        warnings(&table, &["--stage", "v7"])[1]
            .contains("entry `GET /v7/pets`: `/v7` is the stage's name")
    );
    let common = warnings(&json!({"GET /prod/a": [], "GET /prod/b": []}), &[]);
    assert!(
        common.len() == 1 && common[0].contains("every path begins with `/prod`"),
        "{common:?}"
    );
    assert!(warnings(&json!({"GET /prod/a": [], "GET /b": []}), &[]).is_empty());
    assert!(warnings(&json!({"GET /users/a": [], "GET /users/b": []}), &[]).is_empty());

    // The deployment names its stages.
    let folder = Folder::new("check-stages");
    let variables = json!({"ISSUER": "https://a.example", "AUDIENCE": "a", "ROUTES": r#"{"GET /v7/pets": []}"#});
    let template = json!({"Resources": {
        "Authorizer": {"Type": "AWS::Lambda::Function", "Properties": {"Environment": {"Variables": variables}}},
        "Api": {"Type": "AWS::Serverless::Api", "Properties": {"StageName": "v7"}},
    }});
    let plan = json!({"planned_values": {"root_module": {"resources": [
        {"type": "aws_lambda_function", "address": "a", "values": {"environment": [{"variables": variables}]}},
        {"type": "aws_api_gateway_stage", "values": {"stage_name": "v7"}},
    ]}}});
    for deployment in [template, plan] {
        let file = folder.file("deployment.json", &deployment.to_string());
        let ran = check(&[], &["--deployment", &file]);
        assert!(
            ran.json()["warnings"].to_string().contains("`/v7` is the stage's name"),
            "{}",
            ran.out
        );
    }
}

#[test]
fn nothing_is_fetched_unless_asked_and_then_each_document_once() {
    let idp = Idp::start();
    idp.serve(&[&SigningKey::es256("k1"), &SigningKey::rsa("k2")]);
    let issuer = idp.issuer();
    let settings = [("ISSUER", issuer.as_str()), ("AUDIENCE", "a")];
    assert_eq!(check(&settings, &[]).code, 0);
    assert_eq!(check(&settings, &[]).json()["fetched"], Value::Null);
    assert_eq!(idp.requests(), 0);
    let ran = check(&settings, &["--online"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let fetched = ran.json()["fetched"].clone();
    assert_eq!(
        (&fetched[0]["document"], &fetched[0]["stage"]),
        (&json!("discovery"), &Value::Null)
    );
    // Of the two keys, RS256 can use one.
    assert_eq!((&fetched[1]["document"], &fetched[1]["usable"]), (&json!("keys"), &json!(1)));
    assert!(fetched[1]["milliseconds"].is_u64() && fetched.get(2).is_none(), "{fetched}");
    assert_eq!((idp.discoveries(), idp.fetches()), (1, 1));
}

#[test]
fn a_fetch_that_fails_says_where() {
    // Port 1 of this machine: nobody listens there.
    let nobody = "http://127.0.0.1:1/list?signature=SECRET";
    for settings in [
        [("ISSUER", "http://127.0.0.1:1"), ("JWKS_URI", ""), ("REVOKED", "")],
        [("ISSUER", "https://a.example"), ("JWKS_URI", nobody), ("REVOKED", "")],
        [("ISSUER", "https://a.example"), ("JWKS", r#"{"keys": []}"#), ("REVOKED", nobody)],
    ] {
        let mut settings = settings.to_vec();
        let key = json!({"keys": [SigningKey::rsa("k").jwk()]}).to_string();
        settings
            .iter_mut()
            .filter(|(name, _)| *name == "JWKS")
            .for_each(|(_, value)| *value = &key);
        settings.push(("AUDIENCE", "a"));
        let ran = check(&settings, &["--online"]);
        assert_eq!(ran.code, 1, "{}", ran.out);
        assert_eq!(ran.json()["fetched"][0]["stage"], "connect", "{}", ran.out);
        assert!(!ran.out.contains("SECRET"), "{}", ran.out);
        let page = run(&settings, &["check", "--online"], "");
        assert!(page.code == 1 && page.out.contains("FAILED: connect: "), "{}", page.out);
    }
}
