//! `authorizer test`: a table of rights, tested with tokens of one's own making.

use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use token_authorizer::{Authorizer, Obstacle, Reason, Verdict};

use crate::explain::{decided_by, detail};
use crate::outcome::{Misuse, Outcome, plain};
use crate::request::{Request, is_allowed};
use crate::settings::SettingsArguments;
use crate::token::ThrowAwayKeys;
use crate::{Format, document, junit};

/// Test the settings with tokens that are made for it
///
/// CASES is an array, as JSON or YAML, of objects with `claims`, `request`, `expect` and, if you like, `name`. `expect`
/// is `allow`, `deny`, or the reason of a refusal. Claims that a case leaves out (`iss`, `aud`, `exp`, `iat`, `sub`) are
/// filled in so that the token is good; null removes one. `auth_time` can be `300 s ago`. The tokens are signed with a
/// key that is made for this run and takes the place of all keys in the settings. A revocation list that would be
/// fetched counts as empty. Nothing is fetched.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The cases, JSON or YAML; `-` for standard input
    cases: PathBuf,
    /// Also writes the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingsArguments,
}

const EXAMPLES: &str = r#"Examples:
  authorizer test cases.yaml --env-file .env
  authorizer test cases.json --deployment plan.json --junit results.xml

A file of cases:
  - name: a reader reads
    claims: {scope: "pets:read"}
    request: GET /pets/1
    expect: allow
  - claims: {scope: "pets:read", exp: 1}
    request: GET /pets/1
    expect: token_expired"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: Option<String>,
    #[serde(default)]
    claims: Map<String, Value>,
    request: String,
    expect: String,
}

/// How a case went.
pub(crate) struct Tested {
    pub(crate) name: String,
    pub(crate) request: String,
    expected: String,
    /// `allow`, or the reason why not.
    got: String,
    detail: String,
}

impl Tested {
    /// What went wrong, if anything did.
    pub(crate) fn failure(&self) -> Option<String> {
        let is_expected = match self.expected.as_str() {
            // No verdict is no refusal.
            "deny" => Reason::ALL.iter().any(|reason| reason.code() == self.got),
            expected => expected == self.got,
        };
        if is_expected {
            return None;
        }
        let detail =
            if self.detail.is_empty() { String::new() } else { format!(" ({})", self.detail) };
        Some(format!("expected {}, got {}{detail}", self.expected, self.got))
    }
}

pub(crate) async fn run(arguments: &Arguments, format: Format) -> Result<Outcome, Misuse> {
    let cases = read(arguments)?;
    let settings = arguments.settings.read()?;
    let mut config = settings.config()?;
    let location = settings.environment(&[]).get("TOKEN_SOURCE").map(str::to_owned);
    let keys = ThrowAwayKeys::for_issuers(&config.issuers());
    config.replace_keys(&keys.jwks())?;
    let mut tested = Vec::new();
    let mut tokens = Vec::new();
    for (case, _) in &cases {
        let token = keys.token(&config.issuers(), &case.claims);
        tokens.push(token.ok_or("the settings trust no issuer")?);
    }
    let authorizer = Authorizer::new(config);
    for ((case, request), token) in cases.into_iter().zip(tokens) {
        let event = request.event(&token, location.as_deref());
        let (got, detail) = decide(&authorizer, &event, &request).await;
        let name = case.name.unwrap_or_else(|| format!("case {}", tested.len() + 1));
        let expected = case.expect;
        tested.push(Tested { name, request: case.request, expected, got, detail });
    }
    if let Some(path) = &arguments.junit {
        std::fs::write(path, junit::xml(&tested))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let is_expected = tested.iter().all(|one| one.failure().is_none());
    let text = if format == Format::Json { json_text(&tested) } else { page(&tested) };
    Ok(Outcome { text, notes: String::new(), is_expected })
}

/// `allow`, or the reason why not, with what there is to say about it.
async fn decide(authorizer: &Authorizer, event: &str, request: &Request) -> (String, String) {
    let decision = authorizer.decide(event).await;
    match (&decision.verdict, &decision.answer) {
        (Verdict::Allow(_), Ok(answer)) if is_allowed(answer, request) => {
            ("allow".to_owned(), String::new())
        }
        (Verdict::Allow(_), _) => {
            let table = authorizer.explain(&decision).table;
            let by = decided_by(table.as_ref(), request.after_stage());
            (Reason::InsufficientScope.code().to_owned(), by)
        }
        (refused, _) => {
            (refused.code().unwrap_or_default().to_owned(), detail(refused).unwrap_or_default())
        }
    }
}

fn read(arguments: &Arguments) -> Result<Vec<(Case, Request)>, Misuse> {
    let path = arguments.cases.display();
    let text = document::read(&arguments.cases)?;
    let cases = document::parse(&text).map_err(|error| format!("{path}: {error}"))?;
    let Value::Array(cases) = cases else {
        return Err(format!("{path}: must be an array of cases").into());
    };
    if cases.is_empty() {
        return Err(format!("{path}: has no cases, so nothing would be tested").into());
    }
    let mut read = Vec::new();
    for (index, case) in cases.into_iter().enumerate() {
        let at = |problem: &str| format!("{path}: case {}: {problem}", index + 1);
        let case: Case = serde_json::from_value(case).map_err(|error| at(&error.to_string()))?;
        let request = Request::parse(&case.request).map_err(at)?;
        if !is_expectation(&case.expect) {
            return Err(at(&format!("`expect` must be {}", expectations())).into());
        }
        read.push((case, request));
    }
    Ok(read)
}

fn codes() -> impl Iterator<Item = &'static str> {
    let reasons = Reason::ALL.into_iter().map(Reason::code);
    reasons.chain(Obstacle::ALL.into_iter().map(Obstacle::code))
}

/// Whether this is a word for a verdict.
pub(crate) fn is_expectation(word: &str) -> bool {
    word == "allow" || word == "deny" || codes().any(|code| code == word)
}

/// The words for a verdict.
pub(crate) fn expectations() -> String {
    format!("`allow`, `deny` or a reason: {}", codes().collect::<Vec<_>>().join(" "))
}

fn page(tested: &[Tested]) -> String {
    let width = |text: fn(&Tested) -> &str| {
        tested.iter().map(|one| plain(text(one)).chars().count()).max().unwrap_or_default()
    };
    let (names, requests) = (width(|one| &one.name), width(|one| &one.request));
    let mut page = String::new();
    for one in tested {
        let failure = one.failure();
        let mark = if failure.is_some() { "FAILED" } else { "ok" };
        let (name, request) = (plain(&one.name), plain(&one.request));
        let result = failure.as_deref().map_or_else(|| one.got.clone(), plain);
        page += &format!("{mark:<6}  {name:<names$}  {request:<requests$}  {result}\n");
    }
    let failed = tested.iter().filter(|one| one.failure().is_some()).count();
    page + &format!("{} passed, {failed} failed\n", tested.len() - failed)
}

fn json_text(tested: &[Tested]) -> String {
    let results: Vec<_> = tested
        .iter()
        .map(|one| {
            json!({
                "name": one.name,
                "request": one.request,
                "expected": one.expected,
                "got": one.got,
                "detail": one.detail,
                "passed": one.failure().is_none(),
            })
        })
        .collect();
    let failed = tested.iter().filter(|one| one.failure().is_some()).count();
    format!("{:#}\n", json!({"passed": tested.len() - failed, "failed": failed, "cases": results}))
}
