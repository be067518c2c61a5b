//! The issuers: one or more by variables, or several by `ISSUERS`.

use serde_json::{Map, Value};

use crate::access::claims::Rules;
use crate::access::requirement::Requirement;
use crate::access::rights::Rights;
use crate::config::key_sources::{KeyOrigin, KeySources};
use crate::config::reader::{Reader, members_of, quoted};
use crate::config::settings::{self, OVERRIDABLE, PER_ISSUER};
use crate::issuer::IssuerName;
use crate::jose::algorithm::Algorithms;
use crate::jose::json;
use crate::jose::jwks::{self, Key, Origin, Unusable};
use crate::jose::token::{self, ClaimPath};
use crate::remote::endpoint::Endpoint;
use crate::revocation::list::RevocationList;

/// A trusted issuer, or several under the same rules.
#[derive(Debug)]
pub(crate) struct Issuer {
    /// Each with the number of its source of keys.
    pub(crate) names: Vec<(IssuerName, usize)>,
    pub(crate) algorithms: Algorithms,
    /// Accepted `typ`, in lower case and without `application/`.
    pub(crate) types: Vec<String>,
    pub(crate) rules: Rules,
    pub(crate) scope_claims: Vec<ClaimPath>,
    pub(crate) revoked: Option<RevocationSource>,
    pub(crate) rights: Rights,
}

/// What holds for all issuers, or for those that have no settings of their own.
pub(super) struct Shared {
    pub(super) rules: Rules,
    pub(super) rights: Rights,
    pub(super) guards: Guards,
}

/// What is added to the policies of tables.
#[derive(Clone, Copy)]
pub(super) struct Guards {
    pub(super) path: bool,
    pub(super) expiry: bool,
}

/// Where a revocation list comes from.
#[derive(Debug)]
pub(crate) enum RevocationSource {
    /// The configuration.
    Static(RevocationList),
    /// This address.
    At(Endpoint),
}

/// The fields of one issuer, from variables or from an object of `ISSUERS`, before they are checked.
#[derive(Default)]
pub(super) struct Fields {
    /// `ISSUERS[2]`, or empty for variables.
    entry: String,
    pub(super) issuer: Vec<String>,
    pub(super) tenants: Option<Vec<String>>,
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
    // Set by `ISSUERS` alone: as variables they are shared.
    principal_claim: Option<Vec<String>>,
    required_scopes: Option<Vec<String>>,
    routes: Option<Map<String, Value>>,
}

impl Fields {
    /// Where a field is set, as an operator would look for it.
    pub(super) fn place(&self, variable: &str) -> String {
        if self.entry.is_empty() {
            variable.to_owned()
        } else {
            format!("{}.{}", self.entry, variable.to_lowercase())
        }
    }

    /// Whether anything is fetched over TLS. Fields with a problem do not count.
    pub(super) fn fetches_tls(&self) -> bool {
        let discovered = self.issuer.iter().filter(|_| !self.has_keys());
        let mut addresses = discovered.chain(&self.jwks_uri).chain(&self.revoked);
        addresses.any(|text| Endpoint::parse(text).is_ok_and(|address| address.is_https()))
    }

    /// Whether it says where keys are, or has some.
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
            return vec![Fields {
                entry: String::new(),
                issuer: self.list(settings::ISSUER),
                tenants: self.tenant_list(),
                audience: self.list(settings::AUDIENCE),
                jwks_uri: self.text(settings::JWKS_URI),
                jwks: self.json(settings::JWKS),
                algorithms: self.list(settings::ALGORITHMS),
                audience_claim: self.list(settings::AUDIENCE_CLAIM),
                token_types: self.list(settings::TOKEN_TYPES),
                required_claims: self.object(settings::REQUIRED_CLAIMS),
                revoked: self.value(&settings::REVOKED),
                scope_claims: self.list(settings::SCOPE_CLAIMS),
                ..Fields::default()
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
                "issuer" => fields.issuer.extend(self.string(&place, value)),
                "tenants" => fields.tenants = self.tenants_member(&place, value),
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
                "routes" => match value {
                    Value::Object(table) => fields.routes = Some(table),
                    _ => self.problem(&place, "want a JSON object: \"VERB /path\" -> rule"),
                },
                "principal_claim" => fields.principal_claim = Some(self.strings(&place, value)),
                "required_scopes" => fields.required_scopes = Some(self.strings(&place, value)),
                "audience" => fields.audience = self.strings(&place, value),
                "algorithms" => fields.algorithms = self.strings(&place, value),
                "audience_claim" => fields.audience_claim = self.strings(&place, value),
                "token_types" => fields.token_types = self.strings(&place, value),
                "scope_claims" => fields.scope_claims = self.strings(&place, value),
                _ => {
                    let known = [&PER_ISSUER[..], &OVERRIDABLE].concat().join(", ").to_lowercase();
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
    pub(super) fn issuer(
        &mut self,
        fields: &Fields,
        shared: &Shared,
        sources: &mut KeySources,
    ) -> Option<Issuer> {
        let problems = self.problems.len();
        let names = self.issuer_names(fields);
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
            principal_claims: match &fields.principal_claim {
                Some(names) => self.claims_at(&fields.place("PRINCIPAL_CLAIM"), names),
                None => shared.rules.principal_claims.clone(),
            },
            ..shared.rules.clone()
        };
        let types =
            fields.token_types.iter().map(|typ| token::media_type(typ).to_lowercase()).collect();
        let scope_claims = self.claims_at(&fields.place("SCOPE_CLAIMS"), &fields.scope_claims);
        let rights = self.rights(fields, shared);
        let keys = self.key_place(fields, algorithms.unwrap_or(Algorithms::ALL));
        let revoked = self.revocation_source(fields);
        let is_right = self.problems.len() == problems;
        is_right.then_some(())?;
        let algorithms = algorithms?;
        let names = sources.assign_sources(names, keys?, fields.jwks.as_deref(), algorithms);
        Some(Issuer { names, algorithms, types, rules, revoked, scope_claims, rights })
    }

    /// The shared rights, unless the issuer has its own. What another issuer calls `admin` need not be ours.
    fn rights(&mut self, fields: &Fields, shared: &Shared) -> Rights {
        let mut rights = shared.rights.clone();
        if let Some(required) = &fields.required_scopes {
            rights.required = self.scopes_at(&fields.place("REQUIRED_SCOPES"), required.clone());
        }
        if let Some(table) = &fields.routes {
            rights.routes = self.routes(&fields.place("ROUTES"), table, shared.guards);
        }
        rights
    }

    fn audience_claims(&mut self, fields: &Fields) -> Vec<ClaimPath> {
        let place = fields.place("AUDIENCE_CLAIM");
        for name in &fields.audience_claim {
            // Issuer and times say nothing about the audience.
            if ["iss", "exp", "nbf", "iat"].contains(&name.strip_prefix('/').unwrap_or(name)) {
                self.problem(&place, format!("`{name}` cannot hold an audience"));
            }
        }
        self.claims_at(&place, &fields.audience_claim)
    }

    fn algorithms(&mut self, fields: &Fields) -> Option<Algorithms> {
        let place = fields.place("ALGORITHMS");
        let has_no_keys = fields.jwks.is_none() && !self.reported(&fields.place("JWKS"));
        let problems = self.problems.len();
        let mut algorithms = Algorithms::default();
        for name in &fields.algorithms {
            match Algorithms::parse([&**name]) {
                Ok(known) => algorithms = algorithms | known,
                Err(unknown) => {
                    let (unknown, known) = (quoted(&place, &unknown), Algorithms::known());
                    self.problem(&place, format!("{unknown} is unknown; there are {known}"));
                }
            }
        }
        if has_no_keys && !(algorithms & Algorithms::HMAC).is_empty() {
            let message =
                "HS256, HS384 and HS512 need their keys in JWKS: none is taken from the network";
            self.problem(&place, message);
        }
        (self.problems.len() == problems).then_some(algorithms)
    }

    fn key_place(&mut self, fields: &Fields, algorithms: Algorithms) -> Option<KeyOrigin> {
        let keys_at = fields.jwks_uri.as_deref().map(Endpoint::parse).transpose();
        let keys_at = keys_at.map_err(|problem| self.problem(&fields.place("JWKS_URI"), problem));
        let keys = match &fields.jwks {
            None => Vec::new(),
            Some(text) => match configured_keys(text, algorithms) {
                Ok(keys) => keys,
                Err(unusable) => {
                    self.problem(&fields.place("JWKS"), unusable.to_string());
                    return None;
                }
            },
        };
        let keys_at = keys_at.ok()?;
        Some(match keys_at {
            Some(endpoint) => KeyOrigin::Address(endpoint, keys),
            None if keys.is_empty() => KeyOrigin::Discovery,
            None => KeyOrigin::Static(keys),
        })
    }

    /// No message quotes what the list says, or its address: see [`RevocationList::parse`].
    fn revocation_source(&mut self, fields: &Fields) -> Option<RevocationSource> {
        let place = fields.place("REVOKED");
        let text = fields.revoked.clone()?;
        let source = if has_scheme(&text) {
            Endpoint::parse(&text).map(RevocationSource::At).map_err(str::to_owned)
        } else {
            let text = self.text_or_file(&place, text)?;
            RevocationList::parse(text.as_bytes()).map(RevocationSource::Static)
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

/// The keys of the `JWKS` setting, if the issuer can use one of them. Another issuer that shares them may use the
/// others.
fn configured_keys(text: &str, algorithms: Algorithms) -> Result<Vec<Key>, Unusable> {
    let keys = jwks::parse(text.as_bytes(), Algorithms::ALL, Origin::Configuration)?.keys;
    if keys.iter().any(|key| key.fits(algorithms)) { Ok(keys) } else { Err(Unusable::NoUsableKey) }
}
