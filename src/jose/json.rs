//! JSON read strictly: every member name once at every level, bounded nesting.
//!
//! RFC 7515 section 4 and RFC 7519 section 4 ask for unique names; readers that let the first or the last of two
//! win can be made to disagree about what a token says.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The value that a text spells. The error is `serde_json`'s: it has the position, and quotes nothing.
pub(crate) fn value(text: &str) -> Result<Value, serde_json::Error> {
    let Unique(value) = serde_json::from_str(text)?;
    Ok(value)
}

/// The object that a text spells.
pub(crate) fn object(text: &str) -> Result<Map<String, Value>, serde_json::Error> {
    match value(text)? {
        Value::Object(members) => Ok(members),
        _ => Err(serde_json::Error::custom("not an object")),
    }
}

/// Whether a `\u` escape is half of a surrogate pair (RFC 8259 section 8.2).
pub(crate) fn has_lone_surrogate(mut text: &str) -> bool {
    while let Some((_, escape)) = text.split_once('\\') {
        match code_unit(escape) {
            Some(0xd800..0xdc00) => {
                let Some(low) = escape[5..].strip_prefix('\\') else { return true };
                let Some(0xdc00..0xe000) = code_unit(low) else { return true };
                text = &low[5..];
            }
            Some(0xdc00..0xe000) => return true,
            // The escaped character can be a backslash itself.
            _ => {
                let mut characters = escape.chars();
                characters.next();
                text = characters.as_str();
            }
        }
    }
    false
}

/// The code unit of an escape, without its backslash, if it is written in hexadecimal: `u00e9`.
fn code_unit(escape: &str) -> Option<u16> {
    let digits = escape.strip_prefix('u')?.get(..4)?;
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u16::from_str_radix(digits, 16).ok()
}

/// A value in which no object has a member twice.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Unique(element)) = elements.next_element()? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let Unique(value) = members.next_value()?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("duplicate member name"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_what_serde_json_reads() {
        let text = r#"{"a":[1,-2,2.5,"x\u00e9",true,null,{"b":{}}],"$serde_json::private::RawValue":"[1]"}"#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(object(text).map(Value::Object).unwrap(), expected);
        assert_eq!(object(" {} \n").unwrap(), Map::new());
    }

    #[test]
    fn halves_of_surrogate_pairs_are_found() {
        for text in [
            r#""""#,
            r#"{"a":"\u00e9\ud83d\ude00"}"#,
            r#""\uD83D\uDE00\\""#,
            r#""\\ud800""#,
            r#""\\\ud83d\ude00""#,
            r#""\u""#,
            r#""\ud80""#,
            r#""\u+d80""#,
            r#""\"#,
            "\"\\\u{e9}\"",
            "\"\u{e9}\u{1f600}\"",
        ] {
            assert!(!has_lone_surrogate(text), "{text}");
        }
        for text in [
            r#"{"a":"\ud800"}"#,
            r#"{"a":"\uDFFF"}"#,
            r#""\ud800x""#,
            r#""\ud800\n""#,
            r#""\ud800\u0041""#,
            r#""\ud800\ud800\udc00""#,
            r#""\udc00\ud800""#,
            r#""\ud83d\ude00\ude00""#,
            r#""\\\ud800""#,
            r#""\ud800"#,
        ] {
            assert!(has_lone_surrogate(text), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        let deep = [&*r#"{"a":"#.repeat(200), "1", &"}".repeat(200)].concat();
        let very_deep = [r#"{"a":"#, &"[".repeat(10_000)].concat();
        let bad: &[(&str, &str)] = &[
            ("empty", ""),
            ("array", "[]"),
            ("string", "\"{}\""),
            ("null", "null"),
            ("two values", "{}{}"),
            ("byte order mark", "\u{feff}{}"),
            ("duplicate", r#"{"a":1,"a":1}"#),
            ("duplicate by escape", r#"{"a":1,"\u0061":2}"#),
            ("duplicate below", r#"{"a":[{"b":1,"b":2}]}"#),
            ("lone surrogate", r#"{"a":"\ud800"}"#),
            ("NaN", r#"{"a":NaN}"#),
            ("out of range", r#"{"a":1e400}"#),
            ("NUL", "{\"a\":\"\0\"}"),
            ("trailing comma", r#"{"a":1,}"#),
            ("deep", &deep),
            ("very deep", &very_deep),
        ];
        for (name, text) in bad {
            assert!(object(text).is_err(), "{name}");
        }
        assert_eq!(object(r#"{"a":1}"#).map(Value::Object).unwrap(), json!({"a": 1}));
    }
}
