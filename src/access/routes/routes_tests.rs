//! Tables as they are written, and what their entries allow and deny.

use serde_json::json;

use super::*;
use crate::access::rights::scopes;
use crate::jose::token::ClaimPath;

fn parse(table: &Value) -> Result<Routes, Vec<String>> {
    Routes::parse(table.as_object().unwrap(), false)
}

fn guarded(table: &Value) -> Result<Routes, Vec<String>> {
    Routes::parse(table.as_object().unwrap(), true)
}

/// What is allowed and what is denied to a token, guard aside.
fn policy(table: &Value, claims: Value) -> (Vec<String>, Vec<String>) {
    let routes = guarded(table).unwrap();
    let claims = Claims::verified(claims);
    let held = scopes(&[ClaimPath::parse("scope").unwrap()], &claims);
    let states = routes.decide(&routes.evaluate(&held, &claims, Present::at(0.0)));
    let entries = || 0..states.entries.len();
    (
        entries().flat_map(|index| states.allowed(index).to_vec()).collect(),
        entries().flat_map(|index| states.denied(index).to_vec()).collect(),
    )
}

fn own() -> Value {
    json!({ "path": { "id": "sub" } })
}

fn patterns_of(route: &str) -> Vec<String> {
    parse(&json!({ route: [] })).unwrap().entries[0].allowed.clone()
}

#[test]
fn a_route_becomes_the_end_of_an_arn() {
    for (route, expected) in [
        ("GET /", "GET/"),
        ("GET /pets", "GET/pets"),
        ("GET /pets/", "GET/pets/"),
        ("POST /pets/{petId}/toys", "POST/pets/*/toys"),
        ("PUT /{proxy+}", "PUT/*"),
        ("PATCH /v1/*", "PATCH/v1/*"),
        ("HEAD /a{b}c*d", "HEAD/a*c*d"),
        ("DELETE /-._~!$&'()+,;=:@%20", "DELETE/-._~!$&'()+,;=:@%20"),
        ("OPTIONS /a//b", "OPTIONS/a//b"),
    ] {
        assert_eq!(patterns_of(route), [expected], "{route}");
    }
    assert_eq!(patterns_of("$connect"), [""; 0], "no policy names a connection");
    for route in ["ANY /*", "ANY /{proxy+}"] {
        assert_eq!(patterns_of(route), VERBS.map(|verb| format!("{verb}/*")), "{route}");
    }
    let any = patterns_of("ANY /pets/*");
    assert_eq!(any, VERBS.map(|verb| format!("{verb}/pets/*")));
    assert!(
        any.iter().all(|pattern| !pattern.starts_with('*')),
        "a `*` for a verb would match into paths"
    );
}

#[test]
fn a_bad_route_is_named_with_what_is_wrong() {
    const NO_PATH: &str = "must be a verb, one space and a path, for example `GET /pets`";
    const VERB: &str = "the verb must be ANY, DELETE, GET, HEAD, OPTIONS, PATCH, POST or PUT";
    const SLASH: &str = "the path must begin with `/`";
    const CHARACTER: &str = "the path has a character that is not allowed in a route";
    const VARIABLE: &str = "`{` must begin a path variable, for example `{petId}` or `{proxy+}`";
    for (route, expected) in [
        ("", NO_PATH),
        ("GET", NO_PATH),
        ("/pets", NO_PATH),
        ("GET/pets", NO_PATH),
        ("$default", NO_PATH),
        ("$disconnect", NO_PATH),
        ("$connect ", SLASH),
        ("GET pets", SLASH),
        ("GET ", SLASH),
        ("GET  /pets", SLASH),
        (" GET /pets", SLASH),
        ("GET https://example.com/pets", SLASH),
        (" /pets", VERB),
        ("get /pets", VERB),
        ("Any /pets", VERB),
        ("* /pets", VERB),
        ("TRACE /pets", VERB),
        ("CONNECT /pets", VERB),
        ("GET, /pets", VERB),
        ("GET /pets?all=1", CHARACTER),
        ("GET /pets#all", CHARACTER),
        ("GET /pets/a b", CHARACTER),
        ("GET /pets ", CHARACTER),
        ("GET /pets/}", CHARACTER),
        ("GET /p\u{e4}ts", CHARACTER),
        ("GET /pets\\", CHARACTER),
        ("GET /\"pets\"", CHARACTER),
        ("GET /<pets>", CHARACTER),
        ("GET /pets\n", CHARACTER),
        ("GET /[pets]", CHARACTER),
        ("GET /a|b", CHARACTER),
        ("GET /{pet", "`{` without `}`"),
        ("GET /{}", VARIABLE),
        ("GET /{+}", VARIABLE),
        ("GET /{pet id}", VARIABLE),
        ("GET /{a/b}", VARIABLE),
        ("GET /{a{b}}", VARIABLE),
        ("GET /{proxy++}", VARIABLE),
        ("GET /{*}", VARIABLE),
        ("GET /${aws:username}", "`${` is not allowed in a route"),
        ("GET /a${b}", "`${` is not allowed in a route"),
        ("GET /$${", "`${` is not allowed in a route"),
    ] {
        assert_eq!(
            parse(&json!({ route: [] })).unwrap_err(),
            [format!("entry `{route}`: {expected}")]
        );
    }
}

#[test]
fn a_table_has_entries_and_each_once() {
    let problems = parse(&json!({})).unwrap_err();
    assert_eq!(
        problems,
        [r#"is empty: name at least one route, for example {"GET /pets": ["pets:read"]}"#]
    );
    for (a, b) in [
        ("GET /pets/{id}", "GET /pets/{petId}"),
        ("GET /pets/*", "GET /pets/{id}"),
        ("GET /{id}", "GET /{proxy+}"),
        ("ANY /*", "ANY /{proxy+}"),
        ("ANY /pets/{a}", "ANY /pets/{b}"),
        ("GET /pets/{a}{b}", "GET /pets/{c}*"),
        ("ANY /**", "ANY /{proxy+}"),
    ] {
        let problems = parse(&json!({ a: [], b: ["x"] })).unwrap_err();
        assert_eq!(problems, [format!("entry `{b}`: another entry matches the same requests")]);
    }
    for (a, b) in
        [("GET /pets", "PUT /pets"), ("GET /pets", "GET /pets/"), ("ANY /pets", "GET /pets")]
    {
        assert!(parse(&json!({ a: [], b: ["x"] })).is_ok(), "{a}, {b}");
    }
}

#[test]
fn every_bad_entry_is_reported_at_once() {
    let problems =
        parse(&json!({ "GET": [], "GET /": 1, "GET /ok": [], "get /": [] })).unwrap_err();
    let entries: Vec<_> =
        problems.iter().map(|problem| problem.split(':').next().unwrap()).collect();
    assert_eq!(entries, ["entry `GET`", "entry `GET /`", "entry `get /`"]);
}

#[test]
fn entries_have_their_names_in_the_table() {
    let routes = guarded(&json!({ "ANY /*": ["a"], "GET /x": [], "$connect": [] })).unwrap();
    let mut names: Vec<_> = routes.names().collect();
    names.sort_unstable();
    assert_eq!(names, ["$connect", "ANY /*", "GET /x"]);
}

#[test]
fn an_open_entry_outside_an_owner_scoped_one_closes_it() {
    let alice = |scope: &str| json!({ "sub": "alice", "scope": scope });
    let any = |scope: &str| json!({ "any": [scope, own()] });
    // The open one is wider: closed, in all verbs.
    let table = json!({ "ANY /users/{id}/posts": any("admin"), "GET /users/{id}": ["read"] });
    let (allowed, denied) = policy(&table, alice("read"));
    assert_eq!(allowed, ["GET/users/*"]);
    assert_eq!(denied, VERBS.map(|verb| format!("{verb}/users/*/posts")));
    let (allowed, denied) = policy(&table, alice(""));
    assert_eq!(allowed, VERBS.map(|verb| format!("{verb}/users/alice/posts")));
    assert_eq!(denied, ["GET/users/*"]);
    let (allowed, denied) = policy(&table, alice("admin read"));
    assert_eq!((allowed.len(), denied.len()), (8, 0));

    // The open one lies inside: both are open.
    let table = json!({ "GET /users/{id}": own(), "ANY /users/me": ["me"] });
    let (allowed, denied) = policy(&table, alice("me"));
    assert!(
        allowed.contains(&"GET/users/me".to_owned())
            && allowed.contains(&"GET/users/alice".to_owned())
    );
    assert!(denied.is_empty());
    let table = json!({ "ANY /users/{id}": own(), "GET /users/{id}": ["read"] });
    let (allowed, denied) = policy(&table, alice("read"));
    assert!(
        allowed.contains(&"GET/users/*".to_owned())
            && allowed.contains(&"PUT/users/alice".to_owned())
    );
    assert!(denied.is_empty());
    // And not the other way round.
    let table = json!({ "GET /users/{id}": own(), "ANY /users/{x}": ["read"] });
    let (allowed, denied) = policy(&table, alice("read"));
    assert_eq!((allowed.len(), denied), (7, vec!["GET/users/*".to_owned()]));

    // Other verbs, another path, and what is itself open for the caller's own, do not count.
    for other in ["POST /users/*", "GET /pets/*"] {
        let table = json!({ "GET /users/{id}": own(), other: ["read"] });
        assert!(policy(&table, alice("read")).0.contains(&"GET/users/alice".to_owned()), "{other}");
    }
    let table = json!({ "GET /users/{id}/posts": own(), "GET /{x}/{id}/{y}": own() });
    assert_eq!(policy(&table, alice("")).0.len(), 2);

    // Closed, everything is refused to every verb.
    let table = json!({ "ANY /{id}": own(), "GET /{a}/b": ["read"], "PUT /{x}": ["put"] });
    assert_eq!(policy(&table, alice("read put")).1, [""; 0], "both lie inside");
    let table = json!({ "ANY /{id}": own(), "GET /a": ["read"] });
    assert_eq!(policy(&table, json!({ "scope": "read" })).1, ["*"]);
}

#[test]
fn a_route_that_the_guard_always_refuses_is_an_error() {
    for route in [
        "GET /a//b",
        "GET /../{x}",
        "GET /a/./b",
        "GET /{x}/..",
        "GET /a%2Fb",
        "ANY /%5C*",
        "GET //",
    ] {
        let table = json!({ route: [], "GET /ok": [] });
        let expected = format!("entry `{route}`: PATH_GUARD refuses all its requests");
        assert_eq!(guarded(&table).unwrap_err(), [expected], "{route}");
        assert!(Routes::parse(table.as_object().unwrap(), false).is_ok(), "{route}");
    }
    for route in
        ["GET /a/", "GET /", "GET /{a}.{b}", "GET /.well-known/{x}", "GET /*", "GET /a%20b"]
    {
        assert!(guarded(&json!({ route: [] })).is_ok(), "{route}");
    }
}

#[test]
fn a_table_too_large_for_any_policy_is_not_analysed() {
    let entry = |n: usize| (format!("GET /{n:0>999}"), json!([]));
    let table: Map<_, _> = (0..17).map(entry).collect();
    let problems = Routes::parse(&table, true).unwrap_err();
    assert!(
        problems.last().unwrap().starts_with("its resources alone take 17051 bytes"),
        "{problems:?}"
    );
    for (rest, is_taken) in [(332, true), (333, false)] {
        let mut table: Map<_, _> = (0..16).map(entry).collect();
        table.insert(format!("GET /{}", "x".repeat(rest)), json!([]));
        assert_eq!(Routes::parse(&table, true).is_ok(), is_taken, "{}", 16 * 999 + rest);
    }
}
