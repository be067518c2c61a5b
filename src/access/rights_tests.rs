//! Tables whose entries are open for the caller's own, and entries beside each other.

use serde_json::json;

use super::*;

fn parse(table: &Value) -> Result<Routes, Vec<String>> {
    Routes::parse(table.as_object().unwrap(), true)
}

/// What is allowed and what is denied to a token, guard aside.
fn policy(table: &Value, claims: Value) -> (Vec<String>, Vec<String>) {
    let routes = parse(table).unwrap();
    let claims = Claims::verified(claims);
    let held = scopes(&[ClaimPath::parse("scope").unwrap()], &claims);
    let decided = routes.decide(&routes.terms.facts(&held, &claims));
    let entries = || 0..decided.entries.len();
    (
        entries().flat_map(|index| decided.allowed(index).to_vec()).collect(),
        entries().flat_map(|index| decided.denied(index).to_vec()).collect(),
    )
}

fn own() -> Value {
    json!({ "path": { "id": "sub" } })
}

#[test]
fn entries_have_the_names_that_the_table_gives_them() {
    let routes = parse(&json!({ "ANY /*": ["a"], "GET /x": [], "$connect": [] })).unwrap();
    let mut names: Vec<_> = routes.names().collect();
    names.sort_unstable();
    assert_eq!(names, ["$connect", "ANY /*", "GET /x"]);
}

#[test]
fn an_entry_lies_inside_another() {
    let mut terms = Terms::default();
    let mut entry = |route| Entry::parse(route, &json!([]), &mut terms).unwrap();
    for (inner, outer, expected) in [
        ("GET /users/me", "GET /users/{id}", true),
        ("ANY /users/me", "GET /users/{id}", true),
        ("GET /users/{id}", "ANY /users/{id}", true),
        ("ANY /users/{id}", "GET /users/{id}", false),
        ("GET /users/{id}/posts", "GET /users/{id}", true),
        ("GET /users/{id}", "GET /users/{id}/posts", false),
        ("GET /users/{id}", "GET /users/{name}", false),
        ("GET /users/*", "GET /{x}/{id}", true),
        ("GET /*", "GET /users/{id}", false),
        ("ANY /*", "ANY /users/{id}", false),
        ("GET /{a}/x", "GET /users/{id}", false),
    ] {
        let (inner_entry, outer_entry) = (entry(inner), entry(outer));
        assert!(
            inner_entry.overlaps(&outer_entry) && outer_entry.overlaps(&inner_entry),
            "{inner} {outer}"
        );
        assert_eq!(inner_entry.lies_inside(&outer_entry), expected, "{inner} in {outer}");
    }
    for (a, b) in [
        ("GET /users/{id}", "POST /users/{id}"),
        ("GET /users/{id}", "GET /pets/{id}"),
        ("GET /users/{id}", "GET /users"),
        ("$connect", "ANY /*"),
        ("$connect", "GET /$connect"),
    ] {
        assert!(!entry(a).overlaps(&entry(b)), "{a} {b}");
    }
}

#[test]
fn an_own_entry_is_closed_beside_an_open_one_that_does_not_lie_inside() {
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
fn a_table_in_which_a_path_can_never_count_is_an_error() {
    let expected = "entry `GET /users/{id}`: entry `ANY /*` opens some of the same requests to every good token, so no \
                    `path` can keep them for their owner: give both the same alternatives";
    let table = json!({ "GET /users/{id}": { "any": ["read", own()] }, "ANY /*": [] });
    assert_eq!(parse(&table).unwrap_err(), [expected]);
    for (other, rule) in [
        ("GET /users/me", json!([])),
        ("ANY /users/me", json!([])),
        ("POST /*", json!([])),
        ("ANY /*", json!(["x"])),
        ("$connect", json!([])),
    ] {
        let table = json!({ "GET /users/{id}": own(), other: rule });
        assert!(parse(&table).is_ok(), "{other}");
    }
    // True for every token, though no way of it asks for nothing.
    let otp = json!({ "any": [{ "claims": { "amr": { "none": ["otp"] } } }, { "claims": { "amr": "otp" } }] });
    let almost = json!({ "any": [{ "claims": { "amr": { "none": ["otp"] } } }, { "claims": { "amr": "mfa" } }] });
    for (rule, is_taken) in [(otp, false), (almost, true)] {
        let table = json!({ "GET /users/{id}": own(), "ANY /*": rule });
        assert_eq!(parse(&table).is_ok(), is_taken, "{table}");
    }
    let lies_around = json!({ "GET /users/{id}": own(), "ANY /users/{id}": [] });
    assert_eq!(parse(&lies_around).unwrap_err().len(), 1);
}

#[test]
fn pairs_that_can_close_an_own_entry_are_named() {
    let table = json!({
        "GET /users/{id}/posts": { "any": ["admin", own()] },
        "GET /users/{id}": ["read"],
        "GET /{a}/{b}": { "any": ["staff", "admin"] },
        "GET /users/me": ["me"],
        "POST /*": ["post"],
    });
    let expected = "entry `GET /users/{id}/posts` is closed, instead of open for the caller's own, to a token to which \
                    `GET /users/{id}` or `GET /{a}/{b}` is open: they match some of the same requests. Give both the \
                    same alternatives";
    assert_eq!(parse(&table).unwrap().warnings(), [expected]);
    let same = json!({ "any": ["admin", own()] });
    let table = json!({ "GET /users/{id}/posts": same, "GET /users/{id}": same, "GET /a": [] });
    assert_eq!(parse(&table).unwrap().warnings(), [""; 0]);
}

#[test]
fn the_guard_refuses_routes_that_it_would_close_for_ever() {
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
        assert_eq!(parse(&table).unwrap_err(), [expected], "{route}");
        assert!(Routes::parse(table.as_object().unwrap(), false).is_ok(), "{route}");
    }
    for route in
        ["GET /a/", "GET /", "GET /{a}.{b}", "GET /.well-known/{x}", "GET /*", "GET /a%20b"]
    {
        assert!(parse(&json!({ route: [] })).is_ok(), "{route}");
    }
}

#[test]
fn the_guard_closes_one_request_too() {
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
        let outcome = guarded.access(&[], &claims, Some(request)).map(|_| ());
        assert_eq!(outcome, if is_refused { Err(refused) } else { Ok(()) }, "{request}");
        assert!(rights(false).access(&[], &claims, Some(request)).is_ok(), "{request}");
    }
}

#[test]
fn a_table_that_no_policy_could_hold_is_not_looked_at_twice() {
    let entry = |n: usize| (format!("GET /{n:0>999}"), json!([]));
    let table: Map<_, _> = (0..17).map(entry).collect();
    let problems = Routes::parse(&table, true).unwrap_err();
    assert!(
        problems.last().unwrap().starts_with("its paths alone take 16983 bytes"),
        "{problems:?}"
    );
    for (rest, is_taken) in [(400, true), (401, false)] {
        let mut table: Map<_, _> = (0..16).map(entry).collect();
        table.insert(format!("GET /{}", "x".repeat(rest)), json!([]));
        assert_eq!(Routes::parse(&table, true).is_ok(), is_taken, "{}", 16 * 999 + rest);
    }
}
