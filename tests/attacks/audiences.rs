//! Audiences that are nearly right.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    check(audiences);
}

fn audiences(table: &mut Table) {
    table.group("`aud` that is nearly right");
    let mismatch = "audience_mismatch";
    for (aud, expected) in [
        (json!([AUDIENCE]), ALLOW),
        (json!(["other", AUDIENCE]), ALLOW),
        (json!(&AUDIENCE[..AUDIENCE.len() - 1]), mismatch),
        (json!(&AUDIENCE[1..]), mismatch),
        (json!(format!("{AUDIENCE}/")), mismatch),
        (json!(format!("{AUDIENCE}.evil.example")), mismatch),
        (json!(format!("{AUDIENCE} ")), mismatch),
        (json!(format!("{AUDIENCE}\0")), mismatch),
        (json!(format!("{AUDIENCE} other")), mismatch),
        (json!(format!("{AUDIENCE},other")), mismatch),
        (json!("https://PETS.example.com"), mismatch),
        (json!("*"), mismatch),
        (json!(".*"), mismatch),
        (json!(""), mismatch),
        (json!([]), mismatch),
        (json!(["other", ""]), mismatch),
        (json!([AUDIENCE, 5]), INVALID),
        (json!([null, AUDIENCE]), INVALID),
        (json!([[AUDIENCE]]), INVALID),
        (json!([{"aud": AUDIENCE}]), INVALID),
        (json!({AUDIENCE: true}), INVALID),
        (json!({}), INVALID),
        (json!(5), INVALID),
        (json!(true), INVALID),
        (json!(null), MISSING),
    ] {
        table.token(format!("aud {aud}"), K1.token(&claims_with(json!({"aud": aud}))), expected);
    }
    table.token("no aud", K1.token(&without("aud")), MISSING);
}
