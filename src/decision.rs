//! What was decided about an event, and what was seen on the way. The answer, the log event, the metric and
//! `explain` are rendered from it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::access::rights::Access;
use crate::clock::Now;
use crate::gateway::event::{EventKind, Place, Request, Stage};
use crate::issuer::TrustedIssuer;
use crate::jose::token::{Claims, Token};
use crate::metrics::Metrics;
use crate::reason::{Denial, Fault};
use crate::remote::refresh::PendingRefresh;

/// The wait for a refresh ends this long before the invocation's deadline.
const DEADLINE_MARGIN: Duration = Duration::from_millis(500);

/// The most characters of a token's text that are logged.
const MAX_LOGGED: usize = 128;

/// A verdict about one event, and all that led to it.
#[derive(Debug)]
pub struct Decision<'a> {
    /// What was decided.
    pub verdict: Verdict,
    /// What was seen on the way, as far as that led.
    pub(crate) observed: Observed<'a>,
    /// When it was decided.
    pub(crate) at: Now,
    /// How long that took.
    pub(crate) took: Duration,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The token is good, and opens at least one route.
    Allow,
    /// The token is refused, or valid without the required rights.
    Deny(Denial),
    /// Nothing can be decided.
    Undecided(Fault),
}

impl Verdict {
    /// The code of the reason or of the obstacle; none for an Allow.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Allow => None,
            Self::Deny(denial) => Some(denial.reason.code()),
            Self::Undecided(fault) => Some(fault.obstacle.code()),
        }
    }
}

/// What was seen of an event. A field is empty if the decision ended before it.
#[derive(Debug, Default)]
pub(crate) struct Observed<'a> {
    pub(crate) request: Option<ObservedRequest>,
    /// Where the credential stands.
    pub(crate) place: Option<Place<'a>>,
    /// How long the credential is, without its scheme.
    pub(crate) length: Option<usize>,
    /// The token, as far as it can be read. It is unverified unless `claims` is set.
    pub(crate) token: Option<ObservedToken>,
    /// The trusted issuer that the token names.
    pub(crate) issuer: Option<&'a TrustedIssuer>,
    /// Claims under a good signature.
    pub(crate) claims: Option<Claims>,
    /// The caller, and the Unix time at which its token expires, leeway included.
    pub(crate) principal: Option<String>,
    pub(crate) expires_at: Option<f64>,
    pub(crate) access: Option<Access<'a>>,
    /// Claims for which the answer's context has no room.
    pub(crate) omitted: Vec<String>,
    pub(crate) pending: Vec<PendingRefresh>,
}

/// The request that an event is about.
#[derive(Debug)]
pub(crate) struct ObservedRequest {
    pub(crate) kind: EventKind,
    pub(crate) stage: Stage<'static>,
    /// The ARN after the stage. No answer contains it.
    pub(crate) route: String,
}

/// What a token says of itself.
#[derive(Debug)]
pub(crate) struct ObservedToken {
    pub(crate) header: Arc<Value>,
    pub(crate) payload: Arc<Value>,
}

impl Observed<'_> {
    pub(crate) fn request(&mut self, request: &Request<'_>) -> &ObservedRequest {
        let Request { kind, stage, route, .. } = request;
        let stage = stage.to_owned();
        self.request.insert(ObservedRequest { kind: *kind, stage, route: (*route).to_owned() })
    }

    pub(crate) fn token(&mut self, token: &Token<'_>) {
        let (header, payload) = (token.unverified_header(), token.unverified_payload());
        self.token =
            Some(ObservedToken { header: Arc::clone(header), payload: Arc::clone(payload) });
    }
}

/// Why the invocation fails instead of being answered with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A refused token, with `REFUSAL=unauthorized`: API Gateway answers 401 to exactly this error message.
    Unauthorized,
    /// No verdict: API Gateway answers 500, and caches nothing.
    NoVerdict(Fault),
}

impl Failure {
    /// The `errorType` of the invocation.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized => "Unauthorized",
            Self::NoVerdict(fault) => fault.obstacle.code(),
        }
    }
}

/// The `errorMessage` of the invocation.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthorized => f.write_str("Unauthorized"),
            Self::NoVerdict(fault) => fault.fmt(f),
        }
    }
}

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
    verdict: Verdict,
    token: Option<ObservedToken>,
    omitted: Vec<String>,
    took: Duration,
    pending: Vec<PendingRefresh>,
    metrics: Option<Arc<Metrics>>,
}

impl Decision<'_> {
    pub(crate) fn into_after_answer(self, metrics: Option<Arc<Metrics>>) -> AfterAnswer {
        let Self { verdict, observed: Observed { token, omitted, pending, .. }, took, .. } = self;
        AfterAnswer { verdict, token, omitted, took, pending, metrics }
    }
}

impl AfterAnswer {
    /// Records the decision under the invocation that was answered, and waits for the refreshes that it began:
    /// for as long as their fetches may take, but not beyond half a second before the invocation's `deadline`.
    pub async fn finish(self, invocation: Invocation<'_>, deadline: SystemTime) {
        self.record(invocation);
        if self.pending.is_empty() {
            return;
        }
        let left = deadline
            .duration_since(Now::read().wall())
            .unwrap_or_default()
            .saturating_sub(DEADLINE_MARGIN);
        // They run side by side, so one wait after the other is as long as the longest.
        let ended = async {
            for refresh in self.pending {
                refresh.ended().await;
            }
        };
        // What has not ended by then is left to the next invocation.
        let _ = tokio::time::timeout(left, ended).await;
    }

    /// Writes the log event of the decision, and its metric.
    pub(crate) fn record(&self, invocation: Invocation<'_>) {
        self.log(invocation);
        if let Some(metrics) = &self.metrics {
            let name = match &self.verdict {
                Verdict::Allow => "Allowed",
                Verdict::Deny(_) => "Refused",
                Verdict::Undecided(_) => "Unavailable",
            };
            metrics.count(name, self.verdict.code(), &Now::read());
        }
    }

    fn log(&self, Invocation { request_id, trace_id }: Invocation<'_>) {
        let token = self.token.as_ref();
        let header = |name| token.and_then(|token| token.header.get(name)?.as_str()).map(excerpt);
        let issuer = token.and_then(|token| token.payload.get("iss")?.as_str()).map(excerpt);
        let (kid, alg) = (header("kid"), header("alg"));
        let (issuer, kid, alg) = (issuer.as_deref(), kid.as_deref(), alg.as_deref());
        let duration_us = u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX);
        let context_omitted = Some(self.omitted.join(" ")).filter(|names| !names.is_empty());
        let (decision, detail) = match &self.verdict {
            Verdict::Allow => ("allow", ""),
            Verdict::Deny(denial) => ("deny", &*denial.detail),
            Verdict::Undecided(fault) => ("none", &*fault.detail),
        };
        let reason = self.verdict.code();
        let detail = Some(detail).filter(|detail| !detail.is_empty());
        // `tracing` wants a constant level at each call.
        macro_rules! record {
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
                    context_omitted
                )
            };
        }
        if let Verdict::Undecided(_) = self.verdict { record!(error) } else { record!(info) }
    }
}

/// The first characters of a token's text, safe to log. JSON escapes control characters, but not those at which some
/// readers break lines, those that reorder text in a terminal, and most that are invisible. These are escaped here.
fn excerpt(mut text: &str) -> Cow<'_, str> {
    // Every character has at least one byte.
    if text.len() > MAX_LOGGED {
        let end = text.char_indices().nth(MAX_LOGGED).map_or(text.len(), |(end, _)| end);
        text = &text[..end];
    }
    if text.bytes().all(|byte| byte < 0x7f) {
        return Cow::Borrowed(text);
    }
    let mut excerpt = String::with_capacity(text.len());
    for c in text.chars() {
        if c < '\u{7f}' {
            excerpt.push(c);
        } else {
            // Escapes what Rust does not consider printable, and combining marks, which have no width of their own.
            excerpt.extend(c.escape_debug());
        }
    }
    Cow::Owned(excerpt)
}
