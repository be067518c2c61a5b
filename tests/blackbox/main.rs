//! The shipped binary as Lambda, API Gateway and an identity provider see it: over sockets, and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "real time passes between processes")]

mod apis;
mod bound_tokens;
mod challenges;
mod decisions;
mod emulator;
mod foreign_events;
mod freezes;
mod issuers;
mod logs;
mod metrics;
mod platform;
mod providers;
mod revocations;
mod slots;
mod startup;
mod status;

#[path = "../support/mod.rs"]
mod support;

use std::path::PathBuf;

use serde_json::Value;
use support::events::{STAGE, bearer, event};
use support::idp::Idp;
use support::process::{Exit, Lambda};
use support::runtime_api::Reply;
use support::tokens::{self, SigningKey};

const AUDIENCE: &str = "https://pets.example.com";

/// The binary of this build, or the one that `PACKAGE` names.
fn program() -> PathBuf {
    std::env::var_os("PACKAGE")
        .map_or_else(|| env!("CARGO_BIN_EXE_token-authorizer").into(), PathBuf::from)
}

/// A function that trusts this provider, with further settings.
fn start(idp: &Idp, settings: &[(&str, &str)]) -> Lambda {
    let (issuer, jwks_uri) = (idp.issuer(), idp.jwks_uri());
    let basic = [("ISSUER", &*issuer), ("JWKS_URI", &*jwks_uri), ("AUDIENCE", AUDIENCE)];
    Lambda::spawn(&program(), &[&basic, settings].concat())
}

/// A function that does not start.
fn refused(settings: &[(&str, &str)]) -> Exit {
    Lambda::try_spawn(&program(), settings).err().expect("it must not start with these settings")
}

/// A provider with this key.
fn provider(key: &SigningKey) -> Idp {
    let idp = Idp::start();
    idp.serve(&[key]);
    idp
}

/// The claims of a good token, with these members changed; null takes one away.
fn claims(idp: &Idp, changes: Value) -> Value {
    let mut claims = tokens::claims(&idp.issuer(), AUDIENCE);
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

/// What an answer says: `Allow`, `Deny <reason>`, or the message of a function error.
fn said(reply: &Reply) -> String {
    if reply.is_error {
        return reply.body["errorMessage"].as_str().unwrap().to_owned();
    }
    let effect = reply.body["policyDocument"]["Statement"][0]["Effect"].as_str().unwrap();
    match reply.body["context"]["reason"].as_str() {
        Some(reason) => format!("{effect} {reason}"),
        None => effect.to_owned(),
    }
}

#[track_caller]
fn assert_no_verdict(reply: &Reply, reason: &str) {
    assert!(reply.is_error, "{}", reply.body);
    assert_eq!(reply.body["errorType"], reason);
    assert!(said(reply).starts_with(&format!("{reason}: ")), "{}", said(reply));
}
