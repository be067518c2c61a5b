//! The log: one JSON object a line, as Lambda's logging controls expect, or text.
//!
//! Dependencies are silent, whatever the level: at their most verbose they would log events, and so tokens. The
//! exceptions are two modules of `lambda_runtime`, which tell what went wrong between the function and Lambda.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
use crate::config::words::{Choice, LogFormat, LogLevel};
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
    /// Starts logging to stdout, as `AWS_LAMBDA_LOG_LEVEL` and `AWS_LAMBDA_LOG_FORMAT` say; values that Lambda does
    /// not know are warned of.
    #[must_use]
    pub fn start(environment: &Environment) -> Self {
        let level = chosen(environment, LEVEL, LogLevel::Info);
        let format = chosen(environment, FORMAT, LogFormat::Json);
        let max = match level.unwrap_or(LogLevel::Info) {
            LogLevel::Trace => LevelFilter::TRACE,
            LogLevel::Debug => LevelFilter::DEBUG,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Error | LogLevel::Fatal => LevelFilter::ERROR,
        };
        let targets = Targets::new()
            .with_target("token_authorizer", max)
            .with_target(LOOPS, LevelFilter::WARN)
            .with_target(ANSWERS, LevelFilter::ERROR);
        let platform_failed = Arc::new(Notify::new());
        let line = fmt::layer().with_target(false).with_ansi(false);
        let line = match format.unwrap_or(LogFormat::Json) {
            LogFormat::Json => line
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .boxed(),
            LogFormat::Text => line.boxed(),
        };
        let watch = PlatformWatch {
            platform_failed: Arc::clone(&platform_failed),
            has_failed: AtomicBool::new(false),
        };
        tracing_subscriber::registry().with(targets).with(line).with(watch).init();
        if level.is_none() {
            tracing::warn!(
                "AWS_LAMBDA_LOG_LEVEL: must be TRACE, DEBUG, INFO, WARN, ERROR or FATAL; INFO is used"
            );
        }
        if format.is_none() {
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

/// Looks for reports of [`LOOPS`]. Only the first is logged: until the process has ended, every loop would repeat it.
struct PlatformWatch {
    platform_failed: Arc<Notify>,
    has_failed: AtomicBool,
}

impl<S: Subscriber> tracing_subscriber::Layer<S> for PlatformWatch {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        if event.metadata().target() != LOOPS {
            return true;
        }
        self.platform_failed.notify_one();
        !self.has_failed.swap(true, Ordering::Relaxed)
    }
}

/// Writes to stderr what is wrong with the configuration: as one JSON event where Lambda's log format is set to that,
/// and in plain lines otherwise. It is written at every log level.
#[allow(clippy::print_stderr, reason = "Lambda collects it, and a terminal shows it")]
pub fn bad_configuration(problems: &Problems, environment: &Environment) {
    // Plain lines are the default here: a terminal sets no format.
    if chosen(environment, FORMAT, LogFormat::Text) != Some(LogFormat::Json) {
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

/// What one of Lambda's logging controls says; `default` if it is blank, none if the word is unknown.
fn chosen<T: Choice>(environment: &Environment, name: &str, default: T) -> Option<T> {
    let value = environment.get_lossy(name).unwrap_or_default();
    let word = value.trim();
    if word.is_empty() { Some(default) } else { T::parse(&word.to_uppercase()) }
}
