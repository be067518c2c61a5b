//! Names that are nearly a setting's. A check whose name is misspelled would be a check that is off.

use crate::config::settings::{SETTINGS, Setting};

/// Names of the platform begin with this. A mistyped one is not one of our settings.
const PLATFORM: &str = "AWS_";

/// The setting that a misspelled variable is meant for. The two names differ by one letter (changed, left out, added,
/// or swapped with its neighbour), or by two if the setting's name has eight or more. Letter case does not count.
pub(super) fn meant(variable: &str) -> Option<&'static str> {
    let typed = variable.to_ascii_uppercase();
    if typed.starts_with(PLATFORM) {
        return None;
    }
    let length = typed.chars().count();
    let mut near = Vec::new();
    for Setting { name, .. } in SETTINGS {
        if variable == *name {
            return None;
        }
        let most = if name.len() < 8 { 1 } else { 2 };
        // Only names of about the same length are compared: a variable's can have megabytes.
        if length.abs_diff(name.len()) <= most && !name.starts_with(PLATFORM) {
            let distance = strsim::damerau_levenshtein(&typed, name);
            if distance <= most {
                near.push((distance, *name));
            }
        }
    }
    let (_, nearest) = near.into_iter().min()?;
    Some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn a_name_one_or_two_letters_off_is_a_misspelled_setting() {
        for (name, expected) in [
            ("ROUTE", Some("ROUTES")),
            ("ROUTESS", Some("ROUTES")),
            ("ROUTEZ", Some("ROUTES")),
            ("RUOTES", Some("ROUTES")),
            ("OUTES", Some("ROUTES")),
            ("routes", Some("ROUTES")),
            ("Route", Some("ROUTES")),
            ("ROUT", None),
            ("RUOTE", None),
            ("ROUTERS", Some("ROUTES")),
            ("ROUTING", None),
            ("JWK", Some("JWKS")),
            ("JKWS", Some("JWKS")),
            ("JWT", None),
            ("REFUSALS", Some("REFUSAL")),
            ("REFUSE", None),
            ("ISSUE", Some("ISSUER")),
            ("ISSURE", Some("ISSUER")),
            ("IS_SUER", Some("ISSUER")),
            ("JWKS_URL", Some("JWKS_URI")),
            ("JWKSURI", Some("JWKS_URI")),
            ("JWK_URL", Some("JWKS_URI")),
            ("JWT_URI", Some("JWKS_URI")),
            ("JWT_URL", None),
            ("AUDIENCES", Some("AUDIENCE")),
            ("AUDIENZ", Some("AUDIENCE")),
            ("ADUIENEC", Some("AUDIENCE")),
            ("AUD", None),
            ("REQUIRED_SCOPE", Some("REQUIRED_SCOPES")),
            ("REQUIRE_SCOPE", Some("REQUIRED_SCOPES")),
            ("REQUIRED-SCOPES", Some("REQUIRED_SCOPES")),
            ("REQ_SCOPES", None),
            ("REQUIRED_CLAIM", Some("REQUIRED_CLAIMS")),
            ("ALGORITHM", Some("ALGORITHMS")),
            ("ALGORTIHM", Some("ALGORITHMS")),
            ("ALGS", None),
            ("TOKEN_TYPE", Some("TOKEN_TYPES")),
            ("EXPIRY_GAURD", Some("EXPIRY_GUARD")),
            ("LEEWAY_SECS", None),
            ("LEEWAY_SECOND", Some("LEEWAY_SECONDS")),
            ("ROUTE\u{fffd}", Some("ROUTES")),
            ("ÄUDIENCE", Some("AUDIENCE")),
            // A letter more or less between two that are swapped.
            ("TOKEN_BINNDG", Some("TOKEN_BINDING")),
            ("REIQRED_CLAIMS", Some("REQUIRED_CLAIMS")),
            ("ALRGITHMS", Some("ALGORITHMS")),
        ] {
            assert_eq!(meant(name), expected, "{name}");
        }
        assert_eq!(meant("ISUERS"), Some("ISSUERS"), "the nearest");
        assert_eq!(meant(&"ROUTES".repeat(100_000)), None);
    }

    #[test]
    fn no_setting_is_missed_by_one_letter() {
        let names: Vec<_> = SETTINGS.iter().map(|setting| setting.name).collect();
        for name in names.iter().filter(|name| !name.starts_with(PLATFORM)) {
            for at in 0..name.len() {
                let (head, tail) = name.split_at(at);
                let (letter, rest) = tail.split_at(1);
                let swapped = rest.get(..1).map(|next| [head, next, letter, &rest[1..]].concat());
                let others =
                    [format!("{head}{rest}"), format!("{head}q{rest}"), format!("{head}q{tail}")];
                for typed in others.into_iter().chain(swapped) {
                    let is_another = names.contains(&&*typed);
                    assert!(is_another || meant(&typed).is_some(), "{typed} for {name}");
                }
            }
        }
    }

    #[test]
    fn names_that_lambda_and_common_tools_set_are_not_hit() {
        // Lambda Developer Guide, "Defined runtime environment variables"; layers and extensions of AWS and others.
        let names = "_HANDLER _X_AMZN_TRACE_ID AWS_DEFAULT_REGION AWS_REGION AWS_EXECUTION_ENV AWS_ACCESS_KEY
            AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_LAMBDA_FUNCTION_NAME
            AWS_LAMBDA_FUNCTION_MEMORY_SIZE AWS_LAMBDA_FUNCTION_VERSION AWS_LAMBDA_INITIALIZATION_TYPE
            AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME AWS_LAMBDA_LOG_LEVEL AWS_LAMBDA_LOG_FORMAT
            AWS_LAMBDA_RUNTIME_API AWS_LAMBDA_MAX_CONCURRENCY AWS_LAMBDA_METADATA_API AWS_LAMBDA_METADATA_TOKEN
            AWS_LAMBDA_EXEC_WRAPPER AWS_XRAY_CONTEXT_MISSING AWS_XRAY_DAEMON_ADDRESS AWS_CONTAINER_CREDENTIALS_FULL_URI
            AWS_CONTAINER_AUTHORIZATION_TOKEN AWS_ENDPOINT_URL AWS_PROFILE AWS_LAMBDA_DOTNET_PREJIT
            LAMBDA_TASK_ROOT LAMBDA_RUNTIME_DIR LANG LC_ALL PATH LD_LIBRARY_PATH LD_PRELOAD NODE_PATH NODE_OPTIONS
            NODE_EXTRA_CA_CERTS PYTHONPATH GEM_PATH GEM_HOME BUNDLE_GEMFILE RUBYLIB CLASSPATH JAVA_TOOL_OPTIONS
            DOTNET_ROOT TZ HOME USER LOGNAME SHELL SHLVL PWD OLDPWD HOSTNAME HOST TERM TMPDIR TEMP EDITOR PAGER MAIL _
            POWERTOOLS_SERVICE_NAME POWERTOOLS_METRICS_NAMESPACE POWERTOOLS_LOG_LEVEL POWERTOOLS_LOGGER_LOG_EVENT
            POWERTOOLS_TRACE_DISABLED POWERTOOLS_DEV LOG_LEVEL SERVICE_NAME ENVIRONMENT STAGE REGION ACCOUNT_ID
            PARAMETERS_SECRETS_EXTENSION_HTTP_PORT PARAMETERS_SECRETS_EXTENSION_CACHE_ENABLED SSM_PARAMETER_STORE_TTL
            SECRETS_MANAGER_TTL CACHE_TTL
            OTEL_SERVICE_NAME OTEL_RESOURCE_ATTRIBUTES OTEL_EXPORTER_OTLP_ENDPOINT OTEL_EXPORTER_OTLP_HEADERS
            OTEL_TRACES_SAMPLER OTEL_TRACES_EXPORTER OTEL_METRICS_EXPORTER OTEL_PROPAGATORS OTEL_LOG_LEVEL
            OPENTELEMETRY_COLLECTOR_CONFIG_URI OPENTELEMETRY_COLLECTOR_CONFIG_FILE
            DD_API_KEY DD_API_KEY_SECRET_ARN DD_SITE DD_ENV DD_SERVICE DD_VERSION DD_TRACE_ENABLED DD_LOGS_ENABLED
            DD_SERVERLESS_LOGS_ENABLED DD_EXTENSION_VERSION DD_TAGS DD_LAMBDA_HANDLER DATADOG_SITE
            SENTRY_DSN SENTRY_ENVIRONMENT SENTRY_RELEASE SENTRY_TRACES_SAMPLE_RATE SENTRY_ORG
            NEW_RELIC_LICENSE_KEY NEW_RELIC_ACCOUNT_ID NEW_RELIC_LAMBDA_HANDLER NEW_RELIC_EXTENSION_LOGS_ENABLED
            DT_TENANT DT_CLUSTER_ID DT_CONNECTION_BASE_URL DT_CONNECTION_AUTH_TOKEN ELASTIC_APM_SERVER_URL
            ELASTIC_APM_SECRET_TOKEN LUMIGO_TRACER_TOKEN HONEYCOMB_API_KEY SPLUNK_ACCESS_TOKEN SPLUNK_REALM
            VAULT_ADDR VAULT_AUTH_ROLE VAULT_SECRET_PATH
            RUST_LOG RUST_BACKTRACE RUST_LIB_BACKTRACE RUST_MIN_STACK RUSTFLAGS CARGO_HOME RUSTUP_HOME
            SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE REQUESTS_CA_BUNDLE HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
            http_proxy https_proxy all_proxy no_proxy MALLOC_ARENA_MAX GLIBC_TUNABLES NO_COLOR CI
            TOKEN ISSUER_URL OIDC_ISSUER OIDC_AUDIENCE JWT_SECRET JWT_ISSUER JWT_AUDIENCE CLIENT_ID CLIENT_SECRET
            COGNITO_USER_POOL_ID AUTH0_DOMAIN TABLE_NAME BUCKET_NAME QUEUE_URL API_URL BASE_URL PORT DEBUG";
        for name in names.split_whitespace() {
            let is_setting = SETTINGS.iter().any(|setting| setting.name == name);
            assert!(is_setting || meant(name).is_none(), "{name} is taken for {:?}", meant(name));
        }
        for name in
            ["AWS_LAMBDA_LOG_LEVE", "aws_lambda_log_format", "AWS_JWKS", "WS_LAMBDA_LOG_LEVEL"]
        {
            assert_eq!(meant(name), None, "{name}");
        }
    }
}
