//! Operators of `REQUIRED_CLAIMS`, and the longest life of a token.

use serde_json::json;

use super::*;
use crate::reason::Reason;

fn requirement(wanted: &Value) -> Requirement {
    Requirement::parse("c", wanted).unwrap()
}

fn rules(max_life: Option<f64>, required: Vec<Requirement>) -> Rules {
    Rules {
        audience_claims: vec![ClaimPath::Member("aud".to_owned())],
        audiences: vec!["api".to_owned()],
        leeway: 0.0,
        required,
        max_life,
        principal_claims: vec![ClaimPath::Member("sub".to_owned())],
    }
}

fn check(max_life: Option<f64>, required: Vec<Requirement>, claims: &Value) -> Result<(), Denial> {
    let rules = rules(max_life, required);
    let mut all = json!({ "exp": 2000, "aud": "api", "sub": "alice" });
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    rules.check(&Claims::verified(all), &Now::at(1400.0)).map(|_| ())
}

#[test]
fn operators_compare_a_claim_with_values() {
    use Reason::{ClaimInvalid, ClaimMissing};
    const OK: Result<(), Reason> = Ok(());
    for (wanted, claim, expected) in [
        (json!({ "any": ["a", "b"] }), json!("b"), OK),
        (json!({ "any": ["a", "b"] }), json!(["x", "b"]), OK),
        (json!({ "any": ["a", "b"] }), json!("c"), Err(ClaimInvalid)),
        (json!({ "any": ["a"] }), json!(null), Err(ClaimMissing)),
        (json!({ "all": ["a"] }), json!("a"), OK),
        (json!({ "all": ["a", "b"] }), json!(["b", "x", "a"]), OK),
        (json!({ "all": ["a", "a"] }), json!("a"), OK),
        (json!({ "all": [2, true] }), json!([true, 2.0]), OK),
        (json!({ "all": ["a", "b"] }), json!("a"), Err(ClaimInvalid)),
        (json!({ "all": ["a", "b"] }), json!(["a"]), Err(ClaimInvalid)),
        (json!({ "all": ["a", "b"] }), json!("a b"), Err(ClaimInvalid)),
        (json!({ "all": ["a"] }), json!([]), Err(ClaimInvalid)),
        (json!({ "all": ["a"] }), json!(null), Err(ClaimMissing)),
        (json!({ "none": ["a", "b"] }), json!("c"), OK),
        (json!({ "none": ["a", "b"] }), json!(null), OK),
        (json!({ "none": ["a", "b"] }), json!([]), OK),
        (json!({ "none": ["a", "b"] }), json!({ "a": "a" }), OK),
        (json!({ "none": ["a", "b"] }), json!("b"), Err(ClaimInvalid)),
        (json!({ "none": ["a", "b"] }), json!(["x", "a"]), Err(ClaimInvalid)),
        (json!({ "none": [2] }), json!(2.0), Err(ClaimInvalid)),
        (json!({ "none": [false] }), json!(false), Err(ClaimInvalid)),
        (json!({ "present": true }), json!(false), OK),
        (json!({ "present": true }), json!(""), OK),
        (json!({ "present": true }), json!([]), OK),
        (json!({ "present": true }), json!(null), Err(ClaimMissing)),
        (json!({ "present": false }), json!(null), OK),
        (json!({ "present": false }), json!(false), Err(ClaimInvalid)),
        (json!({ "present": false }), json!({}), Err(ClaimInvalid)),
    ] {
        let outcome = check(None, vec![requirement(&wanted)], &json!({ "c": claim }));
        assert_eq!(outcome.map_err(|denial| denial.reason()), expected, "{wanted} {claim}");
        if claim.is_null() {
            let absent = check(None, vec![requirement(&wanted)], &json!({}));
            assert_eq!(absent.map_err(|denial| denial.reason()), expected, "{wanted}, absent");
        }
    }
}

#[test]
fn a_token_lives_no_longer_than_allowed() {
    use Reason::{ClaimInvalid, ClaimMissing};
    for (iat, exp, expected) in [
        (json!(1400), json!(2000), Ok(())),
        (json!(1399), json!(2000), Err(ClaimInvalid)),
        (json!(1400), json!(2000.5), Err(ClaimInvalid)),
        (json!(1400.5), json!(2000.5), Ok(())),
        (json!(1399.5), json!(2000), Err(ClaimInvalid)),
        (json!(0), json!(2000), Err(ClaimInvalid)),
        (json!(-1e308), json!(1e308), Err(ClaimInvalid)),
        (json!(0), json!(1e308), Err(ClaimInvalid)),
        // Issued after its end: not too long.
        (json!(1460), json!(1450), Ok(())),
        (json!(1460.5), json!(2000), Err(ClaimInvalid)),
        (json!(1e308), json!(2000), Err(ClaimInvalid)),
        (json!(null), json!(2000), Err(ClaimMissing)),
        (json!("1400"), json!(2000), Err(ClaimInvalid)),
        (json!([1400]), json!(2000), Err(ClaimInvalid)),
    ] {
        let outcome = check(Some(600.0), Vec::new(), &json!({ "iat": iat, "exp": exp }));
        assert_eq!(outcome.map_err(|denial| denial.reason()), expected, "{iat} {exp}");
    }
    let absent = check(Some(600.0), Vec::new(), &json!({})).unwrap_err();
    assert_eq!((absent.reason(), &*absent.to_string()), (ClaimMissing, "claim `iat`"));
    let long = check(Some(600.0), Vec::new(), &json!({ "iat": 1000 })).unwrap_err();
    assert_eq!(long.to_string(), "claim `exp`: 1000 s after `iat`, more than 600");
    assert_eq!(check(None, Vec::new(), &json!({})), Ok(()));
    assert_eq!(check(None, Vec::new(), &json!({ "iat": 0, "exp": 253_402_300_799_u64 })), Ok(()));
}

#[test]
fn missing_and_expired_come_before_a_long_life() {
    let checked =
        |claims: Value| check(Some(600.0), vec![requirement(&json!("x"))], &claims).unwrap_err();
    assert_eq!(checked(json!({ "iat": 0, "exp": 900 })).reason(), Reason::TokenExpired);
    assert_eq!(checked(json!({ "iat": 0, "aud": "other" })).reason(), Reason::AudienceMismatch);
    assert_eq!(checked(json!({ "iat": 0 })).to_string(), "claim `c`");
    assert_eq!(checked(json!({})).to_string(), "claim `iat`");
}

#[test]
fn a_token_dated_ahead_does_not_outlive_its_limit() {
    let in_future =
        Err(Denial::ClaimInvalid { claim: "iat".to_owned(), problem: ClaimProblem::InFuture });
    for (leeway, iat, is_good) in [
        (0.0, json!(1060), true),
        (0.0, json!(1060.001), false),
        (0.0, json!(1061), false),
        (30.0, json!(1060), true),
        (30.0, json!(1061), false),
        (90.0, json!(1090), true),
        (90.0, json!(1091), false),
        (0.0, json!(1e300), false),
    ] {
        let claims = json!({ "exp": 2000, "aud": "api", "sub": "alice", "iat": iat });
        let check = |max_life| {
            let rules = Rules { leeway, ..rules(max_life, Vec::new()) };
            rules.check(&Claims::verified(claims.clone()), &Now::at(1000.0)).map(|_| ())
        };
        let expected = if is_good { Ok(()) } else { in_future.clone() };
        assert_eq!(check(Some(5000.0)), expected, "{claims}, leeway {leeway}");
        assert_eq!(check(None), Ok(()), "{claims}, without a limit");
    }
}
