//! The table of routes, `ROUTES`: which requests a token opens.
//!
//! A request passes if an entry opens it and no closed entry matches it. [`Routes::decide`] says what each entry is for
//! one token; the policy, an answer for a single request and the report for `explain` all follow from that.

pub(crate) mod condition;
mod conflicts;
pub(crate) mod guard;
pub(crate) mod over_time;
mod owners;
pub(crate) mod path_value;
mod paths;
pub(crate) mod pattern;
pub(crate) mod report;
pub(crate) mod rule;
pub(crate) mod table;
pub(crate) mod template;

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::access::claims::Present;
use crate::access::rights::PolicyScope;
use crate::access::routes::over_time::Change;
use crate::access::routes::rule::{Evaluated, Predicates, Rule};
use crate::access::routes::template::Template;
use crate::denial::StepUp;
use crate::jose::token::Claims;

/// The verbs of an API Gateway method. `ANY` is written out as these, because a `*` in the place of the verb in an ARN
/// would also match into paths.
const VERBS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// The name of the entry, and the end of the ARN, of a WebSocket connection.
pub(crate) const CONNECT: &str = "$connect";

/// The most bytes of resources, without the stage's ARN, that are analysed: twice what a policy can hold. With
/// `POLICY_SCOPE=request` it is eight times as many bytes of paths.
const MAX_ANALYSED_BYTES: usize = 16 * 1024;

/// A table of routes.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    entries: Vec<Entry>,
    predicates: Predicates,
    /// Whether `PATH_GUARD` is on.
    guard: bool,
}

/// One entry of the table. Its requests are IAM patterns of what an ARN has after the stage: `GET/pets/*`.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The entry's name, as it is written.
    pub(crate) route: String,
    verbs: Vec<&'static str>,
    template: Template,
    /// The pattern of the path alone.
    path: String,
    /// What is allowed where the entry is open. A policy never names a connection: one is decided by itself.
    allowed: Vec<String>,
    /// What is denied where it is closed: the same, except that `ANY /*` also denies verbs that no entry can name.
    denied: Vec<String>,
    rule: Rule,
    /// The entries that, when open, allow some of the same requests to all callers. A policy cannot take back only
    /// those of other owners, so this entry is then closed instead of open for the caller's own.
    conflicts_with: Vec<usize>,
    /// The entries that, when open for the caller's own, can allow requests of this one that are another owner's.
    /// Whether they do depends on the values of the token's claims.
    can_be_widened_by: Vec<usize>,
}

/// What an entry is for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RouteState {
    Open,
    /// Open for the caller's own requests, which match these patterns.
    OwnerScoped(Vec<String>),
    Closed,
    /// Left out of the policy, which is for a request that the entry does not decide.
    Omitted,
}

/// The entry that keeps another from being open for the caller's own.
#[derive(Debug, PartialEq)]
enum Conflict<'r> {
    /// It is open to all owners' requests.
    Open(&'r str),
    /// It is open for the caller's own, and these include requests of the other that are another owner's.
    OwnerScoped(&'r str),
}

/// What the entries of a table are for a token.
#[derive(Debug)]
pub(crate) struct RouteStates<'r> {
    pub(crate) entries: &'r [Entry],
    /// The state of each entry, in their order.
    pub(crate) states: Vec<RouteState>,
    /// How the states change while they are cached, in the order of time.
    pub(crate) changes: Vec<Change>,
    /// What a new sign-in must be like for a policy to open more: for the client's challenge.
    pub(crate) step_up: Option<StepUp>,
    pub(crate) guard: bool,
}

/// What decides a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecidedBy<'r> {
    /// `PATH_GUARD` refuses the path.
    Guard,
    /// The entry of this name matches the request, and is closed.
    Closed(&'r str),
    /// The entry of this name opens the request.
    Open(&'r str),
    /// The entry of this name matches the request, and is open for the caller's own only. This request is another
    /// owner's.
    OtherOwner(&'r str),
    /// No entry matches the request.
    NoEntry,
}

impl Routes {
    /// Reads a JSON object `"VERB /path"` -> rule. Every problem is one line that names its entry. With problems, the
    /// table has the entries that have none of their own.
    pub(crate) fn read(
        table: &Map<String, Value>,
        guard: bool,
        scope: PolicyScope,
    ) -> (Self, Vec<String>) {
        let mut routes = Self { entries: Vec::new(), predicates: Predicates::default(), guard };
        let mut problems = Vec::new();
        if table.is_empty() {
            problems.push(
                "is empty: name at least one route, for example {\"GET /pets\": [\"pets:read\"]}"
                    .to_owned(),
            );
        }
        let mut seen = HashSet::new();
        let (mut path_bytes, mut resource_bytes) = (0, 0);
        for (route, rule) in table {
            let entry = match Entry::parse(route, rule, &mut routes.predicates) {
                Ok(entry) => entry,
                Err(problem) => {
                    problems.push(format!("entry `{route}`: {problem}"));
                    continue;
                }
            };
            if !seen.insert((entry.verbs.clone(), entry.path.clone())) {
                problems.push(format!("entry `{route}`: another entry matches the same requests"));
            } else if guard && guard::refuses_all(&["/", &entry.path].concat()) {
                problems.push(format!("entry `{route}`: PATH_GUARD refuses all its requests"));
            } else {
                path_bytes += entry.path.len();
                resource_bytes += entry.allowed.iter().map(String::len).sum::<usize>();
                routes.entries.push(entry);
            }
        }
        // A larger table fits into no policy. Its analysis could outlast Lambda's init phase, so nobody would see why.
        let (part, bytes, max) = match scope {
            PolicyScope::Stage => ("resources", resource_bytes, MAX_ANALYSED_BYTES),
            PolicyScope::Request => ("paths", path_bytes, 8 * MAX_ANALYSED_BYTES),
        };
        if bytes > max {
            problems.push(format!(
                "its {part} alone take {bytes} bytes, more than the {max} that are analysed"
            ));
        } else {
            problems.extend(routes.find_conflicts());
        }
        (routes, problems)
    }

    /// As [`Routes::read`], for a table without problems.
    #[cfg(test)]
    pub(crate) fn parse(table: &Map<String, Value>, guard: bool) -> Result<Self, Vec<String>> {
        let (routes, problems) = Self::read(table, guard, PolicyScope::Stage);
        if problems.is_empty() { Ok(routes) } else { Err(problems) }
    }

    /// Evaluates the rules for a token with these scopes and claims.
    pub(crate) fn evaluate<'a>(
        &'a self,
        held: &HashSet<&str>,
        claims: &'a Claims,
        present: Present,
    ) -> Evaluated<'a> {
        self.predicates.evaluate(held, claims, present)
    }

    /// What each entry is for a token now. For an answer that is cached, see [`Routes::decide_over_time`].
    pub(crate) fn decide(&self, evaluated: &Evaluated<'_>) -> RouteStates<'_> {
        let states = self.resolve_conflicts(self.states_alone(evaluated));
        let (entries, guard) = (&*self.entries, self.guard);
        RouteStates { entries, states, changes: Vec::new(), step_up: None, guard }
    }

    /// What each entry is for a token, given what it would be alone.
    fn resolve_conflicts(&self, mut states: Vec<RouteState>) -> Vec<RouteState> {
        let mut closed = Vec::new();
        for index in 0..states.len() {
            if self.conflict(index, &states).is_some() {
                closed.push(index);
            }
        }
        for index in closed {
            states[index] = RouteState::Closed;
        }
        states
    }

    /// What each entry would be for a token if it were the only one.
    fn states_alone(&self, evaluated: &Evaluated<'_>) -> Vec<RouteState> {
        let mut states = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            states.push(if entry.rule.is_open(evaluated) {
                RouteState::Open
            } else {
                entry.opening(entry.rule.own_paths(&entry.template, evaluated))
            });
        }
        states
    }

    /// What keeps an entry from being open for the caller's own. `alone` are the states of all entries as if each
    /// were the only one: an entry that is closed for this reason still keeps others closed.
    fn conflict(&self, index: usize, alone: &[RouteState]) -> Option<Conflict<'_>> {
        let RouteState::OwnerScoped(own) = &alone[index] else { return None };
        let entry = &self.entries[index];
        for other in &entry.conflicts_with {
            if alone[*other] == RouteState::Open {
                return Some(Conflict::Open(&self.entries[*other].route));
            }
        }
        for other in &entry.can_be_widened_by {
            if let RouteState::OwnerScoped(wider) = &alone[*other]
                && entry.opens_more(own, &self.entries[*other], wider)
            {
                return Some(Conflict::OwnerScoped(&self.entries[*other].route));
            }
        }
        None
    }

    /// The entries in the state that takes the most bytes in a policy, for any token: open to all, or, which is never
    /// shorter, open for the caller's own by all alternatives at once and with the longest values. In a policy that says
    /// when sign-ins get too old, an entry with `max_age` is open, then open for the caller's own, then closed. Where a
    /// rule has alternatives, perhaps no token gets all of these: there the proof is a bound.
    pub(crate) fn longest(&self, says_times: bool) -> RouteStates<'_> {
        let (mut states, mut changes) = (Vec::new(), Vec::new());
        for (index, entry) in self.entries.iter().enumerate() {
            let max_age = if says_times { entry.rule.max_ages().last().copied() } else { None };
            let mut state = RouteState::Open;
            if entry.rule.is_owner_scoped() {
                state = entry.opening(entry.rule.longest_own_paths(&entry.template));
            }
            if let Some(max_age) = max_age {
                let from = f64::from(max_age);
                if entry.rule.is_owner_scoped() && !entry.rule.open.is_empty() {
                    changes.push(Change { from, entry: index, state });
                    state = RouteState::Open;
                }
                changes.push(Change { from, entry: index, state: RouteState::Closed });
            }
            states.push(state);
        }
        RouteStates { entries: &self.entries, states, changes, step_up: None, guard: self.guard }
    }

    /// Whether a rule has `max_age`.
    pub(crate) fn limits_sign_ins(&self) -> bool {
        !self.predicates.max_ages.is_empty()
    }

    /// The entries as they are written in the table.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| &*entry.route)
    }
}

impl Entry {
    /// Reads `"VERB /path": rule`. The error says what would be right.
    fn parse(route: &str, rule: &Value, predicates: &mut Predicates) -> Result<Self, String> {
        let (verbs, path) = verbs_and_path(route)?;
        let template = Template::parse(path)?;
        let mut entry = Self {
            route: route.to_owned(),
            verbs,
            path: template.pattern(),
            allowed: Vec::new(),
            denied: Vec::new(),
            rule: Rule::parse(rule, &template, predicates)?,
            template,
            conflicts_with: Vec::new(),
            can_be_widened_by: Vec::new(),
        };
        entry.allowed = entry.with_verbs(vec![entry.path.clone()]);
        let is_everything = entry.verbs.len() == VERBS.len() && entry.path == "*";
        entry.denied = if is_everything { vec!["*".to_owned()] } else { entry.allowed.clone() };
        Ok(entry)
    }

    /// What is denied where it is closed.
    pub(crate) fn denied_if_closed(&self) -> &[String] {
        &self.denied
    }

    /// Whether this is the entry of a WebSocket connection. It decides nothing else, and nothing else decides a
    /// connection.
    pub(crate) fn is_connection(&self) -> bool {
        self.route == CONNECT
    }

    /// These paths under each of the entry's verbs. A connection has no verbs.
    fn with_verbs(&self, paths: Vec<String>) -> Vec<String> {
        let mut patterns = Vec::with_capacity(paths.len() * self.verbs.len());
        for path in paths {
            for verb in &self.verbs {
                patterns.push([verb, "/", &path].concat());
            }
        }
        patterns
    }

    /// The state of an entry that opens these of the caller's own paths.
    fn opening(&self, own_paths: Vec<String>) -> RouteState {
        if own_paths.is_empty() {
            RouteState::Closed
        } else {
            RouteState::OwnerScoped(self.with_verbs(own_paths))
        }
    }
}

impl<'r> RouteStates<'r> {
    /// What is allowed of this entry, below the stage.
    pub(crate) fn allowed(&self, index: usize) -> &[String] {
        self.allowed_in(index, &self.states[index])
    }

    /// What is allowed of this entry in a state, below the stage.
    #[inline]
    fn allowed_in<'s>(&'s self, index: usize, state: &'s RouteState) -> &'s [String] {
        match state {
            RouteState::Open => &self.entries[index].allowed,
            RouteState::OwnerScoped(patterns) => patterns,
            RouteState::Closed | RouteState::Omitted => &[],
        }
    }

    /// What is denied of this entry, below the stage.
    pub(crate) fn denied(&self, index: usize) -> &'r [String] {
        match self.states[index] {
            RouteState::Closed => &self.entries[index].denied,
            RouteState::Open | RouteState::OwnerScoped(_) | RouteState::Omitted => &[],
        }
    }

    /// Whether a policy opens anything.
    pub(crate) fn is_any_open(&self) -> bool {
        (0..self.entries.len()).any(|index| !self.allowed(index).is_empty())
    }

    /// These states in a policy that is for one request: the entries that match it, if they open anything, and the
    /// closed ones that match it or overlap one of those. Such a policy decides the request as the whole table does,
    /// and opens nothing that the whole table does not.
    pub(crate) fn for_request(mut self, request: &str) -> Self {
        let mut opening = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            if self.allowed(index).is_empty() {
                continue;
            }
            if matches(&entry.allowed, request) {
                opening.push(index);
            } else {
                self.states[index] = RouteState::Omitted;
            }
        }
        let mut closing = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let overlaps = |other: &usize| patterns_overlap(&entry.denied, self.allowed(*other));
            if matches(&entry.denied, request) || opening.iter().any(overlaps) {
                closing.push(index);
            } else if self.states[index] == RouteState::Closed {
                self.states[index] = RouteState::Omitted;
            }
        }
        // An entry that is left out can be closed later.
        self.changes.retain(|change| {
            opening.contains(&change.entry)
                || change.state == RouteState::Closed && closing.contains(&change.entry)
        });
        self
    }

    /// Whether a request passes, given as an ARN has it after the stage.
    pub(crate) fn opens(&self, request: &str) -> bool {
        matches!(self.decided_by(request), DecidedBy::Open(_))
    }

    /// Whether an entry other than that of a connection is closed, or open for the caller's own only.
    pub(crate) fn leaves_route_closed(&self) -> bool {
        for (entry, state) in self.entries.iter().zip(&self.states) {
            if *state != RouteState::Open && !entry.is_connection() {
                return true;
            }
        }
        false
    }

    /// What decides a request, given as an ARN has it after the stage: `GET/pets/1`. The policy says the same.
    pub(crate) fn decided_by(&self, request: &str) -> DecidedBy<'r> {
        if request == CONNECT {
            return self.connection_decided_by();
        }
        if self.guard && guard::refuses(request) {
            return DecidedBy::Guard;
        }
        let (mut open, mut other_owner) = (None, None);
        for (index, entry) in self.entries.iter().enumerate() {
            if matches(self.denied(index), request) {
                return DecidedBy::Closed(&entry.route);
            }
            if open.is_none() && matches(self.allowed(index), request) {
                open = Some(DecidedBy::Open(&entry.route));
            } else if other_owner.is_none() && matches(&entry.allowed, request) {
                other_owner = Some(DecidedBy::OtherOwner(&entry.route));
            }
        }
        open.or(other_owner).unwrap_or(DecidedBy::NoEntry)
    }

    /// What decides a connection: its own entry, and no other, not even `ANY /*`.
    fn connection_decided_by(&self) -> DecidedBy<'r> {
        for (entry, state) in self.entries.iter().zip(&self.states) {
            if entry.is_connection() {
                return match state {
                    RouteState::Open => DecidedBy::Open(&entry.route),
                    _ => DecidedBy::Closed(&entry.route),
                };
            }
        }
        DecidedBy::NoEntry
    }
}

/// Whether a request is one of those that the patterns match.
fn matches(patterns: &[String], request: &str) -> bool {
    patterns.iter().any(|pattern| pattern::matches(pattern, request))
}

/// Whether some request is matched by a pattern of both.
fn patterns_overlap(some: &[String], others: &[String]) -> bool {
    some.iter().any(|one| others.iter().any(|other| pattern::intersect(one, other)))
}

/// The verbs of a route, and its path without the first slash. A connection has no verb.
fn verbs_and_path(route: &str) -> Result<(Vec<&'static str>, &str), &'static str> {
    const EXPECTED: &str = "must be a verb, one space and a path, for example `GET /pets`";
    if route == CONNECT {
        return Ok((Vec::new(), route));
    }
    let (verb, path) = route.split_once(' ').ok_or(EXPECTED)?;
    let path = path.strip_prefix('/').ok_or("the path must begin with `/`")?;
    if path.contains("${") {
        return Err("`${` is not allowed in a route");
    }
    if verb == "ANY" {
        return Ok((VERBS.into(), path));
    }
    match VERBS.iter().find(|known| **known == verb) {
        Some(verb) => Ok((vec![verb], path)),
        None => Err("the verb must be ANY, DELETE, GET, HEAD, OPTIONS, PATCH, POST or PUT"),
    }
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
