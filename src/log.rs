//! The log: one JSON object a line, as Lambda's logging controls expect, or text.
//!
//! Dependencies are silent, whatever the level: at their finest they would log events, and so tokens.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

/// Starts logging to stdout. `level` and `format` are what Lambda's logging controls put into
/// `AWS_LAMBDA_LOG_LEVEL` and `AWS_LAMBDA_LOG_FORMAT`; values that Lambda does not know are warned of.
pub fn start(level: Option<&str>, format: Option<&str>) {
    let set = |value: Option<&str>| value.map(|value| value.trim().to_uppercase()).filter(|value| !value.is_empty());
    let (level, format) = (set(level), set(format));
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
