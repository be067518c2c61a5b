//! The little of HTTP/1.1 that a stand-in server needs: blocking, keep-alive, a thread for each connection.
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::Watched;

/// A listening loopback port. Dropped, it refuses new connections and cuts the open ones.
pub(crate) struct Server {
    port: u16,
    open: Arc<Watched<Open>>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Open {
    stopping: bool,
    connections: HashMap<usize, TcpStream>,
}

impl Server {
    /// Port 0 takes any free one. `serve` has a thread of its own for each connection.
    pub(crate) fn listen(port: u16, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .unwrap_or_else(|error| panic!("port {port} of the loopback address: {error}"));
        let port = listener.local_addr().unwrap().port();
        let open = Arc::<Watched<Open>>::default();
        let acceptor = thread::spawn({
            let open = open.clone();
            move || accept(&listener, &open, &Arc::new(serve))
        });
        Self { port, open, acceptor: Some(acceptor) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.open.lock().stopping = true;
        // Wakes the acceptor, which closes the listener on its way out.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        for connection in self.open.lock().connections.values() {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

fn accept<F>(listener: &TcpListener, open: &Arc<Watched<Open>>, serve: &Arc<F>)
where
    F: Fn(TcpStream) + Send + Sync + 'static,
{
    for (id, stream) in listener.incoming().flatten().enumerate() {
        let mut registry = open.lock();
        if registry.stopping {
            return;
        }
        let _ = stream.set_nodelay(true);
        registry.connections.insert(id, stream.try_clone().unwrap());
        drop(registry);
        let (open, serve) = (open.clone(), serve.clone());
        thread::spawn(move || {
            serve(stream);
            // The registry's copy would otherwise hold the connection open.
            if let Some(stream) = open.lock().connections.remove(&id) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
    }
}

/// Answers request after request, until either side has enough.
pub(crate) fn converse<S: Read + Write>(
    stream: S,
    answer: impl Fn(&Request, &mut Connection<S>) -> io::Result<()>,
) -> io::Result<()> {
    let mut connection = Connection { stream: BufReader::new(stream) };
    while let Some(request) = connection.read()? {
        answer(&request, &mut connection)?;
        if request.header("connection") == Some("close") {
            break;
        }
    }
    Ok(())
}

/// For an `answer` that ends the conversation without another word.
pub(crate) fn hang_up() -> io::Result<()> {
    Err(io::ErrorKind::ConnectionAborted.into())
}

pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known == name)?;
        Some(value)
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

pub(crate) struct Connection<S> {
    stream: BufReader<S>,
}

impl<S: Read + Write> Connection<S> {
    /// `None` when the peer hung up between requests.
    fn read(&mut self) -> io::Result<Option<Request>> {
        let first = self.line()?;
        let mut words = first.split(' ').map(str::to_owned);
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Ok(None);
        };
        let mut request = Request { method, target, headers: Vec::new(), body: Vec::new() };
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            let name = name.to_ascii_lowercase();
            request.headers.push((name, value.trim().to_owned()));
        }
        if let Some(length) = request.header("content-length") {
            request.body = vec![0; length.parse().expect("a length")];
            self.stream.read_exact(&mut request.body)?;
        }
        Ok(Some(request))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        line.truncate(line.trim_end().len());
        Ok(line)
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)?;
        self.stream.get_mut().flush()
    }

    pub(crate) fn send(&mut self, response: &Response) -> io::Result<()> {
        // In one piece: a head and a body apart would measure the sender's habits.
        self.write(&[response.head().as_slice(), &response.body].concat())
    }
}

#[derive(Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn json(body: impl Into<Vec<u8>>) -> Self {
        let mut response = Self::new(200).header("Content-Type", "application/json");
        response.body = body.into();
        response
    }

    /// Sets a header, in place of an earlier one of that name.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Stand-In\r\n", self.status);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        // RFC 9110, 8.6: a 304's length would be that of the answer it stands for.
        let chunked = self.headers.iter().any(|(n, _)| *n == "Transfer-Encoding");
        if !chunked && self.status != 304 {
            write!(head, "Content-Length: {}\r\n", self.body.len()).unwrap();
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}
