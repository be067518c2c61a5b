//! What API Gateway sends, and what it is answered.

pub(crate) mod challenge;
pub(crate) mod event;
pub(crate) mod policy;
