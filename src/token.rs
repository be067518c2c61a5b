//! A token as it came in: JWS compact form (RFC 7515 section 7.1), read strictly, unverified until a key says so.
//!
//! Everything known before the signature is checked has `unverified` in its name. [`Claims`] has one source,
//! [`Token::verify`], and holds what the very bytes say that the signature covers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::algorithm::{self, Algorithm, Algorithms};
use crate::json;
use crate::jwks::KeySet;
use crate::refusal::{Denial, Reason};

/// The longest token that is looked at. All headers of a request to API Gateway have at most 10,240 bytes in sum.
pub const MAX_BYTES: usize = 16 * 1024;

/// A well-formed token that nobody has vouched for yet.
pub(crate) struct Token<'a> {
    /// The first two segments with the dot between them: what the signature covers.
    signed: &'a str,
    signature: &'a str,
    header: Map<String, Value>,
    payload: Map<String, Value>,
}

/// What a token says, once its signature was verified.
#[derive(Debug)]
pub(crate) struct Claims(Value);

impl<'a> Token<'a> {
    /// Reads a token. Its header is well-formed afterwards, but not yet accepted: see [`Token::acceptable`].
    pub(crate) fn parse(text: &'a str) -> Result<Self, Denial> {
        if text.len() > MAX_BYTES {
            return Err(Reason::TokenTooLong.into());
        }
        let malformed = |detail| Reason::TokenMalformed.because(detail);
        let (signed, signature) = text.rsplit_once('.').ok_or(malformed("not three segments"))?;
        let (header, payload) = signed.split_once('.').ok_or(malformed("not three segments"))?;
        if payload.contains('.') {
            return Err(malformed("not three segments"));
        }
        let object = |segment: &str| json::object(&decode(segment)?).ok();
        let header = object(header).ok_or(malformed("the header is not a JSON object in base64url"))?;
        let payload = object(payload).ok_or(malformed("the payload is not a JSON object in base64url"))?;
        decode(signature).ok_or(malformed("the signature is not base64url"))?;

        // RFC 7515 section 4.1: these are strings. `alg` must be there, the others may.
        if !header.get("alg").is_some_and(Value::is_string) {
            return Err(malformed("header member `alg` is absent or not a string"));
        }
        if ["kid", "typ", "cty"].iter().any(|name| header.get(*name).is_some_and(|value| !value.is_string())) {
            return Err(malformed("header member `kid`, `typ` or `cty` is not a string"));
        }
        if header.contains_key("zip") {
            return Err(malformed("header member `zip` is not supported"));
        }
        Ok(Self { signed, signature, header, payload })
    }

    /// Whether this kind of token is wanted at all: no extension that would have to be understood (RFC 7515
    /// section 4.1.11), a type on the list (in lower case, without `application/`), an allowed algorithm.
    pub(crate) fn acceptable(&self, types: &[String], allowed: Algorithms) -> Result<Algorithm, Denial> {
        if self.header.contains_key("crit") || self.header.contains_key("b64") {
            return Err(Reason::CriticalHeaderUnsupported.into());
        }
        // RFC 8725 section 3.11. RFC 7519 section 5.1: without `typ`, it is a JWT to its reader.
        let typ = media_type(self.member("typ").unwrap_or("JWT"));
        if !types.iter().any(|accepted| typ.eq_ignore_ascii_case(accepted)) {
            return Err(Reason::TypeNotAccepted.because("header member `typ`"));
        }
        // RFC 7519 section 5.2: the payload of a nested JWT is not a claims set.
        if self.member("cty").is_some_and(|cty| media_type(cty).eq_ignore_ascii_case("JWT")) {
            return Err(Reason::TypeNotAccepted.because("a nested JWT"));
        }
        let algorithm = algorithm::named(self.unverified_algorithm()).filter(|algorithm| allowed.contains(*algorithm));
        algorithm.ok_or_else(|| Reason::AlgorithmNotAllowed.into())
    }

    /// The claims, if a key of this set verifies the signature over the bytes as they came in.
    pub(crate) fn verify(self, keys: &KeySet, algorithm: Algorithm) -> Result<Claims, Self> {
        let kid = self.unverified_kid();
        if keys.verifies(kid, algorithm, self.signature, self.signed.as_bytes()) {
            Ok(Claims(Value::Object(self.payload)))
        } else {
            Err(self)
        }
    }

    pub(crate) fn unverified_issuer(&self) -> Option<&str> {
        self.payload.get("iss").and_then(Value::as_str)
    }

    pub(crate) fn unverified_kid(&self) -> Option<&str> {
        self.member("kid")
    }

    pub(crate) fn unverified_algorithm(&self) -> &str {
        self.member("alg").unwrap_or_default()
    }

    fn member(&self, name: &str) -> Option<&str> {
        self.header.get(name).and_then(Value::as_str)
    }
}

/// RFC 7515 section 4.1.9: `application/` may be left out of a media type without another slash.
pub(crate) fn media_type(name: &str) -> &str {
    match name.split_at_checked("application/".len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") && !rest.contains('/') => rest,
        _ => name,
    }
}

/// The bytes of a segment. This engine takes no padding, no other alphabet and no stray trailing bits.
fn decode(segment: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(segment).ok().filter(|bytes| !bytes.is_empty())
}

impl Claims {
    /// The claim of this name, or at this JSON Pointer (RFC 6901).
    pub(crate) fn get(&self, path: &ClaimPath) -> Option<&Value> {
        let value = match path {
            ClaimPath::Member(name) => self.0.get(name),
            ClaimPath::Pointer(pointer) => self.0.pointer(pointer),
        };
        value.filter(|value| !value.is_null())
    }

    /// The claim of this literal name; null counts as present here.
    pub(crate) fn member(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

/// Where a claim is found: by its literal name, or, when that begins with `/`, by a JSON Pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClaimPath {
    /// A member of the claims set, whatever characters its name has: `https://example.com/roles`.
    Member(String),
    /// RFC 6901: `/realm_access/roles`.
    Pointer(String),
}

impl ClaimPath {
    /// The error says what would be right.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Ok(Self::Member(text.to_owned()));
        }
        // RFC 6901 section 3: `~` stands only in `~0` and `~1`.
        let escapes_are_whole = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        if escapes_are_whole {
            Ok(Self::Pointer(text.to_owned()))
        } else {
            Err(format!("`{text}` is not a JSON Pointer: `~` is written `~0`"))
        }
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Member(text) | Self::Pointer(text) => text,
        }
    }
}
