//! The keys of a document for tools: what each can be used for, or why it is not.

use crate::jose::algorithm::Algorithms;
use crate::jose::jwk::Origin;
use crate::jose::jwks::{self, ParsedKeys, Unusable};
use crate::jose::skipped::{ListedKey, SkippedKey};

/// The keys of a key set. All are listed, also if none can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReport {
    /// The keys that can verify a signature of an allowed algorithm.
    pub usable: Vec<UsableKey>,
    /// The others.
    pub skipped: Vec<SkippedKey>,
}

/// A key that can verify signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsableKey {
    /// Which key.
    pub key: ListedKey,
    /// The allowed algorithms that it fits.
    pub algorithms: Vec<&'static str>,
    /// Whether the document has its private half as well: anybody who reads it can sign.
    pub has_private_half: bool,
}

impl KeyReport {
    /// Reads a key set as `JWKS` is read, or as one that a provider publishes. `algorithms`: the names in `ALGORITHMS`.
    ///
    /// # Errors
    ///
    /// What is wrong with the document, or a name that is no algorithm.
    pub fn read(
        document: &[u8],
        algorithms: &[impl AsRef<str>],
        is_published: bool,
    ) -> Result<Self, String> {
        let names = algorithms.iter().map(AsRef::as_ref);
        let allowed = Algorithms::parse(names).map_err(|name| {
            format!("`{name}` is not an algorithm; there are {}", Algorithms::known())
        })?;
        let document = document.strip_prefix("\u{feff}".as_bytes()).unwrap_or(document);
        let origin = if is_published { Origin::Network } else { Origin::Configuration };
        let ParsedKeys { keys, skipped } = match jwks::parse(document, allowed, origin) {
            Ok(parsed) => parsed,
            Err(Unusable::NoUsableKey(skipped)) => ParsedKeys { keys: Vec::new(), skipped },
            Err(unusable) => return Err(unusable.to_string()),
        };
        let mut usable = Vec::new();
        for key in keys {
            usable.push(UsableKey {
                key: key.listed(),
                algorithms: key.fits.names(),
                has_private_half: key.has_private_half,
            });
        }
        Ok(Self { usable, skipped })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jose::skipped::SkipReason;
    use crate::support::tokens::SigningKey;

    #[test]
    fn a_report_lists_every_key_of_a_document() {
        let key = |index: usize, id: &str| ListedKey { index, id: Some(id.to_owned()) };
        let mut private = SigningKey::ed25519("ed").jwk();
        private["d"] = json!("AQ");
        let keys =
            json!({"keys": [private, SigningKey::es256("ec").jwk(), {"kty": "AKP", "kid": "pq"}]});
        let document = format!("\u{feff}{keys}");
        let report = |algorithms: &[&str]| KeyReport::read(document.as_bytes(), algorithms, true);
        let pq = SkippedKey { key: key(2, "pq"), reason: SkipReason::Type };
        let not_allowed = |index: usize, id: &str, name: &'static str| {
            let reason = SkipReason::AlgorithmNotAllowed(vec![name]);
            SkippedKey { key: key(index, id), reason }
        };
        let ed = UsableKey { key: key(0, "ed"), algorithms: vec!["EdDSA"], has_private_half: true };
        let skipped = vec![not_allowed(1, "ec", "ES256"), pq.clone()];
        assert_eq!(report(&["EdDSA"]), Ok(KeyReport { usable: vec![ed], skipped }));
        let skipped = vec![not_allowed(0, "ed", "EdDSA"), not_allowed(1, "ec", "ES256"), pq];
        assert_eq!(report(&["RS256"]), Ok(KeyReport { usable: Vec::new(), skipped }));
        assert!(report(&["RS255"]).unwrap_err().starts_with("`RS255` is not an algorithm"));
        assert_eq!(KeyReport::read(b"{}", &["RS256"], true), Err("has no array `keys`".to_owned()));
    }
}
