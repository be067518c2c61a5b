//! The list of settings: what each can hold, and its default.

use std::marker::PhantomData;
use std::ops::RangeInclusive;

use crate::access::binding::TokenBinding;
use crate::access::rights::PolicyScope;
use crate::config::words::{
    Choice, ExpiryGuard, LogFormat, LogLevel, OnRefusal, PathGuard, SimpleResponse,
};
use crate::gateway::credential::BearerPrefix;
use crate::jose::algorithm::Algorithms;

/// A setting: the variable it is read from, what it can hold, and the default where there is one.
#[derive(Clone, Debug)]
pub struct Setting<K = SettingKind> {
    /// The environment variable.
    pub name: &'static str,
    /// What its value can be.
    pub kind: K,
    /// What an unset or blank variable means; empty where the setting is off or has no default.
    pub default: &'static str,
}

/// What the value of a setting can be.
#[derive(Clone, Debug)]
pub enum SettingKind {
    /// A string.
    Text,
    /// A list, separated by commas, spaces or both. If members are named here, it can have no others.
    List(&'static [&'static str]),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number within these bounds.
    Number(RangeInclusive<u64>),
    /// A JSON object or array, or `@` and the file that holds it. `REVOKED` can be the address of one.
    Json,
}

// A type for each kind, so that no setting is read as one of another kind.
pub(super) struct Text;
pub(super) struct List(#[expect(dead_code, reason = "read in SETTINGS")] &'static [&'static str]);
/// The words of an enum.
pub(super) struct Word<T>(PhantomData<T>);
pub(super) struct Number(RangeInclusive<u64>);
pub(super) struct Json;

impl Setting<Number> {
    /// A number within the bounds. The error says what they are.
    pub(super) fn within_bounds(&self, number: Option<u64>) -> Result<u64, String> {
        let Number(bounds) = &self.kind;
        match number {
            Some(number) if bounds.contains(&number) => Ok(number),
            _ => {
                let (least, most) = (bounds.start(), bounds.end());
                Err(format!("must be a whole number from {least} to {most}"))
            }
        }
    }
}

/// A constant for each setting, by which it is read, and the list of all.
macro_rules! settings {
    ($(
        $(#[$attribute:meta])*
        $name:ident: $kind:ident $(<$choice:ident>)? $(($limits:expr))? = $default:literal,
    )*) => {
        $($(#[$attribute])*
        pub(super) const $name: Setting<$kind $(<$choice>)?> = Setting {
            name: stringify!($name),
            kind: $kind $(::<$choice>(PhantomData))? $(($limits))?,
            default: $default,
        };)*

        /// Every setting of this program, in the order of the documentation.
        pub const SETTINGS: &[Setting] = &[$(Setting {
            name: stringify!($name),
            kind: SettingKind::$kind $((<$choice as Choice>::WORDS))? $(($limits))?,
            default: $default,
        }),*];
    };
}

settings! {
    ISSUER: List(&[]) = "",
    TENANTS: List(&[]) = "",
    AUDIENCE: List(&[]) = "",
    JWKS_URI: Text = "",
    JWKS: Json = "",
    ALGORITHMS: List(&Algorithms::NAMES) = "RS256",
    AUDIENCE_CLAIM: List(&[]) = "aud",
    TOKEN_TYPES: List(&[]) = "JWT, at+jwt",
    LEEWAY_SECONDS: Number(0..=300) = "0",
    REQUIRED_CLAIMS: Json = "{}",
    MAX_TOKEN_SECONDS: Number(1..=31_536_000) = "",
    TOKEN_BINDING: Word<TokenBinding> = "refuse",
    REVOKED: Json = "",
    REVOKED_FRESH_SECONDS: Number(1..=3600) = "60",
    REVOKED_STALE_SECONDS: Number(1..=604_800) = "3600",
    SCOPE_CLAIMS: List(&[]) = "scope, scp",
    REQUIRED_SCOPES: List(&[]) = "",
    ROUTES: Json = "",
    PATH_GUARD: Word<PathGuard> = "on",
    POLICY_SCOPE: Word<PolicyScope> = "stage",
    PRINCIPAL_CLAIM: List(&[]) = "sub",
    CONTEXT_CLAIMS: List(&[]) = "iss, sub, client_id, scope, exp, jti",
    USAGE_KEY_CLAIM: Text = "",
    REFUSAL: Word<OnRefusal> = "deny",
    EXPIRY_GUARD: Word<ExpiryGuard> = "on",
    CHALLENGE_SCOPES: List(&[]) = "",
    RESOURCE_METADATA: Text = "",
    TOKEN_SOURCE: List(&[]) = "header:Authorization",
    BEARER_PREFIX: Word<BearerPrefix> = "required",
    SIMPLE_RESPONSE: Word<SimpleResponse> = "off",
    JWKS_FRESH_SECONDS: Number(1..=86_400) = "600",
    JWKS_STALE_SECONDS: Number(1..=604_800) = "86400",
    JWKS_TIMEOUT_MS: Number(100..=10_000) = "2000",
    JWKS_CA_FILE: Text = "",
    TRIAL: Json = "",
    METRICS_NAMESPACE: Text = "",
    ISSUERS: Json = "",
    AWS_LAMBDA_LOG_LEVEL: Word<LogLevel> = "INFO",
    #[expect(dead_code, reason = "read by the log")]
    AWS_LAMBDA_LOG_FORMAT: Word<LogFormat> = "JSON",
}

/// The settings that one object of `ISSUERS` holds, and that it excludes as variables. In an object their names
/// are in lower case.
pub(super) const PER_ISSUER: [&str; 11] = [
    "ISSUER",
    "TENANTS",
    "AUDIENCE",
    "JWKS_URI",
    "JWKS",
    "ALGORITHMS",
    "AUDIENCE_CLAIM",
    "TOKEN_TYPES",
    "REQUIRED_CLAIMS",
    "REVOKED",
    "SCOPE_CLAIMS",
];

/// The settings that one object of `ISSUERS` can hold as well. As variables they apply to issuers without their own.
pub(super) const OVERRIDABLE: [&str; 3] = ["PRINCIPAL_CLAIM", "REQUIRED_SCOPES", "ROUTES"];

/// Variables that are not ours but are honoured.
pub(super) const PLATFORM: [&str; 2] = ["LAMBDA_TASK_ROOT", "SSL_CERT_FILE"];

/// Names that API Gateway fills itself in `$context.authorizer` (Developer Guide, "$context variables"), and those
/// of a Deny.
pub(super) const RESERVED_CONTEXT: [&str; 10] = [
    "challenge",
    "claims",
    "error",
    "integrationLatency",
    "integrationStatus",
    "latency",
    "principalId",
    "reason",
    "requestId",
    "status",
];
