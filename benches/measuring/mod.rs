//! What the benchmarks share: keys and events, the processor time of a function, quantiles.
#![allow(dead_code, reason = "each benchmark uses only part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark"
)]

use std::fs;
use std::hint::black_box;
use std::ops::Sub;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::idp::Idp;
use crate::support::process::Lambda;
use crate::support::runtime_api::Reply;
use crate::support::tokens::{SigningKey, b64};

pub(crate) const AUDIENCE: &str = "https://pets.example.com";

/// A public RSA-2048 key that nobody holds the private half of; to the authorizer it is as good as another.
pub(crate) fn stranger(n: usize) -> Value {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(n as u64 + 1);
    let mut modulus: Vec<u8> = (0..256)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect();
    (modulus[0], modulus[255]) = (modulus[0] | 0x80, modulus[255] | 1);
    json!({ "kty": "RSA", "kid": format!("stranger-{n}"), "alg": "RS256", "use": "sig", "e": "AQAB", "n": b64(modulus) })
}

/// This key amid strangers.
pub(crate) fn key_set(key: &SigningKey, keys: usize) -> Value {
    let mut members: Vec<Value> = (1..keys).map(stranger).collect();
    members.insert(members.len() / 2, key.jwk());
    json!({ "keys": members })
}

/// This key, parsed.
pub(crate) fn public_key(jwk: &Value) -> ParsedPublicKey {
    let octets = |member: &str| URL_SAFE_NO_PAD.decode(jwk[member].as_str().unwrap()).unwrap();
    let parsed = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
        ParsedPublicKey::new(algorithm, key)
    };
    match jwk["kty"].as_str().unwrap() {
        "RSA" => PublicKeyComponents { n: octets("n"), e: octets("e") }
            .to_parsed_public_key(&signature::RSA_PKCS1_2048_8192_SHA256)
            .unwrap(),
        "EC" => {
            let point = [&[4], &*octets("x"), &*octets("y")].concat();
            match jwk["crv"].as_str().unwrap() {
                "P-384" => parsed(&signature::ECDSA_P384_SHA384_FIXED, &point).unwrap(),
                _ => parsed(&signature::ECDSA_P256_SHA256_FIXED, &point).unwrap(),
            }
        }
        _ => parsed(&signature::ED25519, &octets("x")).unwrap(),
    }
}

/// The signature check of a token alone, with a key that was parsed before.
pub(crate) fn signature_check(jwk: &Value, token: &str) -> impl FnMut() + use<> {
    let key = public_key(jwk);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (message, signature) = (message.to_owned(), URL_SAFE_NO_PAD.decode(signature).unwrap());
    move || key.verify_sig(black_box(message.as_bytes()), black_box(&signature)).unwrap()
}

/// The shipped binary, with the keys of this provider and further settings.
pub(crate) fn start(idp: &Idp, settings: &[(&str, &str)]) -> Lambda {
    let (issuer, jwks_uri) = (idp.issuer(), idp.jwks_uri());
    let basic = [("ISSUER", &*issuer), ("JWKS_URI", &*jwks_uri), ("AUDIENCE", AUDIENCE)];
    Lambda::spawn(Path::new(env!("CARGO_BIN_EXE_token-authorizer")), &[&basic, settings].concat())
}

pub(crate) fn is_allowed(reply: &Reply) -> bool {
    reply.body["policyDocument"]["Statement"][0]["Effect"] == "Allow"
}

/// User and system time so far, once the function waits for its next event. Linux counts it in nanoseconds by
/// thread; where it does not, the steps are of 10 ms.
pub(crate) fn cpu(lambda: &Lambda) -> Duration {
    lambda.api().settle();
    let running = scheduled(lambda.pid()).running;
    if running.is_zero() { lambda.cpu() } else { running }
}

/// What the scheduler has given to the threads of a process.
#[derive(Clone, Copy, Default)]
pub(crate) struct Scheduled {
    pub(crate) running: Duration,
    /// Ready to run, while others had the core.
    pub(crate) waiting: Duration,
}

impl Scheduled {
    /// What it would have run on a machine of its own.
    pub(crate) fn demanded(self) -> Duration {
        self.running + self.waiting
    }
}

impl Sub for Scheduled {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { running: self.running - earlier.running, waiting: self.waiting - earlier.waiting }
    }
}

/// Zero where the system does not say.
pub(crate) fn scheduled(pid: u32) -> Scheduled {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut sum = Scheduled::default();
    for thread in threads {
        let times = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        let mut times =
            times.split(' ').map(|time| Duration::from_nanos(time.parse().unwrap_or(0)));
        sum.running += times.next().unwrap_or_default();
        sum.waiting += times.next().unwrap_or_default();
    }
    sum
}

/// Keeps a process, and what it starts from then on, on these cores, as `taskset` names them. Returns whether that
/// worked.
pub(crate) fn pin(pid: u32, cores: &str) -> bool {
    let mut taskset = Command::new("taskset");
    let taskset =
        taskset.args(["-acp", cores, &pid.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
    taskset.status().is_ok_and(|status| status.success())
}

/// The value that this part of the sample does not exceed.
pub(crate) fn quantile<T: Copy + PartialOrd>(sample: &[T], part: f64) -> T {
    let mut sample = sample.to_vec();
    sample.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap());
    let last = sample.len() - 1;
    sample[((last as f64 * part).ceil() as usize).min(last)]
}

pub(crate) fn median<T: Copy + PartialOrd>(sample: &[T]) -> T {
    quantile(sample, 0.5)
}

pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

pub(crate) fn microseconds(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}

pub(crate) fn mebibytes(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1024.0)
}
