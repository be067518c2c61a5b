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

    /// Writes the log event of an attempt to fetch, which took this many milliseconds.
    fn log(&self, milliseconds: u64, outcome: &Outcome);
}

/// The result of a good fetch.
pub(crate) struct Fetched<D> {
    pub(crate) refreshed: Refreshed<D>,
    pub(crate) max_age: Option<Duration>,
    /// Entries that cannot be used.
    pub(crate) skipped: usize,
}

/// How an attempt to fetch ended, for the log.
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
    /// What the document is called in a status.
    name: String,
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
    last_failure: Option<FetchError>,
}

/// The state of a key set or a revocation list, to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStatus {
    /// The issuers that it serves, or the address of a list without its query.
    pub name: String,
    /// What it is.
    pub kind: DocumentKind,
    /// Whether there is one that can be used: configured, or fetched and not expired.
    pub available: bool,
    /// How many keys or list entries can be used, also if it has expired.
    pub entries: usize,
    /// The time since its source last confirmed it. None for a configured one and for one that was never fetched.
    pub age_seconds: Option<u64>,
    /// Why the last fetch failed. None if it succeeded.
    pub last_failure: Option<FetchError>,
}

impl<S: Remote> Cached<S> {
    pub(crate) fn new(
        name: String,
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
        Arc::new(Self { name, state: Mutex::new(state), source, metrics })
    }

    /// The status now. Waits for nothing.
    pub(crate) fn status(&self) -> SourceStatus {
        let (state, now) = (self.state(), Now::read());
        SourceStatus {
            name: self.name.clone(),
            kind: S::KIND,
            available: state.cache.is_available(&now),
            entries: state.size(),
            age_seconds: state.age(&now).map(|age| age.as_secs()),
            last_failure: state.last_failure.clone(),
        }
    }

    /// The status once a refresh has ended that a request would have to wait for. `pending`: see [`Cached::get`]. For many
    /// sources, call [`Cached::prepare`] for each first, so that they are fetched in parallel.
    pub(crate) async fn status_after_refresh(
        self: &Arc<Self>,
        pending: &mut PendingRefreshes,
    ) -> SourceStatus {
        self.get(pending, |state, now| (state.action(&now), ())).await;
        self.status()
    }

    /// Starts to fetch the first document, unless there is one to answer from.
    pub(crate) fn prefetch(self: &Arc<Self>) -> Option<Completion> {
        let mut state = self.state();
        if state.cache.document().is_some() {
            return None;
        }
        Some(self.start_or_join(&mut state))
    }

    /// Starts the refresh that a look-up would have to wait for, in parallel to others.
    pub(crate) fn prepare(self: &Arc<Self>, pending: &mut PendingRefreshes) {
        let mut state = self.state();
        if state.action(&Now::read()) == CacheAction::RefreshAndWait {
            self.start_or_join(&mut state);
            pending.claim(&mut state.refresh);
        }
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
    /// afterwards. Returns nothing if the document is unavailable, or still awaited when the limit of `pending` is over.
    /// `pending` gets the refresh to wait for when the answer is sent, if there is one.
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
            if !pending.wait_for(completion).await {
                return None;
            }
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
                state.last_failure = Some(failure.clone());
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
        source.log(milliseconds(elapsed), &outcome);
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

    use futures_util::FutureExt as _;
    use tokio::sync::Notify;

    use super::*;
    use crate::remote::cache::Lifetimes;

    const LIFETIMES: Lifetimes =
        Lifetimes { fresh: Duration::ZERO, stale: Duration::from_secs(3600) };

    fn pending() -> PendingRefreshes {
        PendingRefreshes::new(Now::read(), Duration::from_secs(60))
    }

    /// A source that gives its answers when the test says so, and its last one again and again.
    struct Prompted {
        answers: Vec<Result<&'static str, FetchStage>>,
        fetches: AtomicUsize,
        answer: Notify,
    }

    impl Prompted {
        fn new(answers: &[Result<&'static str, FetchStage>]) -> Arc<Prompted> {
            let (answers, fetches) = (answers.to_vec(), AtomicUsize::new(0));
            Arc::new(Prompted { answers, fetches, answer: Notify::new() })
        }
    }

    impl Remote for Arc<Prompted> {
        type Document = &'static str;
        type Misses = ();

        const KIND: DocumentKind = DocumentKind::Keys;

        fn size(document: &Self::Document) -> usize {
            document.len()
        }

        async fn fetch(&self, (): &()) -> Result<Fetched<Self::Document>, FetchError> {
            let earlier = self.fetches.fetch_add(1, Ordering::Relaxed);
            self.answer.notified().await;
            match self.answers[earlier.min(self.answers.len() - 1)] {
                Ok(document) => {
                    let refreshed = Refreshed::Document(Arc::new(document));
                    Ok(Fetched { refreshed, max_age: None, skipped: 0 })
                }
                Err(stage) => Err(FetchError::new(stage, "a list", "busy")),
            }
        }

        fn log(&self, _: u64, _: &Outcome) {}
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
        let answers = [Ok("old"), Err(FetchStage::Interrupted), Ok("new")];
        let (source, cached) = cached_from("a list", &answers, Duration::ZERO);
        source.answer.notify_one();
        cached.prefetch().unwrap().wait_until_done().await;
        let look_up = async || {
            let mut pending = pending();
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
        // Once for the broken refresh, and once for the one that repeats it.
        source.answer.notify_one();
        source.answer.notify_one();
        pending.wait_until_done().await;
        assert_eq!(look_up().await.0, Some("new"));
    }

    fn cached_from(
        name: &str,
        answers: &[Result<&'static str, FetchStage>],
        fresh: Duration,
    ) -> (Arc<Prompted>, Arc<Cached<Arc<Prompted>>>) {
        let source = Prompted::new(answers);
        let cache = Cache::empty(Lifetimes { fresh, ..LIFETIMES }, Now::read());
        (Arc::clone(&source), Cached::new(name.to_owned(), cache, Some(source), None))
    }

    #[tokio::test]
    async fn a_status_waits_for_due_fetches_side_by_side() {
        let (good_source, good) = cached_from("good", &[Ok("abc")], Duration::from_secs(60));
        let (bad_source, bad) =
            cached_from("bad", &[Err(FetchStage::Status)], Duration::from_secs(60));
        let status = |name: &str| SourceStatus {
            name: name.to_owned(),
            kind: DocumentKind::Keys,
            available: false,
            entries: 0,
            age_seconds: None,
            last_failure: None,
        };
        assert_eq!((good.status(), bad.status()), (status("good"), status("bad")));
        let mut pending = pending();
        good.prepare(&mut pending);
        bad.prepare(&mut pending);
        let mut waiting = Box::pin(good.status_after_refresh(&mut pending));
        assert!(waiting.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
        let fetches =
            [&good_source, &bad_source].map(|source| source.fetches.load(Ordering::Relaxed));
        assert_eq!(fetches, [1, 1]);
        good_source.answer.notify_one();
        bad_source.answer.notify_one();
        let found =
            SourceStatus { available: true, entries: 3, age_seconds: Some(0), ..status("good") };
        assert_eq!(waiting.await, found);
        let failed = SourceStatus {
            last_failure: Some(FetchError::new(FetchStage::Status, "a list", "busy")),
            ..status("bad")
        };
        assert_eq!(bad.status_after_refresh(&mut pending).await, failed);
        // In the backoff nothing waits for the network.
        assert_eq!(bad.status_after_refresh(&mut pending).now_or_never(), Some(failed));
        assert_eq!(bad_source.fetches.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_status_does_not_wait_while_a_document_can_be_used() {
        let (source, stale) = cached_from("stale", &[Ok("abc")], Duration::ZERO);
        source.answer.notify_one();
        let mut pending = pending();
        stale.status_after_refresh(&mut pending).await;
        let status = stale.status_after_refresh(&mut pending).now_or_never().unwrap();
        assert!(status.available && !pending.is_empty(), "refreshed in the background");

        let fixed = Cache::fixed("abc", LIFETIMES, Now::read());
        let fixed = Cached::<Arc<Prompted>>::new("fixed".to_owned(), fixed, None, None);
        let status = fixed.status_after_refresh(&mut pending).now_or_never().unwrap();
        assert_eq!((status.available, status.entries, status.age_seconds), (true, 3, None));
    }
}
