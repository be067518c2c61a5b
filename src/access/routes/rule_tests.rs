//! Rules, evaluated for tokens.

use serde_json::json;

use super::*;

fn path() -> Template {
    Template::parse("users/{id}/{t}").unwrap()
}

fn parse(rule: &Value) -> Result<(Rule, Predicates), String> {
    let mut predicates = Predicates::default();
    Rule::parse(rule, &path(), &mut predicates).map(|rule| (rule, predicates))
}

/// `open`, the paths of the caller's own, or nothing.
fn opens(rule: &Value, scopes: &[&str], claims: &Value) -> Vec<String> {
    let (rule, predicates) = parse(rule).unwrap();
    let claims = Claims::verified(claims.clone());
    let scopes = scopes.iter().copied().collect();
    let evaluated = predicates.evaluate(&scopes, &claims, Present::at(1_000.0));
    if rule.is_open(&evaluated) {
        vec!["open".to_owned()]
    } else {
        rule.own_paths(&path(), &evaluated)
    }
}

#[test]
fn all_conditions_are_needed_and_one_alternative() {
    let claims = json!({ "amr": ["pwd", "mfa"], "tier": 2 });
    for (rule, scopes, is_open) in [
        (json!([]), &[][..], true),
        (json!(["a"]), &["a"], true),
        (json!(["a", "b"]), &["a"], false),
        (json!(["a", "a"]), &["a"], true),
        (json!(["two words"]), &["two", "words"], false),
        (json!({ "any": ["a", "b"] }), &["b"], true),
        (json!({ "any": ["a", "b"] }), &["c"], false),
        (json!({ "any": [["a", "b"], "c"] }), &["a"], false),
        (json!({ "any": [["a", "b"], "c"] }), &["a", "b"], true),
        (json!({ "any": [["a", "b"], "c"] }), &["c"], true),
        (json!(["x", { "any": ["a", "b"] }]), &["b"], false),
        (json!(["x", { "any": ["a", "b"] }]), &["b", "x"], true),
        (json!([{ "any": ["a", "b"] }, "x"]), &["b", "x"], true),
        (json!({ "claims": { "amr": "mfa" } }), &[], true),
        (json!(["pay", { "claims": { "amr": "mfa" } }]), &["pay"], true),
        (json!(["pay", { "claims": { "amr": "mfa" } }]), &[], false),
        (json!({ "claims": { "amr": "mfa", "tier": [1, 3] } }), &[], false),
        (json!({ "claims": { "amr": { "all": ["mfa", "pwd"] }, "tier": 2.0 } }), &[], true),
        (json!({ "claims": { "amr": { "none": ["otp"] } } }), &[], true),
        (json!({ "claims": { "gty": { "present": false } } }), &[], true),
        (json!({ "claims": { "gty": { "present": true } } }), &[], false),
        (
            json!({ "any": [{ "claims": { "tier": 3 } }, ["a", { "claims": { "tier": 2 } }]] }),
            &["a"],
            true,
        ),
    ] {
        assert_eq!(opens(&rule, scopes, &claims) == ["open"], is_open, "{rule} {scopes:?}");
    }
}

#[test]
fn a_path_condition_opens_only_the_callers_own() {
    let own = json!({ "path": { "id": "sub" } });
    let none: [&str; 0] = [];
    for (rule, scopes, claims, expected) in [
        (own.clone(), &[][..], json!({ "sub": "u" }), &["users/u/*"][..]),
        (own.clone(), &[], json!({ "sub": "a|b" }), &none),
        (own.clone(), &[], json!({}), &none),
        (
            json!({ "path": { "id": "/act/sub" } }),
            &[],
            json!({ "act": { "sub": 7 } }),
            &["users/7/*"],
        ),
        (json!({ "any": ["admin", own] }), &["admin"], json!({ "sub": "u" }), &["open"]),
        (json!({ "any": ["admin", own] }), &["x"], json!({ "sub": "u" }), &["users/u/*"]),
        (json!(["r", own]), &["r"], json!({ "sub": "u" }), &["users/u/*"]),
        (json!(["r", own]), &[], json!({ "sub": "u" }), &none),
        (json!({ "any": [["w", own], "x"] }), &[], json!({ "sub": "u" }), &none),
        (
            json!({ "path": { "id": "sub", "t": "tid" } }),
            &[],
            json!({ "sub": "u", "tid": "t1" }),
            &["users/u/t1"],
        ),
        (json!({ "path": { "id": "sub", "t": "tid" } }), &[], json!({ "sub": "u" }), &none),
        (
            json!([own, { "any": ["t:read", { "path": { "t": "tid" } }] }]),
            &[],
            json!({ "sub": "u", "tid": "t1" }),
            &["users/u/t1"],
        ),
        (
            json!([own, { "any": ["t:read", { "path": { "t": "tid" } }] }]),
            &["t:read"],
            json!({ "sub": "u", "tid": "t1" }),
            &["users/u/*", "users/u/t1"],
        ),
        (
            json!({ "any": [{ "path": { "id": "sub" } }, { "path": { "id": "uid" } }] }),
            &[],
            json!({ "sub": "u", "uid": "v" }),
            &["users/u/*", "users/v/*"],
        ),
        (
            json!({ "any": [{ "path": { "id": "sub" } }, { "path": { "id": "uid" } }] }),
            &[],
            json!({ "sub": "u", "uid": "u" }),
            &["users/u/*"],
        ),
        // One segment cannot be two values.
        (json!([own, { "path": { "id": "uid" } }]), &[], json!({ "sub": "u", "uid": "v" }), &none),
        (
            json!([own, { "path": { "id": "uid" } }]),
            &[],
            json!({ "sub": "u", "uid": "u" }),
            &["users/u/*"],
        ),
        (
            json!([own, { "path": { "id": "uid" } }]),
            &[],
            json!({ "sub": "7", "uid": 7 }),
            &["users/7/*"],
        ),
    ] {
        assert_eq!(opens(&rule, scopes, &claims), expected, "{rule} {scopes:?} {claims}");
    }
}

#[test]
fn a_condition_of_many_entries_is_evaluated_once() {
    let mut predicates = Predicates::default();
    let path = Template::parse("{id}").unwrap();
    for rule in [
        json!(["a", { "claims": { "amr": "mfa" } }, { "path": { "id": "sub" } }]),
        json!({ "any": ["a", { "claims": { "amr": "mfa" } }, { "path": { "id": "sub" } }] }),
        json!({ "any": ["b", { "claims": { "amr": { "none": ["mfa"] } } }, { "path": { "id": "/sub" } }] }),
    ] {
        Rule::parse(&rule, &path, &mut predicates).unwrap();
    }
    assert_eq!(
        (predicates.scopes.len(), predicates.claims.len(), predicates.values.len()),
        (2, 2, 2)
    );
}
