//! The list of settings: what each may hold, and its default.

use std::ops::RangeInclusive;

use crate::jose::algorithm::Algorithms;

/// A setting: the variable it is read from, what it may hold, and the default where there is one.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What its value may be.
    pub kind: SettingKind,
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
    /// A JSON object or array, or `@` and the file that holds it.
    Json,
}

const LIST: SettingKind = SettingKind::List(&[]);
const ON_OFF: SettingKind = SettingKind::Word(&["on", "off"]);

const fn setting(name: &'static str, kind: SettingKind, default: &'static str) -> Setting {
    Setting { name, kind, default }
}

/// Every setting of this program, in the order of the documentation.
pub const SETTINGS: [Setting; 30] = [
    setting("ISSUER", SettingKind::Text, ""),
    setting("AUDIENCE", LIST, ""),
    setting("JWKS_URI", SettingKind::Text, ""),
    setting("JWKS", SettingKind::Json, ""),
    setting("ALGORITHMS", SettingKind::List(&Algorithms::NAMES), "RS256"),
    setting("AUDIENCE_CLAIM", LIST, "aud"),
    setting("TOKEN_TYPES", LIST, "JWT, at+jwt"),
    setting("LEEWAY_SECONDS", SettingKind::Number(0..=300), "0"),
    setting("REQUIRED_CLAIMS", SettingKind::Json, "{}"),
    setting("MAX_TOKEN_SECONDS", SettingKind::Number(1..=31_536_000), ""),
    setting("SCOPE_CLAIMS", LIST, "scope, scp"),
    setting("REQUIRED_SCOPES", LIST, ""),
    setting("ROUTES", SettingKind::Json, ""),
    setting("PATH_GUARD", ON_OFF, "on"),
    setting("PRINCIPAL_CLAIM", LIST, "sub"),
    setting("CONTEXT_CLAIMS", LIST, "iss, sub, client_id, scope, exp, jti"),
    setting("USAGE_KEY_CLAIM", SettingKind::Text, ""),
    setting("REFUSAL", SettingKind::Word(&["deny", "unauthorized"]), "deny"),
    setting("EXPIRY_GUARD", ON_OFF, "on"),
    setting("TOKEN_SOURCE", LIST, "header:Authorization"),
    setting("BEARER_PREFIX", SettingKind::Word(&["required", "optional"]), "required"),
    setting("SIMPLE_RESPONSE", ON_OFF, "off"),
    setting("JWKS_FRESH_SECONDS", SettingKind::Number(1..=86_400), "600"),
    setting("JWKS_STALE_SECONDS", SettingKind::Number(1..=604_800), "86400"),
    setting("JWKS_TIMEOUT_MS", SettingKind::Number(100..=10_000), "2000"),
    setting("JWKS_CA_FILE", SettingKind::Text, ""),
    setting("METRICS_NAMESPACE", SettingKind::Text, ""),
    setting("ISSUERS", SettingKind::Json, ""),
    setting(
        "AWS_LAMBDA_LOG_LEVEL",
        SettingKind::Word(&["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]),
        "INFO",
    ),
    setting("AWS_LAMBDA_LOG_FORMAT", SettingKind::Word(&["JSON", "TEXT"]), "JSON"),
];

/// The settings that one object of `ISSUERS` holds, and that it excludes as variables. In an object their names
/// are in lower case.
pub(super) const PER_ISSUER: [&str; 9] = [
    "ISSUER",
    "AUDIENCE",
    "JWKS_URI",
    "JWKS",
    "ALGORITHMS",
    "AUDIENCE_CLAIM",
    "TOKEN_TYPES",
    "REQUIRED_CLAIMS",
    "SCOPE_CLAIMS",
];

/// Variables of others that are honoured.
pub(super) const PLATFORM: [&str; 2] = ["LAMBDA_TASK_ROOT", "SSL_CERT_FILE"];

/// Names that API Gateway fills itself in `$context.authorizer` (Developer Guide, "$context variables").
pub(super) const RESERVED_CONTEXT: [&str; 9] = [
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

pub(super) fn default(name: &str) -> &'static str {
    SETTINGS.iter().find(|setting| setting.name == name).map_or("", |setting| setting.default)
}

/// The bounds of a setting that is a number. Nothing is within those of any other.
pub(super) fn bounds(name: &str) -> RangeInclusive<u64> {
    match SETTINGS.into_iter().find(|setting| setting.name == name) {
        Some(Setting { kind: SettingKind::Number(bounds), .. }) => bounds,
        _ => RangeInclusive::new(1, 0),
    }
}

/// The words that a setting may be; none for a setting that is no word.
pub(super) fn words(name: &str) -> &'static [&'static str] {
    match SETTINGS.into_iter().find(|setting| setting.name == name) {
        Some(Setting { kind: SettingKind::Word(words), .. }) => words,
        _ => &[],
    }
}
