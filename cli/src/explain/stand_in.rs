//! An issuer for those who have none: a key that is made for this run, and the tokens that it signs.

use serde_json::{Value, json};

use crate::tokens::{self, SigningKey};

const ISSUER: &str = "https://issuer.example.com";
const AUDIENCE: &str = "https://pets.example.com";

pub(super) struct StandIn {
    key: SigningKey,
    jwks: String,
}

impl StandIn {
    pub(super) fn new() -> Self {
        let key = SigningKey::es256("stand-in");
        let jwks = tokens::jwks(&[&key]).to_string();
        Self { key, jwks }
    }

    pub(super) fn issuer(&self) -> &'static str {
        ISSUER
    }

    /// Settings that trust it. Connections have their tokens where browsers can put them.
    pub(super) fn settings(&self) -> [(&'static str, &str); 6] {
        [
            ("ISSUER", ISSUER),
            ("AUDIENCE", AUDIENCE),
            ("ALGORITHMS", "ES256"),
            ("JWKS", &self.jwks),
            ("JWKS_URI", ""),
            ("TOKEN_SOURCE", "header:Authorization, query:token"),
        ]
    }

    /// Puts tokens in the place of `{{token}}` and the like.
    pub(super) fn fill(&self, text: &str) -> String {
        let good = tokens::claims(ISSUER, AUDIENCE);
        let with = |name: &str, value: Value| {
            let mut claims = good.clone();
            claims[name] = value;
            self.key.token(&claims)
        };
        let forger = SigningKey::es256(self.key.kid());
        text.replace("{{token}}", &self.key.token(&good))
            .replace("{{token:expired}}", &with("exp", json!(tokens::now() - 60)))
            .replace("{{token:audience}}", &with("aud", json!("https://cats.example.com")))
            .replace("{{token:forged}}", &forger.token(&good))
    }
}
