//! Weak keys, and keys for something else.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    check(unusable_keys);
}

fn unusable_keys(table: &mut Table) {
    table.group("weak keys, keys for something else");
    let n = K1.modulus();
    let with = |changes: Value| merged(K1.jwk(), changes);
    let without = |bytes: &[u8], bit: u8| [&[bytes[0] & !bit][..], &bytes[1..]].concat();
    let last = |byte: u8| [&n[..n.len() - 1], &[byte]].concat();
    let rows = [
        ("good", with(json!({})), ALLOW),
        ("512 bits", with(json!({"n": b64([&[0x80][..], &n[193..]].concat())})), KEY),
        ("1024 bits", with(json!({"n": b64([&[0x80][..], &n[129..]].concat())})), KEY),
        ("2047 bits", with(json!({"n": b64([&[0x7f][..], &n[1..]].concat())})), KEY),
        ("8200 bits", with(json!({"n": b64([&[0x80][..], &vec![0x5a; 768], &n].concat())})), KEY),
        ("no bits", with(json!({"n": ""})), KEY),
        ("zero", with(json!({"n": b64([0; 256])})), KEY),
        ("even modulus", with(json!({"n": b64(last(0xfe))})), KEY),
        ("exponent 0", with(json!({"e": "AA"})), KEY),
        ("exponent 1", with(json!({"e": "AQ"})), KEY),
        ("exponent 2", with(json!({"e": "Ag"})), KEY),
        ("exponent 65536", with(json!({"e": "AQAA"})), KEY),
        ("exponent of 40 bits", with(json!({"e": "gAAAAAE"})), KEY),
        ("exponent of 2048 bits", with(json!({"e": b64(&n)})), KEY),
        (
            "1024 bits behind zeros",
            with(json!({"n": b64([&[0; 128][..], &[0x80], &n[129..]].concat())})),
            KEY,
        ),
        ("another modulus", with(json!({"n": b64(last(n[255] ^ 2))})), SIGNATURE),
        ("modulus in hexadecimal", with(json!({"n": "c5".repeat(256)})), SIGNATURE),
        ("modulus is a number", with(json!({"n": 5})), KEY),
        ("for encryption", with(json!({"use": "enc"})), KEY),
        ("use in another case", with(json!({"use": "SIG"})), KEY),
        ("use is an array", with(json!({"use": ["sig"]})), KEY),
        ("key_ops sign", with(json!({"key_ops": ["sign"]})), KEY),
        ("key_ops null in an array", with(json!({"key_ops": [null]})), KEY),
        ("key_ops a string", with(json!({"key_ops": "verify"})), KEY),
        ("key_ops verify", with(json!({"key_ops": ["verify"]})), ALLOW),
        ("alg RSA-OAEP", with(json!({"alg": "RSA-OAEP"})), KEY),
        ("alg RS512", with(json!({"alg": "RS512"})), KEY),
        ("alg none", with(json!({"alg": "none"})), KEY),
        ("alg SHA256withRSA", with(json!({"alg": "SHA256withRSA"})), KEY),
        ("kty EC", with(json!({"kty": "EC"})), KEY),
        ("kty rsa", with(json!({"kty": "rsa"})), KEY),
        ("kid is a number", with(json!({"kid": 1})), KEY),
    ];
    let spare = SigningKey::rsa_other("spare", 0).jwk();
    for (name, jwk, expected) in rows {
        table.token_under(&[("JWKS", set(&[&jwk, &spare]))], name, good(), expected);
    }
    // With an exponent of 1, the padded hash is its own signature.
    let raw = RawKey::generate();
    let message = raw.signed_part();
    let hash = digest::digest(&SHA256, message.as_bytes());
    let info = [0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20];
    let block = [&[0, 1][..], &[0xff; 202], &[0], &info, hash.as_ref()].concat();
    let settings = [("JWKS", set(&[&raw.jwk(1), &spare]))];
    table.token_under(&settings, "exponent 1, forged", format!("{message}.{}", b64(block)), KEY);

    // Under a point of small order, R = the identity and S = 0 are a signature of some messages, or of all. Little
    // endian y; the last three are 0, 1 and -1 with p added, and the sign of x is the highest bit.
    let (zeros, ones) = ("00".repeat(31), "ff".repeat(30));
    let identity = [&[1][..], &[0; 63]].concat();
    for (order, y) in [
        ("1", format!("01{zeros}")),
        ("2", format!("ec{ones}7f")),
        ("4", format!("00{zeros}")),
        ("8", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05".to_owned()),
        ("8", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a".to_owned()),
        ("4, not canonical", format!("ed{ones}7f")),
        ("1, not canonical", format!("ee{ones}7f")),
    ] {
        let digits: Vec<_> = y.bytes().collect();
        let bytes = digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap());
        let x: Vec<u8> = bytes.collect();
        for sign in [0, 0x80] {
            let x = [&x[..31], &[x[31] | sign]].concat();
            let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": b64(&x)});
            let spare = SigningKey::ed25519("spare").jwk();
            let settings = [("ALGORITHMS", "EdDSA".to_owned()), ("JWKS", set(&[&jwk, &spare]))];
            for sub in ["a", "b", "c", "d"] {
                let header = json!({"alg": "EdDSA", "kid": "k1"}).to_string();
                let message = format!(
                    "{}.{}",
                    b64(header),
                    b64(merged(claims(), json!({"sub": sub})).to_string())
                );
                let token = format!("{message}.{}", b64(&identity));
                table.token_under(
                    &settings,
                    format!("Ed25519 key of order {order}, sign {sign}, {sub}"),
                    token,
                    KEY,
                );
            }
        }
    }

    let ec = SigningKey::es256("k1");
    let (jwk, spare) = (ec.jwk(), SigningKey::es256("spare").jwk());
    let x = b64(without(&[0xff; 32], 0x80));
    for (name, changes, expected) in [
        ("good P-256 key", json!({}), ALLOW),
        ("P-256 point not on the curve", json!({"x": x}), KEY),
        ("P-256 point at infinity", json!({"x": b64([0; 32]), "y": b64([0; 32])}), KEY),
        ("P-256 key said to be P-384", json!({"crv": "P-384"}), KEY),
        ("P-256 key said to be secp256k1", json!({"crv": "secp256k1"}), KEY),
        ("P-256 coordinate cut", json!({"y": b64([1; 31])}), KEY),
        ("P-256 without y", json!({"y": ""}), KEY),
    ] {
        let settings = [
            ("ALGORITHMS", "ES256".into()),
            ("JWKS", set(&[&merged(jwk.clone(), changes), &spare])),
        ];
        table.token_under(&settings, name, ec.token(&claims()), expected);
    }
    for (alg, length, expected) in [
        ("HS256", 31, KEY),
        ("HS256", 32, ALLOW),
        ("HS384", 47, KEY),
        ("HS384", 48, ALLOW),
        ("HS512", 63, KEY),
        ("HS512", 64, ALLOW),
    ] {
        let key = SigningKey::hmac("k1", &vec![7; length]).with_alg(alg);
        let long = SigningKey::hmac("spare", &[9; 64]).with_alg(alg);
        let settings =
            [("ALGORITHMS", alg.to_owned()), ("JWKS", tokens::jwks(&[&key, &long]).to_string())];
        table.token_under(
            &settings,
            format!("{alg} with {length} bytes"),
            key.token(&claims()),
            expected,
        );
    }
}
