//! The log: one JSON object a line, as Lambda's logging controls expect, or text.
//!
//! Dependencies are silent at every level: at their most verbose they would log events, and so tokens. The
//! exceptions are two modules of `lambda_runtime`, which report what went wrong between the function and Lambda.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use crate::clock::Now;
use crate::config::environment::Environment;
use crate::config::{BAD_CONFIGURATION, Problems};

/// What Lambda's logging controls set.
const LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";
const FORMAT: &str = "AWS_LAMBDA_LOG_FORMAT";

/// The module of `lambda_runtime` with its loops. At `WARN` and above it reports that an event could not be fetched,
/// or that one of several loops has ended.
const LOOPS: &str = "lambda_runtime::runtime";

/// The module of `lambda_runtime` that posts answers. At `ERROR` it reports those that Lambda did not take.
const ANSWERS: &str = "lambda_runtime::layers::api_client";

/// The log of this process, once it is started.
pub struct Log {
    platform_failed: Arc<Notify>,
}

impl Log {
    /// Starts logging to stdout, as `AWS_LAMBDA_LOG_LEVEL` and `AWS_LAMBDA_LOG_FORMAT` say. Warns of values that Lambda
    /// does not know.
    #[must_use]
    pub fn start(environment: &Environment) -> Self {
        let (level, is_json) = (level(environment), is_json(environment));
        let targets = Targets::new()
            .with_target("token_authorizer", level.unwrap_or(LevelFilter::INFO))
            .with_target(LOOPS, LevelFilter::WARN)
            .with_target(ANSWERS, LevelFilter::ERROR);
        let lines = fmt::layer().with_target(false).with_ansi(false);
        let lines = if is_json.unwrap_or(true) {
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        } else {
            lines.boxed()
        };
        let platform_failed = Arc::new(Notify::new());
        let watch = PlatformWatch(Arc::clone(&platform_failed));
        tracing_subscriber::registry().with(targets).with(lines).with(watch).init();
        if level.is_none() {
            tracing::warn!(
                "AWS_LAMBDA_LOG_LEVEL: must be TRACE, DEBUG, INFO, WARN, ERROR or FATAL; INFO is used"
            );
        }
        if is_json.is_none() {
            tracing::warn!("AWS_LAMBDA_LOG_FORMAT: must be JSON or TEXT; JSON is used");
        }
        // The default hook would print the panic's message, which may quote what was being parsed.
        std::panic::set_hook(Box::new(|panic| {
            let location = panic.location().map(ToString::to_string).unwrap_or_default();
            tracing::error!(location, "panic");
        }));
        Self { platform_failed }
    }

    /// Waits until `lambda_runtime` reports that an event could not be fetched, or that one of its loops has ended.
    ///
    /// With several invocations at once, it would go on regardless: without the loop, or polling without a pause a
    /// platform that is gone. Only its log shows that.
    pub async fn platform_failed(&self) {
        self.platform_failed.notified().await;
    }
}

/// Looks for reports of [`LOOPS`].
struct PlatformWatch(Arc<Notify>);

impl<S: Subscriber> tracing_subscriber::Layer<S> for PlatformWatch {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == LOOPS {
            self.0.notify_one();
        }
    }
}

/// Writes to stderr what is wrong with the configuration: as one JSON event if Lambda's log format is set to that, and
/// in plain lines otherwise. It is written at every log level.
#[allow(clippy::print_stderr, reason = "Lambda collects it, and a terminal shows it")]
pub fn bad_configuration(problems: &Problems, environment: &Environment) {
    if control(environment, FORMAT).as_deref() != Some("JSON") {
        eprintln!("{problems}");
        return;
    }
    let event = json!({
        "timestamp": humantime::format_rfc3339_micros(Now::read().wall()).to_string(),
        "level": "ERROR",
        "message": BAD_CONFIGURATION,
        "problems": problems.0.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    eprintln!("{event}");
}

/// None: a value that Lambda does not know.
fn level(environment: &Environment) -> Option<LevelFilter> {
    match control(environment, LEVEL).as_deref() {
        Some("TRACE") => Some(LevelFilter::TRACE),
        Some("DEBUG") => Some(LevelFilter::DEBUG),
        None | Some("INFO") => Some(LevelFilter::INFO),
        Some("WARN") => Some(LevelFilter::WARN),
        Some("ERROR" | "FATAL") => Some(LevelFilter::ERROR),
        Some(_) => None,
    }
}

/// None: a value that Lambda does not know.
fn is_json(environment: &Environment) -> Option<bool> {
    match control(environment, FORMAT).as_deref() {
        None | Some("JSON") => Some(true),
        Some("TEXT") => Some(false),
        Some(_) => None,
    }
}

/// One of Lambda's logging controls, in upper case; none if it is blank.
fn control(environment: &Environment, name: &str) -> Option<String> {
    let value = environment.get_lossy(name)?.trim().to_uppercase();
    (!value.is_empty()).then_some(value)
}
