//! The answer to a `STATUS` event, which no gateway sends: whether this function works, for those who deploy it.

use serde::Serialize;

use crate::authorizer::Authorizer;
use crate::gateway::policy::{self, Answer};
use crate::metrics::DocumentKind;
use crate::remote::SourceStatus;
use crate::remote::refresh::PendingRefreshes;

/// What is answered: JSON that is no policy.
#[derive(Serialize)]
struct Status {
    version: &'static str,
    /// Always `ok`: with bad settings nothing is answered.
    settings: &'static str,
    sources: Vec<Source>,
}

/// A source of keys, or a revocation list.
#[derive(Serialize)]
struct Source {
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    /// The address of a list, without its query, or the issuers that a configured one is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    list: Option<String>,
    /// Whether there are keys, or is a list, to decide by.
    available: bool,
    entries: usize,
    /// Since the source last confirmed them. Not for what is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<Failure>,
}

#[derive(Serialize)]
struct Failure {
    stage: &'static str,
    error: String,
}

impl Authorizer {
    /// Answers with the status of every source. Waits for the fetches that a request would wait for, all at once.
    /// Returns whether all sources are available as well.
    pub(crate) async fn status(&self, pending: &mut PendingRefreshes) -> (Answer, bool) {
        for keys in &self.key_sets {
            keys.prepare(pending);
        }
        for list in &self.lists {
            list.prepare(pending);
        }
        let mut sources = Vec::new();
        for keys in &self.key_sets {
            sources.push(Source::of(keys.status_after_refresh(pending).await));
        }
        for list in &self.lists {
            sources.push(Source::of(list.status_after_refresh(pending).await));
        }
        let is_available = sources.iter().all(|source| source.available);
        let version = env!("CARGO_PKG_VERSION");
        (policy::to_answer(&Status { version, settings: "ok", sources }), is_available)
    }
}

impl Source {
    fn of(status: SourceStatus) -> Self {
        let (issuer, list) = match status.kind {
            DocumentKind::Keys => (Some(status.name), None),
            DocumentKind::Revocations => (None, Some(status.name)),
        };
        Self {
            issuer,
            list,
            available: status.available,
            entries: status.entries,
            age_seconds: status.age_seconds,
            last_failure: status
                .last_failure
                .map(|failure| Failure { stage: failure.stage(), error: failure.detail }),
        }
    }
}
