//! All that one issuer is trusted with: its own keys, and its own rules.

use std::sync::Arc;

use crate::access::claims::Rules;
use crate::documents::refresh::Ended;
use crate::jose::algorithm::Algorithms;
use crate::jose::token::ClaimPath;
use crate::keys::Keys;
use crate::revocation::Revocations;

/// An issuer whose tokens are believed.
pub(crate) struct TrustedIssuer {
    pub(crate) name: String,
    pub(crate) header_rules: HeaderRules,
    pub(crate) keys: Arc<Keys>,
    pub(crate) rules: Rules,
    /// The tokens that it has taken back, where there is a list of them.
    pub(crate) revocations: Option<Arc<Revocations>>,
    pub(crate) scope_claims: Vec<ClaimPath>,
}

impl TrustedIssuer {
    /// Begins to fetch the first keys and the first list, where there are none to answer from.
    pub(crate) fn prefetch(&self, begun: &mut Vec<Ended>) {
        begun.extend(self.keys.prefetch());
        begun.extend(self.revocations.as_ref().and_then(|list| list.prefetch()));
    }
}

/// Which headers of tokens are accepted.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderRules {
    /// Accepted `typ`, in lower case and without `application/`.
    pub(crate) types: Vec<String>,
    pub(crate) algorithms: Algorithms,
}

impl std::fmt::Debug for TrustedIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrustedIssuer").field("name", &self.name).finish_non_exhaustive()
    }
}
