//! Fetches every document of a configuration once, for tools that say whether the providers can be reached.

use std::time::Duration;

use crate::clock::Now;
use crate::config::{Config, KeyOrigin, RevocationSource};
use crate::jose::algorithm::Algorithms;
use crate::jose::jwk::Origin;
use crate::jose::jwks;
use crate::keys::discovery;
use crate::remote::endpoint::Endpoint;
use crate::remote::error::{FetchError, FetchStage};
use crate::remote::http::Fetcher;
use crate::revocation::list::RevocationList;

/// A document that was fetched.
#[derive(Debug)]
pub struct Probe {
    /// What was fetched.
    pub document: Probed,
    /// Where, without the query.
    pub address: String,
    /// How long that took.
    pub elapsed: Duration,
    /// The keys or entries that can be used; none for a discovery document.
    pub result: Result<usize, FetchError>,
    /// The algorithms of the keys that count as usable.
    pub algorithms: Vec<&'static str>,
    /// The document, if it came.
    pub body: Option<Vec<u8>>,
}

/// A kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probed {
    /// An issuer's discovery document.
    Discovery,
    /// A key set.
    Keys,
    /// A revocation list.
    Revocations,
}

impl Config {
    /// Fetches every document once, one after the other. Two issuers that share an address share the fetch.
    pub async fn probe(&self) -> Vec<Probe> {
        let prober = Prober(Fetcher::new(self.fetch_timeout, self.authorities.clone()));
        let mut probes = Vec::new();
        for source in &self.key_sources {
            let algorithms = source.algorithms;
            match &source.origin {
                KeyOrigin::Static(_) => {}
                KeyOrigin::Address(address, _) => {
                    probes.push(prober.keys(address, algorithms).await)
                }
                KeyOrigin::Discovery => {
                    prober.discovered(&source.issuers, algorithms, &mut probes).await;
                }
            }
        }
        let mut lists: Vec<&Endpoint> = Vec::new();
        for issuer in &self.issuers {
            if let Some(RevocationSource::At(address)) = &issuer.revoked
                && !lists.contains(&address)
            {
                lists.push(address);
                probes.push(prober.list(address).await);
            }
        }
        probes
    }
}

struct Prober(Fetcher);

impl Prober {
    async fn discovered(&self, issuer: &str, algorithms: Algorithms, probes: &mut Vec<Probe>) {
        let Some(address) = discovery::endpoint(issuer) else { return };
        let mut keys_at = None;
        let read = |body: &[u8]| {
            keys_at = Some(discovery::jwks_uri(body, issuer)?);
            Ok(0)
        };
        probes.push(self.fetch(Probed::Discovery, &address, read).await);
        if let Some(keys_at) = keys_at {
            probes.push(self.keys(&keys_at, algorithms).await);
        }
    }

    async fn keys(&self, address: &Endpoint, algorithms: Algorithms) -> Probe {
        let read = |body: &[u8]| match jwks::parse(body, algorithms, Origin::Network) {
            Ok(parsed) => Ok(parsed.keys.len()),
            Err(unusable) => Err(unusable.to_string()),
        };
        let mut probe = self.fetch(Probed::Keys, address, read).await;
        probe.algorithms = algorithms.names();
        probe
    }

    async fn list(&self, address: &Endpoint) -> Probe {
        let read = |body: &[u8]| Ok(RevocationList::parse(body)?.len());
        self.fetch(Probed::Revocations, address, read).await
    }

    async fn fetch(
        &self,
        document: Probed,
        address: &Endpoint,
        read: impl FnOnce(&[u8]) -> Result<usize, String>,
    ) -> Probe {
        let requested_at = Now::read();
        let fetched = self.0.get(address, None).await;
        let elapsed = Now::read().since(&requested_at);
        let (result, body) = match fetched {
            Err(failure) => (Err(failure), None),
            Ok(response) => {
                let body = response.body.unwrap_or_default();
                let malformed = |detail| FetchError { stage: FetchStage::Parse, detail };
                (read(&body).map_err(malformed), Some(body))
            }
        };
        let address = address.shown();
        let algorithms = Vec::new();
        Probe { document, address, elapsed, result, algorithms, body }
    }
}
