//! What a client is told to do about a refusal: the value of `WWW-Authenticate`, as a whole. A function cannot set
//! headers, so a gateway response takes it from the answer's context.

use crate::denial::{Denial, MissingRights};

/// The challenge of a refusal (RFC 6750 section 3). Every value is a configured or fixed string without quotes and
/// backslashes.
pub(crate) fn challenge(denial: &Denial, resource_metadata: Option<&str>) -> String {
    let mut challenge = String::with_capacity(128);
    challenge.push_str("Bearer");
    match denial {
        // RFC 6750 section 3.1: no error code where the request has no credentials.
        Denial::TokenMissing { .. } => {}
        Denial::InsufficientScope { lacks, .. } => {
            add(&mut challenge, "error", "insufficient_scope");
            if let MissingRights::Scope { required, .. } = lacks {
                add(&mut challenge, "scope", &required.join(" "));
            }
        }
        other => {
            add(&mut challenge, "error", "invalid_token");
            add(&mut challenge, "error_description", other.reason().code());
        }
    }
    if let Some(url) = resource_metadata {
        // RFC 9728 section 5.1.
        add(&mut challenge, "resource_metadata", url);
    }
    challenge
}

fn add(challenge: &mut String, name: &str, value: &str) {
    let separator = if challenge.ends_with('"') { ", " } else { " " };
    for part in [separator, name, "=\"", value, "\""] {
        challenge.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::denial::tests::one_of_each;
    use crate::reason::Reason;

    const URL: &str = "https://pets.example.com/.well-known/oauth-protected-resource";

    #[test]
    fn a_challenge_names_the_reason_and_where_to_ask() {
        let scopes = ["pets:read".to_owned(), "pets:write".to_owned()];
        let missing = MissingRights::Scope { missing: scopes[1].clone(), required: scopes.into() };
        let without_scope = Denial::InsufficientScope { principal: "u".into(), lacks: missing };
        let denials = one_of_each();
        assert_eq!(denials.each_ref().map(Denial::reason), Reason::ALL);
        for denial in denials.iter().chain([&without_scope]) {
            let reason = denial.reason();
            let plain = match reason {
                Reason::TokenMissing => "Bearer".to_owned(),
                Reason::InsufficientScope if *denial == without_scope => {
                    r#"Bearer error="insufficient_scope", scope="pets:read pets:write""#.to_owned()
                }
                Reason::InsufficientScope => r#"Bearer error="insufficient_scope""#.to_owned(),
                _ => {
                    let code = reason.code();
                    format!(r#"Bearer error="invalid_token", error_description="{code}""#)
                }
            };
            assert_eq!(challenge(denial, None), plain);
            let comma = if reason == Reason::TokenMissing { "" } else { "," };
            let pointed = format!(r#"{plain}{comma} resource_metadata="{URL}""#);
            assert_eq!(challenge(denial, Some(URL)), pointed);
        }
    }
}
