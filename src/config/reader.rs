//! Reads variables by the kind of their value. Problems are collected, so that all are reported at once.

use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::config::environment::Environment;
use crate::config::problems::Problem;
use crate::config::settings::{Json, List, Number, Setting, Text, Word};
use crate::config::words::Choice;
use crate::jose::json;
use crate::jose::number;
use crate::jose::token::ClaimPath;

/// Reads variables, and collects problems and warnings.
pub(super) struct Reader<'e> {
    pub(super) environment: &'e Environment,
    pub(super) problems: Vec<Problem>,
    /// Settings that are allowed but need attention, for the log.
    pub(super) warnings: Vec<String>,
}

impl<'e> Reader<'e> {
    /// The variable as it is set: trimmed, and not blank.
    pub(super) fn set(&self, name: &str) -> Option<&'e str> {
        let value = self.environment.get(name)?.trim();
        if value.is_empty() { None } else { Some(value) }
    }

    /// The variable, or its default.
    pub(super) fn value<K>(&self, setting: &Setting<K>) -> Option<&'e str> {
        match self.set(setting.name) {
            None if setting.default.is_empty() => None,
            None => Some(setting.default),
            value => value,
        }
    }

    pub(super) fn text(&self, setting: Setting<Text>) -> Option<String> {
        self.value(&setting).map(str::to_owned)
    }

    pub(super) fn list(&mut self, setting: Setting<List>) -> Vec<String> {
        let Some(text) = self.value(&setting) else { return Vec::new() };
        self.members(setting.name, text)
    }

    pub(super) fn members(&mut self, setting: &str, list: &str) -> Vec<String> {
        let members = members_of(list);
        if members.is_empty() {
            self.problem(setting, "is an empty list");
        }
        members
    }

    /// The text of a JSON-valued setting, which can be in a file: `@path`.
    pub(super) fn json(&mut self, setting: Setting<Json>) -> Option<String> {
        let text = self.value(&setting)?;
        self.text_or_file(setting.name, text)
    }

    /// The text, or what is in the file that it names: `@path`. A byte order mark before either is skipped: some
    /// editors write one.
    pub(super) fn text_or_file(&mut self, setting: &str, text: &str) -> Option<String> {
        let Some(file) = text.strip_prefix('@') else { return Some(without_mark(text).to_owned()) };
        let path = self.path(file);
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(without_mark(&text).to_owned()),
            Err(error) => {
                // If it is not a path, it can be a secret or the address of one.
                let is_path = file.len() < 256 && !file.contains(['?', '{', '[', '"', ':']);
                let path = if is_path { path.display().to_string() } else { "@".to_owned() };
                let expected = "must be the path of a UTF-8 file in the deployment package that holds the value";
                self.problem(setting, format!("{path}: {error}; {expected}"));
                None
            }
        }
    }

    pub(super) fn object(&mut self, setting: Setting<Json>) -> Option<Map<String, Value>> {
        let name = setting.name;
        let text = self.json(setting)?;
        let object = json::object(&text);
        self.check_numbers(name, &text);
        self.or_report(name, object.map_err(|error| format!("must be a JSON object: {error}")))
    }

    /// Numbers that are compared with claims must be comparable exactly.
    pub(super) fn check_numbers(&mut self, setting: &str, text: &str) {
        if !number::rounded(text).is_empty() {
            let message = "has a number with more than some 17 digits, which cannot be compared exactly: use a string";
            self.problem(setting, message);
        }
    }

    /// A number; none if the setting has no default and is not set.
    pub(super) fn number(&mut self, setting: Setting<Number>) -> Option<u64> {
        let text = self.value(&setting)?;
        // `parse` alone would take a sign.
        let is_whole = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if is_whole { text.parse().ok() } else { None };
        let read = setting.within_bounds(number).map_err(|problem| format!("`{text}`: {problem}"));
        self.or_report(setting.name, read)
    }

    /// One of the setting's words.
    pub(super) fn choice<T: Choice>(&mut self, setting: Setting<Word<T>>) -> Option<T> {
        let text = self.value(&setting).unwrap_or_default();
        let choice = T::parse(text);
        if choice.is_none() {
            let words = T::WORDS.join("` or `");
            self.problem(setting.name, format!("`{text}`: must be `{words}`"));
        }
        choice
    }

    pub(super) fn claim(&mut self, setting: Setting<Text>) -> Option<ClaimPath> {
        let text = self.value(&setting)?;
        self.claim_at(setting.name, text)
    }

    pub(super) fn claim_list(&mut self, setting: Setting<List>) -> Vec<ClaimPath> {
        let name = setting.name;
        let names = self.list(setting);
        self.claims_at(name, &names)
    }

    pub(super) fn claims_at(&mut self, setting: &str, names: &[String]) -> Vec<ClaimPath> {
        let mut claims = Vec::new();
        for name in names {
            claims.extend(self.claim_at(setting, name));
        }
        claims
    }

    pub(super) fn claim_at(&mut self, setting: &str, name: &str) -> Option<ClaimPath> {
        self.or_report(setting, ClaimPath::parse(name))
    }

    pub(super) fn string(&mut self, setting: &str, value: &Value) -> Option<String> {
        if let Value::String(text) = value
            && !text.trim().is_empty()
        {
            return Some(text.trim().to_owned());
        }
        self.problem(setting, "must be a string that is not blank");
        None
    }

    /// A list in JSON: an array of strings, or one string.
    pub(super) fn strings(&mut self, setting: &str, value: &Value) -> Vec<String> {
        let values = match value {
            Value::Array(values) => values,
            Value::String(text) if text.trim().contains([',', ' ']) => {
                let message = "a string is one value, but this one has a comma or space in it: \
                    write several values as an array of strings";
                self.problem(setting, message);
                return Vec::new();
            }
            one => std::slice::from_ref(one),
        };
        if values.is_empty() {
            self.problem(setting, "is an empty list");
        }
        let mut strings = Vec::new();
        for value in values {
            strings.extend(self.string(setting, value));
        }
        strings
    }

    /// A file of the deployment package.
    pub(super) fn path(&self, file: &str) -> PathBuf {
        PathBuf::from(self.set("LAMBDA_TASK_ROOT").unwrap_or_default()).join(file)
    }

    /// What was read, or nothing and a problem of this setting.
    pub(super) fn or_report<T>(
        &mut self,
        setting: &str,
        read: Result<T, impl Into<String>>,
    ) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(problem) => {
                self.problem(setting, problem);
                None
            }
        }
    }

    pub(super) fn problem(&mut self, setting: &str, message: impl Into<String>) {
        self.problems.push(Problem { setting: setting.to_owned(), message: message.into() });
    }

    /// Whether a problem of this setting is known.
    pub(super) fn reported(&self, setting: &str) -> bool {
        self.problems.iter().any(|problem| problem.setting == setting)
    }
}

fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// A value for a message. Values in `ISSUERS` can be secrets, so they are not quoted.
pub(super) fn quoted(setting: &str, value: &str) -> String {
    if setting.starts_with("ISSUERS") { "a value".to_owned() } else { format!("`{value}`") }
}

/// The members of a list: separated by commas, spaces or both.
#[must_use]
pub fn members_of(list: &str) -> Vec<String> {
    let mut members = Vec::new();
    for member in list.split([',', ' ', '\t', '\n', '\r']) {
        if !member.is_empty() {
            members.push(member.to_owned());
        }
    }
    members
}
