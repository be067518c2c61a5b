//! A stand-in of the Runtime API for many slots that costs little.

use std::future::poll_fn;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::support::tokens::now;

/// Larger than any request of these functions.
const BUFFER: usize = 64 * 1024;

pub(super) struct Platform {
    address: String,
    shared: Arc<Shared>,
    acceptor: JoinHandle<()>,
}

struct Shared {
    events: Vec<String>,
    state: Mutex<State>,
    /// Events are there to be handed out.
    begun: Notify,
    /// A slot polls, or the last answer came.
    changed: Notify,
}

#[derive(Default)]
struct State {
    polling: usize,
    /// How many events the burst has, and when those that were handed out so far were.
    size: usize,
    handed_out: Vec<Instant>,
    latencies: Vec<Duration>,
}

impl Platform {
    pub(super) async fn start(events: &[String]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            events: events.to_vec(),
            state: Mutex::default(),
            begun: Notify::new(),
            changed: Notify::new(),
        });
        let acceptor = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let _ = stream.set_nodelay(true);
                    let shared = Arc::clone(&shared);
                    // It ends when the function does.
                    tokio::spawn(async move { shared.converse(stream).await });
                }
            }
        });
        Self { address, shared, acceptor }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Waits until this many slots ask for an event.
    pub(super) async fn polled_by(&self, slots: usize) {
        while self.shared.state().polling < slots {
            self.shared.changed.notified().await;
        }
    }

    /// Hands out so many events, each as soon as a slot asks for it. Returns the times from handing out to the answer, once
    /// all slots ask for an event again.
    pub(super) async fn burst(&self, size: usize) -> Vec<Duration> {
        let slots = self.shared.state().polling;
        {
            let mut state = self.shared.state();
            state.size = size;
            state.handed_out.clear();
            state.latencies.clear();
        }
        self.shared.begun.notify_waiters();
        while self.shared.state().latencies.len() < size {
            self.shared.changed.notified().await;
        }
        self.polled_by(slots).await;
        self.shared.state().latencies.clone()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        let (mut buffer, mut response) = (vec![0; BUFFER], Vec::new());
        loop {
            let Some(request) = read(&mut stream, &mut buffer).await? else { return Ok(()) };
            response.clear();
            if request.starts_with("GET ") {
                self.hand_out(&mut response).await;
            } else {
                self.take(request);
                response.extend(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
            }
            write(&mut stream, &response).await?;
        }
    }

    async fn hand_out(&self, response: &mut Vec<u8>) {
        self.state().polling += 1;
        self.changed.notify_one();
        loop {
            // Listens before it looks, so that no burst begins in between.
            let begun = self.begun.notified();
            let number = {
                let mut state = self.state();
                let number = state.handed_out.len();
                if number < state.size {
                    state.polling -= 1;
                    state.handed_out.push(Instant::now());
                }
                (number < state.size).then_some(number)
            };
            let Some(number) = number else {
                begun.await;
                continue;
            };
            let event = &self.events[number % self.events.len()];
            write!(
                response,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Lambda-Runtime-Aws-Request-Id: 3f6a1c52-77d0-4be4-9a0e-{number:012}\r\n\
                 Lambda-Runtime-Deadline-Ms: {}\r\n\
                 Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:123456789012:function:token-authorizer\r\n\
                 Lambda-Runtime-Trace-Id: Root=1-65a1b2c3-{number:024};Parent=53995c3f42cd8ad8;Sampled=0\r\n\r\n{event}",
                event.len(),
                (now() + 60) * 1000,
            )
            .unwrap();
            return;
        }
    }

    fn take(&self, request: &str) {
        let mut state = self.state();
        let id = request.split('/').nth(4).unwrap();
        let number: usize = id[24..].parse().unwrap();
        let latency = state.handed_out[number].elapsed();
        assert!(request.contains(r#""Allow""#), "{request}");
        state.latencies.push(latency);
        if state.latencies.len() == state.size {
            self.changed.notify_one();
        }
    }
}

/// One request; none once the function has hung up.
async fn read<'b>(stream: &mut TcpStream, buffer: &'b mut [u8]) -> io::Result<Option<&'b str>> {
    let mut filled = 0;
    loop {
        let mut rest = ReadBuf::new(&mut buffer[filled..]);
        poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut rest)).await?;
        let read = rest.filled().len();
        if read == 0 {
            return Ok(None);
        }
        filled += read;
        if is_whole(str::from_utf8(&buffer[..filled]).unwrap()) {
            return Ok(str::from_utf8(&buffer[..filled]).ok());
        }
    }
}

/// Whether a request has come with all of its body.
fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "));
    body.len() == length.map_or(0, |length| length.parse().unwrap())
}

async fn write(stream: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = poll_fn(|context| Pin::new(&mut *stream).poll_write(context, bytes)).await?;
        bytes = &bytes[written..];
    }
    Ok(())
}
