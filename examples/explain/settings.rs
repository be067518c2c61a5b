//! The settings as they stand in the environment, for display: `Config` has checked them by then.

use std::fs;
use std::path::Path;

use serde_json::Value;
use token_authorizer::{Reason, SETTINGS};

use super::common::Environment;

pub(crate) struct Settings<'e> {
    environment: &'e Environment,
    /// The objects of `ISSUERS`.
    issuers: Vec<Value>,
}

impl<'e> Settings<'e> {
    pub(crate) fn new(environment: &'e Environment) -> Self {
        let mut settings = Self { environment, issuers: Vec::new() };
        settings.issuers = serde_json::from_str(&settings.json("ISSUERS")).unwrap_or_default();
        settings
    }

    /// The variable, or its default.
    pub(crate) fn text(&self, name: &str) -> String {
        let default = || SETTINGS.iter().find(|setting| setting.name == name).map_or("", |setting| setting.default);
        self.environment.variable(name).map_or_else(|| default().to_owned(), |value| value.trim().to_owned())
    }

    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        members(&self.text(name))
    }

    /// The text of a setting that may be in a file.
    pub(crate) fn json(&self, name: &str) -> String {
        let text = self.text(name);
        let Some(file) = text.strip_prefix('@') else { return text };
        let root = self.text("LAMBDA_TASK_ROOT");
        fs::read_to_string(Path::new(&root).join(file)).unwrap_or_default()
    }

    pub(crate) fn issuers(&self) -> Vec<String> {
        if self.issuers.is_empty() {
            return vec![self.text("ISSUER")];
        }
        self.issuers.iter().filter_map(|entry| Some(entry["issuer"].as_str()?.to_owned())).collect()
    }

    /// A list that each issuer has of its own; of all of them, if this one is not trusted.
    pub(crate) fn list_of(&self, issuer: Option<&str>, name: &str) -> Vec<String> {
        if self.issuers.is_empty() {
            return self.list(name);
        }
        let is_meant = |entry: &&Value| entry["issuer"].as_str() == issuer;
        let meant: Vec<_> = self.issuers.iter().filter(is_meant).collect();
        let meant = if meant.is_empty() { self.issuers.iter().collect() } else { meant };
        let mut all = Vec::new();
        for entry in meant {
            let own = match &entry[name.to_lowercase()] {
                Value::String(text) => members(text),
                Value::Array(values) => values.iter().filter_map(|value| Some(value.as_str()?.to_owned())).collect(),
                _ => Vec::new(),
            };
            all.extend(if own.is_empty() { self.list(name) } else { own });
        }
        let mut seen = std::collections::HashSet::new();
        all.retain(|member| seen.insert(member.clone()));
        all
    }

    pub(crate) fn required_claims(&self, issuer: Option<&str>) -> Value {
        let own = self.issuers.iter().find(|entry| entry["issuer"].as_str() == issuer);
        match own {
            Some(entry) => entry["required_claims"].clone(),
            None => serde_json::from_str(&self.json("REQUIRED_CLAIMS")).unwrap_or_default(),
        }
    }

    /// Whether this refusal is answered with the error `Unauthorized` instead of a policy.
    pub(crate) fn refusal_is_error(&self, reason: Reason) -> bool {
        self.text("REFUSAL") == "unauthorized" && reason != Reason::InsufficientScope
    }
}

fn members(list: &str) -> Vec<String> {
    list.split(|c: char| c == ',' || c.is_whitespace()).filter(|member| !member.is_empty()).map(str::to_owned).collect()
}
