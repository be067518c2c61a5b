//! The rules for the claims of a verified token (RFC 7519 section 4.1): who it is for, when, and about whom.

use serde_json::Value;

use crate::clock::Now;
use crate::refusal::{Denial, Reason};
use crate::token::{ClaimPath, Claims};

/// What an issuer's claims must say.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// The claims that may hold the audience; the first that is present counts.
    pub(crate) audience_claims: Vec<ClaimPath>,
    /// Audiences this API answers to.
    pub(crate) audiences: Vec<String>,
    /// Seconds by which `exp` and `nbf` are stretched.
    pub(crate) leeway: f64,
    /// Each claim must equal, or as an array contain, one of the values.
    pub(crate) required: Vec<(ClaimPath, Vec<Value>)>,
    /// The claims that may name the caller; the first that holds a non-empty string counts.
    pub(crate) principal_claims: Vec<ClaimPath>,
}

/// What the rules found out about a token that keeps them.
#[derive(Debug, PartialEq)]
pub(crate) struct Subject<'c> {
    /// Who calls: `principalId`.
    pub(crate) principal: &'c str,
    /// The Unix time from which on the token is no good any more, leeway included.
    pub(crate) ends: f64,
}

impl Rules {
    /// Checks in the order of [`Reason`]: time, audience, what is missing, what is invalid.
    pub(crate) fn check<'c>(&self, claims: &'c Claims, now: &Now) -> Result<Subject<'c>, Denial> {
        let (now, leeway) = (now.unix(), self.leeway);
        let (exp, nbf) = (Date::of(claims, "exp"), Date::of(claims, "nbf"));
        if let Date::At(exp) = exp
            && exp + leeway <= now
        {
            return Err(Reason::TokenExpired.because(format!("{:.0} s ago", now - exp)));
        }
        if let Date::At(nbf) = nbf
            && nbf - leeway > now
        {
            return Err(Reason::TokenNotYetValid.because(format!("in {:.0} s", nbf - now)));
        }

        let audience = self.audience_claims.iter().find_map(|path| Some((path, claims.get(path)?)));
        let audience = audience.map(|(path, value)| (path, strings(value)));
        if let Some((path, Some(held))) = &audience
            && !held.iter().any(|held| self.audiences.iter().any(|accepted| accepted == held))
        {
            return Err(Reason::AudienceMismatch.because(format!("claim `{}`", path.text())));
        }

        let missing = |path: &str| Reason::ClaimMissing.because(format!("claim `{path}`"));
        if exp == Date::Absent {
            return Err(missing("exp"));
        }
        let (audience_claim, held) = audience.ok_or_else(|| missing(&texts(&self.audience_claims)))?;
        let principal = self.principal(claims).ok_or_else(|| missing(&texts(&self.principal_claims)))?;
        if let Some((path, _)) = self.required.iter().find(|(path, _)| claims.get(path).is_none()) {
            return Err(missing(path.text()));
        }

        let invalid = |path: &str| Reason::ClaimInvalid.because(format!("claim `{path}`"));
        let Date::At(exp) = exp else { return Err(invalid("exp")) };
        if nbf == Date::Invalid || claims.member("nbf").is_some_and(Value::is_null) {
            return Err(invalid("nbf"));
        }
        if claims.member("iat").is_some_and(|iat| !iat.is_number()) {
            return Err(invalid("iat"));
        }
        if held.is_none() {
            return Err(invalid(audience_claim.text()));
        }
        let (principal_claim, principal) = principal;
        // A control character could forge a line where the backend logs its caller.
        let principal = principal.filter(|name| !name.trim().is_empty() && !name.contains(char::is_control));
        let principal = principal.ok_or_else(|| invalid(principal_claim.text()))?;
        for (path, accepted) in &self.required {
            if !claims.get(path).is_some_and(|value| satisfies(value, accepted)) {
                return Err(invalid(path.text()));
            }
        }
        Ok(Subject { principal, ends: exp + leeway })
    }

    /// The first of the claims that holds a non-empty string; else the first that is present, without its value.
    fn principal<'c>(&self, claims: &'c Claims) -> Option<(&ClaimPath, Option<&'c str>)> {
        let present = || self.principal_claims.iter().filter_map(|path| Some((path, claims.get(path)?)));
        let text = |value: &'c Value| value.as_str().filter(|text| !text.is_empty());
        let named = present().find_map(|(path, value)| Some((path, Some(text(value)?))));
        named.or_else(|| present().next().map(|(path, _)| (path, None)))
    }
}

/// A `NumericDate` claim (RFC 7519 section 2).
#[derive(Clone, Copy, Debug, PartialEq)]
enum Date {
    /// Seconds since the epoch; may have a fraction.
    At(f64),
    /// Absent or null.
    Absent,
    /// Not a finite number. A string is none: taken for absent, it would let expired tokens in.
    Invalid,
}

impl Date {
    /// As a float, so that no number in a token can overflow anything.
    fn of(claims: &Claims, name: &str) -> Self {
        match claims.member(name) {
            None | Some(Value::Null) => Self::Absent,
            Some(value) => value.as_f64().filter(|date| date.is_finite()).map_or(Self::Invalid, Self::At),
        }
    }
}

/// A string, or an array of strings and nothing else (RFC 7519 section 4.1.3).
fn strings(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(one) => Some(vec![one]),
        Value::Array(many) => many.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// Whether a claim equals one of the values, or contains it where the claim is an array.
fn satisfies(claim: &Value, accepted: &[Value]) -> bool {
    let is_accepted = |value: &Value| accepted.iter().any(|accepted| equal(value, accepted));
    match claim {
        Value::Array(elements) => elements.iter().any(is_accepted),
        value => is_accepted(value),
    }
}

/// Equality as JSON means it: 2 is 2.0.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64() && (a.is_f64() || b.is_f64()),
        _ => a == b,
    }
}

fn texts(paths: &[ClaimPath]) -> String {
    paths.iter().map(ClaimPath::text).collect::<Vec<_>>().join("` or `")
}
