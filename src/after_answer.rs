//! What is left to do once an answer is sent: record the decision, and wait for the refreshes that it began.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::clock::Now;
use crate::denial::Refusal;
use crate::excerpt::excerpt;
use crate::gateway::policy::Answer;
use crate::metrics::Metrics;
use crate::remote::refresh::PendingRefreshes;
use crate::trial::TrialRun;
use crate::verdict::{Decision, Failure, Trace, Verdict};

/// The wait for a refresh ends this long before the invocation's deadline.
const DEADLINE_MARGIN: Duration = Duration::from_millis(500);

/// The invocation that a decision is logged under.
#[derive(Clone, Copy, Debug, Default)]
pub struct Invocation<'a> {
    /// Lambda's request id.
    pub request_id: &'a str,
    /// X-Ray's trace id.
    pub trace_id: Option<&'a str>,
}

/// What is left to do once an answer is sent, and before Lambda is asked for the next event.
#[must_use = "decisions are recorded, and refreshes waited for"]
pub struct AfterAnswer {
    pub(crate) record: Record,
    pub(crate) pending: PendingRefreshes,
    pub(crate) metrics: Option<Arc<Metrics>>,
}

/// What is recorded of an event.
#[expect(clippy::large_enum_variant, reason = "nearly every record is of the larger one")]
pub(crate) enum Record {
    Decision(DecisionRecord),
    /// It asked for the status of the function.
    Status {
        is_available: bool,
    },
}

/// A decision, as far as it is recorded.
pub(crate) struct DecisionRecord {
    /// Why the request is not allowed; none if it is.
    refusal: Option<Refusal>,
    /// The token's header and payload, unverified.
    token: Option<(Arc<Value>, Arc<Value>)>,
    omitted: Vec<String>,
    elapsed: Duration,
    trial: Option<TrialRun>,
}

impl AfterAnswer {
    /// Records the decision under the invocation that was answered, and waits for the refreshes that it began:
    /// for as long as their fetches may take, but not beyond half a second before the invocation's `deadline`.
    pub async fn finish(self, invocation: Invocation<'_>, deadline: SystemTime) {
        self.record(invocation);
        if self.pending.is_empty() {
            return;
        }
        let left = deadline.duration_since(Now::read().wall()).unwrap_or_default();
        let done = self.pending.wait_until_done();
        // What has not ended by then is left to the next invocation.
        let _ = tokio::time::timeout(left.saturating_sub(DEADLINE_MARGIN), done).await;
    }

    /// Writes the log event, and the metrics of a decision.
    pub fn record(&self, invocation: Invocation<'_>) {
        match &self.record {
            Record::Decision(decision) => decision.record(invocation, self.metrics.as_deref()),
            Record::Status { is_available } => {
                let Invocation { request_id, trace_id } = invocation;
                tracing::info!(available = is_available, request_id, trace_id, "status answered");
            }
        }
    }
}

impl Record {
    /// The answer of a decision, and what is recorded of it.
    pub(crate) fn of(decision: Decision<'_>) -> (Result<Answer, Failure>, Self) {
        let trial = decision.trial_run();
        let Decision { verdict, answer, trace: Trace { token, omitted, .. }, elapsed } = decision;
        let refusal = match verdict {
            Verdict::Allow(_) => None,
            Verdict::Deny(denial) => Some(Refusal::Denied(denial)),
            Verdict::Undecided(fault) => Some(Refusal::Undecided(fault)),
        };
        let record = DecisionRecord { refusal, token, omitted, elapsed, trial };
        (answer, Self::Decision(record))
    }
}

impl DecisionRecord {
    fn record(&self, invocation: Invocation<'_>, metrics: Option<&Metrics>) {
        let (decision, metric, reason, detail) = match &self.refusal {
            None => ("allow", "Allowed", None, String::new()),
            Some(Refusal::Denied(denial)) => {
                ("deny", "Refused", Some(denial.reason().code()), denial.to_string())
            }
            Some(Refusal::Undecided(fault)) => {
                ("none", "Unavailable", Some(fault.obstacle.code()), fault.detail.to_string())
            }
        };
        let trial = self.trial.as_ref().and_then(TrialRun::refusal);
        let trial_detail = trial.as_ref().and_then(|denial| not_empty(denial.to_string()));
        let trial = trial.map(|denial| denial.reason().code());
        let Invocation { request_id, trace_id } = invocation;
        let (mut issuer, mut kid, mut alg) = (None, None, None);
        if let Some((header, payload)) = &self.token {
            issuer = unverified(payload, "iss");
            kid = unverified(header, "kid");
            alg = unverified(header, "alg");
        }
        let (issuer, kid, alg) = (issuer.as_deref(), kid.as_deref(), alg.as_deref());
        let detail = not_empty(detail);
        let duration_us = u64::try_from(self.elapsed.as_micros()).unwrap_or(u64::MAX);
        let context_omitted = not_empty(self.omitted.join(" "));
        // `tracing` needs a constant level at each call.
        macro_rules! event {
            ($level:ident) => {
                tracing::$level!(
                    decision,
                    reason,
                    detail,
                    issuer,
                    kid,
                    alg,
                    duration_us,
                    request_id,
                    trace_id,
                    context_omitted,
                    trial,
                    trial_detail
                )
            };
        }
        match self.refusal {
            Some(Refusal::Undecided(_)) => event!(error),
            _ => event!(info),
        }
        if let Some(metrics) = metrics {
            let now = Now::read();
            metrics.count(metric, reason, &now);
            if trial.is_some() {
                metrics.count("TrialRefused", trial, &now);
            }
        }
    }
}

fn not_empty(text: String) -> Option<String> {
    if text.is_empty() { None } else { Some(text) }
}

/// A string of a token, safe to log.
fn unverified<'t>(object: &'t Value, name: &str) -> Option<Cow<'t, str>> {
    Some(excerpt(object.get(name)?.as_str()?))
}
