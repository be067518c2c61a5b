//! Settings with a fixed choice of words, each of which is a variant of an enum.

use crate::access::binding::TokenBinding;
use crate::access::rights::PolicyScope;
use crate::gateway::credential::BearerPrefix;

/// An enum whose variants are the words of a setting.
pub(crate) trait Choice: Copy + 'static {
    /// Every word, in the order of the documentation.
    const WORDS: &'static [&'static str];

    /// The variant of this exact word.
    fn parse(word: &str) -> Option<Self>;

    fn word(self) -> &'static str;
}

/// Gives each variant of enums its word. A variant without one does not compile: `word` would not cover it.
macro_rules! words {
    ($($choice:ident { $($variant:ident = $word:literal,)* })*) => {$(
        impl Choice for $choice {
            const WORDS: &'static [&'static str] = &[$($word),*];

            fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }

            fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    )*};
}

/// Declares enums, each variant with its word.
macro_rules! choices {
    ($(
        $(#[doc = $about:literal])*
        $choice:ident { $($(#[doc = $meaning:literal])* $variant:ident = $word:literal,)* }
    )*) => {$(
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $choice {
            $($(#[doc = $meaning])* $variant,)*
        }

        words! { $choice { $($variant = $word,)* } }
    )*};
}

words! {
    TokenBinding { Refuse = "refuse", Certificate = "certificate", Ignore = "ignore", }
    PolicyScope { Stage = "stage", Request = "request", }
    BearerPrefix { Required = "required", Optional = "optional", }
}

choices! {
    /// What is answered when a token is refused.
    OnRefusal {
        /// A Deny policy: 403, and cached.
        Deny = "deny",
        /// A function error that API Gateway turns into 401: not cached, and counted as an error of the function.
        Unauthorized = "unauthorized",
    }

    /// Whether the policies of tables deny paths that a backend may read as others.
    PathGuard { On = "on", Off = "off", }

    /// Whether policies deny requests after the token has expired.
    ExpiryGuard { On = "on", Off = "off", }

    /// Whether events of HTTP APIs with payload 2.0 get a simple response and not a policy.
    SimpleResponse { On = "on", Off = "off", }

    /// The log levels of Lambda's logging controls.
    LogLevel {
        Trace = "TRACE",
        Debug = "DEBUG",
        Info = "INFO",
        Warn = "WARN",
        Error = "ERROR",
        Fatal = "FATAL",
    }

    /// The log formats of Lambda's logging controls.
    LogFormat { Json = "JSON", Text = "TEXT", }
}
