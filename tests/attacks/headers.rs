//! Headers that would have to be understood.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    check(headers);
}

fn headers(table: &mut Table) {
    table.group("`crit`, `b64`, `zip`, `typ`");
    let with = |changes: Value| {
        K1.token_with(
            &merged(json!({"alg": "RS256", "kid": "k1", "typ": "JWT"}), changes),
            &claims(),
        )
    };
    for crit in [
        json!(["exp"]),
        json!([]),
        json!("exp"),
        json!(null),
        json!(["b64"]),
        json!(["alg"]),
        json!([1]),
    ] {
        table.token(format!("crit {crit}"), with(json!({"crit": crit})), CRITICAL);
    }
    for b64 in [json!(false), json!(true), json!(null), json!("false")] {
        table.token(format!("b64 {b64}"), with(json!({"b64": b64})), CRITICAL);
    }
    table.token("b64 with crit", with(json!({"b64": false, "crit": ["b64"]})), CRITICAL);
    for zip in [json!("DEF"), json!("GZ"), json!(null), json!(1)] {
        table.token(format!("zip {zip}"), with(json!({"zip": zip})), MALFORMED);
    }
    for typ in [
        "JWE",
        "JOSE",
        "JOSE+JSON",
        "secevent+jwt",
        "logout+jwt",
        "dpop+jwt",
        "at+jwt ",
        "",
        "text/jwt",
    ] {
        table.token(format!("typ {typ:?}"), with(json!({"typ": typ})), TYPE);
    }
    for typ in ["jwt", "AT+JWT", "application/at+jwt"] {
        table.token(format!("typ {typ:?} is one of ours"), with(json!({"typ": typ})), ALLOW);
    }
}
