//! Many invocations at once: `cargo bench --bench process -- slots [PART-OF-A-ROW ...] [NAME=PROGRAM ...]`
//!
//! The stand-in of the Runtime API is made to cost little: one thread, on the last core, and nothing kept. The function
//! has a thread for each core, or one thread in all; so has the empty function, on the same runtime. NAME=PROGRAM adds
//! another build.
//!
//! Functions have their bursts in turns, so all of them see the same load of the machine. A ratio is the median of
//! the ratios of each round.

mod platform;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio, id};
use std::sync::LazyLock;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};
use std::{env, fs};

use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tokio::runtime::Builder;

use self::platform::Platform;
use crate::measuring::{
    AUDIENCE, Scheduled, mebibytes, median, microseconds, pin, quantile, scheduled, signature_check,
};
use crate::support::events::bearer;
use crate::support::tokens::{SigningKey, claims};

/// The argument of a process that is the empty function.
pub(crate) const EMPTY_FUNCTION: &str = "--empty-function";

const MAX_CONCURRENCY: &str = "AWS_LAMBDA_MAX_CONCURRENCY";

const ISSUER: &str = "https://id.example.com";

const SLOTS: [usize; 3] = [1, 8, 64];
const ROUNDS: usize = 20;
/// The processor time that one burst takes, more or less.
const BURST: Duration = Duration::from_millis(150);
/// Different tokens, one after the other.
const TOKENS: usize = 50;

/// A function, and what its bursts came to.
struct Function {
    name: String,
    process: Child,
    platform: Platform,
    bursts: Vec<Burst>,
    latencies: Vec<Duration>,
}

struct Burst {
    seconds: f64,
    scheduled: Scheduled,
    invocations: f64,
}

/// Answers each event with the same policy.
pub(crate) fn run_empty_function() {
    let slots = env::var(MAX_CONCURRENCY).unwrap();
    let mut builder =
        if slots == "1" { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    let answer = service_fn(async |_: LambdaEvent<IgnoredAny>| {
        let allow =
            json!({ "Action": ["execute-api:Invoke"], "Effect": "Allow", "Resource": ["*"] });
        let policy = json!({ "Version": "2012-10-17", "Statement": [allow] });
        Ok::<Value, Error>(json!({ "principalId": "anyone", "policyDocument": policy }))
    });
    // It ends with the platform.
    let _ = builder.enable_all().build().unwrap().block_on(Runtime::new(answer).run_concurrent());
}

/// Measures every combination of token and slots, or those that these words name, and programs besides.
pub(crate) async fn measure(words: &[String]) {
    let cores = cores();
    let is_pinned = pin(id(), &(cores - 1).to_string());
    let programs: Vec<_> = words.iter().filter_map(|word| word.split_once('=')).collect();
    let rows: Vec<_> = words.iter().filter(|word| !word.contains('=')).collect();
    println!(
        "{cores} cores, {ROUNDS} rounds, the stand-in on {}\n",
        if is_pinned { "the last core" } else { "any core" }
    );
    println!(
        "| token, slots | function | decisions/s | CPU of one | by the first | cores used | cores demanded | p50 | p99 | peak memory |"
    );
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let authorizer = PathBuf::from(env!("CARGO_BIN_EXE_token-authorizer"));
    let empty = env::current_exe().unwrap();
    for (token, key) in [
        ("RS256 (2048 bits)", SigningKey::rsa("signing-key-1")),
        ("RS256 (4096 bits)", SigningKey::rsa_bits("signing-key-2", 4096)),
        ("ES384", SigningKey::es384("signing-key-3")),
    ] {
        let tokens: Vec<_> = (0..TOKENS).map(|_| key.token(&claims(ISSUER, AUDIENCE))).collect();
        let events: Vec<_> = tokens.iter().map(|token| bearer(token)).collect();
        for slots in SLOTS {
            let row = format!("{token}, {slots}");
            if !rows.is_empty() && !rows.iter().any(|part| row.contains(&**part)) {
                continue;
            }
            let check = time_of_check(&key, &tokens[0]);
            let mut wanted = vec![
                ("one thread", &authorizer, Some(1)),
                ("a thread for each core", &authorizer, None),
                ("empty function, one thread", &empty, Some(1)),
                ("empty function, a thread for each core", &empty, None),
            ];
            let others: Vec<_> =
                programs.iter().map(|(name, path)| (*name, PathBuf::from(path))).collect();
            wanted.extend(others.iter().map(|(name, path)| (*name, path, None)));
            let mut functions = Vec::new();
            for (name, program, threads) in wanted {
                let platform = Platform::start(&events).await;
                functions
                    .push(Function::start(name, program, threads, slots, &key, platform).await);
            }
            let one = check + Duration::from_micros(30);
            let invocations = (BURST.div_duration_f64(one) as usize).max(2 * slots);
            for round in 0..=ROUNDS {
                for function in &mut functions {
                    // The first round warms up.
                    function.burst(invocations, round > 0).await;
                }
            }
            let row = format!("{row}; check alone {}", microseconds(check));
            functions.iter().for_each(|function| function.report(&row, &functions[0]));
        }
    }
}

fn cores() -> usize {
    static CORES: LazyLock<usize> =
        LazyLock::new(|| available_parallelism().map_or(1, usize::from));
    *CORES
}

fn time_of_check(key: &SigningKey, token: &str) -> Duration {
    let mut check = signature_check(&key.jwk(), token);
    let mut time = || {
        let begun = Instant::now();
        (0..20).for_each(|_| check());
        begun.elapsed() / 20
    };
    median(&(0..20).map(|_| time()).collect::<Vec<_>>())
}

impl Function {
    async fn start(
        name: &str,
        program: &Path,
        threads: Option<usize>,
        slots: usize,
        key: &SigningKey,
        platform: Platform,
    ) -> Self {
        // It would start on the stand-in's core, and stay there.
        let mut command = Command::new("taskset");
        command.args(["-c", &format!("0-{}", cores() - 1)]).arg(program);
        if name.starts_with("empty function") {
            command.arg(EMPTY_FUNCTION);
        }
        command
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("AWS_LAMBDA_FUNCTION_NAME", "token-authorizer")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_RUNTIME_API", platform.address())
            .env(MAX_CONCURRENCY, slots.to_string())
            .env("ISSUER", ISSUER)
            .env("AUDIENCE", AUDIENCE)
            .env("ALGORITHMS", key.alg())
            .env("JWKS", json!({ "keys": [key.jwk()] }).to_string())
            .stdin(Stdio::null())
            // A pipe would need a reader, and that a share of the stand-in's core.
            .stdout(Stdio::null());
        if let Some(threads) = threads {
            command.env("TOKIO_WORKER_THREADS", threads.to_string());
        }
        let process = command.spawn().expect("taskset");
        platform.polled_by(slots).await;
        Self { name: name.to_owned(), process, platform, bursts: Vec::new(), latencies: Vec::new() }
    }

    async fn burst(&mut self, invocations: usize, counts: bool) {
        let pid = self.process.id();
        let (before, begun) = (scheduled(pid), Instant::now());
        let latencies = self.platform.burst(invocations).await;
        let (seconds, after) = (begun.elapsed().as_secs_f64(), scheduled(pid));
        if counts {
            let scheduled = after - before;
            self.bursts.push(Burst { seconds, scheduled, invocations: invocations as f64 });
            self.latencies.extend(latencies);
        }
    }

    fn report(&self, row: &str, first: &Self) {
        let middle =
            |of: fn(&Burst) -> f64| median(&self.bursts.iter().map(of).collect::<Vec<_>>());
        let pairs = self.bursts.iter().zip(&first.bursts);
        let ratios: Vec<_> = pairs.map(|(burst, first)| burst.cpu() / first.cpu()).collect();
        println!(
            "| {row} | {} | {:.0} | {} | {:.3} | {:.2} | {:.2} | {} | {} | {} |",
            self.name,
            middle(|burst| burst.invocations / burst.seconds),
            microseconds(Duration::from_secs_f64(middle(Burst::cpu))),
            median(&ratios),
            middle(|burst| burst.scheduled.running.as_secs_f64() / burst.seconds),
            middle(|burst| burst.scheduled.demanded().as_secs_f64() / burst.seconds),
            microseconds(median(&self.latencies)),
            microseconds(quantile(&self.latencies, 0.99)),
            mebibytes(peak_kib(self.process.id())),
        );
    }
}

impl Burst {
    /// Seconds of processor time an invocation.
    fn cpu(&self) -> f64 {
        self.scheduled.running.as_secs_f64() / self.invocations
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn peak_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim_end_matches("kB").trim().parse().unwrap()
}
