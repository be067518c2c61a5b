//! JSON Web Keys (RFC 7517 section 4): one member of a key set in, a key that can verify out.
//!
//! What a key can be used for is decided here, when it is loaded, so a token cannot choose it. The spelling of a key is
//! read as providers really write it, where that leaves no doubt about its value. Tokens get no such leniency.

use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ParsedPublicKey};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::{AlgorithmFamily, DecodingKey, DecodingKeyKind};
use serde_json::value::RawValue;

use crate::excerpt::cut;
use crate::jose::algorithm::{self, Algorithm, Algorithms};
use crate::jose::members::{self, Members};
use crate::jose::skipped::{ListedKey, SkipReason};

/// The members of a key that are looked at (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2; `issuer` is
/// Microsoft's).
pub(super) const MEMBERS: [&str; 19] = [
    "kid", "kty", "use", "key_ops", "alg", "n", "e", "crv", "x", "y", "k", "issuer", "x5c", "d",
    "p", "q", "dp", "dq", "qi",
];

/// The members that only the signer needs.
const PRIVATE: [&str; 6] = ["d", "p", "q", "dp", "dq", "qi"];

/// RFC 7518 section 3.3 asks for 2048 bits; above 8192 the check costs too much and aws-lc refuses the key.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The longest public exponent that aws-lc takes. 3 is the first odd number of two bits.
const EXPONENT_BITS: std::ops::RangeInclusive<usize> = 2..=33;

/// RFC 7518 asks for base64url without padding. Some providers pad, or use the plain alphabet. No value has two
/// meanings: see [`octets`].
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Where a key set came from, which decides whether its symmetric keys count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The `JWKS` setting.
    Configuration,
    /// A provider's public document: what everybody can read is no shared secret.
    Network,
}

/// A key, and all that it can be used for.
#[derive(Clone)]
pub(crate) struct Key {
    /// Its index in the set.
    index: usize,
    pub(super) id: Option<String>,
    pub(crate) fits: Algorithms,
    /// The member `issuer`. Empty, which equals no issuer, if the member is not a string.
    pub(super) issuer: Option<String>,
    /// Whether the set has its private half as well.
    pub(crate) has_private_half: bool,
    material: DecodingKey,
}

impl Key {
    /// Reads the [`MEMBERS`] of one member of a key set.
    pub(super) fn parse(
        jwk: &Members<'_>,
        index: usize,
        origin: Origin,
    ) -> Result<Self, SkipReason> {
        let id = match jwk.present("kid") {
            None => None,
            Some(id) => Some(members::text(id).ok_or(SkipReason::KeyId)?.into_owned()),
        };
        let declared = declared(jwk)?;
        let (material, possible) = match &*jwk.text("kty").unwrap_or_default() {
            "RSA" => rsa(jwk)?,
            "EC" => elliptic_curve(jwk)?,
            "OKP" => edwards_curve(jwk)?,
            "oct" if origin == Origin::Network => return Err(SkipReason::SymmetricFromNetwork),
            "oct" => symmetric(jwk, declared)?,
            _ => return Err(SkipReason::Type),
        };
        let fits = possible & declared;
        if fits.is_empty() {
            return Err(SkipReason::AlgorithmType);
        }
        let issuer = jwk.get("issuer").map(|name| members::text(name).unwrap_or_default().into());
        let is_set = |name: &&str| jwk.text(name).is_some_and(|value| !value.is_empty());
        let has_private_half = PRIVATE.iter().any(is_set);
        Ok(Self { index, id, fits, issuer, has_private_half, material })
    }

    /// Restricts the key to these algorithms. The error says why none is left.
    pub(super) fn restrict_to(&mut self, allowed: Algorithms) -> Result<(), SkipReason> {
        let fits = self.fits & allowed;
        if !fits.is_empty() {
            self.fits = fits;
            return Ok(());
        }
        if let (AlgorithmFamily::Hmac, DecodingKeyKind::SecretOrDer(secret)) =
            (self.material.family(), self.material.kind())
            && !(allowed & Algorithms::HMAC).is_empty()
            && (allowed & hmac_of(secret.len())).is_empty()
        {
            return Err(SkipReason::SecretTooShort(secret.len()));
        }
        Err(SkipReason::AlgorithmNotAllowed(self.fits.names()))
    }

    /// Its place in the set, and its id.
    pub(crate) fn listed(&self) -> ListedKey {
        ListedKey { index: self.index, id: self.id.as_deref().map(|id| cut(id).to_owned()) }
    }

    /// Whether this is the signature of `message` under this key.
    pub(super) fn verifies(
        &self,
        signature: &Vec<u8>,
        message: &[u8],
        algorithm: Algorithm,
    ) -> bool {
        match (DEFAULT_PROVIDER.verifier_factory)(&algorithm, &self.material) {
            Ok(verifier) => verifier.verify(message, signature).is_ok(),
            Err(_) => false,
        }
    }

    pub(crate) fn is_symmetric(&self) -> bool {
        self.material.family() == AlgorithmFamily::Hmac
    }

    /// Whether it is the same key as another, under any id.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        use DecodingKeyKind::{RsaModulusExponent, SecretOrDer};
        if self.material.family() != other.material.family() {
            return false;
        }
        match (self.material.kind(), other.material.kind()) {
            (SecretOrDer(ours), SecretOrDer(theirs)) => ours == theirs,
            (RsaModulusExponent { n, e }, RsaModulusExponent { n: modulus, e: exponent }) => {
                n == modulus && e == exponent
            }
            _ => false,
        }
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

/// What `use`, `key_ops` and `alg` (RFC 7517 sections 4.2 to 4.4) let the key do.
fn declared(jwk: &Members<'_>) -> Result<Algorithms, SkipReason> {
    if let Some(purpose) = jwk.present("use")
        && members::text(purpose).is_none_or(|purpose| purpose != "sig")
    {
        return Err(SkipReason::Use);
    }
    if let Some(operations) = jwk.present("key_ops")
        && !may_verify(operations)
    {
        return Err(SkipReason::KeyOperations);
    }
    let Some(name) = jwk.present("alg") else { return Ok(Algorithms::ALL) };
    match algorithm::named(&members::text(name).unwrap_or_default()) {
        Some(algorithm) => Ok(Algorithms::of(algorithm)),
        None => Err(SkipReason::AlgorithmName),
    }
}

/// Whether these `key_ops` include `verify`. Some serializers write an empty array for what was never set.
fn may_verify(operations: &RawValue) -> bool {
    let Some(operations) = members::array(operations) else { return false };
    let mut names = operations.iter().filter_map(|operation| members::text(operation));
    operations.is_empty() || names.any(|name| name == "verify")
}

fn rsa(jwk: &Members<'_>) -> Result<(DecodingKey, Algorithms), SkipReason> {
    let (modulus, exponent) = (unsigned(jwk, "n")?, unsigned(jwk, "e")?);
    if !RSA_BITS.contains(&bits(&modulus)) {
        return Err(SkipReason::ModulusSize(bits(&modulus)));
    }
    if !is_odd(&modulus) {
        return Err(SkipReason::EvenModulus);
    }
    if !EXPONENT_BITS.contains(&bits(&exponent)) || !is_odd(&exponent) {
        return Err(SkipReason::Exponent);
    }
    Ok((DecodingKey::from_rsa_raw_components(&modulus, &exponent), Algorithms::RSA))
}

fn elliptic_curve(jwk: &Members<'_>) -> Result<(DecodingKey, Algorithms), SkipReason> {
    let (algorithm, parameters, size) = match &*jwk.text("crv").unwrap_or_default() {
        "P-256" => (Algorithm::ES256, &ECDSA_P256_SHA256_FIXED, 32),
        "P-384" => (Algorithm::ES384, &ECDSA_P384_SHA384_FIXED, 48),
        _ => return Err(SkipReason::Curve("P-256 or P-384")),
    };
    // Uncompressed point: SEC 1 section 2.3.3.
    let mut point = vec![4];
    for name in ["x", "y"] {
        // RFC 7518 section 6.2.1.2: coordinates have the full length. Some providers omit zero octets in front, or
        // add one.
        let number = unsigned(jwk, name)?;
        let Some(omitted) = usize::checked_sub(size, number.len()) else {
            return Err(SkipReason::Coordinate(name));
        };
        point.resize(point.len() + omitted, 0);
        point.extend(number);
    }
    // RFC 8725 section 3.4: aws-lc takes no point that is not on the curve. So a coordinate that was cut is not used.
    if ParsedPublicKey::new(parameters, &point).is_err() {
        return Err(SkipReason::PointOffCurve);
    }
    Ok((DecodingKey::from_ec_der(&point), Algorithms::of(algorithm)))
}

fn edwards_curve(jwk: &Members<'_>) -> Result<(DecodingKey, Algorithms), SkipReason> {
    if jwk.text("crv").unwrap_or_default() != "Ed25519" {
        return Err(SkipReason::Curve("Ed25519"));
    }
    let x = octets(jwk, "x")?;
    if x.len() != 32 {
        return Err(SkipReason::Ed25519Size);
    }
    if is_of_small_order(&x) {
        return Err(SkipReason::SmallOrder);
    }
    Ok((DecodingKey::from_ed_der(&x), Algorithms::of(Algorithm::EdDSA)))
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

fn symmetric(
    jwk: &Members<'_>,
    declared: Algorithms,
) -> Result<(DecodingKey, Algorithms), SkipReason> {
    let secret = octets(jwk, "k")?;
    let fits = hmac_of(secret.len());
    let is_for_hmac = !(declared & Algorithms::HMAC).is_empty();
    if is_for_hmac && (fits & declared).is_empty() {
        return Err(SkipReason::SecretTooShort(secret.len()));
    }
    Ok((DecodingKey::from_secret(&secret), fits))
}

/// RFC 7518 section 3.2: a secret must be at least as long as the output of its hash.
fn hmac_of(secret_length: usize) -> Algorithms {
    let mut fits = Algorithms::default();
    for (algorithm, length) in
        [(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)]
    {
        if secret_length >= length {
            fits = fits | Algorithms::of(algorithm);
        }
    }
    fits
}

/// The bytes of a member, in base64url or plain base64, padded or not.
fn octets(jwk: &Members<'_>, name: &'static str) -> Result<Vec<u8>, SkipReason> {
    let Some(value) = jwk.present(name) else {
        return Err(match jwk.present("x5c") {
            Some(_) => SkipReason::Certificate(name),
            None => SkipReason::Missing(name),
        });
    };
    let text = members::text(value).ok_or(SkipReason::Encoding(name))?;
    match BASE64.decode(text.replace('+', "-").replace('/', "_")) {
        Ok(bytes) if !bytes.is_empty() => Ok(bytes),
        _ => Err(SkipReason::Encoding(name)),
    }
}

/// A Base64urlUInt (RFC 7518 section 2). Some providers prefix zero octets, which aws-lc would not take.
fn unsigned(jwk: &Members<'_>, name: &'static str) -> Result<Vec<u8>, SkipReason> {
    let mut number = octets(jwk, name)?;
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.drain(..zeros);
    Ok(number)
}

/// The bit length of a big-endian number without leading zeros.
fn bits(number: &[u8]) -> usize {
    match number.first() {
        Some(first) => number.len() * 8 - first.leading_zeros() as usize,
        None => 0,
    }
}

fn is_odd(number: &[u8]) -> bool {
    matches!(number.last(), Some(byte) if byte % 2 == 1)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::jose::jwks::{self, ParsedKeys, Unusable};
    use crate::support::tokens::{SigningKey, b64};
    use serde_json::{Value, json};

    /// An RSA key of this many bits, all of them ones. Nothing has its private half.
    pub(in crate::jose) fn rsa_of(bits: usize, exponent: &[u8]) -> Value {
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        modulus[0] >>= modulus.len() * 8 - bits;
        json!({"kty": "RSA", "n": b64(modulus), "e": b64(exponent)})
    }

    pub(in crate::jose) fn with(mut jwk: Value, name: &str, value: Value) -> Value {
        jwk[name] = value;
        jwk
    }

    pub(in crate::jose) fn without(mut jwk: Value, name: &str) -> Value {
        jwk.as_object_mut().unwrap().remove(name);
        jwk
    }

    /// What a lone member of a key set may be used for.
    fn fits(jwk: &Value, origin: Origin) -> Algorithms {
        let document = json!({"keys": [jwk]}).to_string();
        match jwks::parse(document.as_bytes(), Algorithms::ALL, origin) {
            Ok(ParsedKeys { keys, .. }) => keys[0].fits,
            Err(unusable) => {
                assert!(matches!(unusable, Unusable::NoUsableKey(_)), "{unusable}");
                Algorithms::default()
            }
        }
    }

    #[test]
    fn rsa_keys_of_odd_sizes_are_not_usable() {
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
            ("e empty text", with(rsa_of(2048, F4), "e", json!("")), false),
            ("e padded", with(rsa_of(2048, &[3]), "e", json!("Aw==")), true),
            ("n in base64", with(rsa_of(2048, F4), "n", json!("/".repeat(341) + "w==")), true),
            ("n with stray bits", with(rsa_of(2048, F4), "n", json!("_".repeat(342))), false),
        ];
        for (name, jwk, is_usable) in cases {
            let expected = if is_usable { Algorithms::RSA } else { Algorithms::default() };
            assert_eq!(fits(&jwk, Origin::Network), expected, "{name}");
        }
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
    fn an_ed25519_key_of_small_order_is_never_usable() {
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
    fn each_skipped_key_has_its_reason() {
        const F4: &[u8] = &[1, 0, 1];
        let rsa = || rsa_of(2048, F4);
        let (ec, ed) = (SigningKey::es256("k").jwk(), SigningKey::ed25519("k").jwk());
        let secret = |bytes: usize| json!({"kty": "oct", "k": b64(vec![7; bytes])});
        let even = with(rsa(), "n", json!(b64([&[0xff; 255][..], &[0xfe]].concat())));
        for (jwk, expected) in [
            (json!([]), "not a JSON object whose members have distinct names"),
            (with(rsa(), "kid", json!(5)), "`kid` is not a string"),
            (with(rsa(), "kty", json!("AKP")), "`kty` is not RSA, EC, OKP or oct"),
            (without(rsa(), "kty"), "`kty` is not RSA, EC, OKP or oct"),
            (with(ec.clone(), "crv", json!("secp256k1")), "`crv` is not P-256 or P-384"),
            (with(ed.clone(), "crv", json!("Ed448")), "`crv` is not Ed25519"),
            (with(rsa(), "use", json!("enc")), "`use` is not `sig`"),
            (with(rsa(), "use", json!(5)), "`use` is not `sig`"),
            (with(rsa(), "key_ops", json!(["sign"])), "`key_ops` does not include `verify`"),
            (with(rsa(), "alg", json!("ES256")), "`alg` is not for keys of its type"),
            (with(ec.clone(), "alg", json!("ES384")), "`alg` is not for keys of its type"),
            (without(rsa(), "n"), "no `n`"),
            (with(rsa(), "e", json!(null)), "no `e`"),
            (
                with(without(rsa(), "n"), "x5c", json!(["AQ=="])),
                "no `n`: its certificate (`x5c`) is not read",
            ),
            (with(rsa(), "n", json!("a b")), "`n` is not a string in base64url"),
            (with(rsa(), "e", json!(65537)), "`e` is not a string in base64url"),
            (rsa_of(1024, F4), "`n` has 1024 bits, not 2048 to 8192"),
            (even, "`n` is even"),
            (rsa_of(2048, &[2]), "`e` is even, below 3 or longer than 33 bits"),
            (with(ec.clone(), "x", json!(b64([1; 33]))), "`x` is too long for its curve"),
            (with(ec.clone(), "x", ec["y"].clone()), "`x` and `y` are not a point of its curve"),
            (with(ed.clone(), "x", json!(b64([1; 31]))), "`x` does not have 32 bytes"),
            (with(ed, "x", json!(b64([0; 32]))), "`x` has a small order: anybody could forge"),
            (secret(31), "`k` has 31 bytes: HS256 needs 32, HS384 48, HS512 64"),
            (
                with(secret(48), "alg", json!("HS512")),
                "`k` has 48 bytes: HS256 needs 32, HS384 48, HS512 64",
            ),
            (with(secret(64), "alg", json!("RS256")), "`alg` is not for keys of its type"),
        ] {
            let document = json!({"keys": [jwk]}).to_string();
            let parsed = jwks::parse(document.as_bytes(), Algorithms::ALL, Origin::Configuration);
            let Err(Unusable::NoUsableKey(skipped)) = parsed else { panic!("{document}") };
            assert_eq!(skipped[0].reason.to_string(), expected, "{document}");
        }
        for name in ["SHA256withRSA", "RSA-OAEP", "rs256", "ES512", ""] {
            let document = json!({"keys": [with(rsa(), "alg", json!(name))]}).to_string();
            let parsed = jwks::parse(document.as_bytes(), Algorithms::ALL, Origin::Network);
            let message = parsed.unwrap_err().to_string();
            assert!(
                message.contains("keys[0]: `alg` is not a supported algorithm: RS256 "),
                "{message}"
            );
        }
    }

    #[test]
    fn use_key_ops_and_alg_limit_a_key() {
        let rsa = || rsa_of(2048, &[1, 0, 1]);
        let cases = [
            ("use", json!("sig"), Algorithms::RSA),
            ("use", json!("enc"), Algorithms::default()),
            ("use", json!("SIG"), Algorithms::default()),
            ("use", json!(""), Algorithms::default()),
            ("use", json!(null), Algorithms::RSA),
            ("use", json!(["sig"]), Algorithms::default()),
            ("key_ops", json!(["verify"]), Algorithms::RSA),
            ("key_ops", json!(["sign", "verify"]), Algorithms::RSA),
            ("key_ops", json!(["encrypt"]), Algorithms::default()),
            ("key_ops", json!(["sign"]), Algorithms::default()),
            ("key_ops", json!([]), Algorithms::RSA),
            ("key_ops", json!("verify"), Algorithms::default()),
            ("key_ops", json!(null), Algorithms::RSA),
            ("key_ops", json!([null]), Algorithms::default()),
            ("alg", json!("RS256"), Algorithms::of(Algorithm::RS256)),
            ("alg", json!("PS512"), Algorithms::of(Algorithm::PS512)),
            ("alg", json!("RSA-OAEP"), Algorithms::default()),
            ("alg", json!("ES256"), Algorithms::default()),
            ("alg", json!("HS256"), Algorithms::default()),
            ("alg", json!("none"), Algorithms::default()),
            ("alg", json!("rs256"), Algorithms::default()),
            ("alg", json!(null), Algorithms::RSA),
            ("alg", json!(5), Algorithms::default()),
            ("kid", json!(""), Algorithms::RSA),
            ("kid", json!(null), Algorithms::RSA),
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
    fn a_symmetric_key_is_at_least_as_long_as_its_hash() {
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
        let keys =
            jwks::parse(document.as_bytes(), Algorithms::ALL, Origin::Configuration).unwrap().keys;
        assert!(keys[0].is_symmetric());
        assert_eq!(format!("{:?}", keys[0]), "Key { id: None, fits: [HS256], .. }");
    }
}
