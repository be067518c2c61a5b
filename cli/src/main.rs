//! `authorizer`: checks, explains and tests the settings of token-authorizer, without AWS.
//!
//! Each command returns an [`Outcome`]. Only this file prints, and only it knows the exit codes.

mod cases;
mod check;
mod document;
mod explain;
mod junit;
mod keys;
mod outcome;
mod paths;
mod request;
mod routes;
mod settings;
mod token;

// The function's own tests evaluate policies and sign tokens with these two.
#[allow(
    clippy::panic,
    clippy::unwrap_used,
    dead_code,
    reason = "a policy of ours that is none is a bug"
)]
#[path = "../../tests/support/iam.rs"]
mod iam;
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    dead_code,
    reason = "as in the tests"
)]
#[path = "../../tests/support/tokens.rs"]
mod tokens;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::outcome::{Misuse, Outcome, plain};

/// Checks, explains and tests the settings of token-authorizer, without AWS.
///
/// Nothing is sent anywhere, and nothing is fetched unless a command says so.
#[derive(Parser)]
#[command(name = "authorizer", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// How to write the result
    #[arg(long, value_enum, default_value_t = Format::Text, global = true)]
    format: Format,
    /// Whether to color text
    #[arg(long, value_enum, default_value_t = Color::Auto, global = true)]
    color: Color,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  everything is as it should be
  1  it is not: a problem, a failed test, another verdict
  2  the question could not be answered: wrong arguments, an unreadable file, settings that are wrong";

/// How a result is written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For scripts
    Json,
}

/// Whether text has color.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

impl Color {
    #[allow(clippy::disallowed_methods, reason = "NO_COLOR is no setting of the function")]
    fn is_used(self, is_terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        }
    }
}

#[derive(Subcommand)]
enum Command {
    Check(check::Arguments),
    Explain(explain::Arguments),
    Test(cases::Arguments),
    Routes(routes::Arguments),
    Keys(keys::Arguments),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Arguments { command, format, color } = Arguments::parse();
    let result = match command {
        Command::Check(arguments) => check::run(&arguments, format).await,
        Command::Explain(arguments) => explain::run(&arguments, format, color).await,
        Command::Test(arguments) => cases::run(&arguments, format).await,
        Command::Routes(arguments) => routes::run(&arguments, format),
        Command::Keys(arguments) => keys::run(&arguments, format).await,
    };
    match result {
        Ok(Outcome { text, notes, is_expected }) => {
            write(&text, &notes);
            if is_expected { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(Misuse(problem)) => {
            // It can quote a file that somebody else wrote.
            let lines: Vec<_> = problem.lines().map(plain).collect();
            write("", &format!("error: {}\n", lines.join("\n")));
            ExitCode::from(2)
        }
    }
}

/// A reader who has seen enough is no error.
fn write(text: &str, notes: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
    let _ = std::io::stderr().write_all(notes.as_bytes());
}
