//! A long day in few minutes: the shipped binary under good, bad and hostile invocations while its provider rotates
//! keys and breaks down, and the process is frozen now and then. Every answer is checked; none may be wrong, the
//! process must live, no slot may be lost, its memory must level out.
//!
//! `cargo test --release --test soak`, or `cargo test --release --test soak -- 20000` for a short one;
//! `-- 20000 16` has 16 invocations at once. `PACKAGE` names another binary to drive: the static one of the package, whose
//! memory must not grow at all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that measures, and ends at the first thing that it did not foresee"
)]

#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::events::{STAGE, bearer, challenge, event};
use support::idp::{Behaviour, Idp};
use support::process::Lambda;
use support::runtime_api::{Reply, Ticket};
use support::tokens::{self, SigningKey, b64};

const INVOCATIONS: usize = 200_000;

/// Keys are rotated and the provider breaks down once in this many invocations.
const ROUND: usize = 10_000;

/// The process is frozen once in this many invocations, for longer than a fetch may take.
const FREEZE: (usize, Duration) = (1000, Duration::from_millis(120));

/// How much the resident memory may grow after the first round.
const GROWTH_KIB: u64 = 1024;

/// And for each of several slots: a connection keeps buffers of the largest event, and not every one has had it by then.
const SLOT_KIB: u64 = 2048;

/// And for each invocation, where the program is linked against glibc and takes one at a time: then `lambda_runtime` sets
/// `_X_AMZN_TRACE_ID` for each event, and glibc's `setenv` never frees a value.
const TRACE_ID_BYTES: u64 = 176;

const AUDIENCE: &str = "https://pets.example.com";

/// An event, and the answers that are right for it.
struct Case {
    class: &'static str,
    event: String,
    right: &'static [&'static str],
}

struct Soak {
    idp: Idp,
    lambda: Lambda,
    /// Invocations at once.
    slots: usize,
    attacker: SigningKey,
    random: u64,
    counts: BTreeMap<(&'static str, String), usize>,
    wrong: Vec<String>,
    slowest: Duration,
}

fn main() -> ExitCode {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse().ok());
    let invocations: usize = numbers.next().unwrap_or(INVOCATIONS);
    let slots = numbers.next().unwrap_or(1);
    let idp = Idp::start();
    let (issuer, jwks_uri) = (idp.issuer(), idp.jwks_uri());
    let keys: Vec<SigningKey> = (0..4).map(|n| SigningKey::rsa(&format!("key-{n}"))).collect();
    idp.serve(&[&keys[0]]);
    let max_concurrency = slots.to_string();
    let settings = [
        ("AWS_LAMBDA_MAX_CONCURRENCY", &*max_concurrency),
        ("ISSUER", &*issuer),
        ("JWKS_URI", &jwks_uri),
        ("AUDIENCE", AUDIENCE),
        ("JWKS_FRESH_SECONDS", "1"),
        ("JWKS_TIMEOUT_MS", "100"),
    ];
    let package = std::env::var_os("PACKAGE").map(PathBuf::from);
    let is_static = package.is_some();
    let program = package.unwrap_or_else(|| env!("CARGO_BIN_EXE_token-authorizer").into());
    let lambda = Lambda::spawn(&program, &settings);
    let attacker = SigningKey::rsa_other("attacker", 0);
    let (counts, wrong) = (BTreeMap::new(), Vec::new());
    let mut soak =
        Soak { idp, lambda, slots, attacker, random: 1, counts, wrong, slowest: Duration::ZERO };

    let begun = Instant::now();
    let mut warm = 0;
    for round in 0..invocations.div_ceil(ROUND) {
        let (current, next) = (&keys[round % keys.len()], &keys[(round + 1) % keys.len()]);
        soak.round(round, current, next);
        soak.lambda.api().polled_by(slots);
        let resident = soak.lambda.rss_kib();
        println!("{:>7} invocations: {resident} KiB resident", (round + 1) * ROUND);
        if round == 0 {
            warm = resident;
        }
    }
    let (end, took) = (soak.lambda.rss_kib(), begun.elapsed());

    println!("{:<22} {:<28} {:>8}", "class", "answer", "count");
    for ((class, answer), count) in &soak.counts {
        println!("{class:<22} {answer:<28} {count:>8}");
    }
    let total: usize = soak.counts.values().sum();
    println!(
        "\n{total} invocations in {:.0} s, slowest {:.1} ms",
        took.as_secs_f64(),
        soak.slowest.as_secs_f64() * 1e3
    );
    println!("{} key fetches seen by the provider", soak.idp.fetches());
    println!("crashes: 0 (process {} answered to the end)", soak.lambda.pid());
    println!("wrong answers: {}", soak.wrong.len());
    println!("slots lost: 0 (all {slots} asked for an event after each round)");
    println!(
        "resident: {warm} KiB after {ROUND}, {end} KiB at the end, peak {} KiB",
        soak.lambda.peak_kib()
    );
    soak.wrong.iter().take(10).for_each(|wrong| println!("WRONG {wrong}"));
    let growth = if is_static || slots > 1 {
        0
    } else {
        invocations.saturating_sub(ROUND) as u64 * TRACE_ID_BYTES / 1024
    };
    let of_slots = (slots as u64 - 1) * SLOT_KIB;
    let is_level = end < warm + GROWTH_KIB + of_slots + growth;
    if soak.wrong.is_empty() && is_level { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Soak {
    /// A rotation from one key to the next, with an outage between.
    fn round(&mut self, round: usize, current: &SigningKey, next: &SigningKey) {
        self.idp.serve(&[current, next]);
        let tokens = [self.good(current), self.good(next)];
        self.ask_until("Allow", "key rotated in", &tokens[1]);
        let cases = self.cases(&[current, next]);
        self.mix(&cases, ROUND / 2 - 1);

        match round % 8 {
            0 => self.idp.down(),
            1 => self.idp.behave(Behaviour::Hang),
            2 => self.idp.behave(Behaviour::Status(500)),
            3 => self.idp.behave(Behaviour::Reset),
            4 => self.idp.behave(Behaviour::Huge { bytes: 8 << 20 }),
            5 => self.idp.serve_bytes(b"<html>".to_vec()),
            6 => self.idp.behave(Behaviour::Redirect("http://127.0.0.1:9/jwks".to_owned())),
            _ => self.idp.behave(Behaviour::Gzip(vec![0x1f; 4096])),
        }
        self.mix(&cases, ROUND / 2 - 1);
        self.idp.up();
        self.idp.behave(Behaviour::Healthy);
        self.idp.serve(&[next]);
        self.ask_until("key_unknown", "key withdrawn", &tokens[0]);
    }

    /// Asks until it says so; until then the old truth, or that there is none, will do. Counts as one invocation.
    fn ask_until(&mut self, wanted: &'static str, class: &'static str, event: &str) {
        let since = Instant::now();
        loop {
            let said = said(&self.lambda.invoke(event));
            if said == wanted {
                *self.counts.entry((class, said)).or_default() += 1;
                return;
            }
            if !["Allow", "key_unknown", "keys_unavailable"].contains(&&*said) {
                self.wrong.push(format!("{class}: {said}"));
            }
            assert!(since.elapsed() < Duration::from_secs(120), "{class}: still {said}\n");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Keeps all slots busy with so many of these cases, and freezes the process amid them.
    fn mix(&mut self, cases: &[Case], count: usize) {
        let mut under_way = VecDeque::new();
        for n in 0..count {
            // Half of them good, as an API would hope; the first two cases are.
            self.random = self
                .random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let pick = (self.random >> 33) as usize;
            let case = match n {
                // The largest once each time, so that the first round has seen them.
                0 => cases.last().unwrap(),
                _ if pick.is_multiple_of(2) => &cases[pick / 2 % 2],
                _ => &cases[pick / 2 % (cases.len() - 1)],
            };
            under_way.push_back((case, self.lambda.submit(&case.event)));
            if n % FREEZE.0 == FREEZE.0 / 2 {
                self.lambda.stop();
                std::thread::sleep(FREEZE.1);
                self.lambda.thaw();
            }
            if under_way.len() == self.slots {
                self.check(under_way.pop_front().unwrap());
            }
        }
        under_way.into_iter().for_each(|asked| self.check(asked));
    }

    fn check(&mut self, (case, ticket): (&Case, Ticket)) {
        let reply = self.lambda.wait(ticket);
        let said = said(&reply);
        self.slowest = self.slowest.max(reply.elapsed);
        if !case.right.contains(&&*said) {
            self.wrong.push(format!("{}: {said}", case.class));
        }
        *self.counts.entry((case.class, said)).or_default() += 1;
    }

    fn good(&self, key: &SigningKey) -> String {
        bearer(&key.token(&tokens::claims(&self.idp.issuer(), AUDIENCE)))
    }

    fn cases(&self, keys: &[&SigningKey; 2]) -> Vec<Case> {
        let key = keys[0];
        let claims = |changes: Value| {
            let mut claims = tokens::claims(&self.idp.issuer(), AUDIENCE);
            claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            claims
        };
        let token = |changes: Value| bearer(&key.token(&claims(changes)));
        let header = |changes: Value| {
            let mut header = json!({"alg": "RS256", "kid": key.kid(), "typ": "JWT"});
            header.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            bearer(&key.token_with(&header, &claims(json!({}))))
        };
        let valid = key.token(&claims(json!({})));
        let (signed, _) = valid.rsplit_once('.').unwrap();
        let forged = self
            .attacker
            .token_with(&json!({"alg": "RS256", "kid": key.kid()}), &claims(json!({})));
        let secret =
            SigningKey::hmac(key.kid(), key.spki_pem().as_bytes()).token(&claims(json!({})));
        let raw = |header: &[u8], payload: &[u8]| bearer(&key.token_raw(header, payload));
        let rs256 = json!({"alg": "RS256", "kid": key.kid()}).to_string();
        let with_arn = |arn: &str| {
            json!({"type": "TOKEN", "authorizationToken": format!("Bearer {valid}"), "methodArn": arn}).to_string()
        };
        let now = tokens::now();
        let cases: Vec<(&str, String, &[&str])> = vec![
            ("good", self.good(keys[0]), &["Allow"]),
            ("good, the next key", self.good(keys[1]), &["Allow"]),
            ("expired", token(json!({"exp": now - 1})), &["token_expired"]),
            ("not yet valid", token(json!({"nbf": now + 86_400})), &["token_not_yet_valid"]),
            ("another audience", token(json!({"aud": ["other"]})), &["audience_mismatch"]),
            (
                "another issuer",
                token(json!({"iss": "https://evil.example.com"})),
                &["issuer_untrusted"],
            ),
            ("exp as text", token(json!({"exp": "9999999999"})), &["claim_invalid"]),
            ("exp null", token(json!({"exp": null})), &["claim_missing"]),
            ("sub with line ends", token(json!({"sub": "a\n{}"})), &["claim_invalid"]),
            ("forged, known kid", bearer(&forged), &["signature_invalid"]),
            (
                "zeroed signature",
                bearer(&format!("{signed}.{}", b64([0; 256]))),
                &["signature_invalid"],
            ),
            (
                "unknown kid",
                bearer(&self.attacker.token(&claims(json!({})))),
                &["key_unknown", "keys_unavailable"],
            ),
            (
                "hostile kid",
                header(json!({"kid": "../../\n${jndi:x}"})),
                &["key_unknown", "keys_unavailable"],
            ),
            ("HMAC, public key", bearer(&secret), &["algorithm_not_allowed"]),
            ("alg none", header(json!({"alg": "none"})), &["algorithm_not_allowed"]),
            ("crit", header(json!({"crit": ["exp"]})), &["critical_header_unsupported"]),
            ("typ", header(json!({"typ": "secevent+jwt"})), &["type_not_accepted"]),
            (
                "duplicate claim",
                raw(rs256.as_bytes(), br#"{"exp":1,"exp":2}"#),
                &["token_malformed"],
            ),
            (
                "10,000 deep",
                raw(rs256.as_bytes(), "[".repeat(10_000).as_bytes()),
                &["token_malformed"],
            ),
            ("not UTF-8", raw(rs256.as_bytes(), b"\xff\xfe"), &["token_malformed"]),
            ("two segments", bearer(signed), &["token_malformed"]),
            ("no token", event(""), &["token_missing"]),
            ("20 KiB", bearer(&"a".repeat(20_000)), &["token_too_long"]),
            ("hostile path", with_arn(&format!("{STAGE}/GET/*/${{aws:username}}\"\n")), &["Allow"]),
            (
                "hostile ARN",
                with_arn("arn:aws:execute-api:*:123456789012:*/dev/GET/"),
                &["event_unsupported"],
            ),
            ("no event", "{}".to_owned(), &["event_unsupported"]),
            ("no JSON object", "[[[[".repeat(100) + &"]]]]".repeat(100), &["event_unsupported"]),
            ("5 MiB", bearer(&"a.".repeat(5 << 19)), &["token_too_long"]),
        ];
        cases.into_iter().map(|(class, event, right)| Case { class, event, right }).collect()
    }
}

/// What an answer says, if all of it is as it has to be.
fn said(reply: &Reply) -> String {
    if reply.is_error {
        return reply.body["errorType"].as_str().unwrap_or_default().to_owned();
    }
    let (body, policy) = (&reply.body, &reply.body["policyDocument"]["Statement"]);
    let allow = json!({"Effect": "Allow", "Action": ["execute-api:Invoke"], "Resource": [format!("{STAGE}/*")]});
    if policy[0] == allow && body["principalId"] == "user-1" && policy[1]["Condition"].is_object() {
        return "Allow".to_owned();
    }
    let reason = body["context"]["reason"].as_str().unwrap_or_default();
    let deny = json!([{"Effect": "Deny", "Action": ["execute-api:Invoke"], "Resource": [format!("{STAGE}/*")]}]);
    let is_right = *policy == deny
        && body["principalId"] == "anonymous"
        && body["context"] == json!({"reason": reason, "challenge": challenge(reason)});
    if is_right { reason.to_owned() } else { body.to_string() }
}
