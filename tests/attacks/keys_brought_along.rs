//! Keys that a token brings along: `jwk`, `jku`, `x5u`, `x5c`.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    let attacker = Idp::start();
    let honest = Idp::start();
    check(|table| keys_brought_along(table, &attacker, &honest));
    assert_eq!(attacker.connections(), 0, "the attacker's server was asked");
}

fn keys_brought_along(table: &mut Table, attacker: &Idp, honest: &Idp) {
    table.group("`jwk`, `jku`, `x5u`, `x5c` in the header");
    let own = SigningKey::rsa_other("k1", 1);
    attacker.serve(&[&own]);
    honest.serve(&[&K1]);
    let network =
        [("ISSUER", honest.issuer()), ("JWKS_URI", honest.jwks_uri()), ("JWKS", String::new())];
    let certificate = b64(own.spki_der());
    let members = [
        ("jwk", own.jwk()),
        ("jku", json!(attacker.jwks_uri())),
        ("jku", json!(format!("{ISSUER}@{}", attacker.jwks_uri().trim_start_matches("http://")))),
        ("x5u", json!(attacker.issuer() + "/certificate.pem")),
        ("x5c", json!([certificate])),
        ("x5t", json!("dGh1bWI")),
        ("x5t#S256", json!("dGh1bWI")),
    ];
    for (member, value) in members {
        for (kid, expected) in [(Some("k1"), SIGNATURE), (Some("own"), KEY), (None, SIGNATURE)] {
            let mut header = json!({"alg": "RS256", "typ": "JWT", member: value});
            if let Some(kid) = kid {
                header["kid"] = json!(kid);
            }
            let name = format!("{member} {value:.20}, kid {kid:?}");
            table.token(name.clone(), own.token_with(&header, &claims()), expected);
            let token = own.token_with(&header, &claims_with(json!({"iss": honest.issuer()})));
            table.token_under(&network, format!("{name}, keys of a provider"), token, expected);
        }
        let header = json!({"alg": "RS256", "kid": "k1", member: value});
        table.token(
            format!("{member} in a good token is not looked at"),
            K1.token_with(&header, &claims()),
            ALLOW,
        );
    }
    let kid = json!({"alg": "RS256", "kid": attacker.jwks_uri()});
    table.token("kid is the address of a key set", own.token_with(&kid, &claims()), KEY);
    let issuer = claims_with(json!({"iss": attacker.issuer()}));
    table.token_under(&network, "iss is the attacker's provider", own.token(&issuer), UNTRUSTED);
}
