//! A request that somebody asks about, the event that API Gateway would make of it, and what a policy says.

use serde_json::{Value, json};
use token_authorizer::{Answer, list_members};

use crate::iam;
use crate::routes::openapi::VERBS;
use crate::tokens;

/// The stage of a request that comes without an event.
pub(crate) const STAGE: &str = "arn:aws:execute-api:us-east-1:123456789012:api0000000/stage";

/// What a request must be.
pub(crate) const WANTED: &str =
    "a request must be `VERB /path`, with the verb in upper case, or `$connect`";

const CONNECT: &str = "$connect";

/// As it is in an ARN after the stage: `GET/pets/1`, `$connect`.
pub(crate) struct Request(String);

impl Request {
    /// Reads `VERB /path`, or `$connect`.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text == CONNECT {
            return Ok(Self(text.to_owned()));
        }
        match text.split_once(' ') {
            Some((verb, path)) if VERBS.contains(&verb) && path.starts_with('/') => {
                if path.contains(['?', '#']) {
                    return Err("a request has no query and no fragment: they are not in the ARN");
                }
                Ok(Self(format!("{verb}{path}")))
            }
            _ => Err(WANTED),
        }
    }

    /// Whether it is a connection to a WebSocket API.
    pub(crate) fn is_connect(&self) -> bool {
        self.0 == CONNECT
    }

    /// As it is in an ARN after the stage.
    pub(crate) fn after_stage(&self) -> &str {
        &self.0
    }

    fn arn(&self) -> String {
        format!("{STAGE}/{}", self.0)
    }

    /// The event for this request. `location`: `TOKEN_SOURCE`, which says where a connection has its token.
    pub(crate) fn event(&self, token: &str, location: Option<&str>) -> String {
        let arn = self.arn();
        if !self.is_connect() {
            let credential = format!("Bearer {token}");
            return json!({"type": "TOKEN", "methodArn": arn, "authorizationToken": credential})
                .to_string();
        }
        let locations = list_members(location.unwrap_or_default());
        let first = locations.first().and_then(|location| location.split_once(':'));
        let (kind, name) = first.unwrap_or(("header", "Authorization"));
        let mut event = json!({
            "type": "REQUEST",
            "methodArn": arn,
            "headers": {},
            "queryStringParameters": {},
            "requestContext": {"eventType": "CONNECT", "routeKey": CONNECT},
        });
        match kind {
            "query" => event["queryStringParameters"][name] = json!(token),
            "cookie" => event["headers"]["Cookie"] = json!(format!("{name}={token}")),
            "subprotocol" => {
                event["headers"]["Sec-WebSocket-Protocol"] = json!(format!("{name}, {token}"));
            }
            _ => event["headers"][name] = json!(format!("Bearer {token}")),
        }
        event.to_string()
    }
}

/// Whether an answer lets this request pass now.
pub(crate) fn is_allowed(answer: &Answer, request: &Request) -> bool {
    let answer: Value = serde_json::from_str(answer.get()).unwrap_or_default();
    let document = &answer["policyDocument"];
    iam::evaluate(document, &request.arn(), tokens::now()) == iam::Verdict::Allow
}
