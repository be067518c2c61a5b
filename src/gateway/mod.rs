//! What API Gateway sends, and what it is answered.

pub(crate) mod arn;
pub(crate) mod challenge;
pub(crate) mod credential;
pub(crate) mod event;
pub(crate) mod policy;
pub(crate) mod size;
