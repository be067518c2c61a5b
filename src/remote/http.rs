//! One bounded GET: over https, or http to this machine; no longer than its time limit, no larger than its size limit, no
//! redirect to another origin.

use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, ETAG, HeaderMap, HeaderName,
    IF_NONE_MATCH,
};
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Client, ClientBuilder, StatusCode, Url};
use rustls::pki_types::TrustAnchor;

use crate::clock::Now;
use crate::remote::endpoint::Endpoint;
use crate::remote::error::{FetchError, FetchStage};
use crate::remote::tls::{self, Authorities};

/// The longest document that is read. API Gateway's own JWT authorizer takes 150,000 bytes.
pub(crate) const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;

const MAX_REDIRECTS: usize = 3;

/// A fetch ends at its time limit, or at most this much later on a busy machine. If it fails even later, it was not
/// slow: Lambda had frozen the process.
const SCHEDULING_MARGIN: Duration = Duration::from_millis(250);

/// A document, or the confirmation that the cached one is current.
#[derive(Debug)]
pub(crate) struct Response {
    /// `None`: not modified.
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) etag: Option<String>,
    pub(crate) max_age: Option<Duration>,
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
        Box::pin(self.get_in_time(endpoint, etag))
    }

    async fn get_in_time(
        &self,
        endpoint: &Endpoint,
        etag: Option<&str>,
    ) -> Result<Response, FetchError> {
        let requested_at = Now::read();
        let fetched = tokio::time::timeout(self.timeout, self.get_unbounded(endpoint, etag)).await;
        let failure = match fetched {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(failure)) => failure,
            Err(_) => {
                let limit = self.timeout.as_millis();
                let detail = format!("no complete response within {limit} ms");
                FetchError::new(FetchStage::Timeout, detail)
            }
        };
        if Now::read().since(&requested_at) > self.timeout + SCHEDULING_MARGIN {
            return Err(FetchError::new(FetchStage::Interrupted, failure));
        }
        Err(failure)
    }

    async fn get_unbounded(
        &self,
        endpoint: &Endpoint,
        etag: Option<&str>,
    ) -> Result<Response, FetchError> {
        let mut request = self
            .client(endpoint)
            .get(endpoint.url())
            .header(ACCEPT, "application/json, application/jwk-set+json")
            .header(ACCEPT_ENCODING, "identity");
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let mut response = request.send().await?;
        let headers = response.headers();
        let (new_etag, max_age) = (text(headers, ETAG), max_age(headers));
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if etag.is_some() => {
                return Ok(Response { body: None, etag: new_etag, max_age });
            }
            status => return Err(FetchError::new(FetchStage::Status(status.as_u16()), status)),
        }
        // No encoding was asked for. A compressed document could be a decompression bomb.
        if let Some(encoding) = encoding(headers) {
            return Err(FetchError::new(
                FetchStage::Parse,
                format!("content encoding {encoding:?} was not asked for"),
            ));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > MAX_DOCUMENT_BYTES {
                return Err(FetchError::new(
                    FetchStage::Size,
                    format!("more than {MAX_DOCUMENT_BYTES} bytes"),
                ));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { body: Some(body), etag: new_etag, max_age })
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
        attempt.error("redirected to another origin")
    } else if attempt.previous().len() > MAX_REDIRECTS {
        attempt.error("too many redirects")
    } else {
        attempt.follow()
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// The encoding of the content (RFC 9110 section 8.4), if it has one.
fn encoding(headers: &HeaderMap) -> Option<String> {
    for value in headers.get_all(CONTENT_ENCODING) {
        for encoding in String::from_utf8_lossy(value.as_bytes()).split(',') {
            let encoding = encoding.trim();
            if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") {
                return Some(encoding.to_owned());
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
    use crate::support::http::{Request, Response as Answer, Server, converse};
    use reqwest::header::HeaderValue;

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
        for length in [0, 1, 1_048_575, 1_048_576] {
            let body = of_length(length).await.unwrap().body;
            assert_eq!(body.map(|body| body.len()), Some(length));
        }
        let failure = of_length(1_048_577).await.unwrap_err();
        assert_eq!(failure.to_string(), "size: more than 1048576 bytes");
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
        let failure = fetch("/4", count_down).await.unwrap_err();
        assert_eq!(failure.to_string(), "redirect: too many redirects");
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
