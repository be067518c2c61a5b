//! The rules for the claims of a verified token (RFC 7519 section 4.1): who it is for, when, and about whom.

use serde_json::Value;

use crate::access::requirement::Requirement;
use crate::clock::Now;
use crate::denial::{ClaimProblem, Denial};
use crate::jose::token::{ClaimPath, Claims};

/// The least tolerance for times ahead of this clock, in seconds. Clocks differ, and a Deny for one second would be
/// cached for minutes.
const MIN_LEEWAY_AHEAD: f64 = 60.0;

/// The first second of the year 10000. An `exp` of that time or later was meant in milliseconds, as a rule.
const YEAR_10000: f64 = 253_402_300_800.0;

/// What an issuer's claims must say.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// The claims that can hold the audience. The first that is present counts.
    pub(crate) audience_claims: Vec<ClaimPath>,
    /// The accepted audiences.
    pub(crate) audiences: Vec<String>,
    /// The tolerance for `exp` and `nbf`, in seconds. For times ahead see [`Present::latest`].
    pub(crate) leeway: f64,
    /// What other claims must say.
    pub(crate) required: Vec<Requirement>,
    /// The longest life of a token, from `iat` to `exp` in seconds.
    pub(crate) max_life: Option<f64>,
    /// The claims that can name the caller. The first that holds a non-empty string counts.
    pub(crate) principal_claims: Vec<ClaimPath>,
}

/// The current time for a check, by two clocks. Both are Unix times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Present {
    /// By the clock of this process.
    pub(crate) now: f64,
    /// The latest time that can be the present on the clock of an issuer.
    pub(crate) latest: f64,
}

#[cfg(test)]
impl Present {
    /// At this Unix time, without a leeway of the issuer's own.
    pub(crate) fn at(now: f64) -> Self {
        Self { now, latest: now + MIN_LEEWAY_AHEAD }
    }
}

/// The caller whose token passed the checks.
#[derive(Debug, PartialEq)]
pub(crate) struct Caller {
    /// Who calls: `principalId`.
    pub(crate) principal: String,
    /// The Unix time at which the token expires, leeway included.
    pub(crate) expires_at: f64,
}

impl Rules {
    /// Checks in the order of [`Reason`](crate::reason::Reason): time, audience, what is missing, what is invalid.
    pub(crate) fn check(&self, claims: &Claims, now: &Now) -> Result<Caller, Denial> {
        let (Present { now, latest }, leeway) = (self.present(now), self.leeway);
        let (exp, nbf) = (Date::of(claims, "exp"), Date::of(claims, "nbf"));
        let iat = Date::of(claims, "iat");
        if let Date::At(exp) = exp
            && exp + leeway <= now
        {
            return Err(Denial::TokenExpired { seconds_ago: now - exp });
        }
        if let Date::At(nbf) = nbf
            && nbf > latest
        {
            return Err(Denial::TokenNotYetValid { seconds_ahead: nbf - now });
        }

        let audience = first_present(&self.audience_claims, claims);
        if let Some((claim, value)) = audience
            && let Some(held) = strings(value)
            && !self.accepts(&held)
        {
            let (claim, accepted) = (claim.text().to_owned(), self.audiences.clone());
            return Err(Denial::AudienceMismatch { claim, accepted });
        }

        if exp == Date::Absent {
            return Err(missing("exp"));
        }
        if self.max_life.is_some() && iat == Date::Absent {
            return Err(missing("iat"));
        }
        let Some((audience_claim, audience)) = audience else {
            return Err(missing_any(&self.audience_claims));
        };
        let Some((principal_claim, principal)) = self.principal(claims) else {
            return Err(missing_any(&self.principal_claims));
        };
        for required in &self.required {
            if required.is_missing(claims) {
                return Err(missing(required.claim.text()));
            }
        }

        let Date::At(exp) = exp else { return Err(invalid("exp", ClaimProblem::NotADate)) };
        if exp >= YEAR_10000 {
            return Err(invalid("exp", ClaimProblem::BeyondYear9999));
        }
        if nbf == Date::Invalid || claims.member("nbf").is_some_and(Value::is_null) {
            return Err(invalid("nbf", ClaimProblem::NotADate));
        }
        if claims.member("iat").is_some_and(|iat| !iat.is_number()) {
            return Err(invalid("iat", ClaimProblem::NotADate));
        }
        // In floats nothing overflows, and a life that is not finite is too long.
        if let (Some(max), Date::At(issued_at)) = (self.max_life, iat) {
            check_issued_at(claims, latest)?;
            if exp - issued_at > max {
                let seconds = exp - issued_at;
                return Err(invalid("exp", ClaimProblem::LifeTooLong { seconds, max }));
            }
        }
        if strings(audience).is_none() {
            return Err(invalid(audience_claim.text(), ClaimProblem::NotStrings));
        }
        // A control character could forge a line where the backend logs its caller.
        let principal = match principal.as_str() {
            None => {
                let problem = ClaimProblem::NotAString { kind: kind(principal) };
                return Err(invalid(principal_claim.text(), problem));
            }
            Some(name) if !name.trim().is_empty() && !name.contains(char::is_control) => name,
            Some(_) => return Err(invalid(principal_claim.text(), ClaimProblem::NotAName)),
        };
        for required in &self.required {
            if !required.is_met(claims) {
                let problem = ClaimProblem::Requirement(required.to_string());
                return Err(invalid(required.claim.text(), problem));
            }
        }
        Ok(Caller { principal: principal.to_owned(), expires_at: exp + leeway })
    }

    /// The present for tokens under these rules.
    pub(crate) fn present(&self, now: &Now) -> Present {
        let now = now.unix();
        Present { now, latest: now + self.leeway.max(MIN_LEEWAY_AHEAD) }
    }

    /// Whether one of these audiences is accepted.
    fn accepts(&self, held: &[&str]) -> bool {
        held.iter().any(|held| self.audiences.iter().any(|accepted| accepted == held))
    }

    /// The first of the claims that holds a non-empty string; else the first that is present.
    fn principal<'c>(&self, claims: &'c Claims) -> Option<(&ClaimPath, &'c Value)> {
        for path in &self.principal_claims {
            if claims.non_empty_string(path).is_some() {
                return claims.get(path).map(|value| (path, value));
            }
        }
        first_present(&self.principal_claims, claims)
    }
}

/// Refuses an `iat` in the future: a token dated ahead would outlive every limit that counts from there.
pub(crate) fn check_issued_at(claims: &Claims, latest: f64) -> Result<(), Denial> {
    match Date::of(claims, "iat") {
        Date::At(issued_at) if issued_at > latest => Err(invalid("iat", ClaimProblem::InFuture)),
        _ => Ok(()),
    }
}

/// The first of these claims that the token has.
fn first_present<'p, 'c>(
    paths: &'p [ClaimPath],
    claims: &'c Claims,
) -> Option<(&'p ClaimPath, &'c Value)> {
    for path in paths {
        if let Some(value) = claims.get(path) {
            return Some((path, value));
        }
    }
    None
}

fn missing(claim: &str) -> Denial {
    Denial::ClaimMissing { any_of: vec![claim.to_owned()] }
}

fn missing_any(paths: &[ClaimPath]) -> Denial {
    Denial::ClaimMissing { any_of: paths.iter().map(|path| path.text().to_owned()).collect() }
}

fn invalid(claim: &str, problem: ClaimProblem) -> Denial {
    Denial::ClaimInvalid { claim: claim.to_owned(), problem }
}

/// A `NumericDate` claim (RFC 7519 section 2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Date {
    /// Seconds since the epoch, with or without a fraction.
    At(f64),
    /// Absent or null.
    Absent,
    /// Not a finite number. A string is not a number. If it counted as absent, expired tokens would pass.
    Invalid,
}

impl Date {
    /// As a float, so that no number in a token can overflow anything.
    pub(crate) fn of(claims: &Claims, name: &str) -> Self {
        match claims.member(name) {
            None | Some(Value::Null) => Self::Absent,
            Some(value) => match value.as_f64() {
                Some(date) if date.is_finite() => Self::At(date),
                _ => Self::Invalid,
            },
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A string, or an array of strings and nothing else (RFC 7519 section 4.1.3).
fn strings(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(one) => Some(vec![one]),
        Value::Array(many) => many.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Reason;
    use serde_json::json;

    const NOW: f64 = 1000.0;

    fn paths(names: &[&str]) -> Vec<ClaimPath> {
        names.iter().map(|name| ClaimPath::parse(name).unwrap()).collect()
    }

    fn rules() -> Rules {
        Rules {
            audience_claims: paths(&["aud"]),
            audiences: vec!["api".to_owned(), "api-2".to_owned()],
            leeway: 0.0,
            required: Vec::new(),
            max_life: None,
            principal_claims: paths(&["sub"]),
        }
    }

    fn requirement(claim: &str, wanted: Value) -> Requirement {
        Requirement::parse(claim, &wanted).unwrap()
    }

    fn requiring(claim: &str, wanted: Value) -> Rules {
        Rules { required: vec![requirement(claim, wanted)], ..rules() }
    }

    fn good() -> Value {
        json!({"exp": 2000, "aud": "api", "sub": "alice"})
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = good();
        claims[name] = value;
        claims
    }

    fn without(name: &str) -> Value {
        let mut claims = good();
        claims.as_object_mut().unwrap().remove(name);
        claims
    }

    fn principal(rules: &Rules, claims: &Value, now: f64) -> Result<String, Reason> {
        let checked = Claims::verified(claims.clone());
        let caller = rules.check(&checked, &Now::at(now)).map_err(|denial| denial.reason())?;
        Ok(caller.principal.to_owned())
    }

    fn outcome(rules: &Rules, claims: &Value) -> Result<(), Reason> {
        principal(rules, claims, NOW).map(|_| ())
    }

    #[test]
    fn times_are_exact_to_fractions_of_a_second() {
        use Reason::{TokenExpired, TokenNotYetValid};
        let cases = [
            ("exp", json!(1000), 0.0, 999.5, Ok(())),
            ("exp", json!(1000), 0.0, 999.999_999, Ok(())),
            ("exp", json!(1000), 0.0, 1000.0, Err(TokenExpired)),
            ("exp", json!(1000), 0.0, 1000.5, Err(TokenExpired)),
            ("exp", json!(1000.25), 0.0, 1000.0, Ok(())),
            ("exp", json!(1000.25), 0.0, 1000.25, Err(TokenExpired)),
            ("exp", json!(1000), 30.0, 1029.5, Ok(())),
            ("exp", json!(1000), 30.0, 1030.0, Err(TokenExpired)),
            ("exp", json!(1000.25), 30.0, 1030.0, Ok(())),
            ("exp", json!(1000.25), 30.0, 1030.25, Err(TokenExpired)),
            ("nbf", json!(1000), 0.0, 939.5, Err(TokenNotYetValid)),
            ("nbf", json!(1000), 0.0, 940.0, Ok(())),
            ("nbf", json!(1000.25), 0.0, 940.0, Err(TokenNotYetValid)),
            ("nbf", json!(1000.25), 0.0, 940.25, Ok(())),
            ("nbf", json!(1000), 30.0, 939.5, Err(TokenNotYetValid)),
            ("nbf", json!(1000), 30.0, 940.0, Ok(())),
            ("nbf", json!(1000), 60.0, 939.5, Err(TokenNotYetValid)),
            ("nbf", json!(1000), 60.0, 940.0, Ok(())),
            ("nbf", json!(1000), 90.0, 909.5, Err(TokenNotYetValid)),
            ("nbf", json!(1000), 90.0, 910.0, Ok(())),
        ];
        for (name, value, leeway, now, expected) in cases {
            let rules = Rules { leeway, ..rules() };
            let outcome = principal(&rules, &with(name, value.clone()), now).map(|_| ());
            assert_eq!(outcome, expected, "{name} {value}, leeway {leeway}, at {now}");
        }
    }

    #[test]
    fn a_caller_expires_after_the_leeway() {
        for (exp, leeway, expires_at) in [
            (json!(2000), 0.0, 2000.0),
            (json!(2000.5), 30.0, 2030.5),
            (json!(253_402_300_799_u64), 300.0, 253_402_301_099.0),
        ] {
            let claims = Claims::verified(with("exp", exp));
            let caller =
                Rules { leeway, ..rules() }.check(&claims, &Now::at(NOW)).unwrap().expires_at;
            assert_eq!(caller, expires_at);
        }
    }

    #[test]
    fn times_are_numbers_of_any_size() {
        use Reason::*;
        let cases = [
            ("exp", json!(253_402_300_799_u64), Ok(())),
            ("exp", json!(253_402_300_799.5), Ok(())),
            ("exp", json!(253_402_300_800_u64), Err(ClaimInvalid)),
            ("exp", json!(1_800_000_000_000_u64), Err(ClaimInvalid)),
            ("exp", json!(u64::MAX), Err(ClaimInvalid)),
            ("exp", json!(1e308), Err(ClaimInvalid)),
            ("exp", json!(0), Err(TokenExpired)),
            ("exp", json!(-1), Err(TokenExpired)),
            ("exp", json!(i64::MIN), Err(TokenExpired)),
            ("exp", json!(-1e308), Err(TokenExpired)),
            ("nbf", json!(u64::MAX), Err(TokenNotYetValid)),
            ("nbf", json!(1e308), Err(TokenNotYetValid)),
            ("nbf", json!(-1), Ok(())),
            ("nbf", json!(-1e308), Ok(())),
            ("iat", json!(1e308), Ok(())),
            ("iat", json!(-1.5), Ok(())),
            ("iat", json!(NOW + 60.0), Ok(())),
            ("exp", json!(null), Err(ClaimMissing)),
            ("nbf", json!(null), Err(ClaimInvalid)),
            ("iat", json!(null), Err(ClaimInvalid)),
        ];
        for (name, value, expected) in cases {
            for leeway in [0.0, 300.0] {
                assert_eq!(
                    outcome(&Rules { leeway, ..rules() }, &with(name, value.clone())),
                    expected,
                    "{name} {value}"
                );
            }
        }
        assert_eq!(outcome(&rules(), &without("exp")), Err(ClaimMissing));
        for name in ["exp", "nbf", "iat"] {
            for value in
                [json!("2000"), json!(""), json!([2000]), json!([]), json!({}), json!(true)]
            {
                assert_eq!(
                    outcome(&rules(), &with(name, value.clone())),
                    Err(ClaimInvalid),
                    "{name} {value}"
                );
            }
        }
    }

    #[test]
    fn the_audience_is_a_string_or_an_array_of_strings() {
        use Reason::*;
        let cases = [
            (json!("api"), Ok(())),
            (json!("api-2"), Ok(())),
            (json!(["api"]), Ok(())),
            (json!(["other", "api-2"]), Ok(())),
            (json!("API"), Err(AudienceMismatch)),
            (json!("api "), Err(AudienceMismatch)),
            (json!("api api-2"), Err(AudienceMismatch)),
            (json!(""), Err(AudienceMismatch)),
            (json!([]), Err(AudienceMismatch)),
            (json!(["other"]), Err(AudienceMismatch)),
            (json!(["api", 5]), Err(ClaimInvalid)),
            (json!([null, "api"]), Err(ClaimInvalid)),
            (json!([["api"]]), Err(ClaimInvalid)),
            (json!({"api": "api"}), Err(ClaimInvalid)),
            (json!(5), Err(ClaimInvalid)),
            (json!(true), Err(ClaimInvalid)),
            (json!(null), Err(ClaimMissing)),
        ];
        for (aud, expected) in cases {
            assert_eq!(outcome(&rules(), &with("aud", aud.clone())), expected, "{aud}");
        }
        assert_eq!(outcome(&rules(), &without("aud")), Err(ClaimMissing));
    }

    #[test]
    fn the_first_audience_claim_that_is_present_counts() {
        use Reason::*;
        let rules = Rules { audience_claims: paths(&["aud", "client_id", "/azp/0"]), ..rules() };
        let cases = [
            (json!({"aud": "api", "client_id": "other"}), Ok(())),
            (json!({"aud": "other", "client_id": "api"}), Err(AudienceMismatch)),
            (json!({"aud": [], "client_id": "api"}), Err(AudienceMismatch)),
            (json!({"aud": 5, "client_id": "api"}), Err(ClaimInvalid)),
            (json!({"aud": null, "client_id": "api"}), Ok(())),
            (json!({"client_id": "api"}), Ok(())),
            (json!({"client_id": "other"}), Err(AudienceMismatch)),
            (json!({"azp": ["api"]}), Ok(())),
            (json!({"azp": "api"}), Err(ClaimMissing)),
        ];
        for (mut claims, expected) in cases {
            claims["exp"] = json!(2000);
            claims["sub"] = json!("alice");
            assert_eq!(outcome(&rules, &claims), expected, "{claims}");
        }
    }

    #[test]
    fn the_principal_is_the_first_non_empty_string() {
        use Reason::*;
        let rules = Rules { principal_claims: paths(&["sub", "client_id", "/act/sub"]), ..rules() };
        let cases = [
            (json!({"sub": "alice", "client_id": "c"}), Ok("alice")),
            (json!({"sub": " alice smith "}), Ok(" alice smith ")),
            (json!({"sub": "", "client_id": "c"}), Ok("c")),
            (json!({"sub": null, "client_id": "c"}), Ok("c")),
            (json!({"sub": 5, "client_id": "c"}), Ok("c")),
            (json!({"sub": ["alice"], "client_id": {}, "act": {"sub": "bob"}}), Ok("bob")),
            (json!({"sub": "日本"}), Ok("日本")),
            (json!({}), Err(ClaimMissing)),
            (json!({"sub": null, "act": {"sub": null}}), Err(ClaimMissing)),
            (json!({"sub": ""}), Err(ClaimInvalid)),
            (json!({"sub": 5}), Err(ClaimInvalid)),
            (json!({"sub": ["alice"]}), Err(ClaimInvalid)),
            (json!({"sub": "  ", "client_id": "c"}), Err(ClaimInvalid)),
            (json!({"sub": "\u{a0}\u{2003}"}), Err(ClaimInvalid)),
            (json!({"sub": "a\nb"}), Err(ClaimInvalid)),
            (json!({"sub": "a\0"}), Err(ClaimInvalid)),
            (json!({"sub": "a\t"}), Err(ClaimInvalid)),
            (json!({"sub": "\u{1b}[31m"}), Err(ClaimInvalid)),
            (json!({"sub": "a\u{7f}"}), Err(ClaimInvalid)),
            (json!({"sub": "a\u{85}"}), Err(ClaimInvalid)),
        ];
        for (mut claims, expected) in cases {
            claims["exp"] = json!(2000);
            claims["aud"] = json!("api");
            assert_eq!(principal(&rules, &claims, NOW), expected.map(str::to_owned), "{claims}");
        }
    }

    #[test]
    fn a_required_claim_equals_or_contains_one_of_the_values() {
        use Reason::*;
        let cases = [
            (json!(["a", "b"]), json!("b"), Ok(())),
            (json!(["a", "b"]), json!("c"), Err(ClaimInvalid)),
            (json!(["a"]), json!("A"), Err(ClaimInvalid)),
            (json!(["a"]), json!("a b"), Err(ClaimInvalid)),
            (json!(["a"]), json!(["x", "a"]), Ok(())),
            (json!(["a"]), json!([]), Err(ClaimInvalid)),
            (json!(["a"]), json!([["a"]]), Err(ClaimInvalid)),
            (json!(["a"]), json!({"a": "a"}), Err(ClaimInvalid)),
            (json!(["a"]), json!(null), Err(ClaimMissing)),
            (json!(["a"]), json!([null, "a"]), Ok(())),
            (json!([2]), json!(2.0), Ok(())),
            (json!([2.0]), json!(2), Ok(())),
            (json!([2]), json!(2.5), Err(ClaimInvalid)),
            (json!([2]), json!("2"), Err(ClaimInvalid)),
            (json!(["2"]), json!(2), Err(ClaimInvalid)),
            (json!([0]), json!(-0.0), Ok(())),
            (json!([-1]), json!(-1.0), Ok(())),
            (
                json!([9_007_199_254_740_993_u64]),
                json!(9_007_199_254_740_992_u64),
                Err(ClaimInvalid),
            ),
            (json!([9_007_199_254_740_993_u64]), json!(9_007_199_254_740_992.0), Err(ClaimInvalid)),
            (json!([9_007_199_254_740_992.0]), json!(9_007_199_254_740_993_u64), Err(ClaimInvalid)),
            (json!([9_007_199_254_740_992_u64]), json!(9_007_199_254_740_992.0), Ok(())),
            (
                json!([-9_007_199_254_740_993_i64]),
                json!(-9_007_199_254_740_992.0),
                Err(ClaimInvalid),
            ),
            (json!([u64::MAX]), json!(18_446_744_073_709_551_616.0), Err(ClaimInvalid)),
            // As a float, it is written with the digits of -9223372036854776000.
            (json!([i64::MIN]), json!(-9_223_372_036_854_775_808.0), Err(ClaimInvalid)),
            (json!([i64::MIN]), json!(i64::MIN), Ok(())),
            (json!([u64::MAX]), json!(1e308), Err(ClaimInvalid)),
            (json!([u64::MAX]), json!(-1), Err(ClaimInvalid)),
            (json!([true]), json!(true), Ok(())),
            (json!([true]), json!(false), Err(ClaimInvalid)),
            (json!([true]), json!("true"), Err(ClaimInvalid)),
            (json!([true]), json!(1), Err(ClaimInvalid)),
            (json!([false]), json!(null), Err(ClaimMissing)),
        ];
        for (accepted, value, expected) in cases {
            let rules = requiring("tenant", accepted.clone());
            assert_eq!(
                outcome(&rules, &with("tenant", value.clone())),
                expected,
                "{accepted} {value}"
            );
        }
        assert_eq!(outcome(&requiring("tenant", json!(["a"])), &good()), Err(ClaimMissing));
    }

    #[test]
    fn all_required_claims_count_nested_ones_too() {
        let both = Rules {
            required: vec![
                requirement("/realm/roles", json!("admin")),
                requirement("/realm/levels/1", json!([3])),
            ],
            ..rules()
        };
        let cases = [
            (json!({"roles": ["user", "admin"], "levels": [1, 3]}), Ok(())),
            (json!({"roles": "admin", "levels": [1, 3.0, 5]}), Ok(())),
            (json!({"roles": ["user"], "levels": [1, 3]}), Err(Reason::ClaimInvalid)),
            (json!({"roles": "admin", "levels": [3, 1]}), Err(Reason::ClaimInvalid)),
            (json!({"roles": "admin", "levels": [3]}), Err(Reason::ClaimMissing)),
            (json!({"roles": ["user"], "levels": null}), Err(Reason::ClaimMissing)),
            (json!("admin"), Err(Reason::ClaimMissing)),
        ];
        for (realm, expected) in cases {
            assert_eq!(outcome(&both, &with("realm", realm.clone())), expected, "{realm}");
        }
    }

    #[test]
    fn the_first_broken_rule_gives_the_reason() {
        use Reason::*;
        let rules = requiring("tenant", json!(["a"]));
        let cases = [
            (json!({"exp": 1, "nbf": 2000, "aud": "x"}), TokenExpired),
            (json!({"exp": 1, "nbf": "x", "iat": "x", "aud": 5, "sub": ""}), TokenExpired),
            (json!({"nbf": 2000, "aud": "x"}), TokenNotYetValid),
            (json!({"exp": "x", "nbf": 2000}), TokenNotYetValid),
            (json!({"aud": "x", "iat": "x"}), AudienceMismatch),
            (
                json!({"exp": "x", "nbf": "x", "aud": ["x"], "sub": "a", "tenant": "b"}),
                AudienceMismatch,
            ),
            (json!({"nbf": "x", "iat": "x", "aud": 5, "sub": "", "tenant": "b"}), ClaimMissing),
            (json!({"exp": "x", "sub": "", "tenant": "b"}), ClaimMissing),
            (json!({"exp": "x", "aud": 5, "tenant": "b"}), ClaimMissing),
            (json!({"exp": "x", "aud": 5, "sub": ""}), ClaimMissing),
            (json!({"exp": "x", "aud": 5, "sub": "", "tenant": "b"}), ClaimInvalid),
        ];
        for (claims, expected) in cases {
            assert_eq!(outcome(&rules, &claims), Err(expected), "{claims}");
        }
    }

    #[test]
    fn a_refusal_names_the_claim_and_quotes_no_value() {
        let rules = requiring("tenant", json!(["wanted"]));
        for (claims, detail) in [
            (json!({"exp": 940, "aud": "api"}), "60 s ago"),
            (json!({"exp": 2000, "nbf": 1070, "aud": "api"}), "in 70 s"),
            (json!({"exp": 2000, "aud": "secret"}), "claim `aud`"),
            (json!({"exp": 2000, "aud": "api"}), "claim `sub`"),
            (json!({"exp": 2000, "aud": "api", "sub": "secret"}), "claim `tenant`"),
            (
                json!({"exp": 2000, "aud": "api", "sub": "secret\n", "tenant": "secret"}),
                "claim `sub` must be a string that is not blank, without control characters",
            ),
            (json!({"exp": 2000, "aud": "api", "sub": "a", "tenant": "secret"}), "claim `tenant`"),
        ] {
            let claims = Claims::verified(claims);
            assert_eq!(rules.check(&claims, &Now::at(NOW)).unwrap_err().to_string(), detail);
        }
    }
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod requirement_tests;
