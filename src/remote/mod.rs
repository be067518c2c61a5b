//! Documents that are fetched and kept in process, key sets and revocation lists: looked up without waiting, refreshed
//! by one task at a time.
//!
//! [`Cache`] decides what to do, and [`Cached::get`] does it. A refresh is a task of its own, so it runs in the
//! background. Lambda freezes the process when the next event is asked for, and a refresh that every freeze interrupts
//! would never end. So one invocation waits for it once its answer is sent: see [`PendingRefresh`]. A refresh that a
//! freeze interrupted all the same says nothing about the source.

pub(crate) mod cache;
pub(crate) mod http;
pub(crate) mod refresh;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Now;
use crate::metrics::{DocumentKind, Metrics};
use crate::remote::cache::{Cache, CacheAction, Refreshed};
use crate::remote::http::{FetchError, FetchStage};
use crate::remote::refresh::{Ended, PendingRefresh, Refresh, ended};

/// How often one look-up waits. Once is enough, unless a freeze broke the refresh that it waited for.
const MAX_WAITS: usize = 3;

/// How often a refresh tries to fetch, if freezes interrupt it.
const MAX_ATTEMPTS: usize = 2;

/// Where a kind of document comes from.
pub(crate) trait Remote: Send + Sync + 'static {
    type Document: Send + Sync;
    /// What is remembered of look-ups that the document at hand had no answer to.
    type Misses: Clone + Default + Send + Sync;

    const KIND: DocumentKind;

    /// What the log calls it.
    fn name(&self) -> &str;

    /// How many entries a document has.
    fn size(document: &Self::Document) -> usize;

    fn fetch(
        &self,
        misses: &Self::Misses,
    ) -> impl Future<Output = Result<Fetched<Self::Document>, FetchError>> + Send;
}

/// A fetch that went well.
pub(crate) struct Fetched<D> {
    pub(crate) refreshed: Refreshed<D>,
    pub(crate) max_age: Option<Duration>,
    /// Entries that cannot be used.
    pub(crate) skipped: usize,
}

/// A document of one source, kept fresh.
pub(crate) struct Cached<S: Remote> {
    state: Mutex<State<S>>,
    /// None: the document is configured and never refreshed.
    source: Option<S>,
    /// With the document's place among those whose age is reported.
    metrics: Option<(Arc<Metrics>, usize)>,
}

pub(crate) struct State<S: Remote> {
    pub(crate) cache: Cache<S::Document>,
    pub(crate) misses: S::Misses,
    pub(crate) refresh: Refresh,
    /// Why the last fetch failed, if it did.
    last_failure: Option<String>,
}

/// What is at hand, to be shown.
pub struct DocumentStatus {
    /// The entries of the document that can be used.
    pub size: usize,
    /// The stage that broke, and how, if the last fetch failed.
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
            let place = metrics.keep_age(S::KIND);
            (metrics, place)
        });
        Arc::new(Self { state: Mutex::new(state), source, metrics })
    }

    pub(crate) fn status(&self) -> DocumentStatus {
        let state = self.state();
        DocumentStatus { size: state.size(), last_failure: state.last_failure.clone() }
    }

    /// Begins to fetch the first document, unless there is one to answer from.
    pub(crate) fn prefetch(self: &Arc<Self>) -> Option<Ended> {
        let mut state = self.state();
        state.cache.document().is_none().then(|| self.start_or_join(&mut state))
    }

    /// The refresh that is under way; one is started if there is none.
    pub(crate) fn start_or_join(self: &Arc<Self>, state: &mut State<S>) -> Ended {
        if let Some(ended) = state.refresh.under_way() {
            return ended.clone();
        }
        let kept = Arc::clone(self);
        state.refresh.start(Box::pin(async move { kept.refresh().await }))
    }

    /// Looks the document up. `look` takes what it needs and says what to do; its second argument is whether a refresh
    /// is under way. If it says to wait, it is called again afterwards. Returns nothing if the document is unavailable.
    /// `pending` gets the refresh to wait for when the answer is sent, if there is one.
    pub(crate) async fn get<T>(
        self: &Arc<Self>,
        pending: &mut Vec<PendingRefresh>,
        mut look: impl FnMut(&mut State<S>, bool, Now) -> (CacheAction, T),
    ) -> Option<T> {
        let mut waits = 0..MAX_WAITS;
        loop {
            let refresh = {
                let mut state = self.state();
                let refreshing = state.refresh.under_way().is_some();
                let (action, found) = look(&mut state, refreshing, Now::read());
                let refresh = match action {
                    CacheAction::Answer | CacheAction::Unavailable => None,
                    _ => Some(self.start_or_join(&mut state)),
                };
                pending.extend(state.refresh.claim());
                match action {
                    CacheAction::Answer | CacheAction::AnswerAndRefresh => return Some(found),
                    _ => refresh?,
                }
            };
            waits.next()?;
            ended(refresh).await;
        }
    }

    /// Fetches the document. An attempt that a freeze interrupted says nothing. It is repeated once, for those who
    /// wait for this refresh.
    async fn refresh(&self) {
        let Some(source) = &self.source else { return };
        for _ in 0..MAX_ATTEMPTS {
            let misses = self.state().misses.clone();
            let asked = Now::read();
            let fetched = source.fetch(&misses).await;
            if !self.take(source, fetched, asked) {
                return;
            }
        }
    }

    /// Takes what was fetched. Returns whether a freeze interrupted the fetch.
    fn take(
        &self,
        source: &S,
        fetched: Result<Fetched<S::Document>, FetchError>,
        asked: Now,
    ) -> bool {
        let now = Now::read();
        let mut state = self.state();
        let attempt = Attempt::new(source, now.since(&asked));
        let (mut failed, mut interrupted) = (false, false);
        match fetched {
            Ok(Fetched { refreshed, max_age, skipped }) => {
                let unchanged = matches!(refreshed, Refreshed::Unchanged);
                state.cache.succeeded(refreshed, max_age, asked);
                state.last_failure = None;
                attempt.succeeded(state.size(), skipped, unchanged);
            }
            Err(failure) if failure.stage == FetchStage::Interrupted => {
                interrupted = true;
                // The misses that asked for this fetch got no answer, so they may ask again.
                state.misses = S::Misses::default();
                attempt.interrupted(&failure.detail);
            }
            Err(failure) => {
                failed = true;
                state.last_failure = Some(failure.to_string());
                let backoff = state.cache.failed(jitter(), now);
                let age = state.cache.confirmed_at().map(|then| now.since(&then));
                attempt.failed(&failure, backoff, age);
            }
        }
        if let Some((metrics, place)) = &self.metrics {
            let confirmed = state.cache.confirmed_at();
            metrics.fetched(*place, confirmed, failed, attempt.took, &now);
        }
        interrupted
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Remote> State<S> {
    fn size(&self) -> usize {
        self.cache.document().map_or(0, |document| S::size(document))
    }
}

/// An attempt to fetch, for the log. All kinds of documents share this code.
struct Attempt<'s> {
    /// What the document is called.
    document: &'static str,
    /// The issuer whose keys they are.
    issuer: Option<&'s str>,
    /// The address of the list.
    list: Option<&'s str>,
    took: Duration,
}

impl<'s> Attempt<'s> {
    fn new<S: Remote>(source: &'s S, took: Duration) -> Self {
        let name = Some(source.name());
        match S::KIND {
            DocumentKind::Keys => Self { document: "key", issuer: name, list: None, took },
            DocumentKind::Revocations => {
                Self { document: "revocation", issuer: None, list: name, took }
            }
        }
    }

    fn succeeded(&self, size: usize, skipped: usize, unchanged: bool) {
        let Self { document, issuer, list, took } = *self;
        tracing::info!(
            issuer,
            list,
            keys = issuer.map(|_| size),
            entries = list.map(|_| size),
            skipped = issuer.map(|_| skipped),
            unchanged,
            milliseconds = milliseconds(took),
            "{document}s refreshed"
        );
    }

    fn interrupted(&self, error: &str) {
        let Self { document, issuer, list, took } = *self;
        let milliseconds = milliseconds(took);
        tracing::info!(
            issuer,
            list,
            milliseconds,
            error,
            "{document} refresh interrupted by a freeze"
        );
    }

    fn failed(&self, failure: &FetchError, backoff: Duration, age: Option<Duration>) {
        let Self { document, issuer, list, took } = *self;
        tracing::warn!(
            issuer,
            list,
            stage = failure.stage.code(),
            error = failure.detail,
            milliseconds = milliseconds(took),
            backoff_milliseconds = milliseconds(backoff),
            age_seconds = age.map(|age| age.as_secs()),
            "{document} refresh failed"
        );
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

    /// A source whose second answer is broken by a freeze, as soon as that is told.
    #[derive(Default)]
    struct Frozen {
        fetches: AtomicUsize,
        thaw: Notify,
    }

    impl Remote for Arc<Frozen> {
        type Document = &'static str;
        type Misses = ();

        const KIND: DocumentKind = DocumentKind::Revocations;

        fn name(&self) -> &str {
            "a list"
        }

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
    }

    #[test]
    fn jitter_is_between_0_and_1_and_differs() {
        let drawn: Vec<_> = (0..1000).map(|_| jitter()).collect();
        assert!(drawn.iter().all(|jitter| (0.0..=1.0).contains(jitter)));
        assert!(drawn.iter().any(|jitter| *jitter < 0.25));
        assert!(drawn.iter().any(|jitter| *jitter > 0.75));
    }

    #[test]
    fn a_time_is_told_in_whole_milliseconds() {
        assert_eq!(milliseconds(Duration::from_micros(1_999_999)), 1999);
        assert_eq!(milliseconds(Duration::MAX), u64::MAX);
    }

    #[tokio::test]
    async fn who_waits_for_a_refresh_that_was_interrupted_waits_for_the_next_attempt() {
        let source = Arc::new(Frozen::default());
        let lifetimes = Lifetimes { fresh: Duration::ZERO, stale: Duration::from_secs(3600) };
        let cache = Cache::empty(lifetimes, Now::read());
        let kept = Cached::new(cache, Some(Arc::clone(&source)), None);
        ended(kept.prefetch().unwrap()).await;
        let look_up = async || {
            let mut pending = Vec::new();
            let found = kept.get(&mut pending, |state, refreshing, now| {
                (state.cache.action(refreshing, &now), state.cache.document().map(|found| **found))
            });
            (found.await.flatten(), pending)
        };
        // The first gives up at its deadline, and the process is frozen. In the second the refresh turns out broken.
        let (found, given_up) = look_up().await;
        assert_eq!((found, given_up.len()), (Some("old"), 1));
        tokio::task::yield_now().await;
        drop(given_up);
        let (found, pending) = look_up().await;
        assert_eq!((found, pending.len()), (Some("old"), 1));
        source.thaw.notify_one();
        for refresh in pending {
            refresh.ended().await;
        }
        assert_eq!(look_up().await.0, Some("new"));
    }
}
