//! The settings: read once from the environment, every problem reported at once.

pub(crate) mod environment;
mod issuers;
mod key_sources;
mod names;
mod reader;
mod settings;
mod spelling;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::access::binding::TokenBinding;
use crate::access::claims::Rules;
use crate::access::rights::{self, Rights};
use crate::access::routes::Routes;
use crate::config::environment::Environment;
use crate::config::issuers::{Fields, Guards, Shared};
use crate::config::key_sources::KeySources;
use crate::config::reader::{Reader, quoted};
use crate::config::settings::{Number, PLATFORM, RESERVED_CONTEXT, Word};
use crate::gateway::challenge::Challenges;
use crate::gateway::credential::{BearerPrefix, Credentials, TokenLocation};
use crate::gateway::policy::ContextClaim;
use crate::gateway::size;
use crate::jose::token::ClaimPath;
use crate::metrics::{self, Metrics};
use crate::remote::cache::Lifetimes;
use crate::remote::endpoint::Endpoint;
use crate::remote::tls::{self, Authorities};

pub(crate) use self::issuers::{Issuer, RevocationSource};
pub(crate) use self::key_sources::{KeyOrigin, KeySource};
pub use self::settings::{SETTINGS, Setting, SettingKind};

/// Everything the authorizer can be told, checked.
#[derive(Debug)]
pub struct Config {
    pub(crate) issuers: Vec<Issuer>,
    pub(crate) key_sources: Vec<KeySource>,
    pub(crate) binding: TokenBinding,
    pub(crate) credentials: Credentials,
    pub(crate) context: Vec<ContextClaim>,
    pub(crate) usage_key: Option<ClaimPath>,
    pub(crate) on_refusal: OnRefusal,
    pub(crate) challenges: Challenges,
    pub(crate) expiry_guard: bool,
    pub(crate) simple_response: bool,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) list_lifetimes: Lifetimes,
    pub(crate) fetch_timeout: Duration,
    pub(crate) authorities: Authorities,
    pub(crate) metrics: Option<Metrics>,
    /// Settings that are allowed but need attention, for the log.
    pub(crate) warnings: Vec<String>,
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
        let mut reader = Reader { environment, problems: Vec::new(), warnings: Vec::new() };
        reader.unreadable();
        let config = reader.config();
        reader.misspelled();
        match config {
            Some(config) if reader.problems.is_empty() => Ok(config),
            _ => Err(Problems(reader.problems)),
        }
    }
}

impl Reader<'_> {
    /// An unreadable setting must not count as unset: that could turn a check off.
    fn unreadable(&mut self) {
        // `Log::start` warns of the settings of the log, which the platform sets.
        let settings =
            SETTINGS.iter().map(|setting| setting.name).filter(|name| !name.starts_with("AWS_"));
        for name in settings.chain(PLATFORM) {
            if self.environment.is_unreadable(name) {
                self.problem(name, "is not UTF-8");
            }
        }
    }

    /// A mistyped name must not count as unset either.
    fn misspelled(&mut self) {
        let settings = || SETTINGS.iter().map(|setting| setting.name);
        let others =
            self.environment.names().filter(|name| !settings().any(|setting| setting == *name));
        for (name, meant) in
            others.filter_map(|name| Some((name, spelling::meant(name, settings())?)))
        {
            self.problem(name, format!("is not a setting; did you mean {meant}?"));
        }
    }

    fn config(&mut self) -> Option<Config> {
        let lifetimes = self.lifetimes(settings::JWKS_FRESH_SECONDS, settings::JWKS_STALE_SECONDS);
        let list_lifetimes =
            self.lifetimes(settings::REVOKED_FRESH_SECONDS, settings::REVOKED_STALE_SECONDS);
        let leeway = self.number(settings::LEEWAY_SECONDS);
        let max_life = self.number(settings::MAX_TOKEN_SECONDS);
        let principal_claims = self.claim_list(settings::PRINCIPAL_CLAIM);
        let rules = Rules {
            audience_claims: Vec::new(),
            audiences: Vec::new(),
            leeway: leeway.unwrap_or_default() as f64,
            required: Vec::new(),
            max_life: max_life.map(|seconds| seconds as f64),
            principal_claims,
        };
        let expiry_guard = self.switch(settings::EXPIRY_GUARD);
        let path_guard = self.switch(settings::PATH_GUARD);
        let guards = Guards {
            path: path_guard.unwrap_or_default(),
            expiry: expiry_guard.unwrap_or_default(),
        };
        let table = self.object(settings::ROUTES);
        let routes = table.and_then(|table| self.routes("ROUTES", &table, guards));
        let required = self.list(settings::REQUIRED_SCOPES);
        let required = self.scopes_at("REQUIRED_SCOPES", required);
        let rights = Rights { required, routes };
        let shared = Shared { rules, rights, guards };
        let fields = self.fields();
        let mut sources = KeySources::default();
        let issuers = fields.iter().filter_map(|fields| self.issuer(fields, &shared, &mut sources));
        let issuers: Vec<_> = issuers.collect();
        let key_sources = sources.sources;
        let names = issuers.iter().flat_map(|issuer| &issuer.names).map(|(name, _)| name);
        self.names_twice(&fields, &names.collect::<Vec<_>>());

        let binding = self.choice(settings::TOKEN_BINDING);
        let simple_response = self.switch(settings::SIMPLE_RESPONSE);
        let mut warnings = std::mem::take(&mut self.warnings);
        let has_table = issuers.iter().any(|issuer| issuer.rights.routes.is_some());
        if simple_response == Some(true) && has_table {
            warnings.push(
                "SIMPLE_RESPONSE with ROUTES is decided for one request: the authorizer's identity sources must \
                 include $context.routeKey, and its cache must be off where one route stands for many paths"
                    .to_owned(),
            );
        }
        let credentials = (self.sources(), self.choice(settings::BEARER_PREFIX));
        let context = self.context();
        let usage_key = self.claim(settings::USAGE_KEY_CLAIM);
        let on_refusal = self.choice(settings::REFUSAL);
        let resource_metadata = self.resource_metadata();
        let challenge_scopes = self.list(settings::CHALLENGE_SCOPES);
        let challenge_scopes = self.scopes_at("CHALLENGE_SCOPES", challenge_scopes);
        let fetch_timeout = self.number(settings::JWKS_TIMEOUT_MS);
        let authorities = self.authorities(fields.iter().any(Fields::fetches_tls));
        let metrics = self.metrics();
        // Everything was read, so every problem is known. Nothing stands in for what is missing.
        leeway?;
        Some(Config {
            issuers,
            key_sources,
            binding: match binding? {
                "refuse" => TokenBinding::Refuse,
                "certificate" => TokenBinding::Certificate,
                _ => TokenBinding::Ignore,
            },
            credentials: Credentials {
                sources: credentials.0,
                bearer_prefix: match credentials.1? {
                    "optional" => BearerPrefix::Optional,
                    _ => BearerPrefix::Required,
                },
            },
            context,
            usage_key,
            on_refusal: match on_refusal? {
                "deny" => OnRefusal::Deny,
                _ => OnRefusal::Unauthorized,
            },
            challenges: Challenges { scopes: challenge_scopes, resource_metadata },
            expiry_guard: expiry_guard?,
            simple_response: simple_response?,
            lifetimes: lifetimes?,
            list_lifetimes: list_lifetimes?,
            fetch_timeout: Duration::from_millis(fetch_timeout?),
            authorities,
            metrics,
            warnings,
        })
    }

    fn lifetimes(&mut self, fresh: Setting<Number>, stale: Setting<Number>) -> Option<Lifetimes> {
        let (of_fresh, of_stale) = (fresh.name, stale.name);
        let (fresh, stale) = (self.number(fresh), self.number(stale));
        let (fresh, stale) = (fresh?, stale?);
        if stale < fresh {
            self.problem(of_stale, format!("must be at least {of_fresh}, which is {fresh}"));
            return None;
        }
        Some(Lifetimes { fresh: Duration::from_secs(fresh), stale: Duration::from_secs(stale) })
    }

    /// Scopes that can be written into a challenge.
    fn scopes_at(&mut self, place: &str, scopes: Vec<String>) -> Vec<String> {
        for scope in scopes.iter().filter(|scope| !rights::is_scope(scope)) {
            let wanted = "want printable ASCII without quote and backslash (RFC 6749 section 3.3)";
            self.problem(place, format!("{}: {wanted}", quoted(place, scope)));
        }
        scopes
    }

    /// The table of routes that stands at this place.
    fn routes(
        &mut self,
        place: &str,
        table: &Map<String, Value>,
        guards: Guards,
    ) -> Option<Arc<Routes>> {
        let routes = match Routes::parse(table, guards.path) {
            Ok(routes) => routes,
            Err(problems) => {
                problems.into_iter().for_each(|problem| self.problem(place, problem));
                return None;
            }
        };
        let warnings = routes.warnings().into_iter().map(|warning| format!("{place}: {warning}"));
        self.warnings.extend(warnings);
        if let Err(too_large) = size::fits(&routes, guards.expiry) {
            let size::TooLarge { document, resource } = too_large;
            let message = format!(
                "the policy would have {document} bytes and resources of up to {resource} characters; API Gateway \
                 takes {} and {}. It has {}. Use fewer or shorter entries, verbs by name (ANY counts seven times), \
                 fewer `path` conditions (each value counts 128)",
                size::MAX_DOCUMENT,
                size::MAX_RESOURCE,
                size::largest_parts(&routes),
            );
            self.problem(place, message);
        }
        Some(Arc::new(routes))
    }

    fn context(&mut self) -> Vec<ContextClaim> {
        let entries = self.list(settings::CONTEXT_CLAIMS);
        if entries == ["none"] {
            return Vec::new();
        }
        if entries.iter().any(|entry| entry == "none") {
            self.problem("CONTEXT_CLAIMS", "`none` must be the only member");
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

    /// It is written between quotes into a header, so nothing in it may end them (RFC 9110 section 5.6.4).
    fn resource_metadata(&mut self) -> Option<String> {
        let url = self.text(settings::RESOURCE_METADATA)?;
        // An endpoint has no backslash, no space, and nothing but printable ASCII.
        let problem = match Endpoint::parse(&url) {
            Ok(_) if url.contains('"') => "must not hold a quote: write it as %22",
            Ok(_) => return Some(url),
            Err(problem) => problem,
        };
        self.problem("RESOURCE_METADATA", problem);
        None
    }

    fn sources(&mut self) -> Vec<TokenLocation> {
        let mut sources = Vec::new();
        for text in self.list(settings::TOKEN_SOURCE) {
            match TokenLocation::parse(&text) {
                Ok(source) => sources.push(source),
                Err(problem) => self.problem("TOKEN_SOURCE", problem),
            }
        }
        sources
    }

    fn metrics(&mut self) -> Option<Metrics> {
        let namespace = self.text(settings::METRICS_NAMESPACE)?;
        if !metrics::is_namespace(&namespace) {
            let message =
                "want up to 255 letters, digits, spaces and `.-_/#:`, not beginning with `AWS/`";
            self.problem("METRICS_NAMESPACE", message);
            return None;
        }
        let level = self.value(&settings::AWS_LAMBDA_LOG_LEVEL).unwrap_or_default().to_uppercase();
        let Word(levels) = settings::AWS_LAMBDA_LOG_LEVEL.kind;
        let level = levels.iter().find(|known| **known == level);
        Some(Metrics::new(namespace, level.unwrap_or(&settings::AWS_LAMBDA_LOG_LEVEL.default)))
    }

    /// Private certificate authorities. The file in `SSL_CERT_FILE` is read only if something is fetched over TLS.
    fn authorities(&mut self, fetches_tls: bool) -> Authorities {
        let mut authorities = Authorities::new();
        for name in [settings::JWKS_CA_FILE.name, "SSL_CERT_FILE"] {
            let Some(file) = self.set(name).filter(|_| fetches_tls || name != "SSL_CERT_FILE")
            else {
                continue;
            };
            match tls::read_authorities(&self.path(&file)) {
                Ok(found) => authorities.extend(found),
                Err(problem) => self.problem(name, problem),
            }
        }
        authorities
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
