//! Credentials smuggled.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    check(credentials);
}

fn credentials(table: &mut Table) {
    table.group("credentials smuggled");
    let token = good();
    let arn = format!("{STAGE}/GET/pets");
    for (header, expected) in [
        (format!("Bearer {token}"), ALLOW),
        (format!("bEARER    {token}"), ALLOW),
        (token.clone(), MALFORMED),
        (format!(" Bearer {token}"), MALFORMED),
        (format!("Bearer {token} "), MALFORMED),
        (format!("Bearer {token}\n"), MALFORMED),
        (format!("Bearer\t{token}"), MALFORMED),
        (format!("Bearer\u{a0}{token}"), MALFORMED),
        (format!("Bearer{token}"), MALFORMED),
        (format!("Bearer: {token}"), MALFORMED),
        (format!("Bearer={token}"), MALFORMED),
        (format!("Bearer \"{token}\""), MALFORMED),
        (format!("Bearer Bearer {token}"), MALFORMED),
        (format!("Bearer {token} {token}"), MALFORMED),
        (format!("Bearer {token}, Bearer {token}"), MALFORMED),
        (format!("Basic {token}"), MALFORMED),
        (format!("DPoP {token}"), MALFORMED),
        ("Bearer".to_owned(), MALFORMED),
        ("Bearer ".to_owned(), MALFORMED),
        (String::new(), "token_missing"),
        (" \t ".to_owned(), "token_missing"),
    ] {
        table.event(format!("{:.24?}", header.replace(&token, "TOKEN")), event(&header), expected);
    }
    for value in [json!([token]), json!({"Bearer": token}), json!(5), json!(true)] {
        let event =
            json!({"type": "TOKEN", "authorizationToken": value, "methodArn": arn}).to_string();
        table.event(format!("authorizationToken is {value:.12}"), event, EVENT);
    }
    let bad = SigningKey::rsa_other("k1", 1).token(&claims());
    let (good, bad) = (format!("Bearer {token}"), format!("Bearer {bad}"));
    for (name, members, expected) in [
        ("one header", json!({"headers": {"AUTHORIZATION": good}}), ALLOW),
        (
            "two headers by case",
            json!({"headers": {"Authorization": good, "authorization": bad}}),
            MALFORMED,
        ),
        ("two values", json!({"multiValueHeaders": {"Authorization": [bad, good]}}), MALFORMED),
        (
            "the two maps differ",
            json!({"headers": {"Authorization": good}, "multiValueHeaders": {"Authorization": [bad]}}),
            MALFORMED,
        ),
        ("a header not asked for", json!({"headers": {"X-Authorization": good}}), "token_missing"),
        (
            "a query parameter not asked for",
            json!({"queryStringParameters": {"token": token}}),
            "token_missing",
        ),
        (
            "a cookie not asked for",
            json!({"headers": {"Cookie": format!("token={token}")}}),
            "token_missing",
        ),
        ("headers are an array", json!({"headers": [good]}), "token_missing"),
        (
            "the value is an object",
            json!({"headers": {"Authorization": {"0": good}}}),
            "token_missing",
        ),
    ] {
        let event = merged(json!({"type": "REQUEST", "methodArn": arn}), members).to_string();
        table.event(name, event, expected);
    }
    let deep = format!(
        r#"{{"type":"REQUEST","methodArn":"{arn}","headers":{}1{}}}"#,
        "[".repeat(50_000),
        "]".repeat(50_000)
    );
    table.event("headers 50,000 deep", deep, "token_missing");
}
