//! Where keys come from. Issuers that name the same source share it, so it is fetched and kept once.

use std::collections::HashMap;

use crate::issuer::IssuerName;
use crate::jose::algorithm::Algorithms;
use crate::jose::jwks::ParsedKeys;
use crate::remote::endpoint::Endpoint;

/// A source of keys, and whose they are.
#[derive(Debug)]
pub(crate) struct KeySource {
    /// The names of the issuers, for the log, with spaces between.
    pub(crate) issuers: String,
    /// The algorithms of all of them. A token is held against those of its own issuer before a key is looked up.
    pub(crate) algorithms: Algorithms,
    pub(crate) origin: KeyOrigin,
}

/// Where keys are.
#[derive(Debug)]
pub(crate) enum KeyOrigin {
    /// In the configuration alone.
    Static(ParsedKeys),
    /// Where the issuer's discovery document says.
    Discovery,
    /// At this address. Configured keys serve until they were fetched.
    Address(Endpoint, ParsedKeys),
}

/// All sources, each once.
#[derive(Default)]
pub(super) struct KeySources {
    pub(super) sources: Vec<KeySource>,
    /// The number of each source with an address, by address and text of the configured keys. Configured keys serve
    /// only the issuers that name them, not others with the same address.
    addressed: HashMap<String, usize>,
}

impl KeySources {
    /// Gives each of these names the number of its source. `jwks`: the text of the configured keys.
    pub(super) fn assign_sources(
        &mut self,
        names: Vec<IssuerName>,
        origin: KeyOrigin,
        jwks: Option<&str>,
        algorithms: Algorithms,
    ) -> Vec<(IssuerName, usize)> {
        if let KeyOrigin::Discovery = origin {
            let mut numbered = Vec::new();
            for name in names {
                let issuers = name.to_string();
                numbered.push((name, self.sources.len()));
                self.sources.push(KeySource { issuers, algorithms, origin: KeyOrigin::Discovery });
            }
            return numbered;
        }
        let new = self.sources.len();
        let number = match &origin {
            // No URL has a space in it.
            KeyOrigin::Address(address, _) => {
                let key = format!("{address} {}", jwks.unwrap_or_default());
                *self.addressed.entry(key).or_insert(new)
            }
            _ => new,
        };
        let issuers = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        match self.sources.get_mut(number) {
            Some(shared) => {
                shared.issuers.extend([" ", &issuers]);
                shared.algorithms = shared.algorithms | algorithms;
            }
            None => self.sources.push(KeySource { issuers, algorithms, origin }),
        }
        names.into_iter().map(|name| (name, number)).collect()
    }
}
