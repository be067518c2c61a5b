//! Why a request is let in or not: `cargo run --example explain -- TOKEN_OR_EVENT [VERB /path ...]`
//!
//! `TOKEN_OR_EVENT` is a token, a file with a token or an event, or `-` for standard input; a token on a command line
//! stays in the shell's history. The settings are those in the environment. Without an `ISSUER` there, an identity
//! provider on this machine stands in, and `{{token}}`, `{{token:expired}}`, `{{token:audience}}` and
//! `{{token:forged}}` stand for tokens in its name.
//!
//! Everything shown is read from the authorizer's decision. Requests are decided by the policy of its answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "an example")]
#![allow(clippy::disallowed_methods, reason = "like main, it reads the environment")]

#[path = "../common/mod.rs"]
pub(crate) mod common;
mod page;

use std::env;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use common::Environment;
use common::support::iam;
use common::support::tokens;
use page::{Page, plain};
use serde_json::{Value, json};
use token_authorizer::{
    Authorizer, CheckState, Config, DecidedBy, Denial, EntryReport, Explanation, Failure, Obstacle,
    Reason, SourceStatus, TableReport, Verdict,
};

const USAGE: &str =
    "usage: cargo run --example explain -- [--expect WORD] TOKEN_OR_EVENT [VERB /path ...]
TOKEN_OR_EVENT: a token, a file with a token or an event, or - for standard input
VERB /path:     requests to decide; without any, the event's own and the entries of ROUTES
--expect WORD:  exit with 0 if the verdict is `allow`, `deny` or this reason, and with 1 if not
The settings are read from the environment, as the function reads them.";

/// The stage of a token that comes without an event.
const STAGE: &str = "arn:aws:execute-api:us-east-1:123456789012:api0000000/dev";

const VERBS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// What came of a call.
pub(crate) struct Explained {
    pub(crate) page: String,
    /// Whether the verdict is as expected; true if nothing was.
    pub(crate) is_expected: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let colour =
        io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let arguments: Vec<String> = env::args().skip(1).collect();
    match explain(&arguments, io::stdin(), &Environment::read(), colour).await {
        Ok(Explained { page, is_expected }) => {
            // A reader who has seen enough is no error.
            let _ = io::stdout().write_all(page.as_bytes());
            if is_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// The whole explanation. The error says what is wrong with the call or the settings.
pub(crate) async fn explain(
    arguments: &[String],
    input: impl io::Read,
    environment: &Environment,
    colour: bool,
) -> Result<Explained, String> {
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        return Ok(Explained { page: format!("{USAGE}\n"), is_expected: true });
    }
    let (expected, arguments) = expectation(arguments)?;
    let (subject, requests) = arguments.split_first().ok_or(USAGE)?;
    let asked = asked(requests)?;
    let text = environment.fill(&read(subject, input)?);
    let event = event(text.trim());

    // Writes no metrics.
    let telling = environment.with(&[("METRICS_NAMESPACE", "")]);
    let config = Config::read(&telling).map_err(|problems| problems.to_string())?;
    let authorizer = Authorizer::new(config);
    authorizer.prefetch().await;
    let decision = authorizer.decide(&event).await;
    let seen = authorizer.explain(&decision);

    let mut page = Page::new(colour);
    if let Some(issuer) = environment.local_issuer() {
        page.note(&format!(
            "no ISSUER is set: {issuer} stands in, on this machine, until this program ends"
        ));
    }
    show_token(&mut page, &seen);
    show_keys(&mut page, &seen);
    show_revocations(&mut page, &seen);
    show_checks(&mut page, &seen, &decision.verdict);
    let answer = decision
        .answer
        .as_ref()
        .map(|answer| serde_json::from_str::<Value>(answer.get()).unwrap_or_default());
    show_answer(&mut page, &seen, &decision.verdict, answer.as_ref().map_err(|failure| *failure));
    show_trial(&mut page, seen.trial.as_ref());
    show_entries(&mut page, seen.table.as_ref());
    let requests = requests_of(&seen, &asked, subject_is_event(&text));
    show_requests(&mut page, &seen, answer.as_ref().ok(), &requests);
    let is_expected = expected.is_none_or(|expected| is_as(&decision.verdict, &expected));
    if !is_expected {
        page.bad("This is not the verdict that was expected.");
    }
    Ok(Explained { page: page.into_text(), is_expected })
}

/// The word behind `--expect`, and the other arguments.
fn expectation(arguments: &[String]) -> Result<(Option<String>, Vec<String>), String> {
    let (mut expected, mut others) = (None, Vec::new());
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--expect" {
            expected = Some(arguments.next().ok_or(USAGE)?.clone());
        } else {
            others.push(argument.clone());
        }
    }
    let codes =
        || Reason::ALL.map(Reason::code).into_iter().chain(Obstacle::ALL.map(Obstacle::code));
    let is_known =
        |word: &String| word == "allow" || word == "deny" || codes().any(|code| code == word);
    match &expected {
        Some(word) if !is_known(word) => {
            let codes: Vec<_> = codes().collect();
            Err(format!("--expect: want `allow`, `deny` or a reason: {}", codes.join(" ")))
        }
        _ => Ok((expected, others)),
    }
}

fn is_as(verdict: &Verdict<'_>, expected: &str) -> bool {
    match (verdict, expected) {
        (Verdict::Allow(_), "allow") | (Verdict::Deny(_), "deny") => true,
        _ => verdict.code() == Some(expected),
    }
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
    if subject_is_event(text) {
        return text.to_owned();
    }
    let credential = if text.is_empty() || text.contains(' ') {
        text.to_owned()
    } else {
        format!("Bearer {text}")
    };
    json!({"type": "TOKEN", "authorizationToken": credential, "methodArn": format!("{STAGE}/GET/")})
        .to_string()
}

fn subject_is_event(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// Pairs of `VERB /path`, each one argument or two; and `$connect`.
fn asked(arguments: &[String]) -> Result<Vec<String>, String> {
    let mut requests = Vec::new();
    let mut words = arguments.iter().flat_map(|argument| argument.split_whitespace());
    while let Some(word) = words.next() {
        match (word, words.clone().next()) {
            ("$connect", _) => requests.push(word.to_owned()),
            (verb, Some(path))
                if (VERBS.contains(&verb) || verb == "ANY") && path.starts_with('/') =>
            {
                requests.push(format!("{verb} {path}"));
                words.next();
            }
            // Not quoted: what stands in the wrong place may be a token.
            _ => {
                let problem =
                    "a request is `VERB /path`, with the verb in upper case, or `$connect`";
                return Err(format!("{problem}\n{USAGE}"));
            }
        }
    }
    Ok(requests)
}

fn show_token(page: &mut Page, seen: &Explanation<'_>) {
    page.heading("Token");
    let Some((header, payload)) = &seen.token else {
        return page.line("none that can be read: see the checks");
    };
    if let Some(location) = &seen.location {
        page.line(&plain(&format!("in {location}")));
    }
    page.json("header", header);
    page.json(if seen.is_verified { "claims" } else { "claims (unverified)" }, payload);
    page.note("The signature is not shown.");
}

fn show_keys(page: &mut Page, seen: &Explanation<'_>) {
    page.heading("Keys");
    match &seen.keys {
        Some((issuer, status)) => show_document(page, status, &format!("usable, of {issuer}")),
        None => page.line("none were looked for"),
    }
    for skipped in &seen.skipped_keys {
        page.line(&plain(&format!("skipped: {skipped}")));
    }
}

fn show_revocations(page: &mut Page, seen: &Explanation<'_>) {
    let Some(status) = &seen.revocations else { return };
    page.heading("Revocation list");
    show_document(page, status, "entries");
    page.note(
        "A policy that API Gateway has cached is not held against it: add the authorizer's time to live.",
    );
}

fn show_document(page: &mut Page, status: &SourceStatus, entries: &str) {
    page.line(&plain(&format!("{} {entries}", status.entries)));
    if let Some((stage, failure)) = &status.last_failure {
        page.bad(&plain(&format!("the last fetch failed: {stage}: {failure}")));
    }
}

fn show_checks(page: &mut Page, seen: &Explanation<'_>, verdict: &Verdict<'_>) {
    page.heading("Checks");
    if seen.checks.is_empty() {
        return page.line("none: see the answer");
    }
    page.note("in this order; each is named after the reason that it gives for a refusal");
    for check in &seen.checks {
        let mut why = Vec::new();
        if check.state == CheckState::Failed || check.state == CheckState::Undecided {
            why.extend(detail(verdict));
            why.extend(seen.expected.clone());
        }
        page.check(check, &why);
    }
}

/// What a refusal says besides its code.
fn detail(verdict: &Verdict<'_>) -> Option<String> {
    let detail = match verdict {
        Verdict::Allow(_) => return None,
        Verdict::Deny(denial) => denial.to_string(),
        Verdict::Undecided(fault) => fault.detail.to_string(),
    };
    if detail.is_empty() { None } else { Some(detail) }
}

fn show_answer(
    page: &mut Page,
    seen: &Explanation<'_>,
    verdict: &Verdict<'_>,
    answer: Result<&Value, &Failure>,
) {
    page.heading("Answer");
    match verdict {
        Verdict::Allow(_) => page.good("Allow"),
        Verdict::Deny(denial) => {
            let code = denial.reason().code();
            match detail(verdict) {
                Some(detail) => page.bad(&format!("Deny: {code} ({})", plain(&detail))),
                None => page.bad(&format!("Deny: {code}")),
            }
        }
        Verdict::Undecided(fault) => {
            page.bad(&format!("no verdict: {}", plain(&fault.to_string())))
        }
    }
    match answer {
        Err(Failure::Unauthorized) => {
            page.line("with REFUSAL=unauthorized: the function error `Unauthorized`, to which API Gateway answers 401")
        }
        Err(Failure::NoVerdict(_)) => {
            page.line("the function fails, API Gateway answers 500, and nothing is cached");
        }
        Ok(answer) => {
            page.pair("principalId", &answer["principalId"]);
            if !seen.omitted.is_empty() {
                let names = seen.omitted.join(" ");
                page.line(&plain(&format!("omitted from the context, which would be too long: {names}")));
            }
            for (name, value) in answer["context"].as_object().into_iter().flatten() {
                page.pair(&format!("context.{name}"), value);
            }
        }
    }
}

/// Why the settings of `TRIAL` would refuse the request.
fn show_trial(page: &mut Page, trial: Option<&Denial>) {
    let Some(denial) = trial else { return };
    page.heading("Trial");
    page.bad(&format!("the settings of TRIAL would refuse it: {}", denial.reason().code()));
    for line in [denial.to_string(), denial.expected().unwrap_or_default()] {
        if !line.is_empty() {
            page.line(&plain(&line));
        }
    }
}

/// What each entry of `ROUTES` is for the token.
fn show_entries(page: &mut Page, table: Option<&TableReport<'_>>) {
    let Some(table) = table else { return };
    page.heading("Entries of ROUTES");
    if let Some(scope) = table.missing_scope {
        page.bad(&plain(&format!(
            "none counts: the token lacks {scope}, which REQUIRED_SCOPES asks for"
        )));
    }
    for EntryReport { route, state } in &table.entries {
        page.line(&plain(&format!("{route}: {state}")));
    }
}

/// Which entry decides a request.
fn decided_by(table: Option<&TableReport<'_>>, request: &str) -> String {
    let Some(table) = table.filter(|table| table.missing_scope.is_none()) else {
        return String::new();
    };
    match table.decided_by(request) {
        DecidedBy::Guard => "PATH_GUARD refuses the path".to_owned(),
        DecidedBy::Closed(route) => format!("entry `{route}` is closed"),
        DecidedBy::Open(route) => format!("entry `{route}` is open"),
        DecidedBy::OtherOwner(route) => {
            format!("entry `{route}` is open for the caller's own, and this is another's")
        }
        DecidedBy::NoEntry => "no entry matches".to_owned(),
    }
}

/// The requests that were asked for; without any, the event's own and the entries of the table.
fn requests_of(seen: &Explanation<'_>, asked: &[String], is_event: bool) -> Vec<String> {
    if !asked.is_empty() {
        return asked.to_vec();
    }
    let mut requests = seen.routes.clone();
    if let Some((_, route)) = seen.request.as_ref().filter(|_| is_event || requests.is_empty()) {
        let own = route.replacen('/', " /", 1);
        requests.retain(|request| *request != own);
        requests.insert(0, own);
    }
    requests
}

fn show_requests(
    page: &mut Page,
    seen: &Explanation<'_>,
    answer: Option<&Value>,
    requests: &[String],
) {
    page.heading("Requests");
    let (Some(answer), Some((stage, route))) = (answer, &seen.request) else {
        return page.bad("none is let in: there is no policy");
    };
    if let Some(is_authorized) = answer["isAuthorized"].as_bool() {
        page.note("A simple response: it is for the event's own request.");
        let by = decided_by(seen.table.as_ref(), route);
        return page.verdict(is_authorized, &plain(&route.replacen('/', " /", 1)), &plain(&by));
    }
    let document = &answer["policyDocument"];
    for request in requests {
        let (verb, path) = request.split_once(' ').unwrap_or((request, ""));
        let verbs = if verb == "ANY" { &VERBS[..] } else { &[verb] };
        let evaluate = |verb| {
            let verdict = iam::evaluate(document, &format!("{stage}/{verb}{path}"), tokens::now());
            (verdict, decided_by(seen.table.as_ref(), &format!("{verb}{path}")))
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
    let expiry = |statement: &Value| {
        let expiry = &statement["Condition"]["DateGreaterThanEquals"]["aws:CurrentTime"][0];
        expiry.as_str().map(str::to_owned)
    };
    let statements = document["Statement"].as_array();
    if let Some(expiry) = statements.into_iter().flatten().find_map(expiry) {
        page.note(&format!("From {expiry} on, this policy refuses everything."));
    }
}

fn show_verdict(page: &mut Page, request: &str, (verdict, by): &(iam::Verdict, String)) {
    let why = match verdict {
        iam::Verdict::Allow => "",
        iam::Verdict::ExplicitDeny => "a Deny of the policy matches",
        iam::Verdict::ImplicitDeny => {
            "nothing in the policy matches; a resource policy of the API could still allow it"
        }
    };
    let why: Vec<_> = [why, by].into_iter().filter(|text| !text.is_empty()).collect();
    page.verdict(*verdict == iam::Verdict::Allow, &plain(request), &plain(&why.join("; ")));
}
