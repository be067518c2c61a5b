//! Several invocations at once, as on Lambda Managed Instances: on every core, and nothing is lost or mixed up.

use std::collections::HashSet;
use std::fs;
use std::thread;

use serde_json::{Value, json};

use super::freezes::{GAP, count};
use super::providers::{SHORT, SOON_AGING, good, let_age};
use super::support::idp::Behaviour;
use super::support::process::Lambda;
use super::support::tokens::SigningKey;
use super::{bearer, claims, provider, said, start};

const SLOTS: usize = 16;

/// A setting that gives a function so many invocations at once, as Lambda sets it.
fn slots(value: &str) -> (&str, &str) {
    ("AWS_LAMBDA_MAX_CONCURRENCY", value)
}

fn threads(lambda: &Lambda) -> usize {
    fs::read_dir(format!("/proc/{}/task", lambda.pid())).unwrap().count()
}

/// The answers to these events, all submitted at once.
fn said_at_once(lambda: &Lambda, events: &[String]) -> Vec<String> {
    let tickets: Vec<_> = events.iter().map(|event| lambda.submit(event)).collect();
    tickets.into_iter().map(|ticket| said(&lambda.wait(ticket))).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn one_invocation_at_a_time_has_one_thread_and_several_have_more() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    for (value, expected) in [
        ("", 1),
        ("0", 1),
        ("1", 1),
        ("+1", 1),
        ("01", 1),
        ("-8", 1),
        ("8 ", 1),
        (" 8", 1),
        ("8.0", 1),
        ("eight", 1),
        ("4294967304", 1),
        ("2", 2),
        ("8", 8),
        ("+8", 8),
        ("08", 8),
    ] {
        let lambda = start(&idp, &[slots(value)]);
        lambda.api().polled_by(expected);
        assert_eq!(said(&lambda.invoke(&good(&idp, &key))), "Allow");
        let threads = threads(&lambda);
        assert_eq!(threads == 1, expected == 1, "{value:?}: {threads} threads");
    }
}

#[test]
fn lines_written_at_once_are_whole_and_metrics_add_up() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[slots("16"), ("METRICS_NAMESPACE", "Pets")]);
    let allowed = good(&idp, &key);
    // Long lines, of characters that are escaped.
    let long = json!({"alg": "RS256", "kid": "\u{202e}".repeat(128)});
    let refused = bearer(&key.token_with(&long, &claims(&idp, json!({"aud": "other"}))));
    let events: Vec<_> =
        [allowed, refused, "{}".to_owned()].into_iter().cycle().take(900).collect();
    let tickets: Vec<_> = events.iter().map(|event| lambda.submit(event)).collect();
    for ticket in tickets {
        let _ = lambda.wait(ticket);
    }
    lambda.api().polled_by(SLOTS);
    lambda.wait_for_log(|_| {
        lambda.log_lines().iter().filter(|line| line["decision"].is_string()).count() == 900
    });
    let output = lambda.end();
    let lines: Vec<Value> = output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not whole: {line}")))
        .collect();
    let ids: HashSet<_> = lines.iter().filter_map(|line| line["request_id"].as_str()).collect();
    assert_eq!(ids.len(), 900);
    let sum = |metric: &str| lines.iter().filter_map(|line| line[metric].as_u64()).sum::<u64>();
    for metric in ["Allowed", "Refused", "Unavailable"] {
        assert_eq!(sum(metric), 300, "{metric}");
    }
    assert_eq!(sum("KeyFetches"), idp.fetches());
}

#[test]
fn a_key_that_all_ask_for_at_once_is_fetched_once() {
    let (old, new) = (SigningKey::rsa("k1"), SigningKey::rsa("k2"));
    let idp = provider(&old);
    let lambda = start(&idp, &[slots("16")]);
    lambda.api().polled_by(SLOTS);
    idp.serve(&[&new]);
    let events: Vec<_> = (0..SLOTS).map(|_| good(&idp, &new)).collect();
    assert!(said_at_once(&lambda, &events).iter().all(|said| said == "Allow"));
    assert_eq!(idp.fetches(), 2, "{}", lambda.output());
    lambda.api().polled_by(SLOTS);
}

#[test]
fn a_freeze_amid_several_invocations_loses_none_of_them() {
    let (old, new) = (SigningKey::rsa("k1"), SigningKey::rsa("k2"));
    let idp = provider(&old);
    let lambda = start(&idp, &[slots("16"), SOON_AGING, SHORT]);
    lambda.api().polled_by(SLOTS);
    for round in 1..=3 {
        idp.behave(Behaviour::Hang);
        let_age();
        // All of them wait for a key that the provider has not sent yet.
        let fetches = idp.fetches();
        let unknown = SigningKey::rsa_other("k3", round);
        let tickets: Vec<_> = (0..SLOTS).map(|_| lambda.submit(&good(&idp, &new))).collect();
        while idp.fetches() == fetches {
            thread::yield_now();
        }
        lambda.stop();
        idp.down();
        idp.up();
        idp.behave(Behaviour::Healthy);
        idp.serve(&[&old, &new]);
        thread::sleep(GAP);
        lambda.thaw();
        for ticket in tickets {
            assert_eq!(said(&lambda.wait(ticket)), "Allow", "{}", lambda.output());
        }
        assert_eq!(said(&lambda.invoke(&good(&idp, &unknown))), "Deny key_unknown");
        lambda.api().polled_by(SLOTS);
        assert_eq!(count(&lambda, "key refresh failed"), 0, "{}", lambda.output());
    }
}

#[test]
fn a_slot_that_waits_for_a_refresh_does_not_hold_up_the_others() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[slots("16"), SOON_AGING, ("JWKS_TIMEOUT_MS", "3000")]);
    lambda.api().polled_by(SLOTS);
    idp.behave(Behaviour::Hang);
    let_age();
    let events: Vec<_> = (0..200).map(|_| good(&idp, &key)).collect();
    assert!(said_at_once(&lambda, &events).iter().all(|said| said == "Allow"));
    lambda.api().polled_by(SLOTS - 1);
    assert_eq!((idp.fetches(), count(&lambda, "key refresh failed")), (2, 0));
    lambda.wait_for_log(|line| line["message"] == "key refresh failed");
    lambda.api().polled_by(SLOTS);
}
