//! Documents that people write: JSON or YAML.

use std::cell::Cell;
use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use serde::Deserializer;
use serde::de::{DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde_json::{Map, Value};

/// The most bytes that a document can take once its aliases are expanded: some two million values. The largest OpenAPI
/// documents of public APIs have half of that.
const MAX_BYTES: usize = 128 * 1024 * 1024;

/// What a value takes, beside its text.
const VALUE_BYTES: usize = 64;

/// Reads JSON or YAML. Of two members of one name in YAML, none counts: that is an error.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with(['{', '[']) {
        match serde_json::from_str(text) {
            Ok(value) => return Ok(value),
            // YAML has objects and arrays in braces and brackets, too.
            Err(error) => return yaml(text).map_err(|_| error.to_string()),
        }
    }
    yaml(text)
}

fn yaml(text: &str) -> Result<Value, String> {
    if text.contains('*') {
        let left = Cell::new(MAX_BYTES);
        Measure(&left)
            .deserialize(serde_norway::Deserializer::from_str(text))
            .map_err(|error| error.to_string())?;
    }
    let mut value: serde_norway::Value =
        serde_norway::from_str(text).map_err(|error| error.to_string())?;
    value.apply_merge().map_err(|error| error.to_string())?;
    to_json(value)
}

/// Reads a value only to count its bytes, aliases expanded: a few kilobytes can expand to gigabytes.
#[derive(Clone, Copy)]
struct Measure<'a>(&'a Cell<usize>);

impl Measure<'_> {
    fn take<E: Error>(self, text: usize) -> Result<(), E> {
        match self.0.get().checked_sub(VALUE_BYTES + text) {
            Some(left) => self.0.set(left),
            None => return Err(E::custom("its aliases expand to too much: write it without them")),
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Measure<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Measure<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.take(0)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.take(0)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.take(0)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.take(0)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.take(text.len())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.take(0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        self.take(0)?;
        while elements.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.take(0)?;
        while members.next_entry_seed(self, self)?.is_some() {}
        Ok(())
    }

    /// A value with a tag.
    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<(), A::Error> {
        let (_, value) = tagged.variant_seed(self)?;
        value.newtype_variant_seed(self)
    }
}

/// Names of members are strings in JSON. In YAML, `200:` is a number and `yes:` may be a boolean.
fn to_json(value: serde_norway::Value) -> Result<Value, String> {
    use serde_norway::Value as Yaml;
    Ok(match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(flag) => flag.into(),
        Yaml::Number(number) => serde_json::to_value(number).map_err(|error| error.to_string())?,
        Yaml::String(text) => text.into(),
        Yaml::Sequence(elements) => {
            Value::Array(elements.into_iter().map(to_json).collect::<Result<_, _>>()?)
        }
        Yaml::Mapping(members) => {
            let mut object = Map::new();
            for (name, value) in members {
                let name = match to_json(name)? {
                    Value::String(name) => name,
                    name @ (Value::Number(_) | Value::Bool(_) | Value::Null) => name.to_string(),
                    _ => return Err("the name of a member is not a string".to_owned()),
                };
                object.insert(name, to_json(value)?);
            }
            Value::Object(object)
        }
        // CloudFormation's short forms: `!Ref Name` is `{"Ref": "Name"}`, `!Sub text` is `{"Fn::Sub": "text"}`.
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let tag = tag.trim_start_matches('!');
            let name = match tag {
                "Ref" | "Condition" => tag.to_owned(),
                _ => format!("Fn::{tag}"),
            };
            Value::Object(Map::from_iter([(name, to_json(tagged.value)?)]))
        }
    })
}

/// The text of a file, or of standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    if path == Path::new("-") {
        let mut text = String::new();
        let read = io::stdin().read_to_string(&mut text);
        return read.map(|_| text).map_err(|error| format!("standard input: {error}"));
    }
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
