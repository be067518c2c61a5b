//! The platform as it may be: it hangs up, has nothing to do, serves several functions at one address, goes away.

use std::cell::Cell;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::support::http::{Response, Server, converse, hang_up};
use super::support::process::Lambda;
use super::support::tokens::{SigningKey, jwks, now};
use super::{AUDIENCE, bearer, program, said};

const ISSUER: &str = "https://login.example.com";

/// What the platform does with one request.
enum Does {
    Answer(Response),
    /// Answers, and closes the connection.
    AnswerLast(Response),
}

/// A request, and whether it is the first of its connection.
struct Seen {
    line: String,
    is_first: bool,
    body: String,
}

/// The function on a platform that does these things, one after the other; then it hangs up.
fn run(key: &SigningKey, base: &str, script: Vec<Does>) -> (Vec<Seen>, Output) {
    let script = Arc::new(Mutex::new(script.into_iter()));
    let seen = Arc::<Mutex<Vec<Seen>>>::default();
    let server = Server::listen(0, {
        let seen = seen.clone();
        move |stream| {
            let is_first = Cell::new(true);
            let _ = converse(stream, |request, connection| {
                let line = format!("{} {}", request.method, request.target);
                let body = String::from_utf8(request.body.clone()).unwrap();
                seen.lock().unwrap().push(Seen { line, is_first: is_first.take(), body });
                match script.lock().unwrap().next() {
                    Some(Does::Answer(response)) => connection.send(&response),
                    Some(Does::AnswerLast(response)) => {
                        connection.send(&response.header("Connection", "close"))?;
                        hang_up()
                    }
                    None => hang_up(),
                }
            });
        }
    });
    let keys = jwks(&[key]).to_string();
    let address = format!("127.0.0.1:{}", server.port());
    let function = Command::new(program())
        .env_clear()
        .envs([
            ("ISSUER", ISSUER),
            ("AUDIENCE", AUDIENCE),
            ("JWKS", &keys),
            ("ALGORITHMS", "ES256"),
        ])
        .env("AWS_LAMBDA_FUNCTION_NAME", "token-authorizer")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env(
            "AWS_LAMBDA_RUNTIME_API",
            if base.is_empty() { address } else { format!("http://{address}{base}") },
        )
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    (seen, function)
}

fn invocation(id: &str, event: &str) -> Response {
    let deadline = (now() + 60) * 1000;
    let response = Response::json(event).header("Lambda-Runtime-Aws-Request-Id", id);
    response.header("Lambda-Runtime-Deadline-Ms", deadline.to_string())
}

fn taken() -> Response {
    Response::new(202)
}

fn good_event(key: &SigningKey) -> String {
    bearer(&key.token(&json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "a", "exp": now() + 60})))
}

fn lines(function: &Output) -> Vec<Value> {
    assert_eq!(function.status.code(), Some(1), "{function:?}");
    let output = str::from_utf8(&function.stdout).unwrap();
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn one_connection_serves_until_the_platform_closes_it() {
    let key = SigningKey::es256("k1");
    let (event, next) = (good_event(&key), "GET /2018-06-01/runtime/invocation/next");
    let (seen, function) = run(
        &key,
        "",
        vec![
            Does::Answer(invocation("1", &event)),
            Does::Answer(taken()),
            Does::AnswerLast(invocation("2", &event)),
            Does::AnswerLast(taken()),
            Does::Answer(invocation("3", "{}")),
            Does::Answer(taken()),
        ],
    );
    let requests: Vec<_> = seen.iter().map(|seen| (&*seen.line, seen.is_first)).collect();
    let posted = |id: &str, kind: &str| format!("POST /2018-06-01/runtime/invocation/{id}/{kind}");
    let expected = [
        (next, true),
        (&*posted("1", "response"), false),
        (next, false),
        (&*posted("2", "response"), true),
        (next, true),
        (&*posted("3", "error"), false),
        (next, false),
    ];
    assert_eq!(requests, expected);
    let body = |index: usize| serde_json::from_str::<Value>(&seen[index].body).unwrap();
    assert_eq!(body(1), body(3));
    assert_eq!(body(1)["principalId"], "a");
    assert_eq!(body(5)["errorType"], "event_unsupported");
    let lines = lines(&function);
    let decided: Vec<_> = lines
        .iter()
        .filter_map(|line| Some((line["request_id"].as_str()?, &line["decision"])))
        .collect();
    assert_eq!(decided, [("1", &json!("allow")), ("2", &json!("allow")), ("3", &json!("none"))]);
    assert_eq!(
        lines.last().unwrap()["level"],
        "ERROR",
        "the function ended, and said so: {lines:?}"
    );
}

#[test]
fn nothing_to_do_is_no_event() {
    let (seen, function) = run(
        &SigningKey::es256("k1"),
        "/.rt",
        vec![
            Does::Answer(Response::new(204)),
            Does::Answer(invocation("1", "{}")),
            Does::Answer(taken()),
        ],
    );
    let requests: Vec<_> = seen.iter().map(|seen| &*seen.line).collect();
    let next = "GET /.rt/2018-06-01/runtime/invocation/next";
    assert_eq!(requests, [next, next, "POST /.rt/2018-06-01/runtime/invocation/1/error", next]);
    assert_eq!(lines(&function).iter().filter(|line| !line["decision"].is_null()).count(), 1);
}

#[test]
fn an_answer_that_is_not_taken_is_logged_and_the_next_event_answered() {
    let (seen, function) = run(
        &SigningKey::es256("k1"),
        "",
        vec![
            Does::Answer(invocation("1", "{}")),
            Does::Answer(Response::new(413)),
            Does::Answer(invocation("2", "{}")),
            Does::Answer(taken()),
        ],
    );
    assert_eq!(seen.len(), 5);
    let lines = lines(&function);
    let said: Vec<_> =
        lines.iter().filter(|line| line["status"] == "413 Payload Too Large").collect();
    assert_eq!(said.len(), 1, "{lines:?}");
    assert_eq!(said[0]["level"], "ERROR");
    assert_eq!(lines.iter().filter(|line| line["decision"] == "none").count(), 2, "{lines:?}");
}

#[test]
fn without_a_platform_it_ends() {
    for script in
        [vec![], vec![Does::Answer(Response::json("{}"))], vec![Does::Answer(Response::new(500))]]
    {
        let asked = script.len();
        let (seen, function) = run(&SigningKey::es256("k1"), "", script);
        assert_eq!(seen.len(), asked.max(1));
        let lines = lines(&function);
        let last = lines.last().unwrap();
        assert_eq!(
            (&last["level"], &last["message"]),
            (&json!("ERROR"), &json!("the Lambda runtime ended"))
        );
        assert!(last["error"].as_str().is_some_and(|error| !error.is_empty()), "{last}");
    }
}

/// A function with eight invocations at once, all of them waiting for an event.
fn eight_at_once(key: &SigningKey) -> Lambda {
    let keys = jwks(&[key]).to_string();
    let settings =
        [("ISSUER", ISSUER), ("AUDIENCE", AUDIENCE), ("JWKS", &*keys), ("ALGORITHMS", "ES256")];
    let lambda = Lambda::spawn(
        &program(),
        &[&settings[..], &[("AWS_LAMBDA_MAX_CONCURRENCY", "8")]].concat(),
    );
    lambda.api().polled_by(8);
    lambda
}

#[test]
fn with_several_invocations_at_once_it_ends_when_the_platform_goes_away() {
    let lambda = eight_at_once(&SigningKey::es256("k1"));
    lambda.api().go_away();
    assert_eq!(lambda.ended().code(), Some(1), "{}", lambda.output());
    let lines = lambda.log_lines();
    for (message, count) in [("Error polling /next, retrying", 1), ("the Lambda runtime ended", 1)]
    {
        let found = lines.iter().filter(|line| line["message"] == message).count();
        assert_eq!(found, count, "{message}: {}", lambda.output());
    }
}

#[test]
fn with_several_invocations_at_once_none_of_them_is_lost() {
    let key = SigningKey::es256("k1");
    for failure in [Response::new(500), Response::json("{}"), Response::new(204)] {
        let status = failure.status;
        let lambda = eight_at_once(&key);
        assert_eq!(said(&lambda.invoke(&good_event(&key))), "Allow");
        lambda.api().fail_next(failure);
        if status == 204 {
            // Nothing to do for a while: all eight go on.
            lambda.api().polled_by(8);
            let tickets: Vec<_> = (0..8).map(|_| lambda.submit(&good_event(&key))).collect();
            assert!(tickets.into_iter().all(|ticket| said(&lambda.wait(ticket)) == "Allow"));
        } else {
            // Lambda starts another process, with eight.
            assert_eq!(lambda.ended().code(), Some(1), "{status}: {}", lambda.output());
        }
    }
}
