//! What a client is told to do about a refusal: `context.challenge`, to the byte.

use http_auth::parse_challenges;
use serde_json::{Value, json};

use super::apis::sample;
use super::decisions::{RIGHTS, every_reason};
use super::support::tokens::{SigningKey, now};
use super::{bearer, claims, event, provider, said, start};

/// By reason.
const CHALLENGES: [(&str, &str); 17] = [
    ("token_missing", "Bearer"),
    ("token_too_long", r#"Bearer error="invalid_token", error_description="token_too_long""#),
    ("token_malformed", r#"Bearer error="invalid_token", error_description="token_malformed""#),
    (
        "critical_header_unsupported",
        r#"Bearer error="invalid_token", error_description="critical_header_unsupported""#,
    ),
    ("type_not_accepted", r#"Bearer error="invalid_token", error_description="type_not_accepted""#),
    (
        "algorithm_not_allowed",
        r#"Bearer error="invalid_token", error_description="algorithm_not_allowed""#,
    ),
    ("issuer_untrusted", r#"Bearer error="invalid_token", error_description="issuer_untrusted""#),
    ("key_unknown", r#"Bearer error="invalid_token", error_description="key_unknown""#),
    ("signature_invalid", r#"Bearer error="invalid_token", error_description="signature_invalid""#),
    ("token_expired", r#"Bearer error="invalid_token", error_description="token_expired""#),
    (
        "token_not_yet_valid",
        r#"Bearer error="invalid_token", error_description="token_not_yet_valid""#,
    ),
    ("audience_mismatch", r#"Bearer error="invalid_token", error_description="audience_mismatch""#),
    ("claim_missing", r#"Bearer error="invalid_token", error_description="claim_missing""#),
    ("claim_invalid", r#"Bearer error="invalid_token", error_description="claim_invalid""#),
    (
        "token_binding_invalid",
        r#"Bearer error="invalid_token", error_description="token_binding_invalid""#,
    ),
    ("token_revoked", r#"Bearer error="invalid_token", error_description="token_revoked""#),
    ("insufficient_scope", r#"Bearer error="insufficient_scope", scope="pets:read""#),
];

const METADATA: &str = "https://pets.example.com/.well-known/oauth-protected-resource?a='b'&c=%22";

/// The parameters of the one challenge that this is, as RFC 9110 section 11.6.1 reads it.
fn parameters(challenge: &str) -> Vec<(String, String)> {
    let challenges = parse_challenges(challenge).unwrap_or_else(|_| panic!("{challenge}"));
    let [one] = &challenges[..] else { panic!("{challenges:?}") };
    assert_eq!(one.scheme, "Bearer");
    let parameters = one.params.iter();
    parameters.map(|(name, value)| ((*name).to_owned(), value.to_unescaped())).collect()
}

#[test]
fn every_reason_has_its_challenge_and_a_parser_reads_it() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let pointed_at = [&RIGHTS[..], &[("RESOURCE_METADATA", METADATA)]].concat();
    let (plain, pointing) = (start(&idp, &RIGHTS), start(&idp, &pointed_at));
    let asking = [&pointed_at[..], &[("CHALLENGE_SCOPES", "z!#[]~ pets:read")]].concat();
    let asking = start(&idp, &asking);
    for (reason, challenge) in CHALLENGES {
        let rows = every_reason(&key, &idp);
        let (name, event, _) = rows.iter().find(|(.., expected)| *expected == reason).unwrap();
        let reply = plain.invoke(event);
        assert_eq!(
            reply.body["context"],
            json!({"reason": reason, "challenge": challenge}),
            "{name}"
        );
        let expected: &[(&str, &str)] = match reason {
            "token_missing" => &[],
            "insufficient_scope" => &[("error", reason), ("scope", "pets:read")],
            _ => &[("error", "invalid_token"), ("error_description", reason)],
        };
        let owned = |parameters: &[(&str, &str)]| -> Vec<_> {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            parameters.iter().map(owned).collect()
        };
        assert_eq!(parameters(challenge), owned(expected));

        let comma = if challenge.ends_with('"') { "," } else { "" };
        let scope = if challenge.contains("scope=") { "" } else { r#" scope="z!#[]~ pets:read","# };
        let asked = format!(r#"{challenge}{comma}{scope} resource_metadata="{METADATA}""#);
        let reply = asking.invoke(event);
        assert_eq!(reply.body["context"], json!({"reason": reason, "challenge": asked}), "{name}");
        let mut with_scope = expected.to_vec();
        if !scope.is_empty() {
            with_scope.push(("scope", "z!#[]~ pets:read"));
        }
        with_scope.push(("resource_metadata", METADATA));
        assert_eq!(parameters(&asked), owned(&with_scope));

        let challenge = format!(r#"{challenge}{comma} resource_metadata="{METADATA}""#);
        let reply = pointing.invoke(event);
        assert_eq!(
            reply.body["context"],
            json!({"reason": reason, "challenge": challenge}),
            "{name}"
        );
        let expected = [expected, &[("resource_metadata", METADATA)]].concat();
        assert_eq!(parameters(&challenge), owned(&expected));
    }
    let reasons = token_authorizer::Reason::ALL.map(token_authorizer::Reason::code);
    assert_eq!(CHALLENGES.map(|(reason, _)| reason), reasons);
}

#[test]
fn scopes_are_named_where_one_of_them_is_lacking() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let settings = [
        ("REQUIRED_SCOPES", "z!#[]~ pets:read,pets:delete"),
        ("ROUTES", r#"{"GET /pets": ["pets:admin"]}"#),
        ("REFUSAL", "unauthorized"),
    ];
    let lambda = start(&idp, &settings);
    let all = "z!#[]~ pets:read pets:delete";
    for (scope, scopes) in
        [("", Some(all)), ("pets:read z!#[]~", Some(all)), ("pets:read z!#[]~ pets:delete", None)]
    {
        let reply = lambda.invoke(&bearer(&key.token(&claims(&idp, json!({ "scope": scope })))));
        assert_eq!(said(&reply), "Deny insufficient_scope");
        let challenge = reply.body["context"]["challenge"].as_str().unwrap();
        let lacking = scopes.map(|scopes| format!(r#", scope="{scopes}""#)).unwrap_or_default();
        assert_eq!(challenge, format!(r#"Bearer error="insufficient_scope"{lacking}"#));
        let read = parameters(challenge).into_iter().find(|(name, _)| name == "scope");
        assert_eq!(read.map(|(_, value)| value).as_deref(), scopes);
    }
    // A function error carries nothing beside its word.
    let reply = lambda.invoke(&event(""));
    assert_eq!(
        (said(&reply), reply.body.get("context")),
        ("Unauthorized".to_owned(), None::<&Value>)
    );
}

#[test]
fn a_simple_response_has_a_challenge_and_its_allow_has_none() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[("SIMPLE_RESPONSE", "on"), ("CONTEXT_CLAIMS", "sub")]);
    let ask = |token: &str| lambda.invoke(&sample("http-2.0", token).to_string()).body;
    let challenge = r#"Bearer error="invalid_token", error_description="token_malformed""#;
    assert_eq!(
        ask("rubbish"),
        json!({
            "isAuthorized": false,
            "context": {"reason": "token_malformed", "challenge": challenge},
        })
    );
    let allowed = ask(&key.token(&claims(&idp, json!({}))));
    assert_eq!(allowed, json!({"isAuthorized": true, "context": {"sub": "user-1"}}));
}

#[test]
fn an_allow_that_leaves_a_route_closed_has_a_challenge() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let table = r#"{"GET /pets": ["read"], "PUT /pets/{id}": {"any": ["admin", {"path": {"id": "sub"}}]},
        "$connect": ["chat"]}"#;
    let common = [
        ("ROUTES", table),
        ("CONTEXT_CLAIMS", "sub"),
        ("TOKEN_SOURCE", "header:Authorization query:token"),
    ];
    let plain = start(&idp, &common);
    let asking =
        [&common[..], &[("CHALLENGE_SCOPES", "read admin"), ("RESOURCE_METADATA", METADATA)]];
    let asking = start(&idp, &asking.concat());
    let pointed = format!(
        r#"Bearer error="insufficient_scope", scope="read admin", resource_metadata="{METADATA}""#
    );
    for (scope, is_open) in [
        ("read", false),
        ("admin", false),
        ("read admin", true),
        ("read admin chat", true),
        ("", false),
    ] {
        let token = key.token(&claims(&idp, json!({"scope": scope})));
        for (lambda, challenge) in
            [(&plain, r#"Bearer error="insufficient_scope""#), (&asking, &pointed)]
        {
            let context = lambda.invoke(&bearer(&token)).body["context"].take();
            let expected = if is_open {
                json!({"sub": "user-1"})
            } else {
                json!({"challenge": challenge, "sub": "user-1"})
            };
            assert_eq!(context, expected, "{scope}");
        }
    }
    // A connection gets a policy of its own, and a stage without a table leaves nothing closed.
    let token = key.token(&claims(&idp, json!({"scope": "chat"})));
    let connect = sample("websocket-connect", &token).to_string();
    assert_eq!(plain.invoke(&connect).body["context"], json!({"sub": "user-1"}));
    let open = start(&idp, &[("CONTEXT_CLAIMS", "sub"), ("CHALLENGE_SCOPES", "read")]);
    assert_eq!(open.invoke(&bearer(&token)).body["context"], json!({"sub": "user-1"}));
}

#[test]
fn a_sign_in_that_does_not_do_asks_for_another() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let table = r#"{
        "GET /pets": ["read"],
        "DELETE /pets": ["read", {"max_age": 300}, {"claims": {"acr": ["gold", "urn:x:silver"]}}]
    }"#;
    let settings = [("ROUTES", table), ("CONTEXT_CLAIMS", "sub"), ("CHALLENGE_SCOPES", "read")];
    let policies = start(&idp, &settings);
    let simple = start(&idp, &[&settings[..], &[("SIMPLE_RESPONSE", "on")]].concat());
    let for_request = start(&idp, &[&settings[..], &[("POLICY_SCOPE", "request")]].concat());
    for (seconds_ago, acr, wanted) in [
        (0, "gold", None),
        (310, "gold", Some(r#"max_age="300""#)),
        (0, "tin", Some(r#"acr_values="gold urn:x:silver""#)),
        (310, "tin", Some(r#"max_age="300", acr_values="gold urn:x:silver""#)),
    ] {
        let auth_time = now() - seconds_ago;
        let changes = json!({"scope": "read", "auth_time": auth_time, "acr": acr});
        let token = key.token(&claims(&idp, changes));
        let mut event = sample("http-2.0", &token);
        event["routeArn"] =
            json!("arn:aws:execute-api:us-east-1:123456789012:ymy8tbxw7b/dev/DELETE/pets");

        // A cached policy will close the route, so it always has the challenge of that time.
        let asks = wanted.unwrap_or(r#"max_age="300""#);
        let challenge =
            format!(r#"Bearer error="insufficient_user_authentication", {asks}, scope="read""#);
        let allowed = policies.invoke(&event.to_string());
        assert_eq!(said(&allowed), "Allow");
        assert_eq!(allowed.body["context"], json!({"challenge": challenge, "sub": "user-1"}));
        let read = parameters(&challenge);
        assert_eq!(read[0], ("error".to_owned(), "insufficient_user_authentication".to_owned()));
        assert_eq!(read[1..read.len() - 1].len(), asks.matches('=').count());

        let [decided, policy] =
            [&simple, &for_request].map(|lambda| lambda.invoke(&event.to_string()));
        let refused = json!({"reason": "insufficient_scope", "challenge": challenge});
        let context = if wanted.is_some() { refused } else { json!({"sub": "user-1"}) };
        let answer = json!({"isAuthorized": wanted.is_none(), "context": context});
        assert_eq!(decided.body, answer, "{seconds_ago} {acr}");
        assert_eq!(policy.body["context"], context);
    }
    // Signing in again would not help who lacks the scope as well.
    let token = key.token(&claims(&idp, json!({"scope": "other"})));
    let reply = policies.invoke(&bearer(&token));
    assert_eq!(said(&reply), "Deny insufficient_scope");
    let challenge = r#"Bearer error="insufficient_scope", scope="read""#;
    assert_eq!(reply.body["context"]["challenge"], challenge);
}

#[test]
fn without_expiry_guard_an_allow_that_is_all_open_asks_for_nothing() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let settings = [("ROUTES", r#"{"ANY /*": [{"max_age": 300}]}"#), ("CONTEXT_CLAIMS", "sub")];
    let token = key.token(&claims(&idp, json!({"auth_time": now()})));
    for (guard, statements, challenge) in [
        ("on", 4, json!(r#"Bearer error="insufficient_user_authentication", max_age="300""#)),
        ("off", 2, Value::Null),
    ] {
        let lambda = start(&idp, &[&settings[..], &[("EXPIRY_GUARD", guard)]].concat());
        let body = lambda.invoke(&bearer(&token)).body;
        assert_eq!(body["policyDocument"]["Statement"].as_array().unwrap().len(), statements);
        assert_eq!(body["context"]["challenge"], challenge, "{guard}");
    }
}
