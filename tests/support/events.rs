//! The main kind of event, as API Gateway sends it to a `TOKEN` authorizer.

use serde_json::json;

/// The ARN of the PetStore example, up to the stage.
pub(crate) const STAGE: &str = "arn:aws:execute-api:us-east-1:123456789012:ymy8tbxw7b/dev";

/// A request with this `Authorization` header.
pub(crate) fn event(authorization: &str) -> String {
    let arn = format!("{STAGE}/GET/pets");
    json!({"type": "TOKEN", "authorizationToken": authorization, "methodArn": arn}).to_string()
}

/// A request with this bearer token.
pub(crate) fn bearer(token: &str) -> String {
    event(&format!("Bearer {token}"))
}
