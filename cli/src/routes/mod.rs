//! `authorizer routes`: a table from an OpenAPI document, and a comparison of the two.

mod compare;
mod generate;
pub(crate) mod openapi;
mod references;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use crate::Format;
use crate::document;
use crate::outcome::{Misuse, Outcome, plain};
use crate::routes::generate::{Generated, Wanted, generate};
use crate::routes::openapi::OpenApi;
use crate::settings::SettingsArguments;

/// Make ROUTES from an OpenAPI 3 document, or compare the two
///
/// The table is written to standard output as JSON. What has to be known about it is written to standard error.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The document, JSON or YAML; `-` for standard input
    openapi: PathBuf,
    /// The security scheme whose credential is the token; can be given several times
    ///
    /// It can be left out if the document has one scheme of type oauth2, openIdConnect or http bearer.
    #[arg(long = "scheme", value_name = "NAME")]
    schemes: Vec<String>,
    /// A scheme that something else checks, for example the API keys of a usage plan
    ///
    /// An operation that needs it as well as the token is then opened by the token. Without this, no token opens it.
    #[arg(long, value_name = "NAME")]
    checked_elsewhere: Vec<String>,
    /// What becomes of operations without security
    #[arg(long, value_enum, default_value_t = Public::Omit)]
    without_security: Public,
    /// The path before those of the document, instead of the servers' own; `/` for none
    #[arg(long, value_name = "PATH")]
    base_path: Option<String>,
    /// Entries written by hand, which are kept and win: a JSON object as ROUTES
    #[arg(long, value_name = "FILE")]
    merge: Option<PathBuf>,
    /// Compare the document with ROUTES, instead of making a table
    ///
    /// Says which operations no entry opens for anybody, which are open to every token, and which entries match no
    /// operation.
    #[arg(long, conflicts_with_all = ["merge", "without_security", "checked_elsewhere"])]
    check: bool,
    /// With --check: the table, as JSON, instead of the one in the settings
    #[arg(long, value_name = "FILE", requires = "check")]
    table: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingsArguments,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Public {
    /// They have no entry: their methods need no authorizer
    Omit,
    /// They are open to every good token
    Open,
}

const EXAMPLES: &str = "\
Examples:
  authorizer routes openapi.yaml > routes.json
  authorizer routes --scheme OAuth2 --base-path / --merge by-hand.json openapi.json > routes.json
  authorizer routes --check openapi.yaml --table routes.json
  authorizer routes --check openapi.yaml --env-file .env";

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<Outcome, Misuse> {
    let api = OpenApi::read(&arguments.openapi, base_path(arguments)?)?;
    if arguments.check {
        return compare::run(arguments, &api, format);
    }
    let by_hand = match &arguments.merge {
        Some(path) => table_file(path)?,
        None => Map::new(),
    };
    let wanted = Wanted {
        schemes: schemes(arguments, &api)?,
        checked_elsewhere: arguments.checked_elsewhere.clone(),
        opens_public: arguments.without_security == Public::Open,
        by_hand,
    };
    let Generated { table, problems, notes } = generate(&api, &wanted);
    let lines: Vec<_> =
        table.iter().map(|(route, rule)| format!("  {}: {rule}", Value::from(&**route))).collect();
    let text = format!("{{\n{}\n}}\n", lines.join(",\n"));
    let lines = problems
        .iter()
        .map(|problem| format!("problem: {}\n", plain(problem)))
        .chain(notes.iter().map(|note| format!("note: {}\n", plain(note))));
    Ok(Outcome { text, notes: lines.collect(), is_expected: problems.is_empty() })
}

fn base_path(arguments: &Arguments) -> Result<Option<&str>, Misuse> {
    match arguments.base_path.as_deref() {
        Some(path) if !path.starts_with('/') => Err("--base-path must begin with `/`".into()),
        path => Ok(path),
    }
}

/// The schemes that were named; else the only one whose credential is a token.
fn schemes(arguments: &Arguments, api: &OpenApi) -> Result<Vec<String>, Misuse> {
    let known: Vec<_> = api.schemes.iter().map(|scheme| format!("`{}`", scheme.name)).collect();
    let known = match known.as_slice() {
        [] => "the document has none".to_owned(),
        names => format!("the document has {}", names.join(", ")),
    };
    for name in arguments.schemes.iter().chain(&arguments.checked_elsewhere) {
        if !api.schemes.iter().any(|scheme| scheme.name == *name) {
            return Err(format!("there is no security scheme `{}`: {known}", plain(name)).into());
        }
    }
    if !arguments.schemes.is_empty() {
        return Ok(arguments.schemes.clone());
    }
    let mut tokens = api.schemes.iter().filter(|scheme| scheme.is_token);
    match (tokens.next(), tokens.next()) {
        (Some(scheme), None) => Ok(vec![scheme.name.clone()]),
        _ => Err(format!("name the security scheme of the tokens with --scheme: {known}").into()),
    }
}

/// A table in a file of its own.
fn table_file(path: &Path) -> Result<Map<String, Value>, Misuse> {
    let text = document::read(path)?;
    match document::parse(&text) {
        Ok(Value::Object(table)) => Ok(table),
        Ok(_) => Err(format!("{}: must be a JSON object, as ROUTES", path.display()).into()),
        Err(error) => Err(format!("{}: {error}", path.display()).into()),
    }
}
