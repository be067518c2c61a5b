//! Why a token is refused: each reason with its facts, and how they read in the log.
//!
//! Facts are fixed words, configured names, numbers, and the thumbprint of a client certificate: never a byte of the
//! token.

use std::fmt;

use crate::reason::{Fault, Reason};

/// The longest time that is shown, in seconds: a number of a token can have hundreds of digits.
pub(crate) const MAX_SHOWN_SECONDS: f64 = 1e10;

/// The most configured values that are shown.
const MAX_SHOWN_VALUES: usize = 8;

/// The token is refused, or valid but lacks the required rights. API Gateway answers 401 or 403. Displayed, it is the
/// detail for the log: empty where the reason says it all, and without configured values, which may be secrets of
/// `ISSUERS`. [`Denial::expected`] has these.
#[derive(Clone, Debug, PartialEq)]
pub enum Denial {
    /// See [`Reason::TokenMissing`].
    TokenMissing {
        /// Where a credential was looked for, as `TOKEN_SOURCE` writes it.
        searched: Vec<String>,
    },
    /// See [`Reason::TokenTooLong`].
    TokenTooLong {
        /// The most bytes that are read.
        limit: usize,
    },
    /// See [`Reason::TokenMalformed`].
    TokenMalformed(Malformed),
    /// See [`Reason::CriticalHeaderUnsupported`].
    CriticalHeaderUnsupported {
        /// The header member: `crit` or `b64`.
        member: &'static str,
    },
    /// See [`Reason::TypeNotAccepted`].
    TypeNotAccepted {
        /// The accepted values of `typ`; none if the token was refused for its `cty`.
        accepted: Option<Vec<String>>,
    },
    /// See [`Reason::AlgorithmNotAllowed`].
    AlgorithmNotAllowed {
        /// The allowed algorithms, by their names.
        allowed: Vec<&'static str>,
    },
    /// See [`Reason::IssuerUntrusted`].
    IssuerUntrusted {
        /// A trusted issuer that is another name of the one in the token.
        alias: Option<String>,
    },
    /// See [`Reason::KeyUnknown`].
    KeyUnknown {
        /// The most keys that are tried on a token without `kid`, if more fit.
        limit: Option<usize>,
    },
    /// See [`Reason::SignatureInvalid`].
    SignatureInvalid {
        /// Whether the token's header has `nonce`.
        has_nonce: bool,
    },
    /// See [`Reason::TokenExpired`].
    TokenExpired {
        /// Since `exp`, leeway not counted.
        seconds_ago: f64,
    },
    /// See [`Reason::TokenNotYetValid`].
    TokenNotYetValid {
        /// Until `nbf`, leeway not counted.
        seconds_ahead: f64,
    },
    /// See [`Reason::AudienceMismatch`].
    AudienceMismatch {
        /// The audience claim that the token has.
        claim: String,
        /// The accepted audiences.
        accepted: Vec<String>,
    },
    /// See [`Reason::ClaimMissing`].
    ClaimMissing {
        /// The claims of which one must be present.
        any_of: Vec<String>,
    },
    /// See [`Reason::ClaimInvalid`].
    ClaimInvalid {
        /// The claim.
        claim: String,
        /// What is wrong with it.
        problem: ClaimProblem,
    },
    /// See [`Reason::TokenBindingInvalid`].
    TokenBindingInvalid(BindingProblem),
    /// See [`Reason::TokenRevoked`].
    TokenRevoked(RevokedBy),
    /// See [`Reason::InsufficientScope`].
    InsufficientScope {
        /// Who calls. The one fact that is from the token: it is answered, and never displayed.
        principal: String,
        /// What the caller lacks.
        lacks: MissingRights,
        /// Whether the token has `_claim_names`: claims that it should have are elsewhere.
        has_distributed_claims: bool,
    },
}

/// What keeps a credential from being one bearer token in JWS compact form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The header names another scheme, or none.
    Scheme,
    /// Nothing, or more than one word, follows the scheme.
    NotOneToken,
    /// One source holds different tokens.
    SeveralTokens,
    /// The name of the token's subprotocol comes last or twice.
    Subprotocol,
    /// The token does not have three segments.
    Segments,
    /// The header is not a JSON object in base64url.
    Header,
    /// The payload is not a JSON object in base64url.
    Payload,
    /// The signature is not base64url.
    Signature,
    /// The header member `alg` is absent or not a string.
    Algorithm,
    /// The header member `kid`, `typ` or `cty` is not a string.
    HeaderMember,
    /// The header has `zip`.
    Compressed,
    /// The header or the payload has bytes that are not UTF-8, or half of a surrogate pair.
    NotUnicode,
}

/// What is wrong with a claim.
#[derive(Clone, Debug, PartialEq)]
pub enum ClaimProblem {
    /// It is not a finite number, as dates are.
    NotADate,
    /// It is beyond the year 9999.
    BeyondYear9999,
    /// It is a time in the future.
    InFuture,
    /// It is neither a string nor an array of strings.
    NotStrings,
    /// It does not hold a name: a string that is not blank, without control characters.
    NotAName,
    /// It does not hold a name, since it is not a string.
    NotAString {
        /// What it is.
        kind: &'static str,
    },
    /// The token lives longer than `MAX_TOKEN_SECONDS`.
    LifeTooLong {
        /// From `iat` to `exp`.
        seconds: f64,
        /// The limit.
        max: f64,
    },
    /// It is not what `REQUIRED_CLAIMS` says, in words.
    Requirement(String),
}

/// What is wrong with the binding of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindingProblem {
    /// The token is bound, and bound tokens are refused.
    Refused,
    /// The token names no certificate.
    NoThumbprint,
    /// The event has no client certificate.
    NoCertificate,
    /// The client certificate of the event is not PEM.
    NotPem,
    /// The token names another certificate.
    OtherCertificate {
        /// The thumbprint of the client certificate.
        presented: String,
    },
}

/// The entry of a revocation list that a token matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokedBy {
    /// Its `jti`.
    Jti,
    /// Its `sid`.
    Sid,
    /// Its `sub`, and the token was not issued since.
    Sub,
    /// `before`: the token was not issued since.
    Before,
}

/// What a caller with a valid token lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingRights {
    /// A scope that every caller needs.
    Scope {
        /// The first one that is missing.
        missing: String,
        /// All that are required, for the challenge.
        required: Vec<String>,
    },
    /// No entry of the table is open.
    NoRoute,
    /// The entries do not open the route of the request.
    Route,
    /// The user has to sign in again: with that, the entries would open the route, or at least one.
    SignIn(StepUp),
    /// `PATH_GUARD` refuses the path of the request.
    Guard,
}

/// What a new sign-in must be like (RFC 9470 section 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepUp {
    /// How old it can be in seconds, if the sign-in of the token is too old.
    pub max_age: Option<u32>,
    /// The authentication context classes (`acr`) of which it must have one; none if that does not matter.
    pub acr_values: Vec<String>,
}

impl Denial {
    /// The rule that was broken.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::TokenMissing { .. } => Reason::TokenMissing,
            Self::TokenTooLong { .. } => Reason::TokenTooLong,
            Self::TokenMalformed(_) => Reason::TokenMalformed,
            Self::CriticalHeaderUnsupported { .. } => Reason::CriticalHeaderUnsupported,
            Self::TypeNotAccepted { .. } => Reason::TypeNotAccepted,
            Self::AlgorithmNotAllowed { .. } => Reason::AlgorithmNotAllowed,
            Self::IssuerUntrusted { .. } => Reason::IssuerUntrusted,
            Self::KeyUnknown { .. } => Reason::KeyUnknown,
            Self::SignatureInvalid { .. } => Reason::SignatureInvalid,
            Self::TokenExpired { .. } => Reason::TokenExpired,
            Self::TokenNotYetValid { .. } => Reason::TokenNotYetValid,
            Self::AudienceMismatch { .. } => Reason::AudienceMismatch,
            Self::ClaimMissing { .. } => Reason::ClaimMissing,
            Self::ClaimInvalid { .. } => Reason::ClaimInvalid,
            Self::TokenBindingInvalid(_) => Reason::TokenBindingInvalid,
            Self::TokenRevoked(_) => Reason::TokenRevoked,
            Self::InsufficientScope { .. } => Reason::InsufficientScope,
        }
    }

    /// What the settings expect in place of what the token has, if the denial knows it.
    #[must_use]
    pub fn expected(&self) -> Option<String> {
        match self {
            Self::TypeNotAccepted { accepted: Some(accepted) } => {
                Some(format!("`typ` must be {}, in any letter case", one_of(accepted)))
            }
            Self::AlgorithmNotAllowed { allowed } => {
                Some(format!("`alg` must be {}", one_of(allowed)))
            }
            Self::AudienceMismatch { claim, accepted } => {
                Some(format!("`{claim}` must hold {}", one_of(accepted)))
            }
            Self::ClaimInvalid { problem: ClaimProblem::Requirement(requirement), .. } => {
                Some(format!("the token must have {requirement}"))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TokenMissing { searched } => write!(f, "looked in {}", shown(searched)),
            Self::TokenTooLong { limit } => write!(f, "must have at most {limit} bytes"),
            Self::TokenMalformed(problem) => problem.fmt(f),
            Self::CriticalHeaderUnsupported { member } => write!(f, "header member `{member}`"),
            Self::TypeNotAccepted { accepted: Some(_) } => f.write_str("header member `typ`"),
            Self::TypeNotAccepted { accepted: None } => f.write_str("a nested JWT"),
            Self::IssuerUntrusted { alias: Some(alias) } => {
                write!(f, "another name of the user pool {alias}; ISSUER takes both")
            }
            Self::AlgorithmNotAllowed { .. }
            | Self::IssuerUntrusted { alias: None }
            | Self::KeyUnknown { limit: None }
            | Self::SignatureInvalid { has_nonce: false } => Ok(()),
            Self::KeyUnknown { limit: Some(limit) } => {
                write!(f, "the token has no `kid`, and more than {limit} keys fit its `alg`")
            }
            Self::SignatureInvalid { has_nonce: true } => f.write_str(
                "the header has `nonce`: Entra ID's tokens for Microsoft Graph have one, and only Graph can verify \
                 them; the client must request a token for this API",
            ),
            Self::TokenExpired { seconds_ago } => {
                write!(f, "{:.0} s ago", seconds_ago.min(MAX_SHOWN_SECONDS))
            }
            Self::TokenNotYetValid { seconds_ahead } => {
                write!(f, "in {:.0} s", seconds_ahead.min(MAX_SHOWN_SECONDS))
            }
            Self::AudienceMismatch { claim, .. } => write!(f, "claim `{claim}`"),
            Self::ClaimMissing { any_of } => write!(f, "claim `{}`", any_of.join("` or `")),
            Self::ClaimInvalid { claim, problem } => write!(f, "claim `{claim}`{problem}"),
            Self::TokenBindingInvalid(problem) => problem.fmt(f),
            Self::TokenRevoked(entry) => entry.fmt(f),
            Self::InsufficientScope { lacks, has_distributed_claims: false, .. } => lacks.fmt(f),
            Self::InsufficientScope { lacks, has_distributed_claims: true, .. } => write!(
                f,
                "{lacks}; the token has `_claim_names`: a claim was too long for it, for example the groups of a \
                 user who is in very many"
            ),
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the scheme is not `Bearer`",
            Self::NotOneToken => "not exactly one token after the scheme",
            Self::SeveralTokens => "several tokens in one source",
            Self::Subprotocol => {
                "the subprotocol before the token must come once, and a token after it"
            }
            Self::Segments => "not three segments",
            Self::Header => "the header is not a JSON object in base64url",
            Self::Payload => "the payload is not a JSON object in base64url",
            Self::Signature => "the signature is not base64url",
            Self::Algorithm => "header member `alg` is absent or not a string",
            Self::HeaderMember => "header member `kid`, `typ` or `cty` is not a string",
            Self::Compressed => "header member `zip` is not supported",
            Self::NotUnicode => {
                "a string in the token is not Unicode: bytes that are not UTF-8, or half of a surrogate pair"
            }
        })
    }
}

/// What follows the name of the claim.
impl fmt::Display for ClaimProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotADate => f.write_str(" must be a number of seconds"),
            Self::BeyondYear9999 => {
                f.write_str(" is beyond the year 9999; it must be in seconds, not milliseconds")
            }
            Self::InFuture => f.write_str(" is in the future"),
            Self::NotStrings => f.write_str(" must be a string or an array of strings"),
            Self::NotAName => {
                f.write_str(" must be a string that is not blank, without control characters")
            }
            Self::NotAString { kind } => {
                write!(
                    f,
                    " is {kind}, not a string: PRINCIPAL_CLAIM must name a claim that is a string"
                )
            }
            Self::LifeTooLong { seconds, max } => {
                let seconds = seconds.min(MAX_SHOWN_SECONDS);
                write!(f, ": {seconds:.0} s after `iat`, more than {max}")
            }
            Self::Requirement(_) => Ok(()),
        }
    }
}

impl fmt::Display for BindingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("claim `cnf`, which TOKEN_BINDING refuses"),
            Self::NoThumbprint => f.write_str("claim `cnf` names no certificate (`x5t#S256`)"),
            Self::NoCertificate => f.write_str("the event has no client certificate"),
            Self::NotPem => f.write_str("the client certificate of the event is not PEM"),
            Self::OtherCertificate { presented } => {
                write!(f, "bound to another certificate than {presented}")
            }
        }
    }
}

impl fmt::Display for RevokedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jti => "its `jti` is listed",
            Self::Sid => "its `sid` is listed",
            Self::Sub => "its `sub` is listed, and it was not issued since",
            Self::Before => "it was not issued since `before`",
        })
    }
}

impl fmt::Display for MissingRights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope { missing, .. } => write!(f, "scope `{missing}`"),
            Self::NoRoute => f.write_str("no route of the table is open to the token"),
            Self::Route => f.write_str("the route is not open to the token"),
            Self::SignIn(step_up) => step_up.fmt(f),
            Self::Guard => f.write_str("PATH_GUARD refuses the path"),
        }
    }
}

/// Without the values of `acr`, which are configured.
impl fmt::Display for StepUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.max_age, self.acr_values.is_empty()) {
            (Some(max_age), true) => {
                write!(f, "needs a sign-in at most {max_age} s ago, by the claim `auth_time`")
            }
            (Some(max_age), false) => {
                write!(f, "needs a sign-in at most {max_age} s ago, with another `acr`")
            }
            (None, _) => f.write_str("needs a sign-in with another `acr`"),
        }
    }
}

/// The first values of a list, with the number of the others.
fn shown(values: &[impl AsRef<str>]) -> String {
    let mut text = String::new();
    for (index, value) in values.iter().take(MAX_SHOWN_VALUES).enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str(value.as_ref());
    }
    if values.len() > MAX_SHOWN_VALUES {
        text.push_str(&format!(" and {} more", values.len() - MAX_SHOWN_VALUES));
    }
    text
}

fn one_of(values: &[impl AsRef<str>]) -> String {
    let all = shown(values);
    if values.len() == 1 { all } else { format!("one of {all}") }
}

/// Why a request is not allowed: a verdict, or none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Refusal {
    /// A verdict: no.
    Denied(Denial),
    /// No verdict.
    Undecided(Fault),
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Undecided(fault)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A denial for each reason, in their order.
    pub(crate) fn one_of_each() -> [Denial; Reason::ALL.len()] {
        let text = || "x".to_owned();
        [
            Denial::TokenMissing { searched: vec![text()] },
            Denial::TokenTooLong { limit: 1 },
            Denial::TokenMalformed(Malformed::Segments),
            Denial::CriticalHeaderUnsupported { member: "crit" },
            Denial::TypeNotAccepted { accepted: None },
            Denial::AlgorithmNotAllowed { allowed: vec!["RS256"] },
            Denial::IssuerUntrusted { alias: None },
            Denial::KeyUnknown { limit: None },
            Denial::SignatureInvalid { has_nonce: false },
            Denial::TokenExpired { seconds_ago: 1.0 },
            Denial::TokenNotYetValid { seconds_ahead: 1.0 },
            Denial::AudienceMismatch { claim: text(), accepted: vec![text()] },
            Denial::ClaimMissing { any_of: vec![text()] },
            Denial::ClaimInvalid { claim: text(), problem: ClaimProblem::NotADate },
            Denial::TokenBindingInvalid(BindingProblem::Refused),
            Denial::TokenRevoked(RevokedBy::Jti),
            Denial::InsufficientScope {
                principal: text(),
                lacks: MissingRights::NoRoute,
                has_distributed_claims: false,
            },
        ]
    }

    #[test]
    fn the_log_shows_no_configured_value() {
        let secret = || vec!["secret".to_owned()];
        let claim = || "c".to_owned();
        for (denial, expected) in [
            (
                Denial::TypeNotAccepted { accepted: Some(secret()) },
                "`typ` must be secret, in any letter case",
            ),
            (
                Denial::AudienceMismatch { claim: claim(), accepted: secret() },
                "`c` must hold secret",
            ),
            (
                Denial::ClaimInvalid {
                    claim: claim(),
                    problem: ClaimProblem::Requirement("secret".to_owned()),
                },
                "the token must have secret",
            ),
        ] {
            assert!(!denial.to_string().contains("secret"), "{denial}");
            assert_eq!(denial.expected().as_deref(), Some(expected));
        }
    }

    #[test]
    fn the_principal_is_never_displayed() {
        let lacks = MissingRights::Scope { missing: "a".into(), required: vec!["a".into()] };
        let denial = |has_distributed_claims| Denial::InsufficientScope {
            principal: "secret".to_owned(),
            lacks: lacks.clone(),
            has_distributed_claims,
        };
        assert!(!denial(true).to_string().contains("secret"));
        let denial = denial(false);
        assert_eq!(denial.to_string(), "scope `a`");
        assert_eq!(denial.expected(), None);
    }

    #[test]
    fn a_missing_sign_in_is_displayed_without_the_values_of_acr() {
        let shown = |max_age, acr_values: &[&str]| {
            let acr_values = acr_values.iter().map(ToString::to_string).collect();
            MissingRights::SignIn(StepUp { max_age, acr_values }).to_string()
        };
        let recent = "needs a sign-in at most 300 s ago, by the claim `auth_time`";
        assert_eq!(shown(Some(300), &[]), recent);
        assert_eq!(
            shown(Some(300), &["x"]),
            "needs a sign-in at most 300 s ago, with another `acr`"
        );
        assert_eq!(shown(None, &["x"]), "needs a sign-in with another `acr`");
    }

    #[test]
    fn long_lists_and_times_are_shown_in_part() {
        let searched = (0..10).map(|n| n.to_string()).collect();
        let missing = Denial::TokenMissing { searched };
        assert_eq!(missing.to_string(), "looked in 0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
        let ago = |seconds_ago| Denial::TokenExpired { seconds_ago }.to_string();
        assert_eq!((ago(1e300), ago(59.6)), ("10000000000 s ago".into(), "60 s ago".into()));
    }
}
