//! What the examples share: the environment, and an identity provider on this machine for those who name none.
#![allow(dead_code, reason = "each example uses only part of it")]

#[path = "../../tests/support/mod.rs"]
pub(crate) mod support;

use std::env;

use serde_json::{Value, json};
use support::idp::Idp;
use support::tokens::{self, SigningKey};

const AUDIENCE: &str = "https://pets.example.com";

type Variables = Box<dyn Fn(&str) -> Option<String>>;

/// The settings in the environment; where they name no issuer, one of this machine's.
pub(crate) struct Environment {
    variables: Variables,
    provider: Option<LocalProvider>,
}

impl Environment {
    /// That of the process.
    pub(crate) fn read() -> Self {
        Self::of(|name| env::var(name).ok())
    }

    pub(crate) fn of(variables: impl Fn(&str) -> Option<String> + 'static) -> Self {
        let is_unset = |name| variables(name).is_none_or(|value| value.trim().is_empty());
        let provider = (is_unset("ISSUER") && is_unset("ISSUERS")).then(LocalProvider::start);
        Self { variables: Box::new(variables), provider }
    }

    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let local = || self.provider.as_ref().and_then(|provider| provider.setting(name));
        (self.variables)(name).filter(|value| !value.trim().is_empty()).or_else(local)
    }

    /// Where the keys come from, if that is this machine.
    pub(crate) fn local_issuer(&self) -> Option<String> {
        self.provider.as_ref().map(|provider| provider.issuer())
    }

    /// Puts tokens in the place of `{{token}}` and the like: those of the local provider, or what `TOKEN` holds.
    pub(crate) fn fill(&self, text: &str) -> String {
        match &self.provider {
            Some(provider) => provider.fill(text),
            None => text.replace("{{token}}", &self.variable("TOKEN").unwrap_or_default()),
        }
    }
}

/// An identity provider on loopback, with one key and the tokens it signs.
pub(crate) struct LocalProvider {
    idp: Idp,
    key: SigningKey,
}

impl LocalProvider {
    /// The settings that `setting` knows.
    pub(crate) const SETTINGS: [&str; 3] = ["ISSUER", "AUDIENCE", "TOKEN_SOURCE"];

    fn start() -> Self {
        Self::start_on(0)
    }

    pub(crate) fn start_on(port: u16) -> Self {
        // A key id of its own: a function that knows the key of an earlier start must ask for this one.
        let (idp, key) = (Idp::start_on(port), SigningKey::rsa(&format!("local-{}", tokens::now())));
        idp.serve(&[&key]);
        Self { idp, key }
    }

    pub(crate) fn issuer(&self) -> String {
        self.idp.issuer()
    }

    pub(crate) fn setting(&self, name: &str) -> Option<String> {
        match name {
            "ISSUER" => Some(self.idp.issuer()),
            "AUDIENCE" => Some(AUDIENCE.to_owned()),
            // The sample of a WebSocket connection has its token where browsers can put it.
            "TOKEN_SOURCE" => Some("header:Authorization, query:token".to_owned()),
            _ => None,
        }
    }

    pub(crate) fn fill(&self, text: &str) -> String {
        let good = tokens::claims(&self.idp.issuer(), AUDIENCE);
        let with = |name: &str, value: Value| {
            let mut claims = good.clone();
            claims[name] = value;
            self.key.token(&claims)
        };
        let mut filled = text.replace("{{token}}", &self.key.token(&good));
        if filled.contains("{{token:expired}}") {
            filled = filled.replace("{{token:expired}}", &with("exp", json!(tokens::now() - 60)));
        }
        if filled.contains("{{token:audience}}") {
            filled = filled.replace("{{token:audience}}", &with("aud", json!("https://cats.example.com")));
        }
        if filled.contains("{{token:forged}}") {
            filled = filled.replace("{{token:forged}}", &SigningKey::rsa_other(self.key.kid(), 1).token(&good));
        }
        filled
    }
}
