//! Issuers that are nearly right.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    check(issuers);
}

fn issuers(table: &mut Table) {
    table.group("`iss` that is nearly right");
    for iss in [
        json!(&ISSUER[..ISSUER.len() - 1]),
        json!(format!("{ISSUER}/")),
        json!(format!("{ISSUER}.")),
        json!(format!("{ISSUER}\0")),
        json!(format!("{ISSUER} ")),
        json!(format!(" {ISSUER}")),
        json!(format!("{ISSUER}\n")),
        json!(format!("{ISSUER}?")),
        json!(format!("{ISSUER}#")),
        json!(format!("{ISSUER}:443")),
        json!(format!("{ISSUER}.evil.example")),
        json!(format!("{ISSUER}@evil.example")),
        json!(format!("{ISSUER}\u{200b}")),
        json!("https://ISSUER.example.com"),
        json!("HTTPS://issuer.example.com"),
        json!("http://issuer.example.com"),
        json!("//issuer.example.com"),
        json!("issuer.example.com"),
        json!("https://\u{456}ssuer.example.com"),
        json!(""),
        json!(null),
        json!(5),
        json!(true),
        json!([ISSUER]),
        json!({"iss": ISSUER}),
    ] {
        table.token(format!("iss {iss}"), K1.token(&claims_with(json!({"iss": iss}))), UNTRUSTED);
    }
    table.token("no iss", K1.token(&without("iss")), UNTRUSTED);
}
