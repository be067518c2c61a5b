//! Decisions through the library's own interface, where a process around them would only cost time.
#![allow(dead_code, reason = "each target uses only part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what cannot be asked ought to fail its test at once"
)]

use serde_json::{Value, json};
use token_authorizer::{Authorizer, Config, Failure, Problems};

pub(crate) const STAGE: &str = "arn:aws:execute-api:eu-west-1:123456789012:abcdef1234/prod";

/// What came of a token.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    Allowed { principal: String, context: Value, document: Value },
    Refused { principal: String, reason: String },
    NoVerdict(&'static str),
}

impl Outcome {
    /// The reason or the obstacle, or nothing where the token is good.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Allowed { .. } => "",
            Self::Refused { reason, .. } => reason,
            Self::NoVerdict(obstacle) => obstacle,
        }
    }

    pub(crate) fn document(self) -> Value {
        let Self::Allowed { document, .. } = self else { panic!("{self:?}") };
        document
    }
}

pub(crate) fn read(settings: &[(&str, &str)]) -> Result<Config, Problems> {
    Config::read(&settings.iter().copied().collect())
}

/// An authorizer that has yet to fetch its keys.
pub(crate) fn authorizer(settings: &[(&str, &str)]) -> Authorizer {
    Authorizer::new(read(settings).unwrap_or_else(|problems| panic!("{problems}")))
}

/// Asks for `GET /pets` with this token.
pub(crate) async fn ask(authorizer: &Authorizer, token: &str) -> Outcome {
    let event = json!({
        "type": "TOKEN",
        "authorizationToken": format!("Bearer {token}"),
        "methodArn": format!("{STAGE}/GET/pets"),
    });
    let answer = match authorizer.decide(&event.to_string()).await.answer {
        Ok(answer) => serde_json::from_str::<Value>(answer.get()).unwrap(),
        Err(Failure::NoVerdict(fault)) => return Outcome::NoVerdict(fault.obstacle.code()),
        Err(Failure::Unauthorized) => panic!("REFUSAL is not under test here"),
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (principal, context) = (text(&answer["principalId"]), answer["context"].clone());
    let document = answer["policyDocument"].clone();
    match document["Statement"][0]["Effect"].as_str() {
        Some("Allow") => Outcome::Allowed { principal, context, document },
        _ => Outcome::Refused { principal, reason: text(&context["reason"]) },
    }
}
