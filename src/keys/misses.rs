//! What the keys at hand lack: a key id that is not in the set is a miss, and so is a signature that does not verify
//! under its key.
//!
//! A miss asks for a refresh, but at most once in [`MISS_COOLDOWN`]: made-up tokens cost the provider nothing. All else
//! is as for every [`Cache`].

use std::time::Duration;

use crate::clock::Now;
use crate::jose::key_set::KeySet;
use crate::remote::cache::{Cache, CacheAction};

/// How often a miss may ask for a refresh.
pub(crate) const MISS_COOLDOWN: Duration = Duration::from_secs(30);

/// Whether the keys at hand match a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyMatch {
    /// There is a key to try.
    Known,
    /// There is none for its `kid` and `alg`.
    Unknown,
    /// There is one, but the signature does not verify under it.
    Mismatch,
}

/// The misses of one key set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Misses {
    /// The last refresh that a miss asked for.
    last: Option<Now>,
}

impl Misses {
    /// What to do for a token that matches the keys at hand like this. `refreshing`: a refresh is under way.
    /// `refreshed`: the provider has confirmed the keys since the token came in, so it is not asked again.
    pub(crate) fn action_for(
        &self,
        cache: &Cache<KeySet>,
        key_match: KeyMatch,
        refreshing: bool,
        refreshed: bool,
        now: &Now,
    ) -> CacheAction {
        let action = cache.action(refreshing, now);
        let is_due = match action {
            CacheAction::Answer => false,
            CacheAction::AnswerAndRefresh => true,
            CacheAction::RefreshAndWait | CacheAction::Wait | CacheAction::Unavailable => {
                return action;
            }
        };
        match key_match {
            KeyMatch::Known => action,
            KeyMatch::Unknown | KeyMatch::Mismatch if refreshed || cache.is_fixed() => {
                CacheAction::Answer
            }
            KeyMatch::Unknown | KeyMatch::Mismatch if refreshing => CacheAction::Wait,
            KeyMatch::Unknown | KeyMatch::Mismatch
                if is_due || !cache.in_backoff(now) && !self.in_cooldown(now) =>
            {
                CacheAction::RefreshAndWait
            }
            // The last request to the provider failed, so nobody knows whether it has the key. A bad signature under a
            // known key stays a bad signature.
            KeyMatch::Unknown if cache.has_failed() => CacheAction::Unavailable,
            KeyMatch::Unknown | KeyMatch::Mismatch => CacheAction::Answer,
        }
    }

    /// A refresh begins for a token that matches like this. Without any keys it is no miss.
    pub(crate) fn asked(&mut self, cache: &Cache<KeySet>, key_match: KeyMatch, now: Now) {
        if key_match != KeyMatch::Known && cache.document().is_some() {
            self.last = Some(now);
        }
    }

    /// Whether a miss has asked for a refresh since then; without a time, whether one ever has.
    pub(crate) fn any_since(&self, then: Option<Now>) -> bool {
        self.last.is_some_and(|last| then.is_none_or(|then| !last.since(&then).is_zero()))
    }

    /// Whether a miss may not ask for a refresh yet.
    fn in_cooldown(&self, now: &Now) -> bool {
        self.last.is_some_and(|last| now.since(&last) < MISS_COOLDOWN)
    }
}

#[cfg(test)]
#[path = "misses_tests.rs"]
mod tests;
