//! What one claim must say: an entry of `REQUIRED_CLAIMS`, or of `claims` in the rule of a route.

use std::fmt;
use std::slice;

use serde_json::Value;

use crate::jose::number;
use crate::jose::token::{ClaimPath, Claims};

const EXPECTED: &str = "must be a string, number or boolean, an array of them, or an object with exactly one of `any`, \
    `all`, `none` (arrays of them) and `present` (true or false)";

/// What one claim must say.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Requirement {
    pub(crate) claim: ClaimPath,
    test: Test,
}

/// How a claim is compared. It *is* a value if it equals the value, or is an array that contains it.
#[derive(Clone, Debug, PartialEq)]
enum Test {
    /// It is one of the values.
    Any(Vec<Value>),
    /// It is each of the values.
    All(Vec<Value>),
    /// It is none of the values, or absent.
    None(Vec<Value>),
    /// Whether there is such a claim.
    Present(bool),
}

impl Requirement {
    /// Reads `"claim": value`. The error says what would be right.
    pub(crate) fn parse(claim: &str, value: &Value) -> Result<Self, String> {
        match Test::parse(value) {
            Some(test) => Ok(Self { claim: ClaimPath::parse(claim)?, test }),
            None => Err(format!("claim `{claim}`: {EXPECTED}")),
        }
    }

    /// Whether the claim is needed and absent.
    pub(crate) fn is_missing(&self, claims: &Claims) -> bool {
        self.needs_claim() && claims.get(&self.claim).is_none()
    }

    /// Whether the claims say so. Numbers that cannot be compared exactly meet nothing.
    pub(crate) fn is_met(&self, claims: &Claims) -> bool {
        let claim = claims.get(&self.claim);
        self.is_met_by(claim) && !self.compares_rounded(claim, claims)
    }

    /// Whether a number of the claim is compared that has lost digits.
    fn compares_rounded(&self, claim: Option<&Value>, claims: &Claims) -> bool {
        let Some(claim) = claim else { return false };
        if !self.values().iter().any(Value::is_number) {
            return false;
        }
        for element in elements(claim) {
            if let Value::Number(number) = element
                && claims.has_rounded(number)
            {
                return true;
            }
        }
        false
    }

    /// Whether a claim with this value, or an absent one, says so.
    pub(crate) fn is_met_by(&self, claim: Option<&Value>) -> bool {
        match (&self.test, claim) {
            (Test::Any(values), Some(claim)) => is_any_of(claim, values),
            (Test::All(values), Some(claim)) => is_all_of(claim, values),
            (Test::None(values), Some(claim)) => !is_any_of(claim, values),
            (Test::Any(_) | Test::All(_), None) => false,
            (Test::None(_), None) => true,
            (Test::Present(wanted), claim) => claim.is_some() == *wanted,
        }
    }

    /// The values that the claim is compared with.
    pub(crate) fn values(&self) -> &[Value] {
        match &self.test {
            Test::Any(values) | Test::All(values) | Test::None(values) => values,
            Test::Present(_) => &[],
        }
    }

    /// The authentication context classes (`acr`) that a client can ask for in order to meet this; empty if this is
    /// about another claim.
    pub(crate) fn acr_values(&self) -> Vec<&str> {
        match &self.test {
            Test::Any(values) if self.claim.text() == "acr" => {
                values.iter().filter_map(Value::as_str).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether no token without the claim meets this.
    fn needs_claim(&self) -> bool {
        matches!(self.test, Test::Any(_) | Test::All(_) | Test::Present(true))
    }

    /// Whether no token with the claim meets this.
    pub(crate) fn forbids_claim(&self) -> bool {
        self.test == Test::Present(false)
    }

    /// Whether it is plain that no token meets both.
    pub(crate) fn contradicts(&self, other: &Self) -> bool {
        self.claim == other.claim && (self.excludes(other) || other.excludes(self))
    }

    fn excludes(&self, other: &Self) -> bool {
        match (&self.test, &other.test) {
            (Test::None(refused), Test::Any(values)) => {
                values.iter().all(|value| is_any_of(value, refused))
            }
            (Test::None(refused), Test::All(values)) => {
                values.iter().any(|value| is_any_of(value, refused))
            }
            _ => self.forbids_claim() && other.needs_claim(),
        }
    }
}

/// What is required, in words.
impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let claim = self.claim.text();
        let (operator, values, separator) = match &self.test {
            Test::Any(values) => ("is", values, " or "),
            Test::All(values) => ("has all of", values, ", "),
            Test::None(values) => ("is not", values, " or "),
            Test::Present(true) => return write!(f, "a claim `{claim}`"),
            Test::Present(false) => return write!(f, "no claim `{claim}`"),
        };
        write!(f, "a claim `{claim}` that {operator} ")?;
        for (index, value) in values.iter().enumerate() {
            write!(f, "{}{value}", if index == 0 { "" } else { separator })?;
        }
        Ok(())
    }
}

impl Test {
    fn parse(value: &Value) -> Option<Self> {
        let operators = match value {
            Value::Object(operators) => operators,
            Value::Array(_) => return Some(Self::Any(scalars(value)?)),
            one => return is_scalar(one).then(|| Self::Any(vec![one.clone()])),
        };
        let mut operators = operators.iter();
        let (Some((name, value)), None) = (operators.next(), operators.next()) else { return None };
        match name.as_str() {
            "any" => Some(Self::Any(scalars(value)?)),
            "all" => Some(Self::All(scalars(value)?)),
            "none" => Some(Self::None(scalars(value)?)),
            "present" => Some(Self::Present(value.as_bool()?)),
            _ => None,
        }
    }
}

fn scalars(list: &Value) -> Option<Vec<Value>> {
    match list {
        Value::Array(list) if !list.is_empty() && list.iter().all(is_scalar) => Some(list.clone()),
        _ => None,
    }
}

fn is_scalar(value: &Value) -> bool {
    value.is_string() || value.is_number() || value.is_boolean()
}

/// The elements of an array, or the one value.
fn elements(claim: &Value) -> &[Value] {
    match claim {
        Value::Array(elements) => elements,
        one => slice::from_ref(one),
    }
}

/// Whether a claim is one of the values, or an array that contains one of them.
fn is_any_of(claim: &Value, accepted: &[Value]) -> bool {
    elements(claim).iter().any(|element| accepted.iter().any(|accepted| equal(element, accepted)))
}

fn is_all_of(claim: &Value, values: &[Value]) -> bool {
    values.iter().all(|value| is_any_of(claim, slice::from_ref(value)))
}

/// Equality as JSON means it: 2 is 2.0.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => number::equal(a, b),
        _ => a == b,
    }
}

#[cfg(test)]
#[path = "requirement_tests.rs"]
mod tests;
