//! Why a request is let in or not: `cargo run --example explain TOKEN_OR_EVENT [VERB /path ...]`
//!
//! `TOKEN_OR_EVENT` is a token, a file with a token or an event, or `-` for standard input; a token on a command line
//! stays in the shell's history. The settings are those in the environment. Without an `ISSUER` there, an identity
//! provider on this machine stands in, and `{{token}}`, `{{token:expired}}`, `{{token:audience}}` and
//! `{{token:forged}}` stand for tokens in its name.
//!
//! The decision is the authorizer's own, and the reason in it tells which steps came before. What stands beside the
//! steps is read from the token here, for display. Requests are decided by the policy of the answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "an example")]
#![allow(clippy::disallowed_methods, reason = "like main, it reads the environment")]

#[path = "../common/mod.rs"]
pub(crate) mod common;
mod decision;
mod facts;
mod page;
mod settings;
mod steps;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use common::Environment;
use common::support::iam::{self, Verdict};
use common::support::tokens;
use decision::{Decision, Outcome};
use facts::Facts;
use page::{Page, plain};
use serde_json::{Value, json};
use settings::Settings;
use token_authorizer::{DecidedBy, EntryReport, Reason, TableReport};

const USAGE: &str = "usage: cargo run --example explain TOKEN_OR_EVENT [VERB /path ...]
TOKEN_OR_EVENT: a token, a file with a token or an event, or - for standard input";

/// The stage of a token that comes without an event.
const STAGE: &str = "arn:aws:execute-api:us-east-1:123456789012:api0000000/dev";

const VERBS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let colour = io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let arguments: Vec<String> = env::args().skip(1).collect();
    match explain(&arguments, io::stdin(), &Environment::read(), colour).await {
        Ok(page) => {
            // A reader who has seen enough is no error.
            let _ = io::stdout().write_all(page.as_bytes());
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// The whole explanation; the error is for one who asked for none.
pub(crate) async fn explain(
    arguments: &[String],
    input: impl io::Read,
    environment: &Environment,
    colour: bool,
) -> Result<String, String> {
    let (subject, requests) = arguments.split_first().ok_or(USAGE)?;
    let asked = asked(requests)?;
    let text = read(subject, input)?;
    let event = event(environment.fill(&text).trim());
    let decision = Decision::of(&event, environment).await?;

    let parsed: Value = serde_json::from_str(&event).unwrap_or_default();
    let settings = Settings::new(environment);
    let facts = Facts::of(&parsed, &settings);
    let mut page = Page::new(colour);
    if let Some(issuer) = environment.local_issuer() {
        page.note(&format!("no ISSUER is set: {issuer} stands in, on this machine, until this program ends"));
    }
    show_token(&mut page, &facts, &decision.outcome);
    show_keys(&mut page, &decision);
    steps::show(&mut page, &facts, &settings, &decision);
    let requests = if asked.is_empty() { default_requests(&settings, &facts) } else { asked };
    show_answer(&mut page, &settings, &decision);
    let table = decision.table().await;
    show_entries(&mut page, table.as_ref());
    show_requests(&mut page, &facts, &decision, table.as_ref(), &requests);
    Ok(page.into_text())
}

fn read(subject: &str, input: impl io::Read) -> Result<String, String> {
    let is_file = subject.ends_with(".json") || Path::new(subject).is_file();
    match subject {
        "-" => io::read_to_string(input).map_err(|error| format!("standard input: {error}")),
        file if is_file => fs::read_to_string(file).map_err(|error| format!("{file}: {error}")),
        token => Ok(token.to_owned()),
    }
}

/// The event as it is, or one around a token; that may come with its scheme.
fn event(text: &str) -> String {
    if text.starts_with('{') {
        return text.to_owned();
    }
    let credential = if text.is_empty() || text.contains(' ') { text.to_owned() } else { format!("Bearer {text}") };
    json!({"type": "TOKEN", "authorizationToken": credential, "methodArn": format!("{STAGE}/GET/")}).to_string()
}

/// Pairs of `VERB /path`, each one argument or two; and `$connect`.
fn asked(arguments: &[String]) -> Result<Vec<String>, String> {
    let mut requests = Vec::new();
    let mut words = arguments.iter().flat_map(|argument| argument.split_whitespace());
    while let Some(word) = words.next() {
        match (word, words.clone().next()) {
            ("$connect", _) => requests.push(word.to_owned()),
            (verb, Some(path)) if (VERBS.contains(&verb) || verb == "ANY") && path.starts_with('/') => {
                requests.push(format!("{verb} {path}"));
                words.next();
            }
            // Not quoted: what stands in the wrong place may be a token.
            _ => {
                let problem = "a request is `VERB /path`, with the verb in upper case, or `$connect`";
                return Err(format!("{problem}\n{USAGE}"));
            }
        }
    }
    Ok(requests)
}

/// The entries of `ROUTES`; without a table, one request.
fn default_requests(settings: &Settings<'_>, facts: &Facts) -> Vec<String> {
    let table: Value = serde_json::from_str(&settings.json("ROUTES")).unwrap_or_default();
    match table.as_object() {
        Some(table) => table.keys().cloned().collect(),
        None if facts.route == "$connect" => vec!["$connect".to_owned()],
        None => vec!["GET /".to_owned()],
    }
}

fn show_token(page: &mut Page, facts: &Facts, outcome: &Outcome) {
    page.heading("Token");
    let Some(credential) = &facts.credential else {
        return page.line("none was found");
    };
    if facts.header.is_none() && facts.claims.is_none() {
        let dots = credential.matches('.').count();
        let guess = match dots {
            4 => ": five segments are an encrypted token (JWE)",
            0 | 1 => ": perhaps an opaque token",
            _ => "",
        };
        return page.line(&format!("{} bytes that cannot be decoded{guess}", credential.len()));
    }
    page.json("header", facts.header.as_ref());
    let is_verified = outcome.refusing_step() > Reason::SignatureInvalid as usize;
    page.json(if is_verified { "claims" } else { "claims, which no key has vouched for" }, facts.claims.as_ref());
    page.note("The signature is not shown.");
}

fn show_keys(page: &mut Page, decision: &Decision) {
    page.heading("Keys");
    let events: Vec<_> =
        decision.log.iter().filter(|line| line["stage"].is_string() || line["keys"].is_u64()).collect();
    if events.is_empty() {
        page.line("as configured: nothing was fetched");
    }
    for line in events {
        let mut text = format!("{} for {}", value(line, "message"), value(line, "issuer"));
        for name in ["keys", "skipped", "stage", "error", "milliseconds"] {
            if !line[name].is_null() {
                let _ = write!(text, ", {name} {}", value(line, name));
            }
        }
        page.line(&plain(&text));
    }
}

fn value(line: &Value, name: &str) -> String {
    line[name].as_str().map_or_else(|| line[name].to_string(), str::to_owned)
}

fn show_answer(page: &mut Page, settings: &Settings<'_>, decision: &Decision) {
    page.heading("Answer");
    let detail = decision.detail().map(|detail| format!(" ({})", plain(detail))).unwrap_or_default();
    match &decision.outcome {
        Outcome::Allowed(answer) => {
            page.good("Allow");
            page.pair("principalId", &answer["principalId"]);
        }
        Outcome::Refused(reason, answer) => {
            page.bad(&format!("Deny: {}{detail}", reason.code()));
            if settings.refusal_is_error(*reason) {
                page.line(
                    "with REFUSAL=unauthorized: the function error `Unauthorized`, to which API Gateway answers 401",
                );
            } else {
                page.pair("principalId", &answer["principalId"]);
            }
        }
        Outcome::NoVerdict(fault) => {
            page.bad(&format!("no verdict: {}", plain(&fault.to_string())));
            page.line("the function fails, API Gateway answers 500, and nothing is cached");
        }
    }
    if let Some(names) = decision.left_out() {
        page.line(&plain(&format!("left out of the context, which would be too long: {names}")));
    }
    if let Some(context) = decision.outcome.answer().and_then(|answer| answer["context"].as_object()) {
        for (name, value) in context {
            page.pair(&format!("context.{name}"), value);
        }
    }
}

/// What each entry of `ROUTES` is for the token.
fn show_entries(page: &mut Page, table: Option<&TableReport<'_>>) {
    let Some(table) = table else { return };
    page.heading("Entries of ROUTES");
    if let Some(scope) = table.missing_scope {
        page.bad(&plain(&format!("none counts: the token lacks {scope}, which REQUIRED_SCOPES asks for")));
    }
    for EntryReport { route, state } in &table.entries {
        page.line(&plain(&format!("{route}: {state}")));
    }
}

/// Which entry decides a request.
fn decided_by(table: Option<&TableReport<'_>>, request: &str) -> String {
    let Some(table) = table.filter(|table| table.missing_scope.is_none()) else { return String::new() };
    match table.decided_by(request) {
        DecidedBy::Guard => "PATH_GUARD refuses the path".to_owned(),
        DecidedBy::Closed(route) => format!("entry `{route}` is closed"),
        DecidedBy::Open(route) => format!("entry `{route}` is open"),
        DecidedBy::Another(route) => format!("entry `{route}` is open for the caller's own, and this is another's"),
        DecidedBy::NoEntry => "no entry matches".to_owned(),
    }
}

fn show_requests(
    page: &mut Page,
    facts: &Facts,
    decision: &Decision,
    table: Option<&TableReport<'_>>,
    requests: &[String],
) {
    page.heading("Requests");
    let Some(answer) = decision.outcome.answer() else {
        return page.bad("none is let in: there is no policy");
    };
    if let Some(is_authorized) = answer["isAuthorized"].as_bool() {
        page.note("A simple response: it is for the event's own request.");
        let request = facts.route.replacen('/', " /", 1);
        return page.verdict(is_authorized, &plain(&request), &plain(&decided_by(table, &facts.route)));
    }
    let document = &answer["policyDocument"];
    for request in requests {
        let (verb, path) = request.split_once(' ').unwrap_or((request, ""));
        let verbs = if verb == "ANY" { &VERBS[..] } else { &[verb] };
        let evaluate = |verb| {
            let verdict = iam::evaluate(document, &format!("{}/{verb}{path}", facts.stage), tokens::now());
            (verdict, decided_by(table, &format!("{verb}{path}")))
        };
        let verdicts: Vec<_> = verbs.iter().map(|verb| (verb, evaluate(verb))).collect();
        if verdicts.iter().all(|(_, verdict)| *verdict == verdicts[0].1) {
            show_verdict(page, request, &verdicts[0].1);
            continue;
        }
        for (verb, verdict) in &verdicts {
            show_verdict(page, &format!("{verb} {path}"), verdict);
        }
    }
    let statements = document["Statement"].as_array();
    let ends = |statement: &Value| {
        let end = &statement["Condition"]["DateGreaterThanEquals"]["aws:CurrentTime"][0];
        end.as_str().map(str::to_owned)
    };
    if let Some(end) = statements.into_iter().flatten().find_map(ends) {
        page.note(&format!("From {end} on, this policy refuses everything."));
    }
}

fn show_verdict(page: &mut Page, request: &str, (verdict, by): &(Verdict, String)) {
    let why = match verdict {
        Verdict::Allow => "",
        Verdict::ExplicitDeny => "a Deny of the policy matches",
        Verdict::ImplicitDeny => "nothing in the policy matches; a resource policy of the API could still allow it",
    };
    let why: Vec<_> = [why, by].into_iter().filter(|text| !text.is_empty()).collect();
    page.verdict(*verdict == Verdict::Allow, &plain(request), &plain(&why.join("; ")));
}
