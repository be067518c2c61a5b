//! A decision about one event: the verdict, the answer that goes out, and the trace of what was seen on the way.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::access::claims::Caller;
use crate::access::rights::Access;
use crate::clock::Now;
use crate::denial::Denial;
use crate::gateway::credential::CredentialLocation;
use crate::gateway::event::Request;
use crate::gateway::policy::Answer;
use crate::issuer::TrustedIssuer;
use crate::jose::token::{Claims, Token};
use crate::reason::Fault;
use crate::trial::TrialRun;

/// What was decided.
#[derive(Debug)]
pub enum Verdict<'a> {
    /// The token is good, and opens at least one route.
    Allow(Allowed<'a>),
    /// The token is refused, or valid but lacks the required rights.
    Deny(Denial),
    /// Nothing can be decided.
    Undecided(Fault),
}

/// A caller with a good token, and what it opens.
#[derive(Debug)]
pub struct Allowed<'a> {
    pub(crate) claims: Claims,
    pub(crate) caller: Caller,
    pub(crate) access: Access<'a>,
}

impl Verdict<'_> {
    /// The code of the reason or of the obstacle; none for an Allow.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Allow(_) => None,
            Self::Deny(denial) => Some(denial.reason().code()),
            Self::Undecided(fault) => Some(fault.obstacle.code()),
        }
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

/// A verdict about one event, and the answer to it.
#[derive(Debug)]
pub struct Decision<'a> {
    /// What was decided.
    pub verdict: Verdict<'a>,
    /// What API Gateway gets.
    pub answer: Result<Answer, Failure>,
    pub(crate) trace: Trace<'a>,
    /// How long that took.
    pub(crate) elapsed: Duration,
}

/// What was seen of an event. Nothing is decided by it: it is for the log and for `explain`. A field is empty if the
/// decision ended before it.
#[derive(Debug, Default)]
pub(crate) struct Trace<'a> {
    /// The ARN up to the stage, and what follows it (for a connection, `$connect`). No answer contains the latter.
    pub(crate) request: Option<(String, String)>,
    pub(crate) location: Option<CredentialLocation<'a>>,
    /// The token's header and payload, unverified.
    pub(crate) token: Option<(Arc<Value>, Arc<Value>)>,
    /// The trusted issuer that the token names.
    pub(crate) issuer: Option<&'a TrustedIssuer>,
    /// The claims, once the signature is verified.
    pub(crate) claims: Option<Claims>,
    /// When the claims were checked.
    pub(crate) checked_at: Option<Now>,
    /// Claims that are not in the answer's context: it would be too long, or they have a control character.
    pub(crate) omitted: Vec<String>,
}

impl Decision<'_> {
    /// What is to be held against the settings on trial: an Allow, if there are such settings.
    pub(crate) fn trial_run(&self) -> Option<TrialRun> {
        let Verdict::Allow(Allowed { claims, .. }) = &self.verdict else { return None };
        let trial = Arc::clone(self.trace.issuer?.trial.as_ref()?);
        let (header, _) = self.trace.token.as_ref()?;
        let (_, request) = self.trace.request.as_ref()?;
        Some(TrialRun {
            trial,
            header: Arc::clone(header),
            claims: claims.clone(),
            request: request.clone(),
            checked_at: self.trace.checked_at?,
        })
    }
}

impl Trace<'_> {
    pub(crate) fn request(&mut self, request: &Request<'_>) {
        self.request = Some((request.stage.arn().to_owned(), request.route_to_decide().to_owned()));
    }

    pub(crate) fn token(&mut self, token: &Token<'_>) {
        let (header, payload) = (token.unverified_header(), token.unverified_payload());
        self.token = Some((Arc::clone(header), Arc::clone(payload)));
    }
}
