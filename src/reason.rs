//! Why a request is not allowed: a closed list of reasons with stable codes.
//!
//! "No" and "cannot tell" are different types. A [`Denial`](crate::denial::Denial) is a verdict about the token and
//! may be answered with a policy, which API Gateway caches; a [`Fault`] means that no verdict was possible, so that
//! nothing may be cached.

use std::borrow::Cow;
use std::fmt;

/// A verdict against the token, in the order in which the checks run: the first that fails gives the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The event holds no credential.
    TokenMissing,
    /// The token has more than [`MAX_TOKEN_BYTES`](crate::jose::token::MAX_TOKEN_BYTES).
    TokenTooLong,
    /// Not exactly one bearer token in JWS compact form (RFC 7515 section 7.1), read strictly.
    TokenMalformed,
    /// `crit` or `b64` is present (RFC 7515 section 4.1.11, RFC 7797).
    CriticalHeaderUnsupported,
    /// `typ` is not accepted, or `cty` announces a nested JWT (RFC 8725 section 3.11).
    TypeNotAccepted,
    /// `alg` is not on the issuer's list (RFC 8725 section 3.1).
    AlgorithmNotAllowed,
    /// `iss` is missing, not a string, or not one of the trusted issuers (RFC 8725 section 3.8).
    IssuerUntrusted,
    /// The issuer has no usable key for this `kid` and `alg`.
    KeyUnknown,
    /// No fitting key verifies the signature.
    SignatureInvalid,
    /// `exp` is not later than now (RFC 7519 section 4.1.4).
    TokenExpired,
    /// `nbf` is later than now (RFC 7519 section 4.1.5).
    TokenNotYetValid,
    /// The audience claim holds no accepted audience (RFC 7519 section 4.1.3).
    AudienceMismatch,
    /// A claim that is needed is absent or null.
    ClaimMissing,
    /// A claim is of the wrong type, or does not have a required value.
    ClaimInvalid,
    /// The token is bound to a key or certificate, and the request does not prove it (RFC 8705 section 3).
    TokenBindingInvalid,
    /// The token, its session or its subject is on the revocation list, or it was issued before the time in that list.
    TokenRevoked,
    /// A good token without the rights (RFC 6750 section 3.1).
    InsufficientScope,
}

impl Reason {
    /// The whole list, in the order of the checks.
    pub const ALL: [Self; 17] = [
        Self::TokenMissing,
        Self::TokenTooLong,
        Self::TokenMalformed,
        Self::CriticalHeaderUnsupported,
        Self::TypeNotAccepted,
        Self::AlgorithmNotAllowed,
        Self::IssuerUntrusted,
        Self::KeyUnknown,
        Self::SignatureInvalid,
        Self::TokenExpired,
        Self::TokenNotYetValid,
        Self::AudienceMismatch,
        Self::ClaimMissing,
        Self::ClaimInvalid,
        Self::TokenBindingInvalid,
        Self::TokenRevoked,
        Self::InsufficientScope,
    ];

    /// The stable code: the same in log, metric, `context.reason` and documentation.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TokenMissing => "token_missing",
            Self::TokenTooLong => "token_too_long",
            Self::TokenMalformed => "token_malformed",
            Self::CriticalHeaderUnsupported => "critical_header_unsupported",
            Self::TypeNotAccepted => "type_not_accepted",
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::IssuerUntrusted => "issuer_untrusted",
            Self::KeyUnknown => "key_unknown",
            Self::SignatureInvalid => "signature_invalid",
            Self::TokenExpired => "token_expired",
            Self::TokenNotYetValid => "token_not_yet_valid",
            Self::AudienceMismatch => "audience_mismatch",
            Self::ClaimMissing => "claim_missing",
            Self::ClaimInvalid => "claim_invalid",
            Self::TokenBindingInvalid => "token_binding_invalid",
            Self::TokenRevoked => "token_revoked",
            Self::InsufficientScope => "insufficient_scope",
        }
    }
}

/// What made a verdict impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Obstacle {
    /// The keys that are needed to decide are unavailable.
    KeysUnavailable,
    /// No revocation list is young enough to decide.
    RevocationsUnavailable,
    /// Not an authorizer event of API Gateway, or its ARN does not parse.
    EventUnsupported,
    /// A bug in this program.
    InternalError,
}

impl Obstacle {
    /// The whole list.
    pub const ALL: [Self; 4] = [
        Self::KeysUnavailable,
        Self::RevocationsUnavailable,
        Self::EventUnsupported,
        Self::InternalError,
    ];

    /// The stable code: the same in log, `errorType` and documentation.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::KeysUnavailable => "keys_unavailable",
            Self::RevocationsUnavailable => "revocations_unavailable",
            Self::EventUnsupported => "event_unsupported",
            Self::InternalError => "internal_error",
        }
    }

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
