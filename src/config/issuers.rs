//! The issuers: one or more by variables, or several by `ISSUERS`.

use serde_json::{Map, Value};

use crate::access::claims::{Requirement, Rules};
use crate::config::reader::{Reader, members_of};
use crate::config::settings::{self, PER_ISSUER};
use crate::documents::http::Endpoint;
use crate::jose::algorithm::Algorithms;
use crate::jose::json;
use crate::jose::jwks::{self, Key, Origin};
use crate::jose::token::{self, ClaimPath};
use crate::revocation::list::RevocationList;

/// A trusted issuer.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) name: String,
    pub(crate) algorithms: Algorithms,
    /// Accepted `typ`, in lower case and without `application/`.
    pub(crate) types: Vec<String>,
    pub(crate) rules: Rules,
    pub(crate) scope_claims: Vec<ClaimPath>,
    pub(crate) keys: KeySource,
    pub(crate) revoked: Option<RevocationSource>,
}

/// Where an issuer's keys come from.
#[derive(Debug)]
pub(crate) enum KeySource {
    /// The configuration alone.
    Fixed(Vec<Key>),
    /// The provider: at this address, or where its discovery document says. Configured keys serve until then.
    Provider { keys_at: Option<Endpoint>, seed: Vec<Key> },
}

/// Where a revocation list comes from.
#[derive(Debug)]
pub(crate) enum RevocationSource {
    /// The configuration.
    Given(RevocationList),
    /// This address.
    At(Endpoint),
}

/// The fields of one issuer, from variables or from an object of `ISSUERS`, before they are checked.
#[derive(Default)]
pub(super) struct Fields {
    /// `ISSUERS[2]`, or empty for variables.
    entry: String,
    pub(super) issuer: Option<String>,
    audience: Vec<String>,
    jwks_uri: Option<String>,
    jwks: Option<String>,
    algorithms: Vec<String>,
    audience_claim: Vec<String>,
    token_types: Vec<String>,
    required_claims: Option<Map<String, Value>>,
    /// A list, `@file` or an address.
    revoked: Option<String>,
    scope_claims: Vec<String>,
}

impl Fields {
    /// Where a field is set, as an operator would look for it.
    fn place(&self, variable: &str) -> String {
        if self.entry.is_empty() {
            variable.to_owned()
        } else {
            format!("{}.{}", self.entry, variable.to_lowercase())
        }
    }
}

impl Reader<'_> {
    /// The issuers: one from variables, or several from `ISSUERS`.
    pub(super) fn fields(&mut self) -> Vec<Fields> {
        if self.reported("ISSUERS") {
            return Vec::new();
        }
        if self.set("ISSUERS").is_none() {
            return vec![Fields {
                entry: String::new(),
                issuer: self.text(settings::ISSUER),
                audience: self.list(settings::AUDIENCE),
                jwks_uri: self.text(settings::JWKS_URI),
                jwks: self.json(settings::JWKS),
                algorithms: self.list(settings::ALGORITHMS),
                audience_claim: self.list(settings::AUDIENCE_CLAIM),
                token_types: self.list(settings::TOKEN_TYPES),
                required_claims: self.object(settings::REQUIRED_CLAIMS),
                revoked: self.value(&settings::REVOKED),
                scope_claims: self.list(settings::SCOPE_CLAIMS),
            }];
        }
        for name in PER_ISSUER {
            if self.set(name).is_some() {
                self.problem(name, "cannot be set beside ISSUERS: every issuer has its own");
            }
        }
        let Some(text) = self.json(settings::ISSUERS) else { return Vec::new() };
        match json::value(text.as_bytes()) {
            Ok(Value::Array(entries)) if !entries.is_empty() => entries
                .into_iter()
                .enumerate()
                .filter_map(|(index, entry)| self.entry(index, entry))
                .collect(),
            other => {
                let example =
                    r#"[{"issuer": "https://login.example.com", "audience": ["my-api"]}]"#;
                let error = other.err().map(|error| format!(": {error}")).unwrap_or_default();
                self.problem(
                    "ISSUERS",
                    format!("want a JSON array of objects, as {example}{error}"),
                );
                Vec::new()
            }
        }
    }

    /// One object of `ISSUERS`.
    fn entry(&mut self, index: usize, entry: Value) -> Option<Fields> {
        let place = format!("ISSUERS[{index}]");
        let Value::Object(members) = entry else {
            self.problem(&place, "want an object");
            return None;
        };
        let mut fields = Fields { entry: place, ..Fields::default() };
        for (name, value) in members {
            let place = format!("{}.{name}", fields.entry);
            match name.as_str() {
                "issuer" => fields.issuer = self.string(&place, value),
                "jwks_uri" => fields.jwks_uri = self.string(&place, value),
                "jwks" if value.is_object() => fields.jwks = Some(value.to_string()),
                "jwks" => self.problem(&place, "want a key set, as {\"keys\": [...]}"),
                "required_claims" => match value {
                    Value::Object(claims) => fields.required_claims = Some(claims),
                    _ => self
                        .problem(&place, "want a JSON object: claim -> value or array of values"),
                },
                "revoked" => match value {
                    Value::Object(_) => fields.revoked = Some(value.to_string()),
                    Value::String(text) if text.starts_with('@') || has_scheme(&text) => {
                        fields.revoked = Some(text);
                    }
                    _ => self.problem(&place, "want an object, or a text: `@file` or an https URL"),
                },
                "audience" => fields.audience = self.strings(&place, value),
                "algorithms" => fields.algorithms = self.strings(&place, value),
                "audience_claim" => fields.audience_claim = self.strings(&place, value),
                "token_types" => fields.token_types = self.strings(&place, value),
                "scope_claims" => fields.scope_claims = self.strings(&place, value),
                _ => {
                    let known = PER_ISSUER.map(str::to_lowercase).join(", ");
                    self.problem(&place, format!("unknown member; there are {known}"));
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
        Some(fields)
    }

    /// An issuer whose fields are right.
    pub(super) fn issuer(&mut self, fields: &Fields, shared: &Rules) -> Option<Issuer> {
        let problems = self.problems.len();
        let name = self.issuer_name(fields);
        if fields.audience.is_empty() && !self.reported(&fields.place("AUDIENCE")) {
            self.problem(
                &fields.place("AUDIENCE"),
                "is required: the audiences of this API's tokens",
            );
        }
        let algorithms = self.algorithms(fields);
        let rules = Rules {
            audiences: fields.audience.clone(),
            audience_claims: self.audience_claims(fields),
            required: self.required_claims(fields),
            ..shared.clone()
        };
        let types =
            fields.token_types.iter().map(|typ| token::media_type(typ).to_lowercase()).collect();
        let scope_claims = self.claims_at(&fields.place("SCOPE_CLAIMS"), &fields.scope_claims);
        let keys = self.key_source(fields, algorithms.unwrap_or(Algorithms::ALL));
        let revoked = self.revocation_source(fields);
        let is_right = self.problems.len() == problems;
        is_right.then_some(())?;
        Some(Issuer {
            name: name?,
            algorithms: algorithms?,
            types,
            rules,
            scope_claims,
            keys: keys?,
            revoked,
        })
    }

    fn audience_claims(&mut self, fields: &Fields) -> Vec<ClaimPath> {
        let place = fields.place("AUDIENCE_CLAIM");
        for name in &fields.audience_claim {
            // Who sent the token and when says nothing of whom it is for.
            if ["iss", "exp", "nbf", "iat"].contains(&name.strip_prefix('/').unwrap_or(name)) {
                self.problem(&place, format!("`{name}` cannot hold an audience"));
            }
        }
        self.claims_at(&place, &fields.audience_claim)
    }

    fn issuer_name(&mut self, fields: &Fields) -> Option<String> {
        let place = fields.place("ISSUER");
        let Some(name) = &fields.issuer else {
            if !self.reported(&place) {
                self.problem(&place, "is required: the exact `iss` of the tokens to trust");
            }
            return None;
        };
        match Endpoint::parse(name) {
            Ok(url) if !url.has_query() => return Some(name.clone()),
            Ok(_) => self.problem(&place, "must not have a query (`?...`)"),
            Err(problem) => self.problem(&place, problem),
        }
        None
    }

    fn algorithms(&mut self, fields: &Fields) -> Option<Algorithms> {
        let place = fields.place("ALGORITHMS");
        let has_no_keys = fields.jwks.is_none() && !self.reported(&fields.place("JWKS"));
        match Algorithms::parse(fields.algorithms.iter().map(String::as_str)) {
            Ok(algorithms) if has_no_keys && !(algorithms & Algorithms::HMAC).is_empty() => {
                let message = "HS256, HS384 and HS512 need their keys in JWKS: none is taken from the network";
                self.problem(&place, message);
                None
            }
            Ok(algorithms) => Some(algorithms),
            Err(unknown) => {
                self.problem(
                    &place,
                    format!("`{unknown}` is unknown; there are {}", Algorithms::known()),
                );
                None
            }
        }
    }

    fn key_source(&mut self, fields: &Fields, algorithms: Algorithms) -> Option<KeySource> {
        let keys_at = match fields.jwks_uri.as_deref().map(Endpoint::parse).transpose() {
            Ok(endpoint) => endpoint,
            Err(problem) => {
                self.problem(&fields.place("JWKS_URI"), problem);
                return None;
            }
        };
        let Some(text) = &fields.jwks else {
            return Some(KeySource::Provider { keys_at, seed: Vec::new() });
        };
        match jwks::parse(text.as_bytes(), algorithms, Origin::Configuration) {
            Ok(parsed) if keys_at.is_some() => {
                Some(KeySource::Provider { keys_at, seed: parsed.keys })
            }
            Ok(parsed) => Some(KeySource::Fixed(parsed.keys)),
            Err(unusable) => {
                self.problem(&fields.place("JWKS"), unusable.to_string());
                None
            }
        }
    }

    /// No message quotes what the list says, or its address: see [`RevocationList::parse`].
    fn revocation_source(&mut self, fields: &Fields) -> Option<RevocationSource> {
        let place = fields.place("REVOKED");
        let text = fields.revoked.clone()?;
        let source = if has_scheme(&text) {
            Endpoint::parse(&text).map(RevocationSource::At).map_err(str::to_owned)
        } else {
            let text = self.text_or_file(&place, text)?;
            RevocationList::parse(text.as_bytes()).map(RevocationSource::Given)
        };
        source.map_err(|problem| self.problem(&place, problem)).ok()
    }

    fn required_claims(&mut self, fields: &Fields) -> Vec<Requirement> {
        let place = fields.place("REQUIRED_CLAIMS");
        let mut required = Vec::new();
        for (claim, value) in fields.required_claims.iter().flatten() {
            match Requirement::parse(claim, value) {
                Ok(requirement) => required.push(requirement),
                Err(problem) => self.problem(&place, problem),
            }
        }
        required
    }
}

/// Whether this begins as a URL does (RFC 3986 section 3.1).
fn has_scheme(text: &str) -> bool {
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}
