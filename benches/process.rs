//! What the shipped binary takes from start to end: `cargo bench --bench process`; and with many invocations at once:
//! `cargo bench --bench process -- slots`, see [`slots`].
//!
//! The binary runs as Lambda runs it, against a stand-in of the Runtime API and an identity provider on loopback,
//! all on one core where `taskset` is present: a function below 1,769 MB has no more than one. Not in it: the
//! download of the package, cold disks, Lambda's share of a core, freezing between invocations.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark"
)]
#![allow(clippy::disallowed_methods, missing_docs, reason = "a benchmark")]

mod measuring;
mod slots;
#[path = "../tests/support/mod.rs"]
mod support;

use std::process::{self, ExitCode};
use std::time::{Duration, Instant};
use std::{env, fs};

use measuring::{
    AUDIENCE, cpu, is_allowed, mebibytes, median, microseconds, milliseconds, pin, quantile,
    signature_check, start,
};
use serde_json::json;
use support::events::bearer;
use support::idp::Idp;
use support::process::Lambda;
use support::tokens::{SigningKey, claims, now};
use tokio::runtime::Builder;

const STARTS: usize = 30;
const INVOCATIONS: usize = 10_000;
/// Invocations between two readings of the processor time.
const ROUND: usize = 500;
/// Different tokens, one after the other.
const TOKENS: usize = 50;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &*arguments.iter().map(String::as_str).collect::<Vec<_>>() {
        [slots::EMPTY_FUNCTION] => slots::run_empty_function(),
        ["slots", ..] => {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            // Cargo adds `--bench`.
            let words: Vec<_> =
                arguments[1..].iter().filter(|word| *word != "--bench").cloned().collect();
            runtime.block_on(slots::measure(&words));
        }
        _ => return one_at_a_time(),
    }
    ExitCode::SUCCESS
}

fn one_at_a_time() -> ExitCode {
    // Child processes start on the core of their parent.
    let is_pinned = pin(process::id(), "0");
    let key = SigningKey::rsa("signing-key-1");
    let (http, https) = (Idp::start(), Idp::start_tls());
    [&http, &https].into_iter().for_each(|idp| idp.serve(&[&key]));

    println!("| measured | median | p99 |\n| --- | ---: | ---: |");
    starts(&http, &https, &key);
    warm(&http, &key);
    let size = fs::metadata(env!("CARGO_BIN_EXE_token-authorizer")).unwrap().len();
    println!("| size of the binary | {} | |", mebibytes(size / 1024));
    println!(
        "\n{STARTS} starts each, {INVOCATIONS} invocations, {}",
        if is_pinned { "one core" } else { "any core" }
    );
    ExitCode::SUCCESS
}

/// From the start of the process to its first answer, keys fetched on the way.
fn starts(http: &Idp, https: &Idp, key: &SigningKey) {
    let ca_file = https.ca_file().to_str().unwrap().to_owned();
    let cases = [("http", http, None), ("https", https, Some(("JWKS_CA_FILE", &*ca_file)))];
    let mut samples = [const { Vec::new() }; 2];
    // In turns, so that both see the same load of the machine. The first start brings the files into memory.
    for round in 0..=STARTS {
        for ((_, idp, setting), samples) in cases.iter().zip(&mut samples) {
            let event = bearer(&key.token(&claims(&idp.issuer(), AUDIENCE)));
            let begun = Instant::now();
            let lambda = start(idp, setting.as_slice());
            let reply = lambda.invoke(&event);
            let wall = begun.elapsed();
            assert!(is_allowed(&reply), "{}", reply.body);
            if round > 0 {
                samples.push((wall, cpu(&lambda), lambda.peak_kib()));
            }
        }
    }
    for ((name, ..), samples) in cases.iter().zip(samples) {
        let wall: Vec<_> = samples.iter().map(|(wall, ..)| *wall).collect();
        let cpu: Vec<_> = samples.iter().map(|(_, cpu, _)| *cpu).collect();
        let peak: Vec<_> = samples.iter().map(|(.., peak)| *peak).collect();
        row(&format!("start to first answer, {name}: time"), &wall, milliseconds);
        row(&format!("start to first answer, {name}: CPU"), &cpu, milliseconds);
        row(&format!("start to first answer, {name}: peak memory"), &peak, mebibytes);
    }
}

fn warm(idp: &Idp, key: &SigningKey) {
    let lambda = start(idp, &[]);
    let good: Vec<_> =
        (0..TOKENS).map(|_| bearer(&key.token(&claims(&idp.issuer(), AUDIENCE)))).collect();
    let mut late = claims(&idp.issuer(), AUDIENCE);
    late["exp"] = json!(now() - 1);
    let expired = [bearer(&key.token(&late))];
    let forged =
        [bearer(&SigningKey::rsa_other(key.kid(), 1).token(&claims(&idp.issuer(), AUDIENCE)))];
    let mut check = signature_check(&key.jwk(), &key.token(&claims(&idp.issuer(), AUDIENCE)));
    invocations(&lambda, &good, true, ROUND, &mut check);
    for (name, events, is_good, count) in [
        ("Allow", &good[..], true, INVOCATIONS),
        ("refusal, expired", &expired, false, INVOCATIONS / 5),
        ("refusal, bad signature", &forged, false, INVOCATIONS / 5),
    ] {
        let (cpu, latency, checks) = invocations(&lambda, events, is_good, count, &mut check);
        row(&format!("invocation, {name}: CPU"), &cpu, microseconds);
        row(&format!("invocation, {name}: time"), &latency, microseconds);
        if is_good {
            row("RS256 signature check alone", &checks, microseconds);
            let by_check = median(&cpu).as_secs_f64() / median(&checks).as_secs_f64();
            println!("| invocation, Allow: CPU, by the signature check | {by_check:.2} | |");
            println!(
                "| peak memory after {INVOCATIONS} invocations | {} | |",
                mebibytes(lambda.peak_kib())
            );
        }
    }
}

/// Processor time by invocation, one value for each round; the time of each from event to answer; and the time of a
/// check in this process, measured after each round.
fn invocations(
    lambda: &Lambda,
    events: &[String],
    is_good: bool,
    count: usize,
    check: &mut dyn FnMut(),
) -> (Vec<Duration>, Vec<Duration>, Vec<Duration>) {
    let (mut by_round, mut latency, mut checks) = (Vec::new(), Vec::new(), Vec::new());
    let mut events = events.iter().cycle();
    for _ in 0..count / ROUND {
        let before = cpu(lambda);
        for event in events.by_ref().take(ROUND) {
            let reply = lambda.invoke(event);
            assert_eq!(is_allowed(&reply), is_good, "{}", reply.body);
            latency.push(reply.elapsed);
        }
        by_round.push((cpu(lambda) - before) / ROUND as u32);
        let begun = Instant::now();
        (0..ROUND).for_each(|_| check());
        checks.push(begun.elapsed() / ROUND as u32);
    }
    (by_round, latency, checks)
}

fn row<T: Copy + PartialOrd>(name: &str, sample: &[T], show: impl Fn(T) -> String) {
    println!("| {name} | {} | {} |", show(median(sample)), show(quantile(sample, 0.99)));
}
