//! Times of any type and size.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    check(times);
}

fn times(table: &mut Table) {
    table.group("`exp`, `nbf`, `iat` of any type and size");
    let now = tokens::now();
    let text = (now + 600).to_string();
    let (expired, early) = ("token_expired", "token_not_yet_valid");
    for (value, exp, nbf, iat) in [
        (json!(text), INVALID, INVALID, INVALID),
        (json!(""), INVALID, INVALID, INVALID),
        (json!(null), MISSING, INVALID, INVALID),
        (json!(true), INVALID, INVALID, INVALID),
        (json!([now + 600]), INVALID, INVALID, INVALID),
        (json!({"value": now + 600}), INVALID, INVALID, INVALID),
        (json!(0), expired, ALLOW, ALLOW),
        (json!(-1), expired, ALLOW, ALLOW),
        (json!(-0.0), expired, ALLOW, ALLOW),
        (json!(i64::MIN), expired, ALLOW, ALLOW),
        (json!(f64::MIN), expired, ALLOW, ALLOW),
        (json!(f64::MIN_POSITIVE), expired, ALLOW, ALLOW),
        (json!(now as f64 - 0.5), expired, ALLOW, ALLOW),
        (json!(now as f64 + 600.5), ALLOW, early, ALLOW),
        (json!((now + 600) * 1000), INVALID, early, ALLOW),
        (json!(i64::MAX), INVALID, early, ALLOW),
        (json!(u64::MAX), INVALID, early, ALLOW),
        (json!(f64::MAX), INVALID, early, ALLOW),
    ] {
        for (name, expected) in [("exp", exp), ("nbf", nbf), ("iat", iat)] {
            for leeway in ["0", "300"] {
                let token = K1.token(&claims_with(json!({name: value})));
                let settings = [("LEEWAY_SECONDS", leeway.to_owned())];
                let name = format!("{name} {value}, leeway {leeway}");
                // Half a second is within the leeway.
                let in_leeway = leeway == "300" && value == json!(now as f64 - 0.5);
                table.token_under(&settings, name, token, if in_leeway { ALLOW } else { expected });
            }
        }
    }
    let limited = [("MAX_TOKEN_SECONDS", "86400".to_owned())];
    for (ahead, expected) in [(30, ALLOW), (3600, INVALID)] {
        let claims = claims_with(json!({"iat": now + ahead, "exp": now + 7200}));
        table.token_under(&limited, format!("dated ahead by {ahead}"), K1.token(&claims), expected);
        let claims = claims_with(json!({"nbf": now + ahead}));
        let expected = if expected == ALLOW { ALLOW } else { early };
        table.token_under(&[], format!("valid in {ahead}"), K1.token(&claims), expected);
    }
    table.token("no exp", K1.token(&without("exp")), MISSING);
    table.token("no nbf, no iat", K1.token(&merged(without("nbf"), json!({"iat": 1}))), ALLOW);
}
