//! Another algorithm than the list or the key allows.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    check(other_algorithms);
}

fn other_algorithms(table: &mut Table) {
    table.group("another algorithm than the list or the key allows");
    let all = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 EdDSA";
    let mut silent = K1.jwk();
    silent.as_object_mut().unwrap().remove("alg");
    for alg in ["RS384", "RS512", "PS256", "PS384", "PS512"] {
        let token = K1.with_alg(alg).token(&claims());
        table.token(format!("{alg} under RS256 only"), token.clone(), ALGORITHM);
        let settings = [("ALGORITHMS", all.to_owned()), ("JWKS", set(&[&K1.jwk()]))];
        table.token_under(&settings, format!("{alg} with a key for RS256"), token.clone(), KEY);
        let settings = [("ALGORITHMS", all.to_owned()), ("JWKS", set(&[&silent]))];
        table.token_under(&settings, format!("{alg} with a key for any"), token, ALLOW);
        let as_rs256 =
            K1.with_alg(alg).token_with(&json!({"alg": "RS256", "kid": "k1"}), &claims());
        table.token_under(&settings, format!("{alg} said to be RS256"), as_rs256, SIGNATURE);
        let said = K1.token_with(&json!({"alg": alg, "kid": "k1"}), &claims());
        table.token_under(&settings, format!("RS256 said to be {alg}"), said, SIGNATURE);
    }
    for alg in [
        "rs256", "Rs256", "RS256 ", "RS-256", "RS1", "RSA-OAEP", "ES512", "ES256K", "Ed448", "HS1",
        "dir",
    ] {
        table.token(alg, K1.token_with(&json!({"alg": alg, "kid": "k1"}), &claims()), ALGORITHM);
    }
    let (p256, p384, ed) =
        (SigningKey::es256("k1"), SigningKey::es384("k1"), SigningKey::ed25519("k1"));
    for (key, others) in
        [(&p256, ["ES384", "EdDSA"]), (&p384, ["ES256", "EdDSA"]), (&ed, ["ES256", "RS256"])]
    {
        let settings = [("ALGORITHMS", all.to_owned()), ("JWKS", set(&[&key.jwk()]))];
        for other in others {
            let token = key.token_with(&json!({"alg": other, "kid": "k1"}), &claims());
            table.token_under(
                &settings,
                format!("{} key, said to be {other}", key.alg()),
                token,
                KEY,
            );
        }
    }
    let settings = [("ALGORITHMS", "EdDSA".to_owned()), ("JWKS", set(&[&ed.jwk()]))];
    let by_name = ed.token_with(&json!({"alg": "Ed25519", "kid": "k1"}), &claims());
    table.token_under(&settings, "Ed25519 is EdDSA by another name", by_name, ALLOW);
}
