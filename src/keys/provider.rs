//! What an identity provider publishes: its discovery document and its key set.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};

use crate::clock::Now;
use crate::excerpt::excerpt;
use crate::jose::algorithm::Algorithms;
use crate::jose::jwk::{Key, Origin};
use crate::jose::jwks::{self, ParsedKeys};
use crate::jose::key_set::KeySet;
use crate::jose::skipped::{ListedKey, SkippedKey};
use crate::keys::discovery;
use crate::keys::misses::Misses;
use crate::metrics::DocumentKind;
use crate::remote::cache::Refreshed;
use crate::remote::endpoint::Endpoint;
use crate::remote::error::{FetchError, FetchStage};
use crate::remote::http::{Fetcher, Response};
use crate::remote::{Fetched, Outcome, Remote};

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
    /// When the discovery document was last requested.
    discovered_at: Option<Now>,
    /// A miss has asked for a fetch since.
    missed: bool,
    /// The hash of the last set whose skipped keys were logged.
    logged: Option<[u8; 32]>,
}

impl Remote for Provider {
    type Document = KeySet;
    type Misses = Misses;

    const KIND: DocumentKind = DocumentKind::Keys;

    fn size(keys: &KeySet) -> usize {
        keys.len()
    }

    async fn fetch(&self, misses: &Misses) -> Result<Fetched<KeySet>, FetchError> {
        let fetched = self.fetch_keys(misses).await;
        if fetched.is_err() && self.discovery.is_some() {
            // The keys may have moved: the next fetch looks for them again.
            let mut known = self.known();
            *known = Known { logged: known.logged.take(), ..Known::default() };
        }
        fetched
    }

    fn log(&self, milliseconds: u64, outcome: &Outcome) {
        let issuer = &*self.issuer;
        match outcome {
            Outcome::Refreshed { size: keys, skipped, unchanged } => {
                tracing::info!(issuer, keys, skipped, unchanged, milliseconds, "keys refreshed");
            }
            Outcome::Failed { failure, backoff_milliseconds, age_seconds } => tracing::warn!(
                issuer,
                stage = failure.stage(),
                error = failure.detail,
                milliseconds,
                backoff_milliseconds,
                age_seconds,
                "key refresh failed"
            ),
            Outcome::Interrupted(failure) => tracing::info!(
                issuer,
                milliseconds,
                error = failure.detail,
                "key refresh interrupted by a freeze"
            ),
        }
    }
}

impl Provider {
    /// A provider whose keys are at `keys_at`. Without an address, its discovery document says where they are.
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

    /// The names of the issuers whose keys these are.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    async fn fetch_keys(&self, misses: &Misses) -> Result<Fetched<KeySet>, FetchError> {
        let keys_at = self.locate_keys(misses).await?;
        let known = self.known().clone();
        // An `ETag` is of one address.
        let etag = known.etag.filter(|_| known.keys_at.as_ref() == Some(&keys_at));
        let response = self.fetcher.get(&keys_at, etag.as_deref()).await?;
        self.read(response, keys_at)
    }

    /// The address of the keys. The discovery document is asked for it if none is known, and also if an earlier fetch
    /// did not bring all keys that tokens ask for: they may have moved.
    async fn locate_keys(&self, misses: &Misses) -> Result<Endpoint, FetchError> {
        let earlier = {
            let mut known = self.known();
            let missed_since = misses.any_since(known.discovered_at);
            let missed = mem::replace(&mut known.missed, missed_since);
            if let Some(keys_at) = &known.keys_at
                && (self.discovery.is_none() || !missed)
            {
                return Ok(keys_at.clone());
            }
            (known.discovered_at, known.missed) = (Some(Now::read()), false);
            known.keys_at.clone()
        };
        match (self.discover().await, earlier) {
            (Err(_), Some(earlier)) => Ok(earlier),
            (discovered, _) => discovered,
        }
    }

    async fn discover(&self) -> Result<Endpoint, FetchError> {
        let Some(document_at) = &self.discovery else {
            return Err(FetchError::new(FetchStage::Parse, &self.issuer, "no discovery document"));
        };
        let response = match self.fetcher.get(document_at, None).await {
            Ok(response) => response,
            Err(failure) => return Err(failure.of_discovery()),
        };
        discovery::jwks_uri(&response.body.unwrap_or_default(), &self.issuer).map_err(|problem| {
            FetchError::new(FetchStage::Parse, &response.address, problem).of_discovery()
        })
    }

    fn read(&self, response: Response, keys_at: Endpoint) -> Result<Fetched<KeySet>, FetchError> {
        let Response { body, etag, max_age, address } = response;
        let Some(body) = body else {
            return Ok(Fetched { refreshed: Refreshed::Unchanged, max_age, skipped: 0 });
        };
        let parsed = jwks::parse(&body, self.allowed, Origin::Network)
            .map_err(|unusable| FetchError::new(FetchStage::Parse, &address, unusable))?;
        let mut known = self.known();
        (known.keys_at, known.etag) = (Some(keys_at), etag);
        let hash = digest(&SHA256, &body);
        if known.logged.as_ref().map(<[u8; 32]>::as_slice) != Some(hash.as_ref()) {
            known.logged = hash.as_ref().try_into().ok();
            self.log_keys(&parsed);
        }
        let skipped = parsed.skipped.len();
        let keys = KeySet::of(parsed, &self.symmetric);
        Ok(Fetched { refreshed: Refreshed::Document(Arc::new(keys)), max_age, skipped })
    }

    /// Names the keys of a new set that need attention.
    fn log_keys(&self, parsed: &ParsedKeys) {
        let issuer = &*self.issuer;
        for SkippedKey { key, reason } in &parsed.skipped {
            let (kid, index) = (key.id.as_deref().map(excerpt), key.index);
            let (kid, problem) = (kid.as_deref(), reason.to_string());
            if reason.is_by_design() {
                tracing::info!(issuer, kid, index, problem, "key skipped");
            } else {
                tracing::warn!(issuer, kid, index, problem, "key skipped");
            }
        }
        for key in &parsed.keys {
            if key.has_private_half {
                let ListedKey { index, id } = key.listed();
                let kid = id.as_deref().map(excerpt);
                let (kid, problem) = (kid.as_deref(), "anybody can sign tokens with this key");
                tracing::warn!(issuer, kid, index, problem, "private key published");
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
