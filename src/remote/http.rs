//! One bounded GET: over https, or http to this machine; no longer than its time limit, no larger than its size limit, no
//! redirect to another origin.

use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, ETAG, HeaderMap, HeaderName, IF_NONE_MATCH,
};
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Client, ClientBuilder, StatusCode, Url};
use rustls::pki_types::TrustAnchor;

use crate::clock::Now;
use crate::remote::endpoint::{self, Endpoint};
use crate::remote::error::{FetchError, FetchStage};
use crate::remote::tls::{self, Authorities};

/// The longest document that is read. API Gateway's own JWT authorizer takes 150,000 bytes.
pub(crate) const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;

const MAX_REDIRECTS: usize = 3;

const MAX_HEADER_LINES: usize = 256;

/// The codings of a body that are refused. Anything else in `Content-Encoding` is a label that servers give to plain
/// bytes, for example object stores: `aws-chunked`, `utf-8`, `none`.
const CODINGS: [&str; 7] = ["gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress"];

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A fetch ends at its time limit, or at most this much later on a busy machine. If it fails even later, it was not
/// slow: Lambda had frozen the process.
pub(super) const SCHEDULING_MARGIN: Duration = Duration::from_millis(250);

/// A document, or the confirmation that the cached one is current.
#[derive(Debug)]
pub(crate) struct Response {
    /// `None`: not modified.
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) etag: Option<String>,
    pub(crate) max_age: Option<Duration>,
    /// Where it came from, as that may be shown.
    pub(crate) address: String,
}

/// Fetches documents.
pub(crate) struct Fetcher {
    timeout: Duration,
    authorities: Authorities,
    /// Made when first needed: a process that fetches nothing, or nothing over TLS, does not pay for it.
    https: OnceLock<Client>,
    http: OnceLock<Client>,
}

impl Fetcher {
    /// `timeout` bounds one whole fetch, from name resolution to the last byte.
    pub(crate) fn new(timeout: Duration, authorities: Authorities) -> Self {
        Self { timeout, authorities, https: OnceLock::new(), http: OnceLock::new() }
    }

    /// Gets a document. With the `etag` of the cached one, gets it only if it has changed since (RFC 9110 section
    /// 13.1.2).
    ///
    /// Boxed, so that its code is there once, and not in every future that waits for it.
    pub(crate) fn get<'f>(
        &'f self,
        endpoint: &'f Endpoint,
        etag: Option<&'f str>,
    ) -> Pin<Box<dyn Future<Output = Result<Response, FetchError>> + Send + 'f>> {
        Box::pin(async move {
            let requested_at = Now::read();
            let response = self.get_unbounded(endpoint, etag);
            let failure = match tokio::time::timeout(self.timeout, response).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(failure)) => failure,
                Err(_) => {
                    let limit = self.timeout.as_millis();
                    let detail = format!("no complete response within {limit} ms");
                    FetchError::new(FetchStage::Timeout, &endpoint.shown(), detail)
                }
            };
            if Now::read().since(&requested_at) > self.timeout + SCHEDULING_MARGIN {
                return Err(failure.interrupted());
            }
            Err(failure)
        })
    }

    async fn get_unbounded(
        &self,
        endpoint: &Endpoint,
        etag: Option<&str>,
    ) -> Result<Response, FetchError> {
        let mut request = self
            .client(endpoint)
            .get(endpoint.url().clone())
            .header(ACCEPT, "application/json, application/jwk-set+json")
            .header(ACCEPT_ENCODING, "identity");
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let broken = |error| FetchError::from_reqwest(error, endpoint);
        let mut response = request.send().await.map_err(broken)?;
        let address = endpoint.redirected_to(response.url());
        let headers = response.headers();
        let (new_etag, max_age) = (text(headers, ETAG), max_age(headers));
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if etag.is_some() => {
                return Ok(Response { body: None, etag: new_etag, max_age, address });
            }
            status => {
                let mut detail = status.to_string();
                if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
                    detail.push_str(", with no `Location` that can be followed");
                }
                return Err(FetchError::new(FetchStage::Status, &address, detail));
            }
        }
        // No coding was asked for. A compressed document could be a decompression bomb.
        if let Some((header, coding)) = unexpected_coding(headers) {
            let detail = format!("`{header}` is {coding}, which was not asked for");
            return Err(FetchError::new(FetchStage::Parse, &address, detail));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > MAX_DOCUMENT_BYTES {
                let detail = format!("more than {MAX_DOCUMENT_BYTES} bytes");
                return Err(FetchError::new(FetchStage::Size, &address, detail));
            }
            body.extend_from_slice(&chunk);
        }
        // RFC 8259 section 8.1: a parser of JSON may skip a byte order mark.
        if body.starts_with(BYTE_ORDER_MARK) {
            body.drain(..BYTE_ORDER_MARK.len());
        }
        if let Some(problem) = not_json(&body) {
            return Err(FetchError::new(FetchStage::Parse, &address, problem));
        }
        Ok(Response { body: Some(body), etag: new_etag, max_age, address })
    }

    fn client(&self, endpoint: &Endpoint) -> &Client {
        if endpoint.is_https() {
            self.https.get_or_init(|| build(client_builder(&self.authorities)))
        } else {
            // Plain http must not leave this machine, so it does not go through a proxy either.
            self.http.get_or_init(|| build(client_builder(&[]).no_proxy()))
        }
    }
}

fn client_builder(authorities: &[TrustAnchor<'static>]) -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("token-authorizer/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::custom(same_origin))
        // RFC 9112 section 5.2: a user agent reads folded header lines.
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_max_headers(MAX_HEADER_LINES)
        // A connection kept for the next refresh would be dead after a freeze, and that refresh would fail.
        .pool_max_idle_per_host(0)
        .tls_backend_preconfigured(tls::client_config(authorities))
}

#[allow(
    clippy::expect_used,
    reason = "cannot fail: the TLS configuration is ours, and no file is read"
)]
fn build(builder: ClientBuilder) -> Client {
    builder.build().expect("a client")
}

fn same_origin(attempt: Attempt<'_>) -> Action {
    let from = attempt.previous().first().map(Url::origin);
    if from != Some(attempt.url().origin()) {
        let to = endpoint::shown(attempt.url());
        attempt.error(format!("redirected to another origin, {to}"))
    } else if attempt.previous().len() > MAX_REDIRECTS {
        attempt.error("too many redirects")
    } else {
        attempt.follow()
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// What a body is that is not even meant to be JSON.
fn not_json(body: &[u8]) -> Option<&'static str> {
    match body.trim_ascii_start() {
        [] => Some("the body is empty"),
        [b'<', ..] => Some("a web page or XML, not JSON"),
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] => Some("UTF-16, not UTF-8"),
        _ => None,
    }
}

/// The header that names a coding of the body, and the coding (RFC 9110 section 8.4, RFC 9112 section 7).
fn unexpected_coding(headers: &HeaderMap) -> Option<(&'static str, &'static str)> {
    for header in ["Content-Encoding", "Transfer-Encoding"] {
        for value in headers.get_all(header) {
            for label in String::from_utf8_lossy(value.as_bytes()).split(',') {
                for coding in CODINGS {
                    if label.trim().eq_ignore_ascii_case(coding) {
                        return Some((header, coding));
                    }
                }
            }
        }
    }
    None
}

/// The `max-age` of `Cache-Control` (RFC 9111 section 5.2.2.1). The first one counts.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    for value in headers.get_all(CACHE_CONTROL) {
        let Ok(directives) = value.to_str() else { continue };
        for directive in directives.split(',') {
            let Some((name, value)) = directive.trim().split_once('=') else { continue };
            if name.eq_ignore_ascii_case("max-age") {
                return delta_seconds(value.trim_matches('"'));
            }
        }
    }
    None
}

/// RFC 9111 section 1.2.2: a number that is too large counts as a very large one. Anything else is ignored.
fn delta_seconds(text: &str) -> Option<Duration> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Duration::from_secs(text.parse().unwrap_or(u32::MAX.into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::http::{Request, Response as Answer, Server, converse, hang_up};
    use reqwest::header::HeaderValue;

    /// The response that a server on loopback sends as these bytes.
    async fn read(bytes: Vec<u8>) -> Result<Response, FetchError> {
        let server = Server::listen(0, move |stream| {
            let _ = converse(stream, |_, connection| {
                connection.write(&bytes)?;
                hang_up()
            });
        });
        let text = format!("http://127.0.0.1:{}/", server.port());
        let fetcher = Fetcher::new(Duration::from_secs(60), Authorities::new());
        fetcher.get(&Endpoint::parse(&text).unwrap(), None).await
    }

    fn with_head(lines: &str) -> Vec<u8> {
        format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 2\r\n\r\n{{}}").into_bytes()
    }

    #[tokio::test]
    async fn labels_folded_lines_and_many_headers_are_read() {
        for lines in [
            "",
            "Content-Encoding:\r\n",
            "Content-Encoding: identity\r\nContent-Encoding: IDENTITY, identity\r\n",
            "Content-Encoding: aws-chunked\r\n",
            "Content-Encoding: aws-chunked,\r\n",
            "Content-Encoding: utf-8\r\n",
            "Content-Encoding: UTF-8\r\n",
            "Content-Encoding: none\r\n",
            "Content-Encoding: binary\r\n",
            "Content-Encoding: \u{e9}\r\n",
            "Content-Encoding: x-gzipped\r\n",
            "X-Folded: one\r\n two\r\n\tthree\r\n",
            "X-Folded:\r\n one\r\n",
            "X-Colons: a: b: c\r\n",
            &"Set-Cookie: a=b\r\n".repeat(255),
        ] {
            let response = read(with_head(lines)).await.unwrap();
            assert_eq!(response.body.as_deref(), Some(&b"{}"[..]), "{lines:?}");
        }
        let folded = "Cache-Control: public,\r\n max-age=90\r\nETag:\r\n \"1\"\r\n";
        let response = read(with_head(folded)).await.unwrap();
        let (etag, max_age) = (response.etag.as_deref(), response.max_age);
        assert_eq!((etag, max_age), (Some("\"1\""), Some(Duration::from_secs(90))));
        let failure = read(with_head(&"Set-Cookie: a=b\r\n".repeat(256))).await.unwrap_err();
        assert!(failure.detail.ends_with("more than 256 header lines, or too long ones"));
    }

    #[tokio::test]
    async fn codings_that_were_not_asked_for_are_refused() {
        for header in ["Content-Encoding", "content-encoding", "Transfer-Encoding"] {
            for coding in CODINGS {
                for value in [
                    coding,
                    &coding.to_uppercase(),
                    &format!("utf-8 ,{coding}"),
                    &format!("{coding}, chunked"),
                ] {
                    let response = format!("HTTP/1.1 200 OK\r\n{header}: {value}\r\n\r\n0\r\n\r\n");
                    let failure = read(response.into_bytes()).await.unwrap_err();
                    let detail = format!("-Encoding` is {coding}, which was not asked for");
                    assert!(failure.detail.ends_with(&detail), "{header}: {value}: {failure}");
                    assert_eq!(failure.stage, FetchStage::Parse);
                }
            }
        }
    }

    #[tokio::test]
    async fn one_byte_order_mark_is_skipped() {
        for (sent, expected) in [
            ("\u{feff}{}", "{}"),
            ("\u{feff}\u{feff}{}", "\u{feff}{}"),
            ("{}\u{feff}", "{}\u{feff}"),
            ("\u{fffe}{}", "\u{fffe}{}"),
        ] {
            let response = fetch("/", move |_| Answer::json(sent)).await.unwrap();
            assert_eq!(response.body.as_deref(), Some(expected.as_bytes()));
        }
    }

    #[tokio::test]
    async fn a_body_that_is_not_meant_as_json_is_named() {
        for (body, expected) in [
            (&b""[..], "the body is empty"),
            (b" \r\n", "the body is empty"),
            (b"\xef\xbb\xbf", "the body is empty"),
            (b"<!DOCTYPE html>", "a web page or XML, not JSON"),
            (b"\xef\xbb\xbf\n<?xml version=\"1.0\"?>", "a web page or XML, not JSON"),
            (b"\xff\xfe{\0}\0", "UTF-16, not UTF-8"),
            (b"\xfe\xff\0{\0}", "UTF-16, not UTF-8"),
        ] {
            let failure = fetch("/", move |_| Answer::json(body)).await.unwrap_err();
            assert_eq!(failure.stage, FetchStage::Parse);
            assert!(failure.detail.ends_with(&format!("/: {expected}")), "{failure}");
        }
    }

    /// What a server on loopback answers, fetched from this path of it.
    async fn fetch(
        path: &str,
        answer: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Result<Response, FetchError> {
        let server = Server::listen(0, move |stream| {
            // A connection that is cut is news of the client.
            let _ = converse(stream, |request, connection| connection.send(&answer(request)));
        });
        let text = format!("http://127.0.0.1:{}{path}", server.port());
        let fetcher = Fetcher::new(Duration::from_secs(60), Authorities::new());
        fetcher.get(&Endpoint::parse(&text).unwrap(), None).await
    }

    #[tokio::test]
    async fn a_document_has_at_most_a_mebibyte() {
        let of_length = |length: usize| fetch("/", move |_| Answer::json(vec![b'0'; length]));
        for length in [1, 1_048_575, 1_048_576] {
            let body = of_length(length).await.unwrap().body;
            assert_eq!(body.map(|body| body.len()), Some(length));
        }
        let failure = of_length(1_048_577).await.unwrap_err().to_string();
        assert!(failure.starts_with("size: http://127.0.0.1:"), "{failure}");
        assert!(failure.ends_with("/: more than 1048576 bytes"), "{failure}");
    }

    #[tokio::test]
    async fn three_redirects_are_followed_and_no_more() {
        /// Leads to `/0`, by one redirect less each time.
        fn count_down(request: &Request) -> Answer {
            match request.path()[1..].parse::<u8>().unwrap() {
                0 => Answer::json("{}"),
                left => Answer::new(302).header("Location", format!("/{}", left - 1)),
            }
        }
        for path in ["/0", "/1", "/2", "/3"] {
            let response = fetch(path, count_down).await.unwrap();
            assert_eq!(response.body.as_deref(), Some(&b"{}"[..]), "{path}");
        }
        let failure = fetch("/4", count_down).await.unwrap_err().to_string();
        assert!(failure.starts_with("redirect: http://127.0.0.1:"), "{failure}");
        assert!(failure.contains("/4, redirected to http://127.0.0.1:"), "{failure}");
        assert!(failure.ends_with("/1: too many redirects"), "{failure}");
    }

    #[test]
    fn the_age_is_read_from_cache_control() {
        let cases: [(&[&str], Option<u64>); 19] = [
            (&[], None),
            (&[""], None),
            (&["max-age=300"], Some(300)),
            (&["max-age=0"], Some(0)),
            (&["public, max-age=300, must-revalidate"], Some(300)),
            (&["public,max-age=300"], Some(300)),
            (&["Max-Age=300"], Some(300)),
            (&["max-age=\"300\""], Some(300)),
            (&["no-cache", "max-age=300"], Some(300)),
            (&["max-age=300, max-age=60"], Some(300)),
            (&["s-maxage=300"], None),
            (&["x-max-age=300"], None),
            (&["max-age"], None),
            (&["max-age="], None),
            (&["max-age=-1"], None),
            (&["max-age=+1"], None),
            (&["max-age=1.5"], None),
            (&["max-age=five"], None),
            (&["max-age=99999999999999999999999"], Some(u32::MAX as u64)),
        ];
        for (values, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CACHE_CONTROL, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(max_age(&headers), expected.map(Duration::from_secs), "{values:?}");
        }
        let opaque = HeaderMap::from_iter([(
            CACHE_CONTROL,
            HeaderValue::from_bytes(b"max-age=\xff").unwrap(),
        )]);
        assert_eq!(max_age(&opaque), None);
    }
}
