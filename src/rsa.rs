//! The cryptography of `jsonwebtoken`, with RSA keys that stay parsed.
//!
//! `jsonwebtoken` 11 holds a key as bytes and has aws-lc parse an RSA key for every signature: 6 % of the CPU time of
//! a whole invocation. It takes its cryptography from a provider, a table of plain functions; this one differs from
//! the one that it brings along in that alone.

use std::cell::RefCell;

use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};
use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils, aws_lc};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};

static PROVIDER: CryptoProvider = CryptoProvider {
    verifier_factory: verifier,
    signer_factory: aws_lc::DEFAULT_PROVIDER.signer_factory,
    key_utils: KeyUtils::new_unimplemented(),
};

/// How many parsed keys are kept, those used last: far more than sign at a time.
const KEPT: usize = 64;

thread_local! {
    /// By nothing but their bytes, so that whose they are and what they may be used for is decided elsewhere.
    static PARSED: RefCell<Vec<Parsed>> = const { RefCell::new(Vec::new()) };
}

struct Parsed {
    algorithm: Algorithm,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    key: ParsedPublicKey,
}

/// Has `jsonwebtoken` use this provider, in the whole process.
pub(crate) fn keep_parsed() {
    // An error says that it was done before.
    let _ = PROVIDER.install_default();
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    match (parameters(*algorithm), key.kind()) {
        (Some(parameters), DecodingKeyKind::RsaModulusExponent { n, e }) => {
            let key = parsed(*algorithm, parameters, n, e).ok_or(ErrorKind::InvalidKeyFormat)?;
            Ok(Box::new(RsaVerifier { algorithm: *algorithm, key }))
        }
        _ => (aws_lc::DEFAULT_PROVIDER.verifier_factory)(algorithm, key),
    }
}

/// As `jsonwebtoken` chooses them.
fn parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

fn parsed(algorithm: Algorithm, parameters: &'static RsaParameters, n: &[u8], e: &[u8]) -> Option<ParsedPublicKey> {
    PARSED.with_borrow_mut(|kept| {
        let is_it = |known: &Parsed| known.algorithm == algorithm && known.modulus == n && known.exponent == e;
        match kept.iter().position(is_it) {
            Some(place) => kept[..=place].rotate_right(1),
            None => {
                let key = RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters).ok()?;
                kept.truncate(KEPT - 1);
                kept.insert(0, Parsed { algorithm, modulus: n.to_vec(), exponent: e.to_vec(), key });
            }
        }
        Some(kept[0].key.clone())
    })
}

/// Checks the signatures of one algorithm under one key.
struct RsaVerifier {
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

impl Verifier<Vec<u8>> for RsaVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        self.key.verify_sig(message, signature).map_err(Error::from_source)
    }
}

impl JwtVerifier for RsaVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::tokens::SigningKey;

    const F4: &[u8] = &[1, 0, 1];

    /// Makes room in the list of this thread, which other tests may have had before.
    fn forget() {
        PARSED.with_borrow_mut(Vec::clear);
    }

    fn kept() -> Vec<(Algorithm, u8)> {
        PARSED.with_borrow(|kept| kept.iter().map(|parsed| (parsed.algorithm, parsed.modulus[1])).collect())
    }

    #[test]
    fn it_judges_as_the_one_that_jsonwebtoken_brings_along() {
        forget();
        let (key, other) = (SigningKey::rsa("k"), SigningKey::rsa_other("k", 1));
        let decoding = |key: &SigningKey| DecodingKey::from_rsa_raw_components(&key.modulus(), F4);
        let algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
        for (alg, signed_by) in algorithms.iter().flat_map(|alg| algorithms.map(|by| (*alg, key.with_alg(by)))) {
            let algorithm: Algorithm = alg.parse().unwrap();
            let good = signed_by.sign(b"message");
            let mut changed = good.clone();
            changed[100] ^= 1;
            let is_own = signed_by.alg() == alg;
            for (key, message, signature, expected) in [
                (&key, &b"message"[..], &good, is_own),
                (&key, b"Message", &good, false),
                (&key, b"message", &changed, false),
                (&key, b"message", &good[1..].to_vec(), false),
                (&key, b"message", &Vec::new(), false),
                (&other, b"message", &good, false),
            ] {
                for factory in [PROVIDER.verifier_factory, aws_lc::DEFAULT_PROVIDER.verifier_factory] {
                    let verifier = factory(&algorithm, &decoding(key)).unwrap();
                    assert_eq!(verifier.algorithm(), algorithm);
                    assert_eq!(verifier.verify(message, signature).is_ok(), expected, "{alg} {}", signed_by.alg());
                }
            }
        }
        assert_eq!(kept().len(), 2 * algorithms.len(), "each key is parsed once for each algorithm");
    }

    #[test]
    fn other_keys_are_left_to_it() {
        forget();
        let (rsa, secret) = (SigningKey::rsa("k"), SigningKey::hmac("s", &[7; 64]));
        let (rsa_key, secret_key) =
            (DecodingKey::from_rsa_raw_components(&rsa.modulus(), F4), DecodingKey::from_secret(&[7; 64]));
        let checked = verifier(&Algorithm::HS256, &secret_key).unwrap();
        assert!(checked.verify(b"message", &secret.sign(b"message")).is_ok());
        assert!(checked.verify(b"Message", &secret.sign(b"message")).is_err());
        for (algorithm, key) in [
            (Algorithm::RS256, &secret_key),
            (Algorithm::HS256, &rsa_key),
            (Algorithm::ES256, &rsa_key),
            (Algorithm::EdDSA, &rsa_key),
        ] {
            assert!(verifier(&algorithm, key).is_err(), "{algorithm:?} under a key of another family");
        }
        assert_eq!(kept(), []);
    }

    #[test]
    fn the_keys_used_last_are_kept() {
        forget();
        let ask = |n: u8| {
            let mut modulus = vec![0xff; 256];
            modulus[1] = n;
            parsed(Algorithm::RS256, &signature::RSA_PKCS1_2048_8192_SHA256, &modulus, F4).unwrap();
        };
        let last = KEPT as u8;
        (0..last).for_each(ask);
        ask(0);
        ask(last);
        let expected: Vec<_> = [last, 0].into_iter().chain((2..last).rev()).map(|n| (Algorithm::RS256, n)).collect();
        assert_eq!(kept(), expected, "1 made room");
        let parameters = &signature::RSA_PKCS1_2048_8192_SHA256;
        assert!(parsed(Algorithm::RS256, parameters, &[], F4).is_none(), "no modulus");
        assert_eq!(kept(), expected);
    }
}
