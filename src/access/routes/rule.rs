//! The rule of an entry, and its evaluation for one token.
//!
//! A rule is a list of alternatives: it is true if all conditions of one alternative are true. [`Predicates`] collects
//! the conditions of the whole table, so that each is evaluated once for a token and not once for each entry.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::Value;

use crate::access::claims::Present;
use crate::access::requirement::Requirement;
use crate::access::routes::condition::{self, Condition};
use crate::access::routes::path_value::{self, NoValue};
use crate::access::routes::template::Template;
use crate::access::sign_in::SignIn;
use crate::jose::token::{ClaimPath, Claims};

/// What a token needs for an entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rule {
    /// Alternatives that open the entry to all its requests.
    pub(super) open: Vec<AllOf>,
    /// Alternatives that open it to the caller's own requests.
    pub(super) owner_scoped: Vec<OwnerScoped>,
}

/// Conditions that are all needed, by their numbers in [`Predicates`].
#[derive(Clone, Debug, Default)]
pub(super) struct AllOf {
    pub(super) scopes: Vec<usize>,
    pub(super) claims: Vec<usize>,
    /// How many seconds ago the user can have signed in.
    pub(super) max_age: Option<u32>,
}

/// An alternative with `path` conditions.
#[derive(Clone, Debug)]
pub(super) struct OwnerScoped {
    pub(super) all_of: AllOf,
    /// Variables of the path, and the numbers of their values. If a variable occurs twice, its values must be equal.
    pub(super) values: Vec<(String, usize)>,
}

/// Everything that the rules of a table ask about a token. Each has a number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Predicates {
    pub(super) scopes: HashMap<String, usize>,
    pub(super) claims: Vec<Requirement>,
    pub(super) values: Vec<ClaimPath>,
    pub(super) max_ages: BTreeSet<u32>,
}

/// The predicates of a table, evaluated for one token.
#[derive(Clone)]
pub(crate) struct Evaluated<'a> {
    pub(super) predicates: &'a Predicates,
    pub(super) scopes: Vec<bool>,
    pub(super) claims: Vec<bool>,
    pub(super) values: Vec<Result<Cow<'a, str>, NoValue>>,
    /// None as well if no rule asks for it.
    pub(super) sign_in: Option<SignIn>,
    /// The Unix time that they are evaluated for.
    pub(super) now: f64,
}

impl Rule {
    /// Reads a rule for the entry with this path. The error says what would be right.
    pub(super) fn parse(
        rule: &Value,
        path: &Template,
        predicates: &mut Predicates,
    ) -> Result<Self, String> {
        let mut parsed = Self::default();
        for alternative in condition::alternatives(rule)? {
            let (mut all_of, mut values) = (AllOf::default(), Vec::new());
            for condition in alternative {
                match condition {
                    Condition::Scope(scope) => all_of.scopes.push(predicates.scope(scope)),
                    Condition::Claim(claim) => {
                        all_of.claims.push(index_of(claim, &mut predicates.claims));
                    }
                    Condition::Path { variable, claim } => {
                        path.check_variable(&variable)?;
                        values.push((variable, index_of(claim, &mut predicates.values)));
                    }
                    Condition::MaxAge(seconds) => {
                        all_of.max_age = Some(least(all_of.max_age, seconds));
                        predicates.max_ages.insert(seconds);
                    }
                }
            }
            if values.is_empty() {
                parsed.open.push(all_of);
            } else {
                parsed.owner_scoped.push(OwnerScoped { all_of, values });
            }
        }
        Ok(parsed)
    }

    /// Whether the entry is open to the token, for the resources of all callers.
    pub(super) fn is_open(&self, evaluated: &Evaluated<'_>) -> bool {
        self.open.iter().any(|all_of| all_of.is_met(evaluated))
    }

    /// The paths that are the caller's own, as patterns.
    pub(super) fn own_paths(&self, path: &Template, evaluated: &Evaluated<'_>) -> Vec<String> {
        let mut paths = Vec::new();
        for alternative in &self.owner_scoped {
            if let Some(values) = alternative.own_values(evaluated) {
                let path = path.with_values(&values);
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
        }
        paths
    }

    /// Paths as long as the caller's own can be, for all alternatives at once.
    pub(super) fn longest_own_paths(&self, path: &Template) -> Vec<String> {
        let longest = "x".repeat(path_value::MAX_LEN);
        let mut paths = Vec::new();
        for alternative in &self.owner_scoped {
            let mut values = Vec::new();
            for (variable, _) in &alternative.values {
                values.push((variable.as_str(), longest.as_str()));
            }
            paths.push(path.with_values(&values));
        }
        paths
    }

    pub(super) fn is_owner_scoped(&self) -> bool {
        !self.owner_scoped.is_empty()
    }
}

impl AllOf {
    pub(super) fn is_met(&self, evaluated: &Evaluated<'_>) -> bool {
        self.scopes.iter().all(|number| evaluated.scopes[*number])
            && self.claims.iter().all(|number| evaluated.claims[*number])
            && self.missing_max_age(evaluated).is_none()
    }

    /// The `max_age` that is not met, if there is one.
    pub(super) fn missing_max_age(&self, evaluated: &Evaluated<'_>) -> Option<u32> {
        self.max_age.filter(|max_age| !evaluated.has_signed_in(*max_age))
    }
}

impl OwnerScoped {
    /// The variables of the path that have a value.
    pub(super) fn variables(&self) -> Vec<&str> {
        self.values.iter().map(|(variable, _)| variable.as_str()).collect()
    }

    /// The values that make a path the caller's own, if all conditions are met.
    pub(super) fn own_values<'v>(
        &'v self,
        evaluated: &'v Evaluated<'_>,
    ) -> Option<Vec<(&'v str, &'v str)>> {
        if !self.all_of.is_met(evaluated) {
            return None;
        }
        let mut values: Vec<(&str, &str)> = Vec::with_capacity(self.values.len());
        for (variable, number) in &self.values {
            let value = evaluated.values[*number].as_deref().ok()?;
            if values.iter().any(|(other, taken)| other == variable && *taken != value) {
                return None;
            }
            values.push((variable, value));
        }
        Some(values)
    }
}

impl Predicates {
    fn scope(&mut self, scope: String) -> usize {
        let next = self.scopes.len();
        *self.scopes.entry(scope).or_insert(next)
    }

    /// Evaluates all predicates for a token with these scopes and claims.
    pub(super) fn evaluate<'a>(
        &'a self,
        held: &HashSet<&str>,
        claims: &'a Claims,
        present: Present,
    ) -> Evaluated<'a> {
        let mut scopes = vec![false; self.scopes.len()];
        for scope in held {
            if let Some(number) = self.scopes.get(*scope) {
                scopes[*number] = true;
            }
        }
        Evaluated {
            predicates: self,
            scopes,
            claims: self.claims.iter().map(|claim| claim.is_met(claims)).collect(),
            values: self.values.iter().map(|path| path_value::of_claim(claims.get(path))).collect(),
            sign_in: if self.max_ages.is_empty() { None } else { SignIn::of(claims, present) },
            now: present.now,
        }
    }
}

impl Evaluated<'_> {
    /// Whether the user signed in at most so many seconds ago.
    fn has_signed_in(&self, max_age: u32) -> bool {
        self.sign_in.is_some_and(|sign_in| self.now < sign_in.too_old_from(max_age))
    }
}

/// The stricter of two `max_age`.
pub(super) fn least(one: Option<u32>, other: u32) -> u32 {
    one.map_or(other, |one| one.min(other))
}

/// The place of an item in a list. A new item is appended.
pub(super) fn index_of<T: PartialEq>(item: T, list: &mut Vec<T>) -> usize {
    if let Some(index) = list.iter().position(|other| *other == item) {
        return index;
    }
    list.push(item);
    list.len() - 1
}

#[cfg(test)]
#[path = "rule_tests.rs"]
mod tests;
