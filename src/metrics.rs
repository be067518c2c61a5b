//! Metrics in CloudWatch's embedded metric format: lines of the log that CloudWatch turns into metrics.
//!
//! Dimensions are reasons, and so of a closed list: text of a token would cost money, and leak.

use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use crate::clock::Now;

/// Where metrics go, and in which form of line.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// The CloudWatch namespace.
    namespace: String,
    /// Lambda treats a line without a level as INFO, and drops it if the log level is higher. So each line carries the
    /// configured level.
    level: &'static str,
    /// Every document that is kept, and when its source confirmed what is at hand.
    kept: Mutex<Vec<(DocumentKind, Option<Now>)>>,
}

/// What is fetched and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DocumentKind {
    Keys,
    Revocations,
}

const COUNT: &str = "Count";
const SECONDS: &str = "Seconds";
const MILLISECONDS: &str = "Milliseconds";

impl Metrics {
    pub(crate) fn new(namespace: String, level: &'static str) -> Self {
        Self { namespace, level, kept: Mutex::default() }
    }

    /// Counts something: by the code of a reason, if there is one, and in all.
    pub(crate) fn count(&self, name: &str, reason: Option<&'static str>, now: &Now) {
        self.write(&[(name, COUNT, json!(1))], reason, now);
    }

    /// Adds a document whose age is reported. Returns its place among them.
    pub(crate) fn keep_age(&self, kind: DocumentKind) -> usize {
        let mut kept = self.kept();
        kept.push((kind, None));
        kept.len() - 1
    }

    /// Counts an attempt to fetch the document in this place. `confirmed`: when its source last confirmed the document
    /// at hand, if ever.
    pub(crate) fn fetched(
        &self,
        place: usize,
        confirmed: Option<Now>,
        has_failed: bool,
        took: Duration,
        now: &Now,
    ) {
        let mut kept = self.kept();
        let Some(document) = kept.get_mut(place) else { return };
        document.1 = confirmed;
        let (fetches, failures) = match document.0 {
            DocumentKind::Keys => ("KeyFetches", "KeyFetchFailures"),
            DocumentKind::Revocations => ("RevocationFetches", "RevocationFetchFailures"),
        };
        let mut values =
            vec![(fetches, COUNT, json!(1)), (failures, COUNT, json!(u8::from(has_failed)))];
        if document.0 == DocumentKind::Keys {
            values.push(("KeyFetchMilliseconds", MILLISECONDS, json!(took.as_millis())));
        }
        for (kind, name) in
            [(DocumentKind::Keys, "KeyAge"), (DocumentKind::Revocations, "RevocationAge")]
        {
            let confirmed = kept.iter().filter(|(other, _)| *other == kind);
            let oldest = confirmed.filter_map(|(_, then)| Some(now.since(&(*then)?))).max();
            values.extend(oldest.map(|age| (name, SECONDS, json!(age.as_secs()))));
        }
        self.write(&values, None, now);
    }

    fn kept(&self) -> MutexGuard<'_, Vec<(DocumentKind, Option<Now>)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, values: &[(&str, &str, Value)], reason: Option<&'static str>, now: &Now) {
        let line = self.line(values, reason, now).to_string() + "\n";
        // If stdout is closed, nobody would see an error either.
        let _ = std::io::stdout().write_all(line.as_bytes());
    }

    /// CloudWatch User Guide, "Specification: Embedded metric format".
    fn line(
        &self,
        values: &[(&str, &str, Value)],
        reason: Option<&'static str>,
        now: &Now,
    ) -> Value {
        // With a reason: once by reason, and once in all.
        let dimensions = if reason.is_some() { json!([["Reason"], []]) } else { json!([[]]) };
        let metrics: Vec<_> =
            values.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
        let at = now.wall();
        let mut line = Map::from_iter([
            ("timestamp".to_owned(), json!(humantime::format_rfc3339_millis(at).to_string())),
            ("level".to_owned(), json!(self.level)),
            (
                "_aws".to_owned(),
                json!({
                    "Timestamp": at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis(),
                    "CloudWatchMetrics": [
                        {"Namespace": self.namespace, "Dimensions": dimensions, "Metrics": metrics},
                    ],
                }),
            ),
        ]);
        line.extend(reason.map(|reason| ("Reason".to_owned(), json!(reason))));
        line.extend(values.iter().map(|(name, _, value)| ((*name).to_owned(), value.clone())));
        Value::Object(line)
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
