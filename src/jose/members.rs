//! Some members of a large JSON object. All others are skipped and never built, but every name must be unique.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

/// The most members of an object: no real one has more. Each name costs memory until all were compared.
const MAX_MEMBERS: usize = 1000;

/// The longest value that is read: eleven times the modulus of the largest RSA key.
const MAX_VALUE: usize = 16 * 1024;

/// The selected members of an object, as raw JSON.
pub(crate) struct Members<'t>(Vec<(&'static str, &'t RawValue)>);

impl<'t> Members<'t> {
    /// The error says what is wrong with the text, and quotes nothing of it.
    pub(crate) fn read(text: &'t str, selected: &'static [&'static str]) -> Result<Self, String> {
        read(text, MembersVisitor { selected, value: PhantomData }).map(Self)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'t RawValue> {
        for (selected, value) in &self.0 {
            if *selected == name {
                return Some(value);
            }
        }
        None
    }

    /// The member of this name, unless it is null: serializers write that for what was never set.
    pub(crate) fn present(&self, name: &str) -> Option<&'t RawValue> {
        let value = self.get(name)?;
        if value.get() == "null" { None } else { Some(value) }
    }

    /// The member of this name, if it is a string.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'t, str>> {
        text(self.get(name)?)
    }
}

fn read<'t, V: Visitor<'t>>(text: &'t str, members: V) -> Result<V::Value, String> {
    // `serde_json` would read a string to its end, and quote it.
    if !text.trim_ascii_start().starts_with('{') {
        return Err("not a JSON object".to_owned());
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let read = json.deserialize_map(members);
    match read.and_then(|members| json.end().map(|()| members)) {
        Ok(members) => Ok(members),
        Err(error) if error.is_data() => Err(error.to_string()),
        Err(error) => Err(format!("not valid JSON: {error}")),
    }
}

/// Reads the values of selected members in this way.
struct MembersVisitor<S> {
    selected: &'static [&'static str],
    value: S,
}

impl<'de, S: DeserializeSeed<'de> + Copy> Visitor<'de> for MembersVisitor<S> {
    type Value = Vec<(&'static str, S::Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let (mut names, mut found) = (Vec::new(), Vec::new());
        while let Some(Text(name)) = members.next_key()? {
            if names.len() == MAX_MEMBERS {
                return Err(A::Error::custom("too many members"));
            }
            match self.selected.iter().find(|selected| **selected == name) {
                Some(selected) => found.push((*selected, members.next_value_seed(self.value)?)),
                None => _ = members.next_value::<IgnoredAny>()?,
            }
            names.push(name);
        }
        names.sort_unstable();
        for pair in names.windows(2) {
            if pair[0] == pair[1] {
                return Err(A::Error::custom("duplicate member name"));
            }
        }
        Ok(found)
    }
}

/// A string, borrowed where it has no escapes (serde borrows a bare `Cow`, but not one in an `Option`).
#[derive(Deserialize)]
pub(crate) struct Text<'t>(#[serde(borrow)] pub(crate) Cow<'t, str>);

/// What this value says, if it is a string.
pub(crate) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let Text(text) = short(value)?;
    Some(text)
}

/// The elements of this value, if it is an array.
pub(crate) fn array(value: &RawValue) -> Option<Vec<&RawValue>> {
    short(value)
}

/// Reads a value, unless it is too long to have a meaning here.
fn short<'t, T: Deserialize<'t>>(value: &'t RawValue) -> Option<T> {
    if value.get().len() > MAX_VALUE {
        return None;
    }
    serde_json::from_str(value.get()).ok()
}

/// The first elements of the array that the member of this name is: as many as `most`. None if there is no such member,
/// or it is no array. The object is read once: it can be long.
pub(crate) fn elements_of<'t>(
    text: &'t str,
    name: &'static [&'static str; 1],
    most: usize,
) -> Result<Option<Vec<&'t RawValue>>, String> {
    let found = read(text, MembersVisitor { selected: name, value: FirstElements(most) })?;
    Ok(found.into_iter().find_map(|(_, elements)| elements))
}

#[derive(Clone, Copy)]
struct FirstElements(usize);

impl<'de> DeserializeSeed<'de> for FirstElements {
    type Value = Option<Vec<&'de RawValue>>;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Self::Value, D::Error> {
        value.deserialize_any(self)
    }
}

/// Anything but an array is nothing.
impl<'de> Visitor<'de> for FirstElements {
    type Value = Option<Vec<&'de RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while elements.len() < self.0 {
            match array.next_element()? {
                Some(element) => elements.push(element),
                None => return Ok(Some(elements)),
            }
        }
        while array.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Some(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selected_members_are_read_and_others_are_skipped() {
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
        let nulls = Members::read(r#"{"a":null,"b":"null","c": null }"#, &["a", "b", "c"]).unwrap();
        let present = ["a", "b", "c", "d"].map(|name| nulls.present(name).map(RawValue::get));
        assert_eq!(present, [None, Some("\"null\""), None, None]);
        let whole = array(members.get("a").unwrap()).unwrap();
        assert_eq!(whole.into_iter().filter_map(super::text).collect::<Vec<_>>(), ["c", "d"]);
        assert!(array(members.get("b").unwrap()).is_none());
        let first = |most| {
            let first = elements_of(&text, &["a"], most).unwrap().unwrap();
            first.into_iter().map(RawValue::get).collect::<Vec<_>>()
        };
        assert_eq!(first(3), ["1", "\"c\"", "\"\\u0064\""]);
        assert_eq!((first(2), first(0)), (vec!["1", "\"c\""], vec![]));
        for no_array in ["true", "-1", "1", "1.5", "\"x\\n\"", "null", r#"{"a": [1], "a": {}}"#] {
            let text = format!(r#"{{"a":{no_array},"b":[]}}"#);
            assert!(elements_of(&text, &["a"], 3).unwrap().is_none(), "{no_array}");
            assert_eq!(elements_of(&text, &["b"], 3).unwrap().unwrap().len(), 0);
        }
        for malformed in ["[1,2,3,]", "[1,2,3,4 5]", "[1", "x", "\"", r#"[],"a":[]"#] {
            let text = format!(r#"{{"a":{malformed}}}"#);
            assert!(elements_of(&text, &["a"], 2).is_err(), "{malformed}");
        }
        let long = |length: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(length - 2));
        let is_read = |text: &str| Members::read(text, &["a"]).unwrap().text("a").is_some();
        assert_eq!((is_read(&long(16_384)), is_read(&long(16_385))), (true, false));
    }

    #[test]
    fn members_of_an_object_have_distinct_names() {
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
            assert!(Members::read(&with_array, &["array"]).is_err(), "{text}");
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
        assert!(Members::read(twice, &["array"]).is_err());
    }
}
