//! The settings: read once from the environment, every problem reported at once.

pub(crate) mod environment;
mod spelling;

use std::collections::HashSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::access::claims::{Requirement, Rules};
use crate::access::rights::{Rights, Routes};
use crate::config::environment::Environment;
use crate::gateway::event::{Credentials, Source};
use crate::gateway::policy::{self, ContextClaim};
use crate::jose::algorithm::Algorithms;
use crate::jose::json;
use crate::jose::jwks::{self, Key, Origin};
use crate::jose::token::{self, ClaimPath};
use crate::keys::cache::Lifetimes;
use crate::keys::http::{self, Authorities, Endpoint};
use crate::metrics::{self, Metrics};

/// A setting: the variable it is read from, what it may hold, and the default where there is one.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// What an unset or blank variable means; empty where the setting is off or has no default.
    pub default: &'static str,
}

/// What the value of a setting may be.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A text.
    Text,
    /// A list, separated by commas, spaces or both. Where members are named here, it may have no others.
    List(&'static [&'static str]),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number within these bounds.
    Number(RangeInclusive<u64>),
    /// A JSON object or array, or `@` and the file that holds it.
    Json,
}

const LIST: Kind = Kind::List(&[]);
const ON_OFF: Kind = Kind::Word(&["on", "off"]);

const fn setting(name: &'static str, kind: Kind, default: &'static str) -> Setting {
    Setting { name, kind, default }
}

/// Every setting of this program, in the order of the documentation.
pub const SETTINGS: [Setting; 30] = [
    setting("ISSUER", Kind::Text, ""),
    setting("AUDIENCE", LIST, ""),
    setting("JWKS_URI", Kind::Text, ""),
    setting("JWKS", Kind::Json, ""),
    setting("ALGORITHMS", Kind::List(&Algorithms::NAMES), "RS256"),
    setting("AUDIENCE_CLAIM", LIST, "aud"),
    setting("TOKEN_TYPES", LIST, "JWT, at+jwt"),
    setting("LEEWAY_SECONDS", Kind::Number(0..=300), "0"),
    setting("REQUIRED_CLAIMS", Kind::Json, "{}"),
    setting("MAX_TOKEN_SECONDS", Kind::Number(1..=31_536_000), ""),
    setting("SCOPE_CLAIMS", LIST, "scope, scp"),
    setting("REQUIRED_SCOPES", LIST, ""),
    setting("ROUTES", Kind::Json, ""),
    setting("PATH_GUARD", ON_OFF, "on"),
    setting("PRINCIPAL_CLAIM", LIST, "sub"),
    setting("CONTEXT_CLAIMS", LIST, "iss, sub, client_id, scope, exp, jti"),
    setting("USAGE_KEY_CLAIM", Kind::Text, ""),
    setting("REFUSAL", Kind::Word(&["deny", "unauthorized"]), "deny"),
    setting("EXPIRY_GUARD", ON_OFF, "on"),
    setting("TOKEN_SOURCE", LIST, "header:Authorization"),
    setting("BEARER_PREFIX", Kind::Word(&["required", "optional"]), "required"),
    setting("SIMPLE_RESPONSE", ON_OFF, "off"),
    setting("JWKS_FRESH_SECONDS", Kind::Number(1..=86_400), "600"),
    setting("JWKS_STALE_SECONDS", Kind::Number(1..=604_800), "86400"),
    setting("JWKS_TIMEOUT_MS", Kind::Number(100..=10_000), "2000"),
    setting("JWKS_CA_FILE", Kind::Text, ""),
    setting("METRICS_NAMESPACE", Kind::Text, ""),
    setting("ISSUERS", Kind::Json, ""),
    setting(
        "AWS_LAMBDA_LOG_LEVEL",
        Kind::Word(&["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]),
        "INFO",
    ),
    setting("AWS_LAMBDA_LOG_FORMAT", Kind::Word(&["JSON", "TEXT"]), "JSON"),
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

/// Variables of others that are honoured.
const PLATFORM: [&str; 2] = ["LAMBDA_TASK_ROOT", "SSL_CERT_FILE"];

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
    pub(crate) metrics: Option<Metrics>,
    /// What is allowed but should be known, for the log.
    pub(crate) warnings: Vec<String>,
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

/// What stands above the problems.
pub(crate) const BAD_CONFIGURATION: &str = "bad configuration";

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(BAD_CONFIGURATION)?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for Problems {}

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, at once.
    pub fn read(environment: &Environment) -> Result<Self, Problems> {
        let mut reader = Reader { environment, problems: Vec::new() };
        reader.unreadable();
        let config = reader.config();
        reader.misspelled();
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
        if self.entry.is_empty() {
            variable.to_owned()
        } else {
            format!("{}.{}", self.entry, variable.to_lowercase())
        }
    }
}

/// Reads variables and keeps the problems.
struct Reader<'e> {
    environment: &'e Environment,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    /// A setting that cannot be read is not one that is unset: that could be a check that is off.
    fn unreadable(&mut self) {
        // What the platform sets for the log is warned of there.
        let settings =
            SETTINGS.iter().map(|setting| setting.name).filter(|name| !name.starts_with("AWS_"));
        for name in settings.chain(PLATFORM) {
            if self.environment.is_unreadable(name) {
                self.problem(name, "is not UTF-8");
            }
        }
    }

    /// Neither is one whose name is mistyped.
    fn misspelled(&mut self) {
        let settings = || SETTINGS.iter().map(|setting| setting.name);
        let others =
            self.environment.names().filter(|name| !settings().any(|setting| setting == *name));
        for (name, meant) in
            others.filter_map(|name| Some((name, spelling::meant(name, settings())?)))
        {
            self.problem(name, format!("is no setting; is {meant} meant?"));
        }
    }

    fn config(&mut self) -> Option<Config> {
        let lifetimes = self.lifetimes();
        let leeway = self.number("LEEWAY_SECONDS");
        let principal_claims = self.claim_list("PRINCIPAL_CLAIM");
        let shared = Rules {
            audience_claims: Vec::new(),
            audiences: Vec::new(),
            leeway: leeway as f64,
            required: Vec::new(),
            max_life: self
                .set("MAX_TOKEN_SECONDS")
                .map(|_| self.number("MAX_TOKEN_SECONDS") as f64),
            principal_claims,
        };
        let fields = self.fields();
        let issuers: Vec<_> =
            fields.iter().filter_map(|fields| self.issuer(fields, &shared)).collect();
        let mut names = HashSet::new();
        for name in fields
            .iter()
            .filter_map(|fields| fields.issuer.as_ref())
            .filter(|name| !names.insert(*name))
        {
            self.problem("ISSUERS", format!("issuer `{name}` is named twice"));
        }

        let rights = Rights { required: self.list("REQUIRED_SCOPES"), routes: self.routes() };
        let simple_response = self.switch("SIMPLE_RESPONSE");
        let mut warnings: Vec<_> = rights.routes.iter().flat_map(Routes::warnings).collect();
        warnings.iter_mut().for_each(|warning| warning.insert_str(0, "ROUTES: "));
        if simple_response && rights.routes.is_some() {
            warnings.push(
                "SIMPLE_RESPONSE with ROUTES is decided for one request: the authorizer's identity sources must \
                 include $context.routeKey, and its cache must be off where one route stands for many paths"
                    .to_owned(),
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
                bearer_required: self.choice("BEARER_PREFIX") == "required",
            },
            context: self.context(),
            usage_key: self.claim("USAGE_KEY_CLAIM"),
            on_refusal: match self.choice("REFUSAL") {
                "deny" => OnRefusal::Deny,
                _ => OnRefusal::Unauthorized,
            },
            expiry_guard: self.switch("EXPIRY_GUARD"),
            simple_response,
            lifetimes,
            fetch_timeout: Duration::from_millis(self.number("JWKS_TIMEOUT_MS")),
            authorities: self.authorities(fetches_tls),
            metrics: self.metrics(),
            warnings,
        })
    }

    fn lifetimes(&mut self) -> Lifetimes {
        let fresh = self.number("JWKS_FRESH_SECONDS");
        let stale = self.number("JWKS_STALE_SECONDS");
        if stale < fresh && !self.reported("JWKS_STALE_SECONDS") {
            self.problem(
                "JWKS_STALE_SECONDS",
                format!("must be at least JWKS_FRESH_SECONDS, which is {fresh}"),
            );
        }
        Lifetimes { fresh: Duration::from_secs(fresh), stale: Duration::from_secs(stale) }
    }

    /// The issuers as they are named: one by variables, or several by `ISSUERS`.
    fn fields(&mut self) -> Vec<Fields> {
        if self.reported("ISSUERS") {
            return Vec::new();
        }
        if self.set("ISSUERS").is_none() {
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
        }
        for name in PER_ISSUER {
            if self.set(name).is_some() {
                self.problem(name, "cannot be set beside ISSUERS: every issuer has its own");
            }
        }
        let Some(text) = self.json("ISSUERS") else { return Vec::new() };
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
        let is_right = self.problems.len() == problems;
        is_right.then_some(())?;
        Some(Issuer {
            name: name?,
            algorithms: algorithms?,
            types,
            rules,
            scope_claims,
            keys: keys?,
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

    fn routes(&mut self) -> Option<Routes> {
        let guard = self.switch("PATH_GUARD");
        let table = self.object("ROUTES")?;
        let routes = match Routes::parse(&table, guard) {
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
                 takes {} and {}. It has {}. Use fewer or shorter entries, verbs by name (ANY counts seven times), \
                 fewer `path` conditions (each value counts 128)",
                policy::MAX_DOCUMENT,
                policy::MAX_RESOURCE,
                policy::largest_parts(&routes),
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
        if entries.iter().any(|entry| entry == "none") {
            self.problem("CONTEXT_CLAIMS", "`none` stands alone");
            return Vec::new();
        }
        let mut context: Vec<ContextClaim> = Vec::new();
        for entry in entries {
            let (name, claim) = entry.split_once('=').unwrap_or((&entry, &entry));
            if name.is_empty() || claim.is_empty() {
                self.problem("CONTEXT_CLAIMS", format!("`{entry}`: want `claim` or `name=claim`"));
            } else if name.starts_with('/') {
                self.problem(
                    "CONTEXT_CLAIMS",
                    format!("`{entry}`: a JSON Pointer needs a name, as roles={entry}"),
                );
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

    fn metrics(&mut self) -> Option<Metrics> {
        let namespace = self.text("METRICS_NAMESPACE")?;
        if !metrics::is_namespace(&namespace) {
            let message =
                "want up to 255 letters, digits, spaces and `.-_/#:`, not beginning with `AWS/`";
            self.problem("METRICS_NAMESPACE", message);
            return None;
        }
        let level = self.text("AWS_LAMBDA_LOG_LEVEL").unwrap_or_default().to_uppercase();
        Some(Metrics { namespace, level })
    }

    /// Private certificate authorities. What the platform's variable names is read only if there is TLS to do.
    fn authorities(&mut self, fetches_tls: bool) -> Authorities {
        let mut authorities = Authorities::new();
        for name in ["JWKS_CA_FILE", "SSL_CERT_FILE"] {
            let Some(file) = self.set(name).filter(|_| fetches_tls || name == "JWKS_CA_FILE")
            else {
                continue;
            };
            match http::read_authorities(&self.path(&file)) {
                Ok(found) => authorities.extend(found),
                Err(problem) => self.problem(name, problem),
            }
        }
        authorities
    }

    /// The variable as it is set: trimmed, and not blank.
    fn set(&self, name: &str) -> Option<String> {
        self.environment
            .get(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    /// The variable, or its default.
    fn text(&self, name: &str) -> Option<String> {
        self.set(name)
            .or_else(|| Some(default(name).to_owned()).filter(|default| !default.is_empty()))
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

    fn number(&mut self, name: &str) -> u64 {
        let range = bounds(name);
        let text = self.text(name).unwrap_or_default();
        let is_whole = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if is_whole && range.contains(&number) => number,
            _ => {
                self.problem(
                    name,
                    format!(
                        "`{text}`: want a whole number from {} to {}",
                        range.start(),
                        range.end()
                    ),
                );
                *range.start()
            }
        }
    }

    /// One of the setting's words; the first, if it is another.
    fn choice(&mut self, name: &str) -> &'static str {
        let words = words(name);
        let text = self.text(name).unwrap_or_default();
        words.iter().copied().find(|word| *word == text).unwrap_or_else(|| {
            self.problem(name, format!("`{text}`: want `{}`", words.join("` or `")));
            words.first().copied().unwrap_or_default()
        })
    }

    fn switch(&mut self, name: &str) -> bool {
        self.choice(name) == "on"
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
            Value::String(text) if text.trim().contains([',', ' ']) => {
                self.problem(
                    place,
                    format!("`{text}` would be one value: give several as an array of strings"),
                );
                return Vec::new();
            }
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

/// The bounds of a setting that is a number. Nothing is within those of any other.
fn bounds(name: &str) -> RangeInclusive<u64> {
    match SETTINGS.into_iter().find(|setting| setting.name == name) {
        Some(Setting { kind: Kind::Number(bounds), .. }) => bounds,
        _ => RangeInclusive::new(1, 0),
    }
}

/// The words that a setting may be; none for a setting that is no word.
fn words(name: &str) -> &'static [&'static str] {
    match SETTINGS.into_iter().find(|setting| setting.name == name) {
        Some(Setting { kind: Kind::Word(words), .. }) => words,
        _ => &[],
    }
}

/// The members of a list: separated by commas, spaces or both.
fn members_of(list: &str) -> Vec<String> {
    let members = list.split([',', ' ', '\t', '\n', '\r']).filter(|member| !member.is_empty());
    members.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::tokens::{SigningKey, b64};
    use serde_json::json;

    const ONE: [(&str, &str); 2] = [("ISSUER", "https://login.example.com"), ("AUDIENCE", "api")];

    fn read(settings: &[(&str, &str)]) -> Result<Config, Problems> {
        Config::read(&settings.iter().copied().collect())
    }

    fn read_with(settings: &[(&str, &str)]) -> Result<Config, Problems> {
        read(&[&ONE, settings].concat())
    }

    fn places(settings: &[(&str, &str)]) -> Vec<String> {
        read(settings).unwrap_err().0.into_iter().map(|problem| problem.place).collect()
    }

    fn shown(settings: &[(&str, &str)]) -> String {
        format!("{:?}", read_with(settings).unwrap())
    }

    fn issuers(entries: Value) -> Result<Vec<Issuer>, Vec<String>> {
        let config = read(&[("ISSUERS", &entries.to_string())]).map(|config| config.issuers);
        config.map_err(|problems| problems.0.into_iter().map(|problem| problem.place).collect())
    }

    fn key_set(length: usize) -> Value {
        json!({"keys": [{"kty": "oct", "k": b64(vec![7; length])}]})
    }

    fn paths(names: &[&str]) -> Vec<ClaimPath> {
        names.iter().map(|name| ClaimPath::parse(name).unwrap()).collect()
    }

    #[test]
    fn two_settings_are_enough() {
        let config = read(&ONE).unwrap();
        let [issuer] = &*config.issuers else { panic!("one issuer") };
        assert_eq!(issuer.name, "https://login.example.com");
        assert_eq!(issuer.algorithms, Algorithms::parse(["RS256"]).unwrap());
        assert_eq!(issuer.types, ["jwt", "at+jwt"]);
        assert_eq!(issuer.rules.audiences, ["api"]);
        assert_eq!(issuer.rules.audience_claims, paths(&["aud"]));
        assert_eq!(issuer.rules.leeway, 0.0);
        assert_eq!(issuer.rules.required, []);
        assert_eq!(issuer.rules.principal_claims, paths(&["sub"]));
        assert_eq!(issuer.scope_claims, paths(&["scope", "scp"]));
        assert!(
            matches!(&issuer.keys, KeySource::Provider { keys_at: None, seed } if seed.is_empty())
        );
        assert!(config.rights.required.is_empty() && config.rights.routes.is_none());
        assert_eq!(config.credentials.sources, [Source::Header("Authorization".to_owned())]);
        assert!(
            config.credentials.bearer_required && config.expiry_guard && !config.simple_response
        );
        let context: Vec<_> =
            config.context.iter().map(|claim| (&*claim.name, claim.path.text())).collect();
        assert_eq!(
            context,
            ["iss", "sub", "client_id", "scope", "exp", "jti"].map(|name| (name, name))
        );
        assert_eq!(config.usage_key, None);
        assert_eq!(config.on_refusal, OnRefusal::Deny);
        assert_eq!(
            (config.lifetimes.fresh.as_secs(), config.lifetimes.stale.as_secs()),
            (600, 86_400)
        );
        assert_eq!(config.fetch_timeout.as_millis(), 2000);
        assert!(config.authorities.is_empty() && config.warnings.is_empty());
    }

    #[test]
    fn blank_counts_as_unset_and_a_default_may_be_written_out() {
        let unset = shown(&[]);
        for Setting { name, default, .. } in SETTINGS.iter().skip(2) {
            assert_eq!(shown(&[(name, " \t\n ")]), unset, "{name}");
            if !default.is_empty() {
                assert_eq!(shown(&[(name, &format!("  {default}\n"))]), unset, "{name}");
            }
        }
        assert_eq!(places(&[("ISSUER", " "), ("AUDIENCE", "\t")]), ["ISSUER", "AUDIENCE"]);
    }

    #[test]
    fn every_setting_is_heeded() {
        let routes = json!({"GET /pets": ["pets:read"]}).to_string();
        type Case<'a> = (&'a str, &'a str, fn(&Config) -> bool);
        let cases: [Case<'_>; 30] = [
            ("ISSUER", "https://login.example.com/", |config| {
                config.issuers[0].name.ends_with(".com/")
            }),
            ("ISSUER", "http://127.0.0.1:8080", |config| {
                config.issuers[0].name == "http://127.0.0.1:8080"
            }),
            ("AUDIENCE", ", a,b  c,\n", |config| {
                config.issuers[0].rules.audiences == ["a", "b", "c"]
            }),
            ("ALGORITHMS", "ES256 EdDSA", |config| {
                config.issuers[0].algorithms.iter().count() == 2
            }),
            ("AUDIENCE_CLAIM", "aud, /x/y", |config| {
                config.issuers[0].rules.audience_claims == paths(&["aud", "/x/y"])
            }),
            ("TOKEN_TYPES", "application/AT+JWT", |config| config.issuers[0].types == ["at+jwt"]),
            ("LEEWAY_SECONDS", "300", |config| config.issuers[0].rules.leeway == 300.0),
            ("REQUIRED_CLAIMS", r#"{"a":1,"/b/c":["x",true]}"#, |config| {
                config.issuers[0].rules.required.len() == 2
            }),
            ("REQUIRED_CLAIMS", r#"{"a":{"none":["x"]},"b":{"present":true}}"#, |config| {
                config.issuers[0].rules.required.len() == 2
            }),
            ("MAX_TOKEN_SECONDS", "1", |config| config.issuers[0].rules.max_life == Some(1.0)),
            ("MAX_TOKEN_SECONDS", "31536000", |config| {
                config.issuers[0].rules.max_life == Some(31_536_000.0)
            }),
            ("SCOPE_CLAIMS", "/roles", |config| {
                config.issuers[0].scope_claims == paths(&["/roles"])
            }),
            ("REQUIRED_SCOPES", "a b", |config| config.rights.required == ["a", "b"]),
            ("ROUTES", &routes, |config| {
                config.rights.routes.as_ref().unwrap().longest().entries.len() == 1
            }),
            ("PRINCIPAL_CLAIM", "sub client_id", |config| {
                config.issuers[0].rules.principal_claims == paths(&["sub", "client_id"])
            }),
            ("CONTEXT_CLAIMS", "none", |config| config.context.is_empty()),
            ("CONTEXT_CLAIMS", "roles=/realm/roles, sub", |config| {
                let [roles, sub] = &*config.context else { return false };
                roles.name == "roles" && roles.path.text() == "/realm/roles" && sub.name == "sub"
            }),
            ("CONTEXT_CLAIMS", "my_reason=reason", |config| {
                config.context[0].path.text() == "reason"
            }),
            ("USAGE_KEY_CLAIM", "/plan/key", |config| {
                config.usage_key.as_ref().unwrap().text() == "/plan/key"
            }),
            ("REFUSAL", "unauthorized", |config| config.on_refusal == OnRefusal::Unauthorized),
            ("EXPIRY_GUARD", "off", |config| !config.expiry_guard),
            ("TOKEN_SOURCE", "query:t,cookie:c header:X", |config| {
                config.credentials.sources.len() == 3
            }),
            ("BEARER_PREFIX", "optional", |config| !config.credentials.bearer_required),
            ("SIMPLE_RESPONSE", "on", |config| {
                config.simple_response && config.warnings.is_empty()
            }),
            ("JWKS_FRESH_SECONDS", "1", |config| config.lifetimes.fresh.as_secs() == 1),
            ("JWKS_FRESH_SECONDS", "86400", |config| {
                config.lifetimes.fresh == config.lifetimes.stale
            }),
            ("JWKS_STALE_SECONDS", "600", |config| config.lifetimes.stale.as_secs() == 600),
            ("JWKS_STALE_SECONDS", "604800", |config| config.lifetimes.stale.as_secs() == 604_800),
            ("JWKS_TIMEOUT_MS", "100", |config| config.fetch_timeout.as_millis() == 100),
            ("JWKS_TIMEOUT_MS", "10000", |config| config.fetch_timeout.as_millis() == 10_000),
        ];
        for (name, value, is_heeded) in cases {
            assert!(is_heeded(&read_with(&[(name, value)]).unwrap()), "{name}={value}");
        }
        let both = read_with(&[("SIMPLE_RESPONSE", "on"), ("ROUTES", &routes)]).unwrap();
        assert!(both.warnings[0].contains("$context.routeKey"));
        let guard = |value| {
            read_with(&[("PATH_GUARD", value), ("ROUTES", &routes)]).unwrap().rights.routes.unwrap()
        };
        assert!(
            guard("on").longest().guard
                && guard(" ").longest().guard
                && !guard("off").longest().guard
        );
    }

    #[test]
    fn routes_that_can_close_others_are_warned_of() {
        let routes = r#"{"GET /a/{id}/b":{"path":{"id":"sub"}},"GET /a/{id}":["x"]}"#;
        let warnings = read_with(&[("ROUTES", routes)]).unwrap().warnings;
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].starts_with("ROUTES: entry `GET /a/{id}/b` is closed"), "{warnings:?}");
    }

    #[test]
    fn a_bad_value_is_one_problem_of_its_variable() {
        let weak = key_set(31).to_string();
        let too_long = json!({format!("GET /{}", "a".repeat(412)): []}).to_string();
        let cases: &[(&str, &[&str])] = &[
            (
                "ISSUER",
                &[
                    "login.example.com",
                    "http://login.example.com",
                    "https://a:b@c.example",
                    "https://a.example/#",
                    "https:/a.example",
                    "https:\\\\a.example",
                ],
            ),
            (
                "ISSUER",
                &["https://login.example.com/?tenant=1", "ftp://login.example.com", "issuer"],
            ),
            ("AUDIENCE", &[",", " , ,"]),
            (
                "JWKS_URI",
                &["http://login.example.com/keys", "/keys", "https://a@login.example.com/keys"],
            ),
            ("JWKS", &["{}", "[]", "keys", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"RSA"}]}"#, &weak]),
            (
                "ALGORITHMS",
                &[",", "none", "RS256,none", "rs256", "Ed25519", "ES512", "HS256", "RS256 HS512"],
            ),
            (
                "AUDIENCE_CLAIM",
                &[
                    ",", "/a~", "iss", "aud, iss", "/iss", "exp", "/exp", "nbf", "/nbf", "iat",
                    "/iat",
                ],
            ),
            ("TOKEN_TYPES", &[","]),
            ("LEEWAY_SECONDS", &["301", "+5", "-1", "1.5", "1s", "ten", "18446744073709551616"]),
            (
                "REQUIRED_CLAIMS",
                &["[]", "null", "x", r#"{"a":1,"a":2}"#, r#"{"a":null}"#, r#"{"a":[]}"#],
            ),
            (
                "REQUIRED_CLAIMS",
                &[
                    r#"{"a":{"any":[]}}"#,
                    r#"{"a":{"all":["b"],"none":["c"]}}"#,
                    r#"{"a":{"not":1}}"#,
                ],
            ),
            ("REQUIRED_CLAIMS", &[r#"{"a":{"present":"yes"}}"#, r#"{"a":{"none":"b"}}"#]),
            ("MAX_TOKEN_SECONDS", &["0", "31536001", "-1", "1.5", "1h"]),
            ("PATH_GUARD", &["true", "On", "1"]),
            (
                "ROUTES",
                &[r#"{"GET /a//b":[]}"#, r#"{"GET /{id}":{"path":{"id":"sub"}},"ANY /*":[]}"#],
            ),
            (
                "ROUTES",
                &[
                    r#"{"GET /":{"any":[]}}"#,
                    r#"{"GET /":{"path":{"id":"sub"}}}"#,
                    r#"{"GET /":{"claims":1}}"#,
                ],
            ),
            (
                "REQUIRED_CLAIMS",
                &[r#"{"a":{}}"#, r#"{"a":[["b"]]}"#, r#"{"a":["b",null]}"#, r#"{"/a~":1}"#],
            ),
            ("SCOPE_CLAIMS", &[",", "/~2"]),
            ("REQUIRED_SCOPES", &[","]),
            (
                "ROUTES",
                &[
                    "{}",
                    "[]",
                    r#"{"GET pets":[]}"#,
                    r#"{"GET /":"x"}"#,
                    r#"{"GET /":[],"GET /":[]}"#,
                    &too_long,
                ],
            ),
            ("PRINCIPAL_CLAIM", &[",", "/~"]),
            (
                "CONTEXT_CLAIMS",
                &[
                    ",",
                    "none, sub",
                    "=a",
                    "a=",
                    "=",
                    "/realm/roles",
                    "sub,sub",
                    "a=sub,a=iss",
                    "a=/~",
                ],
            ),
            ("USAGE_KEY_CLAIM", &["/~"]),
            ("REFUSAL", &["401", "Deny", "unauthorised"]),
            ("EXPIRY_GUARD", &["true", "ON", "1"]),
            (
                "TOKEN_SOURCE",
                &[",", "Authorization", "header:", "Header:A", "body:a", "header:Authorization:"],
            ),
            ("TOKEN_SOURCE", &["header:A B", "header:Authorization, cookie:a=b"]),
            ("BEARER_PREFIX", &["no", "Optional"]),
            ("SIMPLE_RESPONSE", &["true", "yes"]),
            ("JWKS_FRESH_SECONDS", &["0", "86401", "-1", "ten"]),
            ("JWKS_STALE_SECONDS", &["0", "599", "604801", "ten"]),
            ("JWKS_TIMEOUT_MS", &["99", "10001", "2s"]),
            ("JWKS_CA_FILE", &["no/such/file.pem", "/"]),
            ("SSL_CERT_FILE", &["no/such/file.pem"]),
            ("METRICS_NAMESPACE", &["AWS/Lambda", "a\"b"]),
        ];
        for (name, values) in cases {
            for value in *values {
                let found = read_with(&[(name, value)]).unwrap_err();
                let places: Vec<_> = found.0.iter().map(|problem| &*problem.place).collect();
                assert_eq!(places, [*name], "{name}={value}: {found}");
            }
        }
        let filled = "claims error integrationLatency integrationStatus latency principalId reason requestId status";
        for name in filled.split(' ') {
            assert_eq!(
                places(&[&ONE[..], &[("CONTEXT_CLAIMS", name)]].concat()),
                ["CONTEXT_CLAIMS"],
                "{name}"
            );
            let renamed = format!("{name}=sub");
            assert_eq!(
                places(&[&ONE[..], &[("CONTEXT_CLAIMS", &renamed)]].concat()),
                ["CONTEXT_CLAIMS"],
                "{renamed}"
            );
        }
    }

    #[test]
    fn all_problems_are_reported_at_once_with_their_place() {
        let problems = read(&[
            ("ISSUER", "http://login.example.com"),
            ("ALGORITHMS", "RS256 none"),
            ("LEEWAY_SECONDS", "5m"),
            ("REQUIRED_CLAIMS", r#"{"a": null, "b": {}}"#),
            ("CONTEXT_CLAIMS", "reason, /x"),
            ("ROUTES", r#"{"FETCH /": [], "GET x": []}"#),
            ("EXPIRY_GUARD", "maybe"),
            ("JWKS_FRESH_SECONDS", "100"),
            ("JWKS_STALE_SECONDS", "99"),
        ]);
        let problems = problems.unwrap_err();
        let mut places: Vec<_> = problems.0.iter().map(|problem| &*problem.place).collect();
        places.sort_unstable();
        let expected = [
            "ALGORITHMS",
            "AUDIENCE",
            "CONTEXT_CLAIMS",
            "CONTEXT_CLAIMS",
            "EXPIRY_GUARD",
            "ISSUER",
            "JWKS_STALE_SECONDS",
            "LEEWAY_SECONDS",
            "REQUIRED_CLAIMS",
            "REQUIRED_CLAIMS",
            "ROUTES",
            "ROUTES",
        ];
        assert_eq!(places, expected);
        let text = problems.to_string();
        assert!(text.starts_with("bad configuration\n  "), "{text}");
        assert!(
            text.contains("\n  LEEWAY_SECONDS: `5m`: want a whole number from 0 to 300\n"),
            "{text}"
        );
        assert!(text.contains("entry `FETCH /`") && text.contains("entry `GET x`"), "{text}");
        assert_eq!(text.lines().count(), 1 + expected.len());
    }

    #[test]
    fn keys_come_from_the_configuration_from_the_provider_or_from_both() {
        let ec = json!({"keys": [SigningKey::es256("k").jwk(), null]}).to_string();
        let uri = "http://127.0.0.1:1/keys";
        let keys = |settings: &[(&str, &str)]| {
            let settings = [&[("ALGORITHMS", "ES256")], settings].concat();
            match &read_with(&settings).unwrap().issuers[0].keys {
                KeySource::Fixed(keys) => (None, keys.len()),
                KeySource::Provider { keys_at, seed } => (
                    Some(keys_at.as_ref().map(ToString::to_string).unwrap_or_default()),
                    seed.len(),
                ),
            }
        };
        assert_eq!(keys(&[]), (Some(String::new()), 0));
        assert_eq!(keys(&[("JWKS_URI", uri)]), (Some(uri.to_owned()), 0));
        assert_eq!(keys(&[("JWKS", &ec)]), (None, 1));
        assert_eq!(keys(&[("JWKS", &ec), ("JWKS_URI", uri)]), (Some(uri.to_owned()), 1));
    }

    #[test]
    fn symmetric_algorithms_need_configured_keys_that_are_long_enough() {
        for (algorithms, length, expected) in [
            ("HS256", 32, None),
            ("RS256 HS256", 32, None),
            ("HS512", 64, None),
            ("HS512", 63, Some("JWKS")),
        ] {
            let keys = key_set(length).to_string();
            let read = read_with(&[("ALGORITHMS", algorithms), ("JWKS", &keys)]);
            let place = read.err().map(|problems| problems.0[0].place.clone());
            assert_eq!(place.as_deref(), expected, "{algorithms} {length}");
        }
        let uri = ("JWKS_URI", "https://login.example.com/keys");
        assert_eq!(places(&[&ONE[..], &[("ALGORITHMS", "HS256"), uri]].concat()), ["ALGORITHMS"]);
        assert_eq!(
            places(&[&ONE[..], &[("ALGORITHMS", "HS256"), ("JWKS", "@none.json")]].concat()),
            ["JWKS"]
        );
    }

    #[test]
    fn a_json_setting_may_be_a_file_of_the_package() {
        let root =
            std::env::temp_dir().join(format!("token-authorizer-config-{}", std::process::id()));
        std::fs::create_dir_all(root.join("conf")).unwrap();
        let write =
            |name: &str, value: Value| std::fs::write(root.join(name), value.to_string()).unwrap();
        write("conf/claims.json", json!({"tenant": "a"}));
        write("conf/keys.json", key_set(32));
        write("conf/routes.json", json!({"GET /": []}));
        write("issuers.json", json!([{"issuer": "https://login.example.com", "audience": "api"}]));
        let task_root = ("LAMBDA_TASK_ROOT", root.to_str().unwrap());
        let config = read_with(&[
            task_root,
            ("REQUIRED_CLAIMS", "@conf/claims.json"),
            ("JWKS", " @conf/keys.json "),
            ("ROUTES", "@conf/routes.json"),
            ("ALGORITHMS", "HS256"),
        ]);
        let config = config.unwrap();
        assert_eq!(config.issuers[0].rules.required.len(), 1);
        assert!(matches!(&config.issuers[0].keys, KeySource::Fixed(keys) if keys.len() == 1));
        assert!(config.rights.routes.is_some());
        assert_eq!(read(&[task_root, ("ISSUERS", "@issuers.json")]).unwrap().issuers.len(), 1);
        let absolute = format!("@{}", root.join("issuers.json").display());
        assert_eq!(read(&[("ISSUERS", &absolute)]).unwrap().issuers.len(), 1);

        let missing =
            read(&[&ONE[..], &[task_root, ("ROUTES", "@conf/none.json")]].concat()).unwrap_err();
        assert_eq!(missing.0.len(), 1);
        assert!(missing.0[0].message.contains("none.json"), "{missing}");
        assert_eq!(
            places(&[&ONE[..], &[task_root, ("ROUTES", "@conf")]].concat()),
            ["ROUTES"],
            "a directory"
        );
        assert_eq!(places(&[task_root, ("ISSUERS", "@conf/none.json")]), ["ISSUERS"]);
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn authorities_are_read_where_there_is_tls_to_do() {
        let file = std::env::temp_dir()
            .join(format!("token-authorizer-config-{}.pem", std::process::id()));
        let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&file, certificate.cert.pem()).unwrap();
        let pem = file.to_str().unwrap();
        let authorities =
            |settings: &[(&str, &str)]| read_with(settings).unwrap().authorities.len();
        assert_eq!(authorities(&[("JWKS_CA_FILE", pem)]), 1);
        assert_eq!(authorities(&[("SSL_CERT_FILE", pem)]), 1);
        assert_eq!(authorities(&[("SSL_CERT_FILE", pem), ("JWKS_CA_FILE", pem)]), 2);
        let plain = ("JWKS_URI", "http://127.0.0.1:1/");
        assert_eq!(authorities(&[("SSL_CERT_FILE", "no/such/file.pem"), plain]), 0);
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn several_issuers_have_rules_of_their_own() {
        let ec = json!({"keys": [SigningKey::es256("k").jwk()]});
        let entries = json!([
            {"issuer": "https://a.example.com", "audience": ["api", "api-2"]},
            {
                "issuer": "https://b.example.com", "audience": "api", "jwks_uri": "https://b.example.com/keys",
                "jwks": ec, "algorithms": "ES256", "audience_claim": ["client_id"], "token_types": "at+jwt",
                "required_claims": {"token_use": {"any": ["access"]}}, "scope_claims": ["scope", "/roles"],
            },
        ]);
        let config = read(&[
            ("ISSUERS", &entries.to_string()),
            ("LEEWAY_SECONDS", "5"),
            ("PRINCIPAL_CLAIM", "client_id"),
        ]);
        let config = config.unwrap();
        let [a, b] = &*config.issuers else { panic!("two issuers") };
        assert_eq!(
            (&*a.name, &*a.types),
            ("https://a.example.com", &["jwt".to_owned(), "at+jwt".to_owned()][..])
        );
        assert_eq!(a.rules.audiences, ["api", "api-2"]);
        assert_eq!(a.algorithms, Algorithms::parse(["RS256"]).unwrap());
        assert_eq!((&a.scope_claims, a.rules.required.len()), (&paths(&["scope", "scp"]), 0));
        assert!(matches!(&a.keys, KeySource::Provider { keys_at: None, .. }));
        assert_eq!((&*b.name, &*b.types), ("https://b.example.com", &["at+jwt".to_owned()][..]));
        assert_eq!(b.rules.audience_claims, paths(&["client_id"]));
        assert_eq!(b.algorithms, Algorithms::parse(["ES256"]).unwrap());
        assert_eq!((&b.scope_claims, b.rules.required.len()), (&paths(&["scope", "/roles"]), 1));
        assert!(
            matches!(&b.keys, KeySource::Provider { keys_at: Some(_), seed } if seed.len() == 1)
        );
        for issuer in [a, b] {
            assert_eq!(
                (issuer.rules.leeway, &issuer.rules.principal_claims),
                (5.0, &paths(&["client_id"]))
            );
        }
    }

    #[test]
    fn problems_with_issuers_name_their_entry() {
        let good = || json!({"issuer": "https://login.example.com", "audience": "api"});
        let with = |name: &str, value: Value| {
            let mut entry = good();
            entry[name] = value;
            json!([{"issuer": "https://first.example.com", "audience": "api"}, entry])
        };
        let cases = [
            (json!([]), "ISSUERS"),
            (json!({}), "ISSUERS"),
            (good(), "ISSUERS"),
            (json!("https://login.example.com"), "ISSUERS"),
            (json!([good(), "https://b.example.com"]), "ISSUERS[1]"),
            (json!([good(), null]), "ISSUERS[1]"),
            (json!([good(), good()]), "ISSUERS"),
            (json!([good(), {"issuer": "https://b.example.com"}]), "ISSUERS[1].audience"),
            (json!([good(), {"audience": "api"}]), "ISSUERS[1].issuer"),
            (with("Audience", json!("api")), "ISSUERS[1].Audience"),
            (with("leeway_seconds", json!(5)), "ISSUERS[1].leeway_seconds"),
            (with("issuer", json!("http://login.example.com")), "ISSUERS[1].issuer"),
            (with("issuer", json!(" ")), "ISSUERS[1].issuer"),
            (with("issuer", json!(null)), "ISSUERS[1].issuer"),
            (with("audience", json!([])), "ISSUERS[1].audience"),
            (with("audience", json!("")), "ISSUERS[1].audience"),
            (with("audience", json!(["api", 5])), "ISSUERS[1].audience"),
            (with("jwks_uri", json!("http://login.example.com/keys")), "ISSUERS[1].jwks_uri"),
            (with("jwks", json!("{\"keys\":[]}")), "ISSUERS[1].jwks"),
            (with("jwks", json!({"keys": []})), "ISSUERS[1].jwks"),
            (
                json!([{"issuer": "https://a.example.com", "audience": "api", "algorithms": "HS256", "jwks": []}]),
                "ISSUERS[0].jwks",
            ),
            (with("algorithms", json!(["RS256", "none"])), "ISSUERS[1].algorithms"),
            (with("algorithms", json!("RS256 ES256")), "ISSUERS[1].algorithms"),
            (with("algorithms", json!(["HS256"])), "ISSUERS[1].algorithms"),
            (with("algorithms", json!([])), "ISSUERS[1].algorithms"),
            (with("audience_claim", json!(["/~"])), "ISSUERS[1].audience_claim"),
            (with("audience_claim", json!(["aud", "/iss"])), "ISSUERS[1].audience_claim"),
            (with("token_types", json!([])), "ISSUERS[1].token_types"),
            (with("required_claims", json!([])), "ISSUERS[1].required_claims"),
            (with("required_claims", json!({"a": null})), "ISSUERS[1].required_claims"),
            (with("required_claims", json!({"a": {"any": []}})), "ISSUERS[1].required_claims"),
            (with("scope_claims", json!({})), "ISSUERS[1].scope_claims"),
        ];
        for (entries, place) in cases {
            assert_eq!(issuers(entries.clone()).unwrap_err(), [place], "{entries}");
        }
        assert_eq!(places(&[("ISSUERS", "[{]")]), ["ISSUERS"]);
        let twice = r#"[{"issuer":"https://a.example.com","issuer":"https://b.example.com","audience":"api"}]"#;
        assert_eq!(places(&[("ISSUERS", twice)]), ["ISSUERS"]);
    }

    #[test]
    fn issuers_exclude_the_variables_of_one_issuer() {
        let entries =
            json!([{"issuer": "https://login.example.com", "audience": "api"}]).to_string();
        for name in PER_ISSUER {
            assert_eq!(places(&[("ISSUERS", &entries), (name, "x")]), [name]);
            assert!(read(&[("ISSUERS", &entries), (name, " ")]).is_ok(), "{name}");
        }
        for Setting { name, default, .. } in
            SETTINGS.iter().filter(|setting| !PER_ISSUER.contains(&setting.name))
        {
            if *name != "ISSUERS" && !default.is_empty() {
                assert!(read(&[("ISSUERS", &entries), (name, default)]).is_ok(), "{name}");
            }
        }
    }
}
