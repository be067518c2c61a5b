//! A revocation list: what it may say, and what it says of a token.
//!
//! The list decides who is locked out, so nothing in it is guessed: one unknown or malformed member makes the whole
//! document invalid. Nothing of it is ever quoted.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;

use crate::access::claims::check_issued_at;
use crate::denial::{Denial, RevokedBy};
use crate::jose::token::Claims;
use crate::remote::http::MAX_DOCUMENT_BYTES;

/// What a list is.
const EXPECTED: &str = "a JSON object with any of `jti` and `sid` (arrays of strings), `sub` (object: subject -> number) \
    and `before` (number), each once";

const DUPLICATE_SUBJECT: &str = "duplicate subject";

/// Revoked tokens. Strings are compared byte for byte, and a look-up takes no longer in a long list.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RevocationList {
    /// Tokens, by their id.
    jti: HashSet<Box<str>>,
    /// All tokens of these sessions.
    sid: HashSet<Box<str>>,
    /// All tokens of a subject that were issued before a Unix time.
    sub: Subjects,
    /// All tokens that were issued before this Unix time.
    #[serde(deserialize_with = "present")]
    before: Option<f64>,
}

impl RevocationList {
    /// Reads a list. The error says what is expected and where the document differs, and quotes nothing.
    pub(crate) fn parse(document: &[u8]) -> Result<Self, String> {
        if document.len() > MAX_DOCUMENT_BYTES {
            return Err(format!("more than {MAX_DOCUMENT_BYTES} bytes"));
        }
        let text = str::from_utf8(document).map_err(|_| "not UTF-8")?;
        // `serde_json` would read a string to its end.
        if !text.trim_ascii_start().starts_with('{') {
            return Err(format!("not a JSON object: must be {EXPECTED}"));
        }
        let mut json = serde_json::Deserializer::from_str(text);
        let list = json.deserialize_map(ListVisitor).and_then(|list| json.end().map(|()| list));
        list.map_err(|error| describe(&error))
    }

    /// How many entries it has.
    pub(crate) fn len(&self) -> usize {
        self.jti.len() + self.sid.len() + self.sub.0.len() + usize::from(self.before.is_some())
    }

    /// Whether a token with these claims is still good. They have passed the rules for claims, so `iat`, if present, is
    /// a number. Where it is compared with the times of the list it must not be after `latest`, or a token dated
    /// ahead would outlive them.
    pub(crate) fn check(&self, claims: &Claims, latest: f64) -> Result<(), Denial> {
        let revoked = |entry| Err(Denial::TokenRevoked(entry));
        let signed_out_at = string(claims, "sub").and_then(|sub| self.sub.0.get(sub));
        if signed_out_at.is_some() || self.before.is_some() {
            check_issued_at(claims, latest)?;
        }
        if string(claims, "jti").is_some_and(|jti| self.jti.contains(jti)) {
            return revoked(RevokedBy::Jti);
        }
        if string(claims, "sid").is_some_and(|sid| self.sid.contains(sid)) {
            return revoked(RevokedBy::Sid);
        }
        if is_issued_before(claims, signed_out_at) {
            return revoked(RevokedBy::Sub);
        }
        if is_issued_before(claims, self.before.as_ref()) {
            return revoked(RevokedBy::Before);
        }
        Ok(())
    }
}

/// What is wrong with a list, without a word of it. The text of an error can quote it, but only after its first words.
fn describe(error: &serde_json::Error) -> String {
    if !error.is_data() {
        return format!("not valid JSON: {error}");
    }
    let text = error.to_string();
    let problem = if text.starts_with("unknown field") {
        "unknown member"
    } else if text.starts_with("duplicate field") {
        "duplicate member"
    } else if text.starts_with(DUPLICATE_SUBJECT) {
        DUPLICATE_SUBJECT
    } else {
        "value of the wrong type"
    };
    let (line, column) = (error.line(), error.column());
    format!("{problem} at line {line} column {column}: must be {EXPECTED}")
}

fn string<'c>(claims: &'c Claims, name: &str) -> Option<&'c str> {
    claims.member(name)?.as_str()
}

/// Whether a token was issued before this time, if there is one. A token without `iat` counts as issued before.
fn is_issued_before(claims: &Claims, time: Option<&f64>) -> bool {
    let Some(time) = time else { return false };
    claims.member("iat").and_then(Value::as_f64).is_none_or(|issued_at| issued_at < *time)
}

/// A member that must not be null if it is present.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    f64::deserialize(deserializer).map(Some)
}

/// Accepts an object only. Derived code would also read the struct from an array.
struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = RevocationList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<RevocationList, A::Error> {
        RevocationList::deserialize(MapAccessDeserializer::new(members))
    }
}

/// Subject -> Unix time, with each subject once.
#[derive(Debug, Default)]
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

    fn visit_map<A: MapAccess<'de>>(self, mut subjects: A) -> Result<Subjects, A::Error> {
        let mut listed = HashMap::new();
        while let Some((subject, time)) = subjects.next_entry()? {
            if listed.insert(subject, time).is_some() {
                return Err(A::Error::custom(DUPLICATE_SUBJECT));
            }
        }
        Ok(Subjects(listed))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::denial::ClaimProblem;

    fn list(document: &Value) -> RevocationList {
        RevocationList::parse(document.to_string().as_bytes()).unwrap()
    }

    /// Why the list refuses a token with these claims; empty if it does not.
    fn said(list: &RevocationList, claims: Value) -> String {
        match list.check(&Claims::verified(claims), f64::MAX) {
            Ok(()) => String::new(),
            Err(denial @ Denial::TokenRevoked(_)) => denial.to_string(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_member_revokes_what_it_names_byte_for_byte() {
        const JTI: &str = "its `jti` is listed";
        const SID: &str = "its `sid` is listed";
        let list = list(&json!({"jti": ["a", "B", "\u{e9}"], "sid": ["s", ""]}));
        assert_eq!(list.len(), 5);
        for (claims, expected) in [
            (json!({"jti": "a"}), JTI),
            (json!({"jti": "B", "sid": "t"}), JTI),
            (json!({"jti": "\u{e9}"}), JTI),
            (json!({"jti": "e\u{301}"}), ""),
            (json!({"jti": "b"}), ""),
            (json!({"jti": "A"}), ""),
            (json!({"jti": "a "}), ""),
            (json!({"jti": ""}), ""),
            (json!({"jti": "s"}), ""),
            (json!({"sid": "s"}), SID),
            (json!({"sid": ""}), SID),
            (json!({"sid": "a"}), ""),
            (json!({"sub": "a"}), ""),
            (json!({"jti": ["a"], "sid": ["s"]}), ""),
            (json!({"jti": null, "sid": 7, "sub": {}}), ""),
            (json!({}), ""),
        ] {
            assert_eq!(said(&list, claims.clone()), expected, "{claims}");
        }
    }

    #[test]
    fn subjects_and_everyone_are_signed_out_to_the_second() {
        const SUB: &str = "its `sub` is listed, and it was not issued since";
        const ALL: &str = "it was not issued since `before`";
        let of_sub = list(&json!({"sub": {"u": 1000, "v": 1000.5, "w": -1}}));
        let of_all = list(&json!({"before": 1000}));
        for (claims, by_sub, by_all) in [
            (json!({"sub": "u", "iat": 999}), SUB, ALL),
            (json!({"sub": "u", "iat": 999.999}), SUB, ALL),
            (json!({"sub": "u", "iat": 1000}), "", ""),
            (json!({"sub": "u", "iat": 1000.0}), "", ""),
            (json!({"sub": "u", "iat": 1001}), "", ""),
            (json!({"sub": "u"}), SUB, ALL),
            (json!({"sub": "v", "iat": 1000.25}), SUB, ""),
            (json!({"sub": "v", "iat": 1000.5}), "", ""),
            (json!({"sub": "w", "iat": -1}), "", ALL),
            (json!({"sub": "w", "iat": -2}), SUB, ALL),
            (json!({"sub": "U", "iat": 999}), "", ALL),
            (json!({"sub": ["u"], "iat": 999}), "", ALL),
            (json!({"iat": u64::MAX}), "", ""),
            (json!({"iat": i64::MIN}), "", ALL),
            (json!({}), "", ALL),
        ] {
            assert_eq!(said(&of_sub, claims.clone()), by_sub, "{claims}");
            assert_eq!(said(&of_all, claims.clone()), by_all, "{claims}");
        }
        let both = list(&json!({"sub": {"u": 1000}, "before": 2000}));
        assert_eq!(
            said(&both, json!({"sub": "u", "iat": 1500})),
            ALL,
            "the later of the two counts"
        );
        assert_eq!(said(&both, json!({"sub": "u", "iat": 2000})), "");
        let both = list(&json!({"sub": {"u": 2000}, "before": 1000}));
        assert_eq!(said(&both, json!({"sub": "u", "iat": 1500})), SUB);
        assert_eq!(both.len(), 2);
    }

    #[test]
    fn a_token_dated_ahead_does_not_outlive_a_list() {
        let check = |document: &Value, claims: &Value| {
            list(document).check(&Claims::verified(claims.clone()), 1060.0)
        };
        for document in [json!({"before": 900}), json!({"sub": {"u": 900}})] {
            for (iat, is_good) in [
                (json!(1060), true),
                (json!(1060.001), false),
                (json!(1061), false),
                (json!(u64::MAX), false),
                (json!(1e300), false),
            ] {
                let claims = json!({"sub": "u", "iat": iat});
                let expected = match is_good {
                    true => Ok(()),
                    false => Err(Denial::ClaimInvalid {
                        claim: "iat".to_owned(),
                        problem: ClaimProblem::InFuture,
                    }),
                };
                assert_eq!(check(&document, &claims), expected, "{document} {claims}");
            }
        }
        // The time is compared with nothing.
        for document in [json!({"sub": {"v": 900}}), json!({"jti": ["a"]}), json!({})] {
            assert_eq!(check(&document, &json!({"sub": "u", "iat": 2000})), Ok(()), "{document}");
        }
    }

    #[test]
    fn an_empty_list_revokes_nothing() {
        for document in [json!({}), json!({"jti": [], "sid": [], "sub": {}})] {
            let list = list(&document);
            assert_eq!(
                (list.len(), said(&list, json!({"sub": "u", "jti": ""}))),
                (0, String::new())
            );
        }
        let escaped = RevocationList::parse(br#" {"\u006ati": ["\u0061", "a"], "before": 0} "#);
        let escaped = escaped.unwrap();
        assert_eq!(
            (escaped.len(), said(&escaped, json!({"jti": "a"}))),
            (2, "its `jti` is listed".to_owned())
        );
    }

    #[test]
    fn a_malformed_list_is_refused_and_not_quoted() {
        const OBJECT: &str = "not a JSON object: must be";
        const JSON: &str = "not valid JSON: ";
        const UNKNOWN: &str = "unknown member at line 1 column ";
        const TYPE: &str = "value of the wrong type at line 1 column ";
        const MEMBER: &str = "duplicate member at line 1 column ";
        const SUBJECT: &str = "duplicate subject at line 1 column ";
        for (document, expected) in [
            ("", OBJECT),
            ("secret", OBJECT),
            ("null", OBJECT),
            ("true", OBJECT),
            ("7", OBJECT),
            ("[]", OBJECT),
            (r#"["secret"]"#, OBJECT),
            (r#""secret""#, OBJECT),
            (r#"[["secret"],[],{},1]"#, OBJECT),
            ("\u{feff}{}", OBJECT),
            (r#"{"secret":[]}"#, UNKNOWN),
            (r#"{"JTI":["secret"]}"#, UNKNOWN),
            (r#"{"jti":["secret"],"exp":1}"#, UNKNOWN),
            (r#"{"duplicate field":["secret"]}"#, UNKNOWN),
            (r#"{"jti":"secret"}"#, TYPE),
            (r#"{"jti":"duplicate subject"}"#, TYPE),
            (r#"{"jti":null}"#, TYPE),
            (r#"{"jti":{"secret":1}}"#, TYPE),
            (r#"{"jti":["secret",null]}"#, TYPE),
            (r#"{"jti":["secret",1]}"#, TYPE),
            (r#"{"jti":[["secret"]]}"#, TYPE),
            (r#"{"sid":"secret"}"#, TYPE),
            (r#"{"sid":null}"#, TYPE),
            (r#"{"sub":["secret"]}"#, TYPE),
            (r#"{"sub":"secret"}"#, TYPE),
            (r#"{"sub":null}"#, TYPE),
            (r#"{"sub":{"secret":"1"}}"#, TYPE),
            (r#"{"sub":{"secret":null}}"#, TYPE),
            (r#"{"sub":{"secret":true}}"#, TYPE),
            (r#"{"sub":{"secret":[1]}}"#, TYPE),
            (r#"{"before":"secret"}"#, TYPE),
            (r#"{"before":null}"#, TYPE),
            (r#"{"before":[1]}"#, TYPE),
            (r#"{"jti":[],"jti":[]}"#, MEMBER),
            (r#"{"jti":[],"\u006ati":[]}"#, MEMBER),
            (r#"{"sid":[],"sid":[]}"#, MEMBER),
            (r#"{"sub":{},"sub":{}}"#, MEMBER),
            (r#"{"before":1,"before":1}"#, MEMBER),
            (r#"{"sub":{"secret":1,"secret":1}}"#, SUBJECT),
            (r#"{"sub":{"secret":1,"\u0073ecret":2}}"#, SUBJECT),
            (r#"{"jti":["\ud800"]}"#, JSON),
            (r#"{"sub":{"secret":1e400}}"#, JSON),
            (r#"{"sub":{"secret":-1e400}}"#, JSON),
            (r#"{"sub":{"secret":NaN}}"#, JSON),
            (r#"{"before":1e400}"#, JSON),
            (r#"{"before":Infinity}"#, JSON),
            (r#"{"jti":["secret"]}{}"#, JSON),
            (r#"{"jti":["secret"],}"#, JSON),
            (r#"{"jti":["secret""#, JSON),
        ] {
            let problem = RevocationList::parse(document.as_bytes()).unwrap_err();
            assert!(problem.starts_with(expected), "{document}: {problem}");
            assert!(!problem.contains("secret"), "{problem}");
            let says_what_is_right = problem.contains("must be a JSON object with any of `jti`");
            assert_eq!(says_what_is_right, expected != JSON, "{problem}");
        }
        assert_eq!(RevocationList::parse(b"{\"jti\":[\"\xff\"]}").unwrap_err(), "not UTF-8");
    }

    #[test]
    fn a_list_has_at_most_a_mebibyte() {
        let long = |bytes: usize| format!("{}{{}}", " ".repeat(bytes - 2));
        assert!(RevocationList::parse(long(1 << 20).as_bytes()).is_ok());
        let problem = RevocationList::parse(long((1 << 20) + 1).as_bytes()).unwrap_err();
        assert_eq!(problem, "more than 1048576 bytes");
    }
}
