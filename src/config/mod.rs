//! The settings: read once from the environment, every problem reported at once.

mod context;
pub(crate) mod environment;
mod fields;
mod issuers;
mod key_sources;
mod names;
mod problems;
mod reader;
mod rights;
mod settings;
mod spelling;
pub(crate) mod summary;
mod trial;
pub(crate) mod words;

use std::time::Duration;

use crate::access::binding::TokenBinding;
use crate::access::rights::PolicyScope;
use crate::config::environment::Environment;
use crate::config::fields::Fields;
use crate::config::issuers::{Shared, SharedRules};
use crate::config::key_sources::KeySources;
use crate::config::reader::Reader;
use crate::config::rights::Guards;
use crate::config::settings::{Number, PLATFORM};
use crate::config::words::{Choice as _, ExpiryGuard, LogLevel, OnRefusal, SimpleResponse};
use crate::gateway::challenge::Challenges;
use crate::gateway::credential::{Credentials, TokenLocation};
use crate::gateway::policy::ContextClaim;
use crate::jose::token::ClaimPath;
use crate::metrics::{self, Metrics};
use crate::remote::cache::Lifetimes;
use crate::remote::endpoint::Endpoint;
use crate::remote::tls::{self, Authorities};
use crate::trial::TrialSettings;

pub(crate) use self::issuers::{Issuer, RevocationSource};
pub(crate) use self::key_sources::{KeyOrigin, KeySource};
pub(crate) use self::problems::BAD_CONFIGURATION;
pub use self::problems::{Problem, Problems};
pub use self::reader::members_of as list_members;
pub use self::settings::{SETTINGS, Setting, SettingKind};

/// All settings, checked.
#[derive(Debug)]
pub struct Config {
    pub(crate) issuers: Vec<Issuer>,
    pub(crate) key_sources: Vec<KeySource>,
    pub(crate) answering: Answering,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) list_lifetimes: Lifetimes,
    pub(crate) fetch_timeout: Duration,
    pub(crate) authorities: Authorities,
    pub(crate) metrics: Option<Metrics>,
    /// Stricter settings to try.
    pub(crate) trial: Option<TrialSettings>,
    /// Settings that are allowed but need attention, for the log.
    pub(crate) warnings: Vec<String>,
}

/// How a request is read and answered, whoever issued its token.
#[derive(Debug)]
pub(crate) struct Answering {
    pub(crate) binding: TokenBinding,
    pub(crate) credentials: Credentials,
    pub(crate) context: Vec<ContextClaim>,
    pub(crate) usage_key: Option<ClaimPath>,
    pub(crate) on_refusal: OnRefusal,
    pub(crate) challenges: Challenges,
    pub(crate) policy_scope: PolicyScope,
    pub(crate) expiry_guard: ExpiryGuard,
    pub(crate) simple_response: SimpleResponse,
}

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
        let settings = SETTINGS.iter().map(|setting| setting.name);
        for name in settings.chain(PLATFORM) {
            // `Log::start` warns of the settings of the log, which the platform sets.
            if !name.starts_with("AWS_") && self.environment.is_unreadable(name) {
                self.problem(name, "is not UTF-8");
            }
        }
    }

    /// A mistyped name must not count as unset either.
    fn misspelled(&mut self) {
        for name in self.environment.names() {
            if let Some(meant) = spelling::meant(name) {
                self.problem(name, format!("is not a setting; did you mean {meant}?"));
            }
        }
    }

    fn config(&mut self) -> Option<Config> {
        let lifetimes = self.lifetimes(settings::JWKS_FRESH_SECONDS, settings::JWKS_STALE_SECONDS);
        let list_lifetimes =
            self.lifetimes(settings::REVOKED_FRESH_SECONDS, settings::REVOKED_STALE_SECONDS);
        let shared = self.shared();
        let fields = self.fields();
        let mut sources = KeySources::default();
        let mut issuers = Vec::new();
        for fields in &fields {
            issuers.extend(self.issuer(fields, &shared, &mut sources));
        }
        self.names_twice(&fields, &issuers);
        self.warn_of_missing_tables(&fields, &issuers);
        let binding = self.choice(settings::TOKEN_BINDING);
        let simple_response = self.choice(settings::SIMPLE_RESPONSE);
        if simple_response == Some(SimpleResponse::On) {
            self.warn_of_simple_response(&issuers);
        }
        self.warn_of_old_sign_ins(&issuers, simple_response, shared.guards.expiry);
        let trial = self.trial(&shared);
        let token_locations = self.token_locations();
        let bearer_prefix = self.choice(settings::BEARER_PREFIX);
        let context = self.context();
        let usage_key = self.claim(settings::USAGE_KEY_CLAIM);
        let on_refusal = self.choice(settings::REFUSAL);
        let resource_metadata = self.resource_metadata();
        let challenge_scopes = self.list(settings::CHALLENGE_SCOPES);
        self.check_scopes("CHALLENGE_SCOPES", &challenge_scopes);
        let fetch_timeout = self.number(settings::JWKS_TIMEOUT_MS);
        let authorities = self.authorities(fields.iter().any(Fields::fetches_tls));
        let metrics = self.metrics();
        // All settings have been read, so all problems are recorded. Bail out if a required value is missing.
        Some(Config {
            issuers,
            key_sources: sources.sources,
            answering: Answering {
                binding: binding?,
                credentials: Credentials {
                    sources: token_locations,
                    bearer_prefix: bearer_prefix?,
                },
                context,
                usage_key,
                on_refusal: on_refusal?,
                challenges: Challenges { scopes: challenge_scopes, resource_metadata },
                policy_scope: shared.guards.scope?,
                expiry_guard: shared.guards.expiry?,
                simple_response: simple_response?,
            },
            lifetimes: lifetimes?,
            list_lifetimes: list_lifetimes?,
            fetch_timeout: Duration::from_millis(fetch_timeout?),
            authorities,
            metrics,
            trial,
            warnings: std::mem::take(&mut self.warnings),
        })
    }

    /// The settings that issuers share.
    fn shared(&mut self) -> Shared {
        let rules = SharedRules {
            // A number that is wrong is a problem already. Nothing is decided by the 0.
            leeway: self.number(settings::LEEWAY_SECONDS).unwrap_or_default(),
            max_life: self.number(settings::MAX_TOKEN_SECONDS),
            principal_claims: self.claim_list(settings::PRINCIPAL_CLAIM),
        };
        let guards = Guards {
            expiry: self.choice(settings::EXPIRY_GUARD),
            path: self.choice(settings::PATH_GUARD),
            scope: self.choice(settings::POLICY_SCOPE),
        };
        let rights = self.shared_rights(guards);
        Shared { rules, rights, guards }
    }

    fn lifetimes(&mut self, fresh: Setting<Number>, stale: Setting<Number>) -> Option<Lifetimes> {
        let (fresh_name, stale_name) = (fresh.name, stale.name);
        let (fresh, stale) = (self.number(fresh), self.number(stale));
        let (fresh, stale) = (fresh?, stale?);
        if stale < fresh {
            self.problem(stale_name, format!("must be at least {fresh_name}, which is {fresh}"));
            return None;
        }
        Some(Lifetimes { fresh: Duration::from_secs(fresh), stale: Duration::from_secs(stale) })
    }

    /// An operator who gives one issuer a table may not expect that another opens everything.
    fn warn_of_missing_tables(&mut self, fields: &[Fields], issuers: &[Issuer]) {
        if issuers.iter().all(|issuer| issuer.rights.routes.is_none()) {
            return;
        }
        for (fields, issuer) in fields.iter().zip(issuers) {
            if issuer.rights.routes.is_none() {
                self.warnings.push(format!(
                    "{}: is not set, and neither is ROUTES, while another issuer has a table: the tokens of this \
                     issuer open every route of the stage",
                    fields.setting("ROUTES")
                ));
            }
        }
    }

    fn warn_of_simple_response(&mut self, issuers: &[Issuer]) {
        if issuers.iter().any(|issuer| issuer.rights.routes.is_some()) {
            self.warnings.push(
                "SIMPLE_RESPONSE with ROUTES is decided for one request: the authorizer's identity sources must \
                 include $context.routeKey, and its cache must be off where one route serves many paths"
                    .to_owned(),
            );
        }
    }

    fn warn_of_old_sign_ins(
        &mut self,
        issuers: &[Issuer],
        simple_response: Option<SimpleResponse>,
        expiry_guard: Option<ExpiryGuard>,
    ) {
        let setting = match (simple_response, expiry_guard) {
            (_, Some(ExpiryGuard::Off)) => "EXPIRY_GUARD=off",
            (Some(SimpleResponse::On), _) => "SIMPLE_RESPONSE=on",
            _ => return,
        };
        let mut tables = issuers.iter().filter_map(|issuer| issuer.rights.routes.as_ref());
        if tables.any(|table| table.limits_sign_ins()) {
            self.warnings.push(format!(
                "ROUTES has `max_age`, and with {setting} a cached answer does not end when the sign-in gets too old: \
                 set the authorizer's time to live to 0"
            ));
        }
    }

    /// It is written between quotes into a header, so nothing in it may end them (RFC 9110 section 5.6.4).
    fn resource_metadata(&mut self) -> Option<String> {
        let url = self.text(settings::RESOURCE_METADATA)?;
        // An endpoint has no backslash, no space, and nothing but printable ASCII.
        self.or_report("RESOURCE_METADATA", Endpoint::parse(&url))?;
        if url.contains('"') {
            self.problem("RESOURCE_METADATA", "must not hold a quote: write it as %22");
            return None;
        }
        Some(url)
    }

    fn token_locations(&mut self) -> Vec<TokenLocation> {
        let mut locations = Vec::new();
        for text in self.list(settings::TOKEN_SOURCE) {
            locations.extend(self.or_report("TOKEN_SOURCE", TokenLocation::parse(&text)));
        }
        locations
    }

    fn metrics(&mut self) -> Option<Metrics> {
        let namespace = self.text(settings::METRICS_NAMESPACE)?;
        if !metrics::is_namespace(&namespace) {
            let message = "must be up to 255 letters, digits, spaces and `.-_/#:`, and must not begin with `AWS/`";
            self.problem("METRICS_NAMESPACE", message);
            return None;
        }
        let level = self.value(&settings::AWS_LAMBDA_LOG_LEVEL).unwrap_or_default();
        // `Log::start` warns of a word that is no level.
        let level = LogLevel::parse(&level.to_uppercase()).unwrap_or(LogLevel::Info);
        Some(Metrics::new(namespace, level.word()))
    }

    /// Private certificate authorities. The file in `SSL_CERT_FILE` is read only if something is fetched over TLS.
    fn authorities(&mut self, fetches_tls: bool) -> Authorities {
        let mut files = vec![settings::JWKS_CA_FILE.name];
        if fetches_tls {
            files.push("SSL_CERT_FILE");
        }
        let mut authorities = Authorities::new();
        for name in files {
            if let Some(file) = self.set(name) {
                let found = tls::read_authorities(&self.path(file));
                authorities.extend(self.or_report(name, found).unwrap_or_default());
            }
        }
        authorities
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
