//! The address of a document.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

/// Names that hosts files of Linux distributions give to loopback addresses, other than `localhost`.
const LOOPBACK_NAMES: [&str; 7] = [
    "localhost.localdomain",
    "localhost4",
    "localhost4.localdomain4",
    "localhost6",
    "localhost6.localdomain6",
    "ip6-localhost",
    "ip6-loopback",
];

/// An address that may be fetched: `https`, or `http` on a loopback address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Reads an address. The error says what is expected.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        const NOT_ABSOLUTE: &str =
            "must be an absolute URL, for example https://login.example.com/keys";
        // RFC 3986 section 2: a URL is ASCII. An internationalized host is supported in punycode only.
        if !text.is_ascii() || host(text).contains('%') {
            return Err(
                "must be ASCII: write the host in punycode (`xn--...`), the rest percent-encoded",
            );
        }
        let Ok(url) = Url::parse(text) else { return Err(NOT_ABSOLUTE) };
        if is_repaired(text, &url) {
            return Err(NOT_ABSOLUTE);
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

    /// Whether it is fetched over TLS. If not, it is a loopback address.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether its host is this machine in any spelling. This is wider than what plain http is accepted for: it is there
    /// to refuse. What a name resolves to is not looked up.
    pub(crate) fn is_on_this_machine(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default().trim_end_matches('.');
        let ip = match host.trim_start_matches('[').trim_end_matches(']').parse() {
            Ok(IpAddr::V6(ip)) if ip.is_loopback() => return true,
            // `::127.0.0.1` and `::ffff:127.0.0.1`, also for `::`.
            Ok(IpAddr::V6(ip)) => ip.to_ipv4(),
            Ok(IpAddr::V4(ip)) => Some(ip),
            Err(_) => {
                // RFC 6761 section 6.3.
                let is_localhost = host == "localhost" || host.ends_with(".localhost");
                return is_localhost || LOOPBACK_NAMES.contains(&host);
            }
        };
        // Connecting to the unspecified address reaches this machine.
        ip.is_some_and(|ip| ip.is_loopback() || ip.is_unspecified())
    }

    pub(crate) fn has_origin_of(&self, other: &Self) -> bool {
        self.0.origin() == other.0.origin()
    }

    pub(crate) fn has_query(&self) -> bool {
        self.0.query().is_some()
    }

    /// The address as it may be shown: see [`shown`].
    pub(crate) fn shown(&self) -> String {
        shown(&self.0)
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    /// This address and, if a redirect led to another, that one too: as they may be shown.
    pub(super) fn redirected_to(&self, url: &Url) -> String {
        let (from, to) = (self.shown(), shown(url));
        if from == to { from } else { format!("{from}, redirected to {to}") }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An address without its query, which may be a signature, without credentials, and not endlessly long.
pub(super) fn shown(url: &Url) -> String {
    const MAX_SHOWN_BYTES: usize = 512;
    if !matches!(url.scheme(), "https" | "http") {
        return format!("{}:", url.scheme());
    }
    let mut text = url.origin().ascii_serialization() + url.path();
    if text.len() > MAX_SHOWN_BYTES {
        text.truncate(MAX_SHOWN_BYTES);
        text.push_str("...");
    }
    text
}

/// The host as it is written, with user name and port.
fn host(text: &str) -> &str {
    const SEPARATORS: [char; 4] = ['/', '\\', '?', '#'];
    let rest = match text.split_once(':') {
        Some((_, rest)) => rest.trim_start_matches(SEPARATORS),
        None => text,
    };
    rest.split(SEPARATORS).next().unwrap_or_default()
}

/// Whether parsing repaired a malformed URL, as browsers do. That would hide a typing error until no token matches.
fn is_repaired(text: &str, url: &Url) -> bool {
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
        return true;
    }
    match text.split_once("://") {
        Some((_, rest)) => url.has_host() && rest.starts_with('/'),
        None => url.has_host(),
    }
}

fn is_loopback(url: &Url) -> bool {
    // `Url` has normalized the host: 0x7f.1 is 127.0.0.1 by now.
    let host = url.host_str().unwrap_or_default();
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }

    #[test]
    fn this_machine_is_recognized_in_any_spelling() {
        for (host, is_on_this_machine) in [
            ("127.0.0.1", true),
            ("127.255.0.9:8443", true),
            ("127.1", true),
            ("127.0.0.1.", true),
            ("0x7f.1", true),
            ("0x7f000001", true),
            ("0177.0.0.01", true),
            ("2130706433", true),
            ("0.0.0.0", true),
            ("0", true),
            ("[::1]", true),
            ("[0:0:0:0:0:0:0:1]:8443", true),
            ("[::]", true),
            ("[::ffff:127.0.0.1]", true),
            ("[::ffff:7f01:203]", true),
            ("[::ffff:0.0.0.0]", true),
            ("[::127.0.0.1]", true),
            ("localhost", true),
            ("LocalHost.:8443", true),
            ("login.localhost", true),
            ("a.b.localhost.", true),
            ("localhost.localdomain", true),
            ("localhost4", true),
            ("localhost4.localdomain4.", true),
            ("localhost6", true),
            ("localhost6.localdomain6", true),
            ("ip6-localhost", true),
            ("ip6-loopback", true),
            ("128.0.0.1", false),
            ("126.255.255.255", false),
            ("0.0.0.1", false),
            ("10.0.0.1", false),
            ("[::2]", false),
            ("[::ffff:128.0.0.1]", false),
            ("[2001:db8::1]", false),
            ("[2001:db8::127.0.0.1]", false),
            ("localhost.example.com", false),
            ("notlocalhost", false),
            ("127.0.0.1.example.com", false),
        ] {
            let endpoint = Endpoint::parse(&format!("https://{host}/keys")).unwrap();
            assert_eq!(endpoint.is_on_this_machine(), is_on_this_machine, "{host}");
        }
    }

    #[test]
    fn a_query_is_not_shown() {
        assert!(Endpoint::parse("https://login.example.com/?").unwrap().has_query());
        assert!(!Endpoint::parse("https://login.example.com/").unwrap().has_query());
        for (text, shown) in [
            ("https://a.example.com/list?sig=a?b", "https://a.example.com/list"),
            ("https://a.example.com/a%3Fb?c", "https://a.example.com/a%3Fb"),
            ("https://a.example.com?c", "https://a.example.com/"),
            ("https://a.example.com:443/list", "https://a.example.com/list"),
            ("http://127.0.0.1:80/list", "http://127.0.0.1/list"),
            ("http://[::1]:8080/list", "http://[::1]:8080/list"),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().shown(), shown);
        }
    }
}
