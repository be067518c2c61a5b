//! The settings: read once from the environment, every problem reported at once.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::algorithm::Algorithms;
use crate::cache::Lifetimes;
use crate::claims::Rules;
use crate::event::{Credentials, Source};
use crate::http::{self, Authorities, Endpoint};
use crate::json;
use crate::jwks::{self, Key, Origin};
use crate::policy::{self, ContextClaim};
use crate::rights::{Rights, Routes};
use crate::token::{self, ClaimPath};

/// A setting: the variable it is read from, and the default where there is one.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What an unset or blank variable means; empty where the setting is off or has no default.
    pub default: &'static str,
}

const fn setting(name: &'static str, default: &'static str) -> Setting {
    Setting { name, default }
}

/// Every setting of this program, in the order of the documentation.
pub const SETTINGS: [Setting; 27] = [
    setting("ISSUER", ""),
    setting("AUDIENCE", ""),
    setting("JWKS_URI", ""),
    setting("JWKS", ""),
    setting("ALGORITHMS", "RS256"),
    setting("AUDIENCE_CLAIM", "aud"),
    setting("TOKEN_TYPES", "JWT, at+jwt"),
    setting("LEEWAY_SECONDS", "0"),
    setting("REQUIRED_CLAIMS", "{}"),
    setting("SCOPE_CLAIMS", "scope, scp"),
    setting("REQUIRED_SCOPES", ""),
    setting("ROUTES", ""),
    setting("PRINCIPAL_CLAIM", "sub"),
    setting("CONTEXT_CLAIMS", "iss, sub, client_id, scope, exp, jti"),
    setting("USAGE_KEY_CLAIM", ""),
    setting("REFUSAL", "deny"),
    setting("EXPIRY_GUARD", "on"),
    setting("TOKEN_SOURCE", "header:Authorization"),
    setting("BEARER_PREFIX", "required"),
    setting("SIMPLE_RESPONSE", "off"),
    setting("JWKS_FRESH_SECONDS", "600"),
    setting("JWKS_STALE_SECONDS", "86400"),
    setting("JWKS_TIMEOUT_MS", "2000"),
    setting("JWKS_CA_FILE", ""),
    setting("ISSUERS", ""),
    setting("AWS_LAMBDA_LOG_LEVEL", "INFO"),
    setting("AWS_LAMBDA_LOG_FORMAT", "JSON"),
];

/// The settings that one object of `ISSUERS` holds, and that it excludes as variables. In an object their names
/// are in lower case.
const PER_ISSUER: [&str; 9] = [
    "ISSUER",
    "AUDIENCE",
    "JWKS_URI",
    "JWKS",
    "ALGORITHMS",
    "AUDIENCE_CLAIM",
    "TOKEN_TYPES",
    "REQUIRED_CLAIMS",
    "SCOPE_CLAIMS",
];

/// Names that API Gateway fills itself in `$context.authorizer` (Developer Guide, "$context variables").
const RESERVED_CONTEXT: [&str; 9] = [
    "claims",
    "error",
    "integrationLatency",
    "integrationStatus",
    "latency",
    "principalId",
    "reason",
    "requestId",
    "status",
];

/// Everything the authorizer can be told, checked.
#[derive(Debug)]
pub struct Config {
    pub(crate) issuers: Vec<Issuer>,
    pub(crate) rights: Rights,
    pub(crate) credentials: Credentials,
    pub(crate) context: Vec<ContextClaim>,
    pub(crate) usage_key: Option<ClaimPath>,
    pub(crate) on_refusal: OnRefusal,
    pub(crate) expiry_guard: bool,
    pub(crate) simple_response: bool,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) fetch_timeout: Duration,
    pub(crate) authorities: Authorities,
    /// What is allowed but should be known, for the log.
    pub(crate) warnings: Vec<&'static str>,
}

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
}

/// Where an issuer's keys come from.
#[derive(Debug)]
pub(crate) enum KeySource {
    /// The configuration alone.
    Fixed(Vec<Key>),
    /// The provider: at this address, or where its discovery document says. Configured keys serve until then.
    Provider { keys_at: Option<Endpoint>, seed: Vec<Key> },
}

/// What is answered when a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnRefusal {
    /// A Deny policy: 403, and cached.
    Deny,
    /// A function error that API Gateway turns into 401: not cached, and counted as an error of the function.
    Unauthorized,
}

/// One thing that is wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The variable, with the entry where it holds several: `ISSUERS[1].audience`.
    pub place: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Everything that is wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bad configuration")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for Problems {}

impl Config {
    /// Reads the settings. `variable` is the environment: `|name| std::env::var(name).ok()`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, at once.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Problems> {
        let mut reader = Reader { variable: &variable, problems: Vec::new() };
        let config = reader.config();
        match config {
            Some(config) if reader.problems.is_empty() => Ok(config),
            _ => Err(Problems(reader.problems)),
        }
    }
}

/// The fields of one issuer, from variables or from an object of `ISSUERS`, before they are checked.
#[derive(Default)]
struct Fields {
    /// `ISSUERS[2]`, or empty for variables.
    entry: String,
    issuer: Option<String>,
    audience: Vec<String>,
    jwks_uri: Option<String>,
    jwks: Option<String>,
    algorithms: Vec<String>,
    audience_claim: Vec<String>,
    token_types: Vec<String>,
    required_claims: Option<Map<String, Value>>,
    scope_claims: Vec<String>,
}

impl Fields {
    /// Where a field is set, as an operator would look for it.
    fn place(&self, variable: &str) -> String {
        if self.entry.is_empty() { variable.to_owned() } else { format!("{}.{}", self.entry, variable.to_lowercase()) }
    }
}

/// Reads variables and keeps the problems.
struct Reader<'v> {
    variable: &'v dyn Fn(&str) -> Option<String>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn config(&mut self) -> Option<Config> {
        let lifetimes = self.lifetimes();
        let leeway = self.number("LEEWAY_SECONDS", 0..=300);
        let principal_claims = self.claim_list("PRINCIPAL_CLAIM");
        let shared = Rules {
            audience_claims: Vec::new(),
            audiences: Vec::new(),
            leeway: leeway as f64,
            required: Vec::new(),
            principal_claims,
        };
        let issuers: Vec<_> = self.fields().into_iter().filter_map(|fields| self.issuer(&fields, &shared)).collect();
        let mut names = HashSet::new();
        for issuer in issuers.iter().filter(|issuer| !names.insert(issuer.name.as_str())) {
            self.problem("ISSUERS", format!("issuer `{}` is named twice", issuer.name));
        }

        let rights = Rights { required: self.list("REQUIRED_SCOPES"), routes: self.routes() };
        let simple_response = self.switch("SIMPLE_RESPONSE");
        let mut warnings = Vec::new();
        if simple_response && rights.routes.is_some() {
            warnings.push(
                "SIMPLE_RESPONSE with ROUTES is decided for one request: the authorizer's identity sources must \
                 include $context.routeKey, and its cache must be off where one route stands for many paths",
            );
        }
        let fetches_tls = issuers.iter().any(|issuer| match &issuer.keys {
            KeySource::Fixed(_) => false,
            KeySource::Provider { keys_at: Some(endpoint), .. } => endpoint.is_https(),
            KeySource::Provider { keys_at: None, .. } => true,
        });
        Some(Config {
            issuers,
            rights,
            credentials: Credentials {
                sources: self.sources(),
                bearer_required: self.choice("BEARER_PREFIX", &["required", "optional"]) == "required",
            },
            context: self.context(),
            usage_key: self.claim("USAGE_KEY_CLAIM"),
            on_refusal: match self.choice("REFUSAL", &["deny", "unauthorized"]) {
                "deny" => OnRefusal::Deny,
                _ => OnRefusal::Unauthorized,
            },
            expiry_guard: self.switch("EXPIRY_GUARD"),
            simple_response,
            lifetimes,
            fetch_timeout: Duration::from_millis(self.number("JWKS_TIMEOUT_MS", 100..=10_000)),
            authorities: self.authorities(fetches_tls),
            warnings,
        })
    }

    fn lifetimes(&mut self) -> Lifetimes {
        let fresh = self.number("JWKS_FRESH_SECONDS", 1..=86_400);
        let stale = self.number("JWKS_STALE_SECONDS", 1..=604_800);
        if stale < fresh && !self.reported("JWKS_STALE_SECONDS") {
            self.problem("JWKS_STALE_SECONDS", format!("must be at least JWKS_FRESH_SECONDS, which is {fresh}"));
        }
        Lifetimes { fresh: Duration::from_secs(fresh), stale: Duration::from_secs(stale) }
    }

    /// The issuers as they are named: one by variables, or several by `ISSUERS`.
    fn fields(&mut self) -> Vec<Fields> {
        let Some(text) = self.json("ISSUERS") else {
            if self.reported("ISSUERS") {
                return Vec::new();
            }
            return vec![Fields {
                entry: String::new(),
                issuer: self.text("ISSUER"),
                audience: self.list("AUDIENCE"),
                jwks_uri: self.text("JWKS_URI"),
                jwks: self.json("JWKS"),
                algorithms: self.list("ALGORITHMS"),
                audience_claim: self.list("AUDIENCE_CLAIM"),
                token_types: self.list("TOKEN_TYPES"),
                required_claims: self.object("REQUIRED_CLAIMS"),
                scope_claims: self.list("SCOPE_CLAIMS"),
            }];
        };
        for name in PER_ISSUER {
            if self.set(name).is_some() {
                self.problem(name, "cannot be set beside ISSUERS: every issuer has its own");
            }
        }
        match json::value(text.as_bytes()) {
            Ok(Value::Array(entries)) if !entries.is_empty() => {
                entries.into_iter().enumerate().filter_map(|(index, entry)| self.entry(index, entry)).collect()
            }
            _ => {
                let example = r#"[{"issuer": "https://login.example.com", "audience": ["my-api"]}]"#;
                self.problem("ISSUERS", format!("want a JSON array of objects, as {example}"));
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
                    _ => self.problem(&place, "want a JSON object: claim -> value or array of values"),
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
        for (name, list) in [
            ("ALGORITHMS", &mut fields.algorithms),
            ("AUDIENCE_CLAIM", &mut fields.audience_claim),
            ("TOKEN_TYPES", &mut fields.token_types),
            ("SCOPE_CLAIMS", &mut fields.scope_claims),
        ] {
            if list.is_empty() {
                *list = members_of(default(name));
            }
        }
        Some(fields)
    }

    /// An issuer whose fields are right.
    fn issuer(&mut self, fields: &Fields, shared: &Rules) -> Option<Issuer> {
        let problems = self.problems.len();
        let name = self.issuer_name(fields);
        if fields.audience.is_empty() && !self.reported(&fields.place("AUDIENCE")) {
            self.problem(&fields.place("AUDIENCE"), "is required: the audiences of this API's tokens");
        }
        let algorithms = self.algorithms(fields);
        let rules = Rules {
            audiences: fields.audience.clone(),
            audience_claims: self.claims_at(&fields.place("AUDIENCE_CLAIM"), &fields.audience_claim),
            required: self.required_claims(fields),
            ..shared.clone()
        };
        let types = fields.token_types.iter().map(|typ| token::media_type(typ).to_lowercase()).collect();
        let scope_claims = self.claims_at(&fields.place("SCOPE_CLAIMS"), &fields.scope_claims);
        let keys = self.key_source(fields, algorithms.unwrap_or(Algorithms::ALL));
        let is_right = self.problems.len() == problems;
        is_right.then_some(())?;
        Some(Issuer { name: name?, algorithms: algorithms?, types, rules, scope_claims, keys: keys? })
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
                self.problem(&place, format!("`{unknown}` is unknown; there are {}", Algorithms::known()));
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
        let Some(text) = &fields.jwks else { return Some(KeySource::Provider { keys_at, seed: Vec::new() }) };
        match jwks::parse(text.as_bytes(), algorithms, Origin::Configuration) {
            Ok(parsed) if keys_at.is_some() => Some(KeySource::Provider { keys_at, seed: parsed.keys }),
            Ok(parsed) => Some(KeySource::Fixed(parsed.keys)),
            Err(unusable) => {
                self.problem(&fields.place("JWKS"), unusable.to_string());
                None
            }
        }
    }

    fn required_claims(&mut self, fields: &Fields) -> Vec<(ClaimPath, Vec<Value>)> {
        let place = fields.place("REQUIRED_CLAIMS");
        let mut required = Vec::new();
        for (claim, value) in fields.required_claims.iter().flatten() {
            let values = match value {
                Value::Array(values) => values.clone(),
                one => vec![one.clone()],
            };
            let is_scalar = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
            if values.is_empty() || !values.iter().all(is_scalar) {
                let message = format!("claim `{claim}`: want a string, number or boolean, or an array of them");
                self.problem(&place, message);
            } else {
                required.extend(self.claim_at(&place, claim).map(|path| (path, values)));
            }
        }
        required
    }

    fn routes(&mut self) -> Option<Routes> {
        let table = self.object("ROUTES")?;
        let routes = match Routes::parse(&table) {
            Ok(routes) => routes,
            Err(problems) => {
                problems.into_iter().for_each(|problem| self.problem("ROUTES", problem));
                return None;
            }
        };
        if let Err(too_large) = policy::fits(&routes) {
            let policy::TooLarge { document, resource } = too_large;
            let message = format!(
                "the policy would have {document} bytes and resources of up to {resource} characters; API Gateway \
                 takes {} and {}: use fewer or shorter entries (ANY counts seven times)",
                policy::MAX_DOCUMENT,
                policy::MAX_RESOURCE,
            );
            self.problem("ROUTES", message);
        }
        Some(routes)
    }

    fn context(&mut self) -> Vec<ContextClaim> {
        let entries = self.list("CONTEXT_CLAIMS");
        if entries == ["none"] {
            return Vec::new();
        }
        let mut context: Vec<ContextClaim> = Vec::new();
        for entry in entries {
            let (name, claim) = entry.split_once('=').unwrap_or((&entry, &entry));
            if name.is_empty() || claim.is_empty() {
                self.problem("CONTEXT_CLAIMS", format!("`{entry}`: want `claim` or `name=claim`"));
            } else if name.starts_with('/') {
                self.problem("CONTEXT_CLAIMS", format!("`{entry}`: a JSON Pointer needs a name, as roles={entry}"));
            } else if RESERVED_CONTEXT.contains(&name) {
                let message = format!(
                    "`{name}` is filled by API Gateway or this function: give it another name, as my_{name}={claim}"
                );
                self.problem("CONTEXT_CLAIMS", message);
            } else if context.iter().any(|other| other.name == name) {
                self.problem("CONTEXT_CLAIMS", format!("`{name}` is named twice"));
            } else if let Some(path) = self.claim_at("CONTEXT_CLAIMS", claim) {
                context.push(ContextClaim { name: name.to_owned(), path });
            }
        }
        context
    }

    fn sources(&mut self) -> Vec<Source> {
        let mut sources = Vec::new();
        for text in self.list("TOKEN_SOURCE") {
            match Source::parse(&text) {
                Ok(source) => sources.push(source),
                Err(problem) => self.problem("TOKEN_SOURCE", problem),
            }
        }
        sources
    }

    /// Private certificate authorities. What the platform's variable names is read only if there is TLS to do.
    fn authorities(&mut self, fetches_tls: bool) -> Authorities {
        let mut authorities = Authorities::new();
        for name in ["JWKS_CA_FILE", "SSL_CERT_FILE"] {
            let Some(file) = self.set(name).filter(|_| fetches_tls || name == "JWKS_CA_FILE") else { continue };
            match http::read_authorities(&self.path(&file)) {
                Ok(found) => authorities.extend(found),
                Err(problem) => self.problem(name, problem),
            }
        }
        authorities
    }

    /// The variable as it is set: trimmed, and not blank.
    fn set(&self, name: &str) -> Option<String> {
        (self.variable)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The variable, or its default.
    fn text(&self, name: &str) -> Option<String> {
        self.set(name).or_else(|| Some(default(name).to_owned()).filter(|default| !default.is_empty()))
    }

    fn list(&mut self, name: &str) -> Vec<String> {
        let Some(text) = self.text(name) else { return Vec::new() };
        let members = members_of(&text);
        if members.is_empty() {
            self.problem(name, "is a list without a member");
        }
        members
    }

    /// The text of a JSON-valued setting, which may be in a file: `@path`.
    fn json(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        let Some(file) = text.strip_prefix('@') else { return Some(text) };
        let path = self.path(file);
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) => {
                self.problem(name, format!("{}: {error}", path.display()));
                None
            }
        }
    }

    fn object(&mut self, name: &str) -> Option<Map<String, Value>> {
        let text = self.json(name)?;
        match json::object(text.as_bytes()) {
            Ok(object) => Some(object),
            Err(error) => {
                self.problem(name, format!("want a JSON object: {error}"));
                None
            }
        }
    }

    fn number(&mut self, name: &str, range: std::ops::RangeInclusive<u64>) -> u64 {
        let text = self.text(name).unwrap_or_default();
        match text.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                self.problem(name, format!("`{text}`: want a whole number from {} to {}", range.start(), range.end()));
                *range.start()
            }
        }
    }

    /// One of the words; the first, if it is another.
    fn choice(&mut self, name: &str, words: &[&'static str]) -> &'static str {
        let text = self.text(name).unwrap_or_default();
        words.iter().copied().find(|word| *word == text).unwrap_or_else(|| {
            self.problem(name, format!("`{text}`: want `{}`", words.join("` or `")));
            words.first().copied().unwrap_or_default()
        })
    }

    fn switch(&mut self, name: &str) -> bool {
        self.choice(name, &["on", "off"]) == "on"
    }

    fn claim(&mut self, name: &str) -> Option<ClaimPath> {
        let text = self.text(name)?;
        self.claim_at(name, &text)
    }

    fn claim_list(&mut self, name: &str) -> Vec<ClaimPath> {
        let names = self.list(name);
        self.claims_at(name, &names)
    }

    fn claims_at(&mut self, place: &str, names: &[String]) -> Vec<ClaimPath> {
        names.iter().filter_map(|name| self.claim_at(place, name)).collect()
    }

    fn claim_at(&mut self, place: &str, text: &str) -> Option<ClaimPath> {
        ClaimPath::parse(text).map_err(|problem| self.problem(place, problem)).ok()
    }

    fn string(&mut self, place: &str, value: Value) -> Option<String> {
        match value {
            Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            _ => {
                self.problem(place, "want a string that is not blank");
                None
            }
        }
    }

    /// A list in JSON: an array of strings, or one string.
    fn strings(&mut self, place: &str, value: Value) -> Vec<String> {
        let values = match value {
            Value::Array(values) => values,
            one => vec![one],
        };
        if values.is_empty() {
            self.problem(place, "is a list without a member");
        }
        values.into_iter().filter_map(|value| self.string(place, value)).collect()
    }

    /// A file of the deployment package.
    fn path(&self, file: &str) -> PathBuf {
        PathBuf::from(self.set("LAMBDA_TASK_ROOT").unwrap_or_default()).join(file)
    }

    fn problem(&mut self, place: &str, message: impl Into<String>) {
        self.problems.push(Problem { place: place.to_owned(), message: message.into() });
    }

    fn reported(&self, place: &str) -> bool {
        self.problems.iter().any(|problem| problem.place == place)
    }
}

fn default(name: &str) -> &'static str {
    SETTINGS.iter().find(|setting| setting.name == name).map_or("", |setting| setting.default)
}

/// The members of a list: separated by commas, spaces or both.
fn members_of(list: &str) -> Vec<String> {
    let members = list.split([',', ' ', '\t', '\n', '\r']).filter(|member| !member.is_empty());
    members.map(str::to_owned).collect()
}
