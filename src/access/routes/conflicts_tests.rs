//! Entries that overlap, and rules that are true for every token.

use std::collections::HashSet;

use serde_json::json;

use super::*;
use crate::access::claims::Present;
use crate::access::routes::RouteState;
use crate::access::routes::template::Template;
use crate::jose::token::Claims;

fn parse(table: &Value) -> Result<Routes, Vec<String>> {
    Routes::parse(table.as_object().unwrap(), true)
}

fn parse_rule(rule: &Value) -> (Rule, Predicates) {
    let mut predicates = Predicates::default();
    let path = Template::parse("users/{id}/{t}").unwrap();
    let rule = Rule::parse(rule, &path, &mut predicates).unwrap();
    (rule, predicates)
}

fn own() -> Value {
    json!({ "path": { "id": "sub" } })
}

#[test]
fn an_entry_lies_inside_another() {
    let mut predicates = Predicates::default();
    let mut entry = |route| Entry::parse(route, &json!([]), &mut predicates).unwrap();
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
fn a_path_condition_without_any_effect_is_an_error() {
    let expected = "entry `GET /users/{id}`: its `path` condition can never have an effect, because `ANY /*`, which is \
                    open to every good token, overlaps it. Give both the same alternatives";
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
fn conflicts_that_can_happen_are_named() {
    let table = json!({
        "GET /users/{id}/posts": { "any": ["admin", own()] },
        "GET /users/{id}": ["read"],
        "GET /{a}/{b}": { "any": ["staff", "admin"] },
        "GET /users/me": ["me"],
        "POST /*": ["post"],
    });
    let expected = "entry `GET /users/{id}/posts`: its `path` condition is ignored and the entry is denied for any \
                    token that `GET /users/{id}` or `GET /{a}/{b}` lets in, because the two overlap. Give both the \
                    same alternatives";
    assert_eq!(parse(&table).unwrap().warnings(), [expected]);
    let same = json!({ "any": ["admin", own()] });
    let table = json!({ "GET /users/{id}/posts": same, "GET /users/{id}": same, "GET /a": [] });
    assert_eq!(parse(&table).unwrap().warnings(), [""; 0]);
}

#[test]
fn some_rules_never_conflict() {
    for (own, other, expected) in [
        (json!({ "path": { "id": "sub" } }), json!([]), true),
        (json!({ "path": { "id": "sub" } }), json!(["a"]), true),
        (json!({ "path": { "id": "sub" } }), json!({ "path": { "id": "sub" } }), false),
        (json!({ "any": ["a", { "path": { "id": "sub" } }] }), json!(["a"]), false),
        (json!({ "any": ["a", { "path": { "id": "sub" } }] }), json!(["b"]), true),
        (json!({ "any": ["a", { "path": { "id": "sub" } }] }), json!({ "any": ["a", "b"] }), true),
        (
            json!({ "any": ["a", "b", { "path": { "id": "sub" } }] }),
            json!({ "any": ["a", "b"] }),
            false,
        ),
        (json!({ "any": [["a", "b"], { "path": { "id": "sub" } }] }), json!(["a"]), true),
        (json!({ "any": [["a", "b"], ["b", { "path": { "id": "sub" } }]] }), json!(["a"]), false),
        (json!(["x", { "any": ["a", { "path": { "id": "sub" } }] }]), json!(["a"]), false),
        (
            json!({ "path": { "id": "sub" } }),
            json!({ "claims": { "sub": { "present": false } } }),
            false,
        ),
        (
            json!([{ "claims": { "gty": { "present": false } } }, { "path": { "id": "sub" } }]),
            json!({ "claims": { "gty": "client-credentials" } }),
            false,
        ),
        (
            json!([{ "claims": { "gty": { "none": ["b"] } } }, { "path": { "id": "sub" } }]),
            json!({ "any": [{ "claims": { "gty": "b" } }, { "claims": { "gty": "c" } }] }),
            true,
        ),
        (json!(["a"]), json!([]), false),
    ] {
        let mut predicates = Predicates::default();
        let path = Template::parse("{id}").unwrap();
        let mut rule = |rule: &Value| Rule::parse(rule, &path, &mut predicates).unwrap();
        let (own_rule, other_rule) = (rule(&own), rule(&other));
        assert_eq!(
            own_rule.can_conflict_with(&other_rule, &predicates),
            expected,
            "{own}, {other}"
        );
    }
}

#[test]
fn a_rule_is_for_everyone_if_no_claims_fail_it() {
    let values = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
    let any_or_none = |count| {
        let (none, any) = (json!({ "none": values(count) }), json!({ "any": values(count) }));
        json!({ "any": [{ "claims": { "x": none } }, { "claims": { "x": any } }] })
    };
    let x = |test: Value| json!({ "claims": { "x": test } });
    let both = |x: Value, y: Value| json!({ "claims": { "x": x, "y": y } });
    let none = |value: &str| json!({ "none": [value] });
    let any_or_none_of_both = |of_x, of_y| {
        let [x_none, y_none] = [of_x, of_y].map(|count| json!({ "none": values(count) }));
        let [x_any, y_any] = [of_x, of_y].map(|count| json!({ "any": values(count) }));
        json!({ "any": [x(x_none), both(x_any.clone(), y_none), both(x_any, y_any)] })
    };
    let with_present = |count| {
        let (yes, no) = (json!({ "present": true }), json!({ "present": false }));
        let [none, any] = ["none", "any"].map(|test| json!({ test: values(count) }));
        json!({ "any": [both(yes.clone(), none), both(yes, any), x(no)] })
    };
    for (rule, is_for_everyone) in [
        (json!([]), true),
        (json!(["a"]), false),
        (json!({ "any": ["a", x(none("v"))] }), false),
        (json!({ "path": { "id": "sub" } }), false),
        (x(none("v")), false),
        (x(json!("v")), false),
        (json!({ "any": [x(none("v")), x(json!("v"))] }), true),
        (json!({ "any": [x(none("v")), ["a", x(json!("v"))]] }), false),
        (json!({ "any": [x(json!({ "present": true })), x(json!({ "present": false }))] }), true),
        (json!({ "any": [x(json!({ "present": true })), x(json!("v"))] }), false),
        (json!({ "any": [x(json!({ "present": false })), x(json!("v"))] }), false),
        (json!({ "any": [x(json!({ "none": ["v", "w"] })), x(json!(["v", "w"]))] }), true),
        (
            json!({ "any": [x(json!({ "none": ["v", "w"] })), x(json!({ "all": ["v", "w"] }))] }),
            false,
        ),
        (json!({ "any": [x(json!({ "none": ["v", "w"] })), x(json!("v"))] }), false),
        (json!({ "any": [x(json!({ "none": ["v", "w"] })), x(json!("w"))] }), false),
        (
            json!({ "any": [x(none("v")), both(json!("v"), none("w")), both(json!("v"), json!("w"))] }),
            true,
        ),
        (json!({ "any": [x(none("v")), both(json!("v"), none("w"))] }), false),
        (json!({ "any": [x(none("v")), both(json!("v"), json!("w"))] }), false),
        // 2,049 cases, and 4,097: more than are tried.
        (any_or_none(11), true),
        (any_or_none(12), false),
        // 65 cases of one claim for each of 33 of another, or of 65; two for each of 1,025, or of 2,049.
        (any_or_none_of_both(6, 5), true),
        (any_or_none_of_both(6, 6), false),
        (with_present(10), true),
        (with_present(11), false),
    ] {
        let (parsed, predicates) = parse_rule(&rule);
        assert_eq!(parsed.is_for_everyone(&predicates), is_for_everyone, "{rule}");
    }
}

/// A caller's tenant, and the caller within it.
fn tenant_and_user() -> Value {
    json!({
        "ANY /tenants/{t}/{proxy+}": { "path": { "t": "tid" } },
        "GET /tenants/{t}/users/{id}": { "path": { "t": "tid", "id": "sub" } },
    })
}

fn states(table: &Value, claims: &Value) -> Vec<String> {
    let routes = parse(table).unwrap();
    let claims = Claims::verified(claims.clone());
    let evaluated = routes.evaluate(&HashSet::from(["read"]), &claims, Present::at(0.0));
    let decided = routes.decide(&evaluated);
    let mut states = Vec::new();
    for (entry, state) in decided.entries.iter().zip(&decided.states) {
        let state = match state {
            RouteState::Open => "open",
            RouteState::OwnerScoped(_) => "own",
            RouteState::Closed | RouteState::Omitted => "closed",
        };
        states.push(format!("{}: {state}", entry.route));
    }
    states
}

#[test]
fn a_wider_own_entry_closes_a_stricter_one() {
    let alice = json!({ "sub": "alice", "tid": "acme" });
    assert_eq!(
        states(&tenant_and_user(), &alice),
        ["ANY /tenants/{t}/{proxy+}: own", "GET /tenants/{t}/users/{id}: closed"]
    );
    let own = |variable: &str, claim: &str| json!({ "path": { variable: claim } });
    for (a, a_rule, b, b_rule, claims, expected) in [
        // For the same owner nothing is wider.
        (
            "GET /u/{id}/{proxy+}",
            own("id", "sub"),
            "GET /u/{id}/posts/{p}",
            own("id", "sub"),
            &alice,
            ["own", "own"],
        ),
        // Two that do so to each other.
        (
            "GET /t/{t}/u/{x}/{w}",
            own("t", "tid"),
            "GET /t/{y}/{z}/a/{id}",
            own("id", "sub"),
            &alice,
            ["closed", "closed"],
        ),
        // Other owners' requests, only because a value is the name of another path.
        (
            "GET /u/me/{x}",
            own("x", "sub"),
            "GET /u/{id}/profile",
            own("id", "sub"),
            &alice,
            ["own", "own"],
        ),
        (
            "GET /u/me/{x}",
            own("x", "sub"),
            "GET /u/{id}/profile",
            own("id", "sub"),
            &json!({ "sub": "profile" }),
            ["own", "closed"],
        ),
        // Two claims with the same value.
        (
            "ANY /t/{t}/{id}",
            own("t", "tid"),
            "GET /t/{t}/{id}",
            json!({ "any": [own("t", "tid"), own("id", "sub")] }),
            &alice,
            ["own", "own"],
        ),
        (
            "ANY /t/{t}/{proxy+}",
            own("t", "tid"),
            "GET /t/{t}/u/{id}",
            json!({ "path": { "t": "oid", "id": "sub" } }),
            &json!({ "sub": "u", "tid": "acme", "oid": "other" }),
            ["own", "closed"],
        ),
        // No verb in common, no path in common.
        (
            "POST /u/{proxy+}",
            json!(["none"]),
            "GET /u/{id}",
            own("id", "sub"),
            &alice,
            ["closed", "own"],
        ),
        ("POST /{t}/{x}", own("t", "tid"), "GET /{t}/{x}", own("x", "sub"), &alice, ["own", "own"]),
        ("GET /acme/{x}", own("x", "tid"), "GET /{t}/{x}", own("t", "sub"), &alice, ["own", "own"]),
    ] {
        let found = states(&json!({ a: a_rule, b: b_rule }), claims);
        for (route, state) in [(a, expected[0]), (b, expected[1])] {
            assert!(found.contains(&format!("{route}: {state}")), "{a} {b} {claims}: {found:?}");
        }
    }
}

#[test]
fn an_entry_that_counts_as_closed_still_closes_others() {
    let table = json!({
        "ANY /t/{t}/{proxy+}": { "path": { "t": "tid" } },
        "GET /t/{t}/u/{id}": { "path": { "id": "sub" } },
        // Closes the first one for this token, not the second one: they share no request.
        "GET /t/*/o": ["read"],
    });
    let table_states = states(&table, &json!({ "sub": "alice", "tid": "acme" }));
    assert_eq!(
        table_states,
        ["ANY /t/{t}/{proxy+}: own", "GET /t/*/o: open", "GET /t/{t}/u/{id}: closed"]
    );
    let mut table = table;
    table["GET /t/{x}"] = json!(["read"]);
    assert_eq!(
        states(&table, &json!({ "sub": "alice", "tid": "acme" })),
        [
            "ANY /t/{t}/{proxy+}: closed",
            "GET /t/*/o: open",
            "GET /t/{t}/u/{id}: closed",
            "GET /t/{x}: open",
        ]
    );
}

#[test]
fn wider_own_entries_that_can_happen_are_named() {
    let named = "entry `GET /tenants/{t}/users/{id}`: it is denied for tokens to which `ANY /tenants/{t}/{proxy+}` \
                 would open more of its requests than the caller's own. Give both the same `path` conditions, or use \
                 narrower entries";
    assert_eq!(parse(&tenant_and_user()).unwrap().warnings(), [named]);
    let own = |variable: &str, claim: &str| json!({ "path": { variable: claim } });
    for (wider, wider_rule, entry, rule, is_named) in [
        ("GET /u/{id}/{proxy+}", own("id", "sub"), "GET /u/{id}/p/{p}", own("id", "sub"), false),
        ("GET /u/{id}/{proxy+}", own("id", "tid"), "GET /u/{id}/p/{p}", own("id", "sub"), true),
        // Only for a token whose `sub` is `profile`, or begins or ends like the segment.
        ("GET /u/me/{x}", own("x", "sub"), "GET /u/{id}/profile", own("id", "sub"), true),
        ("GET /u/me/{x}", own("x", "sub"), "GET /u/{id}/a*b", own("id", "sub"), true),
        ("GET /u/me/{x}", own("x", "sub"), "GET /u/{id}/a:b", own("id", "sub"), false),
        (
            "GET /u/{id}/{proxy+}",
            json!(["a", { "any": ["b", own("id", "tid")] }]),
            "GET /u/{id}/p/{p}",
            json!({ "any": ["b", own("id", "sub")] }),
            true,
        ),
        // Both are open then.
        (
            "GET /u/{id}/{proxy+}",
            json!(["a", own("id", "tid")]),
            "GET /u/{id}/p/{p}",
            json!({ "any": ["a", own("id", "sub")] }),
            false,
        ),
        // A variable with two claims has one value.
        (
            "GET /u/{id}/{proxy+}",
            json!([own("id", "tid"), own("id", "sub")]),
            "GET /u/{id}/p/{p}",
            own("id", "sub"),
            false,
        ),
    ] {
        let warnings = parse(&json!({ wider: wider_rule, entry: rule })).unwrap().warnings();
        let expected = format!("entry `{entry}`: it is denied for tokens to which `{wider}`");
        let found = warnings.iter().any(|warning| warning.starts_with(&expected));
        assert_eq!(found, is_named, "{wider} {entry}: {warnings:?}");
    }
}

#[test]
fn variables_that_span_slashes_inside_own_entries_are_named() {
    let own = |variable: &str| json!({ "path": { variable: "sub" } });
    let outer = "GET /users/{id}/{proxy+}";
    let named = format!(
        "entry `GET /users/{{x}}/public`: `{{x}}` also matches slashes, so the entry opens deeper paths of other \
         owners in `{outer}`. Put the fixed segment before the variable, or give both the same alternatives"
    );
    let table = json!({ outer: own("id"), "GET /users/{x}/public": [] });
    assert_eq!(parse(&table).unwrap().warnings(), [named]);
    let any_own = json!({ "any": ["admin", own("id")] });
    for (inner, rule, outer_rule, is_named) in [
        ("GET /users/{x}/public", json!(["read"]), own("id"), true),
        ("GET /users/{x}/a/{y}", json!([]), own("id"), true),
        ("GET /users/{id}/u/{x}/v", own("id"), own("id"), true),
        ("GET /users/public/{x}", json!([]), own("id"), false),
        ("GET /users/{x}/{y}", json!([]), own("id"), false),
        ("GET /users/me/x", json!([]), own("id"), false),
        ("GET /users/{id}/public", own("id"), own("id"), false),
        ("GET /users/{id}/public", any_own.clone(), any_own.clone(), false),
        ("GET /users/{id}/public", json!(["read"]), any_own, true),
        ("GET /users/{x}/public", json!([]), json!(["read"]), false),
        ("GET /pets/{x}/public", json!([]), own("id"), false),
    ] {
        let Ok(routes) = parse(&json!({ outer: outer_rule, inner: rule })) else {
            assert!(inner.ends_with("{y}"), "{inner}");
            continue;
        };
        let expected = format!("entry `{inner}`: `{{");
        let found = routes.warnings().iter().any(|warning| warning.starts_with(&expected));
        assert_eq!(found, is_named, "{inner} {rule}: {:?}", routes.warnings());
    }
}

#[test]
fn overlaps_are_reported_with_the_other_problems() {
    let table = json!({
        "ANY /*": [],
        "GET /users/{id}": { "path": { "id": "sub" } },
        "GET pets": [],
        "GET /a//b": [],
    });
    let problems = parse(&table).unwrap_err();
    let named: Vec<_> = problems.iter().map(|problem| problem.split('`').nth(1).unwrap()).collect();
    assert_eq!(named, ["GET /a//b", "GET pets", "GET /users/{id}"]);
}
