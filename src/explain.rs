//! A decision in parts, for the operator who asks why. All of it is read from the [`Decision`]: nothing is checked a
//! second time.

use serde_json::Value;

use crate::access::routes::report::TableReport;
use crate::authorizer::Authorizer;
use crate::denial::Denial;
use crate::issuer::{IssuerName, Tenants};
use crate::jose::skipped::SkippedKey;
use crate::reason::{Obstacle, Reason};
use crate::remote::SourceStatus;
use crate::verdict::{Decision, Trace, Verdict};

/// What there is to show of a decision.
pub struct Explanation<'a> {
    /// The ARN of the event up to the stage, and what comes after it.
    pub request: Option<(String, String)>,
    /// Where the credential is: `authorizationToken`, or a member of `TOKEN_SOURCE`.
    pub location: Option<String>,
    /// The token's header and payload, if they can be read.
    pub token: Option<(Value, Value)>,
    /// Whether a key has verified them.
    pub is_verified: bool,
    /// The name of the issuer, and its keys.
    pub keys: Option<(String, SourceStatus)>,
    /// The keys that the issuer lists and that are not used.
    pub skipped_keys: Vec<SkippedKey>,
    /// The ids of these keys.
    pub key_ids: Vec<String>,
    /// The revocation list of the issuer, if it has one.
    pub revocations: Option<SourceStatus>,
    /// The checks, in their order.
    pub checks: Vec<Check>,
    /// What the settings expect in place of what the token has, where the token is refused for that.
    pub expected: Option<String>,
    /// The entries of the issuer's table of routes, if it is known and has one.
    pub routes: Vec<String>,
    /// What the entries are for the token, if it is a good one.
    pub table: Option<TableReport<'a>>,
    /// Claims that are not in the answer's context: it would be too long, or they have a control character.
    pub omitted: Vec<String>,
    /// Why the settings of `TRIAL` would refuse the request, if it is allowed and they would.
    pub trial: Option<Denial>,
}

/// A check, named after the reason that it refuses for.
pub struct Check {
    /// The reason.
    pub reason: Reason,
    /// How it ended.
    pub state: CheckState,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckState {
    /// An earlier check ended the decision.
    NotReached,
    /// It found nothing to refuse.
    Passed,
    /// It refused.
    Failed,
    /// It could not be made.
    Undecided,
}

impl Authorizer {
    /// A decision of this authorizer in parts.
    #[must_use]
    pub fn explain<'a>(&self, decision: &Decision<'a>) -> Explanation<'a> {
        let trace = &decision.trace;
        let (mut keys, mut revocations) = (None, None);
        let (mut key_ids, mut skipped_keys, mut routes) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(issuer) = trace.issuer {
            keys = Some((issuer.name.to_string(), issuer.keys.status()));
            if let Some(keys) = issuer.keys.state().cache.document() {
                (key_ids, skipped_keys) = (keys.ids(), keys.skipped.clone());
            }
            if let Some(list) = &issuer.revocations {
                revocations = Some(list.status());
            }
            if let Some(table) = &issuer.rights.routes {
                routes.extend(table.names().map(str::to_owned));
            }
        }
        Explanation {
            request: trace.request.clone(),
            location: trace.location.map(|location| location.to_string()),
            token: trace
                .token
                .as_ref()
                .map(|(header, payload)| ((**header).clone(), (**payload).clone())),
            is_verified: trace.claims.is_some(),
            keys,
            key_ids,
            skipped_keys,
            revocations,
            checks: checks(&decision.verdict),
            expected: self.expected(&decision.verdict),
            routes,
            table: table(trace, &decision.verdict),
            omitted: trace.omitted.clone(),
            trial: decision.trial_run().and_then(|run| run.refusal()),
        }
    }

    fn expected(&self, verdict: &Verdict<'_>) -> Option<String> {
        match verdict {
            Verdict::Deny(Denial::IssuerUntrusted { .. }) => {
                let mut names = Vec::new();
                for name in self.issuers.names() {
                    names.push(describe(name));
                }
                Some(format!("`iss` must be exactly {}", names.join(" or ")))
            }
            Verdict::Deny(denial) => denial.expected(),
            Verdict::Allow(_) | Verdict::Undecided(_) => None,
        }
    }
}

/// The checks that led to a verdict.
fn checks(verdict: &Verdict<'_>) -> Vec<Check> {
    let (last, end) = match verdict {
        Verdict::Allow(_) => (None, CheckState::Passed),
        Verdict::Deny(denial) => (Some(denial.reason()), CheckState::Failed),
        Verdict::Undecided(fault) => match fault.obstacle {
            Obstacle::KeysUnavailable => (Some(Reason::KeyUnknown), CheckState::Undecided),
            Obstacle::RevocationsUnavailable => (Some(Reason::TokenRevoked), CheckState::Undecided),
            // The event was not understood, or this program is at fault.
            Obstacle::EventUnsupported | Obstacle::InternalError => return Vec::new(),
        },
    };
    let mut checks = Vec::new();
    for reason in Reason::ALL {
        let state = match last {
            Some(last) if reason > last => CheckState::NotReached,
            Some(last) if reason == last => end,
            _ => CheckState::Passed,
        };
        checks.push(Check { reason, state });
    }
    checks
}

/// What the entries of the table are for a caller with a valid token.
fn table<'a>(trace: &Trace<'a>, verdict: &Verdict<'_>) -> Option<TableReport<'a>> {
    match verdict {
        Verdict::Allow(_) | Verdict::Deny(Denial::InsufficientScope { .. }) => {
            let issuer = trace.issuer?;
            let present = issuer.rules.present(&trace.checked_at?);
            issuer.rights.report(&issuer.scope_claims, trace.claims.as_ref()?, present)
        }
        Verdict::Deny(_) | Verdict::Undecided(_) => None,
    }
}

/// An issuer's name, and the values that the claim in it can have.
fn describe(name: &IssuerName) -> String {
    let IssuerName::Template(template) = name else { return name.to_string() };
    let claim = &template.claim;
    match &template.tenants {
        Tenants::Any => format!("{name} for any `{claim}`"),
        Tenants::Listed(tenants) => format!("{name} for a `{claim}` of {} TENANTS", tenants.len()),
    }
}
