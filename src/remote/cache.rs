//! When a document is used, and when it is refreshed: a pure decision, with the time as an argument.
//!
//! ```text
//!        age <= fresh             age <= stale            older, or none yet
//!     +---------------+       +-----------------+       +----------------------+
//!     | fresh:        | ----> | stale: answer,  | ----> | expired: wait for    |
//!     | answer        |       | refresh in the  |       | the refresh          |
//!     |               |       | background      |       |                      |
//!     +---------------+       +-----------------+       +----------------------+
//!             ^                        |                           |
//!             +------------------------+--- a good answer ---------+
//! ```
//!
//! A failed refresh starts a backoff, in which nothing waits for the network.
//!
//! Nothing here is a timer. Lambda freezes the process between events, so every rule is a comparison at look-up.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Now;

/// The backoff after the first failure, and the longest.
const BACKOFFS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// The shortest `max-age` of an answer that counts.
const SHORTEST_MAX_AGE: Duration = Duration::from_secs(60);

/// How long a document is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetimes {
    /// An older one is stale: it is refreshed in the background.
    pub(crate) fresh: Duration,
    /// An older one has expired: it is not used.
    pub(crate) stale: Duration,
}

/// Whether a refresh is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefreshState {
    Idle,
    UnderWay,
}

/// What to do for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CacheAction {
    /// Answer from the cached document.
    Answer,
    /// Answer from the cached document, and start a refresh in the background.
    AnswerAndRefresh,
    /// Start a refresh, wait for it and look again.
    RefreshAndWait,
    /// Wait for the refresh under way and look again.
    Wait,
    /// No verdict: the document is unavailable.
    Unavailable,
}

/// The result of a good refresh.
#[derive(Debug)]
pub(crate) enum Refreshed<D> {
    /// A new document.
    Document(Arc<D>),
    /// The source says that the cached one is current.
    Unchanged,
}

/// A document and its history.
#[derive(Debug)]
pub(crate) struct Cache<D> {
    lifetimes: Lifetimes,
    document: Option<Arc<D>>,
    /// When the source confirmed the document.
    confirmed: Confirmed,
    /// How long the document counts as fresh.
    fresh: Duration,
    /// Refreshes that failed since the last good one.
    failures: u32,
    backoff: Option<(Now, Duration)>,
}

#[derive(Clone, Copy, Debug)]
enum Confirmed {
    /// By a good answer to a request of this time.
    At(Now),
    /// Never: it is a configured document to start from. Its age is unknown, so it is not fresh, and it is used from this
    /// time on.
    Since(Now),
    /// A configured document without a source. It never expires.
    Static,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Freshness {
    Fresh,
    Stale,
    Expired,
}

impl<D> Cache<D> {
    /// A cache that has yet to fetch.
    pub(crate) fn empty(lifetimes: Lifetimes, now: Now) -> Self {
        Self {
            lifetimes,
            document: None,
            confirmed: Confirmed::Since(now),
            fresh: lifetimes.fresh,
            failures: 0,
            backoff: None,
        }
    }

    /// A cache that starts from a configured document.
    pub(crate) fn seeded(document: D, lifetimes: Lifetimes, now: Now) -> Self {
        Self { document: Some(Arc::new(document)), ..Self::empty(lifetimes, now) }
    }

    /// A configured document that is never refreshed.
    pub(crate) fn fixed(document: D, lifetimes: Lifetimes, now: Now) -> Self {
        Self { confirmed: Confirmed::Static, ..Self::seeded(document, lifetimes, now) }
    }

    /// The cached document, even if it has expired.
    pub(crate) fn document(&self) -> Option<&Arc<D>> {
        self.document.as_ref()
    }

    /// Whether there is a document that can be used.
    pub(crate) fn is_available(&self, now: &Now) -> bool {
        self.freshness(now) != Freshness::Expired
    }

    /// Whether the document is configured and never refreshed.
    pub(crate) fn is_fixed(&self) -> bool {
        matches!(self.confirmed, Confirmed::Static)
    }

    /// When the source was asked that confirmed the cached document. Unknown for a configured one: its source may have
    /// replaced it long ago.
    pub(crate) fn confirmed_at(&self) -> Option<Now> {
        match self.confirmed {
            Confirmed::At(then) => Some(then),
            Confirmed::Since(_) | Confirmed::Static => None,
        }
    }

    /// What to do for a token that the cached document can answer.
    pub(crate) fn action(&self, refresh: RefreshState, now: &Now) -> CacheAction {
        if self.is_fixed() {
            return CacheAction::Answer;
        }
        match (self.freshness(now), refresh) {
            (Freshness::Fresh, _) => CacheAction::Answer,
            (Freshness::Stale, RefreshState::UnderWay) => CacheAction::Answer,
            (Freshness::Stale, RefreshState::Idle) if self.in_backoff(now) => CacheAction::Answer,
            (Freshness::Stale, RefreshState::Idle) => CacheAction::AnswerAndRefresh,
            (Freshness::Expired, RefreshState::UnderWay) => CacheAction::Wait,
            (Freshness::Expired, RefreshState::Idle) if self.in_backoff(now) => {
                CacheAction::Unavailable
            }
            (Freshness::Expired, RefreshState::Idle) => CacheAction::RefreshAndWait,
        }
    }

    /// A refresh succeeded. `max_age` is the lifetime that the source gave its answer. The answer is as old as the request
    /// (RFC 9111 section 4.2.3): it may have waited for a frozen process.
    pub(crate) fn succeeded(
        &mut self,
        refreshed: Refreshed<D>,
        max_age: Option<Duration>,
        requested_at: Now,
    ) {
        if let Refreshed::Document(document) = refreshed {
            self.document = Some(document);
            self.fresh = self.lifetimes.fresh;
        }
        // RFC 9111 section 4.3.4: without a `max-age`, a 304 leaves the earlier one in force.
        if let Some(max_age) = max_age {
            self.fresh = self.lifetimes.fresh.min(max_age.max(SHORTEST_MAX_AGE));
        }
        self.confirmed = Confirmed::At(requested_at);
        (self.failures, self.backoff) = (0, None);
    }

    /// A refresh failed. `jitter`, from 0 to 1, spreads the next attempts of many processes.
    pub(crate) fn failed(&mut self, jitter: f64, now: Now) -> Duration {
        let (first, longest) = BACKOFFS;
        let backoff = first.saturating_mul(1 << self.failures.min(16)).min(longest);
        let backoff = backoff.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0));
        self.failures = self.failures.saturating_add(1);
        self.backoff = Some((now, backoff));
        backoff
    }

    /// Whether the last refresh failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failures > 0
    }

    pub(crate) fn in_backoff(&self, now: &Now) -> bool {
        self.backoff.is_some_and(|(since, length)| now.since(&since) < length)
    }

    fn freshness(&self, now: &Now) -> Freshness {
        let age = match self.confirmed {
            Confirmed::At(then) | Confirmed::Since(then) => now.since(&then),
            Confirmed::Static => Duration::ZERO,
        };
        match self.confirmed {
            _ if self.document.is_none() || age > self.lifetimes.stale => Freshness::Expired,
            Confirmed::At(_) if age <= self.fresh => Freshness::Fresh,
            _ => Freshness::Stale,
        }
    }
}

// `keys/misses_tests.rs` tests histories of keys, misses included; `revocation/histories_tests.rs` those of a list.
#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIMES: Lifetimes =
        Lifetimes { fresh: Duration::from_secs(60), stale: Duration::from_secs(3600) };

    #[test]
    fn a_document_is_used_and_refreshed_by_its_age() {
        use CacheAction::{Answer, AnswerAndRefresh, RefreshAndWait, Unavailable, Wait};
        let start = Now::at(1_800_000_000.0);
        let mut cache = Cache::empty(LIFETIMES, start);
        assert_eq!(cache.action(RefreshState::Idle, &start), RefreshAndWait);
        assert_eq!(cache.action(RefreshState::UnderWay, &start), Wait);
        cache.succeeded(Refreshed::Document(Arc::new("list")), None, start);
        // Without a refresh under way, with one, and in a backoff.
        for (age, idle, refreshing, in_backoff) in [
            (0.0, Answer, Answer, Answer),
            (60.0, Answer, Answer, Answer),
            (60.001, AnswerAndRefresh, Answer, Answer),
            (3600.0, AnswerAndRefresh, Answer, Answer),
            (3600.001, RefreshAndWait, Wait, Unavailable),
        ] {
            let now = start.later(Duration::from_secs_f64(age));
            assert_eq!(cache.action(RefreshState::Idle, &now), idle, "{age} s");
            assert_eq!(cache.action(RefreshState::UnderWay, &now), refreshing, "{age} s");
            let mut failing = Cache::empty(LIFETIMES, start);
            failing.succeeded(Refreshed::Document(Arc::new("list")), None, start);
            failing.failed(1.0, now);
            assert_eq!(failing.action(RefreshState::Idle, &now), in_backoff, "{age} s");
            let over = now.later(Duration::from_secs(1));
            assert!(!failing.in_backoff(&over) && failing.has_failed());
        }
    }

    #[test]
    fn a_confirmed_document_is_fresh_for_its_max_age() {
        let start = Now::at(1_800_000_000.0);
        let lifetimes = Lifetimes { fresh: Duration::from_secs(600), ..LIFETIMES };
        let mut cache = Cache::empty(lifetimes, start);
        let mut requested_at = start;
        for (document, max_age, fresh) in [
            (Some("list"), Some(90), 90),
            (None, None, 90),
            (None, Some(1), 60),
            (None, None, 60),
            (None, Some(700), 600),
            (Some("list"), Some(90), 90),
            (Some("list"), None, 600),
        ] {
            requested_at = requested_at.later(Duration::from_secs(1));
            let refreshed = document
                .map_or(Refreshed::Unchanged, |document| Refreshed::Document(Arc::new(document)));
            cache.succeeded(refreshed, max_age.map(Duration::from_secs), requested_at);
            let last = requested_at.later(Duration::from_secs(fresh));
            assert_eq!(cache.action(RefreshState::Idle, &last), CacheAction::Answer, "{max_age:?}");
            let over = last.later(Duration::from_millis(1));
            assert_eq!(
                cache.action(RefreshState::Idle, &over),
                CacheAction::AnswerAndRefresh,
                "{max_age:?}"
            );
        }
    }

    #[test]
    fn only_an_answer_of_the_source_has_an_age() {
        let start = Now::at(1_800_000_000.0);
        let mut empty = Cache::<()>::empty(LIFETIMES, start);
        let fixed = Cache::fixed((), LIFETIMES, start);
        assert!(empty.confirmed_at().is_none() && empty.document().is_none());
        assert!(Cache::seeded((), LIFETIMES, start).confirmed_at().is_none());
        assert!(fixed.confirmed_at().is_none() && fixed.is_fixed() && !empty.is_fixed());
        let requested_at = start.later(Duration::from_secs(5));
        empty.succeeded(Refreshed::Document(Arc::new(())), None, requested_at);
        assert_eq!(
            empty.confirmed_at().map(|then| then.since(&start)),
            Some(Duration::from_secs(5))
        );
    }
}
