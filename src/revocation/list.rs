//! A revocation list: what it may say, and what it says of a token.
//!
//! The list decides who is locked out, so nothing in it is guessed at: a member that is not known, or not as it should
//! be, makes the whole document no list. Nothing of it is ever quoted.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;

use crate::documents::http::MAX_DOCUMENT_BYTES;
use crate::jose::json::Text;
use crate::jose::token::Claims;
use crate::reason::{Denial, Reason};

/// What a list may say.
pub(crate) const WANTED: &str = "a JSON object with any of `jti` and `sid` (arrays of texts), `sub` (object: subject \
    -> number) and `before` (number), each once";

/// Tokens that are not good any more. Texts are compared byte for byte, and a look-up takes no longer in a long list.
#[derive(Debug, Default)]
pub(crate) struct RevocationList {
    /// Tokens, by their id.
    jti: HashSet<Box<str>>,
    /// All tokens of these sessions.
    sid: HashSet<Box<str>>,
    /// All tokens of a subject that were issued before this Unix time.
    sub: HashMap<Box<str>, f64>,
    /// All tokens that were issued before this Unix time.
    before: Option<f64>,
}

impl RevocationList {
    /// Reads a list. The error says what is wanted and where the document is otherwise, and quotes nothing.
    pub(crate) fn parse(document: &[u8]) -> Result<Self, String> {
        if document.len() > MAX_DOCUMENT_BYTES {
            return Err(format!("more than {MAX_DOCUMENT_BYTES} bytes"));
        }
        let text = str::from_utf8(document).map_err(|_| "not UTF-8")?;
        serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            format!("want {WANTED}; it is not so at line {line} column {column}")
        })
    }

    /// How many entries it has.
    pub(crate) fn len(&self) -> usize {
        self.jti.len() + self.sid.len() + self.sub.len() + usize::from(self.before.is_some())
    }

    /// Whether a token with these claims is still good. They have passed the rules for claims, so an `iat` that is
    /// there is a number.
    pub(crate) fn check(&self, claims: &Claims) -> Result<(), Denial> {
        let text = |name| claims.member(name).and_then(Value::as_str);
        let revoked = |detail| Err(Reason::TokenRevoked.because(detail));
        if text("jti").is_some_and(|id| self.jti.contains(id)) {
            return revoked("its `jti` is listed");
        }
        if text("sid").is_some_and(|session| self.sid.contains(session)) {
            return revoked("its `sid` is listed");
        }
        // A token that does not say when it was issued may have been issued before.
        let issued = claims.member("iat").and_then(Value::as_f64);
        let is_before = |time: &f64| issued.is_none_or(|issued| issued < *time);
        if text("sub").and_then(|subject| self.sub.get(subject)).is_some_and(is_before) {
            return revoked("its `sub` is listed, and it was not issued since");
        }
        if self.before.as_ref().is_some_and(is_before) {
            return revoked("it was not issued since `before`");
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for RevocationList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ListVisitor)
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = RevocationList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(WANTED)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<RevocationList, A::Error> {
        let (mut jti, mut sid, mut sub, mut before) = (None, None, None, None);
        while let Some(Text(name)) = members.next_key()? {
            match &*name {
                "jti" if jti.is_none() => jti = Some(members.next_value()?),
                "sid" if sid.is_none() => sid = Some(members.next_value()?),
                "sub" if sub.is_none() => sub = Some(members.next_value()?),
                "before" if before.is_none() => before = Some(members.next_value()?),
                _ => return Err(A::Error::custom("another member, or one that stands twice")),
            }
        }
        Ok(RevocationList {
            jti: jti.unwrap_or_default(),
            sid: sid.unwrap_or_default(),
            sub: sub.map(|Subjects(sub)| sub).unwrap_or_default(),
            before,
        })
    }
}

/// Subjects, each of which stands once.
struct Subjects(HashMap<Box<str>, f64>);

impl<'de> Deserialize<'de> for Subjects {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SubjectsVisitor)
    }
}

struct SubjectsVisitor;

impl<'de> Visitor<'de> for SubjectsVisitor {
    type Value = Subjects;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Subjects, A::Error> {
        let mut subjects = HashMap::new();
        while let Some((subject, time)) = members.next_entry::<Box<str>, f64>()? {
            if subjects.insert(subject, time).is_some() {
                return Err(A::Error::custom("a subject stands twice"));
            }
        }
        Ok(Subjects(subjects))
    }
}
