//! The list of settings: what each may hold, and its default.

use std::ops::RangeInclusive;

use crate::jose::algorithm::Algorithms;

/// A setting: the variable it is read from, what it may hold, and the default where there is one.
#[derive(Clone, Debug)]
pub struct Setting<K = SettingKind> {
    /// The environment variable.
    pub name: &'static str,
    /// What its value may be.
    pub kind: K,
    /// What an unset or blank variable means; empty where the setting is off or has no default.
    pub default: &'static str,
}

/// What the value of a setting may be.
#[derive(Clone, Debug)]
pub enum SettingKind {
    /// A text.
    Text,
    /// A list, separated by commas, spaces or both. Where members are named here, it may have no others.
    List(&'static [&'static str]),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number within these bounds.
    Number(RangeInclusive<u64>),
    /// A JSON object or array, or `@` and the file that holds it. `REVOKED` may be the address of one.
    Json,
}

/// The words of a switch.
pub(super) const ON_OFF: &[&str] = &["on", "off"];

// A type for each kind, so that no setting is read as one of another kind.
pub(super) struct Text;
pub(super) struct List(#[expect(dead_code, reason = "read in SETTINGS")] &'static [&'static str]);
pub(super) struct Word(pub(super) &'static [&'static str]);
pub(super) struct Number(pub(super) RangeInclusive<u64>);
pub(super) struct Json;

/// A constant for each setting, by which it is read, and the list of all.
macro_rules! settings {
    ($($(#[$attribute:meta])* $name:ident: $kind:ident $(($limits:expr))? = $default:literal,)*) => {
        $($(#[$attribute])*
        pub(super) const $name: Setting<$kind> = Setting {
            name: stringify!($name),
            kind: $kind $(($limits))?,
            default: $default,
        };)*

        /// Every setting of this program, in the order of the documentation.
        pub const SETTINGS: &[Setting] = &[$(Setting {
            name: stringify!($name),
            kind: SettingKind::$kind $(($limits))?,
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
    TOKEN_BINDING: Word(&["refuse", "certificate", "ignore"]) = "refuse",
    REVOKED: Json = "",
    REVOKED_FRESH_SECONDS: Number(1..=3600) = "60",
    REVOKED_STALE_SECONDS: Number(1..=604_800) = "3600",
    SCOPE_CLAIMS: List(&[]) = "scope, scp",
    REQUIRED_SCOPES: List(&[]) = "",
    ROUTES: Json = "",
    PATH_GUARD: Word(ON_OFF) = "on",
    PRINCIPAL_CLAIM: List(&[]) = "sub",
    CONTEXT_CLAIMS: List(&[]) = "iss, sub, client_id, scope, exp, jti",
    USAGE_KEY_CLAIM: Text = "",
    REFUSAL: Word(&["deny", "unauthorized"]) = "deny",
    EXPIRY_GUARD: Word(ON_OFF) = "on",
    CHALLENGE_SCOPES: List(&[]) = "",
    RESOURCE_METADATA: Text = "",
    TOKEN_SOURCE: List(&[]) = "header:Authorization",
    BEARER_PREFIX: Word(&["required", "optional"]) = "required",
    SIMPLE_RESPONSE: Word(ON_OFF) = "off",
    JWKS_FRESH_SECONDS: Number(1..=86_400) = "600",
    JWKS_STALE_SECONDS: Number(1..=604_800) = "86400",
    JWKS_TIMEOUT_MS: Number(100..=10_000) = "2000",
    JWKS_CA_FILE: Text = "",
    METRICS_NAMESPACE: Text = "",
    ISSUERS: Json = "",
    AWS_LAMBDA_LOG_LEVEL: Word(&["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]) = "INFO",
    #[expect(dead_code, reason = "read by the log")]
    AWS_LAMBDA_LOG_FORMAT: Word(&["JSON", "TEXT"]) = "JSON",
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

/// The settings that one object of `ISSUERS` may hold, too. As variables they are for the issuers without their own.
pub(super) const OVERRIDABLE: [&str; 3] = ["PRINCIPAL_CLAIM", "REQUIRED_SCOPES", "ROUTES"];

/// Variables of others that are honoured.
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
