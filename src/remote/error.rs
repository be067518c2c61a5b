//! Why a fetch failed.

use std::error::Error;
use std::{fmt, io};

use crate::remote::endpoint::Endpoint;
use crate::remote::tls;

/// A fetch that failed: at which stage, at which address, and what went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchError {
    pub(crate) stage: FetchStage,
    /// The address, and what went wrong.
    pub detail: String,
}

/// The stage at which a fetch failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchStage {
    Name,
    Connect,
    Tls,
    Redirect,
    Status,
    Timeout,
    Transfer,
    Size,
    Parse,
    /// None: the process was frozen meanwhile.
    Interrupted,
}

impl FetchStage {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Name => "name_resolution",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Redirect => "redirect",
            Self::Status => "status",
            Self::Timeout => "timeout",
            Self::Transfer => "transfer",
            Self::Size => "size",
            Self::Parse => "parse",
            Self::Interrupted => "interrupted",
        }
    }
}

impl FetchError {
    /// The stage at which it failed, by the name that the log has for it.
    #[must_use]
    pub fn stage(&self) -> &'static str {
        self.stage.code()
    }

    /// `address` is that of the document, as it may be shown.
    pub(crate) fn new(stage: FetchStage, address: &str, detail: impl fmt::Display) -> Self {
        Self { stage, detail: format!("{address}: {detail}") }
    }

    /// This failure as that of a fetch that a freeze interrupted.
    pub(super) fn interrupted(self) -> Self {
        Self { stage: FetchStage::Interrupted, detail: self.to_string() }
    }

    /// This failure as that of a discovery document.
    pub(crate) fn of_discovery(self) -> Self {
        Self { detail: format!("discovery document: {}", self.detail), ..self }
    }

    pub(super) fn from_reqwest(error: reqwest::Error, endpoint: &Endpoint) -> Self {
        let address = match error.url() {
            Some(url) => endpoint.redirected_to(url),
            None => endpoint.shown(),
        };
        // The error's text would contain the address, query included.
        let (stage, detail) = explain(&error.without_url());
        Self::new(stage, &address, detail)
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.stage.code(), self.detail)
    }
}

/// The stage at which a connection failed, and why. Only the chain of causes shows it.
fn explain(error: &reqwest::Error) -> (FetchStage, String) {
    let mut stage = match error {
        error if error.is_timeout() => FetchStage::Timeout,
        error if error.is_redirect() => FetchStage::Redirect,
        error if error.is_connect() => FetchStage::Connect,
        _ => FetchStage::Transfer,
    };
    let mut cause: &(dyn Error + 'static) = error;
    while let Some(source) = cause.source() {
        cause = source;
        if let Some(error) = tls_error(cause) {
            return (FetchStage::Tls, tls::explain(error));
        }
        if cause.to_string().starts_with("dns error") {
            stage = FetchStage::Name;
        }
    }
    let detail = cause.to_string();
    // tokio-rustls has no type for a peer that hangs up.
    if detail == "tls handshake eof" {
        stage = FetchStage::Tls;
    }
    (stage, in_plain_words(detail))
}

/// An `io::Error` can wrap an error of rustls, but does not return it as its `source`.
fn tls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    match error.downcast_ref::<io::Error>() {
        Some(wrapper) => tls_error(wrapper.get_ref()?),
        None => error.downcast_ref(),
    }
}

/// What an error of hyper means to an operator. hyper does not say which header line is malformed.
fn in_plain_words(detail: String) -> String {
    let words = match &*detail {
        "tls handshake eof" => "the server hung up during the TLS handshake",
        "invalid HTTP version parsed" => {
            "not an HTTP/1.1 response: the server speaks HTTP/2 only, TLS, or something else"
        }
        "invalid HTTP header parsed" => {
            "a header line is malformed: a space before the colon, a name that is none, or a control character"
        }
        "invalid content-length parsed" => {
            "the header `Content-Length` is not a number, or there are two that differ"
        }
        "unexpected transfer-encoding parsed" => {
            "the header `Transfer-Encoding` is in a response of HTTP/1.0"
        }
        "message head is too large" => "more than 256 header lines, or too long ones",
        "connection closed before message completed" => "the server hung up without a response",
        "end of file before message length reached" => {
            "the body is shorter than the header `Content-Length` says"
        }
        text if text.contains("chunk") => {
            return format!(
                "the body ends early, or is not as `Transfer-Encoding: chunked` says ({detail})"
            );
        }
        text if text.contains("close_notify") => {
            "the connection ended without TLS `close_notify`, so the body can be cut off. The server must \
             end TLS properly, or send `Content-Length`"
        }
        _ => return detail,
    };
    words.to_owned()
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
