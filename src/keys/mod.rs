//! The keys of one source: which of them a token asks for, and what is done if there is none.

pub(crate) mod discovery;
pub(crate) mod misses;
pub(crate) mod provider;
pub(crate) mod report;

use std::sync::Arc;

use crate::clock::Now;
use crate::denial::{Denial, Refusal};
use crate::jose::algorithm::Algorithm;
use crate::jose::jwks::ParsedKeys;
use crate::jose::key_set::{KeyQuery, KeySet};
use crate::jose::token::{Claims, Token};
use crate::keys::misses::{Confirmation, KeyMatch};
use crate::keys::provider::Provider;
use crate::metrics::Metrics;
use crate::reason::Obstacle;
use crate::remote::cache::{Cache, CacheAction, Lifetimes};
use crate::remote::refresh::PendingRefreshes;
use crate::remote::{Cached, State};

/// The keys of one source: of one issuer, or of all that share it.
pub(crate) type Keys = Cached<Provider>;

impl Keys {
    /// Configured keys of these issuers, and no network.
    pub(crate) fn fixed(issuers: String, keys: ParsedKeys, lifetimes: Lifetimes) -> Arc<Self> {
        let cache = Cache::fixed(KeySet::of(keys, &[]), lifetimes, Now::read());
        Self::new(issuers, cache, None, None)
    }

    /// Keys of a provider, with configured ones to start from, if there are any.
    pub(crate) fn of(
        provider: Provider,
        seed: ParsedKeys,
        lifetimes: Lifetimes,
        metrics: Option<Arc<Metrics>>,
    ) -> Arc<Self> {
        let cache = if seed.keys.is_empty() {
            Cache::empty(lifetimes, Now::read())
        } else {
            Cache::seeded(KeySet::of(seed, &[]), lifetimes, Now::read())
        };
        Self::new(provider.issuer().to_owned(), cache, Some(provider), metrics)
    }

    /// The claims of a token, if it is signed by one of these keys. `key_issuer`: see [`KeyQuery`]. `pending`: see
    /// [`Cached::get`].
    pub(crate) async fn verify(
        self: &Arc<Self>,
        mut token: Token<'_>,
        algorithm: Algorithm,
        key_issuer: Option<&str>,
        pending: &mut PendingRefreshes,
    ) -> Result<Claims, Refusal> {
        let (mut failed, received_at) = (None, pending.received_at);
        loop {
            let query = token.key_query(algorithm, key_issuer);
            let lookup = Lookup { query, failed: failed.as_ref(), received_at };
            let found = self.get(pending, |state, now| lookup.find(state, now));
            match found.await {
                Some((KeyMatch::Known, Some(keys))) => {
                    match token.verify(&keys, algorithm, key_issuer) {
                        Ok(claims) => return Ok(claims),
                        Err(unverified) => (token, failed) = (unverified, Some(keys)),
                    }
                }
                Some((KeyMatch::Mismatch, _)) => {
                    let has_nonce = token.unverified_header().get("nonce").is_some();
                    return Err(Denial::SignatureInvalid { has_nonce }.into());
                }
                Some(_) => {
                    let query = token.key_query(algorithm, key_issuer);
                    let state = self.state();
                    let limit = state.cache.document().and_then(|keys| keys.exceeded_limit(query));
                    return Err(Denial::KeyUnknown { limit }.into());
                }
                None => {
                    let detail = "the keys of the token's issuer are unavailable now";
                    return Err(Obstacle::KeysUnavailable.because(detail).into());
                }
            }
        }
    }
}

/// The search for the keys of one token.
struct Lookup<'a> {
    query: KeyQuery<'a>,
    /// The set under which the signature did not verify.
    failed: Option<&'a Arc<KeySet>>,
    /// When the token was received.
    received_at: Now,
}

impl Lookup<'_> {
    /// What to do, and the keys to try.
    fn find(
        &self,
        state: &mut State<Provider>,
        now: Now,
    ) -> (CacheAction, (KeyMatch, Option<Arc<KeySet>>)) {
        let keys = state.cache.document().filter(|keys| keys.knows(self.query)).cloned();
        let key_match = match (&keys, self.failed) {
            (None, _) => KeyMatch::Unknown,
            (Some(keys), Some(failed)) if Arc::ptr_eq(failed, keys) => KeyMatch::Mismatch,
            (Some(_), _) => KeyMatch::Known,
        };
        let confirmation = match state.cache.confirmed_at() {
            Some(then) if self.received_at.since(&then).is_zero() => Confirmation::SinceToken,
            _ => Confirmation::BeforeToken,
        };
        let refresh = state.refresh.state();
        let action = state.misses.action_for(&state.cache, key_match, refresh, confirmation, &now);
        if action == CacheAction::RefreshAndWait {
            state.misses.record(&state.cache, key_match, now);
        }
        (action, (key_match, keys))
    }
}
