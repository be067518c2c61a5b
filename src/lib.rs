//! A Lambda authorizer for API Gateway: an event comes in, the bearer token in it is checked, an IAM policy goes out.
//!
//! ```text
//! event -> bearer token -> verified claims -> decision -> policy
//!              |                 |
//!              |                 +- rules for claims, rights by route
//!              +- keys of the issuer, cached in the process
//! ```
//!
//! [`Config::read`] checks the settings. [`Authorizer::handle`] is the flow above: it decides about an event, and
//! renders the answer. Imports point down this list:
//!
//! | module | what is in it |
//! |---|---|
//! | `explain` | a decision in parts, for those who ask why |
//! | `startup` | configuration -> authorizer, and its first keys |
//! | `status` | the answer to those who deploy the function: whether it works |
//! | `authorizer` | the flow |
//! | `after_answer` | what is done once the answer is sent: the log event, the wait for refreshes |
//! | `verdict` | a decision: the verdict, the answer, the trace of what was seen |
//! | `trial` | stricter settings, tried on what was allowed |
//! | `config` | environment -> typed settings |
//! | `issuer` | the issuers by name, and what each is trusted with |
//! | `keys` | the keys of one source: which one a token asks for, and where they are |
//! | `revocation` | tokens that an issuer has revoked: the list, and where it is |
//! | `remote` | key sets and lists alike: how they are fetched, and kept fresh |
//! | `gateway` | API Gateway: events, ARNs and credentials; policies, their size, challenges |
//! | `access` | rules for claims, binding to a certificate, rights by route |
//! | `jose` | tokens, keys and algorithms |
//! | `log`, `metrics` | lines for the operator |
//! | `denial`, `reason` | why a token is refused, with its facts; every reason and its code |
//! | `clock`, `excerpt` | where time enters; how foreign text is logged |

mod access;
mod after_answer;
mod authorizer;
mod clock;
mod config;
mod denial;
mod excerpt;
mod explain;
mod gateway;
mod issuer;
mod jose;
mod keys;
mod log;
mod metrics;
mod probe;
mod reason;
mod remote;
mod revocation;
mod startup;
mod status;
mod trial;
mod verdict;

#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;

pub use access::routes::DecidedBy;
pub use access::routes::report::{EntryReport, TableReport};
pub use access::routes::table::{Table, TableEntry};
pub use after_answer::{AfterAnswer, Invocation};
pub use authorizer::Authorizer;
pub use config::environment::Environment;
pub use config::summary::IssuerSummary;
pub use config::{Config, Problem, Problems, SETTINGS, Setting, SettingKind, list_members};
pub use denial::{BindingProblem, ClaimProblem, Denial, Malformed, MissingRights, RevokedBy};
pub use explain::{Check, CheckState, Explanation};
pub use gateway::policy::Answer;
pub use gateway::size::PolicySize;
pub use jose::skipped::{ListedKey, SkipReason, SkippedKey};
pub use jose::token::MAX_TOKEN_BYTES;
pub use keys::discovery::jwks_uri;
pub use keys::report::{KeyReport, UsableKey};
pub use log::{Log, bad_configuration as log_bad_configuration};
pub use metrics::DocumentKind;
pub use probe::{Probe, Probed};
pub use reason::{Fault, Obstacle, Reason};
pub use remote::SourceStatus;
pub use remote::endpoint::Endpoint;
pub use remote::error::FetchError;
pub use verdict::{Allowed, Decision, Failure, Verdict};
