//! The decision: an event in, a verdict out, and the answer that is rendered from it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;

use crate::access::binding::TokenBinding;
use crate::access::rights::CONNECT;
use crate::clock::Now;
use crate::config::{Config, Issuer, KeyOrigin, KeySource, OnRefusal, RevocationSource};
use crate::decision::{
    AfterAnswer, Decision, Failure, Invocation, Observed, ObservedRequest, Verdict,
};
use crate::gateway::challenge::challenge;
use crate::gateway::event::{Credentials, Event, EventKind, Request};
use crate::gateway::policy::{self, Allow, Answer, Context, ContextClaim, ResponseFormat};
use crate::issuer::{HeaderRules, Issuers, TrustedIssuer};
use crate::jose::algorithm::Algorithm;
use crate::jose::jwks::Key;
use crate::jose::token::{ClaimPath, Token};
use crate::keys::Keys;
use crate::keys::provider::Provider;
use crate::metrics::Metrics;
use crate::reason::{Denial, Obstacle, Reason, Refusal};
use crate::remote::cache::Lifetimes;
use crate::remote::http::{Endpoint, Fetcher};
use crate::remote::refresh::ended;
use crate::revocation::Revocations;

/// Decides about requests, for as long as the process lives.
pub struct Authorizer {
    pub(crate) issuers: Issuers,
    /// The header rules of all issuers together, for a token whose issuer is not trusted: its header is checked first.
    pub(crate) any_issuer: HeaderRules,
    /// One for each source of keys.
    key_sets: Vec<Arc<Keys>>,
    lists: Vec<Arc<Revocations>>,
    pub(crate) binding: TokenBinding,
    credentials: Credentials,
    context: Vec<ContextClaim>,
    usage_key: Option<ClaimPath>,
    on_refusal: OnRefusal,
    resource_metadata: Option<String>,
    expiry_guard: bool,
    simple_response: bool,
    metrics: Option<Arc<Metrics>>,
}

impl Authorizer {
    /// Answers an event of API Gateway, given as JSON text, and records the decision. Does not wait for a refresh
    /// that it may have begun.
    ///
    /// # Errors
    ///
    /// [`Failure::NoVerdict`] if nothing can be decided, also because of a panic; [`Failure::Unauthorized`] for a
    /// refused token where the configuration wants that.
    pub async fn authorize(
        &self,
        event: &str,
        invocation: Invocation<'_>,
    ) -> Result<Answer, Failure> {
        let (answer, after) = self.answered(event).await;
        after.record(invocation);
        answer
    }

    /// Answers as [`Authorizer::authorize`] does, and returns the work that the client need not wait for.
    pub async fn answered(&self, event: &str) -> (Result<Answer, Failure>, AfterAnswer) {
        let mut decision = self.decide(event).await;
        let answer = self.answer(&mut decision);
        (answer, decision.into_after_answer(self.metrics.clone()))
    }

    /// Decides about an event, without a word to the log.
    pub async fn decide(&self, event: &str) -> Decision<'_> {
        let came = Now::read();
        let mut observed = Observed::default();
        let judged = catch_panic(self.judge(event, &came, &mut observed)).await;
        let verdict = match judged {
            Ok(()) => Verdict::Allow,
            Err(Refusal::Denied(denial)) => Verdict::Deny(denial),
            Err(Refusal::Undecided(fault)) => Verdict::Undecided(fault),
        };
        let at = Now::read();
        Decision { verdict, observed, at, took: at.since(&came) }
    }

    async fn judge<'a>(
        &'a self,
        event: &str,
        came: &Now,
        observed: &mut Observed<'a>,
    ) -> Result<(), Refusal> {
        let event = Event::parse(event)?;
        let request = event.request()?;
        observed.request(&request);
        let credential = self.credentials.token(&request, &mut observed.place)?;
        observed.length = Some(credential.len());
        let token = Token::parse(&credential)?;
        observed.token(&token);
        let (issuer, algorithm) = self.trust(&token)?;
        observed.issuer = Some(issuer);
        if let Some(list) = &issuer.revocations {
            list.prepare(&mut observed.pending);
        }
        let (key_issuer, pending) = (issuer.key_issuer(), &mut observed.pending);
        let claims = issuer.keys.verify(token, algorithm, key_issuer, came, pending).await?;
        let claims = observed.claims.insert(claims);
        // Reads the clock again: the wait for keys may have taken a while.
        let caller = issuer.caller(claims, &Now::read())?;
        self.binding.check(claims, || request.client_certificate())?;
        if let Some(list) = &issuer.revocations {
            list.check(claims, &mut observed.pending).await?;
            // The token may have expired during the wait for the list.
            if caller.expires_at <= Now::read().unix() {
                return Err(Reason::TokenExpired.into());
            }
        }
        observed.principal = Some(caller.principal.to_owned());
        observed.expires_at = Some(caller.expires_at);
        let access = issuer.access(claims, self.single_request(&request))?;
        let expires_at = observed.expires_at.filter(|_| self.expiry_guard);
        policy::check_length(&request.stage, &access, expires_at)?;
        observed.access = Some(access);
        Ok(())
    }

    /// The trusted issuer that the token names, if the token's header keeps the issuer's rules.
    fn trust(&self, token: &Token<'_>) -> Result<(&TrustedIssuer, Algorithm), Denial> {
        let issuer = self.issuers.find(token);
        let HeaderRules { types, algorithms } =
            issuer.map_or(&self.any_issuer, |issuer| &issuer.header_rules);
        let algorithm = token.acceptable(types, *algorithms)?;
        Ok((issuer.ok_or(Reason::IssuerUntrusted)?, algorithm))
    }

    /// The answer to a decision. Notes the claims for which its context has no room.
    ///
    /// # Errors
    ///
    /// As [`Authorizer::authorize`].
    pub fn answer(&self, decision: &mut Decision<'_>) -> Result<Answer, Failure> {
        let Observed { request, issuer, claims, principal, expires_at, access, omitted, .. } =
            &mut decision.observed;
        let (verdict, request) = match (&decision.verdict, request) {
            (Verdict::Undecided(fault), _) => return Err(Failure::NoVerdict(fault.clone())),
            (verdict, Some(request)) => (verdict, request),
            (_, None) => return Err(incomplete()),
        };
        let ObservedRequest { kind, stage, .. } = request;
        let response_format = self.response_format(*kind);
        if let Verdict::Deny(denial) = verdict {
            // A 401 would have the client fetch a new token, which would have no more rights.
            if self.on_refusal == OnRefusal::Unauthorized
                && denial.reason != Reason::InsufficientScope
            {
                return Err(Failure::Unauthorized);
            }
            let lacking = || match (issuer, claims) {
                (Some(issuer), Some(claims)) => issuer.lacking(claims),
                _ => &[],
            };
            let reason = denial.reason;
            let challenge = challenge(reason, lacking, self.resource_metadata.as_deref());
            let principal = principal.as_deref();
            return Ok(policy::deny(stage, response_format, reason, challenge, principal));
        }
        let (Some(claims), Some(principal), Some(access)) = (claims, principal, access) else {
            return Err(incomplete());
        };
        let context = Context::copy(&self.context, claims);
        *omitted = context.omitted.iter().map(|name| (*name).to_owned()).collect();
        let usage_key = self.usage_key.as_ref().and_then(|path| claims.get(path)?.as_str());
        let allow = Allow {
            principal,
            access,
            expires_at: expires_at.filter(|_| self.expiry_guard),
            context,
            usage_key: usage_key.filter(|key| !key.is_empty()),
        };
        Ok(allow.answer(stage, response_format))
    }

    fn response_format(&self, kind: EventKind) -> ResponseFormat {
        if self.simple_response && kind == EventKind::Http2 {
            ResponseFormat::Simple
        } else {
            ResponseFormat::Policy
        }
    }

    /// The request that the answer will be used for, if it is for that one only.
    fn single_request<'e>(&self, request: &Request<'e>) -> Option<&'e str> {
        match request.kind {
            // A connection is recognized by the event's type, whatever its ARN ends in.
            EventKind::WebSocket => Some(CONNECT),
            kind if self.response_format(kind) == ResponseFormat::Simple => Some(request.route),
            _ => None,
        }
    }
}

impl Authorizer {
    /// An authorizer without keys yet, except for configured ones.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let names = config.issuers.iter().flat_map(|issuer| &issuer.names);
        let names: Vec<_> = names.map(|(name, _)| name.to_string()).collect();
        tracing::info!(
            issuers = names.join(" "),
            version = env!("CARGO_PKG_VERSION"),
            "configured"
        );
        config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let fetcher = Arc::new(Fetcher::new(config.fetch_timeout, config.authorities));
        let metrics = config.metrics.map(Arc::new);
        let key_sets: Vec<_> = config
            .key_sources
            .into_iter()
            .map(|source| keep_keys(source, config.lifetimes, &fetcher, &metrics))
            .collect();
        let (mut issuers, mut any_issuer) = (Issuers::default(), HeaderRules::default());
        let mut lists = Vec::new();
        for issuer in config.issuers {
            let Issuer { names, algorithms, types, rules, revoked, scope_claims, rights } = issuer;
            any_issuer.algorithms = any_issuer.algorithms | algorithms;
            any_issuer.types.extend(types.iter().cloned());
            let revocations = revoked.map(|source| {
                keep_list(source, config.list_lifetimes, &fetcher, &metrics, &mut lists)
            });
            for (name, source) in names {
                issuers.insert(TrustedIssuer {
                    name,
                    header_rules: HeaderRules { types: types.clone(), algorithms },
                    keys: Arc::clone(&key_sets[source]),
                    rules: rules.clone(),
                    revocations: revocations.clone(),
                    scope_claims: scope_claims.clone(),
                    rights: rights.clone(),
                });
            }
        }
        if !lists.is_empty() {
            tracing::info!(
                REVOKED_FRESH_SECONDS = config.list_lifetimes.fresh.as_secs(),
                REVOKED_STALE_SECONDS = config.list_lifetimes.stale.as_secs(),
                "a revocation takes effect after REVOKED_FRESH_SECONDS and one request, \
                 and after REVOKED_STALE_SECONDS at the latest"
            );
        }
        Self {
            issuers,
            any_issuer,
            key_sets,
            lists: lists.into_iter().map(|(_, list)| list).collect(),
            binding: config.binding,
            credentials: config.credentials,
            context: config.context,
            usage_key: config.usage_key,
            on_refusal: config.on_refusal,
            resource_metadata: config.resource_metadata,
            expiry_guard: config.expiry_guard,
            simple_response: config.simple_response,
            metrics,
        }
    }

    /// Fetches the first keys and revocation lists from all sources at once. What cannot be fetched is logged, and tried
    /// again when needed.
    pub async fn prefetch(&self) {
        let keys = self.key_sets.iter().filter_map(|keys| keys.prefetch());
        let lists = self.lists.iter().filter_map(|list| list.prefetch());
        let refreshes: Vec<_> = keys.chain(lists).collect();
        for refresh in refreshes {
            ended(refresh).await;
        }
    }
}

/// The keys of one source, kept.
fn keep_keys(
    KeySource { issuers, algorithms, place }: KeySource,
    lifetimes: Lifetimes,
    fetcher: &Arc<Fetcher>,
    metrics: &Option<Arc<Metrics>>,
) -> Arc<Keys> {
    let of_use = |keys: Vec<Key>| keys.into_iter().filter(|key| key.fits(algorithms)).collect();
    let (keys_at, seed): (_, Vec<_>) = match place {
        KeyOrigin::Static(keys) => return Keys::fixed(of_use(keys), lifetimes),
        KeyOrigin::Discovery => (None, Vec::new()),
        KeyOrigin::Address(keys_at, keys) => (Some(keys_at), of_use(keys)),
    };
    let symmetric = seed.iter().filter(|key| key.is_symmetric()).cloned().collect();
    let provider = Provider::new(issuers, keys_at, algorithms, symmetric, Arc::clone(fetcher));
    Keys::of(provider, seed, lifetimes, metrics.clone())
}

/// A revocation list, kept. Issuers that name the same address share it: `lists` has those so far.
fn keep_list(
    source: RevocationSource,
    lifetimes: Lifetimes,
    fetcher: &Arc<Fetcher>,
    metrics: &Option<Arc<Metrics>>,
    lists: &mut Vec<(Endpoint, Arc<Revocations>)>,
) -> Arc<Revocations> {
    let list_at = match source {
        RevocationSource::Static(list) => return Revocations::fixed(list, lifetimes),
        RevocationSource::At(list_at) => list_at,
    };
    if let Some((_, list)) = lists.iter().find(|(known, _)| *known == list_at) {
        return Arc::clone(list);
    }
    let list = Revocations::at(list_at.clone(), lifetimes, Arc::clone(fetcher), metrics.clone());
    lists.push((list_at, Arc::clone(&list)));
    list
}

/// Decisions are made in one place, so none should be incomplete. If one is, there is no verdict.
fn incomplete() -> Failure {
    Failure::NoVerdict(Obstacle::InternalError.because("incomplete decision"))
}

/// Turns a panic into no verdict. It does not affect the next invocation.
async fn catch_panic(judged: impl Future<Output = Result<(), Refusal>>) -> Result<(), Refusal> {
    let outcome = AssertUnwindSafe(judged).catch_unwind().await;
    outcome.unwrap_or_else(|_| Err(Obstacle::InternalError.because("a bug in this program").into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_no_verdict_and_harms_nothing_after_it() {
        let outcome = catch_panic(async { panic!("a secret") }).await;
        let Err(Refusal::Undecided(fault)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(fault.obstacle, Obstacle::InternalError);
        assert!(!fault.to_string().contains("secret"));
        let fine = catch_panic(async { Err(Reason::TokenMissing.into()) }).await;
        assert_eq!(fine, Err(Reason::TokenMissing.into()));
    }
}
