//! The life of the function: an event is fetched, its answer posted, and the next one fetched.
//!
//! AWS's `lambda_runtime` is made for that. But version 1.5 sets the variable `_X_AMZN_TRACE_ID` for every event, which
//! nothing here reads, and glibc's `setenv` never frees a value: 174 bytes an invocation (`docs/security.md`).

use std::convert::Infallible;
use std::sync::Arc;

use token_authorizer::{Authorizer, Decision, Invocation};
use tokio::task::JoinSet;

use crate::runtime_api::{Error, RuntimeApi};

/// Answers invocations, so many at a time, until the platform cannot be reached any more.
///
/// Each is a task, as their connections are: tokio lets one follow the other without a system call between them.
pub(crate) async fn serve(authorizer: Authorizer, platform: &RuntimeApi, at_a_time: u32) {
    let authorizer = Arc::new(authorizer);
    let mut loops: JoinSet<_> = (0..at_a_time).map(|_| one_by_one(Arc::clone(&authorizer), platform.clone())).collect();
    while let Some(ended) = loops.join_next().await {
        let error = ended.map_or_else(Error::from, |Err(error)| error);
        tracing::error!(error, "the Lambda runtime ended");
    }
}

async fn one_by_one(authorizer: Arc<Authorizer>, mut platform: RuntimeApi) -> Result<Infallible, Error> {
    loop {
        let Some(event) = platform.next().await? else { continue };
        let Decision { answer, record } = authorizer.decide(event.text()).await;
        let answered = platform.answer(&event, answer).await;
        // After the answer, so that nobody waits for it: Lambda freezes the process when the next event is asked for.
        record.write(Invocation { request_id: event.request_id(), trace_id: event.trace_id() });
        answered?;
    }
}
