//! Owner-scoped entries that open to a caller what another entry keeps for its owners.
//!
//! `ANY /tenants/{t}/{proxy+}` for the caller's tenant opens `/tenants/acme/users/bob` to everybody in `acme`, although
//! `GET /tenants/{t}/users/{id}` is for the user alone. A policy could take back only all users' requests, so the
//! stricter entry is then closed.

use crate::access::routes::paths::{PathSet, share_path_outside};
use crate::access::routes::rule::{AllOf, OwnerScoped, Predicates};
use crate::access::routes::{Entry, path_value, pattern};

/// The most values that are tried for the claims of a token.
const MAX_CASES: usize = 1024;

/// Values for claims, by the numbers of these.
type Values<'v> = [(usize, &'v str)];

impl Entry {
    /// Whether `wider`, which are patterns of `other`, opens requests of this entry that `own`, the patterns of this
    /// entry, do not.
    pub(super) fn opens_more(&self, own: &[String], other: &Self, wider: &[String]) -> bool {
        let Some(verb) = self.shared_verb(other) else { return false };
        let own = paths_of(verb, own);
        for path in paths_of(verb, wider) {
            if self.has_path_outside(path, &own) {
                return true;
            }
        }
        false
    }

    /// Whether a pattern matches a path of this entry that none of `own` matches.
    fn has_path_outside(&self, path: &str, own: &[&str]) -> bool {
        // The usual case, without a search: the pattern is for the same owner.
        if own.iter().any(|own| pattern::contains(own, path)) {
            return false;
        }
        let own: Vec<PathSet> = own.iter().map(|own| PathSet::of_pattern(own)).collect();
        share_path_outside(&self.template.with_one_segment_each(), &PathSet::of_pattern(path), &own)
    }

    /// Whether the caller's own of this entry can have these paths, whatever the values are. Quick, and may say yes too
    /// often: a token decides.
    pub(super) fn may_open_more_of(&self, paths: &PathSet) -> bool {
        for own in &self.rule.owner_scoped {
            let wider = self.template.with_segments_for(&own.variables());
            if !paths.fixed_segments_differ(&wider) && share_path_outside(paths, &wider, &[]) {
                return true;
            }
        }
        false
    }

    /// Whether a token can exist to which both are open for the caller's own, and this one opens more of `entry` than
    /// that.
    pub(super) fn can_open_more_of(&self, entry: &Self, predicates: &Predicates) -> bool {
        for own in &entry.rule.owner_scoped {
            for wider in &self.rule.owner_scoped {
                // Such a token meets both, and perhaps nothing else.
                let met = own.all_of.and(&wider.all_of);
                if entry.rule.can_be_only(own, &wider.all_of, predicates)
                    && met.can_be_met(wider, predicates)
                    && !self.rule.is_open_with(&met)
                    && self.values_can_open_more_of(entry, wider, own, &met)
                {
                    return true;
                }
            }
        }
        false
    }

    /// Tries values for the claims of the two alternatives: parts of the entry's own path, which can make `wider`
    /// reach into it, and values that are in no path.
    fn values_can_open_more_of(
        &self,
        entry: &Self,
        wider: &OwnerScoped,
        own: &OwnerScoped,
        met: &AllOf,
    ) -> bool {
        let classes = equal_claims(&[wider, own]);
        let unused = unused_text(&[&self.path, &entry.path]);
        let parts = parts_of(&entry.path, &unused);
        let mut choices: Vec<Vec<String>> = Vec::new();
        let mut cases: usize = 1;
        for (index, class) in classes.iter().enumerate() {
            let mut values = vec![format!("{unused}{index}")];
            if wider.values.iter().any(|(_, number)| class.contains(number)) {
                values.extend_from_slice(&parts);
            }
            cases = cases.saturating_mul(values.len());
            choices.push(values);
        }
        if cases > MAX_CASES {
            return true;
        }
        for case in 0..cases {
            let (mut values, mut rest) = (Vec::new(), case);
            for (class, choices) in classes.iter().zip(&choices) {
                let value = choices[rest % choices.len()].as_str();
                rest /= choices.len();
                values.extend(class.iter().map(|number| (*number, value)));
            }
            let Some(path) = self.own_path(wider, &values) else { continue };
            let mut own_paths = Vec::new();
            for alternative in &entry.rule.owner_scoped {
                if alternative.all_of.is_part_of(met) {
                    own_paths.extend(entry.own_path(alternative, &values));
                }
            }
            let own_paths: Vec<&str> = own_paths.iter().map(String::as_str).collect();
            if entry.has_path_outside(&path, &own_paths) {
                return true;
            }
        }
        false
    }

    /// The pattern of the paths that an alternative opens with these values, if it has them all.
    fn own_path(&self, alternative: &OwnerScoped, values: &Values<'_>) -> Option<String> {
        let mut own: Vec<(&str, &str)> = Vec::new();
        for (variable, number) in &alternative.values {
            let (_, value) = values.iter().find(|(other, _)| other == number)?;
            if own.iter().any(|(other, taken)| other == variable && taken != value) {
                return None;
            }
            own.push((variable, value));
        }
        Some(self.template.with_values(&own))
    }

    pub(super) fn shared_verb(&self, other: &Self) -> Option<&'static str> {
        self.verbs.iter().copied().find(|verb| other.verbs.contains(verb))
    }
}

/// The paths of the patterns with this verb.
fn paths_of<'p>(verb: &str, patterns: &'p [String]) -> Vec<&'p str> {
    let mut paths = Vec::new();
    for pattern in patterns {
        if let Some((other, path)) = pattern.split_once('/')
            && other == verb
        {
            paths.push(path);
        }
    }
    paths
}

/// The claims of these alternatives, by their numbers. Those that must be equal, because they are for one variable,
/// are together.
fn equal_claims(alternatives: &[&OwnerScoped]) -> Vec<Vec<usize>> {
    let mut classes: Vec<Vec<usize>> = Vec::new();
    for alternative in alternatives {
        for (variable, number) in &alternative.values {
            let mut class = vec![*number];
            for (other_variable, other) in &alternative.values {
                if other_variable == variable && !class.contains(other) {
                    class.push(*other);
                }
            }
            classes.retain(|known| {
                let joins = known.iter().any(|number| class.contains(number));
                if joins {
                    class.extend(known);
                }
                !joins
            });
            class.sort_unstable();
            class.dedup();
            classes.push(class);
        }
    }
    classes
}

/// A text that can begin a value and is in none of these paths.
fn unused_text(paths: &[&str]) -> String {
    let mut unused = "~".to_owned();
    while paths.iter().any(|path| path.contains(&unused)) {
        unused.push('~');
    }
    unused
}

/// What a value has to be to come in the place of a fixed part of a path: each segment, with `fill` for its wildcards,
/// and each piece of it, because a wildcard can end a segment too.
fn parts_of(path: &str, fill: &str) -> Vec<String> {
    let mut parts = Vec::new();
    for segment in path.split('/') {
        let pieces: Vec<&str> = segment.split('*').collect();
        for first in 0..pieces.len() {
            for last in first..pieces.len() {
                let mut part = pieces[first..=last].join(fill);
                if first > 0 {
                    part.insert_str(0, fill);
                }
                if last + 1 < pieces.len() {
                    part.push_str(fill);
                }
                if path_value::check(&part).is_ok() && !parts.contains(&part) {
                    parts.push(part);
                }
            }
        }
    }
    parts
}
