//! The Lambda function: settings, keys, then one decision an invocation.

mod runtime;

use std::env;
use std::fmt::Display;
use std::process::ExitCode;
use std::time::Duration;

use lambda_runtime::Diagnostic;
use token_authorizer::{Authorizer, Config};

/// Lambda ends the init phase after 10 s, and starts it once more under the time limit of the function.
const INIT_PATIENCE: Duration = Duration::from_secs(8);

/// The process is ending: Lambda takes the report at once, or there is no Lambda.
const REPORT_PATIENCE: Duration = Duration::from_secs(1);

/// Somebody started the program by hand.
const NOT_IN_LAMBDA: &str = "AWS_LAMBDA_RUNTIME_API is not set: this is a Lambda function. Its settings are right; \
    `cargo run --example local` shows what it does without Lambda";

/// `EX_CONFIG` of BSD's sysexits.
const BAD_CONFIGURATION: u8 = 78;

// One thread: a decision never blocks, and more threads would cost each invocation several times its own work.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    #[allow(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    let variable = |name: &str| env::var(name).ok();
    token_authorizer::start_log(
        variable("AWS_LAMBDA_LOG_LEVEL").as_deref(),
        variable("AWS_LAMBDA_LOG_FORMAT").as_deref(),
    );
    let is_in_lambda = variable("AWS_LAMBDA_RUNTIME_API").is_some_and(|address| !address.is_empty());
    let authorizer = match Config::read(variable) {
        Ok(config) if is_in_lambda => Authorizer::new(config),
        Ok(_) => return refuse(&NOT_IN_LAMBDA, false).await,
        Err(problems) => return refuse(&problems, is_in_lambda).await,
    };
    // What is not there by then goes on beside the first invocations.
    let _ = tokio::time::timeout(INIT_PATIENCE, authorizer.prefetch()).await;
    let at_a_time = variable("AWS_LAMBDA_MAX_CONCURRENCY").and_then(|text| text.parse().ok()).unwrap_or(1u32);
    match runtime::serve(authorizer, at_a_time > 1).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the Lambda runtime ended");
            ExitCode::FAILURE
        }
    }
}

/// Says what is wrong to the log and to Lambda, which shows it where the deployment fails.
async fn refuse(problems: &impl Display, is_in_lambda: bool) -> ExitCode {
    #[allow(clippy::print_stderr, reason = "Lambda collects it, and a terminal shows it")]
    {
        eprintln!("{problems}");
    }
    if is_in_lambda
        && let Ok(Err(error)) | Err(error) =
            tokio::time::timeout(REPORT_PATIENCE, report(problems)).await.map_err(Into::into)
    {
        tracing::error!(%error, "the Lambda runtime could not be told");
    }
    ExitCode::from(BAD_CONFIGURATION)
}

/// The initialization error of Lambda's Runtime API.
async fn report(problems: &impl Display) -> Result<(), lambda_runtime::Error> {
    let diagnostic = Diagnostic { error_type: "BadConfiguration".to_owned(), error_message: problems.to_string() };
    let request = lambda_runtime_api_client::build_request()
        .method("POST")
        .uri("/2018-06-01/runtime/init/error")
        .header("lambda-runtime-function-error-type", "Runtime.BadConfiguration")
        .body(serde_json::to_vec(&diagnostic)?.into())?;
    lambda_runtime_api_client::PooledClient::builder().build().call(request).await?;
    Ok(())
}
