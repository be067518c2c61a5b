//! When the keys of one issuer serve, and when they are renewed: a pure decision, with the time as an argument.
//!
//! ```text
//!            age <= fresh            age <= stale              older, or none yet
//!          +-------------+        +---------------+        +----------------------+
//!          |    fresh    | -----> |     aging     | -----> |       too old        |
//!          | answer      |        | answer, renew |        | wait for the renewal |
//!          +-------------+        | beside        |        +----------------------+
//!                 ^               +---------------+                    |
//!                 +----------------------- renewed --------------------+
//! ```
//!
//! A key id that is not in the set, and a signature that does not verify under its key, ask for a renewal too,
//! but at most once in [`DOUBT_INTERVAL`], so that made-up tokens cost the provider nothing. A failed renewal
//! starts a pause, in which nothing waits for the network.
//!
//! Nothing here is a timer: Lambda freezes the process between events, so every rule is a comparison at look-up.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Now;
use crate::jwks::KeySet;

/// How often a token that does not fit the keys at hand may ask for a renewal.
pub(crate) const DOUBT_INTERVAL: Duration = Duration::from_secs(30);

/// The pause after the first failure, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A provider that asks for a shorter life of its keys gets no shorter one than this.
const SHORTEST_MAX_AGE: Duration = Duration::from_secs(60);

/// How long keys serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetimes {
    /// Older keys are renewed beside the answers.
    pub(crate) fresh: Duration,
    /// Older keys are not used.
    pub(crate) stale: Duration,
}

/// How the keys at hand stand to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// There is a key to try.
    Known,
    /// There is none for its `kid` and `alg`.
    Unknown,
    /// There is one, but the signature does not verify under it.
    Mismatch,
}

/// What to do for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Answer from the keys at hand.
    Answer,
    /// Answer from the keys at hand, and start a renewal beside.
    AnswerAndRenew,
    /// Start a renewal, wait for it and look again.
    RenewAndWait,
    /// Wait for the renewal that is under way and look again.
    Wait,
    /// No verdict: the keys that are needed cannot be had now.
    Unavailable,
}

/// What came of a renewal.
#[derive(Debug)]
pub(crate) enum Renewed {
    /// A new set.
    Keys(Arc<KeySet>),
    /// The provider says that the set at hand is still right.
    Unchanged,
}

/// The keys of one issuer and the history that decides about them.
#[derive(Debug)]
pub(crate) struct Cache {
    lifetimes: Lifetimes,
    keys: Option<Arc<KeySet>>,
    /// When the keys were known to be the provider's.
    confirmed: Confirmed,
    /// How long the keys count as fresh.
    fresh: Duration,
    /// The last renewal that a token asked for which did not fit.
    doubted: Option<Now>,
    /// Renewals that failed since the last that did not.
    failures: u32,
    pause: Option<(Now, Duration)>,
}

#[derive(Clone, Copy, Debug)]
enum Confirmed {
    /// By a good answer of the provider.
    At(Now),
    /// Configured keys, to start from: of unknown age, so not fresh, and usable from this time on.
    Since(Now),
    /// Configured keys that have no provider: as they are, for ever.
    Always,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    Fresh,
    Aging,
    TooOld,
}

impl Cache {
    /// A cache that has yet to fetch.
    pub(crate) fn empty(lifetimes: Lifetimes, now: Now) -> Self {
        Self {
            lifetimes,
            keys: None,
            confirmed: Confirmed::Since(now),
            fresh: lifetimes.fresh,
            doubted: None,
            failures: 0,
            pause: None,
        }
    }

    /// A cache that starts from configured keys.
    pub(crate) fn seeded(keys: KeySet, lifetimes: Lifetimes, now: Now) -> Self {
        Self { keys: Some(Arc::new(keys)), ..Self::empty(lifetimes, now) }
    }

    /// Configured keys that are never renewed.
    pub(crate) fn fixed(keys: KeySet, lifetimes: Lifetimes, now: Now) -> Self {
        Self { confirmed: Confirmed::Always, ..Self::seeded(keys, lifetimes, now) }
    }

    /// The keys at hand, of whatever age.
    pub(crate) fn keys(&self) -> Option<&Arc<KeySet>> {
        self.keys.as_ref()
    }

    /// Seconds since the keys at hand were known to be the provider's.
    pub(crate) fn age(&self, now: &Now) -> Duration {
        match self.confirmed {
            Confirmed::At(then) | Confirmed::Since(then) => now.since(&then),
            Confirmed::Always => Duration::ZERO,
        }
    }

    /// What to do for a token that fits the keys at hand like this. `renewing`: a renewal is under way. `renewed`:
    /// the provider has confirmed the keys since the token came in, so it need not be asked again.
    pub(crate) fn advise(&self, fit: Fit, renewing: bool, renewed: bool, now: &Now) -> Advice {
        if matches!(self.confirmed, Confirmed::Always) {
            return Advice::Answer;
        }
        let age = self.state(now);
        if age == Age::TooOld {
            return match () {
                () if renewing => Advice::Wait,
                () if self.is_paused(now) => Advice::Unavailable,
                () => Advice::RenewAndWait,
            };
        }
        let due = age == Age::Aging && !renewing && !self.is_paused(now);
        match fit {
            Fit::Known if due => Advice::AnswerAndRenew,
            Fit::Known => Advice::Answer,
            Fit::Unknown | Fit::Mismatch if renewed => Advice::Answer,
            Fit::Unknown | Fit::Mismatch if renewing => Advice::Wait,
            Fit::Unknown | Fit::Mismatch if due || self.may_doubt(now) => Advice::RenewAndWait,
            // The provider was asked a moment ago. If it did not answer, who knows whether it has the key by now;
            // a bad signature under a known key is a bad signature all the same.
            Fit::Unknown if self.failures > 0 => Advice::Unavailable,
            Fit::Unknown | Fit::Mismatch => Advice::Answer,
        }
    }

    /// A token that does not fit has asked for a renewal, or waits for one.
    pub(crate) fn doubted(&mut self, now: Now) {
        self.doubted = Some(now);
    }

    /// A renewal succeeded. `max_age` is what the provider said of the life of its answer.
    pub(crate) fn succeeded(&mut self, renewed: Renewed, max_age: Option<Duration>, now: Now) {
        if let Renewed::Keys(keys) = renewed {
            self.keys = Some(keys);
        }
        self.confirmed = Confirmed::At(now);
        let asked = max_age.map_or(Duration::MAX, |max_age| max_age.max(SHORTEST_MAX_AGE));
        self.fresh = self.lifetimes.fresh.min(asked);
        (self.failures, self.pause) = (0, None);
    }

    /// A renewal failed. `jitter`, from 0 to 1, spreads the next attempts of many processes.
    pub(crate) fn failed(&mut self, jitter: f64, now: Now) -> Duration {
        let (first, longest) = PAUSES;
        let pause = first.saturating_mul(1 << self.failures.min(16)).min(longest);
        let pause = pause.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0));
        self.failures = self.failures.saturating_add(1);
        self.pause = Some((now, pause));
        pause
    }

    fn state(&self, now: &Now) -> Age {
        let age = self.age(now);
        match self.confirmed {
            _ if self.keys.is_none() || age > self.lifetimes.stale => Age::TooOld,
            Confirmed::At(_) if age <= self.fresh => Age::Fresh,
            _ => Age::Aging,
        }
    }

    fn is_paused(&self, now: &Now) -> bool {
        self.pause.is_some_and(|(since, length)| now.since(&since) < length)
    }

    fn may_doubt(&self, now: &Now) -> bool {
        !self.is_paused(now) && self.doubted.is_none_or(|last| now.since(&last) >= DOUBT_INTERVAL)
    }
}
