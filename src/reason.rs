//! Why a request is not allowed: a closed list of reasons with stable codes.
//!
//! "No" and "cannot tell" are different types. A [`Denial`](crate::denial::Denial) is a verdict about the token and
//! may be answered with a policy, which API Gateway caches; a [`Fault`] means that no verdict was possible, so that
//! nothing may be cached.

use std::borrow::Cow;
use std::fmt;

/// Declares an enum, each variant with its stable code: the same in log, metric, answer and documentation.
macro_rules! codes {
    ($(
        $(#[doc = $about:literal])*
        $name:ident { $($(#[doc = $meaning:literal])* $variant:ident = $code:literal,)* }
    )*) => {$(
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[doc = $meaning])* $variant,)*
        }

        impl $name {
            /// The whole list, in this order.
            pub const ALL: [Self; [$($code),*].len()] = [$(Self::$variant),*];

            /// The stable code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }
        }
    )*};
}

codes! {
    /// A verdict against the token, in the order in which the checks run: the first that fails gives the reason.
    Reason {
        /// The event holds no credential.
        TokenMissing = "token_missing",
        /// The token has more than [`MAX_TOKEN_BYTES`](crate::jose::token::MAX_TOKEN_BYTES).
        TokenTooLong = "token_too_long",
        /// Not exactly one bearer token in JWS compact form (RFC 7515 section 7.1), read strictly.
        TokenMalformed = "token_malformed",
        /// `crit` or `b64` is present (RFC 7515 section 4.1.11, RFC 7797).
        CriticalHeaderUnsupported = "critical_header_unsupported",
        /// `typ` is not accepted, or `cty` announces a nested JWT (RFC 8725 section 3.11).
        TypeNotAccepted = "type_not_accepted",
        /// `alg` is not on the issuer's list (RFC 8725 section 3.1).
        AlgorithmNotAllowed = "algorithm_not_allowed",
        /// `iss` is missing, not a string, or not one of the trusted issuers (RFC 8725 section 3.8).
        IssuerUntrusted = "issuer_untrusted",
        /// The issuer has no usable key for this `kid` and `alg`.
        KeyUnknown = "key_unknown",
        /// No fitting key verifies the signature.
        SignatureInvalid = "signature_invalid",
        /// `exp` is not later than now (RFC 7519 section 4.1.4).
        TokenExpired = "token_expired",
        /// `nbf` is later than now (RFC 7519 section 4.1.5).
        TokenNotYetValid = "token_not_yet_valid",
        /// The audience claim holds no accepted audience (RFC 7519 section 4.1.3).
        AudienceMismatch = "audience_mismatch",
        /// A claim that is needed is absent or null.
        ClaimMissing = "claim_missing",
        /// A claim is of the wrong type, or does not have a required value.
        ClaimInvalid = "claim_invalid",
        /// The token is bound to a key or certificate, and the request does not prove it (RFC 8705 section 3).
        TokenBindingInvalid = "token_binding_invalid",
        /// The token, its session or its subject is on the revocation list, or it was issued before the time in that list.
        TokenRevoked = "token_revoked",
        /// A good token without the rights (RFC 6750 section 3.1).
        InsufficientScope = "insufficient_scope",
    }

    /// What made a verdict impossible.
    Obstacle {
        /// The keys that are needed to decide are unavailable.
        KeysUnavailable = "keys_unavailable",
        /// No revocation list is young enough to decide.
        RevocationsUnavailable = "revocations_unavailable",
        /// Not an authorizer event of API Gateway, or its ARN does not parse.
        EventUnsupported = "event_unsupported",
        /// A bug in this program.
        InternalError = "internal_error",
    }
}

impl Obstacle {
    /// This obstacle with what an operator should know about it.
    pub(crate) fn because(self, detail: impl Into<Cow<'static, str>>) -> Fault {
        Fault { obstacle: self, detail: detail.into() }
    }
}

/// No verdict is possible. The invocation fails and API Gateway answers 500; never a policy, since that is cached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What stood in the way.
    pub obstacle: Obstacle,
    /// What exactly, in fixed words.
    pub detail: Cow<'static, str>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.obstacle.code(), self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_the_order_of_the_checks_and_without_gaps() {
        assert!(Reason::ALL.is_sorted());
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(index, reason as usize);
        }
    }

    #[test]
    fn codes_are_unique() {
        let mut codes: Vec<_> = Reason::ALL
            .map(Reason::code)
            .into_iter()
            .chain(Obstacle::ALL.map(Obstacle::code))
            .collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len() + Obstacle::ALL.len());
    }

    #[test]
    fn a_fault_is_told_by_its_code_and_in_words() {
        let fault = Obstacle::KeysUnavailable.because("none were fetched");
        assert_eq!(fault.to_string(), "keys_unavailable: none were fetched");
    }
}
