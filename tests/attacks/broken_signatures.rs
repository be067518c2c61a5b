//! Signatures cut, extended, zeroed, changed.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    check(broken_signatures);
}

fn broken_signatures(table: &mut Table) {
    table.group("signature cut, extended, zeroed, changed");
    let (ec, p384, ed) =
        (SigningKey::es256("k1"), SigningKey::es384("k1"), SigningKey::ed25519("k1"));
    let secret = SigningKey::hmac("k1", &[7; 32]);
    for key in [&*K1, &ec, &p384, &ed, &secret] {
        let settings = [("ALGORITHMS", key.alg().to_owned()), ("JWKS", set(&[&key.jwk()]))];
        let signed = |claims: Value| {
            let token = key.token(&claims);
            let (signed, _) = token.rsplit_once('.').unwrap();
            (signed.to_owned(), key.sign(signed.as_bytes()))
        };
        let (message, signature) = signed(claims());
        let (_, another) = signed(claims_with(json!({"sub": "admin"})));
        let flipped = |bit: usize| {
            let mut signature = signature.clone();
            signature[bit / 8] ^= 1 << (bit % 8);
            signature
        };
        let (half, bits) = (signature.len() / 2, signature.len() * 8);
        let mut rows = vec![
            ("as it is".to_owned(), signature.clone(), ALLOW),
            ("of other claims".to_owned(), another, SIGNATURE),
            ("first byte cut".to_owned(), signature[1..].to_vec(), SIGNATURE),
            ("last byte cut".to_owned(), signature[..signature.len() - 1].to_vec(), SIGNATURE),
            ("one byte left".to_owned(), signature[..1].to_vec(), SIGNATURE),
            ("half".to_owned(), signature[..half].to_vec(), SIGNATURE),
            ("zero before".to_owned(), [&[0][..], &signature].concat(), SIGNATURE),
            ("zero after".to_owned(), [&signature[..], &[0]].concat(), SIGNATURE),
            ("twice".to_owned(), signature.repeat(2), SIGNATURE),
            (
                "halves swapped".to_owned(),
                [&signature[half..], &signature[..half]].concat(),
                SIGNATURE,
            ),
            ("all zeros".to_owned(), vec![0; signature.len()], SIGNATURE),
            ("one".to_owned(), [vec![0; signature.len() - 1], vec![1]].concat(), SIGNATURE),
            ("all ones".to_owned(), vec![0xff; signature.len()], SIGNATURE),
            ("12 KiB".to_owned(), vec![0x5a; 11 * 1024], SIGNATURE),
        ];
        rows.extend(
            [0, 1, 7, half * 8, bits / 3, bits - 1]
                .map(|bit| (format!("bit {bit}"), flipped(bit), SIGNATURE)),
        );
        for (name, signature, expected) in rows {
            let token = format!("{message}.{}", b64(signature));
            table.token_under(&settings, format!("{}: {name}", key.alg()), token, expected);
        }
        let message = message.replacen('.', &format!(".{}", b64("{")), 1);
        let token = format!("{message}.{}", b64(&signature));
        table.token_under(&settings, format!("{}: payload changed", key.alg()), token, MALFORMED);
    }
    let settings = [("ALGORITHMS", "ES256".to_owned()), ("JWKS", set(&[&ec.jwk()]))];
    let token = ec.token(&claims());
    let (message, _) = token.rsplit_once('.').unwrap();
    let fixed = ec.sign(message.as_bytes());
    let (r, s) = fixed.split_at(32);
    let integer = |number: &[u8]| {
        let number = BigUint::from_bytes_be(number).to_bytes_be();
        let number = if number[0] < 0x80 { number } else { [&[0][..], &number].concat() };
        [&[2, number.len() as u8][..], &number].concat()
    };
    let body = [integer(r), integer(s)].concat();
    let der = [&[0x30, body.len() as u8][..], &body].concat();
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let order = BigUint::parse_bytes(order.as_bytes(), 16).unwrap().to_bytes_be();
    for (name, signature) in [
        ("ES256: in DER", der),
        ("ES256: r is zero", [&[0; 32][..], s].concat()),
        ("ES256: s is zero", [r, &[0; 32]].concat()),
        ("ES256: r and s are the order of the curve", order.repeat(2)),
        ("ES256: the point as signature", ec.spki_der()[27..].to_vec()),
    ] {
        table.token_under(&settings, name, format!("{message}.{}", b64(signature)), SIGNATURE);
    }
}
