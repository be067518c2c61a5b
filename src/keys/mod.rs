//! The keys of one source, kept in process: looked up without waiting, refreshed by one task at a time.
//!
//! [`Cache`] decides, and this module does what it says. A refresh is a task of its own, so it runs in the background.
//! Lambda freezes the process when the next event is asked for, and a refresh that every freeze interrupts would never
//! end. So one invocation waits for it once its answer is sent: see [`PendingRefresh`]. A refresh that a freeze
//! interrupted all the same says nothing about the provider.

pub(crate) mod cache;
pub(crate) mod discovery;
pub(crate) mod http;
pub(crate) mod provider;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Now;
use crate::jose::algorithm::Algorithm;
use crate::jose::jwks::{Key, KeyQuery, KeySet};
use crate::jose::token::{Claims, Token};
use crate::keys::cache::{Cache, CacheAction, KeyMatch, Lifetimes, Refreshed};
use crate::keys::http::FetchStage;
use crate::keys::provider::{Fetched, Provider};
use crate::metrics::{Fetch, Metrics};
use crate::reason::{Obstacle, Reason, Refusal};

/// How often one token waits. Once is enough, unless a freeze broke the refresh that it waited for.
const MAX_WAITS: usize = 3;

/// The keys of one source: of one issuer, or of all that share it.
pub(crate) struct Keys {
    state: Mutex<KeysState>,
    /// None: the keys are configured and never refreshed.
    provider: Option<Provider>,
    metrics: Option<Arc<Metrics>>,
}

struct KeysState {
    cache: Cache,
    refresh: Option<Refresh>,
    /// Good answers so far.
    successes: u64,
    /// Why the last fetch failed, if it did.
    last_failure: Option<String>,
}

/// The keys at hand, to be shown.
pub(crate) struct KeysStatus {
    pub(crate) usable: usize,
    /// The stage that broke, and how, if the last fetch failed.
    pub(crate) last_failure: Option<String>,
}

/// A refresh that was begun.
struct Refresh {
    /// Closed when it has ended, in whatever way.
    ended: watch::Receiver<()>,
    /// Alive while an invocation is to wait for it after its answer.
    waiter: Weak<()>,
}

/// A refresh that one invocation is to wait for once its answer is sent: the one whose request began it, or, if that
/// gave up or there was none, the next one that looks up a key. Dropped, it leaves the wait to another.
#[derive(Debug)]
pub(crate) struct PendingRefresh {
    ended: watch::Receiver<()>,
    _waiter: Arc<()>,
}

impl PendingRefresh {
    pub(crate) async fn ended(self) {
        ended(self.ended).await;
    }
}

/// Where a look-up led.
enum Found {
    Keys(Arc<KeySet>),
    Wait(watch::Receiver<()>),
}

impl Keys {
    /// Configured keys, and no network.
    pub(crate) fn fixed(keys: Vec<Key>, lifetimes: Lifetimes) -> Arc<Self> {
        Self::with(Cache::fixed(KeySet::new(keys), lifetimes, Now::read()), None, None)
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
        Self::with(cache, Some(provider), metrics)
    }

    fn with(cache: Cache, provider: Option<Provider>, metrics: Option<Arc<Metrics>>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(KeysState { cache, refresh: None, successes: 0, last_failure: None }),
            provider,
            metrics,
        })
    }

    pub(crate) fn status(&self) -> KeysStatus {
        let state = self.state();
        let usable = state.cache.keys().map_or(0, |keys| keys.len());
        KeysStatus { usable, last_failure: state.last_failure.clone() }
    }

    /// Fetches the first keys, unless there are some to answer from.
    pub(crate) async fn prefetch(self: &Arc<Self>) {
        let refresh = {
            let mut state = self.state();
            if state.cache.keys().is_some() {
                return;
            }
            self.start_or_join(&mut state)
        };
        ended(refresh).await;
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
        let keys = state.cache.keys().filter(|keys| keys.knows(query)).cloned();
        let key_match = match &keys {
            None => KeyMatch::Unknown,
            Some(keys) if failed.is_some_and(|failed| Arc::ptr_eq(failed, keys)) => {
                KeyMatch::Mismatch
            }
            Some(_) => KeyMatch::Known,
        };
        let refreshed = state.successes != successes;
        let action =
            state.cache.action_for(key_match, state.under_way().is_some(), refreshed, &now);
        match action {
            CacheAction::Answer | CacheAction::AnswerAndRefresh => {
                if action == CacheAction::AnswerAndRefresh {
                    self.start_or_join(&mut state);
                }
                pending.extend(state.claim());
                match (key_match, keys) {
                    (KeyMatch::Known, Some(keys)) => Ok(Found::Keys(keys)),
                    (KeyMatch::Mismatch, _) => Err(Reason::SignatureInvalid.into()),
                    (KeyMatch::Known | KeyMatch::Unknown, _) => Err(Reason::KeyUnknown.into()),
                }
            }
            CacheAction::RefreshAndWait => {
                state.cache.asked(key_match, now);
                let refresh = self.start_or_join(&mut state);
                pending.extend(state.claim());
                Ok(Found::Wait(refresh))
            }
            CacheAction::Wait => Ok(Found::Wait(self.start_or_join(&mut state))),
            CacheAction::Unavailable => Err(unavailable()),
        }
    }

    /// The refresh that is under way; one is started if there is none.
    fn start_or_join(self: &Arc<Self>, state: &mut KeysState) -> watch::Receiver<()> {
        if let Some(refresh) = state.under_way() {
            return refresh.ended.clone();
        }
        let (end, ended) = watch::channel(());
        let keys = Arc::clone(self);
        tokio::spawn(async move {
            keys.refresh().await;
            // Dropped on a panic too, so no waiter hangs.
            drop(end);
        });
        state.refresh = Some(Refresh { ended: ended.clone(), waiter: Weak::new() });
        ended
    }

    async fn refresh(&self) {
        let Some(provider) = &self.provider else { return };
        let issuer = provider.issuer();
        let asked = Now::read();
        let fetched = provider.fetch().await;
        let now = Now::read();
        let took = now.since(&asked);
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let mut state = self.state();
        let mut failed = false;
        match fetched {
            Ok(Fetched { refreshed, max_age, skipped }) => {
                let unchanged = matches!(refreshed, Refreshed::Unchanged);
                state.cache.succeeded(refreshed, max_age, asked);
                state.successes += 1;
                state.last_failure = None;
                let keys = state.cache.keys().map_or(0, |keys| keys.len());
                tracing::info!(issuer, keys, skipped, unchanged, milliseconds, "keys refreshed");
            }
            Err(failure) if failure.stage == FetchStage::Interrupted => {
                tracing::info!(
                    issuer,
                    milliseconds,
                    error = failure.detail,
                    "key refresh interrupted by a freeze"
                );
            }
            Err(failure) => {
                failed = true;
                state.last_failure = Some(failure.to_string());
                let backoff = state.cache.failed(jitter(), now);
                let backoff_milliseconds = u64::try_from(backoff.as_millis()).unwrap_or(u64::MAX);
                let age_seconds = state.age(&now).map(|age| age.as_secs());
                let (stage, error) = (failure.stage.code(), failure.detail);
                tracing::warn!(
                    issuer,
                    stage,
                    error,
                    milliseconds,
                    backoff_milliseconds,
                    age_seconds,
                    "key refresh failed"
                );
            }
        }
        if let Some(metrics) = &self.metrics {
            metrics.fetched(Fetch { failed, took, age: state.age(&now) }, &now);
        }
    }

    fn state(&self) -> MutexGuard<'_, KeysState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeysState {
    /// How old the keys are, if that is known.
    fn age(&self, now: &Now) -> Option<Duration> {
        self.cache.known_age(now)
    }

    /// The refresh that has not ended yet.
    fn under_way(&self) -> Option<&Refresh> {
        self.refresh.as_ref().filter(|refresh| refresh.ended.has_changed().is_ok())
    }

    /// The wait for the refresh under way, unless an invocation has it already.
    fn claim(&mut self) -> Option<PendingRefresh> {
        let refresh = self.refresh.as_mut()?;
        if refresh.ended.has_changed().is_err() || refresh.waiter.strong_count() > 0 {
            return None;
        }
        let waiter = Arc::new(());
        refresh.waiter = Arc::downgrade(&waiter);
        Some(PendingRefresh { ended: refresh.ended.clone(), _waiter: waiter })
    }
}

async fn ended(mut refresh: watch::Receiver<()>) {
    // Nothing is ever sent: this ends when the sender is dropped.
    while refresh.changed().await.is_ok() {}
}

fn unavailable() -> Refusal {
    Obstacle::KeysUnavailable.because("the keys of the token's issuer are unavailable now").into()
}

/// From 0 to 1, from the randomness with which the standard library seeds its hash tables.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(()) as f64 / u64::MAX as f64
}
