//! Forged PKCS#1 v1.5 paddings.

use super::*;

#[test]
fn each_gets_exactly_its_reason() {
    check(forged_paddings);
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
