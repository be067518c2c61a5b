//! Rules as they are written, and values that can stand in a path.

use serde_json::json;

use super::*;

fn parse(rule: &Value) -> Result<(Rule, Terms), String> {
    let mut terms = Terms::default();
    let path = Template::parse("users/{id}/{t}").unwrap();
    Rule::parse(rule, Some(&path), &mut terms).map(|rule| (rule, terms))
}

/// `open`, the paths of the caller's own, or nothing.
fn opens(rule: &Value, scopes: &[&str], claims: &Value) -> Vec<String> {
    let (rule, terms) = parse(rule).unwrap();
    let claims = Claims::verified(claims.clone());
    let facts = terms.facts(&scopes.iter().copied().collect(), &claims);
    if rule.is_open(&facts) { vec!["open".to_owned()] } else { rule.own_paths(&facts) }
}

#[test]
fn a_rule_that_is_none_is_said_to_be() {
    let one = "has exactly one of `any`, `claims` and `path`";
    for (rule, expected) in [
        (json!(null), WANT),
        (json!("pets:read"), WANT),
        (json!(true), WANT),
        (json!(1), WANT),
        (json!([1]), WANT),
        (json!(["pets:read", null]), WANT),
        (json!([["pets:read"]]), WANT),
        (json!([""]), "a scope is empty"),
        (json!({}), one),
        (json!([{}]), one),
        (json!({ "all": ["a"] }), one),
        (json!({ "Any": ["a"] }), one),
        (json!({ "any": ["a"], "claims": { "a": 1 } }), one),
        (json!({ "any": [] }), "`any`: want an array of at least one alternative"),
        (json!({ "any": "a" }), "`any`: want an array of at least one alternative"),
        (json!({ "any": { "a": 1 } }), "`any`: want an array of at least one alternative"),
        (json!({ "any": [[]] }), "an alternative is empty"),
        (json!({ "any": ["a", ""] }), "a scope is empty"),
        (json!({ "any": ["a", null] }), WANT),
        (json!({ "any": [[["a"]]] }), WANT),
        (json!({ "any": [{ "any": ["a"] }] }), "`any` cannot stand in an `any`"),
        (json!({ "any": [["a", { "any": ["b"] }]] }), "`any` cannot stand in an `any`"),
        (json!([{ "any": ["a"] }, { "any": ["b"] }]), "at most one `any`"),
        (json!({ "claims": {} }), "`claims`: want an object"),
        (json!({ "claims": ["amr"] }), "`claims`: want an object"),
        (json!({ "claims": { "amr": [] } }), "claim `amr`: want"),
        (json!({ "claims": { "amr": null } }), "claim `amr`: want"),
        (json!({ "claims": { "amr": { "any": [] } } }), "claim `amr`: want"),
        (json!({ "claims": { "/a~": 1 } }), "JSON Pointer"),
        (json!({ "path": {} }), "`path`: want an object"),
        (json!({ "path": "id" }), "`path`: want an object"),
        (json!({ "path": { "id": 1 } }), "`path`: the claim for `id` is not a name"),
        (json!({ "path": { "id": "" } }), "`path`: the claim for `id` is not a name"),
        (json!({ "path": { "id": "/~" } }), "JSON Pointer"),
        (json!({ "path": { "x": "sub" } }), "has no `{x}`"),
        (json!({ "any": ["a", { "path": { "x": "sub" } }] }), "has no `{x}`"),
    ] {
        let problem = parse(&rule).unwrap_err();
        assert!(problem.contains(expected), "{rule}: {problem}");
    }
    let connection = Rule::parse(&json!({ "path": { "id": "sub" } }), None, &mut Terms::default());
    assert_eq!(connection.unwrap_err(), "a connection has no `path`");
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
fn a_path_condition_opens_the_callers_own() {
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
fn only_listed_characters_and_whole_numbers_stand_in_a_path() {
    let value = |json: &str| {
        let claim: Value = serde_json::from_str(json).unwrap();
        own_value(Some(&claim)).map(Cow::into_owned)
    };
    let (longest, too_long) = ("x".repeat(128), "x".repeat(129));
    for (json, expected) in [
        (r#""alice""#, Ok("alice")),
        (r#""AZaz09-._~""#, Ok("AZaz09-._~")),
        (r#""...""#, Ok("...")),
        (r#""0""#, Ok("0")),
        (r#""\u0061""#, Ok("a")),
        ("0", Ok("0")),
        ("7", Ok("7")),
        ("9007199254740992", Ok("9007199254740992")),
        (&format!("\"{longest}\""), Ok(&*longest)),
        (&format!("\"{too_long}\""), Err(NoValue::Length)),
        (r#""""#, Err(NoValue::Length)),
        (r#"".""#, Err(NoValue::Dots)),
        (r#""..""#, Err(NoValue::Dots)),
        ("9007199254740993", Err(NoValue::Type)),
        ("18446744073709551615", Err(NoValue::Type)),
        ("18446744073709551616", Err(NoValue::Type)),
        ("7.0", Err(NoValue::Type)),
        ("7e0", Err(NoValue::Type)),
        ("-0", Err(NoValue::Type)),
        ("-7", Err(NoValue::Type)),
        ("true", Err(NoValue::Type)),
        ("[\"alice\"]", Err(NoValue::Type)),
        ("{\"a\":1}", Err(NoValue::Type)),
    ] {
        assert_eq!(value(json), expected.map(str::to_owned), "{json}");
    }
    assert_eq!(own_value(None), Err(NoValue::Absent));
    for text in (0..=0x17f).filter_map(char::from_u32).chain(['\u{ff0e}', '\u{2024}', '\u{202e}']) {
        let is_listed = text.is_ascii_alphanumeric() || "-._~".contains(text);
        let found = own_value(Some(&json!(format!("a{text}b")))).is_ok();
        assert_eq!(found, is_listed, "{text:?}");
    }
    for bad in [
        "auth0|123",
        "a@example.com",
        "*",
        "a*",
        "?",
        "${aws:username}",
        "a/b",
        "a%2fb",
        "a b",
        "",
        "a\u{0}",
    ] {
        assert!(own_value(Some(&json!(bad))).is_err(), "{bad}");
    }
}

#[test]
fn a_table_asks_once_for_what_many_entries_need() {
    let mut terms = Terms::default();
    let path = Template::parse("{id}").unwrap();
    for rule in [
        json!(["a", { "claims": { "amr": "mfa" } }, { "path": { "id": "sub" } }]),
        json!({ "any": ["a", { "claims": { "amr": "mfa" } }, { "path": { "id": "sub" } }] }),
        json!({ "any": ["b", { "claims": { "amr": { "none": ["mfa"] } } }, { "path": { "id": "/sub" } }] }),
    ] {
        Rule::parse(&rule, Some(&path), &mut terms).unwrap();
    }
    assert_eq!((terms.scopes.len(), terms.claims.len(), terms.values.len()), (2, 2, 2));
}

#[test]
fn some_rules_are_never_own_beside_others() {
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
        let mut terms = Terms::default();
        let path = Template::parse("{id}").unwrap();
        let mut rule = |rule: &Value| Rule::parse(rule, Some(&path), &mut terms).unwrap();
        let (own_rule, other_rule) = (rule(&own), rule(&other));
        assert_eq!(
            own_rule.can_be_own_beside(&other_rule, &terms),
            expected,
            "{own} beside {other}"
        );
    }
}

#[test]
fn a_rule_is_for_everyone_if_no_claims_make_it_false() {
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
        let (parsed, terms) = parse(&rule).unwrap();
        assert_eq!(parsed.is_for_everyone(&terms), is_for_everyone, "{rule}");
    }
}
