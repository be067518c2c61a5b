//! Keys of a set that are not used, and why.

use std::fmt;

use crate::excerpt::cut;
use crate::jose::algorithm::Algorithms;
use crate::jose::members::Members;

/// A key of a set, by its place and its id. Displayed, it is one line, whatever the id is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedKey {
    /// Its index in the array `keys`.
    pub index: usize,
    /// The first characters of its `kid`, if it has one.
    pub id: Option<String>,
}

/// A key of a set that is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    /// Which key.
    pub key: ListedKey,
    /// Why it is not used.
    pub reason: SkipReason,
}

/// Why a key is not used. Displayed, it is a sentence without a value of the key, but for its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// It is not an object, or has a member twice.
    Malformed,
    /// `kid` is not a string.
    KeyId,
    /// Another `kty` than those that are supported.
    Type,
    /// A secret in a document that everybody can read.
    SymmetricFromNetwork,
    /// Another `crv` than these.
    Curve(&'static str),
    /// Another `use` than `sig`.
    Use,
    /// `key_ops` without `verify`.
    KeyOperations,
    /// `alg` names no algorithm that is supported.
    AlgorithmName,
    /// `alg` is not for keys of this type.
    AlgorithmType,
    /// It is for these algorithms, and none of them is allowed.
    AlgorithmNotAllowed(Vec<&'static str>),
    /// A member is absent.
    Missing(&'static str),
    /// A member is absent, and the key has a certificate instead.
    Certificate(&'static str),
    /// A member is not a string in base64.
    Encoding(&'static str),
    /// Bits of the modulus.
    ModulusSize(usize),
    /// The modulus is even.
    EvenModulus,
    /// The exponent is even, tiny or huge.
    Exponent,
    /// A coordinate is longer than those of the curve.
    Coordinate(&'static str),
    /// The point is not on the curve.
    PointOffCurve,
    /// An Ed25519 key that does not have 32 bytes.
    Ed25519Size,
    /// An Ed25519 key under which signatures need no secret.
    SmallOrder,
    /// Bytes of the secret.
    SecretTooShort(usize),
}

impl ListedKey {
    /// `jwk`: its members, if they can be read.
    pub(super) fn of(index: usize, jwk: Option<&Members<'_>>) -> Self {
        let id = jwk.and_then(|jwk| jwk.text("kid"));
        Self { index, id: id.map(|id| cut(&id).to_owned()) }
    }
}

impl SkipReason {
    /// Whether the provider says itself that the key is for something else.
    pub(crate) fn is_by_design(&self) -> bool {
        *self == Self::Use
    }
}

impl fmt::Display for ListedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keys[{}]", self.index)?;
        match &self.id {
            Some(id) => write!(f, " (kid {id:?})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for SkippedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.reason)
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("not a JSON object whose members have distinct names"),
            Self::KeyId => f.write_str("`kid` is not a string"),
            Self::Type => f.write_str("`kty` is not RSA, EC, OKP or oct"),
            Self::SymmetricFromNetwork => {
                f.write_str("symmetric, but published: secrets are read from JWKS only")
            }
            Self::Curve(supported) => write!(f, "`crv` is not {supported}"),
            Self::Use => f.write_str("`use` is not `sig`"),
            Self::KeyOperations => f.write_str("`key_ops` does not include `verify`"),
            Self::AlgorithmName => {
                write!(f, "`alg` is not a supported algorithm: {}", Algorithms::known())
            }
            Self::AlgorithmType => f.write_str("`alg` is not for keys of its type"),
            Self::AlgorithmNotAllowed(names) => {
                write!(f, "ALGORITHMS does not list its algorithms: {}", names.join(" "))
            }
            Self::Missing(member) => write!(f, "no `{member}`"),
            Self::Certificate(member) => {
                write!(f, "no `{member}`: its certificate (`x5c`) is not read")
            }
            Self::Encoding(member) => write!(f, "`{member}` is not a string in base64url"),
            Self::ModulusSize(bits) => write!(f, "`n` has {bits} bits, not 2048 to 8192"),
            Self::EvenModulus => f.write_str("`n` is even"),
            Self::Exponent => f.write_str("`e` is even, below 3 or longer than 33 bits"),
            Self::Coordinate(member) => write!(f, "`{member}` is too long for its curve"),
            Self::PointOffCurve => f.write_str("`x` and `y` are not a point of its curve"),
            Self::Ed25519Size => f.write_str("`x` does not have 32 bytes"),
            Self::SmallOrder => f.write_str("`x` has a small order: anybody could forge"),
            Self::SecretTooShort(bytes) => {
                write!(f, "`k` has {bytes} bytes: HS256 needs 32, HS384 48, HS512 64")
            }
        }
    }
}
