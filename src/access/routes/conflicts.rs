//! Static analysis of a table: which entries keep others from being open for the caller's own, and which of these
//! conflicts can happen.

use serde_json::Value;

use crate::access::requirement::Requirement;
use crate::access::routes::rule::{AllOf, OwnerScoped, Predicates, Rule, index_of, least};
use crate::access::routes::{Entry, Routes, pattern, patterns_overlap};

/// How many tokens are tried to find out whether a rule is true for all.
const MAX_CASES: usize = 4096;

/// How many groups of overlapping entries are told apart.
const MAX_GROUPS: usize = 10_000;

impl Routes {
    /// For each owner-scoped entry, records the entries it conflicts with. It is a problem if such an entry is open to
    /// every token.
    pub(super) fn find_conflicts(&mut self) -> Vec<String> {
        let mut problems = Vec::new();
        for index in 0..self.entries.len() {
            let entry = &self.entries[index];
            if !entry.rule.is_owner_scoped() {
                continue;
            }
            let paths = entry.template.with_one_segment_each();
            let (mut conflicts, mut wider) = (Vec::new(), Vec::new());
            for (other_index, other) in self.entries.iter().enumerate() {
                if other_index == index || other.lies_inside(entry) || !other.overlaps(entry) {
                    continue;
                }
                conflicts.push(other_index);
                if other.may_open_more_of(&paths) {
                    wider.push(other_index);
                }
                if other.rule.is_for_everyone(&self.predicates)
                    && entry.rule.can_conflict_with(&other.rule, &self.predicates)
                {
                    problems.push(format!(
                        "entry `{}`: its `path` condition can never have an effect, because `{}`, which is open to \
                         every good token, overlaps it. Give both the same alternatives",
                        entry.route, other.route
                    ));
                }
            }
            self.entries[index].conflicts_with = conflicts;
            self.entries[index].can_be_widened_by = wider;
        }
        problems
    }

    /// Entries that can match one request together: for each request, all that match it are in one of these lists. The
    /// lists can be too long, where entries overlap in pairs only.
    pub(crate) fn entries_of_requests(&self) -> Vec<Vec<usize>> {
        let mut overlaps: Vec<Vec<bool>> = Vec::new();
        for index in 0..self.entries.len() {
            let mut row = Vec::new();
            for other in 0..self.entries.len() {
                row.push(match overlaps.get(other) {
                    Some(earlier) => earlier[index],
                    None => other != index && self.overlap(index, other),
                });
            }
            overlaps.push(row);
        }
        let mut groups = Groups { overlaps, found: Vec::new() };
        let all: Vec<usize> = (0..self.entries.len()).collect();
        if groups.extend(&mut Vec::new(), all.clone(), Vec::new()) {
            groups.found
        } else {
            vec![all]
        }
    }

    /// Whether some request is matched by both entries.
    pub(crate) fn overlap(&self, index: usize, other: usize) -> bool {
        patterns_overlap(&self.entries[index].denied, &self.entries[other].denied)
    }

    /// What an operator may not expect: entries whose `path` condition other entries override for some tokens.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for entry in &self.entries {
            let mut open = Vec::new();
            for other in &entry.conflicts_with {
                let other = &self.entries[*other];
                if entry.rule.can_conflict_with(&other.rule, &self.predicates) {
                    open.push(format!("`{}`", other.route));
                }
            }
            if !open.is_empty() {
                warnings.push(format!(
                    "entry `{}`: its `path` condition is ignored and the entry is denied for any token that {} lets \
                     in, because the two overlap. Give both the same alternatives",
                    entry.route,
                    open.join(" or ")
                ));
            }
            let mut wider = Vec::new();
            for other in &entry.can_be_widened_by {
                let other = &self.entries[*other];
                if other.can_open_more_of(entry, &self.predicates) {
                    wider.push(format!("`{}`", other.route));
                }
            }
            if !wider.is_empty() {
                warnings.push(format!(
                    "entry `{}`: it is denied for tokens to which {} would open more of its requests than the \
                     caller's own. Give both the same `path` conditions, or use narrower entries",
                    entry.route,
                    wider.join(" or ")
                ));
            }
        }
        warnings.extend(self.spanning_warnings());
        warnings
    }

    /// Entries inside an owner-scoped one that open deeper paths than they seem to.
    fn spanning_warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for inner in &self.entries {
            for outer in &self.entries {
                // What lies inside overlaps, if it shares a verb.
                if !outer.rule.is_owner_scoped()
                    || !inner.lies_inside(outer)
                    || inner.shared_verb(outer).is_none()
                {
                    continue;
                }
                if let Some(variable) = inner.spans_inside(outer, &self.predicates) {
                    warnings.push(format!(
                        "entry `{}`: `{{{variable}}}` also matches slashes, so the entry opens deeper paths of other \
                         owners in `{}`. Put the fixed segment before the variable, or give both the same \
                         alternatives",
                        inner.route, outer.route
                    ));
                }
            }
        }
        warnings
    }
}

/// Entries that all overlap each other, as large as they can be: the maximal cliques of a graph, by the algorithm of
/// Bron and Kerbosch with a pivot.
struct Groups {
    overlaps: Vec<Vec<bool>>,
    found: Vec<Vec<usize>>,
}

impl Groups {
    /// Finds all groups that have these members, others out of `open` and none out of `done`. The answer is no if
    /// there are too many.
    fn extend(
        &mut self,
        members: &mut Vec<usize>,
        mut open: Vec<usize>,
        mut done: Vec<usize>,
    ) -> bool {
        let Some(pivot) = self.pivot(&open, &done) else {
            self.found.push(members.clone());
            return self.found.len() < MAX_GROUPS;
        };
        for entry in open.clone() {
            if self.overlaps[pivot][entry] {
                continue;
            }
            members.push(entry);
            if !self.extend(members, self.next_to(entry, &open), self.next_to(entry, &done)) {
                return false;
            }
            members.pop();
            open.retain(|other| *other != entry);
            done.push(entry);
        }
        true
    }

    /// The entry that overlaps most of the open ones.
    fn pivot(&self, open: &[usize], done: &[usize]) -> Option<usize> {
        let mut best = None;
        for entry in open.iter().chain(done) {
            let mut count = 0;
            for other in open {
                count += usize::from(self.overlaps[*entry][*other]);
            }
            if best.is_none_or(|(most, _)| count > most) {
                best = Some((count, *entry));
            }
            if count + 1 >= open.len() {
                break;
            }
        }
        Some(best?.1)
    }

    fn next_to(&self, entry: usize, others: &[usize]) -> Vec<usize> {
        let mut next_to = Vec::new();
        for other in others {
            if self.overlaps[entry][*other] {
                next_to.push(*other);
            }
        }
        next_to
    }
}

impl Entry {
    /// Whether some request is matched by both.
    fn overlaps(&self, other: &Self) -> bool {
        self.verbs.iter().any(|verb| other.verbs.contains(verb))
            && pattern::intersect(&self.path, &other.path)
    }

    /// Whether this entry lies inside another that it overlaps: in the verbs that they share, the other matches
    /// all its requests, and the other also matches a request that this entry does not.
    fn lies_inside(&self, other: &Self) -> bool {
        let has_other_verbs = other.verbs.iter().any(|verb| !self.verbs.contains(verb));
        pattern::contains(&other.path, &self.path)
            && (has_other_verbs || !pattern::contains(&self.path, &other.path))
    }

    /// The variable that makes this entry open deeper paths than it seems to, to tokens to which `outer` is open for
    /// the caller's own only.
    fn spans_inside(&self, outer: &Self, predicates: &Predicates) -> Option<&str> {
        for own in &outer.rule.owner_scoped {
            for open in &self.rule.open {
                if let Some(variable) = self.template.spanning_variable(&[])
                    && outer.rule.can_be_only(own, open, predicates)
                {
                    return Some(variable);
                }
            }
            for inner in &self.rule.owner_scoped {
                if let Some(variable) = self.template.spanning_variable(&inner.variables())
                    && outer.rule.can_be_only(own, &inner.all_of, predicates)
                {
                    return Some(variable);
                }
            }
        }
        None
    }
}

impl Rule {
    /// Whether every good token satisfies the rule, even one without scopes, for any claims. If that takes more than
    /// [`MAX_CASES`] to find out, the answer is no.
    pub(super) fn is_for_everyone(&self, predicates: &Predicates) -> bool {
        let mut alternatives = Vec::new();
        for all_of in &self.open {
            if all_of.scopes.is_empty() && all_of.max_age.is_none() {
                alternatives.push(all_of.requirements(predicates));
            }
        }
        is_always_met(&alternatives, MAX_CASES)
    }

    /// Whether a token can exist to which the entry of `other` is open, and this one for the caller's own only.
    fn can_conflict_with(&self, other: &Self, predicates: &Predicates) -> bool {
        for own in &self.owner_scoped {
            for open in &other.open {
                if self.can_be_only(own, open, predicates) {
                    return true;
                }
            }
        }
        false
    }

    /// Whether a token can exist that meets `own`, an alternative of this rule, and `other`, and to which this entry
    /// is open for the caller's own only.
    pub(super) fn can_be_only(
        &self,
        own: &OwnerScoped,
        other: &AllOf,
        predicates: &Predicates,
    ) -> bool {
        // Such a token meets both, and perhaps nothing else.
        let both = own.all_of.and(other);
        both.can_be_met(own, predicates) && !self.is_open_with(&both)
    }

    /// Whether a token that meets these is one to which the entry is open.
    pub(super) fn is_open_with(&self, met: &AllOf) -> bool {
        self.open.iter().any(|all_of| all_of.is_part_of(met))
    }
}

/// Whether every token meets all requirements of one of these alternatives, for any claims. Each claim is tried as
/// every array of the values that it is compared with, and as absent: requirements can tell nothing else apart.
fn is_always_met(alternatives: &[Vec<&Requirement>], max_cases: usize) -> bool {
    if alternatives.iter().any(Vec::is_empty) {
        return true;
    }
    let Some(first) = alternatives.first() else { return false };
    let claim = &first[0].claim;
    let mut values = Vec::new();
    for requirement in alternatives.iter().flatten() {
        if requirement.claim == *claim {
            for value in requirement.values() {
                index_of(value, &mut values);
            }
        }
    }
    let arrays = 1 << values.len().min(20);
    if arrays >= max_cases {
        return false;
    }
    for case in 0..=arrays {
        let array = (case < arrays).then(|| Value::Array(subset(&values, case)));
        let mut remaining = Vec::new();
        for requirements in alternatives {
            let (of_claim, others): (Vec<&Requirement>, _) =
                requirements.iter().partition(|requirement| requirement.claim == *claim);
            if of_claim.iter().all(|requirement| requirement.is_met_by(array.as_ref())) {
                remaining.push(others);
            }
        }
        if !is_always_met(&remaining, max_cases / (arrays + 1)) {
            return false;
        }
    }
    true
}

/// The values whose bits are set.
fn subset(values: &[&Value], bits: usize) -> Vec<Value> {
    let mut chosen = Vec::new();
    for (place, value) in values.iter().enumerate() {
        if bits >> place & 1 == 1 {
            chosen.push((*value).clone());
        }
    }
    chosen
}

impl AllOf {
    pub(super) fn and(&self, other: &Self) -> Self {
        Self {
            scopes: [&*self.scopes, &*other.scopes].concat(),
            claims: [&*self.claims, &*other.claims].concat(),
            max_age: match other.max_age {
                Some(max_age) => Some(least(self.max_age, max_age)),
                None => self.max_age,
            },
        }
    }

    pub(super) fn is_part_of(&self, other: &Self) -> bool {
        self.scopes.iter().all(|number| other.scopes.contains(number))
            && self.claims.iter().all(|number| other.claims.contains(number))
            && self.max_age.is_none_or(|longest| other.max_age.is_some_and(|age| age <= longest))
    }

    pub(super) fn requirements<'p>(&self, predicates: &'p Predicates) -> Vec<&'p Requirement> {
        self.claims.iter().map(|number| &predicates.claims[*number]).collect()
    }

    /// Whether a token can meet these and have the values of `own`. The answer is no only if that is a plain
    /// contradiction.
    pub(super) fn can_be_met(&self, own: &OwnerScoped, predicates: &Predicates) -> bool {
        let requirements = self.requirements(predicates);
        for one in &requirements {
            if requirements.iter().any(|other| one.contradicts(other)) {
                return false;
            }
            for (_, number) in &own.values {
                if one.forbids_claim() && one.claim == predicates.values[*number] {
                    return false;
                }
            }
        }
        true
    }
}

#[cfg(test)]
#[path = "conflicts_tests.rs"]
mod tests;
