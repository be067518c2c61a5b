//! Tokens that an issuer has taken back: a list that is configured, or fetched and kept fresh beside the keys.

pub(crate) mod list;

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Now;
use crate::denial::Refusal;
use crate::jose::token::Claims;
use crate::metrics::{DocumentKind, Metrics};
use crate::reason::Obstacle;
use crate::remote::cache::{Cache, CacheAction, Lifetimes, Refreshed};
use crate::remote::http::{Endpoint, FetchError, FetchStage, Fetcher, Response};
use crate::remote::refresh::PendingRefresh;
use crate::remote::{Cached, Fetched, Remote};
use crate::revocation::list::RevocationList;

/// A revocation list. Issuers that name the same address share it.
pub(crate) type Revocations = Cached<Publisher>;

/// Where a list is fetched.
pub(crate) struct Publisher {
    list_at: Endpoint,
    /// The address without its query, which may be a signature.
    name: String,
    fetcher: Arc<Fetcher>,
    /// Of the list at hand.
    etag: Mutex<Option<String>>,
}

impl Remote for Publisher {
    type Document = RevocationList;
    /// A token that is not on the list is not revoked, so there are no misses.
    type Misses = ();

    const KIND: DocumentKind = DocumentKind::Revocations;

    fn name(&self) -> &str {
        &self.name
    }

    fn size(list: &RevocationList) -> usize {
        list.len()
    }

    async fn fetch(&self, (): &()) -> Result<Fetched<RevocationList>, FetchError> {
        let known = || self.etag.lock().unwrap_or_else(PoisonError::into_inner);
        let etag = known().clone();
        let Response { body, etag, max_age } =
            self.fetcher.get(&self.list_at, etag.as_deref()).await?;
        let Some(body) = body else {
            return Ok(Fetched { refreshed: Refreshed::Unchanged, max_age, skipped: 0 });
        };
        let list = RevocationList::parse(&body);
        let list = list.map_err(|problem| FetchError::new(FetchStage::Parse, problem))?;
        *known() = etag;
        Ok(Fetched { refreshed: Refreshed::Document(Arc::new(list)), max_age, skipped: 0 })
    }
}

impl Revocations {
    /// A configured list, and no network.
    pub(crate) fn fixed(list: RevocationList, lifetimes: Lifetimes) -> Arc<Self> {
        Self::new(Cache::fixed(list, lifetimes, Now::read()), None, None)
    }

    /// The list at this address.
    pub(crate) fn at(
        list_at: Endpoint,
        lifetimes: Lifetimes,
        fetcher: Arc<Fetcher>,
        metrics: Option<Arc<Metrics>>,
    ) -> Arc<Self> {
        let name = list_at.without_query().to_owned();
        let publisher = Publisher { list_at, name, fetcher, etag: Mutex::default() };
        Self::new(Cache::empty(lifetimes, Now::read()), Some(publisher), metrics)
    }

    /// Starts the refresh that a check would have to wait for, in parallel to that of the keys. A forged token cannot
    /// trigger more fetches this way than a good one.
    pub(crate) fn prepare(self: &Arc<Self>, pending: &mut Vec<PendingRefresh>) {
        let mut state = self.state();
        let refreshing = state.refresh.under_way().is_some();
        if state.cache.action(refreshing, &Now::read()) == CacheAction::RefreshAndWait {
            self.start_or_join(&mut state);
            pending.extend(state.refresh.claim());
        }
    }

    /// Refuses a token that the list holds. `pending`: see [`Cached::get`].
    pub(crate) async fn check(
        self: &Arc<Self>,
        claims: &Claims,
        pending: &mut Vec<PendingRefresh>,
    ) -> Result<(), Refusal> {
        let list = self.get(pending, |state, refreshing, now| {
            (state.cache.action(refreshing, &now), state.cache.document().cloned())
        });
        let Some(list) = list.await.flatten() else {
            let detail = "the revocation list of the token's issuer is unavailable now";
            return Err(Obstacle::RevocationsUnavailable.because(detail).into());
        };
        Ok(list.check(claims)?)
    }
}

#[cfg(test)]
mod histories_tests;
