//! What an operator reads of servers that do not answer as they should.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::crypto::aws_lc_rs::{default_provider, sign::any_ecdsa_type};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::remote::http::Fetcher;
use crate::remote::tls::Authorities;
use crate::support::http::{Server, converse, hang_up};

/// Fetches from a server on loopback. Returns the failure with `HERE` for the server's origin.
async fn failure(scheme: &str, server: &Server, authorities: Authorities) -> String {
    let origin = format!("{scheme}://localhost:{}", server.port());
    let fetcher = Fetcher::new(Duration::from_secs(60), authorities);
    let address = Endpoint::parse(&format!("{origin}/keys?signature=secret")).unwrap();
    let failure = fetcher.get(&address, None).await.unwrap_err().to_string();
    assert!(!failure.contains("secret"), "{failure}");
    failure.replace(&origin, "HERE")
}

/// A server that sends these bytes once it was asked something, and hangs up.
fn sends(bytes: impl Into<Vec<u8>>) -> Server {
    let bytes = bytes.into();
    Server::listen(0, move |stream| {
        let _ = converse(stream, |_, connection| {
            connection.write(&bytes)?;
            hang_up()
        });
    })
}

#[tokio::test]
async fn malformed_responses_are_described_in_plain_words() {
    const NOT_HTTP: &str =
        "not an HTTP/1.1 response: the server speaks HTTP/2 only, TLS, or something else";
    const MALFORMED: &str = "a header line is malformed: a space before the colon, a name that is none, or a control character";
    const LENGTH: &str =
        "the header `Content-Length` is not a number, or there are two that differ";
    const CHUNKS: &str = "the body ends early, or is not as `Transfer-Encoding: chunked` says";
    let in_head = |lines: &str| format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n{{}}").into_bytes();
    let chunked = |body: &str| {
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}").into_bytes()
    };
    for (response, expected) in [
        (in_head("Content-Length: x"), LENGTH),
        (in_head("Content-Length: -2"), LENGTH),
        (in_head("Content-Length: 2\r\nContent-Length: 3"), LENGTH),
        (in_head("Content-Type : text/html"), MALFORMED),
        (in_head("Content Type: text/html"), MALFORMED),
        (in_head("Content-Type: a\0b"), MALFORMED),
        (in_head("no colon"), MALFORMED),
        (
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
            "the header `Transfer-Encoding` is in a response of HTTP/1.0",
        ),
        (in_head("Content-Length: 3"), "the body is shorter than the header `Content-Length` says"),
        (chunked("x\r\n"), CHUNKS),
        (chunked("2\r\n{}\r\n"), CHUNKS),
        (chunked("2\r\n{}{}\r\n0\r\n\r\n"), CHUNKS),
        (
            in_head(&format!("A: {}", "b".repeat(1 << 20))),
            "more than 256 header lines, or too long ones",
        ),
        (b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x80".to_vec(), NOT_HTTP),
        (b"HTTP/2 200 OK\r\n\r\n".to_vec(), NOT_HTTP),
        (b"\x15\x03\x01\0\x02\x02\x50".to_vec(), NOT_HTTP),
        (b"{\"keys\":[]}".to_vec(), NOT_HTTP),
        (Vec::new(), "the server hung up without a response"),
    ] {
        let shown = String::from_utf8_lossy(&response[..response.len().min(80)]).into_owned();
        let failure = failure("http", &sends(response), Authorities::new()).await;
        let expected = format!("transfer: HERE/keys: {expected}");
        assert!(failure.starts_with(&expected), "{shown:?}: {failure}");
    }
}

#[tokio::test]
async fn a_redirect_names_both_ends_without_secrets() {
    const NOWHERE: &str = "status: HERE/keys: 302 Found, with no `Location` that can be followed";
    const OTHER: &str = "redirect: HERE/keys: redirected to another origin, ";
    for (location, expected) in [
        ("http://localhost:9/keys?secret#secret", format!("{OTHER}http://localhost:9/keys")),
        ("//secret:secret@[::1]:9", format!("{OTHER}http://[::1]:9/")),
        ("https://login.example.com", format!("{OTHER}https://login.example.com/")),
        ("file://h/secret", format!("{OTHER}file:")),
        ("app://h/secret", format!("{OTHER}app:")),
        ("file:///secret", NOWHERE.to_owned()),
        ("data:,secret", format!("{OTHER}data:")),
        (
            &format!("http://h/{}", "x".repeat(9000)),
            format!("{OTHER}http://h/{}...", "x".repeat(503)),
        ),
        ("/keys?secret", "redirect: HERE/keys: too many redirects".to_owned()),
        (
            "/other?secret",
            "redirect: HERE/keys, redirected to HERE/other: too many redirects".to_owned(),
        ),
        ("http://[", NOWHERE.to_owned()),
    ] {
        let response =
            format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(failure("http", &sends(response), Authorities::new()).await, expected);
    }
    let response = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(failure("http", &sends(response), Authorities::new()).await, NOWHERE);
}

/// A certificate for `localhost` with a key of its own, and what trusts it.
struct SelfSigned {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl SelfSigned {
    fn new(change: impl Fn(&mut CertificateParams)) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        change(&mut params);
        Self { certificate: params.self_signed(&key).unwrap().into(), key }
    }

    /// The same in X.509 version 1: without the field that says version 3. Its lengths must keep their two bytes.
    fn version_1(mut self) -> Self {
        const VERSION_3: [u8; 5] = [0xa0, 3, 2, 1, 2];
        let mut der = self.certificate.to_vec();
        // The lengths of the certificate and of what is signed are in bytes 2..4 and 6..8.
        assert_eq!((der[1], der[5], &der[8..13]), (0x82, 0x82, &VERSION_3[..]));
        der.drain(8..13);
        for at in [2, 6] {
            let length = u16::from_be_bytes([der[at], der[at + 1]]) - 5;
            der[at..at + 2].copy_from_slice(&length.to_be_bytes());
        }
        self.certificate = der.into();
        self
    }

    fn authorities(&self) -> Authorities {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        roots.roots
    }

    /// A server with this certificate that sends a document without its length.
    fn serve(&self, application_protocol: Option<&str>, ends_properly: bool) -> Server {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let key = any_ecdsa_type(&key).unwrap();
        let certified = CertifiedKey::new(vec![self.certificate.clone()], key);
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols.extend(application_protocol.map(|name| name.as_bytes().to_vec()));
        let config = Arc::new(config);
        Server::listen(0, move |stream| {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(session, stream);
            if stream.read(&mut [0; 4096]).is_err() {
                return;
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n{}").unwrap();
            if ends_properly {
                stream.conn.send_close_notify();
            }
            stream.flush().unwrap();
        })
    }
}

fn long_name(params: &mut CertificateParams) {
    params.distinguished_name.push(DnType::CommonName, "a".repeat(300));
}

/// A server that answers the first TLS message with these bytes.
fn replies_to_hello(bytes: &'static [u8]) -> Server {
    Server::listen(0, move |mut stream: TcpStream| {
        // RFC 8446 section 5.1: a record's type, version and length.
        let mut head = [0; 5];
        stream.read_exact(&mut head).unwrap();
        let mut hello = vec![0; u16::from_be_bytes([head[3], head[4]]).into()];
        stream.read_exact(&mut hello).unwrap();
        stream.write_all(bytes).unwrap();
    })
}

#[tokio::test]
async fn certificates_that_do_not_work_are_described() {
    let leaf = || SelfSigned::new(|_| ());
    let authority =
        || SelfSigned::new(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    for (certificate, expected) in [
        (
            authority(),
            "the server's certificate is that of an authority (`CA:TRUE`). The server needs one with \
             `basicConstraints=CA:FALSE`",
        ),
        (
            SelfSigned::new(|params| {
                (params.not_before, params.not_after) =
                    (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
            }),
            "invalid peer certificate: certificate expired",
        ),
        (
            SelfSigned::new(|params| params.subject_alt_names.clear()),
            "invalid peer certificate: certificate not valid for name \"localhost\"",
        ),
    ] {
        let server = certificate.serve(None, true);
        let failure = failure("https", &server, certificate.authorities()).await;
        assert!(failure.starts_with(&format!("tls: HERE/keys: {expected}")), "{failure}");
    }
    // The version is checked first, whoever signed it.
    let server = SelfSigned::new(long_name).version_1().serve(None, true);
    let failed = failure("https", &server, Authorities::new()).await;
    let expected = "tls: HERE/keys: the server's certificate is of X.509 version 1";
    assert!(failed.starts_with(expected), "{failed}");
    for (trusted, expected, quoted) in [
        (SelfSigned::new(long_name), "no trusted authority signed the server's", "UnknownIssuer"),
        (leaf(), "a trusted authority has the name of the one that signed", "BadSignature"),
    ] {
        let failed = failure("https", &leaf().serve(None, true), trusted.authorities()).await;
        assert!(failed.starts_with(&format!("tls: HERE/keys: {expected}")), "{failed}");
        assert!(failed.ends_with(&format!("(invalid peer certificate: {quoted})")), "{failed}");
    }
}

#[tokio::test]
async fn connections_that_tls_ends_are_described() {
    let certificate = SelfSigned::new(|_| ());
    let trusted = || certificate.authorities();
    let http_2 = certificate.serve(Some("h2"), true);
    let failed = failure("https", &http_2, trusted()).await;
    let expected = "tls: HERE/keys: the server does not offer HTTP/1.1: it speaks HTTP/2 only";
    assert!(failed.starts_with(expected), "{failed}");
    let failed = failure("https", &certificate.serve(Some("http/1.1"), false), trusted()).await;
    let expected = "transfer: HERE/keys: the connection ended without TLS `close_notify`";
    assert!(failed.starts_with(expected), "{failed}");
    for (reply, expected) in [
        (&b"\x15\x03\x03\0\x02\x02\x28"[..], "most likely there is no common cipher suite"),
        (b"\x15\x03\x03\0\x02\x02\x46", "the server offers neither TLS 1.2 nor TLS 1.3"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the server does not speak TLS at this port"),
        (b"", "the server hung up during the TLS handshake"),
    ] {
        let failed = failure("https", &replies_to_hello(reply), trusted()).await;
        assert!(failed.starts_with(&format!("tls: HERE/keys: {expected}")), "{failed}");
    }
    assert!(
        Fetcher::new(Duration::from_secs(60), trusted())
            .get(&local(&certificate.serve(None, true)), None)
            .await
            .is_ok(),
        "a self-signed certificate that is no authority's works"
    );
}

fn local(server: &Server) -> Endpoint {
    Endpoint::parse(&format!("https://localhost:{}/", server.port())).unwrap()
}
