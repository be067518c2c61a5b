//! What an identity provider publishes: its discovery document and its key set.

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Now;
use crate::jose::algorithm::Algorithms;
use crate::jose::jwk::{Key, Origin};
use crate::jose::jwks;
use crate::jose::key_set::KeySet;
use crate::keys::discovery;
use crate::keys::misses::Misses;
use crate::metrics::DocumentKind;
use crate::remote::cache::Refreshed;
use crate::remote::http::{Endpoint, FetchError, FetchStage, Fetcher, Response};
use crate::remote::{Fetched, Remote};

/// Where the keys of one source are fetched.
pub(crate) struct Provider {
    issuer: String,
    /// Where the discovery document is, unless the address of the keys is configured.
    discovery: Option<Endpoint>,
    allowed: Algorithms,
    /// Configured symmetric keys. No provider publishes them, so every fetched set keeps them.
    symmetric: Vec<Key>,
    fetcher: Arc<Fetcher>,
    known: Mutex<Known>,
}

/// What is known from one fetch to the next.
#[derive(Clone, Default)]
struct Known {
    keys_at: Option<Endpoint>,
    etag: Option<String>,
    /// When the discovery document was asked for last.
    discovered: Option<Now>,
    /// A miss has asked for a fetch since.
    missed: bool,
}

impl Remote for Provider {
    type Document = KeySet;
    type Misses = Misses;

    const KIND: DocumentKind = DocumentKind::Keys;

    fn name(&self) -> &str {
        &self.issuer
    }

    fn size(keys: &KeySet) -> usize {
        keys.len()
    }

    /// Fetches the key set, and before it, if necessary, the document that says where it is. That is also necessary if
    /// an earlier fetch did not bring all keys that tokens ask for: they may be at another address by now.
    async fn fetch(&self, misses: &Misses) -> Result<Fetched<KeySet>, FetchError> {
        let known = self.known().clone();
        self.known().missed = misses.any_since(known.discovered);
        let keys_at = match known.keys_at.clone() {
            Some(keys_at) if !known.missed || self.discovery.is_none() => keys_at,
            earlier => {
                *self.known() =
                    Known { discovered: Some(Now::read()), missed: false, ..known.clone() };
                self.discover().await.or_else(|failure| earlier.ok_or(failure))?
            }
        };
        let etag = known.etag.filter(|_| known.keys_at.as_ref() == Some(&keys_at));
        let fetched = match self.fetcher.get(&keys_at, etag.as_deref()).await {
            Ok(response) => self.read(response, keys_at),
            Err(failure) => Err(failure),
        };
        if fetched.is_err() && self.discovery.is_some() {
            // The keys may have moved: look again next time.
            *self.known() = Known::default();
        }
        fetched
    }
}

impl Provider {
    /// A provider whose keys are at `keys_at`, or else where its discovery document says.
    pub(crate) fn new(
        issuer: String,
        keys_at: Option<Endpoint>,
        allowed: Algorithms,
        symmetric: Vec<Key>,
        fetcher: Arc<Fetcher>,
    ) -> Self {
        let discovery = if keys_at.is_none() { discovery::endpoint(&issuer) } else { None };
        let known = Mutex::new(Known { keys_at, ..Known::default() });
        Self { issuer, discovery, allowed, symmetric, fetcher, known }
    }

    fn read(&self, response: Response, keys_at: Endpoint) -> Result<Fetched<KeySet>, FetchError> {
        let Response { body, etag, max_age } = response;
        let Some(body) = body else {
            return Ok(Fetched { refreshed: Refreshed::Unchanged, max_age, skipped: 0 });
        };
        let parsed = jwks::parse(&body, self.allowed, Origin::Network);
        let parsed = parsed.map_err(|unusable| FetchError::new(FetchStage::Parse, unusable))?;
        let mut known = self.known();
        (known.keys_at, known.etag) = (Some(keys_at), etag);
        let keys = parsed.keys.into_iter().chain(self.symmetric.iter().cloned());
        Ok(Fetched {
            refreshed: Refreshed::Document(Arc::new(KeySet::new(keys))),
            max_age,
            skipped: parsed.skipped,
        })
    }

    async fn discover(&self) -> Result<Endpoint, FetchError> {
        let unreadable = |detail: String| {
            FetchError::new(FetchStage::Parse, format!("discovery document: {detail}"))
        };
        let endpoint =
            self.discovery.as_ref().ok_or_else(|| unreadable("no address".to_owned()))?;
        let response = self.fetcher.get(endpoint, None).await;
        let response = response.map_err(|failure| {
            FetchError::new(failure.stage, format!("discovery document: {}", failure.detail))
        })?;
        discovery::jwks_uri(&response.body.unwrap_or_default(), &self.issuer).map_err(unreadable)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
