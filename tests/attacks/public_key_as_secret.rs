//! HMAC with the public key as the secret.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    check(public_key_as_secret);
}

fn public_key_as_secret(table: &mut Table) {
    table.group("HMAC with the public key as the secret");
    let pkcs1 = pem("RSA PUBLIC KEY", &K1.pkcs1_der());
    let secrets: Vec<(&str, Vec<u8>)> = vec![
        ("SPKI PEM", K1.spki_pem().into()),
        ("SPKI PEM without the last line end", K1.spki_pem().trim_end().into()),
        ("SPKI PEM with CRLF", K1.spki_pem().replace('\n', "\r\n").into()),
        ("SPKI DER", K1.spki_der()),
        ("PKCS#1 PEM", pkcs1.clone().into()),
        ("PKCS#1 PEM without the last line end", pkcs1.trim_end().into()),
        ("PKCS#1 DER", K1.pkcs1_der()),
        ("JWK", K1.jwk().to_string().into()),
        ("JWKS", tokens::jwks(&[&K1]).to_string().into()),
        ("modulus", K1.modulus()),
        ("modulus with a leading zero", [&[0][..], &K1.modulus()].concat()),
        ("modulus in base64url", b64(K1.modulus()).into()),
        ("key id", "k1".into()),
        ("nothing", vec![]),
    ];
    let mut silent = K1.jwk();
    silent.as_object_mut().unwrap().remove("alg");
    for (name, secret) in &secrets {
        for alg in ["HS256", "HS384", "HS512"] {
            let token = SigningKey::hmac("k1", secret).with_alg(alg).token(&claims());
            table.token(format!("{alg}, {name}"), token.clone(), ALGORITHM);
            let settings =
                [("ALGORITHMS", "RS256 HS256 HS384 HS512".to_owned()), ("JWKS", set(&[&silent]))];
            table.token_under(&settings, format!("{alg} allowed as well, {name}"), token, KEY);
        }
    }
    let ec = SigningKey::es256("k1");
    let settings = [("ALGORITHMS", "ES256 HS256".to_owned()), ("JWKS", set(&[&ec.jwk()]))];
    for (name, secret) in [("DER", ec.spki_der()), ("PEM", ec.spki_pem().into())] {
        let token = SigningKey::hmac("k1", &secret).token(&claims());
        table.token_under(&settings, format!("HS256 with an EC key's SPKI {name}"), token, KEY);
    }
}
