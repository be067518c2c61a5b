//! What a client is told to do about a refusal: the value of `WWW-Authenticate`, as a whole. A function cannot set
//! headers, so a gateway response takes it from the answer's context.

use crate::reason::Reason;

/// The challenge of a refusal (RFC 6750 section 3). `lacking` gives the required scopes if the token lacks one of
/// them. Every value is a configured or fixed text without quotes and backslashes.
pub(crate) fn challenge<'s>(
    reason: Reason,
    lacking: impl FnOnce() -> &'s [String],
    resource_metadata: Option<&str>,
) -> String {
    let mut challenge = String::with_capacity(128);
    challenge.push_str("Bearer");
    let mut add = |name: &str, value: &str| {
        let separator = if challenge.ends_with('"') { ", " } else { " " };
        for part in [separator, name, "=\"", value, "\""] {
            challenge.push_str(part);
        }
    };
    match reason {
        // RFC 6750 section 3.1: no error code where the request has no credentials.
        Reason::TokenMissing => {}
        Reason::InsufficientScope => {
            add("error", "insufficient_scope");
            let scopes = lacking();
            if !scopes.is_empty() {
                add("scope", &scopes.join(" "));
            }
        }
        _ => {
            add("error", "invalid_token");
            add("error_description", reason.code());
        }
    }
    if let Some(url) = resource_metadata {
        // RFC 9728 section 5.1.
        add("resource_metadata", url);
    }
    challenge
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://pets.example.com/.well-known/oauth-protected-resource";

    #[test]
    fn a_challenge_says_what_the_reason_is_and_where_to_ask() {
        let scopes = ["pets:read".to_owned(), "pets:write".to_owned()];
        for reason in Reason::ALL {
            let (plain, with_scopes) = match reason {
                Reason::TokenMissing => ("Bearer".to_owned(), "Bearer".to_owned()),
                Reason::InsufficientScope => (
                    r#"Bearer error="insufficient_scope""#.to_owned(),
                    r#"Bearer error="insufficient_scope", scope="pets:read pets:write""#.to_owned(),
                ),
                _ => {
                    let code = reason.code();
                    let text =
                        format!(r#"Bearer error="invalid_token", error_description="{code}""#);
                    (text.clone(), text)
                }
            };
            assert_eq!(challenge(reason, || &[], None), plain);
            assert_eq!(challenge(reason, || &scopes, None), with_scopes);
            let comma = if reason == Reason::TokenMissing { "" } else { "," };
            let pointed = format!(r#"{with_scopes}{comma} resource_metadata="{URL}""#);
            assert_eq!(challenge(reason, || &scopes, Some(URL)), pointed);
        }
    }
}
