//! A Lambda authorizer for API Gateway: an event comes in, the bearer token in it is checked, an IAM policy goes out.
//!
//! ```text
//! event -> bearer token -> verified claims -> decision -> policy
//!              |                 |
//!              |                 +- rules for claims, rights by route
//!              +- keys of the issuer, kept in process
//! ```
//!
//! [`Config::read`] checks the settings, [`Authorizer::authorize`] is the flow above. Imports point down this list:
//!
//! | module | what it is for |
//! |---|---|
//! | `authorizer` | the flow, and its one log event |
//! | `config` | environment -> settings |
//! | `log` | the form of log lines |
//! | `metrics` | lines that CloudWatch turns into metrics |
//! | `keys` | the keys of an issuer: look-ups, one renewal at a time |
//! | `provider` | an issuer's discovery document and key set |
//! | `http` | one bounded GET |
//! | `cache` | *pure*: when keys serve and when they are renewed |
//! | `policy` | *pure*: the answer |
//! | `event` | *pure*: what API Gateway sends |
//! | `rights` | *pure*: scopes and routes |
//! | `claims` | *pure*: rules for claims |
//! | `token` | *pure*: the compact form, and claims that were verified |
//! | `jwks` | *pure*: key sets |
//! | `rsa` | RSA keys that stay parsed |
//! | `json` | *pure*: strict objects |
//! | `algorithm` | *pure*: the closed list |
//! | `refusal` | *pure*: every reason |
//! | `clock` | where time enters |

mod algorithm;
mod authorizer;
mod cache;
mod claims;
mod clock;
mod config;
mod event;
mod http;
mod json;
mod jwks;
mod keys;
mod log;
mod metrics;
mod policy;
mod provider;
mod refusal;
mod rights;
mod rsa;
mod token;
#[cfg(test)]
mod vectors;

#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;

pub use authorizer::{Authorizer, Decision, Failure, Invocation, Record};
pub use config::{Config, Kind, Problem, Problems, SETTINGS, Setting};
pub use log::start as start_log;
pub use policy::Answer;
pub use refusal::{Fault, Obstacle, Reason};
pub use token::MAX_BYTES;
