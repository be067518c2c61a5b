//! The rights that an issuer's tokens need: scopes, and access by route.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use crate::access::claims::Present;
use crate::access::routes::{DecidedBy, RouteStates, Routes};
use crate::denial::MissingRights;
use crate::jose::token::{ClaimPath, Claims};

/// What a policy by routes is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PolicyScope {
    /// Every request of the stage: it can be cached for the token.
    Stage,
    /// The request of the event: it holds only the entries that decide it, so a table can be larger than a policy.
    Request,
}

/// What an answer is for. A request is given as its ARN has it after the stage.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AnswerScope<'e> {
    /// Every request of the stage: a policy with the whole table.
    Stage,
    /// This request: a policy with the entries that decide it.
    Request(&'e str),
    /// This request: yes or no, for a connection or a simple response.
    Single(&'e str),
}

/// The rights that the tokens of an issuer need. Issuers without a table of their own share one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rights {
    /// Scopes that every caller needs.
    pub(crate) required: Vec<String>,
    /// Without a table every route of the stage is open.
    pub(crate) routes: Option<Arc<Routes>>,
}

/// Which routes a token opens.
#[derive(Debug)]
pub(crate) enum Access<'r> {
    /// Every route of the stage.
    Stage,
    /// Those that the entries of the table open.
    Routes(RouteStates<'r>),
}

impl Rights {
    /// What the scopes and claims open.
    pub(crate) fn access(
        &self,
        scope_claims: &[ClaimPath],
        claims: &Claims,
        present: Present,
        scope: AnswerScope<'_>,
    ) -> Result<Access<'_>, MissingRights> {
        if self.required.is_empty() && self.routes.is_none() {
            return Ok(Access::Stage);
        }
        let held = scopes(scope_claims, claims);
        if let Some(scope) = self.missing_scope(&held) {
            let (missing, required) = (scope.to_owned(), self.required.clone());
            return Err(MissingRights::Scope { missing, required });
        }
        let Some(routes) = &self.routes else { return Ok(Access::Stage) };
        let evaluated = routes.evaluate(&held, claims, present);
        let (lacks, step_up) = match scope {
            AnswerScope::Single(request) => match routes.decide(&evaluated).decided_by(request) {
                DecidedBy::Open(_) => return Ok(Access::Stage),
                DecidedBy::Guard => return Err(MissingRights::Guard),
                DecidedBy::Closed(_) | DecidedBy::OtherOwner(_) | DecidedBy::NoEntry => {
                    (MissingRights::Route, routes.step_up_for(request, &evaluated))
                }
            },
            AnswerScope::Request(request) => {
                let states = routes.decide_over_time(&evaluated);
                let lacks = if states.is_any_open() {
                    MissingRights::Route
                } else {
                    MissingRights::NoRoute
                };
                let states = states.for_request(request);
                if states.is_any_open() {
                    return Ok(Access::Routes(states));
                }
                (lacks, routes.step_up_for(request, &evaluated))
            }
            AnswerScope::Stage => {
                let states = routes.decide_over_time(&evaluated);
                let step_up = routes.step_up(&states, &evaluated);
                if states.is_any_open() {
                    return Ok(Access::Routes(RouteStates { step_up, ..states }));
                }
                (MissingRights::NoRoute, step_up)
            }
        };
        Err(step_up.map_or(lacks, MissingRights::SignIn))
    }

    /// The first required scope that is not held.
    pub(crate) fn missing_scope(&self, held: &HashSet<&str>) -> Option<&str> {
        let scope = self.required.iter().find(|scope| !held.contains(scope.as_str()))?;
        Some(scope)
    }
}

/// All scopes in these claims: a string holds them separated by spaces (RFC 6749 section 3.3), an element of an
/// array is one whole scope. A claim of another type gives none.
pub(crate) fn scopes<'c>(paths: &[ClaimPath], claims: &'c Claims) -> HashSet<&'c str> {
    let mut held = HashSet::new();
    for path in paths {
        match claims.get(path) {
            Some(Value::String(list)) => {
                held.extend(list.split(' ').filter(|scope| !scope.is_empty()));
            }
            Some(Value::Array(elements)) => {
                held.extend(elements.iter().filter_map(Value::as_str));
            }
            _ => {}
        }
    }
    held
}

/// Whether this can be a scope (RFC 6749 section 3.3, `scope-token`). A challenge has scopes between quotes.
pub(crate) fn is_scope(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::access::routes::RouteState;

    fn held(paths: &[&str], claims: Value) -> Vec<String> {
        let paths: Vec<_> = paths.iter().map(|path| ClaimPath::parse(path).unwrap()).collect();
        let claims = Claims::verified(claims);
        let mut held: Vec<_> = scopes(&paths, &claims).into_iter().map(str::to_owned).collect();
        held.sort_unstable();
        held
    }

    /// What `scope` opens: the routes of the table in their order, or why nothing.
    fn access(
        rights: &Rights,
        scope: &str,
        single_request: Option<&str>,
    ) -> Result<Option<Vec<bool>>, String> {
        let claims = Claims::verified(json!({ "scope": scope }));
        let access = rights
            .access(
                &[ClaimPath::Member("scope".to_owned())],
                &claims,
                Present::at(0.0),
                scope_of(single_request),
            )
            .map_err(|lacks| lacks.to_string())?;
        match access {
            Access::Stage => Ok(None),
            Access::Routes(decided) => Ok(Some(
                decided.states.into_iter().map(|state| state == RouteState::Open).collect(),
            )),
        }
    }

    fn scope_of(single_request: Option<&str>) -> AnswerScope<'_> {
        match single_request {
            Some(request) => AnswerScope::Single(request),
            None => AnswerScope::Stage,
        }
    }

    fn rights(required: &[&str], table: Value) -> Rights {
        let required = required.iter().map(ToString::to_string).collect();
        Rights {
            required,
            routes: table
                .is_object()
                .then(|| Routes::parse(table.as_object().unwrap(), false).unwrap().into()),
        }
    }

    fn refused(because: &str) -> Result<Option<Vec<bool>>, String> {
        Err(because.to_owned())
    }

    #[test]
    fn scopes_come_from_strings_and_arrays() {
        let none: [&str; 0] = [];
        assert_eq!(held(&["scope"], json!({ "scope": "a b  c " })), ["a", "b", "c"]);
        assert_eq!(held(&["scp"], json!({ "scp": ["a", "b c", "a"] })), ["a", "b c"]);
        assert_eq!(
            held(&["scope", "scp"], json!({ "scope": "a b", "scp": ["b", "c"] })),
            ["a", "b", "c"]
        );
        assert_eq!(
            held(&["/realm_access/roles"], json!({ "realm_access": { "roles": ["admin"] } })),
            ["admin"]
        );
        assert_eq!(
            held(&["https://example.com/roles"], json!({ "https://example.com/roles": ["r"] })),
            ["r"]
        );
        assert_eq!(held(&["scope"], json!({ "scope": ["a", 1, null, ["b"], { "c": 1 }] })), ["a"]);
        assert_eq!(held(&["scope"], json!({ "scope": "a\tb,c" })), ["a\tb,c"]);
        for value in [
            json!(null),
            json!(1),
            json!(true),
            json!({ "a": true }),
            json!(""),
            json!(" "),
            json!([]),
        ] {
            assert_eq!(held(&["scope"], json!({ "scope": value })), none, "{value}");
        }
        assert_eq!(held(&["scope"], json!({ "Scope": "a", "scp": "b" })), none);
    }

    #[test]
    fn without_scopes_and_table_the_stage_is_open() {
        let rights = rights(&[], json!(null));
        for single_request in [None, Some("GET/pets"), Some("$connect")] {
            assert_eq!(access(&rights, "", single_request), Ok(None));
        }
    }

    #[test]
    fn required_scopes_are_all_needed() {
        let only_scopes = rights(&["a", "b"], json!(null));
        assert_eq!(access(&only_scopes, "b c a", None), Ok(None));
        assert_eq!(access(&only_scopes, "b", None), refused("scope `a`"));
        assert_eq!(access(&only_scopes, "a ab", None), refused("scope `b`"));
        assert_eq!(access(&only_scopes, "A B", None), refused("scope `a`"));
        assert_eq!(access(&only_scopes, "", Some("$connect")), refused("scope `a`"));

        let both = rights(&["a"], json!({ "GET /": [], "GET /x": ["x"] }));
        assert_eq!(access(&both, "x", None), refused("scope `a`"));
        assert_eq!(access(&both, "x", Some("GET/x")), refused("scope `a`"));
        assert_eq!(access(&both, "a", None), Ok(Some(vec![true, false])));
        assert_eq!(access(&both, "a x", None), Ok(Some(vec![true, true])));
    }

    #[test]
    fn a_scope_is_printable_ascii_without_quote_and_backslash() {
        for (text, is_scope) in [
            ("pets:read", true),
            ("!#[]~", true),
            ("", false),
            ("a b", false),
            ("a\"", false),
            ("a\\", false),
            ("a\u{7f}", false),
            ("p\u{e4}ts", false),
        ] {
            assert_eq!(super::is_scope(text), is_scope, "{text}");
        }
    }

    #[test]
    fn a_refusal_has_all_required_scopes_if_one_is_missing() {
        let rights = rights(&["b", "a"], json!({ "GET /x": ["x"] }));
        let required = rights.required.clone();
        for (scope, missing) in [("", Some("b")), ("b", Some("a")), ("a b", None), ("a b x", None)]
        {
            let claims = Claims::verified(json!({ "scope": scope }));
            let paths = [ClaimPath::Member("scope".to_owned())];
            let outcome = rights.access(&paths, &claims, Present::at(0.0), AnswerScope::Stage);
            let found = match outcome {
                Err(MissingRights::Scope { missing, required: all }) => {
                    assert_eq!(all, required);
                    Some(missing)
                }
                _ => None,
            };
            assert_eq!(found.as_deref(), missing, "{scope}");
        }
    }

    #[test]
    fn an_entry_is_open_to_tokens_with_all_its_scopes() {
        let rights = rights(&[], json!({ "GET /a": ["r"], "GET /b": ["r", "w"], "GET /c": ["w"] }));
        assert_eq!(access(&rights, "r", None), Ok(Some(vec![true, false, false])));
        assert_eq!(access(&rights, "w r", None), Ok(Some(vec![true, true, true])));
        assert_eq!(
            access(&rights, "x", None),
            refused("no route of the table is open to the token")
        );
    }

    #[test]
    fn a_request_passes_if_no_matching_entry_is_closed() {
        const CLOSED: &str = "the route is not open to the token";
        let rights = rights(
            &[],
            json!({ "ANY /*": [], "ANY /admin/*": ["admin"], "DELETE /{proxy+}": ["w"] }),
        );
        for (scope, request, is_open) in [
            ("", "GET/pets", true),
            ("", "GET/", true),
            ("", "GET/admin", true),
            ("", "GET/admin/", false),
            ("", "GET/admin/x", false),
            ("admin", "GET/admin/x", true),
            ("admin", "DELETE/admin/x", false),
            ("admin w", "DELETE/admin/x", true),
            ("w", "DELETE/admin/x", false),
            ("w", "DELETE/", true),
            ("admin", "PROPFIND/admin/x", false),
            ("w", "TRACE/", false),
        ] {
            let expected = if is_open { Ok(None) } else { refused(CLOSED) };
            assert_eq!(access(&rights, scope, Some(request)), expected, "{scope} {request}");
        }
    }

    #[test]
    fn an_entry_for_everything_closes_every_verb() {
        let rights = rights(&[], json!({ "ANY /*": ["all"], "GET /pets": [] }));
        for (scope, request, is_open) in [
            ("all", "GET/pets", true),
            ("all", "PROPFIND/pets", false),
            ("", "GET/pets", false),
            ("", "PROPFIND/pets", false),
        ] {
            let expected =
                if is_open { Ok(None) } else { refused("the route is not open to the token") };
            assert_eq!(access(&rights, scope, Some(request)), expected, "{scope} {request}");
        }
    }

    #[test]
    fn only_its_own_entry_opens_a_connection() {
        const CLOSED: &str = "the route is not open to the token";
        let wide = rights(&[], json!({ "ANY /*": [], "GET /$connect": [] }));
        assert_eq!(access(&wide, "", Some("$connect")), refused(CLOSED));
        assert_eq!(access(&wide, "", Some("GET/$connect")), Ok(None));

        let named = rights(&[], json!({ "ANY /*": ["x"], "$connect": ["chat"] }));
        assert_eq!(access(&named, "chat", Some("$connect")), Ok(None));
        assert_eq!(access(&named, "x", Some("$connect")), refused(CLOSED));
        assert_eq!(access(&named, "chat", Some("GET/$connect")), refused(CLOSED));
    }

    #[test]
    fn an_open_connection_opens_no_request() {
        const NOTHING: &str = "no route of the table is open to the token";
        for table in [json!({ "$connect": [] }), json!({ "$connect": [], "GET /pets": ["x"] })] {
            let rights = rights(&[], table);
            assert_eq!(access(&rights, "", None), refused(NOTHING));
            assert_eq!(access(&rights, "", Some("$connect")), Ok(None));
        }
    }

    #[test]
    fn the_guard_refuses_a_single_request() {
        let rights = |guard| Rights {
            required: Vec::new(),
            routes: Some(
                Routes::parse(json!({ "ANY /*": [], "$connect": [] }).as_object().unwrap(), guard)
                    .unwrap()
                    .into(),
            ),
        };
        let claims = Claims::verified(json!({}));
        for (request, is_refused) in [
            ("GET/a//b", true),
            ("GET/a/..", true),
            ("GET/%2E", true),
            ("GET/a/", false),
            ("$connect", false),
        ] {
            let refused = MissingRights::Guard;
            let guarded = rights(true);
            let scope = AnswerScope::Single(request);
            let outcome = guarded.access(&[], &claims, Present::at(0.0), scope).map(|_| ());
            assert_eq!(outcome, if is_refused { Err(refused) } else { Ok(()) }, "{request}");
            assert!(
                rights(false).access(&[], &claims, Present::at(0.0), scope).is_ok(),
                "{request}"
            );
        }
    }
}
