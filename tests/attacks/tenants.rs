//! Tenants that are not on the list, or nearly are; keys that are another tenant's.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    check(tenants);
}

const NAME: &str = "https://issuer.example.com/{tid}/v2.0";

fn iss(tenant: &str) -> String {
    NAME.replace("{tid}", tenant)
}

fn of(iss: &str, tid: Value) -> Value {
    claims_with(json!({"iss": iss, "tid": tid}))
}

fn tenants(table: &mut Table) {
    table.group("a tenant that `iss`, claim and list do not agree about");
    let settings = |tenants: &str| [("ISSUER", NAME.to_owned()), ("TENANTS", tenants.to_owned())];
    let (list, all) = (settings("a, b"), settings("any"));
    for (settings, tenant, expected) in
        [(&list, "a", ALLOW), (&list, "b", ALLOW), (&list, "c", UNTRUSTED), (&all, "c", ALLOW)]
    {
        let token = K1.token(&of(&iss(tenant), json!(tenant)));
        table.token_under(settings, format!("{tenant} of {}", settings[1].1), token, expected);
    }
    let long = |length| "x".repeat(length);
    table.token_under(&all, "128", K1.token(&of(&iss(&long(128)), json!(long(128)))), ALLOW);
    for bad in [
        "",
        ".",
        "..",
        "a/b",
        "a%62",
        "a b",
        "a\\b",
        "a?",
        "a#",
        "a;b",
        "a:b",
        "a@b",
        "a*",
        "a\n",
        "a\0",
        "\u{e4}",
        "{tid}",
        "{tenantid}",
        &long(129),
    ] {
        table.token_under(
            &all,
            format!("{bad:?}"),
            K1.token(&of(&iss(bad), json!(bad))),
            UNTRUSTED,
        );
    }
    for (in_iss, tid) in [
        ("a", json!("b")),
        ("a", json!("A")),
        ("A", json!("A")),
        ("a", json!("a ")),
        ("a", json!(" a")),
        ("a", json!("a/v2.0")),
        ("a", json!(["a"])),
        ("a", json!({"a": "a"})),
        ("a", json!(null)),
        ("a", json!(true)),
        ("7", json!(7)),
        ("a/../b", json!("b")),
        ("%61", json!("a")),
        ("", json!("a")),
    ] {
        for settings in [&list, &all] {
            let agrees = settings == &all && tid == json!(in_iss);
            let expected = if agrees { ALLOW } else { UNTRUSTED };
            let token = K1.token(&of(&iss(in_iss), tid.clone()));
            table.token_under(settings, format!("iss {in_iss}, tid {tid}"), token, expected);
        }
    }
    let absent = K1.token(&claims_with(json!({"iss": iss("a")})));
    table.token_under(&all, "no tid", absent, UNTRUSTED);
    for near in [
        NAME.to_owned(),
        iss("a") + "/",
        iss("a").replace("https", "http"),
        iss("a").replace("/v2.0", ""),
        iss("a").replace("/v2.0", "/v1.0"),
        format!("https://evil.example/{}", iss("a")),
        format!("{}/{}", iss("a"), iss("a")),
    ] {
        table.token_under(&all, near.clone(), K1.token(&of(&near, json!("a"))), UNTRUSTED);
    }
    let twice = format!(
        r#"{{"iss":"{}","tid":"b","tid":"a","aud":"{AUDIENCE}","sub":"u","exp":4e9}}"#,
        iss("a")
    );
    let twice = K1.token_raw(br#"{"alg":"RS256","kid":"k1"}"#, twice.as_bytes());
    table.token_under(&all, "tid twice", twice, MALFORMED);

    table.group("a key that names other tenants than the token's");
    let named = |key: &SigningKey, issuer: Value| {
        let mut jwk = key.jwk();
        jwk["issuer"] = issuer;
        jwk
    };
    let keys: Vec<_> = ["any", "a", "b", "other", "number", "null"]
        .iter()
        .map(|kid| SigningKey::rsa(kid))
        .collect();
    let jwks = json!({"keys": [
        named(&keys[0], json!(iss("{tenantid}"))),
        named(&keys[1], json!(iss("a"))),
        named(&keys[2], json!(iss("b"))),
        named(&keys[3], json!("https://other.example.com/{tenantid}/v2.0")),
        named(&keys[4], json!(7)),
        named(&keys[5], json!(null)),
    ]});
    let tenants = [&all[..], &[("JWKS", jwks.to_string())]].concat();
    for (key, expected) in keys.iter().zip([ALLOW, ALLOW, KEY, KEY, KEY, KEY]) {
        let token = key.token(&of(&iss("a"), json!("a")));
        table.token_under(&tenants, format!("key `{}`", key.kid()), token, expected);
    }
    // An exact name beside it has the same keys, whatever they say.
    let both = format!("{NAME} {ISSUER}");
    let beside = [&tenants[..], &[("ISSUER", both)]].concat();
    for (key, expected) in keys.iter().zip([ALLOW, ALLOW, KEY, KEY, KEY, KEY]) {
        let token = key.token(&of(&iss("a"), json!("a")));
        table.token_under(&beside, format!("key `{}`, beside", key.kid()), token, expected);
        table.token_under(
            &beside,
            format!("key `{}`, exact", key.kid()),
            key.token(&claims()),
            ALLOW,
        );
    }
    // It goes first: the tenant's own claim says nothing then.
    let exact = [&tenants[..], &[("ISSUER", format!("{NAME} {}", iss("a")))]].concat();
    for tid in [json!("a"), json!("b"), json!(null)] {
        let token = keys[2].token(&of(&iss("a"), tid.clone()));
        table.token_under(&exact, format!("exact name, tid {tid}"), token, ALLOW);
    }
    let other = keys[2].token(&of(&iss("c"), json!("c")));
    table.token_under(&exact, "exact name of another tenant", other, KEY);
}
