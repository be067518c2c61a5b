//! The authorizer by hand: `cargo run --example local [EVENT.json ...]`
//!
//! Starts an identity provider on loopback with a fresh key, and shows what the authorizer answers to each event
//! (without a name: to those in `events/`). In an event `{{token}}` stands for a good token of that provider,
//! `{{token:expired}}`, `{{token:audience}}` and `{{token:forged}}` for tokens that are not. With `ISSUER` set, that
//! provider is used instead, with the settings in the environment; `{{token}}` is then what the variable `TOKEN` holds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "like main, it reads the environment; and it shows durations"
)]

mod common;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use std::{env, fs};

use common::Environment;
use serde_json::Value;
use token_authorizer::{Authorizer, Config, Failure, Invocation};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let environment = Environment::read();
    if let Some(issuer) = environment.local_issuer() {
        println!("identity provider: {issuer} (on this machine, until this program ends)\n");
    }
    let config = match Config::read(&environment.with(&[])) {
        Ok(config) => config,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::FAILURE;
        }
    };
    let authorizer = Authorizer::new(config);
    authorizer.prefetch().await;

    let named: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let files = if named.is_empty() { samples() } else { named };
    for file in files {
        let event = match fs::read_to_string(&file) {
            Ok(event) => event,
            Err(error) => {
                eprintln!("{}: {error}", file.display());
                return ExitCode::FAILURE;
            }
        };
        let event = environment.fill(&event);
        let began = Instant::now();
        let answer = authorizer.authorize(&event, Invocation::default()).await;
        let microseconds = began.elapsed().as_micros();
        println!("{}  ({microseconds} µs)", file.display());
        show(answer.as_ref().map(|answer| answer.get()));
    }
    ExitCode::SUCCESS
}

/// The sample events, the main kind first.
fn samples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort_by_key(|file| {
        (!file.file_name().unwrap().to_string_lossy().starts_with("token"), file.clone())
    });
    let here = env::current_dir().unwrap_or_default();
    files
        .into_iter()
        .map(|file| file.strip_prefix(&here).map(Path::to_path_buf).unwrap_or(file))
        .collect()
}

fn show(answer: Result<&str, &Failure>) {
    match answer {
        Err(Failure::Unauthorized) => println!("  Unauthorized: API Gateway answers 401\n"),
        Err(Failure::NoVerdict(fault)) => println!("  no verdict: {fault}\n"),
        Ok(answer) => {
            let answer: Value = serde_json::from_str(answer).unwrap();
            let statements = answer["policyDocument"]["Statement"].as_array();
            let allows = |statement: &Value| statement["Effect"] == "Allow";
            let is_allowed =
                statements.map_or(answer["isAuthorized"] == true, |all| all.iter().any(allows));
            println!("  effect     {}", if is_allowed { "Allow" } else { "Deny" });
            if let Some(reason) = answer["context"]["reason"].as_str() {
                println!("  reason     {reason}");
            }
            if let Some(principal) = answer["principalId"].as_str() {
                println!("  principal  {principal}");
            }
            for statement in statements.into_iter().flatten() {
                let until = &statement["Condition"]["DateGreaterThanEquals"]["aws:CurrentTime"][0];
                let from = until.as_str().map(|until| format!(" from {until}")).unwrap_or_default();
                for resource in statement["Resource"].as_array().into_iter().flatten() {
                    println!(
                        "  policy     {} {}{from}",
                        statement["Effect"].as_str().unwrap(),
                        resource.as_str().unwrap()
                    );
                }
            }
            for (name, value) in answer["context"].as_object().into_iter().flatten() {
                println!("  context    {name} = {value}");
            }
            println!();
        }
    }
}
