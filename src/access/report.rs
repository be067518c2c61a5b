//! What a table of routes says about one token, as data, for those who ask why.

use std::fmt;

use crate::access::rights::{Decided, DecidedBy, Rights, RouteState, scopes};
use crate::access::rule::{Lacking, NoValue, OwnValue};
use crate::jose::token::{ClaimPath, Claims};

/// What a table says about a token.
#[derive(Debug)]
pub struct TableReport<'r> {
    /// A scope of `REQUIRED_SCOPES` that the token lacks. Then no entry counts.
    pub missing_scope: Option<&'r str>,
    /// Every entry, in the order in which they are written in a policy.
    pub entries: Vec<EntryReport<'r>>,
    decided: Decided<'r>,
}

/// What an entry is for a token, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryReport<'r> {
    /// The entry's name: `GET /users/{id}`.
    pub route: &'r str,
    /// What it is.
    pub state: EntryState<'r>,
}

/// What an entry is for a token. Displayed, it is a sentence without its subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryState<'r> {
    /// Open.
    Open,
    /// Open for the caller's own: all values of one of these ways.
    Own(Vec<Vec<OwnValue>>),
    /// It would be open for the caller's own, but another entry allows some of the same requests to all callers.
    ClosedBeside {
        /// What it would be open for.
        own: Vec<Vec<OwnValue>>,
        /// The other entry's name.
        other: &'r str,
    },
    /// Closed. For each way, what the token lacks: to have all of one way would open it.
    Closed(Vec<Vec<Lacking>>),
}

impl TableReport<'_> {
    /// What decides a request, given as it stands in an ARN after the stage: `GET/pets/1`.
    #[must_use]
    pub fn decided_by(&self, request: &str) -> DecidedBy<'_> {
        self.decided.by(request)
    }
}

impl Rights {
    /// What the table says about a token, if there is a table.
    pub(crate) fn report(
        &self,
        scope_claims: &[ClaimPath],
        claims: &Claims,
    ) -> Option<TableReport<'_>> {
        let routes = self.routes.as_ref()?;
        let held = scopes(scope_claims, claims);
        let facts = routes.terms.facts(&held, claims);
        let decided = routes.decide(&facts);
        let entries = decided.entries.iter().zip(&decided.states).map(|(entry, state)| {
            let own = || entry.rule.own_values(&facts, &routes.terms);
            let state = match state {
                RouteState::Open => EntryState::Open,
                RouteState::Own => EntryState::Own(own()),
                RouteState::Closed => match routes.closing(entry, &facts) {
                    Some(other) => EntryState::ClosedBeside { own: own(), other: &other.route },
                    None => EntryState::Closed(entry.rule.lacking(&facts, &routes.terms)),
                },
            };
            EntryReport { route: &entry.route, state }
        });
        Some(TableReport {
            missing_scope: self.missing(&held),
            entries: entries.collect(),
            decided,
        })
    }
}

impl fmt::Display for EntryState<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::Own(own) => write!(f, "open for {}", ways(own)),
            Self::ClosedBeside { own, other } => write!(
                f,
                "closed: would be open for {}, but `{other}` is open, and matches some of the same requests",
                ways(own)
            ),
            Self::Closed(lacking) => write!(f, "closed: needs {}", ways(lacking)),
        }
    }
}

fn ways(ways: &[Vec<impl fmt::Display>]) -> String {
    let all = |way: &Vec<_>| way.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    ways.iter().map(all).collect::<Vec<_>>().join(", or ")
}

impl fmt::Display for OwnValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` = {}", self.claim, self.value)
    }
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope(scope) => f.write_str(scope),
            Self::Claim(wanted) => f.write_str(wanted),
            Self::SameValue { variable, claims: [one, other] } => {
                write!(f, "{variable} = {one} = {other}: the token's `{one}` is not its `{other}`")
            }
            Self::Value { variable, claim, because } => {
                write!(f, "{variable} = {claim}: ")?;
                match because {
                    NoValue::Absent => write!(f, "the token has no `{claim}`"),
                    NoValue::Type => write!(
                        f,
                        "the token's `{claim}` is neither text nor a whole number up to 2^53"
                    ),
                    NoValue::Length => {
                        write!(f, "the token's `{claim}` is empty or has more than 128 characters")
                    }
                    NoValue::Character => {
                        write!(
                            f,
                            "the token's `{claim}` has a character that cannot stand in a path"
                        )
                    }
                    NoValue::Dots => write!(f, "the token's `{claim}` is `.` or `..`"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::access::rights::Routes;

    fn told(table: &Value, claims: Value) -> Vec<String> {
        let rights = Rights {
            required: vec!["api".to_owned()],
            routes: Some(Routes::parse(table.as_object().unwrap(), true).unwrap().into()),
        };
        let claims = Claims::verified(claims);
        let report = rights.report(&[ClaimPath::parse("scope").unwrap()], &claims).unwrap();
        report.entries.iter().map(|entry| format!("{}: {}", entry.route, entry.state)).collect()
    }

    #[test]
    fn every_entry_tells_what_it_is_and_what_is_lacking() {
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
                 cannot stand in a path",
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
                "id = sub: the token's `sub` is neither text nor a whole number up to 2^53",
            ),
            (own("uid"), of(json!("u")), "id = uid: the token has no `uid`"),
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
            let told = told(&table, claims);
            assert!(told[0].ends_with(expected), "{told:?} is not {expected}");
        }
        let table = json!({
            "GET /users/{id}/posts": { "any": ["admin", { "path": { "id": "sub" } }] },
            "GET /users/{id}": ["a"],
        });
        assert_eq!(
            told(&table, of(json!("u"))),
            [
                "GET /users/{id}: open",
                "GET /users/{id}/posts: closed: would be open for `sub` = u, but `GET /users/{id}` is open, and \
                 matches some of the same requests",
            ]
        );
    }

    #[test]
    fn a_request_is_decided_by_an_entry_or_by_the_guard() {
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
            (&users, "GET/users/bob", DecidedBy::Another("GET /users/{id}")),
            (&users, "GET/users/alice/posts", DecidedBy::Another("GET /users/{id}")),
            (&users, "GET/users", DecidedBy::NoEntry),
        ] {
            let routes = Routes::parse(table.as_object().unwrap(), true).unwrap();
            let rights = Rights { required: Vec::new(), routes: Some(routes.into()) };
            let claims = Claims::verified(json!({ "sub": "alice" }));
            let report = rights.report(&[], &claims).unwrap();
            assert_eq!(report.decided_by(request), expected, "{request}");
        }
    }

    #[test]
    fn a_required_scope_that_is_missing_is_told() {
        let rights = |routes| Rights { required: vec!["api".to_owned(), "b".to_owned()], routes };
        let claims = Claims::verified(json!({ "scope": "api" }));
        let scope = [ClaimPath::parse("scope").unwrap()];
        let table = json!({ "GET /": [] });
        let routes = Routes::parse(table.as_object().unwrap(), false).unwrap();
        assert_eq!(
            rights(Some(routes.into())).report(&scope, &claims).unwrap().missing_scope,
            Some("b")
        );
        assert!(rights(None).report(&scope, &claims).is_none());
    }
}
