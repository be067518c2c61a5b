//! JSON Web Key Sets (RFC 7517 section 5): a document in, keys that can verify out.
//!
//! Keys are read one at a time: one that cannot be used (unknown type, for encryption, too weak, malformed) is
//! skipped and never costs the others.

use std::{fmt, mem};

use serde_json::value::RawValue;

use crate::jose::algorithm::Algorithms;
use crate::jose::jwk::{Key, MEMBERS, Origin};
use crate::jose::members::{self, Members};
use crate::jose::skipped::{ListedKey, SkipReason, SkippedKey};

/// More keys than any provider publishes. A document with more is refused whole.
pub(crate) const MAX_KEYS: usize = 1000;

/// The most skipped keys that a message names.
const MAX_NAMED_KEYS: usize = 8;

/// Why a document is not a key set to work with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    NotUtf8,
    /// What is wrong, and where. It quotes nothing.
    Malformed(String),
    NoKeys,
    TooManyKeys,
    NoUsableKey(Vec<SkippedKey>),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => f.write_str("not UTF-8"),
            Self::Malformed(problem) => f.write_str(problem),
            Self::NoKeys => f.write_str("has no array `keys`"),
            Self::TooManyKeys => write!(f, "more than {MAX_KEYS} keys"),
            Self::NoUsableKey(skipped) => {
                f.write_str("no key in it can verify a signature of an allowed algorithm")?;
                for (index, key) in skipped.iter().take(MAX_NAMED_KEYS).enumerate() {
                    write!(f, "{} {key}", if index == 0 { ":" } else { ";" })?;
                }
                match skipped.len().saturating_sub(MAX_NAMED_KEYS) {
                    0 => Ok(()),
                    others => write!(f, "; and {others} more"),
                }
            }
        }
    }
}

/// The usable keys of a document, and the others.
#[derive(Clone, Debug, Default)]
pub(crate) struct ParsedKeys {
    pub(crate) keys: Vec<Key>,
    pub(crate) skipped: Vec<SkippedKey>,
}

impl ParsedKeys {
    /// Skips the keys that fit none of these algorithms.
    pub(crate) fn restrict_to(mut self, allowed: Algorithms) -> Result<Self, Unusable> {
        for mut key in mem::take(&mut self.keys) {
            match key.restrict_to(allowed) {
                Ok(()) => self.keys.push(key),
                Err(reason) => self.skipped.push(SkippedKey { key: key.listed(), reason }),
            }
        }
        self.skipped.sort_by_key(|skipped| skipped.key.index);
        if self.keys.is_empty() { Err(Unusable::NoUsableKey(self.skipped)) } else { Ok(self) }
    }
}

/// Reads a key set. Only keys that fit one of the `allowed` algorithms count as usable.
pub(crate) fn parse(
    document: &[u8],
    allowed: Algorithms,
    origin: Origin,
) -> Result<ParsedKeys, Unusable> {
    let listed = listed(document)?;
    if listed.len() > MAX_KEYS {
        return Err(Unusable::TooManyKeys);
    }
    let mut parsed = ParsedKeys::default();
    for (index, member) in listed.into_iter().enumerate() {
        // Once: a provider can make a key very long.
        let jwk = Members::read(member.get(), &MEMBERS).ok();
        let key = match &jwk {
            Some(jwk) => Key::parse(jwk, index, origin),
            None => Err(SkipReason::Malformed),
        };
        match key {
            Ok(key) => parsed.keys.push(key),
            Err(reason) => {
                let key = ListedKey::of(index, jwk.as_ref());
                parsed.skipped.push(SkippedKey { key, reason });
            }
        }
    }
    parsed.restrict_to(allowed)
}

/// The members of the array `keys`, but at most one more than there may be.
fn listed(document: &[u8]) -> Result<Vec<&RawValue>, Unusable> {
    let document = str::from_utf8(document).map_err(|_| Unusable::NotUtf8)?;
    let keys = members::elements_of(document, &["keys"], MAX_KEYS + 1);
    keys.map_err(Unusable::Malformed)?.ok_or(Unusable::NoKeys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::jwk::tests::rsa_of;
    use crate::support::tokens::{self, SigningKey, b64};
    use serde_json::{Value, json};

    #[test]
    fn an_unusable_set_says_why() {
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
            (json!([]), "not a JSON object"),
            (json!({}), "has no array `keys`"),
            (many, "more than 1000 keys"),
            (json!({"keys": []}), "no key in it can verify a signature of an allowed algorithm"),
        ] {
            assert_eq!(read(&document).unwrap_err().to_string(), expected);
        }
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
    fn unusable_keys_are_skipped_one_by_one() {
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
            assert_eq!((parsed.keys.len(), parsed.skipped.len()), (1, 2), "{member}");
            assert_eq!(parsed.keys[0].id.as_deref(), Some("good"));
        }
    }

    #[test]
    fn members_of_no_interest_can_hold_anything() {
        let good = SigningKey::ed25519("good").jwk().to_string();
        let deep = "[".repeat(1000) + &"]".repeat(1000);
        for member in
            [r#""x5t":{"a":1,"a":2}"#, &format!(r#""x5c":{deep}"#), r#""exp":1e999"#, r#""n":[]"#]
        {
            let key = good.replacen('{', &format!("{{{member},"), 1);
            let document = format!(r#"{{{member},"keys":[{key}]}}"#);
            let parsed = parse(document.as_bytes(), Algorithms::ALL, Origin::Network).unwrap();
            assert_eq!((parsed.keys.len(), parsed.skipped.len()), (1, 0), "{member}");
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
            let unusable = refused(document.as_bytes());
            assert!(
                matches!(unusable, Unusable::Malformed(_) | Unusable::NoKeys),
                "{document}: {unusable}"
            );
        }
        assert_eq!(refused(b"{\"keys\":[\"\xff\"]}"), Unusable::NotUtf8);
        assert_eq!(refused(b"{\"keys\":[]}"), Unusable::NoUsableKey(Vec::new()));
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
        assert_eq!((parsed.keys.len(), parsed.skipped.len()), (1, 999));
        let parsed = parse(set_of(1001).as_bytes(), Algorithms::ALL, Origin::Network);
        assert_eq!(parsed.unwrap_err(), Unusable::TooManyKeys);
    }
}
