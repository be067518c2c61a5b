//! What a client is told to do about a refusal: the value of `WWW-Authenticate`, as a whole. A function cannot set
//! headers, so a gateway response takes it from the answer's context.

use crate::access::rights::is_scope;
use crate::denial::{Denial, MissingRights, StepUp};

/// The most bytes of `acr_values`. The challenge becomes a header, and API Gateway takes 10,240 bytes of these in sum.
const MAX_ACR_VALUES: usize = 1024;

/// What every challenge has in addition to its reason.
#[derive(Clone, Debug, Default)]
pub(crate) struct Challenges {
    /// The scopes to ask for where the challenge does not name others: `CHALLENGE_SCOPES`.
    pub(crate) scopes: Vec<String>,
    /// The protected resource metadata (RFC 9728 section 5.1), as it is configured.
    pub(crate) resource_metadata: Option<String>,
}

impl Challenges {
    /// The challenge of a refusal (RFC 6750 section 3). Every value is a number, or a configured or fixed string
    /// without quotes and backslashes.
    pub(crate) fn of(&self, denial: &Denial) -> String {
        match denial {
            // RFC 6750 section 3.1: no error code where the request has no credentials.
            Denial::TokenMissing { .. } => self.write(&[], &[]),
            Denial::InsufficientScope { lacks, .. } => match lacks {
                MissingRights::Scope { required, .. } => self.insufficient_scope(required),
                MissingRights::NoRoute | MissingRights::Route | MissingRights::Guard => {
                    self.insufficient_scope(&[])
                }
                MissingRights::SignIn(step_up) => self.of_step_up(step_up),
            },
            other => {
                let code = other.reason().code();
                self.write(&[("error", "invalid_token"), ("error_description", code)], &[])
            }
        }
    }

    /// The challenge for a user who has to sign in again (RFC 9470 section 3).
    pub(crate) fn of_step_up(&self, step_up: &StepUp) -> String {
        let max_age = step_up.max_age.map(|seconds| seconds.to_string());
        let mut acr_values = String::new();
        for value in &step_up.acr_values {
            // A quote or a space would break the parameter. The allowed characters are those of scopes.
            if is_scope(value) && acr_values.len() + " ".len() + value.len() <= MAX_ACR_VALUES {
                acr_values.push_str(if acr_values.is_empty() { "" } else { " " });
                acr_values.push_str(value);
            }
        }
        let mut parameters = vec![("error", "insufficient_user_authentication")];
        if let Some(max_age) = &max_age {
            parameters.push(("max_age", max_age));
        }
        if !acr_values.is_empty() {
            parameters.push(("acr_values", &acr_values));
        }
        self.write(&parameters, &[])
    }

    /// The challenge of a 403 that API Gateway itself gives to a request which a policy does not open.
    pub(crate) fn of_closed_route(&self) -> String {
        self.insufficient_scope(&[])
    }

    fn insufficient_scope(&self, required: &[String]) -> String {
        self.write(&[("error", "insufficient_scope")], required)
    }

    fn write(&self, parameters: &[(&str, &str)], required: &[String]) -> String {
        let mut challenge = String::with_capacity(128);
        challenge.push_str("Bearer");
        for (name, value) in parameters {
            push(&mut challenge, name, value);
        }
        let scopes = if required.is_empty() { &self.scopes } else { required };
        if !scopes.is_empty() {
            push(&mut challenge, "scope", &scopes.join(" "));
        }
        if let Some(url) = &self.resource_metadata {
            push(&mut challenge, "resource_metadata", url);
        }
        challenge
    }
}

fn push(challenge: &mut String, name: &str, value: &str) {
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
    fn a_sign_in_is_asked_for_with_its_age_and_class() {
        let challenges = Challenges {
            scopes: vec!["a".to_owned(), "b".to_owned()],
            resource_metadata: Some(URL.to_owned()),
        };
        let plain = Challenges::default();
        for (max_age, acr_values, parameters) in [
            (Some(300), &[][..], r#", max_age="300""#),
            (None, &["gold", "urn:x:silver"], r#", acr_values="gold urn:x:silver""#),
            (Some(60), &["gold"], r#", max_age="60", acr_values="gold""#),
            // What cannot be a word between quotes is left out.
            (None, &["a\"b", "a b", "a\\b", "p\u{e4}", "", "gold"], r#", acr_values="gold""#),
            (None, &["a b"], ""),
        ] {
            let acr_values = acr_values.iter().map(ToString::to_string).collect();
            let step_up = StepUp { max_age, acr_values };
            let expected =
                format!(r#"Bearer error="insufficient_user_authentication"{parameters}"#);
            assert_eq!(plain.of_step_up(&step_up), expected);
            let denial = Denial::InsufficientScope {
                principal: "u".to_owned(),
                lacks: MissingRights::SignIn(step_up),
                has_distributed_claims: false,
            };
            assert_eq!(plain.of(&denial), expected);
            let with_all = format!(r#"{expected}, scope="a b", resource_metadata="{URL}""#);
            assert_eq!(challenges.of(&denial), with_all);
        }
    }

    #[test]
    fn a_challenge_has_the_first_classes_that_fit() {
        let long = "x".repeat(1_000);
        let acr_values = vec!["gold".to_owned(), long.clone(), "y".repeat(20), "tin".to_owned()];
        let challenge = Challenges::default().of_step_up(&StepUp { max_age: None, acr_values });
        let expected = format!(r#"acr_values="gold {long} tin""#);
        assert!(challenge.ends_with(&expected), "{challenge}");
        let acr_values = vec!["x".repeat(1_024)];
        let challenge = Challenges::default().of_step_up(&StepUp { max_age: None, acr_values });
        assert_eq!(challenge, r#"Bearer error="insufficient_user_authentication""#);
    }

    #[test]
    fn a_challenge_names_the_reason_the_scopes_and_where_to_ask() {
        let scopes = ["pets:read".to_owned(), "pets:write".to_owned()];
        let missing = MissingRights::Scope { missing: scopes[1].clone(), required: scopes.into() };
        let without_scope = Denial::InsufficientScope {
            principal: "u".into(),
            lacks: missing,
            has_distributed_claims: false,
        };
        let denials = one_of_each();
        assert_eq!(denials.each_ref().map(Denial::reason), Reason::ALL);
        for denial in denials.iter().chain([&without_scope]) {
            let reason = denial.reason();
            let own_scope = if *denial == without_scope { "pets:read pets:write" } else { "" };
            let error = match reason {
                Reason::TokenMissing => Vec::new(),
                Reason::InsufficientScope => vec![r#"error="insufficient_scope""#.to_owned()],
                _ => vec![
                    r#"error="invalid_token""#.to_owned(),
                    format!(r#"error_description="{}""#, reason.code()),
                ],
            };
            for (asked, resource_metadata) in
                [("", None), ("", Some(URL)), ("a b", None), ("a b", Some(URL))]
            {
                let mut parameters = error.clone();
                let scope = if own_scope.is_empty() { asked } else { own_scope };
                if !scope.is_empty() {
                    parameters.push(format!(r#"scope="{scope}""#));
                }
                if let Some(url) = resource_metadata {
                    parameters.push(format!(r#"resource_metadata="{url}""#));
                }
                let expected = format!("Bearer {}", parameters.join(", "));
                let challenges = Challenges {
                    scopes: asked.split_whitespace().map(str::to_owned).collect(),
                    resource_metadata: resource_metadata.map(str::to_owned),
                };
                assert_eq!(challenges.of(denial), expected.trim_end());
                if reason == Reason::InsufficientScope && own_scope.is_empty() {
                    assert_eq!(challenges.of_closed_route(), expected);
                }
            }
        }
    }
}
