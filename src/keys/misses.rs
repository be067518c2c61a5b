//! Look-ups that the cached keys had no answer to: a miss is a key id that is not in the set, or a signature that does
//! not verify under its key.
//!
//! A miss asks for a refresh, but at most once in [`MISS_COOLDOWN`]: made-up tokens cost the provider nothing. All else
//! is as for every [`Cache`].

use std::time::Duration;

use crate::clock::Now;
use crate::jose::key_set::KeySet;
use crate::remote::cache::{Cache, CacheAction, RefreshState};

/// How often a miss may ask for a refresh.
pub(crate) const MISS_COOLDOWN: Duration = Duration::from_secs(30);

/// Whether the cached keys match a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyMatch {
    /// There is a key to try.
    Known,
    /// There is none for its `kid` and `alg`.
    Unknown,
    /// There is one, but the signature does not verify under it.
    Mismatch,
}

/// When the provider last confirmed the cached keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirmation {
    /// Before the token was received, or never.
    BeforeToken,
    /// Since the token was received, so the provider is not asked again for this token.
    SinceToken,
}

/// The misses of one key set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Misses {
    /// When a miss last asked for a refresh.
    requested_at: Option<Now>,
}

impl Misses {
    /// What to do for a token that matches the cached keys like this.
    pub(crate) fn action_for(
        &self,
        cache: &Cache<KeySet>,
        key_match: KeyMatch,
        refresh: RefreshState,
        confirmation: Confirmation,
        now: &Now,
    ) -> CacheAction {
        let action = cache.action(refresh, now);
        let is_due = match action {
            CacheAction::Answer => false,
            CacheAction::AnswerAndRefresh => true,
            CacheAction::RefreshAndWait | CacheAction::Wait | CacheAction::Unavailable => {
                return action;
            }
        };
        if key_match == KeyMatch::Known {
            return action;
        }
        if confirmation == Confirmation::SinceToken || cache.is_fixed() {
            return CacheAction::Answer;
        }
        if refresh == RefreshState::UnderWay {
            return CacheAction::Wait;
        }
        if is_due || !cache.in_backoff(now) && !self.in_cooldown(now) {
            return CacheAction::RefreshAndWait;
        }
        // The last request to the provider failed, so nobody knows whether it has the key. A bad signature under a known
        // key stays a bad signature.
        if key_match == KeyMatch::Unknown && cache.has_failed() {
            return CacheAction::Unavailable;
        }
        CacheAction::Answer
    }

    /// A refresh starts for a token that matches like this. Without any keys it is no miss.
    pub(crate) fn record(&mut self, cache: &Cache<KeySet>, key_match: KeyMatch, now: Now) {
        if key_match != KeyMatch::Known && cache.document().is_some() {
            self.requested_at = Some(now);
        }
    }

    /// Whether a miss has asked for a refresh since then; without a time, whether one ever has.
    pub(crate) fn any_since(&self, then: Option<Now>) -> bool {
        let Some(requested_at) = self.requested_at else { return false };
        then.is_none_or(|then| !requested_at.since(&then).is_zero())
    }

    /// Whether no miss may ask for a refresh yet.
    fn in_cooldown(&self, now: &Now) -> bool {
        self.requested_at.is_some_and(|then| now.since(&then) < MISS_COOLDOWN)
    }
}

#[cfg(test)]
#[path = "misses_tests.rs"]
mod tests;
