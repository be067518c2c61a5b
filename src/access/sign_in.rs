//! How recent a sign-in must be: the condition `max_age` (RFC 9470, OAuth 2.0 Step Up Authentication).

use crate::access::claims::{Date, Present};
use crate::jose::token::Claims;

/// The longest `max_age`, in seconds: a year.
pub(crate) const MAX_MAX_AGE: u32 = 31_536_000;

/// When the user signed in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SignIn {
    /// Unix time.
    at: f64,
}

impl SignIn {
    /// What `auth_time` says (RFC 9068 section 2.2.1). A time in the future says nothing: a token dated ahead would count
    /// as recent for too long.
    pub(crate) fn of(claims: &Claims, present: Present) -> Option<Self> {
        match Date::of(claims, "auth_time") {
            Date::At(at) if at <= present.latest => Some(Self { at }),
            _ => None,
        }
    }

    /// A sign-in at this Unix time.
    pub(crate) fn at(unix: f64) -> Self {
        Self { at: unix }
    }

    /// The first second, as Unix time, in which the sign-in is more than `max_age` seconds ago.
    pub(crate) fn too_old_from(self, max_age: u32) -> f64 {
        (self.at + f64::from(max_age)).floor() + 1.0
    }

    /// How many seconds ago it was.
    pub(crate) fn age(self, now: f64) -> f64 {
        now - self.at
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sign_in_is_too_old_one_second_after_its_age() {
        for (at, max_age, too_old_from) in [
            (1_000.0, 300, 1_301.0),
            (1_000.9, 300, 1_301.0),
            (999.999, 300, 1_300.0),
            (1_000.0, 1, 1_002.0),
            (0.0, MAX_MAX_AGE, 31_536_001.0),
        ] {
            assert_eq!(SignIn::at(at).too_old_from(max_age), too_old_from, "{at} {max_age}");
        }
        assert_eq!(SignIn::at(1_000.0).age(1_300.5), 300.5);
    }

    #[test]
    fn only_a_number_that_is_not_in_the_future_is_a_sign_in() {
        let present = Present { now: 1_000.0, latest: 1_060.0 };
        for (auth_time, expected) in [
            (json!(1_000), Some(1_000.0)),
            (json!(999.5), Some(999.5)),
            (json!(1_060), Some(1_060.0)),
            (json!(1_060.001), None),
            (json!(1e300), None),
            (json!(-5), Some(-5.0)),
            (json!("1000"), None),
            (json!([1_000]), None),
            (json!(true), None),
            (json!(null), None),
        ] {
            let claims = Claims::verified(json!({ "auth_time": auth_time }));
            assert_eq!(SignIn::of(&claims, present), expected.map(SignIn::at), "{auth_time}");
        }
        let claims = Claims::verified(json!({ "Auth_time": 1_000, "iat": 1_000 }));
        assert_eq!(SignIn::of(&claims, present), None);
    }
}
