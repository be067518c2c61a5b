//! The shipped binary as a child process, with a Lambda platform of its own around it.
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::runtime_api::{PATIENCE, Reply, RuntimeApi, Ticket};

/// How many invocations at once the function takes. The variable `SLOTS` of a test run is the default, so that all tests can
/// be run in both modes.
const SLOTS: &str = "AWS_LAMBDA_MAX_CONCURRENCY";

const START_LIMIT: Duration = Duration::from_secs(20);
const LOG_LIMIT: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(10);

/// A running function. Dropped, it is killed, and none of the credentials it was given may have come out.
pub(crate) struct Lambda {
    child: Mutex<Child>,
    pid: u32,
    api: RuntimeApi,
    output: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

/// How a function ended that never asked for an event.
#[derive(Debug)]
pub(crate) struct Exit {
    /// None when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) init_error: Option<Value>,
}

impl Lambda {
    /// Starts the function and waits until it asks for its first event.
    pub(crate) fn spawn(program: &Path, env: &[(&str, &str)]) -> Self {
        Self::try_spawn(program, env).unwrap_or_else(|exit| {
            panic!(
                "did not start, exit code {:?}, init error {:?}:\n{}",
                exit.code, exit.init_error, exit.output
            )
        })
    }

    /// Of a variable named twice in `env`, and of those set here, the later counts.
    pub(crate) fn try_spawn(program: &Path, env: &[(&str, &str)]) -> Result<Self, Exit> {
        let env: Vec<_> = env.iter().map(|(name, value)| (*name, OsStr::new(value))).collect();
        Self::try_spawn_os(program, &env)
    }

    /// The same with values that need not be text.
    pub(crate) fn try_spawn_os(program: &Path, env: &[(&str, &OsStr)]) -> Result<Self, Exit> {
        let mut lambda = Self::launch(program, env);
        let since = Instant::now();
        while !lambda.api.ready_within(TICK) {
            if let Some(status) = lambda.exited() {
                return Err(Exit {
                    code: status.code(),
                    output: lambda.full_output(),
                    init_error: lambda.api.init_error(),
                });
            }
            assert!(
                since.elapsed() < START_LIMIT,
                "neither ready nor gone within {START_LIMIT:?}:\n{}",
                lambda.output()
            );
        }
        Ok(lambda)
    }

    fn launch(program: &Path, env: &[(&str, &OsStr)]) -> Self {
        let api = RuntimeApi::start();
        let default = std::env::var("SLOTS").unwrap_or_else(|_| "1".to_owned());
        let slots = env.iter().rfind(|(name, _)| *name == SLOTS).map(|(_, value)| value.to_str());
        let slots = slots.map_or(Some(&*default), |value| value);
        api.expect_slots(slots.and_then(|slots| slots.parse().ok()).unwrap_or(1));
        // One pipe for both streams keeps their lines in the order they were written.
        let (mut reader, writer) = io::pipe().unwrap();
        let child = Command::new(program)
            .env_clear()
            .env("AWS_LAMBDA_FUNCTION_NAME", "token-authorizer")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/token-authorizer")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "2025/01/01/[$LATEST]0")
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_LAMBDA_RUNTIME_API", api.address())
            .env(SLOTS, default)
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(writer.try_clone().unwrap())
            .stderr(writer)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let output = Arc::new(Mutex::new(Vec::new()));
        let reader = thread::spawn({
            let output = output.clone();
            move || {
                let mut chunk = [0; 8192];
                while let Ok(length @ 1..) = reader.read(&mut chunk) {
                    output.lock().unwrap().extend(&chunk[..length]);
                }
            }
        });
        Self { pid: child.id(), child: Mutex::new(child), api, output, reader: Some(reader) }
    }

    pub(crate) fn invoke(&self, event: &str) -> Reply {
        self.wait(self.submit(event))
    }

    /// The same, and waits until everything about it is logged.
    pub(crate) fn invoke_to_end(&self, event: &str) -> Reply {
        let reply = self.invoke(event);
        self.api.settle();
        reply
    }

    pub(crate) fn submit(&self, event: &str) -> Ticket {
        self.api.submit(event)
    }

    pub(crate) fn wait(&self, ticket: Ticket) -> Reply {
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if let Some(reply) = self.api.wait_at_most(&ticket, 10 * TICK) {
                return reply;
            }
            if let Some(status) = self.exited() {
                panic!("ended before it answered, {status}:\n{}", self.output());
            }
        }
        panic!("no answer within {PATIENCE:?}:\n{}", self.output())
    }

    pub(crate) fn api(&self) -> &RuntimeApi {
        &self.api
    }

    /// Everything written so far, stdout and stderr in order.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().unwrap()).into_owned()
    }

    /// Ends the function and tells all that it wrote: after an answer, everything about that.
    pub(crate) fn end(mut self) -> String {
        // The line about an answer is written after it, and before the next event is asked for.
        self.api.settle();
        self.signal("KILL");
        self.full_output()
    }

    /// Those lines so far that are JSON objects.
    pub(crate) fn log_lines(&self) -> Vec<Value> {
        self.output()
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(Value::is_object)
            .collect()
    }

    /// The first log line, written or still to come, that is as wanted.
    pub(crate) fn wait_for_log(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let since = Instant::now();
        loop {
            if let Some(line) = self.log_lines().into_iter().find(&wanted) {
                return line;
            }
            assert!(
                since.elapsed() < LOG_LIMIT,
                "no such log line within {LOG_LIMIT:?}:\n{}",
                self.output()
            );
            thread::sleep(TICK);
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn rss_kib(&self) -> u64 {
        self.memory("VmRSS:")
    }

    pub(crate) fn peak_kib(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// User and system time so far, in steps of 10 ms.
    pub(crate) fn cpu(&self) -> Duration {
        // proc(5): the fields after the name, which may hold anything, begin with the third.
        let fields = self.stat();
        let ticks: u64 = [14, 15].map(|n| fields[n - 3].parse::<u64>().unwrap()).iter().sum();
        Duration::from_millis(10 * ticks)
    }

    /// Stops the process, as Lambda does once the function asks for the next event; also amid an event.
    pub(crate) fn freeze(&self) {
        self.api.settle();
        self.stop();
    }

    /// Stops the process wherever it is.
    pub(crate) fn stop(&self) {
        self.signal("STOP");
        // The signal is delivered a little later; a process that died is stopped as well.
        while !matches!(self.stat()[0].as_str(), "T" | "Z") {
            thread::yield_now();
        }
    }

    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.pid);
        let status = Command::new("sh").args(["-c", &command]).status().unwrap();
        assert!(status.success(), "{command}");
    }

    fn memory(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let value = status.lines().find_map(|line| line.strip_prefix(field));
        let number = value.and_then(|value| value.split_whitespace().next());
        number.expect("a running process").parse().unwrap()
    }

    fn stat(&self) -> Vec<String> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.split(' ').map(str::to_owned).collect()
    }

    /// Waits until the function has ended by itself.
    pub(crate) fn ended(&self) -> ExitStatus {
        let since = Instant::now();
        loop {
            if let Some(status) = self.exited() {
                return status;
            }
            assert!(
                since.elapsed() < START_LIMIT,
                "not ended within {START_LIMIT:?}:\n{}",
                self.output()
            );
            thread::sleep(TICK);
        }
    }

    fn exited(&self) -> Option<ExitStatus> {
        self.child.lock().unwrap().try_wait().unwrap()
    }

    /// Only for a process that ended: waits for the end of what it wrote.
    fn full_output(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.output()
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        if !thread::panicking() && self.exited().is_none() {
            // What it still writes about its last answer counts as well.
            self.api.settled_within(LOG_LIMIT);
        }
        // A panicking wait may have poisoned the lock; the child has to go all the same.
        let child = self.child.get_mut().unwrap_or_else(|poison| poison.into_inner());
        let _ = child.kill();
        let _ = child.wait();
        let output = self.full_output();
        if thread::panicking() {
            return;
        }
        if let Some(piece) = self.api.leak(output.as_bytes()) {
            panic!("part of a token came out, {piece}, in an answer or in:\n{output}");
        }
    }
}
