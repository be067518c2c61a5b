//! Keys of others: another key, another issuer's.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    let honest = Idp::start();
    check(|table| keys_of_others(table, &honest));
}

fn keys_of_others(table: &mut Table, honest: &Idp) {
    table.group("signed by another key, or by another issuer's");
    let other = SigningKey::rsa_other("k1", 1);
    let (k2, secret) = (SigningKey::rsa_other("k2", 0), SigningKey::hmac("k1", &[7; 32]));
    table.token("another key under the same kid", other.token(&claims()), SIGNATURE);
    table.token("another key and kid", k2.token(&claims()), KEY);
    let no_kid = |key: &SigningKey| key.token_with(&json!({"alg": key.alg()}), &claims());
    table.token("no kid", no_kid(&K1), ALLOW);
    table.token("another key, no kid", no_kid(&other), SIGNATURE);
    table.token_under(
        &[("JWKS", tokens::jwks(&[&K1, &k2]).to_string())],
        "no kid, two keys fit",
        no_kid(&K1),
        ALLOW,
    );

    let second = "https://second.example.com";
    let issuers = json!([
        {"issuer": ISSUER, "audience": AUDIENCE, "jwks": tokens::jwks(&[&K1])},
        {"issuer": second, "audience": AUDIENCE, "jwks": tokens::jwks(&[&other, &k2, &secret]), "algorithms": ["RS256", "HS256"]},
    ]);
    let settings = ["ISSUER", "AUDIENCE", "JWKS"].map(|name| (name, String::new()));
    let settings = [&settings[..], &[("ISSUERS", issuers.to_string())]].concat();
    let of = |issuer: &str| claims_with(json!({"iss": issuer}));
    for (name, token, expected) in [
        ("first issuer", K1.token(&of(ISSUER)), ALLOW),
        ("second issuer", other.token(&of(second)), ALLOW),
        ("second issuer's secret", secret.token(&of(second)), ALLOW),
        ("second issuer's key for the first, same kid", other.token(&of(ISSUER)), SIGNATURE),
        ("second issuer's key for the first, its own kid", k2.token(&of(ISSUER)), KEY),
        ("second issuer's secret for the first", secret.token(&of(ISSUER)), ALGORITHM),
        ("first issuer's key for the second", K1.token(&of(second)), SIGNATURE),
        ("an issuer nobody knows", K1.token(&of("https://third.example.com")), UNTRUSTED),
    ] {
        table.token_under(&settings, name, token, expected);
    }
    // A secret that everybody can read is none.
    honest.serve(&[&K1, &SigningKey::hmac("hs", &[7; 64])]);
    let configured = tokens::jwks(&[&SigningKey::hmac("configured", &[9; 64])]).to_string();
    let settings = [
        ("ISSUER", honest.issuer()),
        ("JWKS_URI", honest.jwks_uri()),
        ("JWKS", configured),
        ("ALGORITHMS", "RS256 HS256".to_owned()),
    ];
    let token = SigningKey::hmac("hs", &[7; 64]).token(&of(&honest.issuer()));
    table.token_under(&settings, "a symmetric key from the network", token, KEY);
}
