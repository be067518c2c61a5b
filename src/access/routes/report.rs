//! What a table of routes says about one token, as data, for those who ask why.

use std::collections::HashMap;

use crate::access::claims::Present;
use crate::access::rights::{Rights, scopes};
use crate::access::routes::over_time::Change;
use crate::access::routes::rule::{AllOf, Evaluated, OwnerScoped, Rule};
use crate::access::routes::{Conflict, DecidedBy, Entry, RouteState, RouteStates};
use crate::clock::date_time;
use crate::denial::MAX_SHOWN_SECONDS;
use crate::jose::token::{ClaimPath, Claims};

/// What a table says about a token.
#[derive(Debug)]
pub struct TableReport<'r> {
    /// A scope of `REQUIRED_SCOPES` that the token lacks. Then no entry counts.
    pub missing_scope: Option<&'r str>,
    /// Every entry, in the order in which a policy has them.
    pub entries: Vec<EntryReport<'r>>,
    states: RouteStates<'r>,
}

/// What an entry is for a token, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryReport<'r> {
    /// The entry's name: `GET /users/{id}`.
    pub route: &'r str,
    /// What it is, as a sentence without its subject.
    pub state: String,
}

impl TableReport<'_> {
    /// What decides a request, given as an ARN has it after the stage: `GET/pets/1`.
    #[must_use]
    pub fn decided_by(&self, request: &str) -> DecidedBy<'_> {
        self.states.decided_by(request)
    }
}

impl Rights {
    /// What the table says about a token, if there is a table.
    pub(crate) fn report(
        &self,
        scope_claims: &[ClaimPath],
        claims: &Claims,
        present: Present,
    ) -> Option<TableReport<'_>> {
        let routes = self.routes.as_ref()?;
        let held = scopes(scope_claims, claims);
        let evaluated = routes.evaluate(&held, claims, present);
        let states = routes.decide_over_time(&evaluated);
        let alone = routes.states_alone(&evaluated);
        let mut entries = Vec::new();
        for (index, entry) in states.entries.iter().enumerate() {
            let conflict = routes.conflict(index, &alone);
            let mut state = entry.describe(&states.states[index], conflict, &evaluated);
            for change in &states.changes {
                if change.entry == index {
                    state.push_str(&change.describe());
                }
            }
            entries.push(EntryReport { route: &entry.route, state });
        }
        Some(TableReport { missing_scope: self.missing_scope(&held), entries, states })
    }
}

impl Change {
    fn describe(&self) -> String {
        let from = date_time(self.from).unwrap_or_default();
        let state = match self.state {
            RouteState::OwnerScoped(_) => "for fewer of the caller's own",
            _ => "closed",
        };
        format!("; from {from} on {state}, because the sign-in is too old by then")
    }
}

impl Entry {
    fn describe(
        &self,
        state: &RouteState,
        conflict: Option<Conflict<'_>>,
        evaluated: &Evaluated<'_>,
    ) -> String {
        let own = self.rule.own_values(evaluated);
        match (state, conflict) {
            (RouteState::Open, _) => "open".to_owned(),
            (RouteState::OwnerScoped(_), _) => format!("open for {own}"),
            (RouteState::Closed, Some(Conflict::Open(other))) => {
                format!("closed: would be open for {own}, but overlaps `{other}`, which is open")
            }
            (RouteState::Closed, Some(Conflict::OwnerScoped(other))) => format!(
                "closed: would be open for {own}, but `{other}` opens its requests for other owners too"
            ),
            (RouteState::Closed | RouteState::Omitted, _) => {
                format!("closed: needs {}", self.rule.missing(evaluated))
            }
        }
    }
}

impl Rule {
    /// The caller's values, for each alternative that is met.
    fn own_values(&self, evaluated: &Evaluated<'_>) -> String {
        let mut alternatives = Vec::new();
        for alternative in &self.owner_scoped {
            let Some(own) = alternative.own_values(evaluated) else { continue };
            let mut values = Vec::new();
            for ((_, number), (_, value)) in alternative.values.iter().zip(own) {
                values.push(format!("`{}` = {value}", evaluated.claim(*number)));
            }
            alternatives.push(values.join(" and "));
        }
        alternatives.join(", or ")
    }

    /// What the token lacks, for each alternative: to have all of one alternative would open the entry.
    fn missing(&self, evaluated: &Evaluated<'_>) -> String {
        let mut alternatives = Vec::new();
        for all_of in &self.open {
            alternatives.push(all_of.missing(evaluated).join(" and "));
        }
        for alternative in &self.owner_scoped {
            let mut missing = alternative.all_of.missing(evaluated);
            missing.extend(alternative.missing_values(evaluated));
            alternatives.push(missing.join(" and "));
        }
        alternatives.join(", or ")
    }
}

impl AllOf {
    fn missing(&self, evaluated: &Evaluated<'_>) -> Vec<String> {
        let mut missing = Vec::new();
        for wanted in &self.scopes {
            for (scope, number) in &evaluated.predicates.scopes {
                if number == wanted && !evaluated.scopes[*number] {
                    missing.push(scope.clone());
                }
            }
        }
        for number in &self.claims {
            if !evaluated.claims[*number] {
                missing.push(evaluated.predicates.claims[*number].to_string());
            }
        }
        if let Some(max_age) = self.missing_max_age(evaluated) {
            missing.push(match evaluated.sign_in {
                Some(sign_in) => {
                    let age = sign_in.age(evaluated.now).min(MAX_SHOWN_SECONDS);
                    format!("a sign-in at most {max_age} s ago: by `auth_time` it was {age:.0} s ago")
                }
                None => format!(
                    "a sign-in at most {max_age} s ago: the token has no `auth_time`, or one that is no past time"
                ),
            });
        }
        missing
    }
}

impl OwnerScoped {
    fn missing_values(&self, evaluated: &Evaluated<'_>) -> Vec<String> {
        let (mut missing, mut seen) = (Vec::new(), HashMap::new());
        for (variable, number) in &self.values {
            let claim = evaluated.claim(*number);
            match &evaluated.values[*number] {
                Err(because) => {
                    missing.push(format!("{variable} = {claim}: the token's `{claim}` {because}"));
                }
                Ok(value) => {
                    let (first, first_value) = *seen.entry(variable).or_insert((claim, value));
                    if value != first_value {
                        missing.push(format!(
                            "{variable} = {first} = {claim}: the token's `{first}` is not its `{claim}`"
                        ));
                    }
                }
            }
        }
        missing
    }
}

impl Evaluated<'_> {
    /// The claim that a value is from.
    fn claim(&self, number: usize) -> &str {
        self.predicates.values[number].text()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::access::routes::Routes;

    const NOW: Present = Present { now: 10_000.0, latest: 10_060.0 };

    fn states(table: &Value, claims: Value) -> Vec<String> {
        let rights = Rights {
            required: vec!["api".to_owned()],
            routes: Some(Routes::parse(table.as_object().unwrap(), true).unwrap().into()),
        };
        let claims = Claims::verified(claims);
        let report = rights.report(&[ClaimPath::parse("scope").unwrap()], &claims, NOW).unwrap();
        report.entries.iter().map(|entry| format!("{}: {}", entry.route, entry.state)).collect()
    }

    #[test]
    fn every_entry_says_what_it_is_and_what_is_missing() {
        let own = |claim: &str| json!({ "GET /users/{id}": { "any": ["users:read", { "path": { "id": claim } }] } });
        let of = |value: Value| json!({ "scope": "a", "sub": value });
        for (table, claims, expected) in [
            (json!({ "GET /a": [] }), of(json!("u")), "GET /a: open"),
            (json!({ "GET /a": ["a"] }), of(json!("u")), "GET /a: open"),
            (json!({ "GET /a": ["a", "b", "c"] }), of(json!("u")), "GET /a: closed: needs b and c"),
            (
                json!({ "GET /a": { "any": ["b", ["a", "c"]] } }),
                of(json!("u")),
                "GET /a: closed: needs b, or c",
            ),
            (
                json!({ "GET /a": ["b", { "claims": { "amr": ["mfa", "otp"] } }] }),
                of(json!("u")),
                "GET /a: closed: needs b and a claim `amr` that is \"mfa\" or \"otp\"",
            ),
            (own("sub"), of(json!("alice")), "GET /users/{id}: open for `sub` = alice"),
            (own("/sub"), of(json!(7)), "GET /users/{id}: open for `/sub` = 7"),
            (
                own("sub"),
                of(json!("auth0|123")),
                "GET /users/{id}: closed: needs users:read, or id = sub: the token's `sub` has a character that \
                 is not allowed in a path",
            ),
            (
                own("sub"),
                of(json!("..")),
                "needs users:read, or id = sub: the token's `sub` is `.` or `..`",
            ),
            (
                own("sub"),
                of(json!("")),
                "id = sub: the token's `sub` is empty or has more than 128 characters",
            ),
            (
                own("sub"),
                of(json!(7.0)),
                "id = sub: the token's `sub` is neither a string nor a whole number up to 2^53",
            ),
            (own("uid"), of(json!("u")), "id = uid: the token's `uid` is absent"),
            (
                json!({ "GET /{t}/{id}": { "path": { "id": "sub", "t": "tid" } } }),
                json!({ "sub": "u", "tid": "acme" }),
                "GET /{t}/{id}: open for `sub` = u and `tid` = acme",
            ),
            (
                json!({ "GET /{id}": [{ "path": { "id": "sub" } }, { "path": { "id": "uid" } }] }),
                json!({ "sub": "u", "uid": "v" }),
                "GET /{id}: closed: needs id = sub = uid: the token's `sub` is not its `uid`",
            ),
        ] {
            let states = states(&table, claims);
            assert!(states[0].ends_with(expected), "{states:?} is not {expected}");
        }
        let recent = json!({ "GET /a": [{ "max_age": 300 }] });
        let signed_in = |auth_time: Value| json!({ "scope": "a", "auth_time": auth_time });
        for (auth_time, expected) in [
            (
                json!(9_800),
                "open; from 1970-01-01T02:48:21Z on closed, because the sign-in is too old by then",
            ),
            (
                json!(9_000),
                "closed: needs a sign-in at most 300 s ago: by `auth_time` it was 1000 s ago",
            ),
            (
                json!(20_000),
                "closed: needs a sign-in at most 300 s ago: the token has no `auth_time`, or one that is no past time",
            ),
        ] {
            assert_eq!(states(&recent, signed_in(auth_time))[0], format!("GET /a: {expected}"));
        }
        let falls_back = json!({
            "GET /users/{id}": { "any": [{ "max_age": 300 }, { "path": { "id": "sub" } }] },
        });
        assert_eq!(
            states(&falls_back, json!({ "scope": "a", "sub": "u", "auth_time": 10_000 }))[0],
            "GET /users/{id}: open; from 1970-01-01T02:51:41Z on for fewer of the caller's own, because the sign-in \
             is too old by then"
        );
        let wider = json!({
            "ANY /t/{t}/{proxy+}": { "path": { "t": "tid" } },
            "GET /t/{t}/u/{id}": { "path": { "t": "tid", "id": "sub" } },
        });
        assert_eq!(
            states(&wider, json!({ "scope": "a", "sub": "u", "tid": "acme" }))[1],
            "GET /t/{t}/u/{id}: closed: would be open for `sub` = u and `tid` = acme, but `ANY /t/{t}/{proxy+}` \
             opens its requests for other owners too"
        );
        let table = json!({
            "GET /users/{id}/posts": { "any": ["admin", { "path": { "id": "sub" } }] },
            "GET /users/{id}": ["a"],
        });
        assert_eq!(
            states(&table, of(json!("u"))),
            [
                "GET /users/{id}: open",
                "GET /users/{id}/posts: closed: would be open for `sub` = u, but overlaps `GET /users/{id}`, \
                 which is open",
            ]
        );
    }

    #[test]
    fn an_entry_or_the_guard_decides_a_request() {
        let table = json!({
            "ANY /*": [],
            "ANY /admin/{proxy+}": ["admin"],
            "GET /admin/help": [],
            "$connect": [],
        });
        let users = json!({ "GET /users/{id}": { "path": { "id": "sub" } }, "GET /users/me": [] });
        for (table, request, expected) in [
            (&table, "GET/pets", DecidedBy::Open("ANY /*")),
            (&table, "GET/admin/users", DecidedBy::Closed("ANY /admin/{proxy+}")),
            (&table, "GET/admin/help", DecidedBy::Closed("ANY /admin/{proxy+}")),
            (&table, "GET/pets//1", DecidedBy::Guard),
            (&table, "GET/admin/..", DecidedBy::Guard),
            (&table, "$connect", DecidedBy::Open("$connect")),
            (&table, "TRACE/pets", DecidedBy::NoEntry),
            (&users, "GET/users/alice", DecidedBy::Open("GET /users/{id}")),
            (&users, "GET/users/me", DecidedBy::Open("GET /users/me")),
            (&users, "GET/users/bob", DecidedBy::OtherOwner("GET /users/{id}")),
            (&users, "GET/users/alice/posts", DecidedBy::OtherOwner("GET /users/{id}")),
            (&users, "GET/users", DecidedBy::NoEntry),
        ] {
            let routes = Routes::parse(table.as_object().unwrap(), true).unwrap();
            let rights = Rights { required: Vec::new(), routes: Some(routes.into()) };
            let claims = Claims::verified(json!({ "sub": "alice" }));
            let report = rights.report(&[], &claims, NOW).unwrap();
            assert_eq!(report.decided_by(request), expected, "{request}");
        }
    }

    #[test]
    fn a_missing_required_scope_is_reported() {
        let rights = |routes| Rights { required: vec!["api".to_owned(), "b".to_owned()], routes };
        let claims = Claims::verified(json!({ "scope": "api" }));
        let scope = [ClaimPath::parse("scope").unwrap()];
        let table = json!({ "GET /": [] });
        let routes = Routes::parse(table.as_object().unwrap(), false).unwrap();
        assert_eq!(
            rights(Some(routes.into())).report(&scope, &claims, NOW).unwrap().missing_scope,
            Some("b")
        );
        assert!(rights(None).report(&scope, &claims, NOW).is_none());
    }
}
