//! The authorizer by hand: what it answers to an event.
//!
//! `cargo run --example local [EVENT.json ...]` starts an identity provider on loopback with a fresh key and shows the
//! answer to each event (without a name: to those in `events/`). In an event `{{token}}` stands for a good token of that
//! provider; `{{token:expired}}`, `{{token:audience}}` and `{{token:forged}}` stand for bad ones. If `ISSUER` is set,
//! that provider is asked instead, with the settings in the environment, and `TOKEN` holds the token for `{{token}}`.
//!
//! `cargo run --example local -- --serve [PORT]` keeps that provider running for `cargo lambda watch`. It writes its
//! settings and the sample events with fresh tokens into `target/local/`, and replaces the tokens before they expire.
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

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, UNIX_EPOCH};
use std::{env, fs, thread};

use common::{Environment, LocalProvider};
use serde_json::Value;
use token_authorizer::{Authorizer, Config, Failure};

/// Where `--serve` listens if no port is named: `cargo lambda watch` has 9000.
const SERVE_PORT: u16 = 9001;
/// The tokens of `--serve` are good for ten minutes.
const RENEW_AFTER: Duration = Duration::from_secs(300);

const USAGE: &str = "usage: cargo run --example local [EVENT.json ...]
       cargo run --example local -- --serve [PORT]";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> =
        env::args_os().skip(1).map(|argument| argument.to_string_lossy().into()).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        ["--serve"] => serve(SERVE_PORT),
        ["--serve", port] => port.parse().map_err(|_| USAGE.to_owned()).and_then(serve),
        ref files if files.iter().any(|file| file.starts_with('-')) => Err(USAGE.to_owned()),
        ref files => decide(files.iter().map(PathBuf::from).collect()).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// Shows the answer to each of these events, or to the samples if there are none.
async fn decide(named: Vec<PathBuf>) -> Result<(), String> {
    let environment = Environment::read();
    let files = if named.is_empty() { samples() } else { named };
    let mut events = Vec::new();
    for file in files {
        let event =
            fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        events.push((file, event));
    }
    match environment.local_issuer() {
        Some(issuer) => {
            println!("identity provider: {issuer} (on this machine, until this program ends)\n")
        }
        None if environment.variable("TOKEN").is_none()
            && events.iter().any(|(_, event)| event.contains("{{token}}")) =>
        {
            return Err(
                "ISSUER or ISSUERS is set: set TOKEN to a token of that provider, too".to_owned()
            );
        }
        None => {}
    }

    let config = Config::read(&environment.with(&[])).map_err(|problems| problems.to_string())?;
    let authorizer = Authorizer::new(config);
    authorizer.prefetch().await;
    for (file, event) in events {
        if environment.local_issuer().is_none() && event.contains("{{token:") {
            println!(
                "{}\n  skipped: only the provider on this machine signs such a token\n",
                file.display()
            );
            continue;
        }
        let event = environment.fill(&event);
        let began = Instant::now();
        let answer = authorizer.decide(&event).await.answer;
        let microseconds = began.elapsed().as_micros();
        println!("{}  ({microseconds} µs)", file.display());
        show(answer.as_ref().map(|answer| answer.get()));
    }
    Ok(())
}

/// The provider for `cargo lambda watch`, until the process is ended.
fn serve(port: u16) -> Result<(), String> {
    if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
        return Err(format!(
            "port {port} is taken: name another one, as in --serve {}",
            port.saturating_add(100)
        ));
    }
    let provider = LocalProvider::start_on(port);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/local");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let write = |name: &str, text: String| {
        let file = folder.join(name);
        // Renamed into place, so that nobody reads half a file.
        let unfinished = folder.join(format!(".{name}"));
        fs::write(&unfinished, text)
            .and_then(|()| fs::rename(&unfinished, &file))
            .map_err(|error| format!("{}: {error}", file.display()))
    };

    let settings = provider.settings().map(|(name, value)| format!("{name}='{value}'\n"));
    write("env", settings.concat())?;
    println!("identity provider: {} (until this program ends)", provider.issuer());
    println!("target/local/env: its settings, for `cargo lambda watch --env-file`");
    loop {
        for sample in samples() {
            let event = fs::read_to_string(&sample)
                .map_err(|error| format!("{}: {error}", sample.display()))?;
            write(&sample.file_name().unwrap().to_string_lossy(), provider.fill(&event))?;
        }
        println!(
            "target/local/*.json: events, for `cargo lambda invoke token-authorizer --data-file`; tokens expire at {}",
            expiry()
        );
        thread::sleep(RENEW_AFTER);
    }
}

/// When a token that is made now expires, as `12:34:56 UTC`.
fn expiry() -> String {
    let exp = common::support::tokens::claims("", "")["exp"].as_u64().unwrap();
    let time = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(exp)).to_string();
    format!("{} UTC", &time[11..19])
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
