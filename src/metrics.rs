//! Metrics in CloudWatch's embedded metric format: lines of the log that CloudWatch turns into metrics.
//!
//! Dimensions are reasons, and so of a closed list: text of a token would cost money, and leak.

use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::clock::Now;

/// Where metrics go, and in which form of line.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// The CloudWatch namespace.
    namespace: String,
    /// Lambda treats a line without a level as INFO, and drops it if the log level is higher. So each line carries the
    /// configured level.
    level: &'static str,
    /// Every cached document, with the time when its source last confirmed it.
    documents: Mutex<Vec<(DocumentKind, Option<Now>)>>,
}

/// What is fetched and cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentKind {
    /// A key set.
    Keys,
    /// A revocation list.
    Revocations,
}

/// An attempt to fetch a document.
pub(crate) struct FetchRecord {
    pub(crate) elapsed: Duration,
    pub(crate) has_failed: bool,
    /// When the source last confirmed the cached document, if ever.
    pub(crate) confirmed_at: Option<Now>,
}

/// Name, unit and value of a metric.
type Metric<'a> = (&'a str, &'static str, Value);

const COUNT: &str = "Count";
const SECONDS: &str = "Seconds";
const MILLISECONDS: &str = "Milliseconds";

impl Metrics {
    pub(crate) fn new(namespace: String, level: &'static str) -> Self {
        Self { namespace, level, documents: Mutex::default() }
    }

    /// Counts something: by the code of a reason, if there is one, and in total.
    pub(crate) fn count(&self, name: &str, reason: Option<&'static str>, now: &Now) {
        self.write(&[(name, COUNT, json!(1))], reason, now);
    }

    /// Adds a document whose age is reported. Returns its slot.
    pub(crate) fn add_document(&self, kind: DocumentKind) -> usize {
        let mut documents = self.documents();
        documents.push((kind, None));
        documents.len() - 1
    }

    /// Counts an attempt to fetch the document in this slot.
    pub(crate) fn record_fetch(&self, slot: usize, fetch: &FetchRecord, now: &Now) {
        let mut documents = self.documents();
        let Some((kind, confirmed_at)) = documents.get_mut(slot) else { return };
        *confirmed_at = fetch.confirmed_at;
        let failures = json!(u8::from(fetch.has_failed));
        let mut metrics = match kind {
            DocumentKind::Keys => vec![
                ("KeyFetches", COUNT, json!(1)),
                ("KeyFetchFailures", COUNT, failures),
                ("KeyFetchMilliseconds", MILLISECONDS, json!(fetch.elapsed.as_millis())),
            ],
            DocumentKind::Revocations => vec![
                ("RevocationFetches", COUNT, json!(1)),
                ("RevocationFetchFailures", COUNT, failures),
            ],
        };
        for (kind, name) in
            [(DocumentKind::Keys, "KeyAge"), (DocumentKind::Revocations, "RevocationAge")]
        {
            let ages = documents.iter().filter(|(other, _)| *other == kind);
            let ages = ages.filter_map(|(_, confirmed_at)| Some(now.since(&(*confirmed_at)?)));
            if let Some(oldest) = ages.max() {
                metrics.push((name, SECONDS, json!(oldest.as_secs())));
            }
        }
        self.write(&metrics, None, now);
    }

    fn documents(&self) -> MutexGuard<'_, Vec<(DocumentKind, Option<Now>)>> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, metrics: &[Metric<'_>], reason: Option<&'static str>, now: &Now) {
        let line = self.line(metrics, reason, now).to_string() + "\n";
        // If stdout is closed, nobody would see an error either.
        let _ = std::io::stdout().write_all(line.as_bytes());
    }

    /// CloudWatch User Guide, "Specification: Embedded metric format".
    fn line(&self, metrics: &[Metric<'_>], reason: Option<&'static str>, now: &Now) -> Value {
        // With a reason: once by reason, and once in total.
        let dimensions = if reason.is_some() { json!([["Reason"], []]) } else { json!([[]]) };
        let time = now.wall();
        let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut line = json!({
            "timestamp": humantime::format_rfc3339_millis(time).to_string(),
            "level": self.level,
            "_aws": {"Timestamp": since_epoch.as_millis()},
        });
        let mut definitions = Vec::new();
        for (name, unit, value) in metrics {
            definitions.push(json!({"Name": name, "Unit": unit}));
            line[*name] = value.clone();
        }
        line["_aws"]["CloudWatchMetrics"] = json!([
            {"Namespace": self.namespace, "Dimensions": dimensions, "Metrics": definitions},
        ]);
        if let Some(reason) = reason {
            line["Reason"] = json!(reason);
        }
        line
    }
}

/// Whether CloudWatch takes this as a namespace of custom metrics.
pub(crate) fn is_namespace(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_/#: ".contains(&byte);
    (1..=255).contains(&name.len()) && name.bytes().all(is_allowed) && !name.starts_with("AWS/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_in_the_embedded_metric_format() {
        let metrics = Metrics::new("Pets/Auth".to_owned(), "WARN");
        let now = Now::at(1_800_000_000.25);
        assert_eq!(
            metrics.line(&[("Refused", COUNT, json!(1))], Some("token_expired"), &now),
            json!({
                "timestamp": "2027-01-15T08:00:00.250Z",
                "level": "WARN",
                "_aws": {
                    "Timestamp": 1_800_000_000_250u64,
                    "CloudWatchMetrics": [{
                        "Namespace": "Pets/Auth",
                        "Dimensions": [["Reason"], []],
                        "Metrics": [{"Name": "Refused", "Unit": "Count"}],
                    }],
                },
                "Reason": "token_expired",
                "Refused": 1,
            })
        );
    }

    #[test]
    fn namespaces_are_those_of_custom_metrics() {
        for (name, is_right) in [
            ("Pets", true),
            ("Pets/Auth 1.0:#-_", true),
            ("AWS/Lambda", false),
            ("Pets\"", false),
            ("é", false),
        ] {
            assert_eq!(is_namespace(name), is_right, "{name}");
        }
        assert!(is_namespace(&"a".repeat(255)) && !is_namespace(&"a".repeat(256)));
    }
}
