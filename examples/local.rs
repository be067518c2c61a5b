//! The authorizer by hand: `cargo run --example local [EVENT.json ...]`
//!
//! Starts an identity provider on loopback with a fresh key, and shows what the authorizer answers to each event
//! (without a name: to those in `events/`). In an event `{{token}}` stands for a good token of that provider,
//! `{{token:expired}}` for one that has expired. With `ISSUER` set, that provider is used instead, with the
//! settings in the environment; `{{token}}` is then what the variable `TOKEN` holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr, reason = "an example")]
#![allow(clippy::disallowed_methods, reason = "like main, it reads the environment; and it shows durations")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use std::{env, fs};

use serde_json::{Value, json};
use support::idp::Idp;
use support::tokens::{self, SigningKey};
use token_authorizer::{Authorizer, Config, Failure, Invocation};

const AUDIENCE: &str = "https://pets.example.com";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let provider = env::var("ISSUER").is_err().then(LocalProvider::start);
    let variable = |name: &str| {
        let local = || provider.as_ref().and_then(|provider| provider.setting(name));
        env::var(name).ok().or_else(local)
    };
    let config = match Config::read(variable) {
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
        let event = match &provider {
            Some(provider) => provider.fill(&event),
            None => event.replace("{{token}}", &env::var("TOKEN").unwrap_or_default()),
        };
        let began = Instant::now();
        let answer = authorizer.authorize(&event, Invocation::default()).await;
        let microseconds = began.elapsed().as_micros();
        println!("{}  ({microseconds} µs)", file.display());
        show(answer.as_ref().map(|answer| answer.get()));
    }
    ExitCode::SUCCESS
}

/// An identity provider on this machine.
struct LocalProvider {
    idp: Idp,
    key: SigningKey,
}

impl LocalProvider {
    fn start() -> Self {
        let (idp, key) = (Idp::start(), SigningKey::rsa("local-1"));
        idp.serve(&[&key]);
        println!("identity provider: {} (on this machine, until this program ends)\n", idp.issuer());
        Self { idp, key }
    }

    fn setting(&self, name: &str) -> Option<String> {
        match name {
            "ISSUER" => Some(self.idp.issuer()),
            "AUDIENCE" => Some(AUDIENCE.to_owned()),
            // The sample of a WebSocket connection has its token where browsers can put it.
            "TOKEN_SOURCE" => Some("header:Authorization, query:token".to_owned()),
            _ => None,
        }
    }

    fn fill(&self, event: &str) -> String {
        let good = tokens::claims(&self.idp.issuer(), AUDIENCE);
        let mut expired = good.clone();
        expired["exp"] = json!(tokens::now() - 60);
        event.replace("{{token}}", &self.key.token(&good)).replace("{{token:expired}}", &self.key.token(&expired))
    }
}

/// The sample events, the main kind first.
fn samples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort_by_key(|file| (!file.file_name().unwrap().to_string_lossy().starts_with("token"), file.clone()));
    let here = env::current_dir().unwrap_or_default();
    files.into_iter().map(|file| file.strip_prefix(&here).map(Path::to_path_buf).unwrap_or(file)).collect()
}

fn show(answer: Result<&str, &Failure>) {
    match answer {
        Err(Failure::Unauthorized) => println!("  Unauthorized: API Gateway answers 401\n"),
        Err(Failure::NoVerdict(fault)) => println!("  no verdict: {fault}\n"),
        Ok(answer) => {
            let answer: Value = serde_json::from_str(answer).unwrap();
            let statements = answer["policyDocument"]["Statement"].as_array();
            let allows = |statement: &Value| statement["Effect"] == "Allow";
            let is_allowed = statements.map_or(answer["isAuthorized"] == true, |all| all.iter().any(allows));
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
