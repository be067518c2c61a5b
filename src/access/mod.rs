//! What a verified token may do: rules for its claims, rights by route.

pub(crate) mod claims;
pub(crate) mod rights;
