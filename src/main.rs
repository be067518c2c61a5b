//! The Lambda function: settings, keys, then one decision an invocation. AWS's `lambda_runtime` fetches the events.

use std::cell::Cell;
use std::env;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use lambda_runtime::tower::layer::layer_fn;
use lambda_runtime::{
    Context, Diagnostic, LambdaEvent, LambdaInvocation, Runtime, Service, service_fn,
};
use lambda_runtime_api_client::{PooledClient, build_request};
use serde::{Deserialize, Deserializer};
use serde_json::json;
use serde_json::value::RawValue;
use token_authorizer::{
    AfterAnswer, Answer, Authorizer, Config, Environment, Invocation, Log, Problems,
};
use tokio::runtime;

/// Lambda ends the init phase after 10 s, and starts it once more under the time limit of the function.
const INIT_TIMEOUT: Duration = Duration::from_secs(8);

/// Short, since the process is ending: Lambda takes the report at once, or there is no Lambda.
const REPORT_TIMEOUT: Duration = Duration::from_secs(1);

const NOT_IN_LAMBDA: &str = "this is a Lambda function. Its settings are right; `cargo run --example local` shows \
    what it does without Lambda";

/// `EX_CONFIG` of BSD's sysexits.
const BAD_CONFIGURATION: u8 = 78;

tokio::task_local! {
    /// What this invocation leaves to be done once its answer is posted.
    static AFTER_ANSWER: Cell<Option<(AfterAnswer, Context)>>;
}

#[allow(clippy::expect_used, reason = "without a runtime there is nothing to do")]
fn main() -> ExitCode {
    #[allow(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    let environment: Environment = env::vars_os().collect();
    let runtime = if takes_several_at_once() {
        // A thread for each core.
        runtime::Builder::new_multi_thread().enable_all().build()
    } else {
        // A decision never blocks, and more threads would cost each invocation several times its own work.
        runtime::Builder::new_current_thread().enable_all().build()
    };
    runtime.expect("a runtime").block_on(run(&environment))
}

/// Whether this process gets several invocations at once. It is read exactly as `lambda_runtime` reads it: if that takes
/// one at a time, it sets an environment variable for each, which must not happen beside other threads.
fn takes_several_at_once() -> bool {
    #[allow(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    let slots = env::var("AWS_LAMBDA_MAX_CONCURRENCY");
    slots.is_ok_and(|slots| slots.parse::<u32>().is_ok_and(|slots| slots > 1))
}

async fn run(environment: &Environment) -> ExitCode {
    let log = Log::start(environment);
    let lambda = platform(environment);
    let authorizer = match (Config::read(environment), lambda) {
        (Ok(config), Ok(_)) => Arc::new(Authorizer::new(config)),
        // Somebody started the program by hand.
        (Ok(_), Err(missing)) => {
            #[allow(clippy::print_stderr, reason = "a terminal shows it")]
            {
                eprintln!("{missing}: {NOT_IN_LAMBDA}");
            }
            return ExitCode::from(BAD_CONFIGURATION);
        }
        (Err(problems), lambda) => {
            token_authorizer::log_bad_configuration(&problems, environment);
            return refuse(&problems, lambda.ok()).await;
        }
    };
    // A fetch that takes longer goes on during the first invocations.
    let _ = tokio::time::timeout(INIT_TIMEOUT, authorizer.prefetch()).await;

    let function = Runtime::new(service_fn(move |event| handle(Arc::clone(&authorizer), event)));
    let function = function.layer(layer_fn(|mut function| {
        service_fn(move |invocation: LambdaInvocation| {
            finish(Service::call(&mut function, invocation))
        })
    }));
    tokio::select! {
        // In a task of its own. `block_on` would look for I/O again each time that it has polled it.
        ended = tokio::spawn(function.run_concurrent()) => {
            let error = match ended {
                Ok(Ok(())) => "there are no more events".to_owned(),
                Ok(Err(error)) => error.to_string(),
                // It panics if it does not know an answer of the platform.
                Err(_) => "lambda_runtime panicked".to_owned(),
            };
            tracing::error!(error, "the Lambda runtime ended");
        }
        // With several invocations at once, it goes on when one of its loops has ended or the platform is gone.
        () = log.platform_failed() => {
            tracing::error!(error = "an event could not be fetched", "the Lambda runtime ended");
        }
    }
    ExitCode::FAILURE
}

/// An event as JSON text; none if it is not JSON. It is not typed, since errors would quote what a client sent,
/// and `aws_lambda_events` fails the whole event for one odd header.
struct EventJson(Option<Box<RawValue>>);

impl<'de> Deserialize<'de> for EventJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Box::<RawValue>::deserialize(deserializer).ok()))
    }
}

async fn handle(
    authorizer: Arc<Authorizer>,
    event: LambdaEvent<EventJson>,
) -> Result<Answer, Diagnostic> {
    let LambdaEvent { payload: EventJson(json), context } = event;
    let json = json.as_deref().map_or("", RawValue::get);
    let (answer, after) = authorizer.handle(json).await;
    AFTER_ANSWER.with(|cell| cell.set(Some((after, context))));
    match answer {
        Ok(answer) => Ok(answer),
        Err(failure) => Err(Diagnostic {
            error_type: failure.code().to_owned(),
            error_message: failure.to_string(),
        }),
    }
}

/// Does what an invocation leaves to be done. As a layer of `lambda_runtime`, it runs between the answer and the
/// request for the next event: the client has its answer by then, and Lambda has not frozen the process yet.
async fn finish<E>(answered: impl Future<Output = Result<(), E>>) -> Result<(), E> {
    let finished = async {
        let answered = answered.await;
        if let Some((after, context)) = AFTER_ANSWER.with(Cell::take) {
            let trace_id = context.xray_trace_id.as_deref();
            let invocation = Invocation { request_id: &context.request_id, trace_id };
            after.finish(invocation, context.deadline()).await;
        }
        answered
    };
    AFTER_ANSWER.scope(Cell::default(), finished).await
}

/// A client of the Runtime API, if the environment is Lambda's. The error names what is missing.
fn platform(environment: &Environment) -> Result<PooledClient, String> {
    for name in
        ["AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION"]
    {
        if environment.get(name).is_none_or(str::is_empty) {
            return Err(format!("{name} is not set"));
        }
    }
    let memory = environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").unwrap_or_default();
    if memory.parse::<i32>().is_err() {
        return Err("AWS_LAMBDA_FUNCTION_MEMORY_SIZE is not a number".to_owned());
    }
    let endpoint = environment.get("AWS_LAMBDA_RUNTIME_API").unwrap_or_default();
    if let Ok(endpoint) = endpoint.parse() {
        let client = PooledClient::builder().with_endpoint(endpoint).build();
        if client.base.authority().is_some() {
            return Ok(client);
        }
    }
    Err("AWS_LAMBDA_RUNTIME_API is not a host and a port".to_owned())
}

/// Says what is wrong to Lambda, which shows it where the deployment fails.
async fn refuse(problems: &Problems, lambda: Option<PooledClient>) -> ExitCode {
    let report =
        json!({"errorType": "BadConfiguration", "errorMessage": problems.to_string()}).to_string();
    let report = build_request()
        .method("POST")
        .uri("/2018-06-01/runtime/init/error")
        .header("lambda-runtime-function-error-type", "Runtime.BadConfiguration")
        .body(report.into());
    if let (Some(lambda), Ok(report)) = (lambda, report) {
        let reported = tokio::time::timeout(REPORT_TIMEOUT, lambda.call(report)).await;
        if let Ok(Err(error)) | Err(error) = reported.map_err(Into::into) {
            tracing::error!(error, "could not report the failure to Lambda");
        }
    }
    ExitCode::from(BAD_CONFIGURATION)
}
