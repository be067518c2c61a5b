//! Keys and the tokens they sign, good ones and any kind of bad one.
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaEncoding};
use aws_lc_rs::{hmac, signature::EcdsaSigningAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A private key, the key id it is published under, and the algorithm it signs with.
#[derive(Clone)]
pub(crate) struct SigningKey {
    kid: String,
    alg: &'static str,
    pair: Arc<Pair>,
}

enum Pair {
    Rsa(rsa::KeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Secret(Vec<u8>),
}

impl SigningKey {
    /// One RSA-2048 key for each key id, the same one whenever it is asked for.
    pub(crate) fn rsa(kid: &str) -> Self {
        Self::pooled_rsa(kid, 0, 2048)
    }

    /// Another key under the same key id; `n` tells several of them apart.
    pub(crate) fn rsa_other(kid: &str, n: u32) -> Self {
        Self::pooled_rsa(kid, n + 1, 2048)
    }

    pub(crate) fn rsa_bits(kid: &str, bits: u32) -> Self {
        Self::pooled_rsa(kid, 0, bits)
    }

    /// A fresh key at every call, as are the other keys that cost nothing to make.
    pub(crate) fn es256(kid: &str) -> Self {
        Self::ec(kid, "ES256", &signature::ECDSA_P256_SHA256_FIXED_SIGNING)
    }

    pub(crate) fn es384(kid: &str) -> Self {
        Self::ec(kid, "ES384", &signature::ECDSA_P384_SHA384_FIXED_SIGNING)
    }

    pub(crate) fn ed25519(kid: &str) -> Self {
        Self::new(kid, "EdDSA", Pair::Ed(Ed25519KeyPair::generate().unwrap()))
    }

    pub(crate) fn hmac(kid: &str, secret: &[u8]) -> Self {
        Self::new(kid, "HS256", Pair::Secret(secret.to_vec()))
    }

    fn new(kid: &str, alg: &'static str, pair: impl Into<Arc<Pair>>) -> Self {
        Self { kid: kid.to_owned(), alg, pair: pair.into() }
    }

    fn ec(kid: &str, alg: &'static str, curve: &'static EcdsaSigningAlgorithm) -> Self {
        Self::new(kid, alg, Pair::Ec(EcdsaKeyPair::generate(curve).unwrap()))
    }

    fn pooled_rsa(kid: &str, n: u32, bits: u32) -> Self {
        type Pool = HashMap<(String, u32, u32), Arc<OnceLock<Arc<Pair>>>>;
        static POOL: LazyLock<Mutex<Pool>> = LazyLock::new(Mutex::default);

        let slot = POOL.lock().unwrap().entry((kid.to_owned(), n, bits)).or_default().clone();
        let pair = slot.get_or_init(|| {
            let size = match bits {
                2048 => KeySize::Rsa2048,
                3072 => KeySize::Rsa3072,
                4096 => KeySize::Rsa4096,
                _ => panic!("no RSA keys of {bits} bits here"),
            };
            Arc::new(Pair::Rsa(rsa::KeyPair::generate(size).unwrap()))
        });
        Self::new(kid, "RS256", pair.clone())
    }

    /// The same key with another algorithm of its family, in its tokens and in its JWK.
    pub(crate) fn with_alg(&self, alg: &'static str) -> Self {
        Self { alg, ..self.clone() }
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    pub(crate) fn alg(&self) -> &'static str {
        self.alg
    }

    /// The public key; for a secret, which has no public half, the secret itself.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &*self.pair {
            Pair::Rsa(_) => json!({ "kty": "RSA", "n": b64(self.modulus()), "e": "AQAB" }),
            Pair::Ec(pair) => {
                // An uncompressed point: 4, x, y.
                let (x, y) = {
                    let point = &pair.public_key().as_ref()[1..];
                    point.split_at(point.len() / 2)
                };
                let curve = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({ "kty": "EC", "crv": curve, "x": b64(x), "y": b64(y) })
            }
            Pair::Ed(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key()) })
            }
            Pair::Secret(secret) => json!({ "kty": "oct", "k": b64(secret) }),
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(self.alg);
        jwk
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &*self.pair {
            Pair::Rsa(pair) => {
                let encoding: &dyn RsaEncoding = match self.alg {
                    "RS256" => &signature::RSA_PKCS1_SHA256,
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    "PS512" => &signature::RSA_PSS_SHA512,
                    other => panic!("an RSA key cannot sign with {other}"),
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Pair::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Secret(secret) => {
                let hash = match self.alg {
                    "HS256" => hmac::HMAC_SHA256,
                    "HS384" => hmac::HMAC_SHA384,
                    "HS512" => hmac::HMAC_SHA512,
                    other => panic!("a secret cannot sign with {other}"),
                };
                let tag = hmac::sign(&hmac::Key::new(hash, secret), message);
                tag.as_ref().to_vec()
            }
        }
    }

    pub(crate) fn token(&self, claims: &Value) -> String {
        let header = json!({ "alg": self.alg, "kid": self.kid, "typ": "JWT" });
        self.token_with(&header, claims)
    }

    pub(crate) fn token_with(&self, header: &Value, claims: &Value) -> String {
        self.token_raw(header.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    /// Signs exactly these bytes, JSON or not.
    pub(crate) fn token_raw(&self, header: &[u8], payload: &[u8]) -> String {
        let signed = format!("{}.{}", b64(header), b64(payload));
        let signature = b64(self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// The public key as an X.509 SubjectPublicKeyInfo, the form most libraries hand around.
    pub(crate) fn spki_der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = match &*self.pair {
            Pair::Rsa(pair) => pair.public_key().as_der(),
            Pair::Ec(pair) => pair.public_key().as_der(),
            Pair::Ed(pair) => pair.public_key().as_der(),
            Pair::Secret(_) => panic!("a secret has no public key"),
        }
        .unwrap();
        der.as_ref().to_vec()
    }

    pub(crate) fn spki_pem(&self) -> String {
        let text = STANDARD.encode(self.spki_der());
        let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
        for line in text.as_bytes().chunks(64) {
            pem.push_str(str::from_utf8(line).unwrap());
            pem.push('\n');
        }
        pem + "-----END PUBLIC KEY-----\n"
    }

    /// The public key as an RFC 8017 RSAPublicKey.
    pub(crate) fn pkcs1_der(&self) -> Vec<u8> {
        match &*self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            _ => panic!("only RSA keys have a PKCS#1 form"),
        }
    }

    pub(crate) fn modulus(&self) -> Vec<u8> {
        // At 2048 bits and more both lengths take two bytes, and a zero keeps the modulus positive:
        // 30 82 .. .. 02 82 .. .. 00 [modulus] 02 03 01 00 01.
        let der = self.pkcs1_der();
        assert!(der.ends_with(&[2, 3, 1, 0, 1]) && der[4] == 2 && der[8] == 0);
        der[9..der.len() - 5].to_vec()
    }
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn jwks(keys: &[&SigningKey]) -> Value {
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
    json!({ "keys": keys })
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The number of seconds in `300 s ago`: how cases and examples give `auth_time`.
pub(crate) fn seconds_ago(text: &Value) -> Option<u64> {
    text.as_str()?.strip_suffix(" s ago")?.parse().ok()
}

/// Claims that nobody should find fault with.
pub(crate) fn claims(issuer: &str, audience: &str) -> Value {
    static ISSUED: AtomicU64 = AtomicU64::new(1);
    let now = now();
    json!({
        "iss": issuer,
        "aud": audience,
        "sub": "user-1",
        "scope": "pets:read pets:write",
        "client_id": "client-1",
        "iat": now,
        "nbf": now - 10,
        "exp": now + 600,
        "jti": format!("token-{}", ISSUED.fetch_add(1, Ordering::Relaxed)),
    })
}
