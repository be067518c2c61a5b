//! Why a fetch failed.

use std::error::Error;
use std::{fmt, io};

/// A fetch that failed: at which stage, and what the failing part said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FetchError {
    pub(crate) stage: FetchStage,
    pub(crate) detail: String,
}

/// The stage at which a fetch failed.
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
            Self::Status(_) => "status",
            Self::Timeout => "timeout",
            Self::Transfer => "transfer",
            Self::Size => "size",
            Self::Parse => "parse",
            Self::Interrupted => "interrupted",
        }
    }
}

impl FetchError {
    pub(crate) fn new(stage: FetchStage, detail: impl fmt::Display) -> Self {
        Self { stage, detail: detail.to_string() }
    }
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        // The error's text would contain the address, query included.
        let error = error.without_url();
        let mut root: &dyn Error = &error;
        while let Some(cause) = root.source() {
            root = cause;
        }
        Self::new(stage(&error), root)
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.stage.code(), self.detail)
    }
}

/// Only the chain of causes shows at which stage a connection failed.
fn stage(error: &reqwest::Error) -> FetchStage {
    if error.is_timeout() {
        return FetchStage::Timeout;
    }
    if error.is_redirect() {
        return FetchStage::Redirect;
    }
    let mut source = error.source();
    while let Some(cause) = source {
        if is_tls(cause) {
            return FetchStage::Tls;
        }
        if cause.to_string().starts_with("dns error") {
            return FetchStage::Name;
        }
        source = cause.source();
    }
    if error.is_connect() { FetchStage::Connect } else { FetchStage::Transfer }
}

fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let Some(io) = error.downcast_ref::<io::Error>() else { return error.is::<rustls::Error>() };
    // tokio-rustls has no type for a peer that hangs up.
    if io.to_string() == "tls handshake eof" {
        return true;
    }
    // An `io::Error` can wrap an error of rustls, but does not return it as its `source`.
    io.get_ref().is_some_and(|wrapped| is_tls(wrapped))
}
