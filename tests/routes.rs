//! The tables of `docs/routes.md`, as they stand there: which of the page's requests pass, for every kind of API.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a broken example ought to fail its test at once"
)]
#![allow(clippy::disallowed_methods, reason = "tokens are made for now")]

mod direct;
mod support;

use direct::{STAGE, authorizer, read};
use serde_json::{Value, json};
use support::iam::{Verdict, evaluate};
use support::tokens::{SigningKey, claims, jwks, now, seconds_ago};
use token_authorizer::Authorizer;

const PAGE: &str = include_str!("../docs/routes.md");
const ISSUER: &str = "https://login.example.com";

/// One table of the page.
struct Example {
    heading: &'static str,
    table: &'static str,
    audience: &'static str,
    rows: Vec<Row>,
}

/// A token, a request, and what the page says of it.
struct Row {
    token: Value,
    request: String,
    says: &'static str,
}

fn between(text: &'static str, start: &str, end: &str) -> Option<&'static str> {
    text.split_once(start)?.1.split_once(end).map(|(inner, _)| inner)
}

fn examples() -> Vec<Example> {
    let tables = between(PAGE, "\n## Eleven tables to copy\n", "\n## ").unwrap();
    let example = |section: &'static str| {
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `{")?.strip_suffix(" |"));
        let rows = rows.map(|row| {
            let (token, rest) = row.split_once("` | `").unwrap();
            let (request, says) = rest.split_once("` | ").unwrap();
            let token = serde_json::from_str(&format!("{{{token}").replace("\\|", "|")).unwrap();
            Row { token, request: request.replace("\\|", "|"), says }
        });
        Example {
            heading: section.lines().next().unwrap(),
            table: between(section, "```json\n", "```").unwrap(),
            audience: between(section, "`AUDIENCE=", "`").unwrap_or("my-api"),
            rows: rows.collect(),
        }
    };
    tables.split("\n### ").skip(1).map(example).collect()
}

/// The claims of a row, with what every good token has; it has scopes only if the row says so.
fn token(key: &SigningKey, audience: &str, row: &Row) -> String {
    let first = audience.split(", ").next().unwrap();
    let mut all = claims(ISSUER, first);
    all.as_object_mut().unwrap().remove("scope");
    all.as_object_mut().unwrap().extend(row.token.as_object().unwrap().clone());
    if all["auth_time"].is_string() {
        all["auth_time"] = json!(now() - seconds_ago(&all["auth_time"]).unwrap());
    }
    key.token(&all)
}

async fn answer(authorizer: &Authorizer, event: &Value) -> Value {
    let answer = authorizer.decide(&event.to_string()).await.answer.unwrap();
    serde_json::from_str(answer.get()).unwrap()
}

/// Events of every kind that can be this request: its ARN and the token are in them.
fn events(arn: &str, token: &str) -> Vec<Value> {
    let header = format!("Bearer {token}");
    let headers = json!({ "authorization": header });
    if arn.ends_with("/$connect") {
        return vec![json!({ "type": "REQUEST", "methodArn": arn, "headers": headers })];
    }
    vec![
        json!({ "type": "TOKEN", "methodArn": arn, "authorizationToken": header }),
        json!({ "type": "REQUEST", "methodArn": arn, "headers": headers }),
        json!({ "type": "REQUEST", "version": "1.0", "methodArn": arn, "headers": headers }),
        json!({ "type": "REQUEST", "version": "2.0", "routeArn": arn, "headers": headers }),
    ]
}

#[tokio::test]
async fn every_request_of_the_page_is_decided_as_it_says() {
    let key = SigningKey::es256("k1");
    let keys = jwks(&[&key]).to_string();
    let examples = examples();
    assert_eq!(examples.len(), 11);
    for Example { heading, table, audience, rows } in examples {
        let settings = [
            ("ISSUER", ISSUER),
            ("AUDIENCE", audience),
            ("ALGORITHMS", "ES256"),
            ("JWKS", &keys),
            ("ROUTES", table),
        ];
        let policies = authorizer(&settings);
        let simple = authorizer(&[&settings[..], &[("SIMPLE_RESPONSE", "on")]].concat());
        let is_said = |says: &str| rows.iter().any(|row| row.says.starts_with(says));
        assert!(
            is_said("passes") && is_said("refused"),
            "{heading}: no request that passes, or none that does not"
        );
        for row in &rows {
            let passes = row.says.starts_with("passes");
            let what = format!("{heading}: {} {}", row.token, row.request);
            assert!(passes || row.says.starts_with("refused"), "{what}: {}", row.says);
            let token = token(&key, audience, row);
            let arn = format!("{STAGE}/{}", row.request.replacen(" /", "/", 1));
            for event in events(&arn, &token) {
                let document = answer(&policies, &event).await["policyDocument"].take();
                assert_eq!(evaluate(&document, &arn, now()) == Verdict::Allow, passes, "{what}");
            }
            if arn.ends_with("/$connect") {
                continue;
            }
            // One cached policy serves all requests with the token.
            let elsewhere = &events(&format!("{STAGE}/GET/elsewhere"), &token)[0];
            let document = answer(&policies, elsewhere).await["policyDocument"].take();
            assert_eq!(
                evaluate(&document, &arn, now()) == Verdict::Allow,
                passes,
                "{what}, cached"
            );
            let answer = answer(&simple, &events(&arn, &token)[3]).await;
            assert_eq!(answer["isAuthorized"], passes, "{what}, simple");
        }
    }
}

#[test]
fn every_table_of_the_page_is_a_good_one() {
    let tables: Vec<_> =
        PAGE.split("```json\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
    assert_eq!(tables.len(), 13);
    for table in tables {
        let settings = [("ISSUER", ISSUER), ("AUDIENCE", "my-api"), ("ROUTES", table)];
        assert!(read(&settings).is_ok(), "{table}: {:?}", read(&settings).err());
    }
}

#[test]
fn the_page_knows_what_the_guard_takes() {
    // One entry, too long for API Gateway: the error tells the guard's share.
    let routes = json!({ format!("GET /{}", "a".repeat(500)): [] }).to_string();
    let problems = read(&[("ISSUER", ISSUER), ("AUDIENCE", "my-api"), ("ROUTES", &routes)])
        .unwrap_err()
        .to_string();
    assert!(problems.contains("1679 for PATH_GUARD"), "{problems}");
    assert!(PAGE.contains("It takes 1,679 of the 8,192 bytes"));
}

#[test]
fn as_many_entries_fit_as_the_page_about_size_says() {
    let page = include_str!("../docs/table-size.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows: Vec<Vec<usize>> = rows
        .map_while(|row| match row.starts_with("---") || row.starts_with("length") {
            true => Some(Vec::new()),
            false => row.split(" | ").map(|cell| cell.parse().ok()).collect(),
        })
        .filter(|row| !row.is_empty())
        .collect();
    assert_eq!(rows.len(), 5);
    let own = json!({ "path": { "id": "sub" } });
    let columns = [
        ("GET", "", json!(["pets"]), "on"),
        ("GET", "", json!(["pets"]), "off"),
        ("ANY", "", json!(["pets"]), "on"),
        ("GET", "/{id}", own, "on"),
    ];
    for row in &rows {
        let [length, ref most @ ..] = row[..] else { panic!("{row:?}") };
        assert_eq!(most.len(), columns.len());
        for (&most, (verb, end, rule, guard)) in most.iter().zip(&columns) {
            let fits = |entries: usize| {
                let path = |n: usize| format!("/{n:03}{}", "p".repeat(length - 4));
                let entry = |n: usize| (format!("{verb} {}{end}", path(n)), rule.clone());
                let table = Value::Object((0..entries).map(entry).collect()).to_string();
                let settings = [
                    ("ISSUER", ISSUER),
                    ("AUDIENCE", "my-api"),
                    ("ROUTES", &*table),
                    ("PATH_GUARD", *guard),
                ];
                read(&settings).is_ok()
            };
            if fits(most) && !fits(most + 1) {
                continue;
            }
            let really = (1..200).take_while(|entries| fits(*entries)).last();
            panic!("{verb} entries of {length} characters, PATH_GUARD={guard}: {really:?}");
        }
    }
}
