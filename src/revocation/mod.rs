//! Tokens that an issuer has revoked: a list that is configured, or fetched and kept fresh like the keys.

pub(crate) mod list;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::Now;
use crate::denial::Refusal;
use crate::jose::token::Claims;
use crate::metrics::{DocumentKind, Metrics};
use crate::reason::Obstacle;
use crate::remote::cache::{Cache, Lifetimes, Refreshed};
use crate::remote::endpoint::Endpoint;
use crate::remote::error::{FetchError, FetchStage};
use crate::remote::http::{Fetcher, Response};
use crate::remote::refresh::PendingRefreshes;
use crate::remote::{Cached, Fetched, Outcome, Remote};
use crate::revocation::list::RevocationList;

/// A revocation list. Issuers that name the same address share it.
pub(crate) type Revocations = Cached<Publisher>;

/// Where a list is fetched.
pub(crate) struct Publisher {
    list_at: Endpoint,
    fetcher: Arc<Fetcher>,
    /// Of the cached list.
    etag: Mutex<Option<String>>,
}

impl Publisher {
    fn etag(&self) -> MutexGuard<'_, Option<String>> {
        self.etag.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remote for Publisher {
    type Document = RevocationList;
    /// A token that is not on the list is not revoked, so there are no misses.
    type Misses = ();

    const KIND: DocumentKind = DocumentKind::Revocations;

    fn size(list: &RevocationList) -> usize {
        list.len()
    }

    async fn fetch(&self, (): &()) -> Result<Fetched<RevocationList>, FetchError> {
        let etag = self.etag().clone();
        let Response { body, etag, max_age, address } =
            self.fetcher.get(&self.list_at, etag.as_deref()).await?;
        let Some(body) = body else {
            return Ok(Fetched { refreshed: Refreshed::Unchanged, max_age, skipped: 0 });
        };
        let list = RevocationList::parse(&body)
            .map_err(|problem| FetchError::new(FetchStage::Parse, &address, problem))?;
        *self.etag() = etag;
        Ok(Fetched { refreshed: Refreshed::Document(Arc::new(list)), max_age, skipped: 0 })
    }

    fn log(&self, milliseconds: u64, outcome: &Outcome) {
        let list = self.list_at.shown();
        match outcome {
            Outcome::Refreshed { size: entries, unchanged, .. } => {
                tracing::info!(list, entries, unchanged, milliseconds, "revocations refreshed");
            }
            Outcome::Failed { failure, backoff_milliseconds, age_seconds } => tracing::warn!(
                list,
                stage = failure.stage(),
                error = failure.detail,
                milliseconds,
                backoff_milliseconds,
                age_seconds,
                "revocation refresh failed"
            ),
            Outcome::Interrupted(failure) => tracing::info!(
                list,
                milliseconds,
                error = failure.detail,
                "revocation refresh interrupted by a freeze"
            ),
        }
    }
}

impl Revocations {
    /// A configured list of these issuers, and no network.
    pub(crate) fn fixed(issuers: String, list: RevocationList, lifetimes: Lifetimes) -> Arc<Self> {
        Self::new(issuers, Cache::fixed(list, lifetimes, Now::read()), None, None)
    }

    /// The list at this address.
    pub(crate) fn at(
        list_at: Endpoint,
        lifetimes: Lifetimes,
        fetcher: Arc<Fetcher>,
        metrics: Option<Arc<Metrics>>,
    ) -> Arc<Self> {
        let name = list_at.shown();
        let publisher = Publisher { list_at, fetcher, etag: Mutex::default() };
        Self::new(name, Cache::empty(lifetimes, Now::read()), Some(publisher), metrics)
    }

    /// Refuses a token that is on the list. `latest`: see [`RevocationList::check`]; `pending`: see [`Cached::get`].
    pub(crate) async fn check(
        self: &Arc<Self>,
        claims: &Claims,
        latest: f64,
        pending: &mut PendingRefreshes,
    ) -> Result<(), Refusal> {
        let list =
            self.get(pending, |state, now| (state.action(&now), state.cache.document().cloned()));
        let Some(list) = list.await.flatten() else {
            let detail = "the revocation list of the token's issuer is unavailable now";
            return Err(Obstacle::RevocationsUnavailable.because(detail).into());
        };
        Ok(list.check(claims, latest)?)
    }
}

#[cfg(test)]
mod histories_tests;
