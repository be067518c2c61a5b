//! How an authorizer is made from its configuration, and gets its first keys.

use std::sync::Arc;

use crate::authorizer::Authorizer;
use crate::config::{Config, Issuer, KeyOrigin, KeySource, RevocationSource};
use crate::issuer::{Issuers, TrustedIssuer};
use crate::jose::algorithm::Algorithms;
use crate::jose::jwk::Key;
use crate::jose::jwks::ParsedKeys;
use crate::keys::Keys;
use crate::keys::provider::Provider;
use crate::metrics::Metrics;
use crate::remote::cache::Lifetimes;
use crate::remote::endpoint::Endpoint;
use crate::remote::http::Fetcher;
use crate::revocation::Revocations;

impl Authorizer {
    /// An authorizer without keys yet, except for configured ones.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut names = Vec::new();
        for issuer in &config.issuers {
            names.extend(issuer.names.iter().map(|(name, _)| name.to_string()));
        }
        let version = env!("CARGO_PKG_VERSION");
        tracing::info!(issuers = names.join(" "), version, "configured");
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let fetcher = Arc::new(Fetcher::new(config.fetch_timeout, config.authorities));
        let metrics = config.metrics.map(Arc::new);
        let mut key_sets = Vec::new();
        for source in config.key_sources {
            key_sets.push(keys_of(source, config.lifetimes, &fetcher, &metrics));
        }
        let mut issuers = Issuers::default();
        let (mut lists, mut static_lists) = (Vec::new(), Vec::new());
        for issuer in config.issuers {
            let Issuer { names, header_rules, rules, revoked, scope_claims, rights } = issuer;
            let revocations = match revoked {
                None => None,
                Some(RevocationSource::Static(list)) => {
                    let names: Vec<_> = names.iter().map(|(name, _)| name.to_string()).collect();
                    let list = Revocations::fixed(names.join(" "), list, config.list_lifetimes);
                    static_lists.push(Arc::clone(&list));
                    Some(list)
                }
                Some(RevocationSource::At(list_at)) => Some(list_at_address(
                    list_at,
                    config.list_lifetimes,
                    &fetcher,
                    &metrics,
                    &mut lists,
                )),
            };
            let trial = config.trial.as_ref().map(|trial| {
                Arc::new(trial.for_issuer(&header_rules.types, &rules, &scope_claims, &rights))
            });
            for (name, source) in names {
                issuers.insert(TrustedIssuer {
                    name,
                    header_rules: header_rules.clone(),
                    keys: Arc::clone(&key_sets[source]),
                    rules: rules.clone(),
                    revocations: revocations.clone(),
                    scope_claims: scope_claims.clone(),
                    rights: rights.clone(),
                    trial: trial.clone(),
                });
            }
        }
        if !lists.is_empty() {
            tracing::info!(
                REVOKED_FRESH_SECONDS = config.list_lifetimes.fresh.as_secs(),
                REVOKED_STALE_SECONDS = config.list_lifetimes.stale.as_secs(),
                "a revocation takes effect after REVOKED_FRESH_SECONDS and one request, \
                 and after REVOKED_STALE_SECONDS at the latest"
            );
        }
        Self {
            issuers,
            key_sets,
            lists: lists.into_iter().map(|(_, list)| list).chain(static_lists).collect(),
            closed_route_challenge: config.answering.challenges.of_closed_route().into(),
            answering: config.answering,
            // A request can join a refresh that does not answer its question, and then needs one of its own.
            wait_limit: config.fetch_timeout * 2,
            metrics,
        }
    }

    /// Fetches the first keys and revocation lists from all sources at once. What cannot be fetched is logged, and tried
    /// again when needed.
    pub async fn prefetch(&self) {
        let mut refreshes = Vec::new();
        for keys in &self.key_sets {
            refreshes.extend(keys.prefetch());
        }
        for list in &self.lists {
            refreshes.extend(list.prefetch());
        }
        for refresh in refreshes {
            refresh.wait_until_done().await;
        }
    }
}

/// The keys of one source.
fn keys_of(
    KeySource { issuers, algorithms, origin }: KeySource,
    lifetimes: Lifetimes,
    fetcher: &Arc<Fetcher>,
    metrics: &Option<Arc<Metrics>>,
) -> Arc<Keys> {
    let (keys_at, seed) = match origin {
        KeyOrigin::Static(keys) => {
            return Keys::fixed(issuers, usable(keys, algorithms), lifetimes);
        }
        KeyOrigin::Discovery => (None, ParsedKeys::default()),
        KeyOrigin::Address(keys_at, keys) => (Some(keys_at), usable(keys, algorithms)),
    };
    let mut symmetric = seed.keys.clone();
    symmetric.retain(Key::is_symmetric);
    let provider = Provider::new(issuers, keys_at, algorithms, symmetric, Arc::clone(fetcher));
    Keys::of(provider, seed, lifetimes, metrics.clone())
}

/// The configured keys that an issuer of a source can use.
fn usable(keys: ParsedKeys, algorithms: Algorithms) -> ParsedKeys {
    // Of none there is none: each issuer of the source can use one, or there were none.
    keys.restrict_to(algorithms).unwrap_or_default()
}

/// The revocation list at this address. Issuers that name the same one share it: `lists` has those so far.
fn list_at_address(
    list_at: Endpoint,
    lifetimes: Lifetimes,
    fetcher: &Arc<Fetcher>,
    metrics: &Option<Arc<Metrics>>,
    lists: &mut Vec<(Endpoint, Arc<Revocations>)>,
) -> Arc<Revocations> {
    if let Some((_, list)) = lists.iter().find(|(known, _)| *known == list_at) {
        return Arc::clone(list);
    }
    let list = Revocations::at(list_at.clone(), lifetimes, Arc::clone(fetcher), metrics.clone());
    lists.push((list_at, Arc::clone(&list)));
    list
}
