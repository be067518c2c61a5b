//! Variables, read one by one by what they may hold. Problems are kept, so that all are reported at once.

use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::config::Problem;
use crate::config::environment::Environment;
use crate::config::settings::{Json, List, Number, Setting, Text, Word};
use crate::jose::json;
use crate::jose::token::ClaimPath;

/// Reads variables, and keeps the problems and warnings.
pub(super) struct Reader<'e> {
    pub(super) environment: &'e Environment,
    pub(super) problems: Vec<Problem>,
    /// Settings that are allowed but need attention, for the log.
    pub(super) warnings: Vec<String>,
}

impl Reader<'_> {
    /// The variable as it is set: trimmed, and not blank.
    pub(super) fn set(&self, name: &str) -> Option<String> {
        self.environment
            .get(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    /// The variable, or its default.
    pub(super) fn value<K>(&self, setting: &Setting<K>) -> Option<String> {
        self.set(setting.name)
            .or_else(|| Some(setting.default.to_owned()).filter(|default| !default.is_empty()))
    }

    pub(super) fn text(&self, setting: Setting<Text>) -> Option<String> {
        self.value(&setting)
    }

    pub(super) fn list(&mut self, setting: Setting<List>) -> Vec<String> {
        let Some(text) = self.value(&setting) else { return Vec::new() };
        self.members(setting.name, &text)
    }

    pub(super) fn members(&mut self, place: &str, list: &str) -> Vec<String> {
        let members = members_of(list);
        if members.is_empty() {
            self.problem(place, "is an empty list");
        }
        members
    }

    /// The text of a JSON-valued setting, which may be in a file: `@path`.
    pub(super) fn json(&mut self, setting: Setting<Json>) -> Option<String> {
        let text = self.value(&setting)?;
        self.text_or_file(setting.name, text)
    }

    /// The text, or what is in the file that it names: `@path`.
    pub(super) fn text_or_file(&mut self, place: &str, text: String) -> Option<String> {
        let Some(file) = text.strip_prefix('@') else { return Some(text) };
        let path = self.path(file);
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) => {
                // If it is not a path, it may be a secret or the address of one.
                let is_path = file.len() < 256 && !file.contains(['?', '{', '[', '"', ':']);
                let path = if is_path { path.display().to_string() } else { "@".to_owned() };
                let wanted =
                    "want the path of a UTF-8 file in the deployment package that holds the value";
                self.problem(place, format!("{path}: {error}; {wanted}"));
                None
            }
        }
    }

    pub(super) fn object(&mut self, setting: Setting<Json>) -> Option<Map<String, Value>> {
        let name = setting.name;
        let text = self.json(setting)?;
        match json::object(text.as_bytes()) {
            Ok(object) => Some(object),
            Err(error) => {
                self.problem(name, format!("want a JSON object: {error}"));
                None
            }
        }
    }

    /// A number; none if the setting has no default and is not set.
    pub(super) fn number(&mut self, setting: Setting<Number>) -> Option<u64> {
        let text = self.value(&setting)?;
        let Number(bounds) = setting.kind;
        let is_whole = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if is_whole && bounds.contains(&number) => Some(number),
            _ => {
                let (least, most) = bounds.into_inner();
                let message = format!("`{text}`: want a whole number from {least} to {most}");
                self.problem(setting.name, message);
                None
            }
        }
    }

    /// One of the setting's words.
    pub(super) fn choice(&mut self, setting: Setting<Word>) -> Option<&'static str> {
        let Word(words) = setting.kind;
        let text = self.value(&setting).unwrap_or_default();
        let word = words.iter().copied().find(|word| *word == text);
        if word.is_none() {
            self.problem(setting.name, format!("`{text}`: want `{}`", words.join("` or `")));
        }
        word
    }

    pub(super) fn switch(&mut self, setting: Setting<Word>) -> Option<bool> {
        self.choice(setting).map(|word| word == "on")
    }

    pub(super) fn claim(&mut self, setting: Setting<Text>) -> Option<ClaimPath> {
        let name = setting.name;
        let text = self.text(setting)?;
        self.claim_at(name, &text)
    }

    pub(super) fn claim_list(&mut self, setting: Setting<List>) -> Vec<ClaimPath> {
        let name = setting.name;
        let names = self.list(setting);
        self.claims_at(name, &names)
    }

    pub(super) fn claims_at(&mut self, place: &str, names: &[String]) -> Vec<ClaimPath> {
        names.iter().filter_map(|name| self.claim_at(place, name)).collect()
    }

    pub(super) fn claim_at(&mut self, place: &str, text: &str) -> Option<ClaimPath> {
        ClaimPath::parse(text).map_err(|problem| self.problem(place, problem)).ok()
    }

    pub(super) fn string(&mut self, place: &str, value: Value) -> Option<String> {
        match value {
            Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            _ => {
                self.problem(place, "want a string that is not blank");
                None
            }
        }
    }

    /// A list in JSON: an array of strings, or one string.
    pub(super) fn strings(&mut self, place: &str, value: Value) -> Vec<String> {
        let values = match value {
            Value::Array(values) => values,
            Value::String(text) if text.trim().contains([',', ' ']) => {
                let message = "a text is one value, and this has a comma or space in it: give several as an array of strings";
                self.problem(place, message);
                return Vec::new();
            }
            one => vec![one],
        };
        if values.is_empty() {
            self.problem(place, "is an empty list");
        }
        values.into_iter().filter_map(|value| self.string(place, value)).collect()
    }

    /// A file of the deployment package.
    pub(super) fn path(&self, file: &str) -> PathBuf {
        PathBuf::from(self.set("LAMBDA_TASK_ROOT").unwrap_or_default()).join(file)
    }

    pub(super) fn problem(&mut self, place: &str, message: impl Into<String>) {
        self.problems.push(Problem { place: place.to_owned(), message: message.into() });
    }

    pub(super) fn reported(&self, place: &str) -> bool {
        self.problems.iter().any(|problem| problem.place == place)
    }
}

/// A value, to be shown. Values in `ISSUERS` may be secrets, so they are not quoted.
pub(super) fn quoted(place: &str, value: &str) -> String {
    if place.starts_with("ISSUERS") { "a value".to_owned() } else { format!("`{value}`") }
}

/// The members of a list: separated by commas, spaces or both.
pub(super) fn members_of(list: &str) -> Vec<String> {
    let members = list.split([',', ' ', '\t', '\n', '\r']).filter(|member| !member.is_empty());
    members.map(str::to_owned).collect()
}
