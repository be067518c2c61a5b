//! The Lambda function: settings, keys, then one decision an invocation.

mod runtime;
mod runtime_api;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use token_authorizer::{Authorizer, Config, Environment, Problems};

use crate::runtime_api::RuntimeApi;

/// Lambda ends the init phase after 10 s, and starts it once more under the time limit of the function.
const INIT_PATIENCE: Duration = Duration::from_secs(8);

/// The process is ending: Lambda takes the report at once, or there is no Lambda.
const REPORT_PATIENCE: Duration = Duration::from_secs(1);

const NOT_IN_LAMBDA: &str = "this is a Lambda function. Its settings are right; `cargo run --example local` shows \
    what it does without Lambda";

/// `EX_CONFIG` of BSD's sysexits.
const BAD_CONFIGURATION: u8 = 78;

// One thread: a decision never blocks, and more threads would cost each invocation several times its own work.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    #[allow(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    let environment: Environment = env::vars_os().collect();
    token_authorizer::start_log(&environment);
    let platform = RuntimeApi::at(environment.get("AWS_LAMBDA_RUNTIME_API"));
    let (authorizer, platform) = match (Config::read(&environment), platform) {
        (Ok(config), Ok(platform)) => (Authorizer::new(config), platform),
        // Somebody started the program by hand.
        (Ok(_), Err(error)) => {
            #[allow(clippy::print_stderr, reason = "a terminal shows it")]
            {
                eprintln!("{error}: {NOT_IN_LAMBDA}");
            }
            return ExitCode::from(BAD_CONFIGURATION);
        }
        (Err(problems), platform) => {
            token_authorizer::log_bad_configuration(&problems, &environment);
            return refuse(&problems, platform.ok()).await;
        }
    };
    // What is not there by then goes on beside the first invocations.
    let _ = tokio::time::timeout(INIT_PATIENCE, authorizer.prefetch()).await;
    let at_a_time = environment.get("AWS_LAMBDA_MAX_CONCURRENCY");
    let at_a_time = at_a_time.and_then(|text| text.parse().ok()).unwrap_or(1).max(1);
    runtime::serve(authorizer, &platform, at_a_time).await;
    ExitCode::FAILURE
}

/// Says what is wrong to Lambda, which shows it where the deployment fails.
async fn refuse(problems: &Problems, platform: Option<RuntimeApi>) -> ExitCode {
    if let Some(mut platform) = platform {
        let report = tokio::time::timeout(REPORT_PATIENCE, platform.init_error("BadConfiguration", problems));
        if let Ok(Err(error)) | Err(error) = report.await.map_err(Into::into) {
            tracing::error!(%error, "the Lambda runtime could not be told");
        }
    }
    ExitCode::from(BAD_CONFIGURATION)
}
