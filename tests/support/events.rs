//! The main kind of event, as API Gateway sends it to a `TOKEN` authorizer.

use serde_json::json;

/// The ARN of the PetStore example, up to the stage.
pub(crate) const STAGE: &str = "arn:aws:execute-api:us-east-1:123456789012:ymy8tbxw7b/dev";

/// A request with this `Authorization` header.
pub(crate) fn event(authorization: &str) -> String {
    let arn = format!("{STAGE}/GET/pets");
    json!({"type": "TOKEN", "authorizationToken": authorization, "methodArn": arn}).to_string()
}

/// The challenge of a refusal for this reason, where no required scope is lacking and no metadata is named.
pub(crate) fn challenge(reason: &str) -> String {
    match reason {
        "token_missing" => "Bearer".to_owned(),
        "insufficient_scope" => r#"Bearer error="insufficient_scope""#.to_owned(),
        _ => format!(r#"Bearer error="invalid_token", error_description="{reason}""#),
    }
}

/// A request with this bearer token.
pub(crate) fn bearer(token: &str) -> String {
    event(&format!("Bearer {token}"))
}
