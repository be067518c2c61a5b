//! A loopback identity provider: OpenID discovery and a key set, healthy or in trouble, over http or
//! https, and a count of everything it was asked.
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{env, fs, process};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use super::Watched;
use super::http::{Connection, Request, Response, Server, converse, hang_up};
use super::tokens::{SigningKey, jwks};

const DISCOVERY: &str = "/.well-known/openid-configuration";

/// How a document is served.
#[derive(Clone, Debug, Default)]
pub(crate) enum Behaviour {
    #[default]
    Healthy,
    /// Answers well, this much later.
    Delay(Duration),
    /// Says nothing until the behaviour changes, then hangs up.
    Hang,
    /// The head at once, the body byte by byte.
    Drip { byte_every: Duration },
    /// The good body under this status.
    Status(u16),
    /// Hangs up on the request.
    Reset,
    /// 302 to this location; `/jwks2` serves the key set, always healthy.
    Redirect(String),
    /// An endless-looking key set without a length.
    Huge { bytes: u64 },
    /// These bytes as a gzip-encoded body.
    Gzip(Vec<u8>),
    /// The good body under this content type.
    ContentType(String),
    /// The good body, with these header lines as they are written here.
    HeaderLines(String),
}

pub(crate) struct Idp {
    port: u16,
    /// Keeps the port from others while the server is down.
    _reserved: Option<TcpSocket>,
    server: Mutex<Option<Server>>,
    provider: Arc<Watched<State>>,
    tls: Option<Tls>,
}

impl Idp {
    /// Plain http, with no keys yet.
    pub(crate) fn start() -> Self {
        Self::start_on(0)
    }

    /// On a port of the caller's choice; 0 takes any free one.
    pub(crate) fn start_on(port: u16) -> Self {
        Self::launch(port, None)
    }

    /// The same over https, under an authority made for this run.
    pub(crate) fn start_tls() -> Self {
        Self::launch(0, Some(Tls::new()))
    }

    fn launch(port: u16, tls: Option<Tls>) -> Self {
        let provider = Arc::<Watched<State>>::default();
        let reserved = reserve(port);
        let port = reserved.as_ref().map_or(port, |held| held.local_addr().unwrap().port());
        let server = listen(port, &provider, tls.as_ref());
        let port = server.port();
        let idp =
            Self { port, _reserved: reserved, server: Mutex::new(Some(server)), provider, tls };
        idp.serve(&[]);
        idp.set_discovery(json!({ "issuer": idp.issuer(), "jwks_uri": idp.jwks_uri() }));
        idp
    }

    pub(crate) fn issuer(&self) -> String {
        match self.tls {
            Some(_) => format!("https://localhost:{}", self.port),
            None => format!("http://127.0.0.1:{}", self.port),
        }
    }

    pub(crate) fn jwks_uri(&self) -> String {
        self.issuer() + "/jwks"
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The authority to trust, as PEM.
    pub(crate) fn ca_file(&self) -> &Path {
        &self.tls.as_ref().expect("started with start_tls").ca_file
    }

    pub(crate) fn serve(&self, keys: &[&SigningKey]) {
        self.serve_json(jwks(keys));
    }

    pub(crate) fn serve_json(&self, document: Value) {
        self.serve_bytes(document.to_string().into_bytes());
    }

    pub(crate) fn serve_bytes(&self, document: Vec<u8>) {
        self.provider.lock().keys = document;
    }

    pub(crate) fn set_discovery(&self, document: Value) {
        self.set_discovery_bytes(document.to_string().into_bytes());
    }

    pub(crate) fn set_discovery_bytes(&self, document: Vec<u8>) {
        self.provider.lock().discovery = document;
    }

    /// How `/jwks` is served from the next request on; ends a hang or a drip under way.
    pub(crate) fn behave(&self, behaviour: Behaviour) {
        self.provider.change(|state| {
            state.on_jwks = behaviour;
            state.revision += 1;
        });
    }

    pub(crate) fn behave_discovery(&self, behaviour: Behaviour) {
        self.provider.change(|state| {
            state.on_discovery = behaviour;
            state.revision += 1;
        });
    }

    pub(crate) fn cache_control(&self, value: Option<&str>) {
        self.provider.lock().cache_control = value.map(str::to_owned);
    }

    /// With an ETag, a request that names it is answered with 304.
    pub(crate) fn etag(&self, value: Option<&str>) {
        self.provider.lock().etag = value.map(str::to_owned);
    }

    /// Refuses connections and cuts those that are open.
    pub(crate) fn down(&self) {
        *self.server.lock().unwrap() = None;
    }

    pub(crate) fn up(&self) {
        let mut server = self.server.lock().unwrap();
        if server.is_none() {
            *server = Some(listen(self.port, &self.provider, self.tls.as_ref()));
        }
    }

    /// The headers of the last request for the key set, names in lower case.
    pub(crate) fn headers_seen(&self) -> Vec<(String, String)> {
        self.provider.lock().headers_seen.clone()
    }

    /// Requests for `/jwks`, however they ended.
    pub(crate) fn fetches(&self) -> u64 {
        self.provider.lock().fetches
    }

    pub(crate) fn not_modified(&self) -> u64 {
        self.provider.lock().not_modified
    }

    pub(crate) fn discoveries(&self) -> u64 {
        self.provider.lock().discoveries
    }

    pub(crate) fn requests(&self) -> u64 {
        self.provider.lock().requests
    }

    pub(crate) fn connections(&self) -> u64 {
        self.provider.lock().connections
    }
}

/// A socket that holds a port and does not listen, beside which another may. Only Linux lets two have the same port.
fn reserve(port: u16) -> Option<TcpSocket> {
    let socket = TcpSocket::new_v4().ok().filter(|_| cfg!(target_os = "linux"))?;
    socket.set_reuseaddr(true).ok()?;
    // If it is taken, whoever listens says so.
    socket.bind((Ipv4Addr::LOCALHOST, port).into()).ok()?;
    Some(socket)
}

impl Drop for Idp {
    fn drop(&mut self) {
        self.provider.change(|state| state.closed = true);
    }
}

fn listen(port: u16, provider: &Arc<Watched<State>>, tls: Option<&Tls>) -> Server {
    let provider = provider.clone();
    let config = tls.map(|tls| tls.config.clone());
    Server::listen(port, move |stream: TcpStream| {
        provider.lock().connections += 1;
        // A connection that breaks is the client's news, not ours.
        let _ = match &config {
            Some(config) => {
                let session = ServerConnection::new(config.clone()).unwrap();
                serve(&provider, StreamOwned::new(session, stream))
            }
            None => serve(&provider, stream),
        };
    })
}

#[derive(Default)]
struct State {
    keys: Vec<u8>,
    discovery: Vec<u8>,
    on_jwks: Behaviour,
    on_discovery: Behaviour,
    cache_control: Option<String>,
    etag: Option<String>,
    /// Counts changes of behaviour, so that a hang notices one.
    revision: u64,
    closed: bool,
    headers_seen: Vec<(String, String)>,
    fetches: u64,
    not_modified: u64,
    discoveries: u64,
    requests: u64,
    connections: u64,
}

fn serve(provider: &Watched<State>, stream: impl Read + Write) -> io::Result<()> {
    converse(stream, |request, connection| answer(provider, request, connection))
}

fn answer(
    provider: &Watched<State>,
    request: &Request,
    connection: &mut Connection<impl Read + Write>,
) -> io::Result<()> {
    // As of the moment of the request, whatever changes while it is answered.
    let (behaviour, mut healthy, revision) = provider.lock().receive(request);
    let changed = |state: &State| state.closed || state.revision != revision;
    match behaviour {
        Behaviour::Healthy => {}
        Behaviour::Delay(time) => {
            drop(provider.wait(time, |state| state.closed));
        }
        Behaviour::Hang => {
            drop(provider.wait(Duration::from_secs(600), changed));
            return hang_up();
        }
        Behaviour::Drip { byte_every } => {
            connection.write(&healthy.head())?;
            for byte in healthy.body {
                if changed(&provider.wait(byte_every, changed)) {
                    return hang_up();
                }
                connection.write(&[byte])?;
            }
            return Ok(());
        }
        Behaviour::Status(status) => healthy.status = status,
        Behaviour::Reset => return hang_up(),
        Behaviour::Redirect(location) => {
            healthy = Response::new(302).header("Location", location);
        }
        Behaviour::Huge { bytes } => return flood(connection, bytes),
        Behaviour::Gzip(body) => {
            healthy = healthy.header("Content-Encoding", "gzip");
            healthy.body = body;
        }
        Behaviour::ContentType(kind) => healthy = healthy.header("Content-Type", kind),
        Behaviour::HeaderLines(lines) => {
            let head = String::from_utf8(healthy.head()).unwrap();
            let head = head.replacen("\r\n", &format!("\r\n{lines}\r\n"), 1);
            return connection.write(&[head.as_bytes(), &healthy.body].concat());
        }
    }
    if healthy.status == 304 {
        healthy.body.clear();
        provider.lock().not_modified += 1;
    }
    connection.send(&healthy)
}

impl State {
    fn receive(&mut self, request: &Request) -> (Behaviour, Response, u64) {
        self.requests += 1;
        let (behaviour, response) = match request.path() {
            "/jwks" => {
                self.fetches += 1;
                self.headers_seen = request.headers.clone();
                (self.on_jwks.clone(), self.key_set(request))
            }
            "/jwks2" => (Behaviour::Healthy, Response::json(self.keys.clone())),
            // Issuers with a path of their own are discovered below it.
            path if path.ends_with(DISCOVERY) => {
                self.discoveries += 1;
                (self.on_discovery.clone(), Response::json(self.discovery.clone()))
            }
            _ => (Behaviour::Healthy, Response::new(404)),
        };
        (behaviour, response, self.revision)
    }

    fn key_set(&self, request: &Request) -> Response {
        let mut response = Response::json(self.keys.clone());
        if let Some(value) = &self.cache_control {
            response = response.header("Cache-Control", value);
        }
        if let Some(etag) = &self.etag {
            response = response.header("ETag", etag);
            if request.header("if-none-match") == Some(etag) {
                response.status = 304;
            }
        }
        response
    }
}

fn flood(connection: &mut Connection<impl Read + Write>, bytes: u64) -> io::Result<()> {
    const FILLER: &[u8] = br#"{"kty":"oct","k":"c3RhbmQtaW4"},"#;
    let head = Response::json([]).header("Transfer-Encoding", "chunked");
    connection.write(&head.head())?;
    let mut text = br#"{"keys":["#.to_vec();
    let mut left = usize::try_from(bytes).unwrap();
    while left > 0 {
        text.extend(FILLER.repeat(512));
        text.truncate(left);
        left -= text.len();
        connection.write(format!("{:x}\r\n", text.len()).as_bytes())?;
        text.extend(b"\r\n");
        connection.write(&text)?;
        text.clear();
    }
    connection.write(b"0\r\n\r\n")
}

/// Values of nearly a mebibyte that cost a reader dearly who builds what it reads.
pub(crate) fn costly_values() -> Vec<(&'static str, String)> {
    const SIZE: usize = (1 << 20) - 4096;
    let array = |element: &str| {
        format!("[{}0]", format!("{element},").repeat(SIZE / (element.len() + 1) - 1))
    };
    let nested = |depth| format!(r#"{}0{}"#, r#"{"a":"#.repeat(depth), "}".repeat(depth));
    let members: String = (0..SIZE / 12).map(|n| format!("\"{n:x}\":0,")).collect();
    vec![
        ("objects", array(r#"{"a":0}"#)),
        ("nested objects", array(&nested(100))),
        ("one nested object", nested(SIZE / 6)),
        ("arrays", array("[]")),
        ("numbers", array("0")),
        ("members", format!("{{{members}\"x\":0}}")),
        ("escapes", format!("\"{}\"", "\\n".repeat(SIZE / 2))),
        ("a long address", format!("\"https://127.0.0.1:1/{}\"", "a".repeat(SIZE - 100))),
    ]
}

struct Tls {
    config: Arc<ServerConfig>,
    directory: PathBuf,
    ca_file: PathBuf,
}

impl Tls {
    fn new() -> Self {
        let mut authority = CertificateParams::new([]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let name = &mut authority.distinguished_name;
        name.push(DnType::CommonName, "Authority of one test run");
        let authority_key = KeyPair::generate().unwrap();
        let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
        let authority = Issuer::new(authority, authority_key);

        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let leaf_key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(names).unwrap().signed_by(&leaf_key, &authority).unwrap();
        let leaf_key = PrivateKeyDer::try_from(leaf_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], leaf_key)
            .unwrap();

        static STARTED: AtomicU32 = AtomicU32::new(0);
        let n = STARTED.fetch_add(1, Ordering::Relaxed);
        let directory = env::temp_dir().join(format!("idp-{}-{n}", process::id()));
        fs::create_dir_all(&directory).unwrap();
        let ca_file = directory.join("ca.pem");
        fs::write(&ca_file, authority_pem).unwrap();
        Self { config: Arc::new(config), directory, ca_file }
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}
