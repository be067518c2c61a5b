//! JSON Web Key Sets (RFC 7517): text in, keys that can verify out.
//!
//! Keys are read one at a time: one that cannot be used (unknown type, for encryption, too weak, malformed) is
//! skipped and never costs the others. What a key may be used for is decided here, when it is loaded, so a token
//! cannot choose it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::algorithm::{self, Algorithm, Algorithms};
use crate::json;

/// More keys than any provider publishes; beyond it a document is refused whole.
pub(crate) const MAX_KEYS: usize = 1000;

/// How many keys of one id are tried on one token: what a signature check costs must stay bounded.
const MAX_TRIES: usize = 4;

/// RFC 7518 section 3.3 asks for 2048 bits; above 8192 the check costs too much and aws-lc refuses the key.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The longest public exponent that aws-lc takes.
const MAX_EXPONENT_BITS: usize = 33;

/// Where a key set came from, which decides whether its symmetric keys count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The `JWKS` setting.
    Configuration,
    /// A provider's public document: what everybody can read is no shared secret.
    Network,
}

/// A key, and all that it may be used for.
#[derive(Clone)]
pub(crate) struct Key {
    id: Option<String>,
    fits: Algorithms,
    material: DecodingKey,
}

impl Key {
    /// Whether this is the signature of `message` under this key. `signature` is the third segment of a token.
    fn verifies(&self, signature: &str, message: &[u8], algorithm: Algorithm) -> bool {
        jsonwebtoken::crypto::verify(signature, message, &self.material, algorithm).unwrap_or(false)
    }

    pub(crate) fn is_symmetric(&self) -> bool {
        self.material.family() == jsonwebtoken::AlgorithmFamily::Hmac
    }

    /// The key in one member of a set, as far as `allowed` lets it be used. `None`: not usable.
    fn parse(member: &RawValue, allowed: Algorithms, origin: Origin) -> Option<Self> {
        let jwk = json::object(member.get().as_bytes()).ok()?;
        let id = match jwk.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return None,
        };
        let (material, possible) = match jwk.get("kty")?.as_str()? {
            "RSA" => rsa(&jwk)?,
            "EC" => elliptic_curve(&jwk)?,
            "OKP" => edwards_curve(&jwk)?,
            "oct" if origin == Origin::Configuration => symmetric(&jwk)?,
            _ => return None,
        };
        let fits = possible & declared(&jwk)? & allowed;
        (!fits.is_empty()).then_some(Self { id, fits, material })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).field("fits", &self.fits).finish_non_exhaustive()
    }
}

/// What `use`, `key_ops` and `alg` (RFC 7517 sections 4.2 to 4.4) let the key do. `None`: no verifying at all.
fn declared(jwk: &Map<String, Value>) -> Option<Algorithms> {
    if jwk.get("use").is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    if let Some(operations) = jwk.get("key_ops")
        && !operations.as_array()?.iter().any(|operation| operation == "verify")
    {
        return None;
    }
    match jwk.get("alg") {
        None => Some(Algorithms::ALL),
        Some(name) => algorithm::named(name.as_str()?).map(Algorithms::of),
    }
}

fn rsa(jwk: &Map<String, Value>) -> Option<(DecodingKey, Algorithms)> {
    let (modulus, exponent) = (unsigned(jwk, "n")?, unsigned(jwk, "e")?);
    let odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    let usable = RSA_BITS.contains(&bits(&modulus))
        && odd(&modulus)
        && (2..=MAX_EXPONENT_BITS).contains(&bits(&exponent)) // 3 is the first odd number of two bits
        && odd(&exponent);
    usable.then(|| (DecodingKey::from_rsa_raw_components(&modulus, &exponent), Algorithms::RSA))
}

fn elliptic_curve(jwk: &Map<String, Value>) -> Option<(DecodingKey, Algorithms)> {
    let (algorithm, size) = match jwk.get("crv")?.as_str()? {
        "P-256" => (Algorithm::ES256, 32),
        "P-384" => (Algorithm::ES384, 48),
        _ => return None,
    };
    let (x, y) = (octets(jwk, "x")?, octets(jwk, "y")?);
    // RFC 7518 section 6.2.1.2: coordinates have the full length. Uncompressed point: SEC 1 section 2.3.3.
    let usable = x.len() == size && y.len() == size;
    usable.then(|| (DecodingKey::from_ec_der(&[&[4], &*x, &*y].concat()), Algorithms::of(algorithm)))
}

fn edwards_curve(jwk: &Map<String, Value>) -> Option<(DecodingKey, Algorithms)> {
    let x = octets(jwk, "x")?;
    let usable = jwk.get("crv")? == "Ed25519" && x.len() == 32;
    usable.then(|| (DecodingKey::from_ed_der(&x), Algorithms::of(Algorithm::EdDSA)))
}

/// RFC 7518 section 3.2: a key must be at least as long as the output of its hash.
fn symmetric(jwk: &Map<String, Value>) -> Option<(DecodingKey, Algorithms)> {
    let secret = octets(jwk, "k")?;
    let long_enough = [(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)]
        .into_iter()
        .filter(|(_, length)| secret.len() >= *length)
        .fold(Algorithms::default(), |fits, (algorithm, _)| fits | Algorithms::of(algorithm));
    Some((DecodingKey::from_secret(&secret), long_enough))
}

fn octets(jwk: &Map<String, Value>, member: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(jwk.get(member)?.as_str()?).ok()
}

/// A Base64urlUInt (RFC 7518 section 2). Some providers prefix zero octets, which aws-lc would not take.
fn unsigned(jwk: &Map<String, Value>, member: &str) -> Option<Vec<u8>> {
    let mut number = octets(jwk, member)?;
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.drain(..zeros);
    Some(number)
}

/// The bit length of a big-endian number without leading zeros.
fn bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

/// Why a document is not a key set to work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    NotAKeySet,
    TooManyKeys,
    NoUsableKey,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAKeySet => f.write_str("not a JSON object with an array `keys`"),
            Self::TooManyKeys => write!(f, "more than {MAX_KEYS} keys"),
            Self::NoUsableKey => f.write_str("no key in it can verify a signature of an allowed algorithm"),
        }
    }
}

/// The usable keys of a document, and how many of its members are not.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) keys: Vec<Key>,
    pub(crate) skipped: usize,
}

/// Reads a key set. Only keys that fit one of the `allowed` algorithms count as usable.
pub(crate) fn parse(document: &[u8], allowed: Algorithms, origin: Origin) -> Result<Parsed, Unusable> {
    #[derive(Deserialize)]
    struct Document<'a> {
        #[serde(borrow)]
        keys: Vec<&'a RawValue>,
    }

    // A derived struct would also be read from an array.
    let is_object = document.trim_ascii_start().first() == Some(&b'{');
    let parsed = is_object.then(|| serde_json::from_slice::<Document<'_>>(document).ok()).flatten();
    let members = parsed.ok_or(Unusable::NotAKeySet)?.keys;
    if members.len() > MAX_KEYS {
        return Err(Unusable::TooManyKeys);
    }
    let keys: Vec<_> = members.iter().filter_map(|member| Key::parse(member, allowed, origin)).collect();
    if keys.is_empty() {
        return Err(Unusable::NoUsableKey);
    }
    Ok(Parsed { skipped: members.len() - keys.len(), keys })
}

/// The keys of one issuer, by id. A look-up costs the same for one key and for a thousand.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    by_id: HashMap<String, Vec<Arc<Key>>>,
    /// For each algorithm the key that fits it, if it is the only one: for tokens that name no key.
    only: [Vec<Arc<Key>>; Algorithms::COUNT],
    size: usize,
}

impl KeySet {
    pub(crate) fn new(keys: impl IntoIterator<Item = Key>) -> Self {
        let mut set = Self::default();
        for key in keys.into_iter().map(Arc::new) {
            for algorithm in key.fits.iter() {
                set.only[algorithm as usize].push(Arc::clone(&key));
            }
            if let Some(id) = &key.id {
                set.by_id.entry(id.clone()).or_default().push(Arc::clone(&key));
            }
            set.size += 1;
        }
        for fitting in set.only.iter_mut().filter(|fitting| fitting.len() != 1) {
            *fitting = Vec::new();
        }
        set
    }

    pub(crate) fn len(&self) -> usize {
        self.size
    }

    /// The keys that may verify a token with this `kid` and `alg`.
    fn candidates(&self, id: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        let keys = match id {
            Some(id) => self.by_id.get(id).map_or(&[][..], Vec::as_slice),
            None => &self.only[algorithm as usize],
        };
        keys.iter().map(Arc::as_ref).filter(move |key| key.fits.contains(algorithm)).take(MAX_TRIES)
    }

    /// Whether there is a key to try at all.
    pub(crate) fn knows(&self, id: Option<&str>, algorithm: Algorithm) -> bool {
        self.candidates(id, algorithm).next().is_some()
    }

    /// Whether one of the keys for this `kid` and `alg` verifies the signature over exactly these bytes.
    pub(crate) fn verifies(&self, id: Option<&str>, algorithm: Algorithm, signature: &str, message: &[u8]) -> bool {
        self.candidates(id, algorithm).any(|key| key.verifies(signature, message, algorithm))
    }
}
