//! Whether trouble with the provider reaches the answers: `cargo test --release --test refresh [-- PART-OF-A-NAME ...]`
//!
//! The shipped binary, one invocation at a time, against a provider on loopback that is slow, down, hostile or
//! asked for keys that nobody has. Each figure stands beside its bar; a missed bar makes the exit code 1. Takes some
//! two minutes, half of it for the minute of invented key ids.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark"
)]
#![allow(clippy::disallowed_methods, missing_docs, reason = "a benchmark")]

#[path = "../../benches/measuring/mod.rs"]
mod measuring;
#[path = "../support/mod.rs"]
mod support;

use std::process::{self, ExitCode};
use std::time::{Duration, Instant};
use std::{env, thread};

use measuring::{
    AUDIENCE, cpu, is_allowed, key_set, mebibytes, median, microseconds, milliseconds, pin,
    quantile, start,
};
use serde_json::{Value, json};
use support::events::bearer;
use support::idp::{Behaviour, Idp, costly_values};
use support::process::Lambda;
use support::runtime_api::Reply;
use support::tokens::{SigningKey, b64, claims};

/// Keys are past fresh after this, and past stale where stale is as short.
const SOON: (&str, &str) = ("JWKS_FRESH_SECONDS", "1");
const PAST: Duration = Duration::from_millis(1200);

/// Between two invocations.
const PACE: Duration = Duration::from_millis(2);

const QUICK: Duration = Duration::from_millis(5);

const TIMEOUT: Duration = Duration::from_millis(500);
const TIMEOUT_SETTING: (&str, &str) = ("JWKS_TIMEOUT_MS", "500");

fn main() -> ExitCode {
    let wanted: Vec<_> =
        env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let scenarios = [
        ("slow", slow_provider as fn(&mut Table)),
        ("invented", invented_key_ids),
        ("outage", outages),
        ("start", down_at_start),
        ("documents", bad_documents),
        ("costly", costly_documents),
        ("lookup", lookup),
    ];
    let mut table = Table::default();
    for (name, scenario) in scenarios {
        if wanted.is_empty() || wanted.iter().any(|part| name.contains(part)) {
            scenario(&mut table);
        }
    }
    if table.missed == 0 {
        return ExitCode::SUCCESS;
    }
    println!("\n{} missed", table.missed);
    ExitCode::FAILURE
}

/// Prints a row as soon as it is known.
#[derive(Default)]
struct Table {
    rows: usize,
    missed: usize,
}

impl Table {
    fn row(&mut self, what: &str, measured: &str, bar: &str, is_met: bool) {
        if self.rows == 0 {
            println!("| scenario | measured | bar | |\n| --- | ---: | ---: | --- |");
        }
        self.rows += 1;
        self.missed += usize::from(!is_met);
        println!("| {what} | {measured} | {bar} | {} |", if is_met { "met" } else { "**missed**" });
    }

    /// Every token allowed, and the slowest answers still quick.
    fn undisturbed(&mut self, what: &str, replies: &[Reply]) {
        let refused = replies.iter().filter(|reply| !is_allowed(reply)).count();
        let p99 = quantile(&times(replies), 0.99);
        self.row(
            &format!("{what}: good tokens not allowed"),
            &format!("{refused} of {}", replies.len()),
            "0",
            refused == 0,
        );
        self.row(&format!("{what}: p99 of the answers"), &milliseconds(p99), "5 ms", p99 < QUICK);
    }
}

/// The provider answers after 2 s, and the keys are past fresh.
fn slow_provider(table: &mut Table) {
    // One of two slots waits for the refresh once it has answered. The other one serves.
    let slots = ("AWS_LAMBDA_MAX_CONCURRENCY", "2");
    let (idp, lambda, good) = function(&[SOON, ("JWKS_TIMEOUT_MS", "5000"), slots]);
    idp.behave(Behaviour::Delay(Duration::from_secs(2)));
    thread::sleep(PAST);
    let before = idp.fetches();
    let replies = invoke_for(&lambda, &good, Duration::from_millis(1900));
    assert_eq!(idp.fetches(), before + 1, "one refresh, under way all the time");
    table.undisturbed("refresh takes 2 s", &replies);
}

/// 10,000 tokens in a minute, each with a key id of its own that the provider does not know.
fn invented_key_ids(table: &mut Table) {
    const INVENTED: u32 = 10_000;
    const EVERY: u32 = 5;
    const MINUTE: Duration = Duration::from_secs(60);
    let (idp, lambda, good) = function(&[]);
    let token = SigningKey::rsa("k1").token(&claims(&idp.issuer(), AUDIENCE));
    let (_, rest) = token.split_once('.').unwrap();
    let invented = |n: u32| {
        bearer(&format!("{}.{rest}", b64(format!(r#"{{"alg":"RS256","kid":"invented-{n}"}}"#))))
    };
    // The same at the same time, refused for another reason before any key is looked up: what a good token costs
    // more after a refused one, the processor having forgotten its way, has nothing to do with keys.
    let (_calm_idp, calm_lambda, calm_good) = function(&[]);
    let untrusted =
        bearer(&SigningKey::rsa("k1").token(&claims("https://untrusted.example.com", AUDIENCE)));
    let (begun, before) = (Instant::now(), idp.fetches());
    let (mut calm, mut disturbed) = (Vec::new(), Vec::new());
    for n in 0..INVENTED {
        thread::sleep((MINUTE / INVENTED * n).saturating_sub(begun.elapsed()));
        let mut ask = [
            (&lambda, invented(n), &good, &mut disturbed),
            (&calm_lambda, untrusted.clone(), &calm_good, &mut calm),
        ];
        // The first after a pause is slower.
        ask.rotate_left((n / EVERY % 2) as usize);
        for (lambda, refused, good, replies) in ask {
            lambda.invoke(&refused);
            if n % EVERY == 0 {
                replies.push(lambda.invoke(good));
            }
        }
    }
    let fetches = idp.fetches() - before;
    table.row("10,000 invented key ids in 60 s: fetches", &fetches.to_string(), "3", fetches <= 3);
    table.undisturbed("10,000 invented key ids in 60 s", &disturbed);
    let (calm, disturbed) = (median(&times(&calm)), median(&times(&disturbed)));
    let what =
        "10,000 invented key ids in 60 s: median of good tokens, by those among other refused ones";
    let ratio = disturbed.as_secs_f64() / calm.as_secs_f64();
    let measured = format!("{} / {} = {ratio:.2}", microseconds(disturbed), microseconds(calm));
    table.row(what, &measured, "1.10", ratio <= 1.1);
}

/// The provider is down for longer than fresh, and shorter than stale.
fn outages(table: &mut Table) {
    for (name, fault) in [
        ("refuses connections", None),
        ("hangs", Some(Behaviour::Hang)),
        ("answers 500", Some(Behaviour::Status(500))),
    ] {
        let (idp, lambda, good) = function(&[SOON, TIMEOUT_SETTING]);
        match fault {
            Some(fault) => idp.behave(fault),
            None => idp.down(),
        }
        thread::sleep(PAST);
        let replies = invoke_for(&lambda, &good, Duration::from_secs(5));
        table.undisturbed(&format!("provider {name} for 6 s"), &replies);
        assert!(lambda.output().contains("key refresh failed"), "{}", lambda.output());
    }
}

/// The provider is down when the function starts, and comes back.
fn down_at_start(table: &mut Table) {
    let key = SigningKey::rsa("k1");
    let idp = Idp::start();
    idp.serve(&[&key]);
    idp.down();
    let lambda = start(&idp, &[TIMEOUT_SETTING]);
    let good = bearer(&key.token(&claims(&idp.issuer(), AUDIENCE)));
    let replies = invoke_for(&lambda, &good, Duration::from_secs(4));
    let policies = replies.iter().filter(|reply| !reply.is_error).count();
    table.row(
        "provider down at start: policies answered",
        &policies.to_string(),
        "0",
        policies == 0,
    );
    idp.up();
    let back = Instant::now();
    let invoke = || is_allowed(&lambda.invoke(&good));
    while !invoke() {
        assert!(back.elapsed() < Duration::from_secs(60), "{}", lambda.output());
        thread::sleep(PACE);
    }
    let took = back.elapsed();
    let mut pauses =
        lambda.log_lines().into_iter().filter_map(|line| line["backoff_milliseconds"].as_u64());
    let pause = Duration::from_millis(pauses.next_back().unwrap());
    let within = pause + Duration::from_millis(100);
    let what = "provider back: until the first Allow, by the pause that was on";
    table.row(what, &milliseconds(took), &milliseconds(within), took <= within);
}

/// Documents that no reader should swallow, when keys are too old to go on with.
fn bad_documents(table: &mut Table) {
    for (name, fault) in [
        ("200 MiB of keys", Behaviour::Huge { bytes: 200 << 20 }),
        ("slow drip", Behaviour::Drip { byte_every: Duration::from_millis(20) }),
        // Packed, it is below the limit of 1 MiB for a document.
        ("gzip bomb of 128 MiB", Behaviour::Gzip(gzip_bomb(128 << 20))),
    ] {
        let (idp, lambda, good) = function(&[SOON, ("JWKS_STALE_SECONDS", "1"), TIMEOUT_SETTING]);
        assert!(is_allowed(&lambda.invoke(&good)));
        idp.behave(fault);
        thread::sleep(PAST);
        let before = lambda.peak_kib();
        let reply = lambda.invoke(&good);
        let grown = lambda.peak_kib() - before;
        assert!(reply.is_error, "{}", reply.body);
        let within = TIMEOUT + Duration::from_millis(100);
        table.row(
            &format!("{name}: peak memory grows by"),
            &mebibytes(grown),
            "8 MiB",
            grown < 8 * 1024,
        );
        table.row(
            &format!("{name}: the invocation takes"),
            &milliseconds(reply.elapsed),
            &milliseconds(within),
            reply.elapsed <= within,
        );
    }
}

/// Documents of a mebibyte that cost a reader dearly who builds what it reads, beside one of ordinary keys.
fn costly_documents(table: &mut Table) {
    let key = SigningKey::rsa("k1");
    // Filled up with certificates, as many providers do.
    let filled = |mut members: Vec<Value>| {
        members.push(key.jwk());
        let room = ((1 << 20) - json!(members).to_string().len()) / members.len()
            - r#","x5c":[""]"#.len()
            - 1;
        members.iter_mut().for_each(|member| member["x5c"] = json!(["A".repeat(room)]));
        json!({ "keys": members }).to_string()
    };
    let rsa = filled(key_set(&key, 999)["keys"].as_array().unwrap().clone());
    let p256 = filled((0..999).map(|n| SigningKey::es256(&format!("ec-{n}")).jwk()).collect());
    let p384 = filled((0..999).map(|n| SigningKey::es384(&format!("ec-{n}")).jwk()).collect());

    let measure = |document: String| {
        let idp = Idp::start();
        idp.serve(&[&key]);
        let lambda =
            start(&idp, &[SOON, ("JWKS_STALE_SECONDS", "1"), ("ALGORITHMS", "RS256 ES256 ES384")]);
        let mut claims = claims(&idp.issuer(), AUDIENCE);
        claims["exp"] = json!(claims["exp"].as_u64().unwrap() + 3600);
        let good = bearer(&key.token(&claims));
        assert!(is_allowed(&lambda.invoke(&good)));
        idp.serve_bytes(document.into_bytes());
        let (mut times, before) = (Vec::new(), lambda.peak_kib());
        for _ in 0..5 {
            // After failures, the pauses between attempts grow.
            let fetches = idp.fetches();
            while idp.fetches() == fetches {
                thread::sleep(PAST);
                let before = cpu(&lambda);
                lambda.invoke(&good);
                times.push(cpu(&lambda) - before);
            }
        }
        times.sort_unstable();
        times.drain(..times.len() - 5);
        (median(&times), lambda.peak_kib() - before)
    };
    let memory = |table: &mut Table, name: &str, grown: u64| {
        table.row(
            &format!("{name}: peak memory grows by"),
            &mebibytes(grown),
            "16 MiB",
            grown < 16 * 1024,
        );
    };
    let mut ordinary = Duration::ZERO;
    for (name, document) in [("RSA", rsa), ("P-256", p256), ("P-384", p384)] {
        assert!(document.len() > 1_000_000 && document.len() <= 1 << 20, "{}", document.len());
        let (time, grown) = measure(document);
        let name = format!("1 MiB, 1,000 {name} keys");
        memory(table, &name, grown);
        table.row(&format!("{name}: CPU"), &milliseconds(time), "-", true);
        ordinary = ordinary.max(time);
    }
    for (name, value) in costly_values() {
        for (place, document) in [
            ("beside the keys", format!(r#"{{"x":{value},"keys":[{}]}}"#, key.jwk())),
            ("in a key", format!(r#"{{"keys":[{{"x":{value}}},{}]}}"#, key.jwk())),
            ("for the keys", format!(r#"{{"keys":{value}}}"#)),
        ] {
            let (time, grown) = measure(document);
            let what = format!("1 MiB, {name} {place}");
            memory(table, &what, grown);
            let measured = format!("{} / {}", milliseconds(time), milliseconds(ordinary));
            table.row(
                &format!("{what}: CPU, by the ordinary keys"),
                &measured,
                "1.25",
                time <= ordinary.mul_f64(1.25),
            );
        }
    }
}

/// A look-up among 1,000 keys and one in a set of one, in turns.
fn lookup(table: &mut Table) {
    const ROUNDS: usize = 12;
    const ROUND: u32 = 500;
    let key = SigningKey::rsa("k1");
    let functions = [1, 1000].map(|keys| {
        let idp = Idp::start();
        idp.serve_json(key_set(&key, keys));
        let good = bearer(&key.token(&claims(&idp.issuer(), AUDIENCE)));
        (start(&idp, &[]), good, idp)
    });
    // All on one core, where that can be had: to wake another one costs more than the look-up that is compared.
    functions
        .iter()
        .map(|(lambda, ..)| lambda.pid())
        .chain([process::id()])
        .for_each(|pid| _ = pin(pid, "0"));
    let mut samples = [const { Vec::new() }; 2];
    for _ in 0..ROUNDS {
        for ((lambda, good, _), samples) in functions.iter().zip(&mut samples) {
            let before = cpu(lambda);
            for _ in 0..ROUND {
                assert!(is_allowed(&lambda.invoke(good)));
            }
            samples.push(((cpu(lambda) - before) / ROUND).as_secs_f64());
        }
    }
    let ratios: Vec<_> = samples[1].iter().zip(&samples[0]).map(|(many, one)| many / one).collect();
    let ratio = median(&ratios);
    table.row(
        "CPU of an invocation with 1,000 keys, by 1 key",
        &format!("{ratio:.3}"),
        "1.05",
        ratio <= 1.05,
    );
}

/// A function whose provider has one key, and a token of it.
fn function(settings: &[(&str, &str)]) -> (Idp, Lambda, String) {
    let key = SigningKey::rsa("k1");
    let idp = Idp::start();
    idp.serve(&[&key]);
    let lambda = start(&idp, settings);
    let mut claims = claims(&idp.issuer(), AUDIENCE);
    claims["exp"] = json!(claims["exp"].as_u64().unwrap() + 3600);
    (idp, lambda, bearer(&key.token(&claims)))
}

fn invoke_for(lambda: &Lambda, event: &str, time: Duration) -> Vec<Reply> {
    let (begun, mut replies) = (Instant::now(), Vec::new());
    while begun.elapsed() < time {
        replies.push(lambda.invoke(event));
        thread::sleep(PACE);
    }
    replies
}

fn times(replies: &[Reply]) -> Vec<Duration> {
    replies.iter().map(|reply| reply.elapsed).collect()
}

/// So many spaces in the densest form that gzip has (RFC 1951 section 3.2.6, RFC 1952).
fn gzip_bomb(bytes: usize) -> Vec<u8> {
    // One last block with the fixed codes: a space, then copies of 258 bytes from one byte back, then its end.
    let copies = bytes / 258;
    let codes = [(1, "1"), (1, "10"), (1, "01010000"), (copies, "1100010100000"), (1, "0000000")];
    let bits: String = codes.map(|(times, code)| code.repeat(times)).concat();
    let packed = bits.as_bytes().chunks(8).map(|bits| {
        bits.iter().enumerate().fold(0, |byte, (place, bit)| byte | ((bit - b'0') << place))
    });
    // The checksum and the length at the end are wrong, which a reader learns when it is too late.
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255].into_iter().chain(packed).chain([0; 8]).collect()
}
