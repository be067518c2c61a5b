//! The decision: an event in, an answer out, and one log event about it.

use std::collections::HashMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;
use futures_util::future::join_all;

use crate::algorithm::{Algorithm, Algorithms};
use crate::claims::{Rules, Subject};
use crate::clock::Now;
use crate::config::{Config, Issuer, KeySource, OnRefusal};
use crate::event::{Credentials, Event, Kind, Request};
use crate::http::Fetcher;
use crate::keys::{Keys, PendingRenewal};
use crate::metrics::{Metrics, Outcome};
use crate::policy::{self, Answer, Context, ContextClaim, Form, Permit};
use crate::provider::Provider;
use crate::refusal::{Denial, Fault, Obstacle, Reason, Refusal};
use crate::report::TableReport;
use crate::rights::{Grant, Rights};
use crate::token::{ClaimPath, Claims, Token};

/// How long before an invocation's deadline a renewal is not waited for any more.
const DEADLINE_MARGIN: Duration = Duration::from_millis(500);

/// How much of what a token says of itself is logged.
const MAX_LOGGED: usize = 128;

/// Decides about requests, for as long as the process lives.
pub struct Authorizer {
    issuers: HashMap<String, Trust>,
    /// What the header of a token may say whose issuer is not trusted, before it is refused for that.
    anyone: Acceptance,
    rights: Rights,
    credentials: Credentials,
    context: Vec<ContextClaim>,
    usage_key: Option<ClaimPath>,
    on_refusal: OnRefusal,
    expiry_guard: bool,
    simple_response: bool,
    metrics: Option<Arc<Metrics>>,
}

/// All that one issuer is trusted with: its own keys, and its own rules.
struct Trust {
    acceptance: Acceptance,
    keys: Arc<Keys>,
    rules: Rules,
    scope_claims: Vec<ClaimPath>,
}

/// Which headers are accepted.
#[derive(Clone, Default)]
struct Acceptance {
    types: Vec<String>,
    algorithms: Algorithms,
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

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::NoVerdict(fault)
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

/// A refusal, and the caller's name where the token was good.
struct Refused {
    refusal: Refusal,
    principal: Option<String>,
}

impl<R: Into<Refusal>> From<R> for Refused {
    fn from(refusal: R) -> Self {
        Self { refusal: refusal.into(), principal: None }
    }
}

/// An answer, and what is left to do once it is sent.
pub struct Decision {
    /// What the invocation is answered with.
    pub answer: Result<Answer, Failure>,
    /// What its client need not wait for.
    pub after: AfterAnswer,
}

/// What is left to do once an answer is sent, and before Lambda is asked for the next event.
#[must_use = "decisions are recorded, and renewals waited for"]
pub struct AfterAnswer {
    record: Record,
    pending: Vec<PendingRenewal>,
}

/// The log event of a decision, and its metric.
struct Record {
    trail: Trail,
    took: Duration,
    ended: Now,
    metrics: Option<Arc<Metrics>>,
}

/// What is known about a request, for the log.
#[derive(Default)]
struct Trail {
    issuer: Option<String>,
    kid: Option<String>,
    algorithm: Option<String>,
    refusal: Option<Refusal>,
    left_out: String,
}

impl Authorizer {
    /// An authorizer without keys yet, except for configured ones.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let names: Vec<_> = config.issuers.iter().map(|issuer| issuer.name.as_str()).collect();
        tracing::info!(issuers = names.join(" "), version = env!("CARGO_PKG_VERSION"), "configured");
        config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let fetcher = Arc::new(Fetcher::new(config.fetch_timeout, config.authorities));
        let metrics = config.metrics.map(Arc::new);
        let mut anyone = Acceptance::default();
        let mut issuers = HashMap::with_capacity(config.issuers.len());
        for Issuer { name, algorithms, types, rules, scope_claims, keys } in config.issuers {
            anyone.algorithms = anyone.algorithms | algorithms;
            anyone.types.extend(types.iter().cloned());
            let keys = match keys {
                KeySource::Fixed(keys) => Keys::fixed(keys, config.lifetimes),
                KeySource::Provider { keys_at, seed } => {
                    let symmetric = seed.iter().filter(|key| key.is_symmetric()).cloned().collect();
                    let provider = Provider::new(name.clone(), keys_at, algorithms, symmetric, Arc::clone(&fetcher));
                    Keys::of(provider, seed, config.lifetimes, metrics.clone())
                }
            };
            let acceptance = Acceptance { types, algorithms };
            issuers.insert(name, Trust { acceptance, keys, rules, scope_claims });
        }
        Self {
            issuers,
            anyone,
            rights: config.rights,
            credentials: config.credentials,
            context: config.context,
            usage_key: config.usage_key,
            on_refusal: config.on_refusal,
            expiry_guard: config.expiry_guard,
            simple_response: config.simple_response,
            metrics,
        }
    }

    /// Fetches the first keys of all issuers at once. What cannot be fetched is logged, and tried again when needed.
    pub async fn prefetch(&self) {
        join_all(self.issuers.values().map(|trust| trust.keys.prefetch())).await;
    }

    /// Answers an event of API Gateway, given as JSON text, and records the decision. Does not wait for a renewal of
    /// keys that it may have begun.
    ///
    /// # Errors
    ///
    /// [`Failure::NoVerdict`] if nothing can be decided, also because of a panic; [`Failure::Unauthorized`] for a
    /// refused token where the configuration wants that.
    pub async fn authorize(&self, event: &str, invocation: Invocation<'_>) -> Result<Answer, Failure> {
        let Decision { answer, after } = self.decide(event).await;
        after.record.write(invocation);
        answer
    }

    /// Decides as [`Authorizer::authorize`] does, and leaves to be done later what the client need not wait for.
    pub async fn decide(&self, event: &str) -> Decision {
        let begun = Now::read();
        let (mut trail, mut pending) = (Trail::default(), Vec::new());
        let answer = shielded(self.answer(event, &begun, &mut trail, &mut pending)).await;
        if let Err(Failure::NoVerdict(fault)) = &answer {
            trail.refusal = Some(fault.clone().into());
        }
        let ended = Now::read();
        let record = Record { trail, took: ended.since(&begun), ended, metrics: self.metrics.clone() };
        Decision { answer, after: AfterAnswer { record, pending } }
    }

    async fn answer(
        &self,
        event: &str,
        now: &Now,
        trail: &mut Trail,
        pending: &mut Vec<PendingRenewal>,
    ) -> Result<Answer, Failure> {
        let event = Event::parse(event)?;
        let request = event.request()?;
        match self.judge(&request, now, trail, pending).await {
            Ok(answer) => Ok(answer),
            Err(Refused { refusal: Refusal::Undecided(fault), .. }) => Err(fault.into()),
            Err(Refused { refusal: Refusal::Denied(denial), principal }) => {
                let reason = denial.reason;
                trail.refusal = Some(denial.into());
                // A 401 would have the client fetch a new token, which would have no more rights.
                if self.on_refusal == OnRefusal::Unauthorized && reason != Reason::InsufficientScope {
                    return Err(Failure::Unauthorized);
                }
                Ok(policy::deny(&request.stage, self.form(&request), reason, principal.as_deref()))
            }
        }
    }

    async fn judge(
        &self,
        request: &Request<'_>,
        now: &Now,
        trail: &mut Trail,
        pending: &mut Vec<PendingRenewal>,
    ) -> Result<Answer, Refused> {
        let (trust, claims) = self.verified(request, trail, pending).await?;
        let subject = trust.rules.check(&claims, now)?;
        let grant = self.rights.grant(&trust.scope_claims, &claims, self.only(request));
        let grant = grant.map_err(|denial| subject.refused(denial))?;
        self.permit(request, &claims, &subject, grant, trail)
    }

    /// The claims of the request's token, once a key of their issuer vouches for them.
    async fn verified(
        &self,
        request: &Request<'_>,
        trail: &mut Trail,
        pending: &mut Vec<PendingRenewal>,
    ) -> Result<(&Trust, Claims), Refused> {
        let credential = self.credentials.token(request)?;
        let token = Token::parse(&credential)?;
        trail.note(&token);
        let (trust, algorithm) = self.trust(&token)?;
        Ok((trust, trust.keys.verify(token, algorithm, pending).await?))
    }

    /// What the table of routes says about an event's token, for those who ask why. Nothing without a table, and
    /// nothing about a token that is not good.
    pub async fn table_report(&self, event: &str) -> Option<TableReport<'_>> {
        let event = Event::parse(event).ok()?;
        let request = event.request().ok()?;
        let verified = self.verified(&request, &mut Trail::default(), &mut Vec::new()).await;
        let (trust, claims) = verified.ok()?;
        trust.rules.check(&claims, &Now::read()).ok()?;
        self.rights.report(&trust.scope_claims, &claims)
    }

    /// The issuer that is to vouch for the token, if its header is one that the issuer writes.
    fn trust(&self, token: &Token<'_>) -> Result<(&Trust, Algorithm), Denial> {
        let trust = token.unverified_issuer().and_then(|issuer| self.issuers.get(issuer));
        let acceptance = trust.map_or(&self.anyone, |trust| &trust.acceptance);
        let algorithm = token.acceptable(&acceptance.types, acceptance.algorithms)?;
        Ok((trust.ok_or(Reason::IssuerUntrusted)?, algorithm))
    }

    fn permit(
        &self,
        request: &Request<'_>,
        claims: &Claims,
        subject: &Subject<'_>,
        grant: Grant<'_>,
        trail: &mut Trail,
    ) -> Result<Answer, Refused> {
        let context = Context::copy(&self.context, claims);
        trail.left_out = context.left_out.join(" ");
        let permit = Permit {
            principal: subject.principal,
            grant,
            ends: self.expiry_guard.then_some(subject.ends),
            context,
            usage_key: self.usage_key.as_ref().and_then(|path| claims.get(path)?.as_str()),
        };
        let answer = permit.answer(&request.stage, self.form(request));
        answer.map_err(|_| Obstacle::EventUnsupported.because("the stage's name is too long for ROUTES").into())
    }

    fn form(&self, request: &Request<'_>) -> Form {
        if self.simple_response && request.kind == Kind::Http2 { Form::Simple } else { Form::Policy }
    }

    /// The request that the answer is for, where it can be for one only.
    fn only<'r>(&self, request: &Request<'r>) -> Option<&'r str> {
        let is_one = request.kind == Kind::WebSocket || self.form(request) == Form::Simple;
        is_one.then_some(request.route)
    }
}

impl Subject<'_> {
    /// A refusal of a caller whose token is good.
    fn refused(&self, denial: Denial) -> Refused {
        Refused { refusal: denial.into(), principal: Some(self.principal.to_owned()) }
    }
}

/// What comes of a decision, a panic included: that is no verdict, and the next invocation finds all in order.
async fn shielded(decision: impl Future<Output = Result<Answer, Failure>>) -> Result<Answer, Failure> {
    let outcome = AssertUnwindSafe(decision).catch_unwind().await;
    outcome.unwrap_or_else(|_| Err(Obstacle::InternalError.because("a fault of this program").into()))
}

impl Trail {
    /// What a token says of itself. True only if the decision is `allow`.
    fn note(&mut self, token: &Token<'_>) {
        self.issuer = token.unverified_issuer().map(excerpt);
        self.kid = token.unverified_kid().map(excerpt);
        self.algorithm = Some(excerpt(token.unverified_algorithm()));
    }

    fn outcome(&self) -> Outcome {
        match &self.refusal {
            None => Outcome::Allowed,
            Some(Refusal::Denied(denial)) => Outcome::Refused(denial.reason),
            Some(Refusal::Undecided(_)) => Outcome::Unavailable,
        }
    }
}

impl AfterAnswer {
    /// Records the decision under the invocation that was answered, and waits for the renewal of keys that it began:
    /// for as long as its fetches may take, but not beyond half a second before the invocation's `deadline`.
    pub async fn finish(self, invocation: Invocation<'_>, deadline: SystemTime) {
        self.record.write(invocation);
        if self.pending.is_empty() {
            return;
        }
        let left = deadline.duration_since(Now::read().wall()).unwrap_or_default().saturating_sub(DEADLINE_MARGIN);
        let ended = join_all(self.pending.into_iter().map(PendingRenewal::ended));
        // What has not ended by then is left to the next invocation.
        let _ = tokio::time::timeout(left, ended).await;
    }
}

impl Record {
    fn write(&self, invocation: Invocation<'_>) {
        self.log(invocation);
        if let Some(metrics) = &self.metrics {
            metrics.decided(self.trail.outcome(), &self.ended);
        }
    }

    fn log(&self, Invocation { request_id, trace_id }: Invocation<'_>) {
        let Trail { issuer, kid, algorithm, refusal, left_out } = &self.trail;
        let (issuer, kid, alg) = (issuer.as_deref(), kid.as_deref(), algorithm.as_deref());
        let duration_us = u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX);
        if let Some(Refusal::Undecided(fault)) = refusal {
            let (reason, detail) = (fault.obstacle.code(), &*fault.detail);
            tracing::error!(decision = "none", reason, detail, issuer, kid, alg, duration_us, request_id, trace_id);
        } else if let Some(Refusal::Denied(denial)) = refusal {
            let (reason, detail) = (denial.reason.code(), some(&denial.detail));
            tracing::info!(decision = "deny", reason, detail, issuer, kid, alg, duration_us, request_id, trace_id);
        } else {
            let context_left_out = some(left_out);
            tracing::info!(decision = "allow", issuer, kid, alg, duration_us, request_id, trace_id, context_left_out);
        }
    }
}

/// The beginning of what a token says. Formats escape line feeds and the like, but JSON leaves as they are the
/// characters at which some readers break lines too, and those that make a terminal obey or reorder text.
fn excerpt(text: &str) -> String {
    let end = text.char_indices().nth(MAX_LOGGED).map_or(text.len(), |(end, _)| end);
    let text = &text[..end];
    if text.bytes().all(|byte| byte < 0x7f) {
        return text.to_owned();
    }
    let mut excerpt = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                excerpt.extend(c.escape_unicode());
            }
            _ => excerpt.push(c),
        }
    }
    excerpt
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_no_verdict_and_harms_nothing_after_it() {
        let outcome = shielded(async { panic!("a secret") }).await;
        let Err(Failure::NoVerdict(fault)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(fault.obstacle, Obstacle::InternalError);
        assert!(!fault.to_string().contains("secret"));
        let fine = shielded(async { Err(Failure::Unauthorized) }).await;
        assert_eq!(fine.unwrap_err(), Failure::Unauthorized);
    }
}
