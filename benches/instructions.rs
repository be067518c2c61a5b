//! How many instructions one decision takes: `cargo bench --bench instructions [-- PART-OF-A-NAME ...]`
//!
//! Counted by valgrind's callgrind, so a busy machine does not blur them. Each case is run in a process of its own,
//! so many times and twice as many times; the difference has no start-up in it. The remaining noise comes from the
//! seeds of hash tables and the layout of the heap, and is mostly below a percent.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark"
)]
#![allow(clippy::disallowed_methods, missing_docs, reason = "a benchmark")]

mod measuring;
mod scenarios;
#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs, process, thread};

use measuring::median;
use scenarios::{Case, Work, all};

/// The arguments of a process to be counted: this, a file with the work, and how often to do it.
const MEASURED: &str = "--measured";

const TIMES: u64 = 50;

/// Pairs of processes for one case; their median counts.
const PAIRS: usize = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [MEASURED, file, times] = &*arguments.iter().map(String::as_str).collect::<Vec<_>>() {
        work(Path::new(file), times.parse().unwrap());
        return ExitCode::SUCCESS;
    }
    if !Command::new("valgrind")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        println!(
            "nothing counted: valgrind is not installed (Debian and Ubuntu: apt-get install valgrind)"
        );
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<_> =
        arguments.into_iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted =
        |case: &Case| wanted.is_empty() || wanted.iter().any(|part| case.label().contains(part));
    let mut counter = Counter::new();
    println!(
        "| case | instructions | beside | instructions | ratio |\n| --- | ---: | --- | ---: | ---: |"
    );
    for case in all().into_iter().filter(is_wanted) {
        let label = case.label();
        let count = counter.count(&label, &case.work);
        let (floor, floor_count, ratio) = match &case.floor {
            Some((name, work)) => {
                let floor = counter.count(name, work);
                (&**name, thousands(floor), format!("{:.3}", count / floor))
            }
            None => Default::default(),
        };
        println!("| {label} | {} | {floor} | {floor_count} | {ratio} |", thousands(count));
    }
    bars(&counter.counts);
    ExitCode::SUCCESS
}

/// The promises about counts, as far as their cases have been counted.
fn bars(counts: &HashMap<String, f64>) {
    let ratio = |of: &[&str], to: &[&str]| {
        // The first, or how much more it is than the second.
        let value = |names: &[&str]| match names {
            [name] => counts.get(*name).copied(),
            [more, less] => Some(counts.get(*more)? - counts.get(*less)?),
            _ => None,
        };
        Some(value(of)? / value(to)?)
    };
    println!("\n| promise | measured | at most | |\n| --- | ---: | ---: | --- |");
    for (promise, of, to, most) in [
        (
            "an Allow, by the signature check",
            &["algorithm: RS256 Allow"][..],
            &["RS256 signature check"][..],
            1.35,
        ),
        ("1,000 keys, by 1", &["keys: 1000 keys"], &["keys: 1 keys"], 1.02),
        (
            "a list of 50,000 revocations, by none",
            &["revocation: 50000 entries"],
            &["revocation: no list"],
            1.02,
        ),
        ("100 issuers, by 1", &["issuers: 100 issuers"], &["issuers: 1 issuers"], 1.02),
        ("1,000 tenants, by 1", &["tenants: 1000 tenants"], &["tenants: 1 tenants"], 1.02),
        (
            "what 60 routes add, by what writing them adds",
            &["routes: 60 routes", "routes: 1 routes"],
            &["writing the policy of 60 routes", "writing the policy of 1 routes"],
            // AWS's types own the text of each resource, which is built for the purpose.
            2.0,
        ),
        (
            "60 routes with conditions, by the signature check",
            &["routes: 60 routes with conditions"],
            &["RS256 signature check"],
            2.0,
        ),
        (
            "what 7.5 KB more of token add, by their JSON, base64 and hashing",
            &["token: 8 KB token", "token: 0.5 KB token"],
            &["reading 8 KB", "reading 0.5 KB"],
            1.0,
        ),
    ] {
        if let Some(measured) = ratio(of, to) {
            let verdict = if measured <= most { "met" } else { "missed" };
            println!("| {promise} | {measured:.3} | {most:.2} | {verdict} |");
        }
    }
}

impl Case {
    fn label(&self) -> String {
        format!("{}: {}", self.group, self.name)
    }
}

fn work(file: &Path, times: u64) {
    let work: Work = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let mut work = work.prepare();
    for _ in 0..times {
        work();
    }
}

/// Counts, and remembers what it has counted.
struct Counter {
    file: PathBuf,
    counts: HashMap<String, f64>,
}

impl Counter {
    fn new() -> Self {
        let file = env::temp_dir().join(format!("instructions-{}.json", process::id()));
        Self { file, counts: HashMap::new() }
    }

    fn count(&mut self, name: &str, work: &Work) -> f64 {
        if let Some(count) = self.counts.get(name) {
            return *count;
        }
        fs::write(&self.file, serde_json::to_vec(work).unwrap()).unwrap();
        let counts: Vec<_> = (0..PAIRS)
            .map(|_| {
                let (less, more) = thread::scope(|scope| {
                    let less = scope.spawn(|| self.run(TIMES));
                    let more = self.run(2 * TIMES);
                    (less.join().unwrap(), more)
                });
                (more as f64 - less as f64) / TIMES as f64
            })
            .collect();
        let count = median(&counts);
        self.counts.insert(name.to_owned(), count);
        count
    }

    fn run(&self, times: u64) -> u64 {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(env::current_exe().unwrap())
            .args([MEASURED, self.file.to_str().unwrap(), &times.to_string()])
            .output()
            .unwrap();
        let report = String::from_utf8_lossy(&output.stderr);
        let collected =
            report.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
        collected.unwrap_or_else(|| panic!("valgrind did not count: {report}"))
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

fn thousands(count: f64) -> String {
    let digits = format!("{count:.0}");
    let groups: Vec<_> =
        digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}
