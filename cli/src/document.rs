//! Documents that people write: JSON or YAML.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use serde_json::{Map, Value};

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
    let mut value: serde_norway::Value =
        serde_norway::from_str(text).map_err(|error| error.to_string())?;
    value.apply_merge().map_err(|error| error.to_string())?;
    to_json(value)
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
