//! Tokens to test with: good ones but for what a case changes, signed by a key that is thrown away.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use token_authorizer::IssuerSummary;

use crate::tokens::{self, SigningKey};

/// How long a token lives that does not say so.
const SECONDS: u64 = 300;

/// A key for each algorithm that an issuer may sign with.
pub(crate) struct ThrowAwayKeys(HashMap<&'static str, SigningKey>);

impl ThrowAwayKeys {
    /// Keys for the first algorithm of each issuer. The others are never needed.
    pub(crate) fn for_issuers(issuers: &[IssuerSummary<'_>]) -> Self {
        let mut keys = HashMap::new();
        for algorithm in issuers.iter().filter_map(|issuer| issuer.algorithms.first()) {
            keys.entry(*algorithm).or_insert_with(|| new_key(algorithm));
        }
        Self(keys)
    }

    pub(crate) fn jwks(&self) -> String {
        tokens::jwks(&self.0.values().collect::<Vec<_>>()).to_string()
    }

    /// A token with these claims. What they leave out is filled in; null removes a claim.
    pub(crate) fn token(
        &self,
        issuers: &[IssuerSummary<'_>],
        changes: &Map<String, Value>,
    ) -> Option<String> {
        let issuer = issuer_of(issuers, changes)?;
        let mut claims = claims(issuer, changes);
        claims.retain(|_, value| !value.is_null());
        let algorithm = issuer.algorithms.first()?;
        let key = self.0.get(algorithm)?;
        let typ = issuer.token_types.first().map_or("JWT", String::as_str);
        let header = json!({"alg": algorithm, "kid": key.kid(), "typ": typ});
        Some(key.token_with(&header, &Value::Object(claims)))
    }
}

/// The issuer that the claims name; the first one if they name none, or one that is not trusted.
fn issuer_of<'s, 'c>(
    issuers: &'s [IssuerSummary<'c>],
    changes: &Map<String, Value>,
) -> Option<&'s IssuerSummary<'c>> {
    let named = changes.get("iss").and_then(Value::as_str);
    let is_named = |issuer: &&IssuerSummary<'_>| Some(issuer.name.as_str()) == named;
    let is_template = |issuer: &&IssuerSummary<'_>| named.is_some() && issuer.tenant.is_some();
    let mut all = issuers.iter();
    issuers.iter().find(is_named).or_else(|| issuers.iter().find(is_template)).or(all.next())
}

fn claims(issuer: &IssuerSummary<'_>, changes: &Map<String, Value>) -> Map<String, Value> {
    let mut claims = changes.clone();
    let mut fill = |name: &str, value: Value| {
        claims.entry(name).or_insert(value);
    };
    let now = tokens::now();
    fill("iat", json!(now));
    fill("exp", json!(now + SECONDS));
    fill("sub", json!("subject"));
    let mut name = issuer.name.clone();
    if let Some((claim, tenant)) = issuer.tenant {
        let tenant = changes.get(claim).and_then(Value::as_str).unwrap_or(tenant);
        name = name.replace(&format!("{{{claim}}}"), tenant);
        fill(claim, json!(tenant));
    }
    fill("iss", json!(name));
    if let Some(audience) = issuer.audiences.first() {
        fill_first(&mut claims, &issuer.audience_claims, json!(audience));
    }
    fill_first(&mut claims, &issuer.principal_claims, json!("subject"));
    if let Some(seconds) = claims.get("auth_time").and_then(tokens::seconds_ago) {
        claims.insert("auth_time".to_owned(), json!(now.saturating_sub(seconds)));
    }
    claims
}

/// Fills the first of these claims, unless one of them is there. A claim may be a JSON Pointer.
fn fill_first(claims: &mut Map<String, Value>, paths: &[&str], value: Value) {
    let has = |path: &&str| match path.strip_prefix('/') {
        None => claims.contains_key(*path),
        // Whoever gave the object around it may have left it out on purpose.
        Some(pointer) => {
            claims.contains_key(&segment(pointer.split('/').next().unwrap_or(pointer)))
        }
    };
    if paths.iter().any(has) {
        return;
    }
    let Some(path) = paths.first() else { return };
    let Some(pointer) = path.strip_prefix('/') else {
        claims.insert((*path).to_owned(), value);
        return;
    };
    let mut names: Vec<_> = pointer.split('/').map(segment).collect();
    let first = names.remove(0);
    let nested = names.into_iter().rev().fold(value, |value, name| json!({ name: value }));
    claims.insert(first, nested);
}

/// One segment of a JSON Pointer (RFC 6901 section 4).
fn segment(text: &str) -> String {
    text.replace("~1", "/").replace("~0", "~")
}

fn new_key(algorithm: &'static str) -> SigningKey {
    let kid = format!("throw-away-{algorithm}");
    match algorithm {
        "ES256" => SigningKey::es256(&kid),
        "ES384" => SigningKey::es384(&kid),
        "EdDSA" => SigningKey::ed25519(&kid),
        "HS256" | "HS384" | "HS512" => SigningKey::hmac(&kid, &secret()).with_alg(algorithm),
        _ => SigningKey::rsa(&kid).with_alg(algorithm),
    }
}

/// As long as the longest hash. Without random numbers it is one that everybody knows: nothing depends on it.
fn secret() -> Vec<u8> {
    let mut secret = vec![0; 64];
    let _ = aws_lc_rs::rand::fill(&mut secret);
    secret
}
