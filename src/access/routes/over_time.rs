//! A table over time: sign-ins that get too old while an answer is cached, and what a new sign-in would open.

use std::collections::BTreeSet;

use crate::access::routes::rule::{AllOf, Evaluated, Predicates, Rule, least};
use crate::access::routes::{CONNECT, Entry, RouteState, RouteStates, Routes, matches};
use crate::access::sign_in::SignIn;
use crate::denial::StepUp;

/// A change in what an entry is for a token: a sign-in gets too old for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    /// The Unix time from which on it is so.
    pub(crate) from: f64,
    /// The place of the entry in the table.
    pub(crate) entry: usize,
    pub(crate) state: RouteState,
}

/// What a policy says about an entry, as patterns below the stage.
#[derive(Debug, Default)]
pub(crate) struct EntryPatterns<'s> {
    /// Allowed for as long as the policy is cached.
    pub(crate) allowed: &'s [String],
    /// Allowed before these Unix times.
    pub(crate) allowed_until: Vec<(f64, Vec<&'s str>)>,
    pub(crate) denied: &'s [String],
    /// Denied from a Unix time on. What is allowed is among it.
    pub(crate) denied_from: Option<(f64, &'s [String])>,
}

impl Routes {
    /// What each entry is for a token, now and for as long as that is cached.
    pub(crate) fn decide_over_time(&self, evaluated: &Evaluated<'_>) -> RouteStates<'_> {
        let decided = self.decide(evaluated);
        let changes = self.changes(&decided.states, evaluated);
        RouteStates { changes, ..decided }
    }

    /// How the states change while they are cached, in the order of time. An entry that is closed stays so, even if the
    /// one that conflicts with it is closed later: then a new decision opens more than the cached one. A connection is
    /// in no policy.
    fn changes(&self, states: &[RouteState], evaluated: &Evaluated<'_>) -> Vec<Change> {
        let mut changes = Vec::new();
        let Some(sign_in) = evaluated.sign_in else { return changes };
        let (mut current, mut alone) = (states.to_vec(), self.states_alone(evaluated));
        for max_age in &self.predicates.max_ages {
            let from = sign_in.too_old_from(*max_age);
            if from <= evaluated.now {
                continue;
            }
            let alone_then = self.states_alone(&evaluated.at(from));
            if alone_then == alone {
                continue;
            }
            alone.clone_from(&alone_then);
            for (entry, state) in self.resolve_conflicts(alone_then).into_iter().enumerate() {
                let can_change =
                    current[entry] != RouteState::Closed && !self.entries[entry].is_connection();
                if can_change && current[entry] != state {
                    current[entry] = state.clone();
                    changes.push(Change { from, entry, state });
                }
            }
        }
        changes
    }

    /// What a new sign-in must be like to open this request, if one can.
    pub(crate) fn step_up_for(&self, request: &str, evaluated: &Evaluated<'_>) -> Option<StepUp> {
        if !self.predicates.ask_for_sign_in() {
            return None;
        }
        let signed_in = evaluated.signed_in();
        if !self.decide(&signed_in).opens(request) {
            return None;
        }
        self.sign_in_between(evaluated, &signed_in, |entry| entry.matches(request))
    }

    /// What a new sign-in must be like to open more of the table. If none can and everything is open, what it must be like
    /// once the sign-in of this token is too old.
    pub(crate) fn step_up(
        &self,
        states: &RouteStates<'_>,
        evaluated: &Evaluated<'_>,
    ) -> Option<StepUp> {
        if !self.predicates.ask_for_sign_in() {
            return None;
        }
        let is_request = |entry: &Entry| !entry.is_connection();
        if let Some(step_up) = self.sign_in_between(evaluated, &evaluated.signed_in(), is_request) {
            return Some(step_up);
        }
        // A 403 is then most likely about a route that no sign-in opens.
        if states.leaves_route_closed() {
            return None;
        }
        self.sign_in_between(&evaluated.without_sign_in(), evaluated, is_request)
    }

    /// What `without` lacks of the sign-in of `with`, for all these entries: the least `max_age`, and the first list for
    /// `acr`.
    fn sign_in_between(
        &self,
        without: &Evaluated<'_>,
        with: &Evaluated<'_>,
        is_meant: impl Fn(&Entry) -> bool,
    ) -> Option<StepUp> {
        let mut found: Option<StepUp> = None;
        for entry in &self.entries {
            if !is_meant(entry) {
                continue;
            }
            let Some(lacks) = entry.rule.sign_in_between(without, with) else { continue };
            let step_up = found.get_or_insert_default();
            if let Some(max_age) = lacks.max_age {
                step_up.max_age = Some(least(step_up.max_age, max_age));
            }
            if step_up.acr_values.is_empty() {
                step_up.acr_values = lacks.acr_values;
            }
        }
        found
    }
}

impl Rule {
    /// What `without` lacks of the sign-in of `with`, if that opens more.
    fn sign_in_between(&self, without: &Evaluated<'_>, with: &Evaluated<'_>) -> Option<StepUp> {
        if self.is_open(without) {
            return None;
        }
        for all_of in &self.open {
            if all_of.is_met(with) {
                return Some(all_of.sign_in(without));
            }
        }
        for alternative in &self.owner_scoped {
            if alternative.own_values(with).is_some() && alternative.own_values(without).is_none() {
                return Some(alternative.all_of.sign_in(without));
            }
        }
        None
    }

    /// Each `max_age` of the alternatives.
    pub(super) fn max_ages(&self) -> BTreeSet<u32> {
        let mut max_ages = BTreeSet::new();
        for all_of in &self.open {
            max_ages.extend(all_of.max_age);
        }
        for alternative in &self.owner_scoped {
            max_ages.extend(alternative.all_of.max_age);
        }
        max_ages
    }

    /// Whether the entry can be open for a time, or some of the caller's own can, and for the rest of these longer.
    fn can_narrow(&self) -> bool {
        let alternatives = self.owner_scoped.len();
        !self.max_ages().is_empty()
            && (alternatives > 1 || alternatives == 1 && !self.open.is_empty())
    }
}

impl AllOf {
    /// What is missing of the sign-in.
    fn sign_in(&self, evaluated: &Evaluated<'_>) -> StepUp {
        let mut step_up =
            StepUp { max_age: self.missing_max_age(evaluated), acr_values: Vec::new() };
        for number in &self.claims {
            if !evaluated.claims[*number] {
                for value in evaluated.predicates.claims[*number].acr_values() {
                    step_up.acr_values.push(value.to_owned());
                }
            }
        }
        step_up
    }
}

impl Predicates {
    /// Whether a rule depends on how or when the user signed in.
    fn ask_for_sign_in(&self) -> bool {
        !self.max_ages.is_empty() || self.claims.iter().any(|claim| !claim.acr_values().is_empty())
    }
}

impl Evaluated<'_> {
    /// The same at a later time.
    fn at(&self, now: f64) -> Self {
        Self { now, ..self.clone() }
    }

    /// The same for a token whose user has just signed in, as wanted.
    fn signed_in(&self) -> Self {
        let mut signed_in = Self { sign_in: Some(SignIn::at(self.now)), ..self.clone() };
        for (number, claim) in self.predicates.claims.iter().enumerate() {
            if !claim.acr_values().is_empty() {
                signed_in.claims[number] = true;
            }
        }
        signed_in
    }

    /// The same for a token that does not say when its user signed in.
    fn without_sign_in(&self) -> Self {
        Self { sign_in: None, ..self.clone() }
    }
}

impl Entry {
    /// Whether a request, given as an ARN has it after the stage, is one of this entry's.
    pub(super) fn matches(&self, request: &str) -> bool {
        if request == CONNECT {
            return self.is_connection();
        }
        matches(&self.allowed, request)
    }
}

impl RouteStates<'_> {
    /// What a policy says about an entry. It may say when a sign-in gets too old, or nothing about time.
    pub(crate) fn patterns(&self, index: usize, says_times: bool) -> EntryPatterns<'_> {
        let mut patterns = EntryPatterns { denied: self.denied(index), ..EntryPatterns::default() };
        let mut state = &self.states[index];
        for change in &self.changes {
            if change.entry != index || !says_times {
                continue;
            }
            if change.state == RouteState::Closed {
                // No need to end the Allow: a Deny wins.
                patterns.denied_from = Some((change.from, self.entries[index].denied_if_closed()));
                break;
            }
            let kept = self.allowed_in(index, &change.state);
            let mut ending = Vec::new();
            for pattern in self.allowed_in(index, state) {
                if !kept.contains(pattern) {
                    ending.push(pattern.as_str());
                }
            }
            if !ending.is_empty() {
                patterns.allowed_until.push((change.from, ending));
            }
            state = &change.state;
        }
        patterns.allowed = self.allowed_in(index, state);
        patterns
    }

    /// How many times a policy with these entries can have that these states do not have.
    pub(crate) fn unused_times(&self) -> usize {
        let (mut times, mut can_narrow) = (BTreeSet::new(), false);
        for (entry, state) in self.entries.iter().zip(&self.states) {
            if *state != RouteState::Omitted {
                times.extend(entry.rule.max_ages());
                can_narrow |= entry.rule.can_narrow();
            }
        }
        let most = if can_narrow { 2 * times.len() } else { times.len() };
        let mut used = Vec::new();
        for change in &self.changes {
            let statement = (change.from, change.state == RouteState::Closed);
            if !used.contains(&statement) {
                used.push(statement);
            }
        }
        most - used.len()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::access::claims::Present;
    use crate::access::rights::scopes;
    use crate::jose::token::{ClaimPath, Claims};

    const NOW: f64 = 10_000.0;

    fn table() -> Value {
        json!({
            "GET /account": [],
            "DELETE /account": ["w", { "max_age": 300 }],
            "POST /transfers": ["w", { "max_age": 600 }, { "claims": { "acr": ["gold", "silver"] } }],
            "PUT /users/{id}": [{ "path": { "id": "sub" } }, { "max_age": 60 }],
            "GET /reports": { "any": ["r", { "claims": { "acr": "gold" } }] },
            "ANY /admin": ["admin"],
            "$connect": [{ "max_age": 30 }],
        })
    }

    /// The step-up for a request, or for a policy with the whole table.
    fn step_up(table: &Value, token: Value, request: Option<&str>) -> Option<String> {
        let routes = Routes::parse(table.as_object().unwrap(), true).unwrap();
        let claims = Claims::verified(token);
        let held = scopes(&[ClaimPath::parse("scope").unwrap()], &claims);
        let evaluated = routes.evaluate(&held, &claims, Present::at(NOW));
        let step_up = match request {
            Some(request) => routes.step_up_for(request, &evaluated),
            None => routes.step_up(&routes.decide(&evaluated), &evaluated),
        };
        step_up.map(|StepUp { max_age, acr_values }| {
            let max_age = max_age.map_or(String::new(), |seconds| seconds.to_string());
            format!("{max_age} {}", acr_values.join(","))
        })
    }

    #[test]
    fn a_request_asks_for_the_sign_in_that_would_open_it() {
        for (token, request, expected) in [
            (json!({ "scope": "w" }), "DELETE/account", Some("300 ")),
            (json!({ "scope": "w", "auth_time": NOW - 301.0 }), "DELETE/account", Some("300 ")),
            // It would not help.
            (json!({ "auth_time": NOW - 301.0 }), "DELETE/account", None),
            (json!({ "scope": "w" }), "PUT/account", None),
            (json!({ "scope": "w" }), "ANY/admin", None),
            (json!({ "scope": "w" }), "DELETE/account//x", None),
            // Only what is missing is asked for.
            (json!({ "scope": "w" }), "POST/transfers", Some("600 gold,silver")),
            (json!({ "scope": "w", "acr": "gold" }), "POST/transfers", Some("600 ")),
            (json!({ "scope": "w", "auth_time": NOW }), "POST/transfers", Some(" gold,silver")),
            (
                json!({ "scope": "w", "auth_time": NOW, "acr": "tin" }),
                "POST/transfers",
                Some(" gold,silver"),
            ),
            (json!({}), "GET/reports", Some(" gold")),
            (json!({ "sub": "bob" }), "PUT/users/bob", Some("60 ")),
            (json!({ "sub": "bob" }), "PUT/users/eve", None),
            (json!({}), "$connect", Some("30 ")),
            (json!({}), "GET/$connect", None),
        ] {
            let found = step_up(&table(), token.clone(), Some(request));
            assert_eq!(found.as_deref(), expected, "{token} {request}");
        }
    }

    #[test]
    fn a_closed_entry_that_no_sign_in_opens_keeps_a_request_closed() {
        let table = json!({ "ANY /*": [{ "max_age": 60 }], "ANY /admin": ["admin"] });
        assert_eq!(step_up(&table, json!({}), Some("GET/admin")), None);
        assert_eq!(step_up(&table, json!({}), Some("GET/pets")).as_deref(), Some("60 "));
        let both = json!({ "ANY /*": [{ "max_age": 600 }], "ANY /admin": [{ "max_age": 60 }] });
        assert_eq!(step_up(&both, json!({}), Some("GET/admin")).as_deref(), Some("60 "));
    }

    #[test]
    fn a_policy_asks_for_what_is_missing_now_then_for_what_gets_too_old() {
        let all = json!({ "scope": "w r admin", "acr": "gold", "sub": "bob" });
        let signed_in = |seconds_ago: f64| {
            let mut token = all.clone();
            token["auth_time"] = json!(NOW - seconds_ago);
            token
        };
        // The least age, and the first list: with these, everything is open.
        assert_eq!(
            step_up(&table(), json!({ "scope": "w", "sub": "bob" }), None).as_deref(),
            Some("60 gold")
        );
        assert_eq!(step_up(&table(), signed_in(301.0), None).as_deref(), Some("60 "));
        // A sign-in opens nothing more now, and a route is closed for another reason.
        let mut without_admin = signed_in(0.0);
        without_admin["scope"] = json!("w r");
        assert_eq!(step_up(&table(), without_admin, None), None);
        // Everything is open now.
        let open = json!({ "GET /a": [{ "max_age": 60 }], "GET /b": [{ "max_age": 600 }], "$connect": [{ "max_age": 9 }] });
        assert_eq!(step_up(&open, signed_in(0.0), None).as_deref(), Some("60 "));
        assert_eq!(step_up(&open, signed_in(61.0), None).as_deref(), Some("60 "));
        assert_eq!(step_up(&open, json!({}), None).as_deref(), Some("60 "));
        let plain = json!({ "GET /a": ["a"], "GET /b": [{ "claims": { "amr": "mfa" } }] });
        assert_eq!(step_up(&plain, json!({}), None), None);
    }

    #[test]
    fn a_rule_with_alternatives_is_met_by_the_longer_age() {
        let table = json!({ "GET /a": { "any": [["w", { "max_age": 60 }], { "max_age": 600 }] } });
        let routes = Routes::parse(table.as_object().unwrap(), true).unwrap();
        for (seconds_ago, expected) in
            [(0.0, vec![10_601.0]), (500.0, vec![10_101.0]), (601.0, vec![])]
        {
            let claims = Claims::verified(json!({ "scope": "w", "auth_time": NOW - seconds_ago }));
            let held = scopes(&[ClaimPath::parse("scope").unwrap()], &claims);
            let states =
                routes.decide_over_time(&routes.evaluate(&held, &claims, Present::at(NOW)));
            let from: Vec<f64> = states.changes.iter().map(|change| change.from).collect();
            assert_eq!(from, expected, "{seconds_ago}");
        }
    }

    #[test]
    fn the_proof_counts_a_statement_for_each_time() {
        let own = json!({ "path": { "id": "sub" } });
        let [minute, hour] = [60, 3_600].map(|max_age| json!([{ "max_age": max_age }]));
        for (table, unused) in [
            (json!({ "GET /a": [] }), 0),
            (json!({ "GET /a": minute }), 0),
            (json!({ "GET /a": minute, "GET /b": hour }), 0),
            // The entry ends with the longer age, but a token can meet the shorter one alone.
            (json!({ "GET /a": { "any": [minute, hour] } }), 1),
            // An Allow and a Deny can end with each age.
            (json!({ "GET /{id}": { "any": [minute, own] } }), 0),
            (json!({ "GET /{id}": { "any": [minute, hour, own] } }), 2),
            (json!({ "GET /{id}": { "any": [[own, { "max_age": 60 }], own] } }), 1),
        ] {
            let routes = Routes::parse(table.as_object().unwrap(), true).unwrap();
            assert_eq!(routes.longest(true).unused_times(), unused, "{table}");
        }
    }

    #[test]
    fn a_closed_entry_stays_closed_in_a_cached_answer() {
        // The first entry is closed where the second one is open to the token.
        let table = json!({
            "GET /users/{id}/x": { "path": { "id": "sub" } },
            "GET /users/{proxy+}": ["w", { "max_age": 300 }],
        });
        let routes = Routes::parse(table.as_object().unwrap(), true).unwrap();
        let claims = Claims::verified(json!({ "scope": "w", "sub": "bob", "auth_time": NOW }));
        let held = scopes(&[ClaimPath::parse("scope").unwrap()], &claims);
        let evaluated = routes.evaluate(&held, &claims, Present::at(NOW));
        let states = routes.decide_over_time(&evaluated);
        assert_eq!(states.states, [RouteState::Closed, RouteState::Open]);
        let change = Change { from: NOW + 301.0, entry: 1, state: RouteState::Closed };
        assert_eq!(states.changes, [change]);
        let later = routes.decide(&evaluated.at(NOW + 301.0));
        assert!(matches!(later.states[0], RouteState::OwnerScoped(_)));
    }
}
