//! What a verified token may do: rules for its claims, its binding, rights by route.

pub(crate) mod binding;
pub(crate) mod claims;
pub(crate) mod guard;
pub(crate) mod pattern;
pub(crate) mod report;
pub(crate) mod rights;
pub(crate) mod rule;
