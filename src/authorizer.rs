//! The decision: an event in, a verdict and its answer out.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::Value;

use crate::access::rights::{Access, AnswerScope, PolicyScope};
use crate::after_answer::{AfterAnswer, Record};
use crate::clock::Now;
use crate::config::Answering;
use crate::config::words::{ExpiryGuard, OnRefusal, SimpleResponse};
use crate::denial::{Denial, Refusal};
use crate::gateway::event::{Event, EventKind, Request, asks_for_status};
use crate::gateway::policy::{self, Allow, Answer, Context, ResponseFormat};
use crate::gateway::size;
use crate::issuer::Issuers;
use crate::jose::token::Token;
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::reason::{Fault, Obstacle};
use crate::remote::refresh::PendingRefreshes;
use crate::revocation::Revocations;
use crate::verdict::{Allowed, Decision, Failure, Trace, Verdict};

/// Decides about requests, for as long as the process lives.
pub struct Authorizer {
    pub(crate) issuers: Issuers,
    /// One for each source of keys.
    pub(crate) key_sets: Vec<Arc<Keys>>,
    pub(crate) lists: Vec<Arc<Revocations>>,
    pub(crate) answering: Answering,
    /// For requests that an Allow does not open, whenever the user signed in.
    pub(crate) closed_route_challenge: Value,
    /// For how long one request can wait for keys and revocation lists together.
    pub(crate) wait_limit: Duration,
    pub(crate) metrics: Option<Arc<Metrics>>,
}

/// One event on its way to a verdict.
struct Call<'a> {
    /// What is only shown.
    trace: Trace<'a>,
    /// What is waited for, before and after the answer.
    pending: PendingRefreshes,
}

impl Authorizer {
    /// Answers an event of API Gateway, or one that asks for the status, given as JSON text. Also returns the work that
    /// the client need not wait for.
    ///
    /// # Errors
    ///
    /// [`Failure::NoVerdict`] if nothing can be decided, also because of a panic; [`Failure::Unauthorized`] for a
    /// refused token with `REFUSAL=unauthorized`.
    pub async fn handle(&self, event: &str) -> (Result<Answer, Failure>, AfterAnswer) {
        let (decision, mut pending) = self.decide_call(event).await;
        let (answer, record) = match &decision.verdict {
            Verdict::Undecided(fault)
                if fault.obstacle == Obstacle::EventUnsupported && asks_for_status(event) =>
            {
                let (answer, is_available) = self.status(&mut pending).await;
                (Ok(answer), Record::Status { is_available })
            }
            _ => Record::of(decision),
        };
        (answer, AfterAnswer { record, pending, metrics: self.metrics.clone() })
    }

    /// Decides about an event, without a word to the log.
    pub async fn decide(&self, event: &str) -> Decision<'_> {
        self.decide_call(event).await.0
    }

    async fn decide_call(&self, event: &str) -> (Decision<'_>, PendingRefreshes) {
        let received_at = Now::read();
        let pending = PendingRefreshes::new(received_at, self.wait_limit);
        let mut call = Call { trace: Trace::default(), pending };
        let (verdict, answer) = match catch_panic(self.judge(event, &mut call)).await {
            Ok(judged) => judged,
            Err(fault) => (Verdict::Undecided(fault.clone()), Err(Failure::NoVerdict(fault))),
        };
        let Call { trace, pending } = call;
        let elapsed = Now::read().since(&received_at);
        (Decision { verdict, answer, trace, elapsed }, pending)
    }

    async fn judge<'a>(
        &'a self,
        event: &str,
        call: &mut Call<'a>,
    ) -> Result<(Verdict<'a>, Result<Answer, Failure>), Fault> {
        let event = Event::parse(event)?;
        let request = event.request()?;
        call.trace.request(&request);
        let verdict = match self.check(&request, call).await {
            Ok(allowed) => Verdict::Allow(allowed),
            Err(Refusal::Denied(denial)) => Verdict::Deny(denial),
            Err(Refusal::Undecided(fault)) => Verdict::Undecided(fault),
        };
        let answer = self.answer(&request, &verdict, &mut call.trace);
        Ok((verdict, answer))
    }

    /// The checks, in the order of [`Reason`](crate::Reason). The first that fails ends the decision.
    async fn check<'a>(
        &'a self,
        request: &Request<'_>,
        call: &mut Call<'a>,
    ) -> Result<Allowed<'a>, Refusal> {
        let credential = self.answering.credentials.find(request)?;
        call.trace.location = Some(credential.location);
        let token = Token::parse(&credential.token)?;
        call.trace.token(&token);
        let token = self.issuers.accept(token)?;
        let issuer = token.issuer;
        call.trace.issuer = Some(issuer);
        issuer.prepare_revocations(&mut call.pending);
        let claims = token.verify(&mut call.pending).await?;
        call.trace.claims = Some(claims.clone());
        // Reads the clock again: the wait for keys can take a while.
        let checked_at = Now::read();
        let caller = issuer.caller(&claims, &checked_at)?;
        self.answering.binding.check(&claims, || request.client_certificate())?;
        let checked_at =
            issuer.check_not_revoked(&claims, &caller, checked_at, &mut call.pending).await?;
        call.trace.checked_at = Some(checked_at);
        let access = issuer.access(&claims, &caller, &checked_at, self.answer_scope(request))?;
        size::check_length(&request.stage, &access, self.guarded_expiry(caller.expires_at))?;
        Ok(Allowed { claims, caller, access })
    }

    /// The answer to a verdict. Traces the claims that are omitted from its context.
    fn answer(
        &self,
        request: &Request<'_>,
        verdict: &Verdict<'_>,
        trace: &mut Trace<'_>,
    ) -> Result<Answer, Failure> {
        let (stage, format) = (&request.stage, self.response_format(request.kind));
        match verdict {
            Verdict::Allow(Allowed { claims, caller, access, .. }) => {
                let challenge = self.challenge_of_allow(access);
                let context = Context::of_allow(challenge, &self.answering.context, claims);
                trace.omitted = context.omitted.iter().map(|name| (*name).to_owned()).collect();
                let usage_key = match &self.answering.usage_key {
                    Some(path) => claims.non_empty_string(path),
                    None => None,
                };
                let expires_at = self.guarded_expiry(caller.expires_at);
                let principal = &caller.principal;
                let allow = Allow { principal, access, expires_at, context, usage_key };
                Ok(allow.answer(stage, format))
            }
            Verdict::Deny(denial) if self.is_answered(denial) => {
                Ok(policy::deny(stage, format, denial, self.answering.challenges.of(denial)))
            }
            Verdict::Deny(_) => Err(Failure::Unauthorized),
            Verdict::Undecided(fault) => Err(Failure::NoVerdict(fault.clone())),
        }
    }

    /// The challenge of API Gateway's own 403, where the policy can leave a route closed.
    fn challenge_of_allow(&self, access: &Access<'_>) -> Option<Cow<'_, Value>> {
        let Access::Routes(decided) = access else { return None };
        let closes_later =
            self.answering.expiry_guard == ExpiryGuard::On && !decided.changes.is_empty();
        if self.answering.policy_scope == PolicyScope::Request
            || !decided.leaves_route_closed() && !closes_later
        {
            return None;
        }
        Some(match &decided.step_up {
            Some(step_up) => Cow::Owned(self.answering.challenges.of_step_up(step_up).into()),
            None => Cow::Borrowed(&self.closed_route_challenge),
        })
    }

    /// Whether a denial is answered with a policy, and not with 401. For a valid token it always is: the client would
    /// fetch a new one, which would have no more rights.
    fn is_answered(&self, denial: &Denial) -> bool {
        self.answering.on_refusal == OnRefusal::Deny
            || matches!(denial, Denial::InsufficientScope { .. })
    }

    /// The Unix time from which on the policy itself denies, if it does.
    fn guarded_expiry(&self, expires_at: f64) -> Option<f64> {
        match self.answering.expiry_guard {
            ExpiryGuard::On => Some(expires_at),
            ExpiryGuard::Off => None,
        }
    }

    fn response_format(&self, kind: EventKind) -> ResponseFormat {
        if self.answering.simple_response == SimpleResponse::On && kind == EventKind::Http2 {
            ResponseFormat::Simple
        } else {
            ResponseFormat::Policy
        }
    }

    /// What the answer to a request is for.
    fn answer_scope<'e>(&self, request: &Request<'e>) -> AnswerScope<'e> {
        let route = request.route_to_decide();
        if request.kind == EventKind::WebSocket
            || self.response_format(request.kind) == ResponseFormat::Simple
        {
            return AnswerScope::Single(route);
        }
        match self.answering.policy_scope {
            PolicyScope::Stage => AnswerScope::Stage,
            PolicyScope::Request => AnswerScope::Request(route),
        }
    }
}

/// Turns a panic into no verdict. It does not affect the next invocation.
async fn catch_panic<T>(judged: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match AssertUnwindSafe(judged).catch_unwind().await {
        Ok(judged) => judged,
        Err(_) => Err(Obstacle::InternalError.because("a bug in this program")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_no_verdict_and_harms_nothing_after_it() {
        let outcome: Result<(), _> = catch_panic(async { panic!("a secret") }).await;
        let fault = outcome.unwrap_err();
        assert_eq!(fault.obstacle, Obstacle::InternalError);
        assert!(!fault.to_string().contains("secret"));
        assert_eq!(catch_panic(async { Ok(5) }).await, Ok(5));
    }
}
