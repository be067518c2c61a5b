//! Lambda's Runtime API (2018-06-01): an event is fetched, its answer posted, and the next one fetched.

use std::sync::Arc;

use lambda_runtime::{Diagnostic, Error, LambdaEvent, Runtime, service_fn};
use lambda_runtime_api_client::body::Body;
use lambda_runtime_api_client::{PooledClient, build_request};
use serde_json::value::RawValue;
use token_authorizer::{Authorizer, Invocation};

/// The address of an invocation, and the id that newer platforms want to see again in its answer.
const REQUEST_ID: &str = "lambda-runtime-aws-request-id";
const INVOCATION_ID: &str = "lambda-runtime-invocation-id";
const TRACE_ID: &str = "lambda-runtime-trace-id";

/// Answers invocations until the platform cannot be reached any more: many at once on Lambda Managed Instances,
/// else one after the other.
pub(crate) async fn serve(authorizer: Authorizer, are_concurrent: bool) -> Result<(), Error> {
    if are_concurrent { at_once(Arc::new(authorizer)).await } else { one_by_one(&authorizer).await }
}

async fn at_once(authorizer: Arc<Authorizer>) -> Result<(), Error> {
    // The event is taken as it stands: an error of serde's about it could quote the token.
    let handler = service_fn(move |LambdaEvent { payload, context }: LambdaEvent<Box<RawValue>>| {
        let authorizer = Arc::clone(&authorizer);
        async move {
            let trace_id = context.xray_trace_id.as_deref();
            authorizer.authorize(payload.get(), Invocation { request_id: &context.request_id, trace_id }).await
        }
    });
    Runtime::new(handler).run_concurrent().await
}

/// What `lambda_runtime` does for one invocation at a time, but for the variable `_X_AMZN_TRACE_ID`, which version
/// 1.5 sets each time: glibc's `setenv` never frees a value, and the process grew by 32 MiB in 200,000 invocations
/// (`docs/security.md`). Nothing here reads it. With several invocations at once `lambda_runtime` does not set it.
async fn one_by_one(authorizer: &Authorizer) -> Result<(), Error> {
    let client = PooledClient::builder().with_pool_size(1).build();
    loop {
        invocation(authorizer, &client).await?;
    }
}

async fn invocation(authorizer: &Authorizer, client: &PooledClient) -> Result<(), Error> {
    let next = build_request().uri("/2018-06-01/runtime/invocation/next").body(Body::empty())?;
    let (head, body) = client.call(next).await?.into_parts();
    // So says `cargo lambda watch` when there was nothing to do for a while.
    if head.status.as_u16() == 204 {
        return Ok(());
    }
    let body = Body::new(body).collect().await?.to_bytes();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let request_id = header(REQUEST_ID).ok_or_else(|| format!("an event without an id, status {}", head.status))?;
    // What is not UTF-8 is no event either, and is answered like one that is empty.
    let event = str::from_utf8(&body).unwrap_or_default();
    let answer = authorizer.authorize(event, Invocation { request_id, trace_id: header(TRACE_ID) }).await;

    let mut post = build_request().method("POST");
    if let Some(id) = header(INVOCATION_ID) {
        post = post.header(INVOCATION_ID, id);
    }
    let address = |kind| format!("/2018-06-01/runtime/invocation/{request_id}/{kind}");
    let post = match answer {
        Ok(answer) => post.uri(address("response")).body(Box::<str>::from(answer).into_string().into())?,
        Err(failure) => {
            let diagnostic = serde_json::to_vec(&Diagnostic::from(failure))?;
            let post = post.header("lambda-runtime-function-error-type", "unhandled");
            post.uri(address("error")).body(diagnostic.into())?
        }
    };
    let posted = client.call(post).await?;
    if !posted.status().is_success() {
        tracing::error!(status = posted.status().as_u16(), request_id, "Lambda did not take an answer");
    }
    // Read to its end, so that the connection is used again.
    Body::new(posted.into_body()).collect().await?;
    Ok(())
}
