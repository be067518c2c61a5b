//! The checks in the order in which the authorizer makes them: what each wants, and what the token has.

use std::time::{Duration, SystemTime};

use serde_json::Value;
use token_authorizer::{MAX_BYTES, Obstacle, Reason};

use super::common::support::tokens::now;
use super::decision::{Decision, Outcome};
use super::facts::Facts;
use super::page::{Mark, Page};
use super::settings::Settings;

pub(crate) fn show(page: &mut Page, facts: &Facts, settings: &Settings<'_>, decision: &Decision) {
    page.heading("Steps");
    if let Outcome::NoVerdict(fault) = &decision.outcome
        && fault.obstacle != Obstacle::KeysUnavailable
    {
        return page.line("none: see the answer");
    }
    page.note("in this order; each is named after the reason that it gives for a refusal");
    let refusing = decision.outcome.refusing_step();
    for reason in Reason::ALL {
        let mark = match (reason as usize).cmp(&refusing) {
            std::cmp::Ordering::Less => Mark::Passed,
            std::cmp::Ordering::Equal if matches!(decision.outcome, Outcome::NoVerdict(_)) => Mark::NoVerdict,
            std::cmp::Ordering::Equal => Mark::Refused,
            std::cmp::Ordering::Greater => Mark::NotReached,
        };
        let (wanted, mut found) = step(reason, facts, settings);
        // Of a time, the log says no more than what is found.
        let is_time = matches!(reason, Reason::TokenExpired | Reason::TokenNotYetValid);
        if let Some(detail) = decision.detail().filter(|_| mark == Mark::Refused && !is_time) {
            found = if found.is_empty() { detail.to_owned() } else { format!("{found}: {detail}") };
        }
        page.step(mark, reason.code(), &wanted, &found);
    }
}

/// What the step wants, and what there is.
fn step(reason: Reason, facts: &Facts, settings: &Settings<'_>) -> (String, String) {
    let issuer = facts.issuer();
    let own = |name: &str| settings.list_of(issuer, name);
    let member = |name: &str| show_value(facts.member(name));
    let claims = |names: &[String]| {
        let present = names.iter().filter_map(|name| Some(format!("`{name}` {}", facts.claim(name)?)));
        let present: Vec<_> = present.collect();
        if present.is_empty() { format!("no `{}`", names.join("`, no `")) } else { present.join(", ") }
    };
    let leeway = match settings.text("LEEWAY_SECONDS").as_str() {
        "0" => String::new(),
        seconds => format!(", give or take {seconds} s"),
    };
    match reason {
        Reason::TokenMissing => {
            let found = if facts.place.is_empty() { "nothing".to_owned() } else { format!("in {}", facts.place) };
            ("the event has a credential".to_owned(), found)
        }
        Reason::TokenTooLong => {
            let length = facts.credential.as_ref().map_or(0, String::len);
            (format!("at most {MAX_BYTES} bytes"), format!("{length} bytes"))
        }
        Reason::TokenMalformed => {
            let segments = facts.credential.as_ref().map_or(0, |token| token.split('.').count());
            let found = if segments == 1 { "1 segment".to_owned() } else { format!("{segments} segments") };
            ("one bearer token: three segments, JSON in base64url".to_owned(), found)
        }
        Reason::CriticalHeaderUnsupported => {
            let present = ["crit", "b64"].into_iter().filter(|name| facts.member(name).is_some());
            let present: Vec<_> = present.map(|name| format!("`{name}`")).collect();
            let found = if present.is_empty() { "neither".to_owned() } else { present.join(", ") };
            ("the header has neither `crit` nor `b64`".to_owned(), found)
        }
        Reason::TypeNotAccepted => {
            let found = match (facts.member("typ"), facts.member("cty")) {
                (None, None) => "no `typ`, which counts as JWT".to_owned(),
                (_, None) => member("typ"),
                (_, Some(cty)) => format!("{}, with `cty` {cty}", member("typ")),
            };
            (format!("`typ` is {}", any(&own("TOKEN_TYPES"))), found)
        }
        Reason::AlgorithmNotAllowed => (format!("`alg` is {}", any(&own("ALGORITHMS"))), member("alg")),
        Reason::IssuerUntrusted => {
            let found = show_value(facts.claims.as_ref().and_then(|claims| claims.get("iss")));
            (format!("`iss` is exactly {}", any(&settings.issuers())), found)
        }
        Reason::KeyUnknown => {
            ("the issuer has a key for `kid` and `alg`".to_owned(), format!("`kid` {}", member("kid")))
        }
        Reason::SignatureInvalid => ("such a key verifies the signature".to_owned(), String::new()),
        Reason::TokenExpired => (format!("`exp` is later than now{leeway}"), date(facts.claim("exp"))),
        Reason::TokenNotYetValid => (format!("`nbf` is not later than now{leeway}"), date(facts.claim("nbf"))),
        Reason::AudienceMismatch => {
            let names = own("AUDIENCE_CLAIM");
            let first = names.iter().find(|name| facts.claim(name).is_some()).cloned();
            let found = first.map_or_else(|| claims(&names), |name| claims(&[name]));
            (format!("`{}` holds {}", names.join("` or `"), any(&own("AUDIENCE"))), found)
        }
        Reason::ClaimMissing => {
            let mut groups = vec![vec!["exp".to_owned()], own("AUDIENCE_CLAIM"), settings.list("PRINCIPAL_CLAIM")];
            let required = settings.required_claims(issuer);
            groups.extend(required.as_object().into_iter().flatten().map(|(name, _)| vec![name.clone()]));
            let is_missing = |names: &&Vec<String>| names.iter().all(|name| facts.claim(name).is_none());
            let missing: Vec<_> = groups.iter().filter(is_missing).map(|names| names.join("` and `")).collect();
            let wanted: Vec<_> = groups.iter().map(|names| names.join("` or `")).collect();
            let found = match &missing[..] {
                [] => "all are".to_owned(),
                _ => format!("no `{}`", missing.join("`, no `")),
            };
            (format!("there are `{}`", wanted.join("`, `")), found)
        }
        Reason::ClaimInvalid => {
            let required = settings.required_claims(issuer);
            let mut names = settings.list("PRINCIPAL_CLAIM");
            let wanted = match required.as_object().filter(|claims| !claims.is_empty()) {
                Some(claims) => {
                    names.extend(claims.keys().cloned());
                    format!("claims are of the right type, and as required: {required}")
                }
                None => "claims are of the right type".to_owned(),
            };
            (wanted, claims(&names))
        }
        Reason::InsufficientScope => {
            let required = settings.list("REQUIRED_SCOPES");
            let wanted = match (required.is_empty(), settings.text("ROUTES").is_empty()) {
                (true, true) => "nothing more: every route is open".to_owned(),
                (false, true) => format!("all of {}", required.join(", ")),
                (true, false) => "an entry of ROUTES is open".to_owned(),
                (false, false) => format!("all of {}, and an entry of ROUTES is open", required.join(", ")),
            };
            (wanted, claims(&own("SCOPE_CLAIMS")))
        }
    }
}

fn any(values: &[String]) -> String {
    match values {
        [one] => one.clone(),
        _ => format!("one of {}", values.join(", ")),
    }
}

fn show_value(value: Option<&Value>) -> String {
    value.map_or_else(|| "absent".to_owned(), ToString::to_string)
}

/// A `NumericDate` in words, as far as there are any for it.
fn date(value: Option<&Value>) -> String {
    let Some(value) = value else { return "absent".to_owned() };
    let since_epoch = value.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let year_10000 = Duration::from_secs(253_402_300_800);
    let Some(since_epoch) = since_epoch.filter(|since_epoch| *since_epoch < year_10000) else {
        return value.to_string();
    };
    let (then, now) = (since_epoch.as_secs(), now());
    let distance = if then > now { format!("in {} s", then - now) } else { format!("{} s ago", now - then) };
    let time = humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since_epoch);
    format!("{value}: {time}, {distance}")
}
