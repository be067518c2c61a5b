//! Documents that are fetched and cached in the process: key sets and revocation lists. They are looked up without
//! waiting, and refreshed by one task at a time.
//!
//! [`Cache`] decides what to do, and [`Cached::get`] does it. A refresh is a task of its own, so it runs in the
//! background. Lambda freezes the process when the next event is asked for, and a refresh that every freeze interrupts
//! would never end. So one invocation waits for it once its answer is sent: see [`PendingRefreshes`]. A refresh that a
//! freeze interrupted all the same says nothing about the source.

pub(crate) mod cache;
pub(crate) mod endpoint;
pub(crate) mod error;
pub(crate) mod http;
pub(crate) mod refresh;
pub(crate) mod tls;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Now;
use crate::metrics::{DocumentKind, FetchRecord, Metrics};
use crate::remote::cache::{Cache, CacheAction, Refreshed};
use crate::remote::error::{FetchError, FetchStage};
use crate::remote::refresh::{Completion, PendingRefreshes, Refresh};

/// How often one look-up waits. Once is enough, unless a freeze interrupted the refresh that it waited for.
const MAX_WAITS: usize = 3;

/// How often a refresh tries to fetch if freezes interrupt it.
const MAX_ATTEMPTS: usize = 2;

/// A source of one kind of document.
pub(crate) trait Remote: Send + Sync + 'static {
    type Document: Send + Sync;
    /// What is remembered of look-ups that the cached document had no answer to.
    type Misses: Clone + Default + Send + Sync;

    const KIND: DocumentKind;

    /// How many entries a document has.
    fn size(document: &Self::Document) -> usize;

    fn fetch(
        &self,
        misses: &Self::Misses,
    ) -> impl Future<Output = Result<Fetched<Self::Document>, FetchError>> + Send;

    /// Writes the log event of an attempt to fetch.
    fn log(&self, attempt: &Attempt);
}

/// The result of a good fetch.
pub(crate) struct Fetched<D> {
    pub(crate) refreshed: Refreshed<D>,
    pub(crate) max_age: Option<Duration>,
    /// Entries that cannot be used.
    pub(crate) skipped: usize,
}

/// An attempt to fetch, for the log.
pub(crate) struct Attempt {
    pub(crate) milliseconds: u64,
    pub(crate) outcome: Outcome,
}

pub(crate) enum Outcome {
    Refreshed {
        size: usize,
        skipped: usize,
        unchanged: bool,
    },
    Failed {
        failure: FetchError,
        backoff_milliseconds: u64,
        /// Of the cached document.
        age_seconds: Option<u64>,
    },
    /// By a freeze.
    Interrupted(FetchError),
}

/// A document of one source, kept fresh.
pub(crate) struct Cached<S: Remote> {
    state: Mutex<State<S>>,
    /// None: the document is configured and never refreshed.
    source: Option<S>,
    /// With the document's slot among those whose age is reported.
    metrics: Option<(Arc<Metrics>, usize)>,
}

pub(crate) struct State<S: Remote> {
    pub(crate) cache: Cache<S::Document>,
    pub(crate) misses: S::Misses,
    pub(crate) refresh: Refresh,
    /// Why the last fetch failed, if it did.
    last_failure: Option<String>,
}

/// The state of a cached document, to be shown.
pub struct DocumentStatus {
    /// The entries of the document that can be used.
    pub size: usize,
    /// The stage and the error, if the last fetch failed.
    pub last_failure: Option<String>,
}

impl<S: Remote> Cached<S> {
    pub(crate) fn new(
        cache: Cache<S::Document>,
        source: Option<S>,
        metrics: Option<Arc<Metrics>>,
    ) -> Arc<Self> {
        let state = State {
            cache,
            misses: S::Misses::default(),
            refresh: Refresh::default(),
            last_failure: None,
        };
        let metrics = metrics.map(|metrics| {
            let slot = metrics.add_document(S::KIND);
            (metrics, slot)
        });
        Arc::new(Self { state: Mutex::new(state), source, metrics })
    }

    pub(crate) fn status(&self) -> DocumentStatus {
        let state = self.state();
        DocumentStatus { size: state.size(), last_failure: state.last_failure.clone() }
    }

    /// Starts to fetch the first document, unless there is one to answer from.
    pub(crate) fn prefetch(self: &Arc<Self>) -> Option<Completion> {
        let mut state = self.state();
        if state.cache.document().is_some() {
            return None;
        }
        Some(self.start_or_join(&mut state))
    }

    /// The refresh under way. One is started if there is none.
    pub(crate) fn start_or_join(self: &Arc<Self>, state: &mut State<S>) -> Completion {
        if let Some(completion) = state.refresh.under_way() {
            return completion.clone();
        }
        let cached = Arc::clone(self);
        state.refresh.start(Box::pin(async move { cached.refresh().await }))
    }

    /// Looks the document up. `look` takes what it needs and says what to do. If it says to wait, it is called again
    /// afterwards. Returns nothing if the document is unavailable. `pending` gets the refresh to wait for when the answer
    /// is sent, if there is one.
    pub(crate) async fn get<T>(
        self: &Arc<Self>,
        pending: &mut PendingRefreshes,
        mut look: impl FnMut(&mut State<S>, Now) -> (CacheAction, T),
    ) -> Option<T> {
        for _ in 0..=MAX_WAITS {
            let completion = {
                let mut state = self.state();
                let (action, found) = look(&mut state, Now::read());
                let completion = match action {
                    CacheAction::Answer | CacheAction::Unavailable => None,
                    _ => Some(self.start_or_join(&mut state)),
                };
                pending.claim(&mut state.refresh);
                match action {
                    CacheAction::Answer | CacheAction::AnswerAndRefresh => return Some(found),
                    _ => completion?,
                }
            };
            completion.wait_until_done().await;
        }
        None
    }

    /// Fetches the document. An attempt that a freeze interrupted says nothing about the source. It is repeated once,
    /// for those who wait for this refresh.
    async fn refresh(&self) {
        let Some(source) = &self.source else { return };
        for _ in 0..MAX_ATTEMPTS {
            let misses = self.state().misses.clone();
            let requested_at = Now::read();
            let result = source.fetch(&misses).await;
            let is_interrupted =
                matches!(&result, Err(failure) if failure.stage == FetchStage::Interrupted);
            self.record(source, result, requested_at);
            if !is_interrupted {
                return;
            }
        }
    }

    fn record(
        &self,
        source: &S,
        result: Result<Fetched<S::Document>, FetchError>,
        requested_at: Now,
    ) {
        let now = Now::read();
        let elapsed = now.since(&requested_at);
        let mut state = self.state();
        let outcome = match result {
            Ok(Fetched { refreshed, max_age, skipped }) => {
                let unchanged = matches!(refreshed, Refreshed::Unchanged);
                state.cache.succeeded(refreshed, max_age, requested_at);
                state.last_failure = None;
                Outcome::Refreshed { size: state.size(), skipped, unchanged }
            }
            Err(failure) if failure.stage == FetchStage::Interrupted => {
                // The misses that asked for this fetch got no answer, so they may ask again.
                state.misses = S::Misses::default();
                Outcome::Interrupted(failure)
            }
            Err(failure) => {
                state.last_failure = Some(failure.to_string());
                let backoff = state.cache.failed(jitter(), now);
                Outcome::Failed {
                    failure,
                    backoff_milliseconds: milliseconds(backoff),
                    age_seconds: state.age(&now).map(|age| age.as_secs()),
                }
            }
        };
        if let Some((metrics, slot)) = &self.metrics {
            let fetch = FetchRecord {
                elapsed,
                has_failed: matches!(outcome, Outcome::Failed { .. }),
                confirmed_at: state.cache.confirmed_at(),
            };
            metrics.record_fetch(*slot, &fetch, &now);
        }
        source.log(&Attempt { milliseconds: milliseconds(elapsed), outcome });
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Remote> State<S> {
    /// What to do for a token that the cached document can answer.
    pub(crate) fn action(&self, now: &Now) -> CacheAction {
        self.cache.action(self.refresh.state(), now)
    }

    fn size(&self) -> usize {
        self.cache.document().map_or(0, |document| S::size(document))
    }

    /// The time since the source confirmed the cached document, if it ever did.
    fn age(&self, now: &Now) -> Option<Duration> {
        Some(now.since(&self.cache.confirmed_at()?))
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// From 0 to 1, from the randomness with which the standard library seeds its hash tables.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(()) as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;
    use crate::remote::cache::Lifetimes;

    /// A source whose second answer is broken by a freeze, when the test says so.
    #[derive(Default)]
    struct Frozen {
        fetches: AtomicUsize,
        thaw: Notify,
    }

    impl Remote for Arc<Frozen> {
        type Document = &'static str;
        type Misses = ();

        const KIND: DocumentKind = DocumentKind::Revocations;

        fn size(_: &Self::Document) -> usize {
            1
        }

        async fn fetch(&self, (): &()) -> Result<Fetched<Self::Document>, FetchError> {
            let document = match self.fetches.fetch_add(1, Ordering::Relaxed) {
                0 => "old",
                1 => {
                    self.thaw.notified().await;
                    return Err(FetchError::new(FetchStage::Interrupted, "a freeze"));
                }
                _ => "new",
            };
            let refreshed = Refreshed::Document(Arc::new(document));
            Ok(Fetched { refreshed, max_age: None, skipped: 0 })
        }

        fn log(&self, _: &Attempt) {}
    }

    #[test]
    fn jitter_is_between_0_and_1_and_differs() {
        let drawn: Vec<_> = (0..1000).map(|_| jitter()).collect();
        assert!(drawn.iter().all(|jitter| (0.0..=1.0).contains(jitter)));
        assert!(drawn.iter().any(|jitter| *jitter < 0.25));
        assert!(drawn.iter().any(|jitter| *jitter > 0.75));
    }

    #[test]
    fn times_are_in_whole_milliseconds() {
        assert_eq!(milliseconds(Duration::from_micros(1_999_999)), 1999);
        assert_eq!(milliseconds(Duration::MAX), u64::MAX);
    }

    #[tokio::test]
    async fn an_interrupted_refresh_is_repeated_for_those_who_wait() {
        let source = Arc::new(Frozen::default());
        let lifetimes = Lifetimes { fresh: Duration::ZERO, stale: Duration::from_secs(3600) };
        let cache = Cache::empty(lifetimes, Now::read());
        let cached = Cached::new(cache, Some(Arc::clone(&source)), None);
        cached.prefetch().unwrap().wait_until_done().await;
        let look_up = async || {
            let mut pending = PendingRefreshes::default();
            let found = cached.get(&mut pending, |state, now| {
                (state.action(&now), state.cache.document().map(|found| **found))
            });
            (found.await.flatten(), pending)
        };
        // The first gives up at its deadline, and the process is frozen. In the second the refresh turns out broken.
        let (found, given_up) = look_up().await;
        assert_eq!((found, given_up.is_empty()), (Some("old"), false));
        tokio::task::yield_now().await;
        drop(given_up);
        let (found, pending) = look_up().await;
        assert_eq!((found, pending.is_empty()), (Some("old"), false));
        source.thaw.notify_one();
        pending.wait_until_done().await;
        assert_eq!(look_up().await.0, Some("new"));
    }
}
