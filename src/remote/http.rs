//! One bounded GET: over https, or http to this machine; no longer than its time, no larger than its limit, no
//! redirect to another origin.

use std::error::Error as _;
use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, ETAG, HeaderMap, IF_NONE_MATCH,
};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, StatusCode, Url};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, TrustAnchor};
use rustls::{ClientConfig, RootCertStore};

use crate::clock::Now;

/// The longest document that is read. API Gateway's own JWT authorizer takes 150,000 bytes.
pub(crate) const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;

const MAX_REDIRECTS: usize = 3;

/// A fetch ends at its time limit, or at most this much later on a busy machine. If it fails even later, it was not
/// slow: Lambda had frozen the process.
const SCHEDULING_MARGIN: Duration = Duration::from_millis(250);

/// An address that may be fetched: `https`, or `http` on a loopback address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// The error says what is expected.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let wanted = "want an absolute URL, as https://login.example.com/keys";
        let is_separator = |c: char| "/\\?#".contains(c);
        let host =
            text.split_once(':').map_or(text, |(_, rest)| rest.trim_start_matches(is_separator));
        let host = host.split(is_separator).next().unwrap_or_default();
        // RFC 3986 section 2: a URL is ASCII. Internationalized hosts are not supported in any other form.
        if !text.is_ascii() || host.contains('%') {
            return Err(
                "must be ASCII: write the host in punycode (`xn--...`), the rest percent-encoded",
            );
        }
        let url = Url::parse(text).map_err(|_| wanted)?;
        // `Url` repairs malformed URLs, as browsers do. That would hide a typing error until no token matches.
        let authority = text.split_once("://").map(|(_, rest)| rest);
        let is_repaired = |c: char| c.is_whitespace() || c.is_control() || c == '\\';
        if url.has_host() && authority.is_none_or(|rest| rest.starts_with('/'))
            || text.contains(is_repaired)
        {
            return Err(wanted);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold a user name or password");
        }
        if url.fragment().is_some() {
            return Err("must not have a fragment (`#...`)");
        }
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if is_loopback(&url) => Ok(Self(url)),
            "http" => Err("must be https: http is for loopback addresses only"),
            _ => Err("must be https"),
        }
    }

    /// Whether it is fetched over TLS; else it is on this machine.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    pub(crate) fn has_query(&self) -> bool {
        self.0.query().is_some()
    }

    /// The address as it may be shown: without a query, which may be a signature.
    pub(crate) fn without_query(&self) -> &str {
        self.0.as_str().split('?').next().unwrap_or_default()
    }
}

fn is_loopback(url: &Url) -> bool {
    // `Url` has normalized the host: 0x7f.1 is 127.0.0.1 by now.
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    address.map_or(host == "localhost", |address| address.is_loopback())
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a fetch broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchStage {
    Name,
    Connect,
    Tls,
    Redirect,
    Status(u16),
    Timeout,
    Transfer,
    Size,
    Parse,
    /// Nowhere: the process was stopped meanwhile.
    Interrupted,
}

impl FetchStage {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Name => "name_resolution",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Redirect => "redirect",
            Self::Status(_) => "status",
            Self::Timeout => "timeout",
            Self::Transfer => "transfer",
            Self::Size => "size",
            Self::Parse => "parse",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A fetch that failed: where, and what the failing part said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FetchError {
    pub(crate) stage: FetchStage,
    pub(crate) detail: String,
}

impl FetchError {
    pub(crate) fn new(stage: FetchStage, detail: impl fmt::Display) -> Self {
        Self { stage, detail: detail.to_string() }
    }

    /// reqwest tells the stages of a connection apart only by the chain of causes.
    fn from_reqwest(error: reqwest::Error) -> Self {
        // The error's text would contain the address, query included.
        let error = error.without_url();
        let causes: Vec<_> =
            std::iter::successors(error.source(), |cause| (*cause).source()).collect();
        let stage = if error.is_timeout() {
            FetchStage::Timeout
        } else if error.is_redirect() {
            FetchStage::Redirect
        } else if causes.iter().any(|cause| is_tls(*cause)) {
            FetchStage::Tls
        } else if causes.iter().any(|cause| cause.to_string().starts_with("dns error")) {
            FetchStage::Name
        } else if error.is_connect() {
            FetchStage::Connect
        } else {
            FetchStage::Transfer
        };
        let root = causes.last().map_or_else(|| error.to_string(), ToString::to_string);
        Self::new(stage, root)
    }
}

/// Errors of rustls come wrapped in `io::Error`, whose `source` is not the error that it wraps.
fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    // tokio-rustls has no type for a peer that hangs up.
    let is_eof = error.is::<std::io::Error>() && error.to_string() == "tls handshake eof";
    is_eof || error.is::<rustls::Error>() || wrapped.is_some_and(|wrapped| is_tls(wrapped))
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.stage.code(), self.detail)
    }
}

/// A document, or word that the one at hand is still right.
#[derive(Debug)]
pub(crate) struct Response {
    /// `None`: not modified.
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) etag: Option<String>,
    pub(crate) max_age: Option<Duration>,
}

/// Certificate authorities to trust in addition to the compiled-in public ones.
pub(crate) type Authorities = Vec<TrustAnchor<'static>>;

/// The authorities in a PEM file. The error says what is wrong with it.
pub(crate) fn read_authorities(path: &Path) -> Result<Authorities, String> {
    let wanted = |problem: &str| {
        let wanted = "want PEM, with certificates that begin with `-----BEGIN CERTIFICATE-----`";
        format!("{}: {problem}; {wanted}", path.display())
    };
    let pem = std::fs::read(path).map_err(|error| wanted(&error.to_string()))?;
    // The error would quote the file.
    let found = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|_| wanted("not a PEM file"))?;
    if found.is_empty() {
        return Err(wanted("holds no certificate"));
    }
    // Skips certificates that rustls cannot use. The public bundles that SSL_CERT_FILE names have some.
    let mut usable = RootCertStore::empty();
    match usable.add_parsable_certificates(found) {
        (0, _) => Err(wanted("holds no certificate that can be used")),
        _ => Ok(usable.roots),
    }
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

    /// Gets a document; with the `etag` of the one at hand only if it has changed since (RFC 9110 section 13.1.2).
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
        let begun = Now::read();
        let fetched = tokio::time::timeout(self.timeout, self.get_unbounded(endpoint, etag)).await;
        let fetched = fetched.unwrap_or_else(|_| {
            Err(FetchError::new(
                FetchStage::Timeout,
                format!("no complete response within {} ms", self.timeout.as_millis()),
            ))
        });
        match fetched {
            Err(failure) if Now::read().since(&begun) > self.timeout + SCHEDULING_MARGIN => {
                Err(FetchError::new(FetchStage::Interrupted, failure))
            }
            fetched => fetched,
        }
    }

    async fn get_unbounded(
        &self,
        endpoint: &Endpoint,
        etag: Option<&str>,
    ) -> Result<Response, FetchError> {
        let client = if endpoint.is_https() { &self.https } else { &self.http };
        let client = client.get_or_init(|| self.client(endpoint.is_https()));
        let mut request = client
            .get(endpoint.0.clone())
            .header(ACCEPT, "application/json, application/jwk-set+json")
            .header(ACCEPT_ENCODING, "identity");
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let mut response = request.send().await.map_err(FetchError::from_reqwest)?;
        let headers = response.headers();
        let text =
            |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (new_etag, max_age) = (text(ETAG), max_age(headers));
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if etag.is_some() => {
                return Ok(Response { body: None, etag: new_etag, max_age });
            }
            status => return Err(FetchError::new(FetchStage::Status(status.as_u16()), status)),
        }
        // Nothing compressed was asked for, and a bomb is best not unpacked.
        if let Some(encoding) = encoding(headers) {
            return Err(FetchError::new(
                FetchStage::Parse,
                format!("content encoding {encoding:?} was not asked for"),
            ));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(FetchError::from_reqwest)? {
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

    #[allow(
        clippy::expect_used,
        reason = "cannot fail: the TLS configuration is ours, and no file is read"
    )]
    fn client(&self, tls: bool) -> Client {
        // Plain http must not leave this machine, so not for a proxy either.
        let (authorities, no_proxy) =
            if tls { (&*self.authorities, false) } else { (&[][..], true) };
        let builder = Client::builder()
            .user_agent(concat!("token-authorizer/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::custom(same_origin))
            // A connection kept for the next refresh would be dead after a freeze, and cost that one a failure.
            .pool_max_idle_per_host(0)
            .tls_backend_preconfigured(tls_config(authorities));
        let builder = if no_proxy { builder.no_proxy() } else { builder };
        builder.build().expect("a client")
    }
}

#[allow(clippy::expect_used, reason = "aws-lc supports the default protocol versions")]
fn tls_config(authorities: &[TrustAnchor<'static>]) -> ClientConfig {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.extend(authorities.iter().cloned());
    ClientConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn same_origin(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let origin = attempt.previous().first().map(Url::origin);
    if origin != Some(attempt.url().origin()) {
        attempt.error("redirected to another origin")
    } else if attempt.previous().len() > MAX_REDIRECTS {
        attempt.error("too many redirects")
    } else {
        attempt.follow()
    }
}

/// The encoding in which the content came (RFC 9110 section 8.4), if there is one.
fn encoding(headers: &HeaderMap) -> Option<String> {
    let values = headers
        .get_all(CONTENT_ENCODING)
        .into_iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    let all = values.collect::<Vec<_>>().join(",");
    let mut encodings = all.split(',').map(str::trim);
    let is_one =
        |encoding: &&str| !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity");
    encodings.find(is_one).map(str::to_owned)
}

/// The `max-age` of `Cache-Control` (RFC 9111 section 5.2.2.1).
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).into_iter().filter_map(|value| value.to_str().ok());
    let directives = values
        .flat_map(|value| value.split(','))
        .filter_map(|directive| directive.trim().split_once('='));
    let mut ages = directives.filter(|(name, _)| name.eq_ignore_ascii_case("max-age"));
    // RFC 9111 section 1.2.2: a number that is too large counts as a very large one. Anything else is ignored.
    let seconds = ages.next()?.1.trim_matches('"');
    let is_number = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_secs(seconds.parse().unwrap_or(u32::MAX.into())))
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
    fn an_endpoint_is_https_or_on_this_machine() {
        for (text, is_https) in [
            ("https://login.example.com", true),
            ("https://login.example.com/keys?a=b", true),
            ("https://login.example.com:8443/keys", true),
            ("https://xn--bcher-kva.example/keys%20and%3F", true),
            ("HTTPS://LOGIN.EXAMPLE.COM/", true),
            ("https://10.0.0.1/keys", true),
            ("https://[2001:db8::1]/keys", true),
            ("http://127.0.0.1:8080/keys", false),
            ("http://127.9.9.9/", false),
            ("http://[::1]:8080/", false),
            ("http://localhost:8080/", false),
            ("http://LOCALHOST/", false),
        ] {
            assert_eq!(
                Endpoint::parse(text).map(|endpoint| endpoint.is_https()),
                Ok(is_https),
                "{text}"
            );
        }
        for (text, problem) in [
            ("", "absolute URL"),
            ("login.example.com", "absolute URL"),
            ("/keys", "absolute URL"),
            ("https://", "absolute URL"),
            ("https://login example.com/", "absolute URL"),
            ("ftp://login.example.com/", "must be https"),
            ("file:///keys", "must be https"),
            ("localhost:8080", "must be https"),
            ("http://login.example.com/", "loopback"),
            ("http://10.0.0.1/", "loopback"),
            ("http://0.0.0.0/", "loopback"),
            ("http://169.254.169.254/", "loopback"),
            ("http://128.0.0.1/", "loopback"),
            ("http://[2001:db8::1]/", "loopback"),
            ("http://localhost.example.com/", "loopback"),
            ("http://127.0.0.1.example.com/", "loopback"),
            ("http://127.0.0.1@login.example.com/", "user name"),
            ("https://user@login.example.com/", "user name"),
            ("https://user:password@login.example.com/", "user name"),
            ("https://:password@login.example.com/", "user name"),
            ("https://login.example.com/#keys", "fragment"),
            ("https://login.example.com/#", "fragment"),
            ("https://bücher.example/", "punycode"),
            ("https://BÜCHER.example/keys", "punycode"),
            ("https://%C3%9CX.example/keys", "punycode"),
            ("https:\\\\%C3%9CX.example", "punycode"),
            ("https:///login.example.com/", "absolute URL"),
            ("https:login.example.com", "absolute URL"),
        ] {
            let found = Endpoint::parse(text).unwrap_err();
            assert!(found.contains(problem), "{text}: {found}");
        }
        assert!(Endpoint::parse("https://login.example.com/?").unwrap().has_query());
        assert!(!Endpoint::parse("https://login.example.com/").unwrap().has_query());
        for (text, told) in [
            ("https://a.example.com/list?sig=a?b", "https://a.example.com/list"),
            ("https://a.example.com/a%3Fb?c", "https://a.example.com/a%3Fb"),
            ("https://a.example.com?c", "https://a.example.com/"),
            ("https://a.example.com/list", "https://a.example.com/list"),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().without_query(), told);
        }
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

    #[test]
    fn authorities_are_read_from_a_pem_file() {
        let certificate = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (one, two) = (certificate().cert.pem(), certificate().cert.pem());
        let key = certificate().signing_key.serialize_pem();
        let path = std::env::temp_dir()
            .join(format!("token-authorizer-authorities-{}.pem", std::process::id()));
        let read = |pem: &[u8]| {
            std::fs::write(&path, pem).unwrap();
            let found = read_authorities(&path);
            std::fs::remove_file(&path).unwrap();
            found.map(|found| found.len())
        };
        assert_eq!(read(one.as_bytes()), Ok(1));
        assert_eq!(read(format!("# comment\n{one}\n{key}{two}").as_bytes()), Ok(2));
        for (pem, problem) in [
            (String::new(), "holds no certificate"),
            (key, "holds no certificate"),
            ("certificate".to_owned(), "holds no certificate"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
                "holds no certificate that can be used",
            ),
            (one.replace("-----END CERTIFICATE-----", ""), "not a PEM file"),
            (one.replacen("MII", "M~I", 1), "not a PEM file"),
        ] {
            let found = read(pem.as_bytes()).unwrap_err();
            assert!(found.contains(problem) && found.contains("authorities"), "{found}");
        }
        let none = read(b"").unwrap_err();
        assert!(none.contains("holds no certificate;"), "none is not one of no use: {none}");
        assert!(read_authorities(&path).unwrap_err().starts_with(&path.display().to_string()));
        assert!(read_authorities(&std::env::temp_dir()).is_err());
    }
}
