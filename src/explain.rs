//! A decision in words, for the operator who asks why: each check, what it wants and what the event has.
//!
//! All of it is read from the [`Decision`] and from the rules that made it. Nothing is parsed a second time.

use std::slice;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::access::binding::{self, TokenBinding};
use crate::access::claims::Rules;
use crate::access::report::TableReport;
use crate::access::rights::Rights;
use crate::authorizer::Authorizer;
use crate::decision::{Decision, Observed, Verdict};
use crate::issuer::{HeaderRules, IssuerName, IssuerTemplate, Tenants, TrustedIssuer};
use crate::jose::algorithm::Algorithms;
use crate::jose::token::{ClaimPath, MAX_TOKEN_BYTES};
use crate::reason::{Obstacle, Reason};
use crate::remote::DocumentStatus;

/// What there is to show of a decision.
pub struct Explanation<'a> {
    /// The ARN of the event up to the stage, and what comes after it.
    pub request: Option<(String, String)>,
    /// Where the credential stands: `authorizationToken`, or an entry of `TOKEN_SOURCE`.
    pub place: Option<String>,
    /// The token's header and payload, if they can be read.
    pub token: Option<(Value, Value)>,
    /// Whether a key has verified them.
    pub is_verified: bool,
    /// The name of the issuer, and its keys.
    pub keys: Option<(String, DocumentStatus)>,
    /// The revocation list of the issuer, if it has one.
    pub revocations: Option<DocumentStatus>,
    /// The checks, in their order.
    pub steps: Vec<Step>,
    /// The entries of the issuer's table of routes, if it is known and has one.
    pub routes: Vec<String>,
    /// What the entries are for the token, if it is a good one.
    pub table: Option<TableReport<'a>>,
    /// Claims for which the answer's context has no room.
    pub omitted: Vec<String>,
}

/// A check, named after the reason that it refuses for.
pub struct Step {
    /// The reason.
    pub reason: Reason,
    /// How it ended.
    pub state: StepState,
    /// What it wants.
    pub wanted: String,
    /// What there is.
    pub found: String,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// An earlier check ended the decision.
    NotReached,
    /// What it wants is there.
    Passed,
    /// There was nothing to look at: no `nbf`, no table.
    NotApplicable,
    /// It refused.
    Failed,
    /// It could not be made.
    Undecided,
}

impl Authorizer {
    /// A decision of this authorizer in words.
    #[must_use]
    pub fn explain<'a>(&self, decision: &Decision<'a>) -> Explanation<'a> {
        let observed = &decision.observed;
        let request = observed.request.as_ref();
        Explanation {
            request: request.map(|request| (request.stage.arn().to_owned(), request.route.clone())),
            place: observed.place.map(|place| place.to_string()),
            token: observed
                .token
                .as_ref()
                .map(|token| ((*token.header).clone(), (*token.payload).clone())),
            is_verified: observed.claims.is_some(),
            keys: observed.issuer.map(|issuer| (issuer.name.to_string(), issuer.keys.status())),
            revocations: observed
                .issuer
                .and_then(|issuer| Some(issuer.revocations.as_ref()?.status())),
            steps: Reason::ALL.map(|reason| self.step(reason, decision)).into(),
            routes: observed.issuer.map(entries).unwrap_or_default(),
            table: table(observed),
            omitted: observed.omitted.clone(),
        }
    }

    fn step(&self, reason: Reason, decision: &Decision<'_>) -> Step {
        let state = self.state(reason, decision);
        let (wanted, mut found) = self.compared(reason, decision);
        if let Verdict::Deny(denial) = &decision.verdict
            && state == StepState::Failed
            && !denial.detail.is_empty()
            && !matches!(reason, Reason::TokenExpired | Reason::TokenNotYetValid)
        {
            found = if found.is_empty() {
                denial.detail.to_string()
            } else {
                format!("{found}: {}", denial.detail)
            };
        }
        Step { reason, state, wanted, found }
    }

    fn state(&self, reason: Reason, decision: &Decision<'_>) -> StepState {
        let (last, end) = match &decision.verdict {
            Verdict::Allow => (None, StepState::Passed),
            Verdict::Deny(denial) => (Some(denial.reason), StepState::Failed),
            Verdict::Undecided(fault) if fault.obstacle == Obstacle::KeysUnavailable => {
                (Some(Reason::KeyUnknown), StepState::Undecided)
            }
            Verdict::Undecided(fault) if fault.obstacle == Obstacle::RevocationsUnavailable => {
                (Some(Reason::TokenRevoked), StepState::Undecided)
            }
            // The event was not understood, or this program is at fault.
            Verdict::Undecided(_) => return StepState::NotReached,
        };
        match last {
            Some(last) if reason > last => StepState::NotReached,
            Some(last) if reason == last => end,
            _ if self.is_not_applicable(reason, &decision.observed) => StepState::NotApplicable,
            _ => StepState::Passed,
        }
    }

    fn is_not_applicable(&self, reason: Reason, observed: &Observed<'_>) -> bool {
        let Some(issuer) = observed.issuer else { return false };
        match (reason, &observed.claims) {
            (Reason::TokenRevoked, _) => issuer.revocations.is_none(),
            (Reason::InsufficientScope, _) => {
                issuer.rights.required.is_empty() && issuer.rights.routes.is_none()
            }
            (Reason::TokenBindingInvalid, Some(claims)) => {
                self.binding == TokenBinding::Certificate && binding::bound(claims).is_none()
            }
            (_, Some(claims)) => issuer.rules.not_applicable(claims).contains(&reason),
            _ => false,
        }
    }

    /// What a check wants, and what there is.
    fn compared(&self, reason: Reason, decision: &Decision<'_>) -> (String, String) {
        let observed = &decision.observed;
        let HeaderRules { types, algorithms } =
            observed.issuer.map_or(&self.any_issuer, |issuer| &issuer.header_rules);
        let header = |name: &str| observed.token.as_ref().and_then(|token| token.header.get(name));
        let payload =
            |name: &str| observed.token.as_ref().and_then(|token| token.payload.get(name));
        let rules = observed.issuer.map(|issuer| &issuer.rules);
        let claims = |paths: &[ClaimPath]| show_claims(paths, observed);
        let leeway = rules.map(|rules| rules.leeway).filter(|leeway| *leeway > 0.0);
        let leeway =
            leeway.map(|seconds| format!(", with {seconds} s of leeway")).unwrap_or_default();
        match reason {
            Reason::TokenMissing => {
                let found = observed
                    .place
                    .map_or_else(|| "nothing".to_owned(), |place| format!("in {place}"));
                ("the event has a credential".to_owned(), found)
            }
            Reason::TokenTooLong => {
                let found =
                    observed.length.map(|length| format!("{length} bytes")).unwrap_or_default();
                (format!("at most {MAX_TOKEN_BYTES} bytes"), found)
            }
            Reason::TokenMalformed => {
                let wanted = "one bearer token: three segments, JSON in base64url".to_owned();
                (wanted, observed.token.as_ref().map(|_| "is one".to_owned()).unwrap_or_default())
            }
            Reason::CriticalHeaderUnsupported => {
                let present: Vec<_> =
                    ["crit", "b64"].into_iter().filter(|name| header(name).is_some()).collect();
                let found =
                    if present.is_empty() { "neither".to_owned() } else { quoted(&present, ", ") };
                ("the header has neither `crit` nor `b64`".to_owned(), found)
            }
            Reason::TypeNotAccepted => {
                let found = match (header("typ"), header("cty")) {
                    (None, None) => "no `typ`, which counts as JWT".to_owned(),
                    (typ, None) => show(typ),
                    (typ, Some(cty)) => format!("{}, with `cty` {cty}", show(typ)),
                };
                (format!("`typ` is {}, in any letter case", any(types)), found)
            }
            Reason::AlgorithmNotAllowed => {
                (format!("`alg` is {}", any(&names(*algorithms))), show(header("alg")))
            }
            Reason::IssuerUntrusted => self.issuers_compared(observed),
            Reason::KeyUnknown => (
                "the issuer has a key for `kid` and `alg`".to_owned(),
                format!("`kid` {}", show(header("kid"))),
            ),
            Reason::SignatureInvalid => {
                ("this key verifies the signature".to_owned(), String::new())
            }
            Reason::TokenExpired => {
                (format!("`exp` is later than now{leeway}"), date(payload("exp"), decision))
            }
            Reason::TokenNotYetValid => {
                (format!("`nbf` is not later than now{leeway}"), date(payload("nbf"), decision))
            }
            Reason::AudienceMismatch => {
                let Some(Rules { audience_claims: paths, audiences, .. }) = rules else {
                    let wanted = "an accepted audience, as the issuer's settings say";
                    return (wanted.to_owned(), String::new());
                };
                let present = observed.claims.as_ref();
                let is_present =
                    |path: &ClaimPath| present.is_some_and(|claims| claims.get(path).is_some());
                let first = paths.iter().find(|path| is_present(path));
                let wanted = format!("`{}` holds {}", texts(paths, "` or `"), any(audiences));
                (wanted, claims(first.map_or(paths, slice::from_ref)))
            }
            Reason::ClaimMissing => {
                let wanted =
                    observed.issuer.map_or_else(|| "every claim that is needed".to_owned(), needed);
                (wanted, String::new())
            }
            Reason::ClaimInvalid => {
                let Some(rules) = rules else {
                    return ("claims are of the right type".to_owned(), String::new());
                };
                let wanted = match &*rules.required_text() {
                    "" => "claims are of the right type".to_owned(),
                    required => format!("claims are of the right type, and {required}"),
                };
                (wanted, claims(&rules.principal_claims))
            }
            Reason::TokenBindingInvalid => {
                let wanted = match self.binding {
                    TokenBinding::Refuse => "the token has no `cnf`",
                    TokenBinding::Certificate => "`cnf` names the client certificate",
                    TokenBinding::Ignore => "whatever `cnf` says: TOKEN_BINDING=ignore",
                };
                let found = observed.claims.as_ref().map(|claims| show(binding::bound(claims)));
                (wanted.to_owned(), found.map(|cnf| format!("`cnf` {cnf}")).unwrap_or_default())
            }
            Reason::TokenRevoked => {
                let list = observed.issuer.and_then(|issuer| issuer.revocations.as_ref());
                let paths = ["jti", "sid", "sub", "iat"].map(|name| ClaimPath::Member(name.into()));
                let wanted = "the list of REVOKED, if there is one, does not hold the token";
                (wanted.to_owned(), list.map(|_| claims(&paths)).unwrap_or_default())
            }
            Reason::InsufficientScope => match observed.issuer {
                None => ("the rights that the issuer's settings ask for".to_owned(), String::new()),
                Some(TrustedIssuer {
                    rights: Rights { required, routes }, scope_claims, ..
                }) => {
                    let required = required.join(", ");
                    let wanted = match (required.is_empty(), routes.is_none()) {
                        (true, true) => "nothing more: every route is open".to_owned(),
                        (false, true) => format!("all of {required}"),
                        (true, false) => "an entry of ROUTES is open".to_owned(),
                        (false, false) => {
                            format!("all of {required}, and an entry of ROUTES is open")
                        }
                    };
                    (wanted, claims(scope_claims))
                }
            },
        }
    }

    fn issuers_compared(&self, observed: &Observed<'_>) -> (String, String) {
        let payload =
            |name: &str| observed.token.as_ref().and_then(|token| token.payload.get(name));
        let (mut wanted, mut found) = (Vec::new(), show(payload("iss")));
        for name in self.issuers.names() {
            wanted.push(describe(name));
            if let IssuerName::Template(IssuerTemplate { claim, .. }) = name {
                found += &format!(", `{claim}` {}", show(payload(claim)));
            }
        }
        let untrusted = payload("iss").filter(|_| observed.issuer.is_none());
        let other = untrusted.and_then(Value::as_str).and_then(other_form);
        if let Some(other) = other.filter(|other| self.issuers.has_name(other)) {
            found += &format!(": the other form of the same pool as {other}; ISSUER takes both");
        }
        (format!("`iss` is exactly {}", any(&wanted)), found)
    }
}

/// The names of the entries of the issuer's table.
fn entries(issuer: &TrustedIssuer) -> Vec<String> {
    issuer.rights.routes.iter().flat_map(|routes| routes.names()).map(str::to_owned).collect()
}

fn table<'a>(observed: &Observed<'a>) -> Option<TableReport<'a>> {
    // A caller is known once the claims have passed all checks.
    observed.principal.as_ref()?;
    let issuer = observed.issuer?;
    issuer.rights.report(&issuer.scope_claims, observed.claims.as_ref()?)
}

/// An issuer's name, and the values that the claim in it may have.
fn describe(name: &IssuerName) -> String {
    let IssuerName::Template(IssuerTemplate { claim, tenants, .. }) = name else {
        return name.to_string();
    };
    match tenants {
        Tenants::Any => format!("{name} for any `{claim}`"),
        Tenants::Listed(tenants) => format!("{name} for a `{claim}` of {} TENANTS", tenants.len()),
    }
}

/// A pool of Amazon Cognito has two issuers, of which the second is for pools that were switched to it.
fn other_form(issuer: &str) -> Option<String> {
    const FORMS: [&str; 2] = ["https://cognito-idp.", "https://issuer-cognito-idp."];
    let replaced = |from, to| Some([to, issuer.strip_prefix(from)?].concat());
    replaced(FORMS[0], FORMS[1]).or_else(|| replaced(FORMS[1], FORMS[0]))
}

fn needed(issuer: &TrustedIssuer) -> String {
    let rules = &issuer.rules;
    let (audience, principal) =
        (texts(&rules.audience_claims, "` or `"), texts(&rules.principal_claims, "` or `"));
    format!("there are `exp`, `{audience}`, `{principal}`, and the claims of REQUIRED_CLAIMS")
}

fn show_claims(paths: &[ClaimPath], observed: &Observed<'_>) -> String {
    let Some(claims) = &observed.claims else { return String::new() };
    let present: Vec<_> = paths
        .iter()
        .filter_map(|path| Some(format!("`{}` {}", path.text(), claims.get(path)?)))
        .collect();
    if present.is_empty() {
        format!("no `{}`", texts(paths, "`, no `"))
    } else {
        present.join(", ")
    }
}

fn names(algorithms: Algorithms) -> Vec<String> {
    algorithms.iter().map(|algorithm| format!("{algorithm:?}")).collect()
}

fn texts(paths: &[ClaimPath], between: &str) -> String {
    paths.iter().map(ClaimPath::text).collect::<Vec<_>>().join(between)
}

fn quoted(names: &[&str], between: &str) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(between)
}

fn any(values: &[String]) -> String {
    match values {
        [one] => one.clone(),
        _ => format!("one of {}", values.join(", ")),
    }
}

fn show(value: Option<&Value>) -> String {
    value.map_or_else(|| "absent".to_owned(), ToString::to_string)
}

/// A `NumericDate` with its date and its distance from now; anything else unchanged.
fn date(value: Option<&Value>, decision: &Decision<'_>) -> String {
    const YEAR_10000: Duration = Duration::from_secs(253_402_300_800);
    let Some(value) = value else { return "absent".to_owned() };
    let Some(unix) = value.as_f64() else { return value.to_string() };
    let time = Duration::try_from_secs_f64(unix).ok().filter(|time| *time < YEAR_10000);
    let Some(time) = time else { return value.to_string() };
    let time = humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + time);
    let ahead = unix - decision.at.unix();
    let distance =
        if ahead > 0.0 { format!("in {ahead:.0} s") } else { format!("{:.0} s ago", -ahead) };
    format!("{value}: {time}, {distance}")
}
