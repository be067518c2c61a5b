//! The log, as Lambda's logging controls and its readers take it: one event a line, at its level, and nobody's forgery.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::support::idp::Idp;
use super::support::process::Lambda;
use super::support::runtime_api::Reply;
use super::support::tokens::{SigningKey, b64, jwks};
use super::{AUDIENCE, bearer, claims, program, provider, said, start};

/// Lambda Developer Guide, "Log-level filtering".
const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/// Everything that is logged of an ordinary life: a start, an Allow, a Deny, an event that is none, a failing fetch.
fn live(settings: &[(&str, &str)]) -> (String, Vec<Reply>) {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, settings);
    let mut replies = vec![
        lambda.invoke_to_end(&bearer(&key.token(&claims(&idp, json!({}))))),
        lambda.invoke_to_end(&bearer(&key.token(&claims(&idp, json!({"exp": 1}))))),
        lambda.invoke_to_end("{}"),
    ];
    idp.down();
    replies.push(
        lambda.invoke_to_end(&bearer(&SigningKey::rsa("k2").token(&claims(&idp, json!({}))))),
    );
    (lambda.end(), replies)
}

/// Of each line its level and what it is about.
fn outline(output: &str) -> Vec<(String, String)> {
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        let about =
            line["message"].as_str().or(line["reason"].as_str()).or(line["decision"].as_str());
        (line["level"].as_str().unwrap().to_owned(), about.unwrap().to_owned())
    };
    output.lines().map(line).collect()
}

fn about(lines: &[(&str, &str)]) -> Vec<(String, String)> {
    lines.iter().map(|(level, about)| ((*level).to_owned(), (*about).to_owned())).collect()
}

#[test]
fn every_line_is_an_object_with_a_time_and_a_level() {
    let (output, replies) = live(&[]);
    let now = SystemTime::now();
    for line in output.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let timestamp = humantime::parse_rfc3339(line["timestamp"].as_str().unwrap()).unwrap();
        assert!(now.duration_since(timestamp).unwrap() < Duration::from_secs(60), "{line}");
        assert!(LEVELS.contains(&line["level"].as_str().unwrap()), "{line}");
        assert!(
            line.as_object().unwrap().values().all(|value| !value.is_object() && !value.is_array()),
            "{line}"
        );
    }
    let decisions = output.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let decisions: Vec<_> = decisions.filter(|line| line.get("decision").is_some()).collect();
    let common = ["timestamp", "level", "decision", "duration_us", "request_id", "trace_id"];
    let token = ["issuer", "kid", "alg"];
    let expected = [
        ("allow", &token[..]),
        ("deny", &["reason", "detail", "issuer", "kid", "alg"]),
        ("none", &["reason", "detail"]),
        ("none", &["reason", "detail", "issuer", "kid", "alg"]),
    ];
    assert_eq!(decisions.len(), expected.len(), "{output}");
    for ((line, reply), (decision, more)) in decisions.iter().zip(&replies).zip(expected) {
        let mut names: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
        let mut wanted: Vec<_> = common.iter().chain(more).copied().collect();
        names.sort_unstable();
        wanted.sort_unstable();
        assert_eq!((line["decision"].as_str(), names), (Some(decision), wanted), "{line}");
        assert_same_invocation(line, reply);
        assert!(line["duration_us"].as_u64().unwrap() < 10_000_000, "{line}");
    }
}

/// In the stand-in for the Runtime API, request id and trace id end in the same number.
#[track_caller]
fn assert_same_invocation(line: &Value, reply: &Reply) {
    assert_eq!(line["request_id"], reply.request_id, "{line}");
    let (_, number) = reply.request_id.rsplit_once('-').unwrap();
    let trace = format!("Root=1-65a1b2c3-{number:0>24};Parent=53995c3f42cd8ad8;Sampled=0");
    assert_eq!(line["trace_id"], trace, "{line}");
}

#[test]
fn each_level_lets_through_what_is_as_grave() {
    let (error, warn, info) = ("ERROR", "WARN", "INFO");
    let all = [
        (info, "configured"),
        (info, "keys refreshed"),
        (info, "allow"),
        (info, "token_expired"),
        (error, "event_unsupported"),
        (warn, "key refresh failed"),
        (error, "keys_unavailable"),
    ];
    for setting in ["TRACE", "debug", "INFO", " Warn ", "ERROR", "FATAL"] {
        let level = setting.trim().to_uppercase();
        let rank = |level: &str| LEVELS.iter().position(|known| *known == level).unwrap();
        // Nothing here is fatal: what could be lost at that level is still written, and Lambda's to drop.
        let least = rank(&level).min(rank(error));
        let expected: Vec<_> = all.into_iter().filter(|(level, _)| rank(level) >= least).collect();
        let (output, _) = live(&[("AWS_LAMBDA_LOG_LEVEL", setting)]);
        assert_eq!(
            outline(&output),
            about(&expected),
            "{setting}: no more, from no dependency either"
        );
        // Tokens are looked for by `Lambda` itself.
        assert!(!output.contains("Bearer") && !output.contains("eyJ"), "{output}");
        let (text, _) =
            live(&[("AWS_LAMBDA_LOG_LEVEL", setting), ("AWS_LAMBDA_LOG_FORMAT", "TEXT")]);
        assert_eq!(text.lines().count(), expected.len(), "{text}");
    }
}

#[test]
fn text_has_one_line_for_each_event_and_no_json() {
    for format in ["TEXT", "Text "] {
        let (output, replies) = live(&[("AWS_LAMBDA_LOG_FORMAT", format)]);
        let lines: Vec<_> = output.lines().collect();
        assert_eq!(lines.len(), 7, "{output}");
        for line in &lines {
            let mut words = line.split_whitespace();
            humantime::parse_rfc3339(words.next().unwrap()).unwrap();
            assert!(LEVELS.contains(&words.next().unwrap()), "{line}");
            assert!(!line.contains('{') && !line.contains("\":"), "{line}");
        }
        let decisions =
            [(lines[2], "allow"), (lines[3], "deny"), (lines[4], "none"), (lines[6], "none")];
        for ((line, decision), reply) in decisions.into_iter().zip(&replies) {
            assert!(line.contains(&format!("decision=\"{decision}\"")), "{line}");
            assert!(line.contains(&format!("request_id=\"{}\"", reply.request_id)), "{line}");
        }
    }
}

/// Characters without a width, and those that turn the order of what stands beside them.
const UNSEEN: &str = "\u{ad}\u{34f}\u{61c}\u{180e}\u{200b}\u{200c}\u{200d}\u{200f}\u{2028}\u{202e}\u{2060}\u{2061}\u{2066}\
    \u{206a}\u{fe0f}\u{feff}\u{fff9}\u{e0061}";

#[test]
fn what_comes_from_a_token_is_cut_and_cannot_forge_a_line() {
    let key = SigningKey::rsa("k1");
    let line =
        r#"{"timestamp":"2026-01-01T00:00:00Z","level":"ERROR","decision":"allow","kid":"forged"}"#;
    let hostile = [
        format!("\n{line}\n"),
        format!("\r\n{line}\r\n"),
        format!("\u{85}{line}\u{2028}{line}"),
        format!("\"}}\n{line}"),
        "\"} {\\\"\\\\\\u000a\\n".to_owned(),
        "\u{0}\u{8}\u{b}\u{c}\u{1b}[2J\u{7f}\u{9b}31m\u{200f}\u{202e}\u{2066}".to_owned(),
        UNSEEN.to_owned(),
        "level=ERROR decision=\"allow\" kid=forged".to_owned(),
        "é".repeat(500),
        "\n".repeat(500),
    ];
    for format in ["JSON", "TEXT"] {
        let idp = provider(&key);
        let lambda = start(&idp, &[("AWS_LAMBDA_LOG_FORMAT", format)]);
        for text in &hostile {
            let tokens = [
                key.token_with(
                    &json!({"alg": "RS256", "kid": text}),
                    &claims(&idp, json!({"exp": 1})),
                ),
                key.token_with(&json!({"alg": text}), &claims(&idp, json!({}))),
                key.token(&claims(&idp, json!({"iss": text}))),
            ];
            for (token, reason) in
                tokens.iter().zip(["key_unknown", "algorithm_not_allowed", "issuer_untrusted"])
            {
                assert_eq!(
                    said(&lambda.invoke_to_end(&bearer(token))),
                    format!("Deny {reason}"),
                    "{text:?}"
                );
            }
        }
        let output = lambda.end();
        let unsafe_in_output = |c: char| c != '\n' && c.is_control() || UNSEEN.contains(c);
        assert!(!output.contains(unsafe_in_output), "{output:?}");
        let decisions: Vec<_> = output.lines().filter(|line| line.contains("deny")).collect();
        assert_eq!(decisions.len(), 3 * hostile.len(), "{output}");
        if format == "TEXT" {
            let begins_with_a_time =
                |line: &str| humantime::parse_rfc3339(line.split(' ').next().unwrap()).is_ok();
            assert!(output.lines().all(begins_with_a_time), "{output}");
            continue;
        }
        let decisions = decisions.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        for (line, (n, name)) in
            decisions.zip((0..).flat_map(|n| ["kid", "alg", "issuer"].map(|name| (n, name))))
        {
            // What JSON has no escape for stands there as `\u{9b}`.
            let is_json_safe = |c: char| c < '\u{7f}' || c == 'é';
            let escape = |c: char| {
                if is_json_safe(c) { c.to_string() } else { c.escape_unicode().to_string() }
            };
            assert_eq!(line[name], hostile[n].chars().take(128).map(escape).collect::<String>());
            assert_eq!(
                (line["level"].as_str(), line["decision"].as_str()),
                (Some("INFO"), Some("deny"))
            );
        }
    }
}

#[test]
fn invocations_at_once_are_logged_each_under_its_own_id() {
    let key = SigningKey::rsa("k1");
    let keys = jwks(&[&key]).to_string();
    let issuer = "https://login.example.com";
    let settings = [
        ("ISSUER", issuer),
        ("AUDIENCE", AUDIENCE),
        ("JWKS", &keys),
        ("AWS_LAMBDA_MAX_CONCURRENCY", "4"),
    ];
    let lambda = Lambda::spawn(&program(), &settings);
    let kids: Vec<_> = (0..32).map(|n| format!("kid-{n}")).collect();
    let event = |kid: &String| {
        let (header, payload) = (json!({"alg": "RS256", "kid": kid}), json!({"iss": issuer}));
        bearer(&format!(
            "{}.{}.{}",
            b64(header.to_string()),
            b64(payload.to_string()),
            b64("signature")
        ))
    };
    let tickets: Vec<_> = kids.iter().map(|kid| lambda.submit(&event(kid))).collect();
    let replies: Vec<_> = tickets.into_iter().map(|ticket| lambda.wait(ticket)).collect();
    for (kid, reply) in kids.iter().zip(&replies) {
        assert_same_invocation(&lambda.wait_for_log(|line| line["kid"] == **kid), reply);
    }
}

#[test]
fn the_documentation_names_every_event_field_and_metric() {
    let text = fs::read_to_string("docs/operations.md").unwrap();
    let named = |title: &str| -> HashSet<&str> {
        let (_, section) = text.split_once(&format!("\n## {title}\n")).unwrap();
        section.split("\n## ").next().unwrap().split('`').skip(1).step_by(2).collect()
    };
    let (fields, metrics) = (named("The log"), named("Metrics"));
    let metric = ("METRICS_NAMESPACE", "Pets");
    let (list, none) = (Idp::start(), "http://127.0.0.1:1/list");
    list.serve_json(json!({}));
    let output =
        [list.jwks_uri(), none.to_owned()].map(|list| live(&[metric, ("REVOKED", &list)]).0);
    let output = output.concat();
    for message in ["revocations refreshed", "revocation refresh failed"] {
        assert!(output.contains(message), "{output}");
    }
    let mut seen = HashSet::new();
    for line in output.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if let Some(declared) = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array() {
            seen.extend(declared.iter().map(|metric| metric["Name"].as_str().unwrap().to_owned()));
            continue;
        }
        for name in line.as_object().unwrap().keys() {
            assert!(
                name == "message" || fields.contains(&**name),
                "{name} is not in the documentation: {line}"
            );
        }
        if let Some(message) = line["message"].as_str() {
            assert!(fields.contains(message), "{message} is not in the documentation");
        }
    }
    let names = [
        "Allowed",
        "Refused",
        "Unavailable",
        "KeyFetches",
        "KeyFetchFailures",
        "KeyFetchMilliseconds",
        "KeyAge",
        "RevocationFetches",
        "RevocationFetchFailures",
        "RevocationAge",
    ];
    assert_eq!(seen, names.map(str::to_owned).into());
    assert!(names.iter().chain(&["Reason"]).all(|name| metrics.contains(name)), "{metrics:?}");
}

#[test]
fn what_the_context_has_no_room_for_is_logged_by_its_name() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[("CONTEXT_CLAIMS", "sub, a, groups=b, exp")]);
    let (long, longer) = ("x".repeat(3000), "PRIVATE".repeat(300));
    let token = key.token(&claims(&idp, json!({"a": long, "b": [longer]})));
    let reply = lambda.invoke(&bearer(&token));
    let names: Vec<_> = reply.body["context"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["a", "exp", "sub"]);
    let line = lambda.wait_for_log(|line| line["decision"] == "allow");
    assert_eq!(line["context_omitted"], "groups");
    assert!(!lambda.end().contains("PRIVATE"));
}

#[test]
fn a_logging_control_that_is_not_utf_8_is_warned_of() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let (issuer, jwks_uri) = (idp.issuer(), idp.jwks_uri());
    for name in ["AWS_LAMBDA_LOG_LEVEL", "AWS_LAMBDA_LOG_FORMAT"] {
        let settings = [
            ("ISSUER", OsStr::new(&issuer)),
            ("JWKS_URI", OsStr::new(&jwks_uri)),
            ("AUDIENCE", OsStr::new(AUDIENCE)),
            (name, OsStr::from_bytes(b"\xff")),
        ];
        let lambda = Lambda::try_spawn_os(&program(), &settings).unwrap();
        lambda.wait_for_log(|line| {
            line["level"] == "WARN" && line["message"].as_str().unwrap().starts_with(name)
        });
    }
}
