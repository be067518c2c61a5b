//! The keys of one source, and which of them may verify a token.

use std::collections::HashMap;
use std::sync::Arc;

use crate::jose::algorithm::{Algorithm, Algorithms};
use crate::jose::jwk::Key;
use crate::jose::jwks::ParsedKeys;
use crate::jose::skipped::SkippedKey;

/// How many keys of one id are tried on one token: what a signature check costs must stay bounded.
const MAX_OF_ONE_ID: usize = 4;

/// How many keys are tried on a token that names none. If more fit, none is tried.
const MAX_WITHOUT_ID: usize = 8;

/// Which keys of a set may verify a token.
#[derive(Clone, Copy)]
pub(crate) struct KeyQuery<'t> {
    pub(crate) kid: Option<&'t str>,
    pub(crate) algorithm: Algorithm,
    /// The values of a key's member `issuer` that serve this token. None: the member is ignored.
    pub(crate) issuers: Option<[&'t str; 2]>,
}

impl KeyQuery<'_> {
    /// Whether a key may verify the token.
    fn is_served_by(&self, key: &Key) -> bool {
        if let (Some(issuer), Some(served)) = (&key.issuer, &self.issuers)
            && !served.contains(&issuer.as_str())
        {
            return false;
        }
        key.fits.contains(self.algorithm)
    }
}

/// The keys of one source, by id. A look-up costs the same for one key and for a thousand.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    by_id: HashMap<String, Vec<Arc<Key>>>,
    /// For each algorithm the keys that fit it: for tokens that name no key.
    fitting: [Vec<Arc<Key>>; Algorithms::COUNT],
    size: usize,
    /// The keys that are not in it.
    pub(crate) skipped: Vec<SkippedKey>,
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

    /// The usable keys of a document, with these besides.
    pub(crate) fn of(parsed: ParsedKeys, others: &[Key]) -> Self {
        let ParsedKeys { keys, skipped } = parsed;
        let set = Self::new(keys.into_iter().chain(others.iter().cloned()));
        Self { skipped, ..set }
    }

    pub(crate) fn len(&self) -> usize {
        self.size
    }

    /// The ids of all keys that have one, in order.
    pub(crate) fn ids(&self) -> Vec<String> {
        let mut ids: Vec<_> = self.by_id.keys().cloned().collect();
        ids.sort();
        ids
    }

    /// The keys to try on a token. A key that is listed twice, under two ids too, counts once.
    fn candidates(&self, query: KeyQuery<'_>) -> Candidates<'_> {
        let (listed, most) = match query.kid {
            Some(id) => (self.by_id.get(id).map_or(&[][..], Vec::as_slice), MAX_OF_ONE_ID),
            None => (&self.fitting[query.algorithm as usize][..], MAX_WITHOUT_ID),
        };
        let mut candidates = Candidates::default();
        for key in listed {
            if !query.is_served_by(key) || candidates.has(key) {
                continue;
            }
            if candidates.len < most {
                candidates.push(key);
            } else if query.kid.is_none() {
                return Candidates::default();
            } else {
                break;
            }
        }
        candidates
    }

    /// How many keys are tried on a token without `kid`, if so many fit that none is.
    pub(crate) fn exceeded_limit(&self, query: KeyQuery<'_>) -> Option<usize> {
        let mut fitting = self.fitting[query.algorithm as usize].iter();
        let fits_any = query.kid.is_none() && fitting.any(|key| query.is_served_by(key));
        if fits_any && !self.knows(query) { Some(MAX_WITHOUT_ID) } else { None }
    }

    /// Whether there is a key to try at all.
    pub(crate) fn knows(&self, query: KeyQuery<'_>) -> bool {
        self.candidates(query).len > 0
    }

    /// Whether one of the keys to try verifies the signature over exactly these bytes.
    pub(crate) fn verifies(
        &self,
        query: KeyQuery<'_>,
        signature: &Vec<u8>,
        message: &[u8],
    ) -> bool {
        for key in self.candidates(query).iter() {
            if key.verifies(signature, message, query.algorithm) {
                return true;
            }
        }
        false
    }
}

/// The keys to try on one token. They are collected without an allocation: every decision does it.
#[derive(Default)]
struct Candidates<'k> {
    keys: [Option<&'k Key>; MAX_WITHOUT_ID],
    len: usize,
}

impl<'k> Candidates<'k> {
    fn push(&mut self, key: &'k Key) {
        self.keys[self.len] = Some(key);
        self.len += 1;
    }

    fn has(&self, key: &Key) -> bool {
        self.iter().any(|candidate| candidate.is_same(key))
    }

    fn iter(&self) -> impl Iterator<Item = &'k Key> {
        self.keys.iter().map_while(|key| *key)
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
    use crate::jose::algorithm;
    use crate::jose::jwk::Origin;
    use crate::jose::jwk::tests::{with, without};
    use crate::jose::jwks::parse;
    use crate::support::tokens::{self, SigningKey, b64};
    use serde_json::{Value, json};

    fn set(keys: &[&SigningKey]) -> KeySet {
        let document = tokens::jwks(keys).to_string();
        KeySet::new(parse(document.as_bytes(), Algorithms::ALL, Origin::Network).unwrap().keys)
    }

    fn verifies(set: &KeySet, id: Option<&str>, algorithm: Algorithm, signer: &SigningKey) -> bool {
        set.verifies(KeyQuery::of(id, algorithm), &signer.sign(b"message"), b"message")
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
    fn without_kid_up_to_eight_keys_are_tried() {
        let keys: Vec<_> = (0..9).map(|n| SigningKey::es256(&n.to_string())).collect();
        let ed = SigningKey::ed25519("ed");
        let of = |count: usize| set(&keys[..count].iter().chain([&ed]).collect::<Vec<_>>());
        for count in [1, 2, 8] {
            for key in &keys[..count] {
                assert!(verifies(&of(count), None, Algorithm::ES256, key), "{count}");
            }
            assert!(!verifies(&of(count), None, Algorithm::ES256, &keys[8]), "{count}");
        }
        assert!(verifies(&of(8), None, Algorithm::EdDSA, &ed));
        assert!(!of(8).knows(KeyQuery::of(None, Algorithm::RS256)));
        assert!(!of(9).knows(KeyQuery::of(None, Algorithm::ES256)));
        for key in &keys {
            assert!(!verifies(&of(9), None, Algorithm::ES256, key));
            assert!(verifies(&of(9), Some(key.kid()), Algorithm::ES256, key));
        }
        let nameless = json!({"keys": [without(keys[0].jwk(), "kid")]}).to_string();
        let nameless =
            KeySet::new(parse(nameless.as_bytes(), Algorithms::ALL, Origin::Network).unwrap().keys);
        assert!(verifies(&nameless, None, Algorithm::ES256, &keys[0]));
        assert!(!nameless.knows(KeyQuery::of(Some("0"), Algorithm::ES256)));
    }

    #[test]
    fn a_key_listed_twice_counts_once() {
        let read = |keys: &[Value]| {
            let document = json!({ "keys": keys }).to_string();
            let parsed = parse(document.as_bytes(), Algorithms::ALL, Origin::Configuration);
            KeySet::new(parsed.unwrap().keys)
        };
        for signer in
            [SigningKey::rsa("k"), SigningKey::es256("k"), SigningKey::hmac("k", &[7; 64])]
        {
            let algorithm = algorithm::named(signer.alg()).unwrap();
            let mut listed = vec![signer.jwk(); 9];
            for n in 0..9 {
                listed.push(with(signer.jwk(), "kid", json!(n.to_string())));
            }
            assert!(verifies(&read(&listed), None, algorithm, &signer));
            // Under one id as well, where four keys are tried.
            let last = match signer.alg() {
                "RS256" => SigningKey::rsa_other("k", 0),
                "ES256" => SigningKey::es256("k"),
                _ => SigningKey::hmac("k", &[8; 64]),
            };
            listed.push(last.jwk());
            assert!(verifies(&read(&listed), Some("k"), algorithm, &last));
        }
        let signer = SigningKey::rsa("k");
        let padded = with(signer.jwk(), "n", json!(b64([&[0], &*signer.modulus()].concat())));
        let mut listed = vec![padded, signer.jwk()];
        for n in 0..7 {
            listed.push(SigningKey::rsa_other("k", n).jwk());
        }
        assert!(read(&listed).knows(KeyQuery::of(None, Algorithm::RS256)));
        listed.push(with(signer.jwk(), "e", json!("Aw")));
        assert!(!read(&listed).knows(KeyQuery::of(None, Algorithm::RS256)));
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
    fn a_key_with_an_issuer_serves_only_its_tenants() {
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
    fn without_kid_keys_of_other_issuers_do_not_count() {
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
        assert_eq!(knows(&[ec("b", Some(other)), ec("a", Some(IN_A))]), [true, true]);
        assert_eq!(knows(&[ec("a", Some(IN_A)), ec("b", Some(other)), rsa]), [true, true]);
        let nine = |issuer: Option<&str>| (0..9).map(|n| ec(&n.to_string(), issuer)).collect();
        let (ours, others): (Vec<_>, Vec<_>) = (nine(Some(IN_ANY)), nine(Some(other)));
        assert_eq!(knows(&ours), [false, false]);
        assert_eq!(knows(&[&ours[..8], &others[..1]].concat()), [true, false]);
        assert_eq!(knows(&[&others[..], &ours[..1]].concat()), [true, false]);
        let twice = [IN_A, IN_ANY].map(|issuer| with(ours[0].clone(), "issuer", json!(issuer)));
        assert_eq!(knows(&[&twice[..], &ours[1..8]].concat()), [true, true]);
        assert_eq!(knows(&[ec("b", Some(other))]), [false, true]);
    }
}
