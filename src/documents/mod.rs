//! Documents that are fetched and kept in process, key sets and revocation lists: looked up without waiting, refreshed
//! by one task at a time.
//!
//! [`Cache`] decides, and who looks a document up does what it says. A refresh is a task of its own, so it runs in the
//! background. Lambda freezes the process when the next event is asked for, and a refresh that every freeze interrupts
//! would never end. So one invocation waits for it once its answer is sent: see [`PendingRefresh`]. A refresh that a
//! freeze interrupted all the same says nothing about the source.

pub(crate) mod cache;
pub(crate) mod http;
pub(crate) mod refresh;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Now;
use crate::documents::cache::{Cache, CacheAction, Refreshed};
use crate::documents::http::{FetchError, FetchStage};
use crate::documents::refresh::{Ended, PendingRefresh, Refresh};
use crate::metrics::{DocumentKind, Metrics};

/// How often one token waits. Once is enough, unless a freeze broke the refresh that it waited for.
pub(crate) const MAX_WAITS: usize = 3;

/// Where a kind of document comes from.
pub(crate) trait Source: Send + Sync + 'static {
    type Document: Send + Sync;
    /// What is remembered of look-ups that the document at hand had no answer to.
    type Misses: Default + Send;

    const KIND: DocumentKind;

    /// What the log calls it.
    fn name(&self) -> &str;

    /// How many entries a document has.
    fn size(document: &Self::Document) -> usize;

    fn fetch(
        &self,
    ) -> impl Future<Output = Result<Fetched<Self::Document>, FetchError>> + Send + '_;
}

/// A fetch that went well.
pub(crate) struct Fetched<D> {
    pub(crate) refreshed: Refreshed<D>,
    pub(crate) max_age: Option<Duration>,
    /// Entries that cannot be used.
    pub(crate) skipped: usize,
}

/// A document of one source, kept fresh.
pub(crate) struct Kept<S: Source> {
    state: Mutex<State<S>>,
    /// None: the document is configured and never refreshed.
    source: Option<S>,
    /// With the document's place among those whose age is told.
    metrics: Option<(Arc<Metrics>, usize)>,
}

pub(crate) struct State<S: Source> {
    pub(crate) cache: Cache<S::Document>,
    pub(crate) misses: S::Misses,
    pub(crate) refresh: Refresh,
    /// Good answers so far.
    pub(crate) successes: u64,
    /// Why the last fetch failed, if it did.
    last_failure: Option<String>,
}

/// Where a look-up led.
pub(crate) enum Lookup {
    /// To the document at hand.
    Answer,
    /// To a refresh that is to be waited for, before the document is looked up again.
    Wait(Ended),
    Unavailable,
}

/// What is at hand, to be shown.
pub(crate) struct Status {
    /// The entries of the document.
    pub(crate) size: usize,
    /// The stage that broke, and how, if the last fetch failed.
    pub(crate) last_failure: Option<String>,
}

impl<S: Source> Kept<S> {
    pub(crate) fn new(
        cache: Cache<S::Document>,
        source: Option<S>,
        metrics: Option<Arc<Metrics>>,
    ) -> Arc<Self> {
        let state = State {
            cache,
            misses: S::Misses::default(),
            refresh: Refresh::default(),
            successes: 0,
            last_failure: None,
        };
        let metrics = metrics.map(|metrics| {
            let place = metrics.keep_age(S::KIND);
            (metrics, place)
        });
        Arc::new(Self { state: Mutex::new(state), source, metrics })
    }

    pub(crate) fn status(&self) -> Status {
        let state = self.state();
        Status { size: state.size(), last_failure: state.last_failure.clone() }
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

    /// Does what the cache says. `pending` gets the refresh that is to be waited for when the answer is sent, if there
    /// is one.
    pub(crate) fn follow(
        self: &Arc<Self>,
        action: CacheAction,
        state: &mut State<S>,
        pending: &mut Vec<PendingRefresh>,
    ) -> Lookup {
        match action {
            CacheAction::Answer => {}
            CacheAction::AnswerAndRefresh => _ = self.start_or_join(state),
            CacheAction::RefreshAndWait => {
                let refresh = self.start_or_join(state);
                pending.extend(state.refresh.claim());
                return Lookup::Wait(refresh);
            }
            CacheAction::Wait => return Lookup::Wait(self.start_or_join(state)),
            CacheAction::Unavailable => return Lookup::Unavailable,
        }
        pending.extend(state.refresh.claim());
        Lookup::Answer
    }

    async fn refresh(&self) {
        let Some(source) = &self.source else { return };
        let asked = Now::read();
        let fetched = source.fetch().await;
        let now = Now::read();
        let mut state = self.state();
        let mut attempt = Attempt::new::<S>(source, now.since(&asked));
        match fetched {
            Ok(Fetched { refreshed, max_age, skipped }) => {
                let unchanged = matches!(refreshed, Refreshed::Unchanged);
                state.cache.succeeded(refreshed, max_age, asked);
                state.successes += 1;
                state.last_failure = None;
                attempt.succeeded(state.size(), skipped, unchanged);
            }
            Err(failure) if failure.stage == FetchStage::Interrupted => {
                attempt.interrupted(&failure.detail);
            }
            Err(failure) => {
                state.last_failure = Some(failure.to_string());
                let backoff = state.cache.failed(jitter(), now);
                let age = state.cache.confirmed_at().map(|then| now.since(&then));
                attempt.failed(&failure, backoff, age);
            }
        }
        if let Some((metrics, place)) = &self.metrics {
            let confirmed = state.cache.confirmed_at();
            metrics.fetched(*place, confirmed, attempt.has_failed, attempt.took, &now);
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Source> State<S> {
    fn size(&self) -> usize {
        self.cache.document().map_or(0, |document| S::size(document))
    }
}

/// An attempt to fetch, as the log tells it. No kind of document has code of its own for this.
struct Attempt<'s> {
    kind: DocumentKind,
    /// The issuer whose keys they are.
    issuer: Option<&'s str>,
    /// The address of the list.
    list: Option<&'s str>,
    took: Duration,
    has_failed: bool,
}

impl<'s> Attempt<'s> {
    fn new<S: Source>(source: &'s S, took: Duration) -> Self {
        let name = Some(source.name());
        let (issuer, list) = match S::KIND {
            DocumentKind::Keys => (name, None),
            DocumentKind::Revocations => (None, name),
        };
        Self { kind: S::KIND, issuer, list, took, has_failed: false }
    }

    fn succeeded(&self, size: usize, skipped: usize, unchanged: bool) {
        let Self { issuer, list, .. } = self;
        let milliseconds = milliseconds(self.took);
        match self.kind {
            DocumentKind::Keys => {
                tracing::info!(
                    issuer,
                    keys = size,
                    skipped,
                    unchanged,
                    milliseconds,
                    "keys refreshed"
                );
            }
            DocumentKind::Revocations => {
                let entries = size;
                tracing::info!(list, entries, unchanged, milliseconds, "revocations refreshed");
            }
        }
    }

    fn interrupted(&self, error: &str) {
        let Self { issuer, list, .. } = self;
        let message = match self.kind {
            DocumentKind::Keys => "key refresh interrupted by a freeze",
            DocumentKind::Revocations => "revocation refresh interrupted by a freeze",
        };
        tracing::info!(issuer, list, milliseconds = milliseconds(self.took), error, "{message}");
    }

    fn failed(&mut self, failure: &FetchError, backoff: Duration, age: Option<Duration>) {
        self.has_failed = true;
        let Self { issuer, list, .. } = self;
        let message = match self.kind {
            DocumentKind::Keys => "key refresh failed",
            DocumentKind::Revocations => "revocation refresh failed",
        };
        tracing::warn!(
            issuer,
            list,
            stage = failure.stage.code(),
            error = failure.detail,
            milliseconds = milliseconds(self.took),
            backoff_milliseconds = milliseconds(backoff),
            age_seconds = age.map(|age| age.as_secs()),
            "{message}"
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
