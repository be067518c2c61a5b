//! JSON Web Key Sets (RFC 7517): text in, keys that can verify out.
//!
//! Keys are read one at a time: one that cannot be used (unknown type, for encryption, too weak, malformed) is
//! skipped and never costs the others. What a key may be used for is decided here, when it is loaded, so a token
//! cannot choose it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use serde_json::value::RawValue;

use crate::jose::algorithm::{self, Algorithm, Algorithms};
use crate::jose::json::{self, Members};

/// More keys than any provider publishes; beyond it a document is refused whole.
pub(crate) const MAX_KEYS: usize = 1000;

/// The members of a key that are looked at (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2; `issuer` is
/// Microsoft's).
const MEMBERS: [&str; 12] =
    ["kid", "kty", "use", "key_ops", "alg", "n", "e", "crv", "x", "y", "k", "issuer"];

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
    /// The member `issuer`. Empty, which equals no issuer, if the member is not a string.
    issuer: Option<String>,
    material: DecodingKey,
}

impl Key {
    /// Whether this is the signature of `message` under this key.
    fn verifies(&self, signature: &Vec<u8>, message: &[u8], algorithm: Algorithm) -> bool {
        let verifier = (DEFAULT_PROVIDER.verifier_factory)(&algorithm, &self.material);
        verifier.is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
    }

    /// Whether it can verify a signature of one of these algorithms.
    pub(crate) fn fits(&self, algorithms: Algorithms) -> bool {
        !(self.fits & algorithms).is_empty()
    }

    /// Whether it may verify a token that asks for this algorithm.
    fn serves(&self, KeyQuery { algorithm, issuers, .. }: KeyQuery<'_>) -> bool {
        let names_another = match (&self.issuer, issuers) {
            (Some(issuer), Some(served)) => !served.contains(&issuer.as_str()),
            _ => false,
        };
        self.fits.contains(algorithm) && !names_another
    }

    pub(crate) fn is_symmetric(&self) -> bool {
        self.material.family() == jsonwebtoken::AlgorithmFamily::Hmac
    }

    /// The key in one member of a set, as far as `allowed` lets it be used. `None`: not usable.
    fn parse(member: &RawValue, allowed: Algorithms, origin: Origin) -> Option<Self> {
        let jwk = Members::read(member.get(), &MEMBERS).ok()?;
        let id = match jwk.get("kid") {
            None => None,
            Some(id) => Some(json::text(id)?.into_owned()),
        };
        let (material, possible) = match &*jwk.text("kty")? {
            "RSA" => rsa(&jwk)?,
            "EC" => elliptic_curve(&jwk)?,
            "OKP" => edwards_curve(&jwk)?,
            "oct" if origin == Origin::Configuration => symmetric(&jwk)?,
            _ => return None,
        };
        let fits = possible & declared(&jwk)? & allowed;
        let issuer = jwk.get("issuer").map(|issuer| json::text(issuer).unwrap_or_default().into());
        (!fits.is_empty()).then_some(Self { id, fits, issuer, material })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("fits", &self.fits)
            .finish_non_exhaustive()
    }
}

/// What `use`, `key_ops` and `alg` (RFC 7517 sections 4.2 to 4.4) let the key do. `None`: no verifying at all.
fn declared(jwk: &Members<'_>) -> Option<Algorithms> {
    if jwk.get("use").is_some_and(|purpose| json::text(purpose).as_deref() != Some("sig")) {
        return None;
    }
    if let Some(operations) = jwk.get("key_ops") {
        let may_verify = |operation| json::text(operation).as_deref() == Some("verify");
        json::array(operations)?.into_iter().any(may_verify).then_some(())?;
    }
    match jwk.get("alg") {
        None => Some(Algorithms::ALL),
        Some(name) => algorithm::named(&json::text(name)?).map(Algorithms::of),
    }
}

fn rsa(jwk: &Members<'_>) -> Option<(DecodingKey, Algorithms)> {
    let (modulus, exponent) = (unsigned(jwk, "n")?, unsigned(jwk, "e")?);
    let odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    let usable = RSA_BITS.contains(&bits(&modulus))
        && odd(&modulus)
        && (2..=MAX_EXPONENT_BITS).contains(&bits(&exponent)) // 3 is the first odd number of two bits
        && odd(&exponent);
    usable.then(|| (DecodingKey::from_rsa_raw_components(&modulus, &exponent), Algorithms::RSA))
}

fn elliptic_curve(jwk: &Members<'_>) -> Option<(DecodingKey, Algorithms)> {
    let (algorithm, parameters, size) = match &*jwk.text("crv")? {
        "P-256" => (Algorithm::ES256, &ECDSA_P256_SHA256_FIXED, 32),
        "P-384" => (Algorithm::ES384, &ECDSA_P384_SHA384_FIXED, 48),
        _ => return None,
    };
    let (x, y) = (octets(jwk, "x")?, octets(jwk, "y")?);
    // RFC 7518 section 6.2.1.2: coordinates have the full length. Uncompressed point: SEC 1 section 2.3.3.
    let point = [&[4], &*x, &*y].concat();
    // RFC 8725 section 3.4: aws-lc takes no point that is not on the curve.
    let usable =
        x.len() == size && y.len() == size && ParsedPublicKey::new(parameters, &point).is_ok();
    usable.then(|| (DecodingKey::from_ec_der(&point), Algorithms::of(algorithm)))
}

fn edwards_curve(jwk: &Members<'_>) -> Option<(DecodingKey, Algorithms)> {
    let x = octets(jwk, "x")?;
    let usable = jwk.text("crv")? == "Ed25519" && x.len() == 32 && !is_of_small_order(&x);
    usable.then(|| (DecodingKey::from_ed_der(&x), Algorithms::of(Algorithm::EdDSA)))
}

/// The y of every point of Ed25519 whose order divides 8, in all its encodings, little-endian as RFC 8032 section
/// 5.1.2 has it. libsodium's `ge25519_has_small_order` began with the same list; a test computes it.
const SMALL_ORDER: [[u8; 32]; 7] = {
    /// A byte, then 30 of another, then the last.
    const fn filled(first: u8, middle: u8, last: u8) -> [u8; 32] {
        let mut bytes = [middle; 32];
        (bytes[0], bytes[31]) = (first, last);
        bytes
    }
    [
        filled(0, 0, 0), // 0, of order 4
        filled(1, 0, 0), // 1, the identity
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ], // of order 8
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ], // of order 8
        filled(0xec, 0xff, 0x7f), // -1, of order 2
        filled(0xed, 0xff, 0x7f), // 0, not canonical
        filled(0xee, 0xff, 0x7f), // 1, not canonical
    ]
};

/// Under such a key, one signature is right for many messages: R = the identity and S = 0 need no secret.
fn is_of_small_order(x: &[u8]) -> bool {
    // The highest bit is the sign of the other coordinate.
    SMALL_ORDER.iter().any(|point| point[..31] == x[..31] && point[31] == x[31] & 0x7f)
}

/// RFC 7518 section 3.2: a key must be at least as long as the output of its hash.
fn symmetric(jwk: &Members<'_>) -> Option<(DecodingKey, Algorithms)> {
    let secret = octets(jwk, "k")?;
    let long_enough = [(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)]
        .into_iter()
        .filter(|(_, length)| secret.len() >= *length)
        .fold(Algorithms::default(), |fits, (algorithm, _)| fits | Algorithms::of(algorithm));
    Some((DecodingKey::from_secret(&secret), long_enough))
}

fn octets(jwk: &Members<'_>, member: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(&*jwk.text(member)?).ok()
}

/// A Base64urlUInt (RFC 7518 section 2). Some providers prefix zero octets, which aws-lc would not take.
fn unsigned(jwk: &Members<'_>, member: &str) -> Option<Vec<u8>> {
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
            Self::NoUsableKey => {
                f.write_str("no key in it can verify a signature of an allowed algorithm")
            }
        }
    }
}

/// The usable keys of a document, and how many of its members are not.
#[derive(Debug)]
pub(crate) struct ParsedKeys {
    pub(crate) keys: Vec<Key>,
    pub(crate) skipped: usize,
}

/// Reads a key set. Only keys that fit one of the `allowed` algorithms count as usable.
pub(crate) fn parse(
    document: &[u8],
    allowed: Algorithms,
    origin: Origin,
) -> Result<ParsedKeys, Unusable> {
    let document = str::from_utf8(document).map_err(|_| Unusable::NotAKeySet)?;
    let (mut members, mut keys) = (0, Vec::new());
    let read = json::for_each(document, "keys", |member| {
        members += 1;
        keys.extend(Key::parse(member, allowed, origin));
        members <= MAX_KEYS
    });
    match read {
        _ if members > MAX_KEYS => Err(Unusable::TooManyKeys),
        Err(_) => Err(Unusable::NotAKeySet),
        Ok(()) if keys.is_empty() => Err(Unusable::NoUsableKey),
        Ok(()) => Ok(ParsedKeys { skipped: members - keys.len(), keys }),
    }
}

/// Which keys of a set may verify a token.
#[derive(Clone, Copy)]
pub(crate) struct KeyQuery<'t> {
    pub(crate) kid: Option<&'t str>,
    pub(crate) algorithm: Algorithm,
    /// The values of a key's member `issuer` that serve this token. None: the member is ignored.
    pub(crate) issuers: Option<[&'t str; 2]>,
}

/// The keys of one source, by id. A look-up costs the same for one key and for a thousand.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    by_id: HashMap<String, Vec<Arc<Key>>>,
    /// For each algorithm the keys that fit it: for tokens that name no key.
    fitting: [Vec<Arc<Key>>; Algorithms::COUNT],
    size: usize,
}

impl KeySet {
    pub(crate) fn new(keys: impl IntoIterator<Item = Key>) -> Self {
        let mut set = Self::default();
        for key in keys.into_iter().map(Arc::new) {
            for algorithm in key.fits.iter() {
                set.fitting[algorithm as usize].push(Arc::clone(&key));
            }
            if let Some(id) = &key.id {
                set.by_id.entry(id.clone()).or_default().push(Arc::clone(&key));
            }
            set.size += 1;
        }
        set
    }

    pub(crate) fn len(&self) -> usize {
        self.size
    }

    /// The keys that may verify a token.
    fn candidates(&self, query: KeyQuery<'_>) -> impl Iterator<Item = &Key> {
        let keys = match query.kid {
            Some(id) => self.by_id.get(id).map_or(&[][..], Vec::as_slice),
            None => self.only(query),
        };
        keys.iter().map(Arc::as_ref).filter(move |key| key.serves(query)).take(MAX_TRIES)
    }

    /// The key for a token that names none, if exactly one key serves it. It searches only where keys name issuers: two
    /// short comparisons for each key.
    fn only(&self, query: KeyQuery<'_>) -> &[Arc<Key>] {
        let fitting = &self.fitting[query.algorithm as usize];
        if query.issuers.is_none() {
            return if fitting.len() == 1 { fitting } else { &[] };
        }
        let mut serving = fitting.iter().enumerate().filter(|(_, key)| key.serves(query));
        match (serving.next(), serving.next()) {
            (Some((index, _)), None) => &fitting[index..=index],
            _ => &[],
        }
    }

    /// Whether there is a key to try at all.
    pub(crate) fn knows(&self, query: KeyQuery<'_>) -> bool {
        self.candidates(query).next().is_some()
    }

    /// Whether one of the keys that may verify the token verifies the signature over exactly these bytes.
    pub(crate) fn verifies(
        &self,
        query: KeyQuery<'_>,
        signature: &Vec<u8>,
        message: &[u8],
    ) -> bool {
        self.candidates(query).any(|key| key.verifies(signature, message, query.algorithm))
    }
}

#[cfg(test)]
impl<'t> KeyQuery<'t> {
    /// For a token of an issuer whose keys are its own.
    pub(crate) fn of(kid: Option<&'t str>, algorithm: Algorithm) -> Self {
        Self { kid, algorithm, issuers: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::tokens::{self, SigningKey, b64};
    use serde_json::{Value, json};

    /// An RSA key of this many bits, all of them ones. Nothing has its private half.
    fn rsa_of(bits: usize, exponent: &[u8]) -> Value {
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        modulus[0] >>= modulus.len() * 8 - bits;
        json!({"kty": "RSA", "n": b64(modulus), "e": b64(exponent)})
    }

    fn with(mut jwk: Value, name: &str, value: Value) -> Value {
        jwk[name] = value;
        jwk
    }

    fn without(mut jwk: Value, name: &str) -> Value {
        jwk.as_object_mut().unwrap().remove(name);
        jwk
    }

    /// What a lone member of a key set may be used for.
    fn fits(jwk: &Value, origin: Origin) -> Algorithms {
        let document = json!({"keys": [jwk]}).to_string();
        match parse(document.as_bytes(), Algorithms::ALL, origin) {
            Ok(ParsedKeys { keys, .. }) => keys[0].fits,
            Err(unusable) => {
                assert_eq!(unusable, Unusable::NoUsableKey);
                Algorithms::default()
            }
        }
    }

    fn set(keys: &[&SigningKey]) -> KeySet {
        let document = tokens::jwks(keys).to_string();
        KeySet::new(parse(document.as_bytes(), Algorithms::ALL, Origin::Network).unwrap().keys)
    }

    fn verifies(set: &KeySet, id: Option<&str>, algorithm: Algorithm, signer: &SigningKey) -> bool {
        set.verifies(KeyQuery::of(id, algorithm), &signer.sign(b"message"), b"message")
    }

    #[test]
    fn only_secrets_are_symmetric_and_what_is_unusable_is_said() {
        let read = |document: &Value| {
            parse(document.to_string().as_bytes(), Algorithms::ALL, Origin::Configuration)
        };
        let keys = json!({"keys": [
            {"kty": "oct", "k": b64([7; 64])}, rsa_of(2048, &[1, 0, 1]), SigningKey::es256("e").jwk(),
        ]});
        let symmetric: Vec<_> = read(&keys).unwrap().keys.iter().map(Key::is_symmetric).collect();
        assert_eq!(symmetric, [true, false, false]);
        let many = json!({"keys": vec![json!({}); 1001]});
        for (document, expected) in [
            (json!([]), "not a JSON object with an array `keys`"),
            (many, "more than 1000 keys"),
            (json!({"keys": []}), "no key in it can verify a signature of an allowed algorithm"),
        ] {
            assert_eq!(read(&document).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn weak_and_monstrous_rsa_keys_are_not_usable() {
        const F4: &[u8] = &[1, 0, 1];
        let even = with(rsa_of(2048, F4), "n", json!(b64([&[0xff; 255][..], &[0xfe]].concat())));
        let cases = [
            ("1024 bits", rsa_of(1024, F4), false),
            ("2047 bits", rsa_of(2047, F4), false),
            ("2048 bits", rsa_of(2048, F4), true),
            ("2049 bits", rsa_of(2049, F4), true),
            ("8192 bits", rsa_of(8192, F4), true),
            ("8193 bits", rsa_of(8193, F4), false),
            ("8200 bits", rsa_of(8200, F4), false),
            (
                "1024 bits and zeros",
                with(rsa_of(2048, F4), "n", json!(b64([[0; 128], [0xff; 128]].concat()))),
                false,
            ),
            ("even", even, false),
            ("all zeros", with(rsa_of(2048, F4), "n", json!(b64([0; 256]))), false),
            ("e empty", rsa_of(2048, &[]), false),
            ("e = 0", rsa_of(2048, &[0]), false),
            ("e = 1", rsa_of(2048, &[1]), false),
            ("e = 2", rsa_of(2048, &[2]), false),
            ("e = 3", rsa_of(2048, &[3]), true),
            ("e = 3 with zeros", rsa_of(2048, &[0, 0, 3]), true),
            ("e = 4", rsa_of(2048, &[4]), false),
            ("e = 65536", rsa_of(2048, &[1, 0, 0]), false),
            ("e of 33 bits", rsa_of(2048, &[1, 0, 0, 0, 1]), true),
            ("e of 34 bits", rsa_of(2048, &[2, 0, 0, 0, 1]), false),
            ("e of 33 bytes", rsa_of(2048, &[1; 33]), false),
            ("no n", without(rsa_of(2048, F4), "n"), false),
            ("no e", without(rsa_of(2048, F4), "e"), false),
            ("n a number", with(rsa_of(2048, F4), "n", json!(5)), false),
            ("e a number", with(rsa_of(2048, F4), "e", json!(65537)), false),
            ("e padded", with(rsa_of(2048, &[3]), "e", json!("Aw==")), false),
            ("n in base64", with(rsa_of(2048, F4), "n", json!("/".repeat(342))), false),
        ];
        for (name, jwk, is_usable) in cases {
            let expected = if is_usable { Algorithms::RSA } else { Algorithms::default() };
            assert_eq!(fits(&jwk, Origin::Network), expected, "{name}");
        }
    }

    #[test]
    fn a_modulus_with_leading_zeros_verifies() {
        let signer = SigningKey::rsa("zeros");
        let jwk = with(signer.jwk(), "n", json!(b64([&[0, 0], &*signer.modulus()].concat())));
        let document = json!({"keys": [jwk]}).to_string();
        let keys = parse(document.as_bytes(), Algorithms::ALL, Origin::Network).unwrap().keys;
        assert!(verifies(&KeySet::new(keys), Some("zeros"), Algorithm::RS256, &signer));
    }

    #[test]
    fn curves_and_their_coordinates_are_exact() {
        let (p256, p384) = (SigningKey::es256("k").jwk(), SigningKey::es384("k").jwk());
        let ed = SigningKey::ed25519("k").jwk();
        let (es256, es384) = (Algorithms::of(Algorithm::ES256), Algorithms::of(Algorithm::ES384));
        let (eddsa, none) = (Algorithms::of(Algorithm::EdDSA), Algorithms::default());
        let cases = [
            (p256.clone(), es256),
            (p384.clone(), es384),
            (ed.clone(), eddsa),
            (with(without(p256.clone(), "alg"), "crv", json!("P-384")), none),
            (with(without(p256.clone(), "alg"), "crv", json!("P-521")), none),
            (with(without(p256.clone(), "alg"), "crv", json!("secp256k1")), none),
            (with(without(p256.clone(), "alg"), "crv", json!("p-256")), none),
            (with(p256.clone(), "crv", json!(null)), none),
            (with(p256.clone(), "x", json!(b64([1; 31]))), none),
            (with(p256.clone(), "y", json!(b64([1; 33]))), none),
            (with(p256.clone(), "y", json!("")), none),
            (without(p256.clone(), "y"), none),
            (with(p256.clone(), "x", p256["y"].clone()), none),
            (with(with(p256.clone(), "x", json!(b64([0; 32]))), "y", json!(b64([0; 32]))), none),
            (with(p384.clone(), "y", p384["x"].clone()), none),
            (with(p256.clone(), "kty", json!("OKP")), none),
            (with(p256.clone(), "kty", json!("ec")), none),
            (with(p256.clone(), "kty", json!(["EC"])), none),
            (without(p256, "kty"), none),
            (with(p384, "x", json!(b64([1; 32]))), none),
            (with(ed.clone(), "crv", json!("Ed448")), none),
            (with(ed.clone(), "crv", json!("X25519")), none),
            (without(ed.clone(), "crv"), none),
            (with(ed.clone(), "x", json!(b64([1; 31]))), none),
            (with(ed.clone(), "x", json!(b64([1; 33]))), none),
            (with(ed, "kty", json!("AKP")), none),
        ];
        for (jwk, expected) in cases {
            assert_eq!(fits(&jwk, Origin::Network), expected, "{jwk}");
        }
    }

    /// The field and the curve of RFC 8032 section 5.1, in the plainest arithmetic there is.
    mod edwards25519 {
        use std::collections::BTreeSet;

        use num_bigint::BigUint;

        type Point = (BigUint, BigUint);

        fn small(number: u32) -> BigUint {
            BigUint::from(number)
        }

        fn p() -> BigUint {
            (small(1) << 255u8) - small(19)
        }

        fn inverse(number: &BigUint) -> BigUint {
            number.modpow(&(p() - small(2)), &p())
        }

        fn d() -> BigUint {
            (p() - small(121_665)) * inverse(&small(121_666)) % p()
        }

        fn add((x1, y1): &Point, (x2, y2): &Point) -> Point {
            let product = d() * x1 * x2 * y1 * y2 % p();
            let x = (x1 * y2 + y1 * x2) * inverse(&(small(1) + &product)) % p();
            (x, (y1 * y2 + x1 * x2) * inverse(&(small(1) + p() - product)) % p())
        }

        /// A point with this y.
        fn with_y(y: &BigUint) -> Point {
            let square = (y * y + p() - small(1)) * inverse(&(d() * y * y + small(1))) % p();
            let root = square.modpow(&((p() + small(3)) >> 3u8), &p());
            let root_of_minus_1 = small(2).modpow(&((p() - small(1)) >> 2u8), &p());
            let roots = [root.clone(), root * root_of_minus_1 % p()];
            let x =
                roots.into_iter().find(|x| x * x % p() == square).expect("a point of the curve");
            (x, y.clone())
        }

        /// Every way to write this point: y may be written with p added to it where that fits into 255 bits, and
        /// the sign of an x that is 0 is read by some.
        fn encodings((x, y): &Point) -> Vec<[u8; 32]> {
            let signs: &[bool] = if *x == small(0) { &[false, true] } else { &[x.bit(0)] };
            let ys = [y.clone(), y + p()].into_iter().filter(|y| y.bits() <= 255);
            ys.flat_map(|y| {
                signs.iter().map(move |sign| y.clone() + (small(u32::from(*sign)) << 255u8))
            })
            .map(|number| {
                let mut bytes = number.to_bytes_le();
                bytes.resize(32, 0);
                bytes.try_into().unwrap()
            })
            .collect()
        }

        /// Of all points whose order divides 8: the multiples of one that has this order.
        pub(super) fn of_small_order() -> BTreeSet<[u8; 32]> {
            let y = "7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7";
            let generator = with_y(&BigUint::parse_bytes(y.as_bytes(), 16).unwrap());
            let mut point = (small(0), small(1));
            let multiples: Vec<_> = (0..8)
                .map(|_| {
                    point = add(&point, &generator);
                    point.clone()
                })
                .collect();
            let order = 1 + multiples
                .iter()
                .position(|multiple| *multiple == (small(0), small(1)))
                .unwrap();
            assert_eq!(order, 8);
            multiples.iter().flat_map(encodings).collect()
        }
    }

    #[test]
    fn an_ed25519_key_of_small_order_is_not_usable_however_it_is_written() {
        let encodings = edwards25519::of_small_order();
        assert_eq!(encodings.len(), 14, "eight, and six that are not canonical");
        for x in &encodings {
            let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": b64(x)});
            assert_eq!(fits(&jwk, Origin::Network), Algorithms::default(), "{x:02x?}");
        }
        // One bit aside lies some other point.
        for x in encodings {
            let mut x = x;
            x[0] ^= 0x10;
            let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": b64(x)});
            assert_eq!(fits(&jwk, Origin::Network), Algorithms::of(Algorithm::EdDSA), "{x:02x?}");
        }
    }

    #[test]
    fn a_key_does_what_its_use_its_operations_and_its_algorithm_allow() {
        let rsa = || rsa_of(2048, &[1, 0, 1]);
        let cases = [
            ("use", json!("sig"), Algorithms::RSA),
            ("use", json!("enc"), Algorithms::default()),
            ("use", json!("SIG"), Algorithms::default()),
            ("use", json!(""), Algorithms::default()),
            ("use", json!(null), Algorithms::default()),
            ("use", json!(["sig"]), Algorithms::default()),
            ("key_ops", json!(["verify"]), Algorithms::RSA),
            ("key_ops", json!(["sign", "verify"]), Algorithms::RSA),
            ("key_ops", json!(["encrypt"]), Algorithms::default()),
            ("key_ops", json!(["sign"]), Algorithms::default()),
            ("key_ops", json!([]), Algorithms::default()),
            ("key_ops", json!("verify"), Algorithms::default()),
            ("key_ops", json!(null), Algorithms::default()),
            ("alg", json!("RS256"), Algorithms::of(Algorithm::RS256)),
            ("alg", json!("PS512"), Algorithms::of(Algorithm::PS512)),
            ("alg", json!("RSA-OAEP"), Algorithms::default()),
            ("alg", json!("ES256"), Algorithms::default()),
            ("alg", json!("HS256"), Algorithms::default()),
            ("alg", json!("none"), Algorithms::default()),
            ("alg", json!("rs256"), Algorithms::default()),
            ("alg", json!(null), Algorithms::default()),
            ("alg", json!(5), Algorithms::default()),
            ("kid", json!(""), Algorithms::RSA),
            ("kid", json!(null), Algorithms::default()),
            ("kid", json!(5), Algorithms::default()),
            ("x5c", json!(5), Algorithms::RSA),
            ("d", json!("AQ"), Algorithms::RSA),
        ];
        for (name, value, expected) in cases {
            let jwk = with(rsa(), name, value);
            assert_eq!(fits(&jwk, Origin::Network), expected, "{name} {}", jwk[name]);
        }
        let contradictory = with(with(rsa(), "use", json!("enc")), "key_ops", json!(["verify"]));
        assert!(fits(&contradictory, Origin::Network).is_empty());
        let ed25519 = with(SigningKey::ed25519("k").jwk(), "alg", json!("Ed25519"));
        assert_eq!(fits(&ed25519, Origin::Network), Algorithms::of(Algorithm::EdDSA));
    }

    #[test]
    fn a_key_is_usable_only_for_algorithms_that_are_allowed() {
        let document = tokens::jwks(&[&SigningKey::rsa("k").with_alg("RS512")]).to_string();
        for (allowed, is_usable) in [("RS512", true), ("RS256", false), ("ES256", false)] {
            let parsed =
                parse(document.as_bytes(), Algorithms::parse([allowed]).unwrap(), Origin::Network);
            assert_eq!(parsed.is_ok(), is_usable, "{allowed}");
        }
    }

    #[test]
    fn a_symmetric_key_is_configured_and_as_long_as_its_hash() {
        let cases: [(usize, &[Algorithm]); 7] = [
            (0, &[]),
            (31, &[]),
            (32, &[Algorithm::HS256]),
            (47, &[Algorithm::HS256]),
            (48, &[Algorithm::HS256, Algorithm::HS384]),
            (63, &[Algorithm::HS256, Algorithm::HS384]),
            (64, &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512]),
        ];
        for (length, expected) in cases {
            let jwk = json!({"kty": "oct", "k": b64(vec![7; length])});
            let found = fits(&jwk, Origin::Configuration);
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{length} bytes");
            assert!(fits(&jwk, Origin::Network).is_empty(), "{length} bytes from the network");
        }
        let short = json!({"kty": "oct", "alg": "HS512", "k": b64([7; 63])});
        assert!(fits(&short, Origin::Configuration).is_empty());
    }

    #[test]
    fn a_key_does_not_show_its_secret() {
        let document = json!({"keys": [{"kty": "oct", "k": b64([7; 32])}]}).to_string();
        let keys = parse(document.as_bytes(), Algorithms::ALL, Origin::Configuration).unwrap().keys;
        assert!(keys[0].is_symmetric());
        assert_eq!(format!("{:?}", keys[0]), "Key { id: None, fits: [HS256], .. }");
    }

    #[test]
    fn odd_members_are_skipped_one_by_one() {
        let good = SigningKey::ed25519("good").jwk().to_string();
        let odd = [
            "null",
            "5",
            "\"key\"",
            "[]",
            "{}",
            r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"AQ"}"#,
            r#"{"kty":"OKP","kty":"OKP"}"#,
            &good.replacen('{', r#"{"crv":"Ed25519","#, 1),
            &good.replacen("\"good\"", "7", 1),
            &good.replacen('{', r#"{"x5t":1,"x5t":1,"#, 1),
            &good.replacen(
                '{',
                &format!("{{{}", (0..1000).map(|n| format!("\"{n}\":0,")).collect::<String>()),
                1,
            ),
        ];
        for member in odd {
            let document = format!(r#"{{"keys":[{member},{good},{member}],"other":1}}"#);
            let parsed = parse(document.as_bytes(), Algorithms::ALL, Origin::Network).unwrap();
            assert_eq!((parsed.keys.len(), parsed.skipped), (1, 2), "{member}");
            assert_eq!(parsed.keys[0].id.as_deref(), Some("good"));
        }
    }

    #[test]
    fn what_members_hold_that_are_not_looked_at_does_not_matter() {
        let good = SigningKey::ed25519("good").jwk().to_string();
        let deep = "[".repeat(1000) + &"]".repeat(1000);
        for member in
            [r#""x5t":{"a":1,"a":2}"#, &format!(r#""x5c":{deep}"#), r#""exp":1e999"#, r#""n":[]"#]
        {
            let key = good.replacen('{', &format!("{{{member},"), 1);
            let document = format!(r#"{{{member},"keys":[{key}]}}"#);
            let parsed = parse(document.as_bytes(), Algorithms::ALL, Origin::Network).unwrap();
            assert_eq!((parsed.keys.len(), parsed.skipped), (1, 0), "{member}");
        }
    }

    #[test]
    fn a_document_is_an_object_with_an_array_of_keys() {
        let good = SigningKey::ed25519("good").jwk();
        let refused =
            |document: &[u8]| parse(document, Algorithms::ALL, Origin::Network).unwrap_err();
        let keys = json!([good]);
        let cases = [
            String::new(),
            "null".into(),
            "[]".into(),
            json!([keys]).to_string(),
            keys.to_string(),
            "{}".into(),
            json!({"Keys": keys}).to_string(),
            json!({"keys": null}).to_string(),
            json!({"keys": good}).to_string(),
            json!({"keys": {"0": good}}).to_string(),
            json!({"keys": "[]"}).to_string(),
            format!(r#"{{"keys":[],"keys":{keys}}}"#),
            format!(r#"{{"other":1,"keys":{keys},"other":1}}"#),
            format!(r#"{{"keys":{keys}}}{{}}"#),
            format!(r#"{{"keys":{keys}"#),
            format!("\u{feff}{{\"keys\":{keys}}}"),
        ];
        for document in cases {
            assert_eq!(refused(document.as_bytes()), Unusable::NotAKeySet, "{document}");
        }
        assert_eq!(refused(b"{\"keys\":[\"\xff\"]}"), Unusable::NotAKeySet);
        assert_eq!(refused(b"{\"keys\":[]}"), Unusable::NoUsableKey);
        let spaced = format!("\r\n {{ \"keys\" : {keys} }} \n");
        assert!(parse(spaced.as_bytes(), Algorithms::ALL, Origin::Network).is_ok());
    }

    #[test]
    fn a_set_has_at_most_a_thousand_members() {
        let set_of = |members: usize| {
            let mut keys = vec![json!({}); members - 1];
            keys.push(SigningKey::ed25519("last").jwk());
            json!({"keys": keys}).to_string()
        };
        let parsed = parse(set_of(1000).as_bytes(), Algorithms::ALL, Origin::Network).unwrap();
        assert_eq!((parsed.keys.len(), parsed.skipped), (1, 999));
        let parsed = parse(set_of(1001).as_bytes(), Algorithms::ALL, Origin::Network);
        assert_eq!(parsed.unwrap_err(), Unusable::TooManyKeys);
    }

    #[test]
    fn at_most_four_keys_of_one_id_are_tried() {
        let same: [_; 5] = std::array::from_fn(|_| SigningKey::es256("k"));
        let other = SigningKey::ed25519("k");
        let mut keys: Vec<_> = same.iter().collect();
        keys.push(&other);
        let set = set(&keys);
        assert_eq!(set.len(), 6);
        for (index, signer) in same.iter().enumerate() {
            assert_eq!(
                verifies(&set, Some("k"), Algorithm::ES256, signer),
                index < 4,
                "key {index}"
            );
        }
        assert!(
            verifies(&set, Some("k"), Algorithm::EdDSA, &other),
            "only keys that fit are counted"
        );
    }

    #[test]
    fn a_key_is_chosen_by_id_and_algorithm() {
        let (rsa, ec, ed) =
            (SigningKey::rsa("a"), SigningKey::es256("a"), SigningKey::ed25519("b"));
        let set = set(&[&rsa, &ec, &ed]);
        let cases = [
            (Some("a"), Algorithm::RS256, &rsa, true),
            (Some("a"), Algorithm::ES256, &ec, true),
            (Some("b"), Algorithm::EdDSA, &ed, true),
            (Some("a"), Algorithm::RS384, &rsa, false),
            (Some("a"), Algorithm::EdDSA, &ed, false),
            (Some("b"), Algorithm::ES256, &ec, false),
            (Some("A"), Algorithm::RS256, &rsa, false),
            (Some(""), Algorithm::RS256, &rsa, false),
            (Some("unknown"), Algorithm::RS256, &rsa, false),
        ];
        for (id, algorithm, signer, is_known) in cases {
            assert_eq!(set.knows(KeyQuery::of(id, algorithm)), is_known, "{id:?} {algorithm:?}");
            assert_eq!(verifies(&set, id, algorithm, signer), is_known, "{id:?} {algorithm:?}");
        }
        assert!(!verifies(&set, Some("a"), Algorithm::ES256, &SigningKey::es256("a")));
        assert!(!KeySet::default().knows(KeyQuery::of(None, Algorithm::RS256)));
    }

    #[test]
    fn a_token_without_key_id_needs_exactly_one_key_that_fits() {
        let (first, second, ed) =
            (SigningKey::es256("a"), SigningKey::es256("b"), SigningKey::ed25519("c"));
        let one = set(&[&first, &ed]);
        assert!(verifies(&one, None, Algorithm::ES256, &first));
        assert!(verifies(&one, None, Algorithm::EdDSA, &ed));
        assert!(!one.knows(KeyQuery::of(None, Algorithm::RS256)));
        for two in [set(&[&first, &second]), set(&[&first, &first])] {
            assert!(!two.knows(KeyQuery::of(None, Algorithm::ES256)));
            assert!(!verifies(&two, None, Algorithm::ES256, &first));
        }
        let nameless = json!({"keys": [without(first.jwk(), "kid")]}).to_string();
        let nameless =
            KeySet::new(parse(nameless.as_bytes(), Algorithms::ALL, Origin::Network).unwrap().keys);
        assert!(verifies(&nameless, None, Algorithm::ES256, &first));
        assert!(!nameless.knows(KeyQuery::of(Some("a"), Algorithm::ES256)));
    }

    const IN_A: &str = "https://login.example.com/a/v2.0";
    const IN_ANY: &str = "https://login.example.com/{tenantid}/v2.0";

    /// Whether a key with this member `issuer` is one for a token of [`IN_A`] that names it, or names none; and for a
    /// token of an exact name.
    fn serves(issuer: Option<Value>) -> [bool; 3] {
        let jwk = SigningKey::es256("k").jwk();
        let jwk = issuer.map_or(jwk.clone(), |issuer| with(jwk, "issuer", issuer));
        let document = json!({"keys": [jwk]}).to_string();
        let keys = parse(document.as_bytes(), Algorithms::ALL, Origin::Network).unwrap().keys;
        let set = KeySet::new(keys);
        let exact = KeyQuery::of(Some("k"), Algorithm::ES256);
        let tenant = KeyQuery { issuers: Some([IN_A, IN_ANY]), ..exact };
        [tenant, KeyQuery { kid: None, ..tenant }, exact].map(|query| set.knows(query))
    }

    #[test]
    fn a_key_that_names_an_issuer_serves_its_tenants_only() {
        for issuer in [None, Some(json!(IN_A)), Some(json!(IN_ANY))] {
            assert_eq!(serves(issuer.clone()), [true; 3], "{issuer:?}");
        }
        for issuer in [
            json!("https://login.example.com/b/v2.0"),
            json!("https://login.example.com/{tid}/v2.0"),
            json!("https://login.example.com/{tenantid}/v2.0/"),
            json!("https://login.example.com/a/v2.0/"),
            json!("HTTPS://login.example.com/a/v2.0"),
            json!("{tenantid}"),
            json!(""),
            json!(null),
            json!(5),
            json!([IN_A]),
            json!("x".repeat(20_000)),
        ] {
            assert_eq!(serves(Some(issuer.clone())), [false, false, true], "{issuer}");
        }
    }

    #[test]
    fn without_a_kid_the_keys_of_other_issuers_do_not_count() {
        let ec = |kid: &str, issuer: Option<&str>| {
            let jwk = SigningKey::es256(kid).jwk();
            issuer.map_or(jwk.clone(), |issuer| with(jwk, "issuer", json!(issuer)))
        };
        let rsa = SigningKey::rsa("r").jwk();
        let other = "https://login.example.com/b/v2.0";
        let knows = |keys: &[Value]| {
            let document = json!({ "keys": keys }).to_string();
            let keys = parse(document.as_bytes(), Algorithms::ALL, Origin::Network).unwrap().keys;
            let exact = KeyQuery::of(None, Algorithm::ES256);
            let tenant = KeyQuery { issuers: Some([IN_A, IN_ANY]), ..exact };
            let set = KeySet::new(keys);
            [set.knows(tenant), set.knows(exact)]
        };
        assert_eq!(knows(&[rsa.clone(), ec("a", Some(IN_A))]), [true, true]);
        assert_eq!(knows(&[ec("b", Some(other)), ec("a", Some(IN_A))]), [true, false]);
        assert_eq!(knows(&[ec("a", Some(IN_A)), ec("b", Some(other)), rsa]), [true, false]);
        assert_eq!(knows(&[ec("a", Some(IN_A)), ec("any", Some(IN_ANY))]), [false, false]);
        assert_eq!(knows(&[ec("a", None), ec("any", Some(IN_ANY))]), [false, false]);
        assert_eq!(knows(&[ec("b", Some(other))]), [false, true]);
    }
}
