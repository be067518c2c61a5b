//! Requirements as they are written, and compared with each other.

use serde_json::json;

use super::*;

fn requirement(wanted: &Value) -> Requirement {
    Requirement::parse("c", wanted).unwrap()
}

#[test]
fn an_object_has_one_operator_and_a_non_empty_array() {
    for bad in [
        json!({}),
        json!({ "any": [] }),
        json!({ "all": [] }),
        json!({ "none": [] }),
        json!({ "any": "a" }),
        json!({ "none": [null] }),
        json!({ "all": [["a"]] }),
        json!({ "any": [{}] }),
        json!({ "present": "true" }),
        json!({ "present": 1 }),
        json!({ "present": null }),
        json!({ "present": [true] }),
        json!({ "any": ["a"], "none": ["b"] }),
        json!({ "Any": ["a"] }),
        json!({ "not": ["a"] }),
        json!([]),
        json!(["a", null]),
        json!([["a"]]),
        json!(null),
    ] {
        let problem = Requirement::parse("c", &bad).unwrap_err();
        assert!(problem.starts_with("claim `c`: must be "), "{bad}: {problem}");
    }
    assert!(Requirement::parse("/a~", &json!("x")).unwrap_err().contains("JSON Pointer"));
}

#[test]
fn contradicting_requirements_are_recognized() {
    for (a, b, expected) in [
        (json!("a"), json!("b"), false),
        (json!("a"), json!({ "none": ["b"] }), false),
        (json!("a"), json!({ "none": ["a", "b"] }), true),
        (json!(["a", "b"]), json!({ "none": ["a"] }), false),
        (json!({ "all": ["a", "b"] }), json!({ "none": ["a"] }), true),
        (json!({ "present": false }), json!("a"), true),
        (json!({ "present": false }), json!({ "present": true }), true),
        (json!({ "present": false }), json!({ "all": ["a"] }), true),
        (json!({ "present": false }), json!({ "none": ["a"] }), false),
        (json!({ "present": true }), json!({ "none": ["a"] }), false),
    ] {
        assert_eq!(requirement(&a).contradicts(&requirement(&b)), expected, "{a} {b}");
        assert_eq!(requirement(&b).contradicts(&requirement(&a)), expected, "{b} {a}");
        let other = Requirement::parse("d", &b).unwrap();
        assert!(!requirement(&a).contradicts(&other), "another claim");
    }
}

#[test]
fn a_requirement_has_words() {
    let words = |wanted: &[Value]| {
        let all: Vec<_> = wanted.iter().map(|one| requirement(one).to_string()).collect();
        all.join(", ")
    };
    assert_eq!(words(&[json!(["a", 2])]), r#"a claim `c` that is "a" or 2"#);
    assert_eq!(
        words(&[json!({ "all": ["a", "b"] }), json!({ "none": ["x", "y"] })]),
        r#"a claim `c` that has all of "a", "b", a claim `c` that is not "x" or "y""#
    );
    assert_eq!(
        words(&[json!({ "present": true }), json!({ "present": false })]),
        "a claim `c`, no claim `c`"
    );
}

#[test]
fn large_numbers_are_compared_digit_by_digit() {
    let large = |last: char| format!("2000000000000000000{last}");
    for (wanted, claim, is_met) in [
        (json!(2), "2.0".to_owned(), true),
        (json!(100), "1e2".to_owned(), true),
        (json!(100.5), "1005e-1".to_owned(), true),
        (json!(2e19), large('0'), true),
        (json!(2e19), large('1'), false),
        (json!(2e19), "2e19".to_owned(), true),
        (json!(2e19), "20000000000000000000.0000000000000001".to_owned(), false),
        (json!([1, 2e19]), format!("[{}]", large('1')), false),
        // Of several numbers all must be comparable.
        (json!([1, 2e19]), format!("[1, {}]", large('1')), false),
        (json!({ "all": [1] }), format!("[1, {}]", large('1')), false),
        (json!({ "none": [2e19] }), large('1'), false),
        (json!({ "none": [3] }), large('1'), false),
        (json!({ "none": [3] }), large('0'), true),
        // Nothing is compared.
        (json!({ "present": true }), large('1'), true),
        (json!({ "none": ["a"] }), large('1'), true),
        (json!(u64::MAX), u64::MAX.to_string(), true),
        (json!(u64::MAX), (u64::MAX - 1).to_string(), false),
        (json!(u64::MAX), "18446744073709551616".to_owned(), false),
        (json!(1.0), "1.0000000000000000001".to_owned(), false),
    ] {
        let claims = Claims::of_text(&format!(r#"{{"c":{claim}}}"#));
        assert_eq!(requirement(&wanted).is_met(&claims), is_met, "{wanted} {claim}");
    }
}

#[test]
fn many_numbers_are_searched_once_for_all_requirements() {
    // Searched again for each number and requirement, this would take minutes.
    let floats = "0.5,".repeat(2_700) + "0.5";
    let claims = Claims::of_text(&format!(r#"{{"level": [2, {floats}]}}"#));
    for wanted in 0..20 {
        let requirement = Requirement::parse("level", &json!(wanted)).unwrap();
        assert_eq!(requirement.is_met(&claims), wanted == 2, "{wanted}");
    }
}
