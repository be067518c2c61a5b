//! The package as it is deployed, in cargo-lambda's emulator of Lambda, which nobody here wrote: it answers as here.

use std::env;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::idp::Idp;
use super::support::tokens::{self, SigningKey};
use super::{AUDIENCE, bearer, claims, event, provider, said, start};

const START_LIMIT: Duration = Duration::from_secs(20);

/// A process that does not outlive the test.
struct Process(Child);

impl Process {
    /// What it writes is kept beside the package.
    fn start(command: &mut Command, log: &str) -> Self {
        let log = File::create(format!("{}.{log}.log", package())).unwrap();
        let command = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The package in its emulator.
struct Emulated {
    port: u16,
    _function: Process,
    _emulator: Process,
}

impl Emulated {
    fn start(settings: &[(&str, &str)]) -> Self {
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let address = ["--invoke-address", "127.0.0.1", "--invoke-port", &port.to_string()];
        let mut emulator = Command::new(setting("CARGO_LAMBDA"));
        emulator.args(["lambda", "watch", "--only-lambda-apis"]).args(address);
        let mut emulator = Process::start(&mut emulator, "emulator");
        let since = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert_eq!(emulator.0.try_wait().unwrap(), None, "the emulator ended");
            assert!(since.elapsed() < START_LIMIT, "no emulator within {START_LIMIT:?}");
            thread::sleep(Duration::from_millis(10));
        }
        let mut function = Command::new(package());
        // What the emulator asks for when it starts.
        function
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", format!("http://127.0.0.1:{port}/.rt"))
            .env("AWS_LAMBDA_FUNCTION_NAME", "_")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .envs(settings.iter().copied());
        Self { port, _function: Process::start(&mut function, "function"), _emulator: emulator }
    }

    /// Whether the function failed, and what it said.
    fn invoke(&self, event: &str) -> (bool, Value) {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.set_read_timeout(Some(START_LIMIT)).unwrap();
        let path = "/2015-03-31/functions/_/invocations";
        let head = format!("POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n");
        write!(stream, "{head}Content-Length: {}\r\n\r\n{event}", event.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) =
            answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        let is_error = match head.split(' ').nth(1) {
            Some("200") => false,
            Some("500") => true,
            _ => panic!("{answer}"),
        };
        (is_error, serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}")))
    }
}

fn setting(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run .ci/lambda"))
}

/// What runs in the emulator: the program of one architecture, held to that of another, or `PACKAGE` held to itself.
fn package() -> String {
    env::var("EMULATED").unwrap_or_else(|_| setting("PACKAGE"))
}

#[test]
#[ignore = "needs cargo-lambda and the package: run .ci/lambda"]
fn the_package_in_cargo_lambdas_emulator_answers_as_here() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let routes = r#"{"GET /pets/{proxy+}": ["pets:read"], "POST /pets": ["pets:write"], "DELETE /pets": ["admin"]}"#;
    for settings in
        [&[][..], &[("REFUSAL", "unauthorized")], &[("ROUTES", routes), ("SIMPLE_RESPONSE", "on")]]
    {
        let here = start(&idp, settings);
        let (issuer, jwks_uri) = (idp.issuer(), idp.jwks_uri());
        let basic = [("ISSUER", &*issuer), ("JWKS_URI", &*jwks_uri), ("AUDIENCE", AUDIENCE)];
        let there = Emulated::start(&[&basic, settings].concat());
        let mut outcomes = Vec::new();
        for event in events(&idp, &key) {
            let reply = here.invoke(&event);
            assert_eq!(there.invoke(&event), (reply.is_error, reply.body.clone()), "{settings:?}");
            outcomes.push(if reply.body["isAuthorized"].is_boolean() {
                "simple".to_owned()
            } else {
                said(&reply)
            });
        }
        // Both sides tell an Allow from a Deny and from a failure.
        assert!(outcomes.iter().any(|outcome| outcome == "Allow"), "{outcomes:?}");
        let refused = if settings == [("REFUSAL", "unauthorized")] {
            "Unauthorized"
        } else {
            "Deny token_expired"
        };
        assert!(outcomes.iter().any(|outcome| outcome == refused), "{outcomes:?}");
        assert!(
            outcomes.iter().any(|outcome| outcome.starts_with("event_unsupported: ")),
            "{outcomes:?}"
        );
    }
}

/// The samples, and what else a client may send.
fn events(idp: &Idp, key: &SigningKey) -> Vec<String> {
    let good = key.token(&claims(idp, json!({})));
    let expired = key.token(&claims(idp, json!({"exp": tokens::now() - 60})));
    let samples = fs::read_dir("events")
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let samples =
        samples.map(|text| text.replace("{{token}}", &good).replace("{{token:expired}}", &expired));
    let others = [
        event(""),
        bearer("a.b"),
        bearer(&SigningKey::rsa_other("k1", 1).token(&claims(idp, json!({})))),
        bearer(&key.token(&claims(idp, json!({"aud": "https://cats.example.com"})))),
        bearer(&key.token(&claims(idp, json!({"scope": "none"})))),
        "{}".to_owned(),
    ];
    samples.chain(others).collect()
}
