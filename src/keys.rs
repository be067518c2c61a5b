//! The keys of one issuer, kept in process: looked up without waiting, renewed by one task at a time.
//!
//! [`Cache`] decides; here its advice is carried out. A renewal is a task of its own, so it goes on beside the
//! answer. Lambda freezes the process when the next event is asked for, and a renewal that every freeze interrupts
//! would never end. So each has one invocation that waits for it once its answer is sent: see [`PendingRenewal`].
//! One that a freeze interrupted all the same says nothing about the provider.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;

use crate::algorithm::Algorithm;
use crate::cache::{Advice, Cache, Fit, Lifetimes, Renewed};
use crate::clock::Now;
use crate::http::Stage;
use crate::jwks::{Key, KeySet};
use crate::metrics::{Fetch, Metrics};
use crate::provider::{Fetched, Provider};
use crate::reason::{Obstacle, Reason, Refusal};
use crate::token::{Claims, Token};

/// How often one token waits. Once is enough, unless a freeze broke the renewal that it waited for.
const MAX_WAITS: usize = 3;

/// The keys of one issuer.
pub(crate) struct Keys {
    state: Mutex<State>,
    /// None: the keys are configured and never renewed.
    provider: Option<Provider>,
    metrics: Option<Arc<Metrics>>,
}

struct State {
    cache: Cache,
    renewal: Option<Renewal>,
    /// Good answers so far.
    successes: u64,
    /// What the provider said last, if that was no good answer.
    last_failure: Option<String>,
}

/// The keys at hand, to be shown.
pub(crate) struct KeysStatus {
    pub(crate) usable: usize,
    /// The stage that broke, and how, if the last fetch failed.
    pub(crate) last_failure: Option<String>,
}

/// A renewal that was begun.
struct Renewal {
    /// Closed when it has ended, in whatever way.
    ended: watch::Receiver<()>,
    /// Alive while an invocation is to wait for it after its answer.
    waiter: Weak<()>,
}

/// A renewal that one invocation is to wait for once its answer is sent: the one whose request began it, or, if that
/// gave up or there was none, the next one that looks up a key. Dropped, it leaves the wait to another.
#[derive(Debug)]
pub(crate) struct PendingRenewal {
    ended: watch::Receiver<()>,
    _waiter: Arc<()>,
}

impl PendingRenewal {
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
            state: Mutex::new(State { cache, renewal: None, successes: 0, last_failure: None }),
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
        let renewal = {
            let mut state = self.state();
            if state.cache.keys().is_some() {
                return;
            }
            self.renewal(&mut state)
        };
        ended(renewal).await;
    }

    /// The claims of a token, if it is signed by a key of this issuer. `pending` gets the renewal that is to be waited
    /// for when the answer is sent, if there is one.
    pub(crate) async fn verify(
        self: &Arc<Self>,
        mut token: Token<'_>,
        algorithm: Algorithm,
        pending: &mut Vec<PendingRenewal>,
    ) -> Result<Claims, Refusal> {
        let successes = self.state().successes;
        let (mut waits, mut failed) = (0, None);
        loop {
            match self.find(token.unverified_kid(), algorithm, failed.as_ref(), successes, pending)? {
                Found::Keys(keys) => match token.verify(&keys, algorithm) {
                    Ok(claims) => return Ok(claims),
                    Err(unverified) => (token, failed) = (unverified, Some(keys)),
                },
                Found::Wait(renewal) if waits < MAX_WAITS => {
                    ended(renewal).await;
                    waits += 1;
                }
                Found::Wait(_) => return Err(unavailable()),
            }
        }
    }

    /// The keys to try, or the renewal to wait for. `failed`: the set under which the signature did not verify.
    fn find(
        self: &Arc<Self>,
        kid: Option<&str>,
        algorithm: Algorithm,
        failed: Option<&Arc<KeySet>>,
        successes: u64,
        pending: &mut Vec<PendingRenewal>,
    ) -> Result<Found, Refusal> {
        let mut state = self.state();
        let now = Now::read();
        let keys = state.cache.keys().filter(|keys| keys.knows(kid, algorithm)).cloned();
        let fit = match &keys {
            None => Fit::Unknown,
            Some(keys) if failed.is_some_and(|failed| Arc::ptr_eq(failed, keys)) => Fit::Mismatch,
            Some(_) => Fit::Known,
        };
        let renewed = state.successes != successes;
        let advice = state.cache.advise(fit, state.under_way().is_some(), renewed, &now);
        match advice {
            Advice::Answer | Advice::AnswerAndRenew => {
                if advice == Advice::AnswerAndRenew {
                    self.renewal(&mut state);
                }
                pending.extend(state.claim());
                match (fit, keys) {
                    (Fit::Known, Some(keys)) => Ok(Found::Keys(keys)),
                    (Fit::Mismatch, _) => Err(Reason::SignatureInvalid.into()),
                    (Fit::Known | Fit::Unknown, _) => Err(Reason::KeyUnknown.into()),
                }
            }
            Advice::RenewAndWait => {
                state.cache.asked(fit, now);
                let renewal = self.renewal(&mut state);
                pending.extend(state.claim());
                Ok(Found::Wait(renewal))
            }
            Advice::Wait => Ok(Found::Wait(self.renewal(&mut state))),
            Advice::Unavailable => Err(unavailable()),
        }
    }

    /// The renewal that is under way; one is started if there is none.
    fn renewal(self: &Arc<Self>, state: &mut State) -> watch::Receiver<()> {
        if let Some(renewal) = state.under_way() {
            return renewal.ended.clone();
        }
        let (end, ended) = watch::channel(());
        let keys = Arc::clone(self);
        tokio::spawn(async move {
            keys.renew().await;
            // Dropped on a panic too, so nobody waits for ever.
            drop(end);
        });
        state.renewal = Some(Renewal { ended: ended.clone(), waiter: Weak::new() });
        ended
    }

    async fn renew(&self) {
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
            Ok(Fetched { renewed, max_age, skipped }) => {
                let unchanged = matches!(renewed, Renewed::Unchanged);
                state.cache.succeeded(renewed, max_age, asked);
                state.successes += 1;
                state.last_failure = None;
                let keys = state.cache.keys().map_or(0, |keys| keys.len());
                tracing::info!(issuer, keys, skipped, unchanged, milliseconds, "keys renewed");
            }
            Err(failure) if failure.stage == Stage::Interrupted => {
                tracing::info!(issuer, milliseconds, error = failure.detail, "key renewal interrupted by a freeze");
            }
            Err(failure) => {
                failed = true;
                state.last_failure = Some(failure.to_string());
                let pause = state.cache.failed(jitter(), now);
                let pause_milliseconds = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                let age_seconds = state.age(&now).map(|age| age.as_secs());
                let (stage, error) = (failure.stage.code(), failure.detail);
                tracing::warn!(
                    issuer,
                    stage,
                    error,
                    milliseconds,
                    pause_milliseconds,
                    age_seconds,
                    "key renewal failed"
                );
            }
        }
        if let Some(metrics) = &self.metrics {
            metrics.fetched(Fetch { failed, took, age: state.age(&now) }, &now);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How old the keys are, if there are any.
    fn age(&self, now: &Now) -> Option<Duration> {
        self.cache.keys().map(|_| self.cache.age(now))
    }

    /// The renewal that has not ended yet.
    fn under_way(&self) -> Option<&Renewal> {
        self.renewal.as_ref().filter(|renewal| renewal.ended.has_changed().is_ok())
    }

    /// The wait for the renewal under way, if nobody has taken that on.
    fn claim(&mut self) -> Option<PendingRenewal> {
        let renewal = self.renewal.as_mut()?;
        if renewal.ended.has_changed().is_err() || renewal.waiter.strong_count() > 0 {
            return None;
        }
        let waiter = Arc::new(());
        renewal.waiter = Arc::downgrade(&waiter);
        Some(PendingRenewal { ended: renewal.ended.clone(), _waiter: waiter })
    }
}

async fn ended(mut renewal: watch::Receiver<()>) {
    // Nothing is ever sent: this ends when the sender is dropped.
    while renewal.changed().await.is_ok() {}
}

fn unavailable() -> Refusal {
    Obstacle::KeysUnavailable.because("the keys of the token's issuer cannot be had now").into()
}

/// From 0 to 1, from the randomness with which the standard library seeds its hash tables.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(()) as f64 / u64::MAX as f64
}
