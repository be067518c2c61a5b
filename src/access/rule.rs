//! The rule of an entry of `ROUTES`: conditions on a token, read once and made cheap to evaluate.
//!
//! A rule becomes the list of its *ways*: it is true if all conditions of one way are true. [`Terms`] collects
//! the conditions of the whole table, so that a token is evaluated once and not for each entry.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::access::claims::Requirement;
use crate::access::pattern::{Part, Template};
use crate::jose::token::{ClaimPath, Claims};

/// The longest value that can stand in a path.
pub(crate) const MAX_VALUE: usize = 128;

/// The largest number that can stand in a path: beyond it, JSON readers no longer tell whole numbers apart.
const MAX_NUMBER: u64 = 1 << 53;

/// How many tokens are tried to find out whether a rule is true for all.
const MAX_CASES: usize = 4096;

const WANT: &str = "want an array of conditions that are all needed, as [\"pets:read\"], or one object with `any`, \
    `claims` or `path`";

/// A condition, as it is written.
#[derive(Clone, Debug, PartialEq)]
enum Condition {
    Scope(String),
    Claim(Requirement),
    /// In the requests for which this variable of the path has the value of this claim.
    Own(String, ClaimPath),
}

/// What a token needs for an entry, by numbers in [`Terms`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Rule {
    /// Ways to open the entry.
    open: Vec<Needs>,
    /// Ways to open the caller's own part of it.
    own: Vec<Own>,
}

/// Conditions that are all needed.
#[derive(Clone, Debug, Default)]
struct Needs {
    scopes: Vec<usize>,
    claims: Vec<usize>,
}

/// A way with `path` conditions.
#[derive(Clone, Debug)]
struct Own {
    needs: Needs,
    /// Variables of the path, and their values. A variable that is named twice has one value.
    values: Vec<(String, usize)>,
    path: Vec<Part>,
}

/// Everything that the rules of a table ask about a token. Each has a number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    scopes: HashMap<String, usize>,
    claims: Vec<Requirement>,
    values: Vec<ClaimPath>,
}

/// What is true of a token, by the numbers of [`Terms`].
pub(crate) struct Facts<'c> {
    scopes: Vec<bool>,
    claims: Vec<bool>,
    values: Vec<Result<Cow<'c, str>, NoValue>>,
}

/// Why the value of a claim cannot stand in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoValue {
    /// The token has no such claim.
    Absent,
    /// It is neither text nor a whole number from 0 to 2^53, written in digits alone.
    Type,
    /// It is empty, or has more than 128 characters.
    Length,
    /// It has a character other than `A-Z a-z 0-9 - . _ ~`.
    Character,
    /// It is `.` or `..`.
    Dots,
}

/// A condition that a token does not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lacking {
    /// A scope.
    Scope(String),
    /// A test of a claim, in words.
    Claim(String),
    /// A value for this variable of the path, from this claim.
    Value {
        /// The variable.
        variable: String,
        /// The claim.
        claim: String,
        /// What is wrong with it.
        because: NoValue,
    },
    /// The same value for this variable from two claims.
    SameValue {
        /// The variable.
        variable: String,
        /// The claims.
        claims: [String; 2],
    },
}

/// The value that a variable of a path has for a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnValue {
    /// The variable.
    pub variable: String,
    /// The claim that the value is from.
    pub claim: String,
    /// The value.
    pub value: String,
}

/// The ways of a rule: all conditions of one of them are needed.
fn ways(rule: &Value) -> Result<Vec<Vec<Condition>>, String> {
    let conditions = match rule {
        Value::Array(conditions) => conditions.iter().collect(),
        Value::Object(_) => vec![rule],
        _ => return Err(WANT.to_owned()),
    };
    let (mut common, mut alternatives) = (Vec::new(), None);
    for condition in conditions {
        match operator(condition)? {
            Some(("any", list)) if alternatives.is_none() => alternatives = Some(any(list)?),
            Some(("any", _)) => return Err("a rule has at most one `any`".to_owned()),
            _ => common.extend(all_of(condition)?),
        }
    }
    let Some(alternatives) = alternatives else { return Ok(vec![common]) };
    Ok(alternatives.into_iter().map(|alternative| [common.clone(), alternative].concat()).collect())
}

/// The name and the value of the one member of a condition that is an object.
fn operator(condition: &Value) -> Result<Option<(&str, &Value)>, String> {
    let Some(members) = condition.as_object() else { return Ok(None) };
    let mut members = members.iter();
    match (members.next(), members.next()) {
        (Some((name, value)), None) if ["any", "claims", "path"].contains(&name.as_str()) => {
            Ok(Some((name, value)))
        }
        _ => Err("a condition that is an object has exactly one of `any`, `claims` and `path`"
            .to_owned()),
    }
}

fn any(list: &Value) -> Result<Vec<Vec<Condition>>, String> {
    let alternatives = list.as_array().filter(|list| !list.is_empty());
    let alternatives = alternatives.ok_or("`any`: want an array of at least one alternative")?;
    let read = |alternative: &Value| match alternative {
        Value::Array(conditions) if conditions.is_empty() => {
            Err("`any`: an alternative is empty".to_owned())
        }
        Value::Array(conditions) => {
            let conditions: Result<Vec<_>, _> = conditions.iter().map(all_of).collect();
            Ok(conditions?.concat())
        }
        one => all_of(one),
    };
    alternatives.iter().map(read).collect()
}

/// What one condition asks for, `any` aside.
fn all_of(condition: &Value) -> Result<Vec<Condition>, String> {
    let members =
        |name: &str, value: &Value, example: &str| -> Result<Map<String, Value>, String> {
            let members = value.as_object().filter(|members| !members.is_empty()).cloned();
            members.ok_or_else(|| {
                format!("`{name}`: want an object with at least one member, as {example}")
            })
        };
    match operator(condition)? {
        Some(("claims", value)) => {
            let claims = members("claims", value, r#"{"amr": "mfa"}"#)?;
            claims
                .iter()
                .map(|(claim, value)| Requirement::parse(claim, value).map(Condition::Claim))
                .collect()
        }
        Some(("path", value)) => {
            let own = |(variable, claim): (&String, &Value)| {
                let claim = claim.as_str().filter(|claim| !claim.is_empty());
                let claim = claim
                    .ok_or_else(|| format!("`path`: the claim for `{variable}` is not a name"))?;
                Ok(Condition::Own(variable.clone(), ClaimPath::parse(claim)?))
            };
            members("path", value, r#"{"id": "sub"}"#)?.iter().map(own).collect()
        }
        Some(_) => Err("`any` cannot stand in an `any`".to_owned()),
        None => match condition.as_str() {
            Some("") => Err("a scope is empty".to_owned()),
            Some(scope) => Ok(vec![Condition::Scope(scope.to_owned())]),
            None => Err(WANT.to_owned()),
        },
    }
}

impl Rule {
    /// Reads a rule for the entry with this path, if it has one. The error says what would be right.
    pub(crate) fn parse(
        rule: &Value,
        path: Option<&Template>,
        terms: &mut Terms,
    ) -> Result<Self, String> {
        let mut parsed = Self::default();
        for way in ways(rule)? {
            let (mut needs, mut values) = (Needs::default(), Vec::new());
            for condition in way {
                match condition {
                    Condition::Scope(scope) => needs.scopes.push(terms.scope(scope)),
                    Condition::Claim(claim) => needs.claims.push(number(&mut terms.claims, claim)),
                    Condition::Own(variable, claim) => {
                        path.ok_or("a connection has no `path`")?.check_variable(&variable)?;
                        values.push((variable, number(&mut terms.values, claim)));
                    }
                }
            }
            match path.filter(|_| !values.is_empty()) {
                Some(path) => parsed.own.push(Own { needs, path: path.bind(&values), values }),
                None => parsed.open.push(needs),
            }
        }
        Ok(parsed)
    }

    /// Whether the entry is open to the token, for all callers' resources.
    pub(crate) fn is_open(&self, facts: &Facts<'_>) -> bool {
        self.open.iter().any(|needs| needs.are_met(facts))
    }

    /// The paths that are the caller's own, as patterns.
    pub(crate) fn own_paths(&self, facts: &Facts<'_>) -> Vec<String> {
        let mut paths = Vec::new();
        for path in self.own.iter().filter_map(|own| own.path(facts)) {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        paths
    }

    /// Paths as long as the caller's own can be, all ways at once.
    pub(crate) fn longest_own_paths(&self) -> Vec<String> {
        let longest = "x".repeat(MAX_VALUE);
        let path = |own: &Own| {
            let parts = own.path.iter().map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::Value(_) => &longest,
            });
            parts.collect()
        };
        self.own.iter().map(path).collect()
    }

    pub(crate) fn has_own(&self) -> bool {
        !self.own.is_empty()
    }

    /// Whether every good token satisfies the rule, even one without scopes, whatever its claims are. If more than
    /// [`MAX_CASES`] would have to be tried, the answer is no.
    pub(crate) fn is_for_everyone(&self, terms: &Terms) -> bool {
        let ways = self.open.iter().filter(|needs| needs.scopes.is_empty());
        let tests = |needs: &Needs| needs.claims.iter().map(|n| &terms.claims[*n]).collect();
        is_always_met(&ways.map(tests).collect::<Vec<_>>(), MAX_CASES)
    }

    /// Whether there can be a token to which the entry of `other` is open, and this one for the caller's own only.
    pub(crate) fn can_be_own_beside(&self, other: &Self, terms: &Terms) -> bool {
        self.own.iter().any(|own| {
            let beside = other.open.iter().map(|needs| own.needs.and(needs));
            // Such a token has what both need, and perhaps no more.
            let mut beside = beside.filter(|both| both.can_be_met(own, terms));
            beside.any(|both| !self.open.iter().any(|open| open.is_part_of(&both)))
        })
    }

    /// What is true where the entry is open for the caller's own: the values, for each way.
    pub(crate) fn own_values(&self, facts: &Facts<'_>, terms: &Terms) -> Vec<Vec<OwnValue>> {
        let open = self.own.iter().filter(|own| own.path(facts).is_some());
        let values = open.map(|own| {
            let value = |(variable, number): &(String, usize)| {
                Some(OwnValue {
                    variable: variable.clone(),
                    claim: terms.values[*number].text().to_owned(),
                    value: facts.values[*number].as_deref().ok()?.to_owned(),
                })
            };
            own.values.iter().filter_map(value).collect()
        });
        values.collect()
    }

    /// What the token lacks, for each way.
    pub(crate) fn lacking(&self, facts: &Facts<'_>, terms: &Terms) -> Vec<Vec<Lacking>> {
        let open = self.open.iter().map(|needs| needs.lacking(facts, terms));
        let own = self
            .own
            .iter()
            .map(|own| [own.needs.lacking(facts, terms), own.lacking(facts, terms)].concat());
        open.chain(own).collect()
    }
}

/// Whether every token passes all tests of one of these ways, whatever its claims are. Each claim is tried as
/// absent, and as every array of the values that it is compared with: tests can tell nothing else apart.
fn is_always_met(ways: &[Vec<&Requirement>], max_cases: usize) -> bool {
    if ways.iter().any(Vec::is_empty) {
        return true;
    }
    let Some(claim) = ways.first().map(|tests| &tests[0].claim) else { return false };
    let mut values = Vec::new();
    for test in ways.iter().flatten().filter(|test| test.claim == *claim) {
        test.values().iter().for_each(|value| _ = number(&mut values, value));
    }
    let arrays = 1 << values.len().min(20);
    let array_of = |held: usize| {
        let values = values.iter().enumerate().filter(|(place, _)| held >> place & 1 == 1);
        Value::Array(values.map(|(_, value)| (*value).clone()).collect())
    };
    let mut cases = (0..arrays).map(|held| Some(array_of(held))).chain([None]);
    arrays < max_cases
        && cases.all(|held| {
            let mut passed = Vec::new();
            for tests in ways {
                let (of_claim, others): (Vec<&Requirement>, _) =
                    tests.iter().partition(|test| test.claim == *claim);
                if of_claim.iter().all(|test| test.is_met_by(held.as_ref())) {
                    passed.push(others);
                }
            }
            is_always_met(&passed, max_cases / (arrays + 1))
        })
}

impl Needs {
    fn are_met(&self, facts: &Facts<'_>) -> bool {
        self.scopes.iter().all(|number| facts.scopes[*number])
            && self.claims.iter().all(|number| facts.claims[*number])
    }

    fn and(&self, other: &Self) -> Self {
        Self {
            scopes: [&*self.scopes, &*other.scopes].concat(),
            claims: [&*self.claims, &*other.claims].concat(),
        }
    }

    fn is_part_of(&self, other: &Self) -> bool {
        self.scopes.iter().all(|number| other.scopes.contains(number))
            && self.claims.iter().all(|number| other.claims.contains(number))
    }

    /// Whether a token may meet these and have the values of `own`: false only if that is a plain contradiction.
    fn can_be_met(&self, own: &Own, terms: &Terms) -> bool {
        let claims: Vec<_> = self.claims.iter().map(|number| &terms.claims[*number]).collect();
        let has_value = |claim: &ClaimPath| {
            own.values.iter().any(|(_, number)| terms.values[*number] == *claim)
        };
        let is_refused = |one: &&Requirement| {
            one.forbids_claim() && has_value(&one.claim)
                || claims.iter().any(|other| one.contradicts(other))
        };
        !claims.iter().any(is_refused)
    }

    fn lacking(&self, facts: &Facts<'_>, terms: &Terms) -> Vec<Lacking> {
        let mut lacking = Vec::new();
        for number in self.scopes.iter().filter(|number| !facts.scopes[**number]) {
            let scope = terms
                .scopes
                .iter()
                .find(|(_, other)| *other == number)
                .map(|(scope, _)| scope.clone());
            lacking.extend(scope.map(Lacking::Scope));
        }
        let claims = self.claims.iter().filter(|number| !facts.claims[**number]);
        lacking.extend(claims.map(|number| Lacking::Claim(terms.claims[*number].to_string())));
        lacking
    }
}

impl Own {
    /// The caller's own path as a pattern, if all conditions are met.
    fn path(&self, facts: &Facts<'_>) -> Option<String> {
        let value = |number: usize| facts.values[number].as_deref().ok();
        let agree = |(variable, number): &(String, usize)| {
            let first = self.values.iter().find(|(other, _)| other == variable);
            value(*number).is_some() && first.and_then(|(_, first)| value(*first)) == value(*number)
        };
        if !self.needs.are_met(facts) || !self.values.iter().all(agree) {
            return None;
        }
        let mut path = String::new();
        for part in &self.path {
            path.push_str(match part {
                Part::Text(text) => text,
                Part::Value(number) => value(*number)?,
            });
        }
        Some(path)
    }

    fn lacking(&self, facts: &Facts<'_>, terms: &Terms) -> Vec<Lacking> {
        let claim = |number: usize| terms.values[number].text().to_owned();
        let lacking = self.values.iter().filter_map(|(variable, number)| {
            let (_, first) = self.values.iter().find(|(other, _)| other == variable)?;
            let variable = variable.clone();
            match (&facts.values[*number], &facts.values[*first]) {
                (Err(because), _) => {
                    Some(Lacking::Value { variable, claim: claim(*number), because: *because })
                }
                (Ok(value), Ok(first_value)) if value != first_value => {
                    Some(Lacking::SameValue { variable, claims: [claim(*first), claim(*number)] })
                }
                _ => None,
            }
        });
        lacking.collect()
    }
}

impl Terms {
    fn scope(&mut self, scope: String) -> usize {
        let next = self.scopes.len();
        *self.scopes.entry(scope).or_insert(next)
    }

    /// What is true of a token with these scopes and claims.
    pub(crate) fn facts<'c>(&self, held: &HashSet<&str>, claims: &'c Claims) -> Facts<'c> {
        let mut scopes = vec![false; self.scopes.len()];
        for number in held.iter().filter_map(|scope| self.scopes.get(*scope)) {
            scopes[*number] = true;
        }
        Facts {
            scopes,
            claims: self.claims.iter().map(|claim| claim.is_met(claims)).collect(),
            values: self.values.iter().map(|claim| own_value(claims.get(claim))).collect(),
        }
    }
}

/// The number of a value in a list. A new value is appended.
fn number<T: PartialEq>(list: &mut Vec<T>, value: T) -> usize {
    list.iter().position(|other| *other == value).unwrap_or_else(|| {
        list.push(value);
        list.len() - 1
    })
}

/// A text, if it can stand in a path as one segment. It is compared as it is: nothing is decoded or encoded, and what
/// IAM or a backend could read as something else (a wildcard, a slash, a `%`) is no value.
pub(crate) fn path_value(text: &str) -> Result<&str, NoValue> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    match text {
        "." | ".." => Err(NoValue::Dots),
        text if !text.bytes().all(is_plain) => Err(NoValue::Character),
        text if text.is_empty() || text.len() > MAX_VALUE => Err(NoValue::Length),
        text => Ok(text),
    }
}

/// The value of a claim, if it can stand in a path.
fn own_value(claim: Option<&Value>) -> Result<Cow<'_, str>, NoValue> {
    match claim.ok_or(NoValue::Absent)? {
        Value::String(text) => path_value(text).map(Cow::Borrowed),
        // JSON that has a fraction, an exponent or a sign is no `u64`.
        Value::Number(number) => match number.as_u64() {
            Some(number) if number <= MAX_NUMBER => Ok(Cow::Owned(number.to_string())),
            _ => Err(NoValue::Type),
        },
        _ => Err(NoValue::Type),
    }
}

#[cfg(test)]
#[path = "rule_tests.rs"]
mod tests;
