//! The settings of each issuer as they are written: by variables for one, or by `ISSUERS` for several.

use serde_json::{Map, Value};

use crate::config::reader::{Reader, members_of};
use crate::config::settings::{self, OVERRIDABLE, PER_ISSUER};
use crate::jose::json;
use crate::jose::token;
use crate::remote::endpoint::Endpoint;

/// The fields of one issuer, from variables or from an object of `ISSUERS`, before they are checked.
#[derive(Default)]
pub(super) struct Fields {
    /// `ISSUERS[2]`, or empty for variables.
    entry: String,
    pub(super) issuer: Vec<String>,
    pub(super) tenants: Option<Vec<String>>,
    pub(super) audience: Vec<String>,
    pub(super) jwks_uri: Option<String>,
    pub(super) jwks: Option<String>,
    pub(super) algorithms: Vec<String>,
    pub(super) audience_claim: Vec<String>,
    pub(super) token_types: Vec<String>,
    pub(super) required_claims: Map<String, Value>,
    /// A list, `@file` or an address.
    pub(super) revoked: Option<String>,
    pub(super) scope_claims: Vec<String>,
    // Set by `ISSUERS` alone: as variables they are shared.
    pub(super) principal_claim: Option<Vec<String>>,
    pub(super) required_scopes: Option<Vec<String>>,
    pub(super) routes: Option<Map<String, Value>>,
}

impl Fields {
    /// The name of the setting that holds a field, as an operator would look for it.
    pub(super) fn setting(&self, variable: &str) -> String {
        if self.entry.is_empty() {
            variable.to_owned()
        } else {
            format!("{}.{}", self.entry, variable.to_lowercase())
        }
    }

    /// The accepted `typ`, in lower case and without `application/`.
    pub(super) fn types(&self) -> Vec<String> {
        let mut types = Vec::new();
        for typ in &self.token_types {
            types.push(token::media_type(typ).to_lowercase());
        }
        types
    }

    /// Whether anything can be fetched over TLS. Fields with a problem do not count.
    pub(super) fn fetches_tls(&self) -> bool {
        let discovered = if self.has_keys() { &[] } else { &*self.issuer };
        // A discovery document can name keys at https, even one that comes from loopback.
        if discovered.iter().any(|text| Endpoint::parse(text).is_ok()) {
            return true;
        }
        for text in self.jwks_uri.iter().chain(&self.revoked) {
            if let Ok(address) = Endpoint::parse(text)
                && address.is_https()
            {
                return true;
            }
        }
        false
    }

    /// Whether it has keys, or says where they are.
    pub(super) fn has_keys(&self) -> bool {
        self.jwks_uri.is_some() || self.jwks.is_some()
    }
}

impl Reader<'_> {
    /// The issuers: one from variables, or several from `ISSUERS`.
    pub(super) fn fields(&mut self) -> Vec<Fields> {
        if self.reported("ISSUERS") {
            return Vec::new();
        }
        if self.set("ISSUERS").is_none() {
            return vec![self.variables()];
        }
        for name in PER_ISSUER {
            if self.set(name).is_some() {
                self.problem(name, "cannot be set together with ISSUERS: every issuer has its own");
            }
        }
        let Some(text) = self.json(settings::ISSUERS) else { return Vec::new() };
        self.check_numbers("ISSUERS", &text);
        let error = match json::value(&text) {
            Ok(Value::Array(entries)) if !entries.is_empty() => return self.entries(&entries),
            Ok(_) => String::new(),
            Err(error) => format!(": {error}"),
        };
        let example = r#"[{"issuer": "https://login.example.com", "audience": ["my-api"]}]"#;
        let message = format!("must be a JSON array of objects, for example {example}{error}");
        self.problem("ISSUERS", message);
        Vec::new()
    }

    fn variables(&mut self) -> Fields {
        Fields {
            issuer: self.list(settings::ISSUER),
            tenants: self.tenant_list(),
            audience: self.list(settings::AUDIENCE),
            jwks_uri: self.text(settings::JWKS_URI),
            jwks: self.json(settings::JWKS),
            algorithms: self.list(settings::ALGORITHMS),
            audience_claim: self.list(settings::AUDIENCE_CLAIM),
            token_types: self.list(settings::TOKEN_TYPES),
            required_claims: self.object(settings::REQUIRED_CLAIMS).unwrap_or_default(),
            revoked: self.value(&settings::REVOKED).map(str::to_owned),
            scope_claims: self.list(settings::SCOPE_CLAIMS),
            ..Fields::default()
        }
    }

    /// The objects of `ISSUERS`.
    fn entries(&mut self, entries: &[Value]) -> Vec<Fields> {
        let mut fields = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let setting = format!("ISSUERS[{index}]");
            if let Some(members) = self.object_member(&setting, entry, "must be an object") {
                fields.push(self.entry(setting, &members));
            }
        }
        fields
    }

    pub(super) fn entry(&mut self, entry: String, members: &Map<String, Value>) -> Fields {
        const KEY_SET: &str = "must be a key set, for example {\"keys\": [...]}";
        const CLAIMS: &str = "must be a JSON object: claim -> value or array of values";
        const TABLE: &str = "must be a JSON object: \"VERB /path\" -> rule";
        const LIST: &str = "must be an object, or a string: `@file` or an https URL";
        let mut fields = Fields { entry, ..Fields::default() };
        for (name, value) in members {
            let setting = format!("{}.{name}", fields.entry);
            match name.as_str() {
                "issuer" => fields.issuer.extend(self.string(&setting, value)),
                "tenants" => fields.tenants = self.tenants_member(&setting, value),
                "jwks_uri" => fields.jwks_uri = self.string(&setting, value),
                "jwks" if value.is_object() => fields.jwks = Some(value.to_string()),
                "jwks" => self.problem(&setting, KEY_SET),
                "required_claims" => {
                    let claims = self.object_member(&setting, value, CLAIMS);
                    fields.required_claims = claims.unwrap_or_default();
                }
                "revoked" => match value {
                    Value::Object(_) => fields.revoked = Some(value.to_string()),
                    Value::String(text) if text.starts_with('@') || has_scheme(text) => {
                        fields.revoked = Some(text.clone());
                    }
                    _ => self.problem(&setting, LIST),
                },
                "routes" => fields.routes = self.object_member(&setting, value, TABLE),
                "principal_claim" => fields.principal_claim = Some(self.strings(&setting, value)),
                "required_scopes" => fields.required_scopes = Some(self.strings(&setting, value)),
                "audience" => fields.audience = self.strings(&setting, value),
                "algorithms" => fields.algorithms = self.strings(&setting, value),
                "audience_claim" => fields.audience_claim = self.strings(&setting, value),
                "token_types" => fields.token_types = self.strings(&setting, value),
                "scope_claims" => fields.scope_claims = self.strings(&setting, value),
                _ => {
                    let known = [&PER_ISSUER[..], &OVERRIDABLE].concat().join(", ").to_lowercase();
                    self.problem(&setting, format!("unknown member; there are {known}"));
                }
            }
        }
        for (setting, list) in [
            (settings::ALGORITHMS, &mut fields.algorithms),
            (settings::AUDIENCE_CLAIM, &mut fields.audience_claim),
            (settings::TOKEN_TYPES, &mut fields.token_types),
            (settings::SCOPE_CLAIMS, &mut fields.scope_claims),
        ] {
            if list.is_empty() {
                *list = members_of(setting.default);
            }
        }
        fields
    }

    fn object_member(
        &mut self,
        setting: &str,
        value: &Value,
        expected: &str,
    ) -> Option<Map<String, Value>> {
        self.or_report(setting, value.as_object().cloned().ok_or(expected))
    }
}

/// Whether this begins as a URL does (RFC 3986 section 3.1).
pub(super) fn has_scheme(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once(':') else { return false };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}
