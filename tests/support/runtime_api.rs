//! A stand-in for the Lambda Runtime API (2018-06-01). It also remembers the credentials that went in and
//! everything that came out, so that a leak of one into the other can be found.
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::Watched;
use super::http::{Request, Response, Server, converse, hang_up};

/// The function's time-out, as the fake platform sees it: what a test waits for an answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What the function made of one event.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) request_id: String,
    /// Whether it was posted as an error of the function.
    pub(crate) is_error: bool,
    /// Null when it was not JSON.
    pub(crate) body: Value,
    pub(crate) raw: Vec<u8>,
    /// From handing out the event to receiving the answer.
    pub(crate) elapsed: Duration,
}

/// An event under way.
#[must_use = "wait for its reply"]
pub(crate) struct Ticket(u64);

pub(crate) struct RuntimeApi {
    port: u16,
    server: Mutex<Option<Server>>,
    shared: Arc<Watched<State>>,
}

impl RuntimeApi {
    pub(crate) fn start() -> Self {
        let shared = Arc::<Watched<State>>::default();
        let server = Server::listen(0, {
            let shared = shared.clone();
            move |stream| {
                // A function that hangs up is the test's to notice.
                let _ = converse(stream, |request, connection| match answer(&shared, request) {
                    Some(response) => connection.send(&response),
                    None => hang_up(),
                });
            }
        });
        Self { port: server.port(), server: Mutex::new(Some(server)), shared }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn invoke(&self, event: &str) -> Reply {
        self.wait(self.submit(event))
    }

    pub(crate) fn submit(&self, event: &str) -> Ticket {
        self.shared.change(|state| {
            state.submitted += 1;
            state.secrets.extend(traces(event));
            state.queue.push_back((state.submitted, event.to_owned()));
            Ticket(state.submitted)
        })
    }

    pub(crate) fn wait(&self, ticket: Ticket) -> Reply {
        self.wait_at_most(&ticket, PATIENCE)
            .unwrap_or_else(|| panic!("no answer to event {} within {PATIENCE:?}", ticket.0))
    }

    /// `None` when the time was up first. Takes the reply out: it is there once.
    pub(crate) fn wait_at_most(&self, ticket: &Ticket, time: Duration) -> Option<Reply> {
        let settled =
            |state: &State| state.replies.contains_key(&ticket.0) || state.fault.is_some();
        let mut state = self.shared.wait(time, settled);
        if let Some(fault) = &state.fault {
            panic!("the function broke the Runtime API's rules: {fault}");
        }
        state.replies.remove(&ticket.0)
    }

    /// Waits until the function asks for its first event.
    pub(crate) fn ready(&self) {
        assert!(self.ready_within(PATIENCE), "nobody asked for an event within {PATIENCE:?}");
    }

    pub(crate) fn ready_within(&self, time: Duration) -> bool {
        self.shared.wait(time, |state| state.polled).polled
    }

    /// How many events at once the function asks for.
    pub(crate) fn expect_slots(&self, slots: usize) {
        self.shared.lock().slots = slots;
    }

    /// Waits until the function is at an event or all of its slots ask for one, rather than on the way between the two.
    pub(crate) fn settle(&self) {
        assert!(self.settled_within(PATIENCE), "no sign of the function for {PATIENCE:?}");
    }

    pub(crate) fn settled_within(&self, time: Duration) -> bool {
        let settled =
            |state: &State| state.polling >= state.slots.max(1) || !state.handed_out.is_empty();
        settled(&self.shared.wait(time, settled))
    }

    /// How long each event may take from now on.
    pub(crate) fn time_limit(&self, limit: Duration) {
        self.shared.lock().time_limit = Some(limit);
    }

    /// Answers the next request for an event with this instead.
    pub(crate) fn fail_next(&self, response: Response) {
        self.shared.change(|state| state.failure = Some(response));
    }

    /// Refuses connections and cuts those that are open.
    pub(crate) fn go_away(&self) {
        *self.server.lock().unwrap() = None;
    }

    /// Waits until this many ask for an event.
    pub(crate) fn polled_by(&self, callers: usize) {
        let polling = self.shared.wait(PATIENCE, |state| state.polling == callers).polling;
        assert_eq!(polling, callers, "after {PATIENCE:?}");
    }

    pub(crate) fn init_error(&self) -> Option<Value> {
        self.shared.lock().init_error.clone()
    }

    /// A piece of a submitted credential that turns up in an answer or in `output`.
    pub(crate) fn leak(&self, output: &[u8]) -> Option<String> {
        let state = self.shared.lock();
        [output, &state.answers]
            .into_iter()
            .flat_map(|text| text.split(|byte| !is_base64url(*byte)))
            .flat_map(|word| word.windows(TRACE))
            .find(|window| state.secrets.contains(*window))
            .map(|window| String::from_utf8_lossy(window).into_owned())
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.shared.change(|state| state.closed = true);
    }
}

/// How much of a credential counts as a leak. A fixed size lets one pass look for all of them, and finds
/// those that were cut short as well.
const TRACE: usize = 16;

/// The ends of the payload and of the signature of everything in `event` that looks like a JWT.
fn traces(event: &str) -> impl Iterator<Item = Vec<u8>> {
    event
        .as_bytes()
        .split(|byte| !is_base64url(*byte) && *byte != b'.')
        .map(|word| word.split(|byte| *byte == b'.').skip(1).collect())
        .filter(|tail: &Vec<&[u8]>| tail.get(1).is_some_and(|part| part.len() >= TRACE))
        .flatten()
        .filter(|part| part.len() >= TRACE)
        .flat_map(|part| [&part[..TRACE], &part[part.len() - TRACE..]])
        .map(<[u8]>::to_vec)
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[derive(Default)]
struct State {
    submitted: u64,
    queue: VecDeque<(u64, String)>,
    handed_out: HashMap<String, (u64, Instant)>,
    replies: HashMap<u64, Reply>,
    polled: bool,
    polling: usize,
    slots: usize,
    init_error: Option<Value>,
    fault: Option<String>,
    closed: bool,
    time_limit: Option<Duration>,
    failure: Option<Response>,
    secrets: HashSet<Vec<u8>>,
    answers: Vec<u8>,
}

/// `None` when the platform went away while the function waited for work.
fn answer(shared: &Watched<State>, request: &Request) -> Option<Response> {
    let received = Instant::now();
    let path = request.path().strip_prefix("/2018-06-01/runtime/");
    let words: Vec<&str> = path.unwrap_or_default().split('/').collect();
    match (request.method.as_str(), words.as_slice()) {
        ("GET", ["invocation", "next"]) => return next(shared),
        ("POST", ["invocation", id, kind @ ("response" | "error")]) => {
            let is_error = *kind == "error";
            shared.change(|state| state.take(id, is_error, &request.body, received));
        }
        ("POST", ["init", "error"]) => shared.change(|state| {
            state.remember(&request.body);
            let text = || String::from_utf8_lossy(&request.body).into();
            state.init_error =
                Some(serde_json::from_slice(&request.body).unwrap_or_else(|_| text()));
        }),
        (method, _) => {
            shared.change(|state| state.fault = Some(format!("{method} {}", request.target)));
            return Some(Response::new(404));
        }
    }
    Some(Response::new(202))
}

fn next(shared: &Watched<State>) -> Option<Response> {
    shared.change(|state| {
        state.polled = true;
        state.polling += 1;
    });
    loop {
        let is_over =
            |state: &State| state.closed || state.failure.is_some() || !state.queue.is_empty();
        let mut state = shared.wait(PATIENCE, is_over);
        if state.closed {
            return None;
        }
        if let Some(failure) = state.failure.take() {
            state.polling -= 1;
            return Some(failure);
        }
        if let Some((ticket, event)) = state.queue.pop_front() {
            return Some(state.hand_out(ticket, event));
        }
    }
}

impl State {
    fn hand_out(&mut self, ticket: u64, event: String) -> Response {
        self.polling -= 1;
        let id = format!("3f6a1c52-77d0-4be4-9a0e-{ticket:012x}");
        let function = "arn:aws:lambda:eu-west-1:123456789012:function:token-authorizer";
        let trace = format!("Root=1-65a1b2c3-{ticket:024x};Parent=53995c3f42cd8ad8;Sampled=0");
        let limit = self.time_limit.unwrap_or(PATIENCE);
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + limit;
        self.handed_out.insert(id.clone(), (ticket, Instant::now()));
        Response::json(event)
            .header("Lambda-Runtime-Aws-Request-Id", id)
            .header("Lambda-Runtime-Deadline-Ms", deadline.as_millis().to_string())
            .header("Lambda-Runtime-Invoked-Function-Arn", function)
            .header("Lambda-Runtime-Trace-Id", trace)
    }

    fn take(&mut self, id: &str, is_error: bool, answer: &[u8], received: Instant) {
        self.remember(answer);
        let Some((ticket, since)) = self.handed_out.remove(id) else {
            self.fault = Some(format!("an answer to {id}, which is not open"));
            return;
        };
        let reply = Reply {
            request_id: id.to_owned(),
            is_error,
            body: serde_json::from_slice(answer).unwrap_or_default(),
            raw: answer.to_vec(),
            elapsed: received - since,
        };
        self.replies.insert(ticket, reply);
    }

    fn remember(&mut self, answer: &[u8]) {
        self.answers.extend(answer);
        self.answers.push(b'\n');
    }
}
