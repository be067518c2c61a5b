//! Unsigned tokens: `none` in every spelling.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    check(unsigned);
}

fn unsigned(table: &mut Table) {
    table.group("unsigned, `none` in every spelling");
    let valid = good();
    let (header, payload, signature) = segments(&valid);
    for alg in [
        "none",
        "None",
        "NONE",
        "nOnE",
        " none",
        "none ",
        "none\0",
        "\u{ff4e}one",
        "",
        "null",
        "plain",
    ] {
        let header = b64(json!({"alg": alg, "kid": "k1"}).to_string());
        table.token(
            format!("{alg:?} without a signature"),
            format!("{header}.{payload}."),
            MALFORMED,
        );
        table.token(
            format!("{alg:?} with a signature"),
            format!("{header}.{payload}.{signature}"),
            ALGORITHM,
        );
    }
    table.token("signature taken away", format!("{header}.{payload}."), MALFORMED);
    for alg in [json!(null), json!(0), json!(true), json!(["RS256"]), json!({"RS256": null})] {
        table.token(
            format!("alg is {alg}"),
            K1.token_with(&json!({"alg": alg, "kid": "k1"}), &claims()),
            MALFORMED,
        );
    }
    table.token("no alg", K1.token_with(&json!({"kid": "k1"}), &claims()), MALFORMED);
}
