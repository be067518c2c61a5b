//! The log: one JSON object a line, as Lambda's logging controls expect, or text.
//!
//! Dependencies are silent, whatever the level: at their finest they would log events, and so tokens.

use serde_json::json;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use crate::clock::Now;
use crate::config::{BAD_CONFIGURATION, Problems};
use crate::environment::Environment;

/// What Lambda's logging controls set.
const LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";
const FORMAT: &str = "AWS_LAMBDA_LOG_FORMAT";

/// Starts logging to stdout, as `AWS_LAMBDA_LOG_LEVEL` and `AWS_LAMBDA_LOG_FORMAT` say; values that Lambda does not
/// know are warned of.
pub fn start(environment: &Environment) {
    let (level, format) = (control(environment, LEVEL), control(environment, FORMAT));
    let max = match level.as_deref() {
        Some("TRACE") => Some(LevelFilter::TRACE),
        Some("DEBUG") => Some(LevelFilter::DEBUG),
        None | Some("INFO") => Some(LevelFilter::INFO),
        Some("WARN") => Some(LevelFilter::WARN),
        Some("ERROR" | "FATAL") => Some(LevelFilter::ERROR),
        Some(_) => None,
    };
    let is_json = match format.as_deref() {
        None | Some("JSON") => Some(true),
        Some("TEXT") => Some(false),
        Some(_) => None,
    };
    let targets = Targets::new().with_target("token_authorizer", max.unwrap_or(LevelFilter::INFO));
    let line = fmt::layer().with_target(false).with_ansi(false);
    let line = if is_json.unwrap_or(true) {
        line.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    } else {
        line.boxed()
    };
    tracing_subscriber::registry().with(targets).with(line).init();
    if max.is_none() {
        tracing::warn!("AWS_LAMBDA_LOG_LEVEL: want TRACE, DEBUG, INFO, WARN, ERROR or FATAL; INFO is used");
    }
    if is_json.is_none() {
        tracing::warn!("AWS_LAMBDA_LOG_FORMAT: want JSON or TEXT; JSON is used");
    }
    // The default hook would print the panic's message, which may quote what was being parsed.
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(location, "panic");
    }));
}

/// Writes to stderr what is wrong with the configuration: as one JSON event where Lambda's log format is set to that,
/// and in plain lines otherwise. It is written at every log level.
#[allow(clippy::print_stderr, reason = "Lambda collects it, and a terminal shows it")]
pub fn bad_configuration(problems: &Problems, environment: &Environment) {
    if control(environment, FORMAT).as_deref() != Some("JSON") {
        return eprintln!("{problems}");
    }
    let event = json!({
        "timestamp": humantime::format_rfc3339_micros(Now::read().wall()).to_string(),
        "level": "ERROR",
        "message": BAD_CONFIGURATION,
        "problems": problems.0.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    eprintln!("{event}");
}

/// One of Lambda's logging controls, in upper case; nothing where it is blank.
fn control(environment: &Environment, name: &str) -> Option<String> {
    let value = environment.get_lossy(name).map(|value| value.trim().to_uppercase());
    value.filter(|value| !value.is_empty())
}
