//! Signed tokens: JWS, JWK and what they are made of (RFC 7515, 7517, 7518, 8037).

pub(crate) mod algorithm;
pub(crate) mod json;
pub(crate) mod jwk;
pub(crate) mod jwks;
pub(crate) mod key_set;
pub(crate) mod members;
pub(crate) mod number;
pub(crate) mod skipped;
pub(crate) mod token;
#[cfg(test)]
mod vectors;
