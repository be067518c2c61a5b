//! Principals and required claims of the wrong kind.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    check(principals);
}

fn principals(table: &mut Table) {
    table.group("`sub` and required claims of the wrong kind");
    for (sub, expected) in [
        (json!(""), INVALID),
        (json!(" "), INVALID),
        (json!("\u{3000}"), INVALID),
        (json!("user\n{\"decision\":\"allow\"}"), INVALID),
        (json!("user\r\nX-Admin: 1"), INVALID),
        (json!("user\0"), INVALID),
        (json!("user\u{85}"), INVALID),
        (json!("user\u{1b}[2J"), INVALID),
        (json!(5), INVALID),
        (json!(["user"]), INVALID),
        (json!({"sub": "user"}), INVALID),
        (json!(null), MISSING),
        (json!("\"},{\"Effect\":\"Allow\""), ALLOW),
    ] {
        table.token(format!("sub {sub}"), K1.token(&claims_with(json!({"sub": sub}))), expected);
    }
    table.token("no sub", K1.token(&without("sub")), MISSING);
    let settings = [("REQUIRED_CLAIMS", r#"{"role": "admin", "/level/is": [2, true]}"#.to_owned())];
    for (role, level, expected) in [
        (json!("admin"), json!(2), ALLOW),
        (json!(["user", "admin"]), json!(true), ALLOW),
        (json!("Admin"), json!(2), INVALID),
        (json!("admin "), json!(2), INVALID),
        (json!("administrator"), json!(2), INVALID),
        (json!({"admin": true}), json!(2), INVALID),
        (json!([["admin"]]), json!(2), INVALID),
        (json!([]), json!(2), INVALID),
        (json!("admin"), json!("2"), INVALID),
        (json!("admin"), json!("true"), INVALID),
        (json!("admin"), json!(1), INVALID),
        (json!("admin"), json!(null), MISSING),
        (json!(null), json!(2), MISSING),
    ] {
        let token = K1.token(&claims_with(json!({"role": role, "level": {"is": level}})));
        table.token_under(&settings, format!("role {role}, level {level}"), token, expected);
    }
}
