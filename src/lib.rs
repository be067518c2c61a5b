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
//! | `spelling` | *pure*: names that are nearly a setting's |
//! | `environment` | variables, read once |
//! | `log` | the form of log lines |
//! | `metrics` | lines that CloudWatch turns into metrics |
//! | `keys` | the keys of an issuer: look-ups, one refresh at a time |
//! | `provider` | an issuer's discovery document and key set |
//! | `http` | one bounded GET |
//! | `cache` | *pure*: when keys serve and when they are refreshed |
//! | `policy` | *pure*: the answer |
//! | `event` | *pure*: what API Gateway sends |
//! | `rights` | *pure*: scopes and routes |
//! | `claims` | *pure*: rules for claims |
//! | `token` | *pure*: the compact form, and claims that were verified |
//! | `discovery` | *pure*: discovery documents |
//! | `jwks` | *pure*: key sets |
//! | `json` | *pure*: strict objects |
//! | `algorithm` | *pure*: the closed list |
//! | `refusal` | *pure*: every reason |
//! | `clock` | where time enters |

mod access;
mod authorizer;
mod clock;
mod config;
mod decision;
mod explain;
mod gateway;
mod issuer;
mod jose;
mod keys;
mod log;
mod metrics;
mod reason;

#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;

pub use authorizer::Authorizer;
pub use config::environment::Environment;
pub use config::{Config, Problem, Problems, SETTINGS, Setting};
pub use decision::{AfterAnswer, Decision, Failure, Invocation, Verdict};
pub use explain::{Explanation, Step, StepState};
pub use gateway::policy::Answer;
pub use jose::token::MAX_TOKEN_BYTES;
pub use keys::discovery::jwks_uri;
pub use keys::http::Endpoint;
pub use log::{Log, bad_configuration as log_bad_configuration};
pub use reason::{Denial, Fault, Obstacle, Reason};
