//! The keys of one source: which of them a token asks for, and what is done where there is none.

pub(crate) mod discovery;
pub(crate) mod misses;
pub(crate) mod provider;

use std::sync::Arc;

use crate::clock::Now;
use crate::documents::cache::{Cache, CacheAction, Lifetimes};
use crate::documents::refresh::{Ended, PendingRefresh, ended};
use crate::documents::{Kept, Lookup, MAX_WAITS};
use crate::jose::algorithm::Algorithm;
use crate::jose::jwks::{Key, KeyQuery, KeySet};
use crate::jose::token::{Claims, Token};
use crate::keys::misses::KeyMatch;
use crate::keys::provider::Provider;
use crate::metrics::Metrics;
use crate::reason::{Obstacle, Reason, Refusal};

/// The keys of one source: of one issuer, or of all that share it.
pub(crate) type Keys = Kept<Provider>;

/// Where a look-up led.
enum Found {
    Keys(Arc<KeySet>),
    Wait(Ended),
}

impl Keys {
    /// Configured keys, and no network.
    pub(crate) fn fixed(keys: Vec<Key>, lifetimes: Lifetimes) -> Arc<Self> {
        Self::new(Cache::fixed(KeySet::new(keys), lifetimes, Now::read()), None, None)
    }

    /// Keys of a provider, with configured ones to start from, if there are any.
    pub(crate) fn of(
        provider: Provider,
        seed: Vec<Key>,
        lifetimes: Lifetimes,
        metrics: Option<Arc<Metrics>>,
    ) -> Arc<Self> {
        let cache = if seed.is_empty() {
            Cache::empty(lifetimes, Now::read())
        } else {
            Cache::seeded(KeySet::new(seed), lifetimes, Now::read())
        };
        Self::new(cache, Some(provider), metrics)
    }

    /// The claims of a token, if it is signed by one of these keys. `key_issuer`: see [`KeyQuery`]. `pending` gets the
    /// refresh that is to be waited for when the answer is sent, if there is one.
    pub(crate) async fn verify(
        self: &Arc<Self>,
        mut token: Token<'_>,
        algorithm: Algorithm,
        key_issuer: Option<&str>,
        pending: &mut Vec<PendingRefresh>,
    ) -> Result<Claims, Refusal> {
        let successes = self.state().successes;
        let (mut waits, mut failed) = (0, None);
        loop {
            let query = token.key_query(algorithm, key_issuer);
            match self.find(query, failed.as_ref(), successes, pending)? {
                Found::Keys(keys) => match token.verify(&keys, algorithm, key_issuer) {
                    Ok(claims) => return Ok(claims),
                    Err(unverified) => (token, failed) = (unverified, Some(keys)),
                },
                Found::Wait(refresh) if waits < MAX_WAITS => {
                    ended(refresh).await;
                    waits += 1;
                }
                Found::Wait(_) => return Err(unavailable()),
            }
        }
    }

    /// The keys to try, or the refresh to wait for. `failed`: the set under which the signature did not verify.
    fn find(
        self: &Arc<Self>,
        query: KeyQuery<'_>,
        failed: Option<&Arc<KeySet>>,
        successes: u64,
        pending: &mut Vec<PendingRefresh>,
    ) -> Result<Found, Refusal> {
        let mut state = self.state();
        let now = Now::read();
        let keys = state.cache.document().filter(|keys| keys.knows(query)).cloned();
        let key_match = match &keys {
            None => KeyMatch::Unknown,
            Some(keys) if failed.is_some_and(|failed| Arc::ptr_eq(failed, keys)) => {
                KeyMatch::Mismatch
            }
            Some(_) => KeyMatch::Known,
        };
        let refreshing = state.refresh.under_way().is_some();
        let refreshed = state.successes != successes;
        let action = state.misses.action_for(&state.cache, key_match, refreshing, refreshed, &now);
        let state = &mut *state;
        if action == CacheAction::RefreshAndWait {
            state.misses.asked(&state.cache, key_match, now);
        }
        match self.follow(action, state, pending) {
            Lookup::Answer => match (key_match, keys) {
                (KeyMatch::Known, Some(keys)) => Ok(Found::Keys(keys)),
                (KeyMatch::Mismatch, _) => Err(Reason::SignatureInvalid.into()),
                (KeyMatch::Known | KeyMatch::Unknown, _) => Err(Reason::KeyUnknown.into()),
            },
            Lookup::Wait(refresh) => Ok(Found::Wait(refresh)),
            Lookup::Unavailable => Err(unavailable()),
        }
    }
}

fn unavailable() -> Refusal {
    Obstacle::KeysUnavailable.because("the keys of the token's issuer are unavailable now").into()
}
