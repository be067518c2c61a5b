//! The authorizer's decision about an event, and what it said about it in its log.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use token_authorizer::{Authorizer, Config, Failure, Fault, Invocation, Obstacle, Reason, TableReport};
use tracing::Level;
use tracing::subscriber::DefaultGuard;

use super::common::Environment;

pub(crate) enum Outcome {
    Allowed(Value),
    Refused(Reason, Value),
    NoVerdict(Fault),
}

pub(crate) struct Decision {
    pub(crate) outcome: Outcome,
    /// The log's lines.
    pub(crate) log: Vec<Value>,
    authorizer: Authorizer,
    event: String,
}

impl Decision {
    pub(crate) async fn of(event: &str, environment: &Environment) -> Result<Self, String> {
        let log = Log::default();
        let _kept = log.keep();
        Config::read(|name| environment.variable(name)).map_err(|problems| problems.to_string())?;
        let telling = |name: &str| match name {
            // An error says no more than `Unauthorized`: the same decision, but with its reason in a policy.
            "REFUSAL" => Some("deny".to_owned()),
            // Nothing is to be counted.
            "METRICS_NAMESPACE" => None,
            _ => environment.variable(name),
        };
        let config = Config::read(telling).map_err(|problems| problems.to_string())?;
        let authorizer = Authorizer::new(config);
        authorizer.prefetch().await;
        let outcome = match authorizer.authorize(event, Invocation::default()).await {
            Ok(answer) => Outcome::answered(serde_json::from_str(answer.get()).unwrap_or_default()),
            Err(Failure::NoVerdict(fault)) => Outcome::NoVerdict(fault),
            Err(Failure::Unauthorized) => return Err("REFUSAL=deny was answered with an error".to_owned()),
        };
        Ok(Self { outcome, log: log.lines(), authorizer, event: event.to_owned() })
    }

    /// What `ROUTES` says about the token.
    pub(crate) async fn table(&self) -> Option<TableReport<'_>> {
        self.authorizer.table_report(&self.event).await
    }

    /// What the log says beyond the reason.
    pub(crate) fn detail(&self) -> Option<&str> {
        self.event()?["detail"].as_str()
    }

    /// Claims that the answer's context has no room for.
    pub(crate) fn left_out(&self) -> Option<&str> {
        self.event()?["context_left_out"].as_str()
    }

    fn event(&self) -> Option<&Value> {
        self.log.iter().find(|line| line["decision"].is_string())
    }
}

impl Outcome {
    fn answered(answer: Value) -> Self {
        let code = answer["context"]["reason"].as_str();
        match Reason::ALL.into_iter().find(|reason| Some(reason.code()) == code) {
            Some(reason) => Self::Refused(reason, answer),
            None => Self::Allowed(answer),
        }
    }

    pub(crate) fn answer(&self) -> Option<&Value> {
        match self {
            Self::Allowed(answer) | Self::Refused(_, answer) => Some(answer),
            Self::NoVerdict(_) => None,
        }
    }

    /// The step that was not passed, by its place in the list of reasons; behind the last, if all were.
    pub(crate) fn refusing_step(&self) -> usize {
        match self {
            Self::Allowed(_) => Reason::ALL.len(),
            Self::Refused(reason, _) => *reason as usize,
            Self::NoVerdict(fault) if fault.obstacle == Obstacle::KeysUnavailable => Reason::KeyUnknown as usize,
            // Nothing is known of the steps.
            Self::NoVerdict(_) => 0,
        }
    }
}

/// The authorizer's log, kept.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Keeps what this thread logs, as long as the guard lives.
    fn keep(&self) -> DefaultGuard {
        let writer = self.clone();
        let lines = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(Level::INFO);
        tracing::subscriber::set_default(lines.with_writer(move || writer.clone()).finish())
    }

    fn lines(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap();
        let lines = bytes.split(|byte| *byte == b'\n');
        lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
