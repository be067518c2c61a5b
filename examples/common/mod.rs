//! What the examples share: the environment, and an identity provider on this machine for those who name none.
#![allow(dead_code, reason = "each example uses only part of it")]

#[path = "../../tests/support/mod.rs"]
pub(crate) mod support;

use std::env;
use std::ffi::OsString;

use serde_json::{Value, json};
use support::idp::Idp;
use support::tokens::{self, SigningKey};

const AUDIENCE: &str = "https://pets.example.com";

/// The settings in the environment; where they name no issuer, one of this machine's.
pub(crate) struct Environment {
    variables: Vec<(OsString, OsString)>,
    provider: Option<LocalProvider>,
}

impl Environment {
    /// That of the process.
    pub(crate) fn read() -> Self {
        Self::of(env::vars_os())
    }

    pub(crate) fn of(
        variables: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    ) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        let is_blank =
            |value: &OsString| value.to_str().is_some_and(|value| value.trim().is_empty());
        let mut variables: Vec<_> = variables.filter(|(_, value)| !is_blank(value)).collect();
        let names_an_issuer =
            variables.iter().any(|(name, _)| name == "ISSUER" || name == "ISSUERS");
        let provider = (!names_an_issuer).then(LocalProvider::start);
        // If a name comes twice, the later value counts.
        let local = provider.iter().flat_map(LocalProvider::settings);
        variables.splice(..0, local.map(|(name, value)| (name.into(), value.into())));
        Self { variables, provider }
    }

    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.with(&[]).get(name).map(str::to_owned)
    }

    /// What the authorizer is given, with these variables changed.
    pub(crate) fn with(&self, changes: &[(&str, &str)]) -> token_authorizer::Environment {
        let changes =
            changes.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        self.variables.iter().cloned().chain(changes).collect()
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
    fn start() -> Self {
        Self::start_on(0)
    }

    pub(crate) fn start_on(port: u16) -> Self {
        // A key id of its own: a function that knows the key of an earlier start must ask for this one.
        let kid = format!("local-{}", tokens::now());
        let (idp, key) = (Idp::start_on(port), SigningKey::rsa(&kid));
        idp.serve(&[&key]);
        Self { idp, key }
    }

    pub(crate) fn issuer(&self) -> String {
        self.idp.issuer()
    }

    pub(crate) fn settings(&self) -> [(&'static str, String); 3] {
        [
            ("ISSUER", self.idp.issuer()),
            ("AUDIENCE", AUDIENCE.to_owned()),
            // The sample of a WebSocket connection has its token where browsers can put it.
            ("TOKEN_SOURCE", "header:Authorization, query:token".to_owned()),
        ]
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
            filled = filled
                .replace("{{token:audience}}", &with("aud", json!("https://cats.example.com")));
        }
        if filled.contains("{{token:forged}}") {
            filled = filled.replace(
                "{{token:forged}}",
                &SigningKey::rsa_other(self.key.kid(), 1).token(&good),
            );
        }
        filled
    }
}
