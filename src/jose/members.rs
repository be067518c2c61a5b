//! Some members of a large JSON object. All others are skipped and never built, but every name must be unique.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
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
        // `serde_json` would read a string to its end, and quote it.
        if !text.trim_ascii_start().starts_with('{') {
            return Err("not a JSON object".to_owned());
        }
        let mut json = serde_json::Deserializer::from_str(text);
        let read = json.deserialize_map(MembersVisitor(selected));
        match read.and_then(|members| json.end().map(|()| members)) {
            Ok(members) => Ok(members),
            Err(error) if error.is_data() => Err(error.to_string()),
            Err(error) => Err(format!("not valid JSON: {error}")),
        }
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

struct MembersVisitor(&'static [&'static str]);

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Members<'de>, A::Error> {
        let (mut names, mut found) = (Vec::new(), Vec::new());
        while let Some(Text(name)) = members.next_key()? {
            if names.len() == MAX_MEMBERS {
                return Err(A::Error::custom("too many members"));
            }
            match self.0.iter().find(|selected| **selected == name) {
                Some(selected) => found.push((*selected, members.next_value()?)),
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
        Ok(Members(found))
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

/// The first elements of this value, if it is an array: as many as `most`. The array may be long.
pub(crate) fn elements(array: &RawValue, most: usize) -> Option<Vec<&RawValue>> {
    // `serde_json` would read a string to its end, and quote it.
    if !array.get().starts_with('[') {
        return None;
    }
    let mut elements = Vec::new();
    let mut json = serde_json::Deserializer::from_str(array.get());
    // A raw value is JSON, so the one error is that the rest is not read.
    _ = json.deserialize_seq(FirstElements { elements: &mut elements, most });
    Some(elements)
}

struct FirstElements<'e, 't> {
    elements: &'e mut Vec<&'t RawValue>,
    most: usize,
}

impl<'de> Visitor<'de> for FirstElements<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        while self.elements.len() < self.most
            && let Some(element) = array.next_element()?
        {
            self.elements.push(element);
        }
        Ok(())
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
            let first = elements(members.get("a").unwrap(), most).unwrap();
            first.into_iter().map(RawValue::get).collect::<Vec<_>>()
        };
        assert_eq!(first(3), ["1", "\"c\"", "\"\\u0064\""]);
        assert_eq!((first(2), first(0)), (vec!["1", "\"c\""], vec![]));
        assert!(elements(members.get("b").unwrap(), 3).is_none());
        assert!(elements(members.get("n").unwrap(), 3).is_none());
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
