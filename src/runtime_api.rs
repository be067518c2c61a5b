//! A client of Lambda's Runtime API (2018-06-01; Lambda Developer Guide, "Using the Lambda runtime API for custom
//! runtimes"): one request at a time, over one connection for as long as that lives.

use std::fmt::Display;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::json;
use token_authorizer::{Answer, Failure};
use tokio::net::TcpStream;

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// The address of an invocation, and the id that newer platforms want to see again in its answer.
const REQUEST_ID: &str = "lambda-runtime-aws-request-id";
const INVOCATION_ID: &str = "lambda-runtime-invocation-id";
const TRACE_ID: &str = "lambda-runtime-trace-id";
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";

/// The platform that the function runs on.
pub(crate) struct RuntimeApi {
    host: HeaderValue,
    /// Nothing on Lambda; emulators serve several functions at one address.
    base: String,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// An event, and what the platform calls it.
pub(crate) struct Event(Response<Bytes>);

/// With a connection of its own.
impl Clone for RuntimeApi {
    fn clone(&self) -> Self {
        Self { host: self.host.clone(), base: self.base.clone(), connection: None }
    }
}

impl RuntimeApi {
    /// `address`: what Lambda puts into `AWS_LAMBDA_RUNTIME_API`, a host and a port.
    pub(crate) fn at(address: Option<&str>) -> Result<Self, &'static str> {
        const NO_ADDRESS: &str = "AWS_LAMBDA_RUNTIME_API is not a host and a port";
        let address = address.filter(|address| !address.is_empty()).ok_or("AWS_LAMBDA_RUNTIME_API is not set")?;
        let address: Uri = address.parse().map_err(|_| NO_ADDRESS)?;
        let host = address.authority().ok_or(NO_ADDRESS)?;
        let host = HeaderValue::from_str(host.as_str()).map_err(|_| NO_ADDRESS)?;
        let base = address.path().trim_end_matches('/').to_owned() + "/2018-06-01/runtime";
        Ok(Self { host, base, connection: None })
    }

    /// The next event. `None`: there was nothing to do for a while, says `cargo lambda watch`.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Error> {
        let next = Request::get(format!("{}/invocation/next", self.base));
        let next = self.call(next.body(Full::default())?).await?;
        let status = next.status();
        let event = Event(next);
        match status {
            StatusCode::NO_CONTENT => Ok(None),
            _ if event.request_id().is_empty() => Err(format!("an event without an id, status {status}").into()),
            _ => Ok(Some(event)),
        }
    }

    /// Answers an event.
    pub(crate) async fn answer(&mut self, event: &Event, answer: Result<Answer, Failure>) -> Result<(), Error> {
        let request_id = event.request_id();
        let kind = if answer.is_ok() { "response" } else { "error" };
        let mut post = Request::post(format!("{}/invocation/{request_id}/{kind}", self.base));
        if let Some(id) = event.header(INVOCATION_ID) {
            post = post.header(INVOCATION_ID, id);
        }
        let post = match answer {
            Ok(answer) => post.body(Box::<str>::from(answer).into_string().into())?,
            Err(failure) => post.header(ERROR_TYPE, "unhandled").body(diagnostic(failure.code(), &failure))?,
        };
        let posted = self.call(post).await?;
        if !posted.status().is_success() {
            tracing::error!(status = posted.status().as_u16(), request_id, "Lambda did not take an answer");
        }
        Ok(())
    }

    /// Reports why the function cannot start.
    pub(crate) async fn init_error(&mut self, code: &str, problems: &impl Display) -> Result<(), Error> {
        let post = Request::post(format!("{}/init/error", self.base)).header(ERROR_TYPE, format!("Runtime.{code}"));
        self.call(post.body(diagnostic(code, problems))?).await?;
        Ok(())
    }

    async fn call(&mut self, mut request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Error> {
        request.headers_mut().insert(HOST, self.host.clone());
        let mut connection = self.connection().await?;
        let response = match connection.try_send_request(request).await {
            Ok(response) => response,
            Err(mut error) => {
                // The platform closed the connection just now, and has not seen the request.
                let unsent = error.take_message().ok_or(error.into_error())?;
                connection = self.connection().await?;
                connection.send_request(unsent).await?
            }
        };
        let (head, body) = response.into_parts();
        // To its end, so that the connection is used again.
        let body = body.collect().await?.to_bytes();
        self.connection = Some(connection);
        Ok(Response::from_parts(head, body))
    }

    /// The connection that is there, or a new one.
    async fn connection(&mut self) -> Result<SendRequest<Full<Bytes>>, Error> {
        if let Some(mut open) = self.connection.take()
            && open.ready().await.is_ok()
        {
            return Ok(open);
        }
        let stream = TcpStream::connect(self.host.to_str()?).await?;
        stream.set_nodelay(true)?;
        // Head and body as one piece: to copy a few hundred bytes takes less than to have the kernel collect them.
        let http = http1::Builder::new().writev(false).handshake(TokioIo::new(stream));
        let (requests, connection) = http.await?;
        tokio::spawn(connection);
        Ok(requests)
    }
}

impl Event {
    /// The event as it stands. What is not UTF-8 is no event, and is answered like one that is empty.
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(self.0.body()).unwrap_or_default()
    }

    pub(crate) fn request_id(&self) -> &str {
        self.header(REQUEST_ID).unwrap_or_default()
    }

    pub(crate) fn trace_id(&self) -> Option<&str> {
        self.header(TRACE_ID)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.0.headers().get(name)?.to_str().ok()
    }
}

/// What Lambda takes for an error.
fn diagnostic(code: &str, message: &impl Display) -> Full<Bytes> {
    json!({"errorType": code, "errorMessage": message.to_string()}).to_string().into()
}
