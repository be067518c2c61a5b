//! `authorizer explain`: why a request is let in or not. Everything shown is read from the authorizer's decision, and
//! requests are decided by the policy of its answer.

mod page;
mod stand_in;

use std::io::IsTerminal as _;
use std::path::Path;

use clap::Args;
use serde_json::{Value, json};
use token_authorizer::{
    Authorizer, CheckState, Config, DecidedBy, Decision, Denial, EntryReport, Explanation, Failure,
    FetchError, Reason, SourceStatus, TableReport, Verdict,
};

use self::page::Page;
use self::stand_in::StandIn;
use crate::cases::{expectations, is_expectation};
use crate::outcome::{Misuse, Outcome, plain};
use crate::request::{Request, STAGE, WANTED};
use crate::routes::openapi::VERBS;
use crate::settings::SettingsArguments;
use crate::{Color, Format, document, iam, paths, tokens};

/// Show step by step why a token or an event is let in or not
///
/// The keys are fetched as the function fetches them. If the settings name no ISSUER or ISSUERS, the command uses
/// a temporary issuer with a new key, and replaces {{token}}, {{token:expired}}, {{token:audience}} and {{token:forged}}
/// in an event with tokens of that issuer. Otherwise {{token}} is the value of the variable TOKEN. The signature is never shown.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// A token, a file with a token or an event, or `-` for standard input
    ///
    /// A token on a command line stays in the shell's history.
    #[arg(value_name = "TOKEN_OR_EVENT")]
    subject: String,
    /// Requests to decide, `VERB /path` or `$connect`; without any, the event's own and the entries of ROUTES
    #[arg(value_name = "VERB /path")]
    requests: Vec<String>,
    /// Exit with 0 if the verdict is `allow`, `deny` or this reason, and with 1 if it is another
    #[arg(long, value_name = "WORD")]
    expect: Option<String>,
    #[command(flatten)]
    settings: SettingsArguments,
}

const EXAMPLES: &str = "\
Examples:
  authorizer explain - 'GET /pets' < token.txt
  authorizer explain event.json --env-file .env
  authorizer explain '{{token:expired}}' --expect token_expired";

/// A request, and what the policy says about it.
struct Asked {
    /// `GET /pets`.
    request: String,
    verdict: iam::Verdict,
    by: String,
    /// What looks like a mistake in the path.
    doubts: Vec<String>,
}

pub(crate) async fn run(
    arguments: &Arguments,
    format: Format,
    color: Color,
) -> Result<Outcome, Misuse> {
    if arguments.expect.as_deref().is_some_and(|word| !is_expectation(word)) {
        // Not quoted: it may be a token.
        return Err(format!("--expect must be {}", expectations()).into());
    }
    let requested = requested(&arguments.requests)?;
    let settings = arguments.settings.read()?;
    let given = settings.environment(&[]);
    let is_set = |name: &str| given.get(name).is_some_and(|value| !value.trim().is_empty());
    let stand_in = if is_set("ISSUER") || is_set("ISSUERS") { None } else { Some(StandIn::new()) };
    let subject = read(&arguments.subject)?;
    let (text, environment) = match &stand_in {
        Some(stand_in) => (stand_in.fill(&subject), settings.environment(&stand_in.settings())),
        None => {
            let token = given.get("TOKEN").unwrap_or_default();
            (subject.replace("{{token}}", token), given)
        }
    };
    let config = Config::read(&environment).map_err(|problems| Misuse(problems.to_string()))?;
    let authorizer = Authorizer::new(config);
    authorizer.prefetch().await;
    let subject = Subject {
        text: text.trim(),
        location: environment.get("TOKEN_SOURCE"),
        authorizer: &authorizer,
    };

    let decision = subject.decide(requested.first()).await;
    let seen = authorizer.explain(&decision);
    let is_expected = arguments.expect.as_deref().is_none_or(|word| is_as(&decision.verdict, word));
    let asked = subject.ask(&seen, &decision, &requested).await;
    if format == Format::Json {
        let text = format!("{:#}\n", as_json(&decision, &seen, asked.as_deref(), is_expected));
        return Ok(Outcome { text, notes: String::new(), is_expected });
    }
    let mut page = Page::new(color.is_used(std::io::stdout().is_terminal()));
    if let Some(stand_in) = &stand_in {
        page.note(&format!(
            "No ISSUER is set: {} stands in, with a key of its own.",
            stand_in.issuer()
        ));
    }
    show_token(&mut page, &seen);
    let is_key_unknown = seen.checks.iter().any(|check| {
        check.reason == Reason::KeyUnknown
            && matches!(check.state, CheckState::Failed | CheckState::Undecided)
    });
    show_keys(&mut page, &seen, is_key_unknown);
    show_revocations(&mut page, &seen);
    show_checks(&mut page, &seen, &decision.verdict);
    show_answer(&mut page, &seen, &decision);
    show_trial(&mut page, seen.trial.as_ref());
    show_entries(&mut page, seen.table.as_ref());
    show_requests(&mut page, &decision, asked.as_deref());
    if !is_expected {
        page.bad("This is not the verdict that was expected.");
    }
    Ok(Outcome { text: page.into_text(), notes: String::new(), is_expected })
}

/// What the explanation is about: an event, or a token for which events are made.
struct Subject<'s> {
    text: &'s str,
    /// `TOKEN_SOURCE`.
    location: Option<&'s str>,
    authorizer: &'s Authorizer,
}

impl<'s> Subject<'s> {
    fn is_event(&self) -> bool {
        self.text.starts_with('{')
    }

    /// Decides about the event as it is; about a token, for this request.
    async fn decide(&self, request: Option<&String>) -> Decision<'s> {
        if self.is_event() {
            return self.authorizer.decide(self.text).await;
        }
        let request = match request {
            Some(request) if !request.starts_with("ANY ") => request,
            _ => "GET /",
        };
        self.authorizer.decide(&self.token_event(request)).await
    }

    /// The event around a token, which may come with its scheme.
    fn token_event(&self, request: &str) -> String {
        if let Ok(request) = Request::parse(request) {
            if request.is_connect() {
                let token = self.text.rsplit(' ').next().unwrap_or_default();
                return request.event(token, self.location);
            }
            if !self.text.is_empty() && !self.text.contains(' ') {
                return request.event(self.text, self.location);
            }
        }
        let arn = format!("{STAGE}/{}", request.replacen(" /", "/", 1));
        json!({"type": "TOKEN", "authorizationToken": self.text, "methodArn": arn}).to_string()
    }

    /// The same event for another request.
    fn event_for(&self, request: &str, stage: &str) -> String {
        if !self.is_event() {
            return self.token_event(request);
        }
        let Ok(mut event) = serde_json::from_str::<Value>(self.text) else {
            return self.text.to_owned();
        };
        let arn = json!(format!("{stage}/{}", request.replacen(" /", "/", 1)));
        for name in ["methodArn", "routeArn"] {
            if event[name].is_string() {
                event[name] = arn.clone();
            }
        }
        event.to_string()
    }

    /// What the answers say about the requests: those that were asked about; without any, the event's own and the
    /// entries of the table. Nothing if there is no policy.
    async fn ask(
        &self,
        seen: &Explanation<'_>,
        decision: &Decision<'_>,
        requested: &[String],
    ) -> Option<Vec<Asked>> {
        let (stage, route) = seen.request.as_ref()?;
        decision.answer.as_ref().ok()?;
        let mut requests = requested.to_vec();
        if requests.is_empty() {
            requests.clone_from(&seen.routes);
            if self.is_event() || requests.is_empty() {
                let own = route.replacen('/', " /", 1);
                requests.retain(|request| *request != own);
                requests.insert(0, own);
            }
        }
        let mut asked = Vec::new();
        for request in requests {
            let (verb, path) = request.split_once(' ').unwrap_or((&request, ""));
            let verbs = if verb == "ANY" { &VERBS[..] } else { &[verb] };
            let mut verdicts = Vec::new();
            for verb in verbs {
                verdicts.push(self.verdict(seen, stage, verb, path).await);
            }
            let doubts = paths::doubts(path, &[stage.rsplit('/').next().unwrap_or_default()]);
            if verdicts.iter().all(|verdict| *verdict == verdicts[0]) {
                verdicts.truncate(1);
                let (verdict, by) = verdicts.remove(0);
                asked.push(Asked { request, verdict, by, doubts });
                continue;
            }
            for (verb, (verdict, by)) in verbs.iter().zip(verdicts) {
                let request = format!("{verb} {path}");
                asked.push(Asked { request, verdict, by, doubts: doubts.clone() });
            }
        }
        Some(asked)
    }

    async fn verdict(
        &self,
        seen: &Explanation<'_>,
        stage: &str,
        verb: &str,
        path: &str,
    ) -> (iam::Verdict, String) {
        let request = format!("{verb} {path}");
        let decision = self.authorizer.decide(&self.event_for(request.trim(), stage)).await;
        let by = decided_by(seen.table.as_ref(), &format!("{verb}{path}"));
        let Ok(answer) = decision.answer else { return (iam::Verdict::ImplicitDeny, by) };
        let answer: Value = serde_json::from_str(answer.get()).unwrap_or_default();
        if let Some(is_authorized) = answer["isAuthorized"].as_bool() {
            let refused = iam::Verdict::ExplicitDeny;
            return (if is_authorized { iam::Verdict::Allow } else { refused }, by);
        }
        let arn = format!("{stage}/{verb}{path}");
        (iam::evaluate(&answer["policyDocument"], &arn, tokens::now()), by)
    }
}

fn is_as(verdict: &Verdict<'_>, expected: &str) -> bool {
    match (verdict, expected) {
        (Verdict::Allow(_), "allow") | (Verdict::Deny(_), "deny") => true,
        _ => verdict.code() == Some(expected),
    }
}

/// Never quoted: a token on the command line is a secret.
fn read(subject: &str) -> Result<String, Misuse> {
    if subject == "-" || subject.ends_with(".json") || Path::new(subject).is_file() {
        return Ok(document::read(Path::new(subject))?);
    }
    Ok(subject.to_owned())
}

/// Pairs of `VERB /path`, each one argument or two; and `$connect`.
fn requested(arguments: &[String]) -> Result<Vec<String>, Misuse> {
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
            // Not quoted: what is in the wrong place may be a token.
            _ => return Err(WANTED.into()),
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

/// The ids of the keys help where the token names none of them.
fn show_keys(page: &mut Page, seen: &Explanation<'_>, is_key_unknown: bool) {
    page.heading("Keys");
    let Some((issuer, status)) = &seen.keys else {
        return page.line("none were looked for");
    };
    show_document(page, status, &format!("usable, of {issuer}"));
    if is_key_unknown && !seen.key_ids.is_empty() {
        page.line(&plain(&format!("with the ids {}", seen.key_ids.join(", "))));
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
    if let Some(failure) = &status.last_failure {
        page.bad(&plain(&format!("the last fetch failed: {failure}")));
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
pub(crate) fn detail(verdict: &Verdict<'_>) -> Option<String> {
    let detail = match verdict {
        Verdict::Allow(_) => return None,
        Verdict::Deny(denial) => denial.to_string(),
        Verdict::Undecided(fault) => fault.detail.to_string(),
    };
    if detail.is_empty() { None } else { Some(detail) }
}

fn show_answer(page: &mut Page, seen: &Explanation<'_>, decision: &Decision<'_>) {
    page.heading("Answer");
    match &decision.verdict {
        Verdict::Allow(_) => page.good("Allow"),
        Verdict::Deny(denial) => {
            let code = denial.reason().code();
            match detail(&decision.verdict) {
                Some(detail) => page.bad(&format!("Deny: {code} ({})", plain(&detail))),
                None => page.bad(&format!("Deny: {code}")),
            }
        }
        Verdict::Undecided(fault) => {
            page.bad(&format!("no verdict: {}", plain(&fault.to_string())));
        }
    }
    match &decision.answer {
        Err(Failure::Unauthorized) => {
            page.line("with REFUSAL=unauthorized: the function error `Unauthorized`, to which API Gateway answers 401");
        }
        Err(Failure::NoVerdict(_)) => {
            page.line("the function fails, API Gateway answers 500, and nothing is cached");
        }
        Ok(answer) => {
            let answer: Value = serde_json::from_str(answer.get()).unwrap_or_default();
            page.pair("principalId", &answer["principalId"]);
            if !seen.omitted.is_empty() {
                let names = seen.omitted.join(" ");
                page.line(&plain(&format!(
                    "omitted from the context, which would be too long: {names}"
                )));
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
pub(crate) fn decided_by(table: Option<&TableReport<'_>>, request: &str) -> String {
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

fn show_requests(page: &mut Page, decision: &Decision<'_>, asked: Option<&[Asked]>) {
    page.heading("Requests");
    let (Some(asked), Ok(answer)) = (asked, &decision.answer) else {
        return page.bad("none is let in: there is no policy");
    };
    for Asked { request, verdict, by, doubts } in asked {
        let why = match verdict {
            iam::Verdict::Allow => "",
            iam::Verdict::ExplicitDeny => "a Deny of the policy matches",
            iam::Verdict::ImplicitDeny => {
                "nothing in the policy matches; a resource policy of the API could still allow it"
            }
        };
        let why: Vec<_> = [why, by].into_iter().filter(|text| !text.is_empty()).collect();
        page.verdict(*verdict == iam::Verdict::Allow, &plain(request), &plain(&why.join("; ")));
        for doubt in doubts {
            page.warn(&plain(doubt));
        }
    }
    let answer: Value = serde_json::from_str(answer.get()).unwrap_or_default();
    let expiry = |statement: &Value| {
        let expiry = &statement["Condition"]["DateGreaterThanEquals"]["aws:CurrentTime"][0];
        expiry.as_str().map(str::to_owned)
    };
    // The last statement ends with the token. Others can end with a sign-in.
    let statements = answer["policyDocument"]["Statement"].as_array();
    if let Some(expiry) = statements.and_then(|all| all.last()).and_then(expiry) {
        page.note(&format!("From {expiry} on, this policy refuses everything."));
    }
}

fn as_json(
    decision: &Decision<'_>,
    seen: &Explanation<'_>,
    asked: Option<&[Asked]>,
    is_expected: bool,
) -> Value {
    let verdict = match decision.verdict {
        Verdict::Allow(_) => "allow",
        Verdict::Deny(_) => "deny",
        Verdict::Undecided(_) => "undecided",
    };
    let token = seen.token.as_ref().map(|(header, claims)| {
        json!({"header": header, "claims": claims, "verified": seen.is_verified})
    });
    let document = |status: &SourceStatus| {
        let failure = status.last_failure.as_ref();
        json!({
            "entries": status.entries,
            "stage": failure.map(FetchError::stage),
            "detail": failure.map(|failure| &failure.detail),
        })
    };
    let checks: Vec<_> = seen
        .checks
        .iter()
        .map(|check| {
            let state = match check.state {
                CheckState::Passed => "passed",
                CheckState::Failed => "failed",
                CheckState::Undecided => "undecided",
                CheckState::NotReached => "not_reached",
            };
            json!({"reason": check.reason.code(), "state": state})
        })
        .collect();
    let entries: Vec<_> = seen
        .table
        .iter()
        .flat_map(|table| &table.entries)
        .map(|EntryReport { route, state }| json!({"entry": route, "state": state}))
        .collect();
    let requests: Vec<_> = asked
        .into_iter()
        .flatten()
        .map(|Asked { request, verdict, by, doubts }| {
            let is_open = *verdict == iam::Verdict::Allow;
            json!({"request": request, "open": is_open, "because": by, "warnings": doubts})
        })
        .collect();
    json!({
        "verdict": verdict,
        "reason": decision.verdict.code(),
        "detail": detail(&decision.verdict),
        "expected": seen.expected,
        "trial": seen.trial.as_ref().map(|denial| denial.reason().code()),
        "as_expected": is_expected,
        "token": token,
        "issuer": seen.keys.as_ref().map(|(issuer, _)| issuer),
        "keys": seen.keys.as_ref().map(|(_, status)| document(status)),
        "key_ids": seen.key_ids,
        "skipped_keys": seen.skipped_keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "revocations": seen.revocations.as_ref().map(document),
        "checks": checks,
        "entries": entries,
        "requests": requests,
    })
}
