//! Hostile events and ARNs.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    check(events);
}

fn events(table: &mut Table) {
    table.group("hostile events and ARNs");
    let bearer = format!("Bearer {}", good());
    let arn = format!("{STAGE}/GET/pets");
    for (name, event) in [
        ("nothing", String::new()),
        ("null", "null".to_owned()),
        ("array", format!("[{}]", event(&bearer))),
        (
            "array in the order of the members",
            json!(["TOKEN", null, arn, null, bearer]).to_string(),
        ),
        ("number", "7".to_owned()),
        ("unclosed", event(&bearer)[..200].to_owned()),
        ("byte order mark", format!("\u{feff}{}", event(&bearer))),
        ("two events", event(&bearer).repeat(2)),
        ("10,000 deep", "[".repeat(10_000)),
        ("10,000 deep in an object", "{\"type\":".repeat(10_000)),
        ("type twice", event(&bearer).replacen('{', "{\"type\":\"TOKEN\",", 1)),
        (
            "methodArn twice",
            event(&bearer).replacen('{', &format!("{{\"methodArn\":\"{arn}\","), 1),
        ),
        ("no type", json!({"authorizationToken": bearer, "methodArn": arn}).to_string()),
        (
            "type in lower case",
            json!({"type": "token", "authorizationToken": bearer, "methodArn": arn}).to_string(),
        ),
        ("no ARN", json!({"type": "TOKEN", "authorizationToken": bearer}).to_string()),
        (
            "hostile ARN before a good one of the other payload version",
            json!({"type": "TOKEN", "authorizationToken": bearer, "methodArn": "*", "routeArn": arn})
                .to_string(),
        ),
    ] {
        table.event(name, event, EVENT);
    }
    for arn in hostile_arns() {
        let event =
            json!({"type": "TOKEN", "authorizationToken": bearer, "methodArn": arn}).to_string();
        table.event(format!("ARN {arn:.60?}"), event, EVENT);
    }
}

/// No part of an ARN that ends up in a policy may hold anything that widens it.
pub(crate) fn hostile_arns() -> Vec<String> {
    let mut arns = vec![
        String::new(),
        "*".to_owned(),
        "arn".to_owned(),
        STAGE.to_owned(),
        STAGE.replace("execute-api", "lambda") + "/GET/",
        STAGE.replace("execute-api", "*") + "/GET/",
        STAGE.replace("arn:", "ARN:") + "/GET/",
        format!(" {STAGE}/GET/"),
        format!("{STAGE}\n/GET/"),
    ];
    for part in ["aws", "us-east-1", "123456789012", "ymy8tbxw7b", "dev"] {
        for hostile in [
            "",
            "*",
            "?",
            "d*",
            "${aws:username}",
            "$context",
            "a b",
            "a\nb",
            "a\r\nb",
            "a\"b",
            "a\\b",
            "a'b",
            "a%2fb",
            "a\0b",
            "\u{fc}",
            "\u{ff0a}",
            "a.b",
            "a,b",
            "{a}",
            "..",
            "a:b",
        ] {
            // A colon in the last part would be another way to write the first.
            arns.push(format!("{}/GET/pets", STAGE.replacen(part, hostile, 1)));
        }
    }
    arns
}
