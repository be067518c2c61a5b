//! JSON objects read strictly: an object at the top, every member name once at every level, bounded nesting.
//! Of a large document, only the members that matter are built; each name must still be unique.
//!
//! RFC 7515 section 4 and RFC 7519 section 4 ask for unique names; readers that let the first or the last of two
//! win can be made to disagree about what a token says.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::de::StrRead;
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

/// The most members of an object of which only some are wanted: no real one has more. Each name costs memory until
/// all were compared.
const MAX_MEMBERS: usize = 1000;

/// The longest value of a wanted member that is read: eleven times the modulus of the largest RSA key.
const MAX_VALUE: usize = 16 * 1024;

/// The value that these bytes spell. The error is `serde_json`'s: it tells the place, and quotes nothing.
pub(crate) fn value(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    // Checks UTF-8 once, over the whole: `from_slice` would check each string by itself, which takes longer.
    let text = str::from_utf8(bytes).map_err(serde_json::Error::custom)?;
    serde_json::from_str(text).map(|Unique(value)| value)
}

/// The object that these bytes spell.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    match value(bytes)? {
        Value::Object(members) => Ok(members),
        _ => Err(serde_json::Error::custom("not an object")),
    }
}

/// A value without a member name that stands twice in one object.
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

/// The wanted members of an object, as raw JSON. All others are skipped and never built, whatever they hold.
pub(crate) struct Members<'t>(Vec<(&'static str, &'t RawValue)>);

impl<'t> Members<'t> {
    /// No name stands twice in the object, be it wanted or not.
    pub(crate) fn read(
        text: &'t str,
        wanted: &'static [&'static str],
    ) -> Result<Self, serde_json::Error> {
        let mut json = object_in(text)?;
        let members = json.deserialize_map(MembersVisitor(wanted))?;
        json.end()?;
        Ok(members)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'t RawValue> {
        self.0.iter().find(|(wanted, _)| *wanted == name).map(|(_, value)| *value)
    }

    /// The member of this name, if it is a text.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'t, str>> {
        text(self.get(name)?)
    }
}

struct MembersVisitor(&'static [&'static str]);

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Members<'de>, A::Error> {
        let (mut names, mut found) = (Names::default(), Vec::new());
        while let Some(name) = names.next(&mut members)? {
            match self.0.iter().find(|wanted| **wanted == name) {
                Some(wanted) => found.push((*wanted, members.next_value()?)),
                None => _ = members.next_value::<IgnoredAny>()?,
            }
        }
        names.check()?;
        Ok(Members(found))
    }
}

/// Hands over the elements of the array that this object has under `name`, one at a time, for as long as `element`
/// wants another. The error is that it wants none, that there is no array, or a member name that stands twice in the
/// object.
pub(crate) fn for_each<'t>(
    text: &'t str,
    name: &'static str,
    element: impl FnMut(&'t RawValue) -> bool,
) -> Result<(), serde_json::Error> {
    let mut json = object_in(text)?;
    json.deserialize_map(ArrayVisitor { name, elements: Some(Elements(element)) })?;
    json.end()
}

/// The first character is enough to reject anything else. `serde_json` would read a string to its end, and quote it.
fn object_in(text: &str) -> Result<serde_json::Deserializer<StrRead<'_>>, serde_json::Error> {
    let is_object = text.trim_ascii_start().starts_with('{');
    is_object
        .then(|| serde_json::Deserializer::from_str(text))
        .ok_or_else(|| serde_json::Error::custom("not an object"))
}

struct ArrayVisitor<F> {
    name: &'static str,
    /// What to do with the elements. Taken when it is done.
    elements: Option<Elements<F>>,
}

impl<'de, F: FnMut(&'de RawValue) -> bool> Visitor<'de> for ArrayVisitor<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with an array `{}`", self.name)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let mut names = Names::default();
        while let Some(name) = names.next(&mut members)? {
            match self.elements.take_if(|_| name == self.name) {
                Some(elements) => members.next_value_seed(elements)?,
                None => _ = members.next_value::<IgnoredAny>()?,
            }
        }
        names.check()?;
        if self.elements.is_none() { Ok(()) } else { Err(A::Error::missing_field(self.name)) }
    }
}

struct Elements<F>(F);

impl<'de, F: FnMut(&'de RawValue) -> bool> DeserializeSeed<'de> for Elements<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        // Not `deserialize_seq`, which quotes what it did not expect.
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&'de RawValue) -> bool> Visitor<'de> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        Err(E::custom("not an array"))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element()? {
            if !(self.0)(element) {
                return Err(A::Error::custom("too many elements"));
            }
        }
        Ok(())
    }
}

/// The member names of an object so far.
#[derive(Default)]
struct Names<'t>(Vec<Cow<'t, str>>);

impl<'t> Names<'t> {
    fn next<A: MapAccess<'t>>(&mut self, members: &mut A) -> Result<Option<&str>, A::Error> {
        if self.0.len() > MAX_MEMBERS {
            return Err(A::Error::custom("too many members"));
        }
        let Some(Text(name)) = members.next_key()? else { return Ok(None) };
        self.0.push(name);
        Ok(self.0.last().map(|name| &**name))
    }

    fn check<E: serde::de::Error>(mut self) -> Result<(), E> {
        self.0.sort_unstable();
        let is_unique = self.0.windows(2).all(|pair| pair[0] != pair[1]);
        if is_unique { Ok(()) } else { Err(E::custom("duplicate member name")) }
    }
}

/// A string, borrowed where it has no escapes (serde borrows a bare `Cow`, but not one in an `Option`).
#[derive(Deserialize)]
pub(crate) struct Text<'t>(#[serde(borrow)] pub(crate) Cow<'t, str>);

/// What this value says, if it is a text.
pub(crate) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    short(value).map(|Text(text)| text)
}

/// The elements of this value, if it is an array.
pub(crate) fn array(value: &RawValue) -> Option<Vec<&RawValue>> {
    short(value)
}

/// Reads a value, unless it is too long to have a meaning here.
fn short<'t, T: Deserialize<'t>>(value: &'t RawValue) -> Option<T> {
    let is_short = value.get().len() <= MAX_VALUE;
    is_short.then(|| serde_json::from_str(value.get()).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wanted_members_are_read_and_others_are_skipped() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let text = format!(
            r#" {{"b":"\u0061","x":{deep},"\u0061": [1, "c", "\u0064"],"y":{{"z":1,"z":2}},"n":1}} "#
        );
        let members = Members::read(&text, &["a", "b", "n", "none"]).unwrap();
        let shown = |name| members.get(name).map(RawValue::get);
        assert_eq!(shown("a"), Some(r#"[1, "c", "\u0064"]"#));
        assert_eq!((shown("n"), shown("none"), shown("x")), (Some("1"), None, None));
        assert_eq!(members.text("b").as_deref(), Some("a"));
        assert_eq!(
            (members.text("a"), members.text("n"), members.text("none")),
            (None, None, None)
        );
        let elements = array(members.get("a").unwrap()).unwrap();
        assert_eq!(elements.into_iter().filter_map(super::text).collect::<Vec<_>>(), ["c", "d"]);
        assert!(array(members.get("b").unwrap()).is_none());
        let mut elements = Vec::new();
        for_each(&text, "a", |element| {
            elements.push(element.get());
            true
        })
        .unwrap();
        assert_eq!(elements, ["1", "\"c\"", "\"\\u0064\""]);
        for name in ["b", "y", "none"] {
            assert!(for_each(&text, name, |_| panic!("no element")).is_err(), "{name}");
        }
        let long = |length: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(length - 2));
        let is_read = |text: &str| Members::read(text, &["a"]).unwrap().text("a").is_some();
        assert_eq!((is_read(&long(16_384)), is_read(&long(16_385))), (true, false));
    }

    #[test]
    fn members_are_those_of_one_object_with_names_that_stand_once() {
        let bad = [
            "",
            "[]",
            r#"["a",1]"#,
            r#""a""#,
            "null",
            "{}{}",
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"x":1,"b":2,"x":1}"#,
            r#"{"a":1"#,
            r#"{"a":1,}"#,
            r#"{"a":}"#,
            r#"{"x":[}"#,
            r#"{"x":tru}"#,
            "{\"x\":\"\n\"}",
            "\u{feff}{}",
        ];
        for text in bad {
            assert!(Members::read(text, &["a"]).is_err(), "{text}");
            let with_array = text.replacen('{', r#"{"array":[],"#, 1);
            assert!(for_each(&with_array, "array", |_| true).is_err(), "{text}");
        }
        let of = |count: usize| {
            let members: Vec<_> = (0..count).map(|n| format!(r#""{n}":0"#)).collect();
            format!("{{{}}}", members.join(","))
        };
        assert_eq!(
            Members::read(&of(1000), &["7"]).unwrap().get("7").map(RawValue::get),
            Some("0")
        );
        assert!(Members::read(&of(1001), &["7"]).is_err());
        let twice = r#"{"array":[],"array":[]}"#;
        assert!(for_each(twice, "array", |_| true).is_err());
    }

    #[test]
    fn reads_what_serde_json_reads() {
        let text = r#"{"a":[1,-2,2.5,"x\u00e9",true,null,{"b":{}}],"$serde_json::private::RawValue":"[1]"}"#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(object(text.as_bytes()).map(Value::Object).unwrap(), expected);
        assert_eq!(object(b" {} \n").unwrap(), Map::new());
    }

    #[test]
    fn refuses_the_rest() {
        let deep = [r#"{"a":"#.repeat(200).as_bytes(), b"1", "}".repeat(200).as_bytes()].concat();
        let very_deep = [br#"{"a":"#.as_slice(), "[".repeat(10_000).as_bytes()].concat();
        let bad: &[(&str, &[u8])] = &[
            ("empty", b""),
            ("array", b"[]"),
            ("string", b"\"{}\""),
            ("null", b"null"),
            ("two values", b"{}{}"),
            ("byte order mark", b"\xef\xbb\xbf{}"),
            ("duplicate", br#"{"a":1,"a":1}"#),
            ("duplicate by escape", br#"{"a":1,"\u0061":2}"#),
            ("duplicate below", br#"{"a":[{"b":1,"b":2}]}"#),
            ("not UTF-8", b"{\"a\":\"\xff\"}"),
            ("lone surrogate", br#"{"a":"\ud800"}"#),
            ("NaN", br#"{"a":NaN}"#),
            ("out of range", br#"{"a":1e400}"#),
            ("NUL", b"{\"a\":\"\0\"}"),
            ("trailing comma", br#"{"a":1,}"#),
            ("deep", &deep),
            ("very deep", &very_deep),
        ];
        for (name, bytes) in bad {
            assert!(object(bytes).is_err(), "{name}");
        }
        assert_eq!(object(br#"{"a":1}"#).map(Value::Object).unwrap(), json!({"a": 1}));
    }
}
