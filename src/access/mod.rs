//! What a verified token can do: rules for its claims, its binding to a certificate, and access by route.

pub(crate) mod binding;
pub(crate) mod claims;
pub(crate) mod requirement;
pub(crate) mod rights;
pub(crate) mod routes;
pub(crate) mod sign_in;
