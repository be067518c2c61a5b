//! A token as it came in: JWS compact form (RFC 7515 section 7.1), read strictly, unverified until a key says so.
//!
//! Everything known before the signature is checked has `unverified` in its name. [`Claims`] has one source,
//! [`Token::verify`], and is parsed from the very bytes that the signature covers.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Number, Value};

use crate::denial::{Denial, Malformed};
use crate::jose::algorithm::{self, Algorithm, Algorithms};
use crate::jose::json;
use crate::jose::key_set::{KeyQuery, KeySet};
use crate::jose::number;

/// The longest token that is looked at. All headers of a request to API Gateway have at most 10,240 bytes in sum.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A well-formed token whose signature is not verified yet.
pub(crate) struct Token<'a> {
    /// The first two segments with the dot between them: what the signature covers.
    signed: &'a str,
    signature: Vec<u8>,
    header: Arc<Value>,
    payload: Arc<Value>,
    payload_text: Arc<PayloadText>,
}

/// The claims of a token whose signature is verified.
#[derive(Clone, Debug)]
pub(crate) struct Claims {
    value: Arc<Value>,
    text: Arc<PayloadText>,
}

/// A payload as it is written.
#[derive(Debug, Default)]
struct PayloadText {
    text: String,
    /// The bits of the numbers in it that were rounded when they were read. They are looked for at most once: a token
    /// can have thousands of numbers, and be compared with many.
    rounded: OnceLock<HashSet<u64>>,
}

impl<'a> Token<'a> {
    /// Reads a token. Its header is well-formed afterwards, but not yet accepted: see [`Token::check_header`].
    pub(crate) fn parse(text: &'a str) -> Result<Self, Denial> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(Denial::TokenTooLong { limit: MAX_TOKEN_BYTES });
        }
        let malformed = Denial::TokenMalformed;
        let Some((signed, signature)) = text.rsplit_once('.') else {
            return Err(malformed(Malformed::Segments));
        };
        let Some((header, payload)) = signed.split_once('.') else {
            return Err(malformed(Malformed::Segments));
        };
        let (header, _) = object(header, Malformed::Header)?;
        let (payload, payload_text) = match object(payload, Malformed::Payload) {
            Ok(read) => read,
            // A JWE has five segments. A dot is not base64url, so decoding has failed by now.
            Err(_) if payload.contains('.') => return Err(malformed(Malformed::Segments)),
            Err(denial) => return Err(denial),
        };
        let signature = decode(signature).ok_or(malformed(Malformed::Signature))?;

        // RFC 7515 section 4.1: these are strings. `alg` must be there, the others need not.
        if !matches!(header.get("alg"), Some(Value::String(_))) {
            return Err(malformed(Malformed::Algorithm));
        }
        for name in ["kid", "typ", "cty"] {
            if !matches!(header.get(name), None | Some(Value::String(_))) {
                return Err(malformed(Malformed::HeaderMember));
            }
        }
        if header.contains_key("zip") {
            return Err(malformed(Malformed::Compressed));
        }
        let (header, payload) = (Arc::new(Value::Object(header)), Arc::new(Value::Object(payload)));
        Ok(Self { signed, signature, header, payload, payload_text: Arc::new(payload_text.into()) })
    }

    /// Whether this kind of token is accepted: no extension that would have to be understood (RFC 7515 section 4.1.11),
    /// a type on the list (in lower case, without `application/`), an allowed algorithm.
    pub(crate) fn check_header(
        &self,
        types: &[String],
        allowed: Algorithms,
    ) -> Result<Algorithm, Denial> {
        for member in ["crit", "b64"] {
            if self.header.get(member).is_some() {
                return Err(Denial::CriticalHeaderUnsupported { member });
            }
        }
        // RFC 8725 section 3.11.
        if !is_accepted_type(self.member("typ"), types) {
            return Err(Denial::TypeNotAccepted { accepted: Some(types.to_vec()) });
        }
        // RFC 7519 section 5.2: the payload of a nested JWT is not a claims set.
        if let Some(cty) = self.member("cty")
            && media_type(cty).eq_ignore_ascii_case("JWT")
        {
            return Err(Denial::TypeNotAccepted { accepted: None });
        }
        match algorithm::named(self.unverified_algorithm()) {
            Some(algorithm) if allowed.contains(algorithm) => Ok(algorithm),
            _ => Err(Denial::AlgorithmNotAllowed { allowed: allowed.names() }),
        }
    }

    /// Which keys may verify it. `key_issuer`: see [`KeyQuery`].
    pub(crate) fn key_query<'t>(
        &'t self,
        algorithm: Algorithm,
        key_issuer: Option<&'t str>,
    ) -> KeyQuery<'t> {
        let issuers =
            key_issuer.map(|issuer| [self.unverified_issuer().unwrap_or_default(), issuer]);
        KeyQuery { kid: self.unverified_kid(), algorithm, issuers }
    }

    /// The claims, if a key of this set verifies the signature over the bytes as they came in.
    pub(crate) fn verify(
        self,
        keys: &KeySet,
        algorithm: Algorithm,
        key_issuer: Option<&str>,
    ) -> Result<Claims, Self> {
        let query = self.key_query(algorithm, key_issuer);
        if keys.verifies(query, &self.signature, self.signed.as_bytes()) {
            Ok(Claims { value: self.payload, text: self.payload_text })
        } else {
            Err(self)
        }
    }

    /// The header, for display.
    pub(crate) fn unverified_header(&self) -> &Arc<Value> {
        &self.header
    }

    /// The payload, for display. Nothing can be decided by it: see [`Token::verify`].
    pub(crate) fn unverified_payload(&self) -> &Arc<Value> {
        &self.payload
    }

    pub(crate) fn unverified_issuer(&self) -> Option<&str> {
        self.payload.get("iss")?.as_str()
    }

    pub(crate) fn unverified_claim(&self, name: &str) -> Option<&Value> {
        self.payload.get(name)
    }

    pub(crate) fn unverified_kid(&self) -> Option<&str> {
        self.member("kid")
    }

    pub(crate) fn unverified_algorithm(&self) -> &str {
        self.member("alg").unwrap_or_default()
    }

    fn member(&self, name: &str) -> Option<&str> {
        self.header.get(name)?.as_str()
    }
}

/// Whether this `typ` is on the list. RFC 7519 section 5.1: without one, it is a JWT to its reader.
pub(crate) fn is_accepted_type(typ: Option<&str>, accepted: &[String]) -> bool {
    let typ = media_type(typ.unwrap_or("JWT"));
    accepted.iter().any(|accepted| typ.eq_ignore_ascii_case(accepted))
}

/// RFC 7515 section 4.1.9: `application/` may be left out of a media type without another slash.
pub(crate) fn media_type(name: &str) -> &str {
    match name.split_at_checked("application/".len()) {
        Some((prefix, rest))
            if prefix.eq_ignore_ascii_case("application/") && !rest.contains('/') =>
        {
            rest
        }
        _ => name,
    }
}

/// The bytes of a segment. This engine takes no padding, no other alphabet and no stray trailing bits.
fn decode(segment: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(segment).ok()?;
    if bytes.is_empty() { None } else { Some(bytes) }
}

/// The JSON object in a segment, and its text. `otherwise` is what is wrong if there is none.
fn object(segment: &str, otherwise: Malformed) -> Result<(Map<String, Value>, String), Denial> {
    let malformed = Denial::TokenMalformed;
    let Some(bytes) = decode(segment) else { return Err(malformed(otherwise)) };
    let Ok(text) = String::from_utf8(bytes) else { return Err(malformed(Malformed::NotUnicode)) };
    match json::object(&text) {
        Ok(object) => Ok((object, text)),
        Err(_) if json::has_lone_surrogate(&text) => Err(malformed(Malformed::NotUnicode)),
        Err(_) => Err(malformed(otherwise)),
    }
}

impl Claims {
    /// The claim of this name, or at this JSON Pointer (RFC 6901).
    pub(crate) fn get(&self, path: &ClaimPath) -> Option<&Value> {
        let value = match path {
            ClaimPath::Member(name) => self.value.get(name),
            ClaimPath::Pointer(pointer) => self.value.pointer(pointer),
        };
        match value {
            Some(Value::Null) => None,
            value => value,
        }
    }

    /// The string at this place, if there is one and it is not empty.
    pub(crate) fn non_empty_string(&self, path: &ClaimPath) -> Option<&str> {
        let string = self.get(path)?.as_str()?;
        if string.is_empty() { None } else { Some(string) }
    }

    /// Whether some number of the claims was rounded to this one when it was read. It cannot be compared exactly.
    pub(crate) fn has_rounded(&self, number: &Number) -> bool {
        let Some(number) = number.as_f64().filter(|_| number.is_f64()) else { return false };
        self.text.rounded().contains(&number.to_bits())
    }

    /// Whether the issuer left claims out and says where they are (OpenID Connect Core section 5.6.2). Entra ID does so
    /// with the groups of a user who is in more than 200.
    pub(crate) fn has_distributed_claims(&self) -> bool {
        self.value.get("_claim_names").is_some_and(|names| !names.is_null())
    }

    /// The claim of this literal name; null counts as present here.
    pub(crate) fn member(&self, name: &str) -> Option<&Value> {
        self.value.get(name)
    }
}

impl PayloadText {
    fn rounded(&self) -> &HashSet<u64> {
        self.rounded.get_or_init(|| {
            let mut bits = HashSet::new();
            for number in number::rounded(&self.text) {
                bits.extend(number.as_f64().map(f64::to_bits));
            }
            bits
        })
    }
}

impl From<String> for PayloadText {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

/// Where a claim is found: by its literal name, or, when that begins with `/`, by a JSON Pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClaimPath {
    /// A member of the claims set. Its name can have any characters: `https://example.com/roles`.
    Member(String),
    /// RFC 6901: `/realm_access/roles`.
    Pointer(String),
}

impl ClaimPath {
    /// The error says what is expected.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if !text.starts_with('/') {
            return Ok(Self::Member(text.to_owned()));
        }
        // RFC 6901 section 3: `~` occurs only in `~0` and `~1`.
        for rest in text.split('~').skip(1) {
            if !rest.starts_with(['0', '1']) {
                return Err(
                    "a name that begins with `/` is a JSON Pointer, in which `~` is written `~0`",
                );
            }
        }
        Ok(Self::Pointer(text.to_owned()))
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Member(text) | Self::Pointer(text) => text,
        }
    }
}

#[cfg(test)]
impl Claims {
    /// As if a token with these claims had been verified.
    pub(crate) fn verified(claims: Value) -> Self {
        Self::of_text(&claims.to_string())
    }

    /// As if a token with this payload had been verified.
    pub(crate) fn of_text(text: &str) -> Self {
        let value = Arc::new(json::value(text).unwrap());
        Self { value, text: Arc::new(text.to_owned().into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::jwk::Origin;
    use crate::jose::jwks;
    use crate::reason::Reason;
    use crate::support::tokens::{self, SigningKey, b64};
    use serde_json::json;

    const HEADER: &str = r#"{"alg":"RS256","kid":"k"}"#;
    const PAYLOAD: &str = r#"{"iss":"https://login.example.com"}"#;

    fn raw(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        format!("{}.{}.c2ln", b64(header), b64(payload))
    }

    fn parsed(text: &str) -> Result<(), Reason> {
        Token::parse(text).map(|_| ()).map_err(|denial| denial.reason())
    }

    fn accepted(header: &Value, types: &[&str], allowed: Algorithms) -> Result<Algorithm, Reason> {
        let text = raw(header.to_string(), PAYLOAD);
        let types: Vec<_> = types.iter().map(|typ| (*typ).to_owned()).collect();
        let accepted = Token::parse(&text).and_then(|token| token.check_header(&types, allowed));
        accepted.map_err(|denial| denial.reason())
    }

    fn key_set(keys: &[&SigningKey]) -> KeySet {
        let document = tokens::jwks(keys).to_string();
        KeySet::new(
            jwks::parse(document.as_bytes(), Algorithms::ALL, Origin::Configuration).unwrap().keys,
        )
    }

    #[test]
    fn a_token_is_three_segments_of_canonical_base64url() {
        let (h, p) = (&*b64(HEADER), &*b64(PAYLOAD));
        for good in ["c2ln", "c2k", "cw", "-_-_"] {
            assert_eq!(parsed(&format!("{h}.{p}.{good}")), Ok(()), "{good}");
        }
        // `<` and `>` stand for a good header and a good payload.
        let bad = "|.|..|...|<|<.>|<.>.|<..c2ln|.>.c2ln|<.>.c2ln.|.<.>.c2ln|<.>.c2ln.c2ln|<.c2ln.c2ln.c2ln.c2ln|\
            <.>.c2k=|<.>=.c2ln|<==.>.c2ln|<.>.c2l|<.>.cx|<.>.c2lnA|<.>.+/+/|<.>.-/-/|<.>.c2l\u{e9}|<%2E>%2Ec2ln|\
            \x20<.>.c2ln|<.>.c2ln |<.>.c2ln\n|<.>.c2\nln|< .>.c2ln|<.\t>.c2ln|<.>.c2ln\0";
        for text in bad.split('|') {
            let text = text.replace('<', h).replace('>', p);
            assert_eq!(parsed(&text), Err(Reason::TokenMalformed), "{text:?}");
        }
    }

    #[test]
    fn malformed_tokens_say_which_part_is_wrong() {
        let (h, p) = (&*b64(HEADER), &*b64(PAYLOAD));
        let detail = |text: &str| Token::parse(text).err().unwrap().to_string();
        for text in [
            h.to_owned(),
            format!("{h}.{p}"),
            format!("{h}.{p}.c2ln.c2ln"),
            format!("{h}.{p}.c2ln.c2ln.c2ln"),
        ] {
            assert_eq!(detail(&text), "not three segments", "{text}");
        }
        assert_eq!(
            detail(&format!("{h}.{p}+.c2ln")),
            "the payload is not a JSON object in base64url"
        );
        assert_eq!(detail(&format!("{h}.{p}.c2ln+")), "the signature is not base64url");
    }

    #[test]
    fn header_and_payload_are_strict_json_objects() {
        assert_eq!(parsed(&raw(" { \"alg\" : \"RS256\" }\n", " {}\r\n")), Ok(()));
        let nested =
            |depth| format!(r#"{{"alg":"RS256","x":{}1{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_eq!(parsed(&raw(nested(100), nested(100))), Ok(()));
        let deep = nested(200);
        let bad: [&[u8]; 14] = [
            b"\xef\xbb\xbf{\"alg\":\"RS256\"}",
            b"[]",
            b"[{\"alg\":\"RS256\"}]",
            b"null",
            b"\"alg\"",
            b"{\"alg\":\"RS256\"",
            b"{\"alg\":\"RS256\"}{}",
            br#"{"alg":"RS256","alg":"RS256"}"#,
            br#"{"alg":"RS256","\u0061lg":"none"}"#,
            br#"{"alg":"RS256","x":1,"x":1}"#,
            br#"{"alg":"RS256","x":[{"y":1,"y":1}]}"#,
            b"{\"alg\":\"RS256\",\"x\":\"\xff\"}",
            br#"{"alg":"RS256","x":1e400}"#,
            deep.as_bytes(),
        ];
        for json in bad {
            let shown = json.escape_ascii();
            assert_eq!(parsed(&raw(json, PAYLOAD)), Err(Reason::TokenMalformed), "header {shown}");
            assert_eq!(parsed(&raw(HEADER, json)), Err(Reason::TokenMalformed), "payload {shown}");
        }
    }

    #[test]
    fn header_members_that_matter_have_the_right_type() {
        let wrong = [json!(null), json!(5), json!(true), json!(["RS256"]), json!({"RS256": null})];
        for name in ["alg", "kid", "typ", "cty"] {
            for value in &wrong {
                let mut header = json!({"alg": "RS256"});
                header[name] = value.clone();
                assert_eq!(
                    parsed(&raw(header.to_string(), PAYLOAD)),
                    Err(Reason::TokenMalformed),
                    "{header}"
                );
            }
        }
        assert_eq!(parsed(&raw("{}", PAYLOAD)), Err(Reason::TokenMalformed), "no alg");
        for zip in [json!("DEF"), json!(""), json!(null), json!(false)] {
            let header = json!({"alg": "RS256", "zip": zip});
            assert_eq!(
                parsed(&raw(header.to_string(), PAYLOAD)),
                Err(Reason::TokenMalformed),
                "{header}"
            );
        }
        let unused = json!({"alg": "RS256", "jku": 5, "jwk": [], "x5u": null, "x5c": "x", "x5t": {}, "enc": "A128GCM"});
        assert_eq!(parsed(&raw(unused.to_string(), PAYLOAD)), Ok(()));
    }

    #[test]
    fn tokens_of_more_than_16_kib_are_refused() {
        let head = format!("{}.{}.", b64(HEADER), b64("{ }"));
        let longest = format!("{head}{}", "A".repeat(16_384 - head.len()));
        assert_eq!(parsed(&longest), Ok(()));
        assert_eq!(parsed(&format!("{longest}A")), Err(Reason::TokenTooLong));
        assert_eq!(parsed(&" ".repeat(16_384)), Err(Reason::TokenMalformed));
        assert_eq!(parsed(&" ".repeat(16_385)), Err(Reason::TokenTooLong));
    }

    #[test]
    fn a_type_is_compared_without_letter_case_and_prefix() {
        let types = ["jwt", "at+jwt"];
        let rs256 = Algorithms::of(Algorithm::RS256);
        let typ = |typ: &str| accepted(&json!({"alg": "RS256", "typ": typ}), &types, rs256);
        for good in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "APPLICATION/Jwt"] {
            assert_eq!(typ(good), Ok(Algorithm::RS256), "{good}");
        }
        for bad in [
            "",
            " ",
            "JWT ",
            "id+jwt",
            "dpop+jwt",
            "logout+jwt",
            "text/jwt",
            "application/",
            "application/x/jwt",
        ] {
            assert_eq!(typ(bad), Err(Reason::TypeNotAccepted), "{bad}");
        }
        for (name, short) in [
            ("application/at+jwt", "at+jwt"),
            ("application/x/jwt", "application/x/jwt"),
            ("text/jwt", "text/jwt"),
            ("jwt", "jwt"),
        ] {
            assert_eq!(media_type(name), short);
        }
        let absent = json!({"alg": "RS256"});
        assert_eq!(accepted(&absent, &types, rs256), Ok(Algorithm::RS256));
        assert_eq!(accepted(&absent, &["at+jwt"], rs256), Err(Reason::TypeNotAccepted));
        for (cty, expected) in [
            ("JWT", Err(Reason::TypeNotAccepted)),
            ("jwt", Err(Reason::TypeNotAccepted)),
            ("application/JWT", Err(Reason::TypeNotAccepted)),
            ("json", Ok(Algorithm::RS256)),
        ] {
            assert_eq!(
                accepted(&json!({"alg": "RS256", "cty": cty}), &types, rs256),
                expected,
                "{cty}"
            );
        }
    }

    #[test]
    fn an_algorithm_is_on_the_list_by_its_exact_name() {
        let allowed = Algorithms::parse(["RS256", "EdDSA"]).unwrap();
        let alg = |alg: &str| accepted(&json!({"alg": alg}), &["jwt"], allowed);
        assert_eq!(alg("RS256"), Ok(Algorithm::RS256));
        assert_eq!(alg("EdDSA"), Ok(Algorithm::EdDSA));
        assert_eq!(alg("Ed25519"), Ok(Algorithm::EdDSA));
        for bad in [
            "none", "None", "NONE", "", "rs256", "Rs256", "RS256 ", "RS384", "PS256", "HS256",
            "Ed448", "eddsa",
        ] {
            assert_eq!(alg(bad), Err(Reason::AlgorithmNotAllowed), "{bad}");
        }
        assert_eq!(
            accepted(&json!({"alg": "none"}), &["jwt"], Algorithms::ALL),
            Err(Reason::AlgorithmNotAllowed),
            "nothing allows none"
        );
    }

    #[test]
    fn the_first_rule_that_is_broken_gives_the_reason() {
        use Reason::*;
        let cases = [
            (json!({"alg": "none", "typ": "x", "crit": [], "zip": "DEF"}), TokenMalformed),
            (json!({"alg": "none", "typ": "x", "crit": [], "kid": null}), TokenMalformed),
            (json!({"alg": "none", "typ": "x", "crit": []}), CriticalHeaderUnsupported),
            (json!({"alg": "RS256", "crit": ["exp"]}), CriticalHeaderUnsupported),
            (json!({"alg": "RS256", "crit": null}), CriticalHeaderUnsupported),
            (json!({"alg": "none", "typ": "x", "b64": true}), CriticalHeaderUnsupported),
            (json!({"alg": "RS256", "b64": false}), CriticalHeaderUnsupported),
            (json!({"alg": "RS256", "b64": null}), CriticalHeaderUnsupported),
            (json!({"alg": "none", "typ": "x"}), TypeNotAccepted),
            (json!({"alg": "none", "cty": "JWT"}), TypeNotAccepted),
            (json!({"alg": "none"}), AlgorithmNotAllowed),
        ];
        for (header, expected) in cases {
            let rs256 = Algorithms::of(Algorithm::RS256);
            assert_eq!(accepted(&header, &["jwt"], rs256), Err(expected), "{header}");
        }
        let late = format!("{}.{}.c2ln", b64(HEADER), "A".repeat(MAX_TOKEN_BYTES));
        assert_eq!(parsed(&late), Err(TokenTooLong));
    }

    #[test]
    fn every_algorithm_verifies_its_own_tokens_and_no_others() {
        let (rsa, secret) = (SigningKey::rsa("rsa"), SigningKey::hmac("secret", &[7; 64]));
        let mut keys =
            vec![SigningKey::es256("ec"), SigningKey::es384("ec"), SigningKey::ed25519("ed")];
        keys.extend(
            ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"].map(|alg| rsa.with_alg(alg)),
        );
        keys.extend(["HS256", "HS384", "HS512"].map(|alg| secret.with_alg(alg)));
        let set = key_set(&keys.iter().collect::<Vec<_>>());
        for key in &keys {
            let good = key.token(&json!({"sub": "a"}));
            let (signed, signature) = good.rsplit_once('.').unwrap();
            let other = key.token(&json!({"sub": "b"}));
            let (other_signed, _) = other.rsplit_once('.').unwrap();
            let short = URL_SAFE_NO_PAD.decode(signature).unwrap();
            for (text, is_good) in [
                (good.clone(), true),
                (format!("{other_signed}.{signature}"), false),
                (format!("{signed}.{}", b64(&short[1..])), false),
                (format!("{signed}.{}", b64([&*short, &[0]].concat())), false),
                (format!("{signed}.{}", b64(vec![0; short.len()])), false),
            ] {
                let token = Token::parse(&text).unwrap();
                let algorithm = token.check_header(&["jwt".to_owned()], Algorithms::ALL).unwrap();
                assert_eq!(
                    token.verify(&set, algorithm, None).is_ok(),
                    is_good,
                    "{} {text}",
                    key.alg()
                );
            }
        }
    }

    #[test]
    fn the_signature_covers_the_bytes_as_they_came_in() {
        let key = SigningKey::ed25519("k");
        let text =
            key.token_raw(b"{ \"kid\":\"k\",\n\"alg\":\"EdDSA\" }", b" { \"sub\" : \"\\u0061\" } ");
        let claims = Token::parse(&text).unwrap().verify(&key_set(&[&key]), Algorithm::EdDSA, None);
        assert_eq!(claims.ok().unwrap().value, Arc::new(json!({"sub": "a"})));
        let respelled = raw(br#"{"alg":"EdDSA","kid":"k"}"#, br#"{"sub":"a"}"#);
        let (signed, _) = respelled.rsplit_once('.').unwrap();
        let respelled = format!("{signed}.{}", text.rsplit_once('.').unwrap().1);
        assert!(
            Token::parse(&respelled)
                .unwrap()
                .verify(&key_set(&[&key]), Algorithm::EdDSA, None)
                .is_err()
        );
    }

    #[test]
    fn a_public_key_is_no_secret() {
        let rsa = SigningKey::rsa("k");
        let set = key_set(&[&rsa]);
        for secret in [rsa.spki_pem().into_bytes(), rsa.spki_der(), rsa.pkcs1_der(), rsa.modulus()]
        {
            let forged = SigningKey::hmac("k", &secret).token(&json!({}));
            let token = Token::parse(&forged).unwrap();
            assert!(!set.knows(token.key_query(Algorithm::HS256, None)));
            assert!(token.verify(&set, Algorithm::HS256, None).is_err());
        }
    }

    #[test]
    fn a_claim_is_found_by_name_or_pointer() {
        let claims = Claims::verified(json!({
            "cognito:groups": 1, "https://example.com/roles": 2, "a.b": 3, "": 4, "/x": 5, "m~n": 6, "none": null,
            "realm_access": {"roles": ["r0", "r1"], "": 7}, "list": [{"a": 8}, null],
        }));
        let cases = [
            ("cognito:groups", json!(1)),
            ("https://example.com/roles", json!(2)),
            ("a.b", json!(3)),
            ("/", json!(4)),
            ("/~1x", json!(5)),
            ("/m~0n", json!(6)),
            ("m~n", json!(6)),
            ("/realm_access/roles", json!(["r0", "r1"])),
            ("/realm_access/roles/1", json!("r1")),
            ("/realm_access/", json!(7)),
            ("/list/0/a", json!(8)),
        ];
        for (path, expected) in cases {
            let path = ClaimPath::parse(path).unwrap();
            assert_eq!(claims.get(&path), Some(&expected), "{path:?}");
        }
        for absent in [
            "sub",
            "none",
            "/none",
            "/list/1",
            "/list/2",
            "/list/01",
            "/list/-",
            "/realm_access/roles/r0",
            "a.c",
        ] {
            assert_eq!(claims.get(&ClaimPath::parse(absent).unwrap()), None, "{absent}");
        }
        for bad in ["/~", "/a~", "/a~2", "/~~0"] {
            assert!(ClaimPath::parse(bad).unwrap_err().contains("JSON Pointer"), "{bad}");
        }
    }
}
