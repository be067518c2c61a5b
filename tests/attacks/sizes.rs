//! Tokens of every size.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    check(sizes);
}

fn sizes(table: &mut Table) {
    table.group("tokens of 16 KiB, 1 MiB, 6 MiB");
    let of_length = |length: usize| {
        let empty = K1.token(&claims_with(json!({"jti": "", "x": ""}))).len();
        let payload = claims_with(json!({"jti": "", "x": "a".repeat((length - empty) * 3 / 4)}));
        (0..8)
            .map(|more| K1.token(&merged(payload.clone(), json!({"y": "a".repeat(more)}))))
            .chain(
                (0..16).map(|more| {
                    K1.token(&merged(payload.clone(), json!({"jti": "a".repeat(more)})))
                }),
            )
            .find(|token| token.len() == length)
    };
    let longest = (0..4).find_map(|less| of_length(MAX_TOKEN_BYTES - less)).unwrap();
    assert!(longest.len() + 4 > MAX_TOKEN_BYTES);
    table.token("as long as a token may be", longest.clone(), ALLOW);
    table.token("one byte longer", "a".repeat(MAX_TOKEN_BYTES + 1), TOO_LONG);
    for (name, size) in [("1 MiB", 1 << 20), ("6 MiB", 6 << 20)] {
        let payload = claims_with(json!({"x": "a".repeat(size * 3 / 4)}));
        table.token(format!("{name}, signed"), K1.token(&payload), TOO_LONG);
        table.token(format!("{name} of dots"), ".".repeat(size), TOO_LONG);
        table.token(
            format!("{name} of open brackets"),
            format!("{}.e30.AA", b64("[".repeat(size))),
            TOO_LONG,
        );
        table.token(
            format!("{name} of signature"),
            format!("{longest}{}", "A".repeat(size)),
            TOO_LONG,
        );
        table.event(format!("{name} of spaces"), event(&" ".repeat(size)), "token_missing");
        table.event(format!("{name} without a scheme"), event(&"a".repeat(size)), TOO_LONG);
    }
}
