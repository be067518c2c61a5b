//! Every kind of API: the sample events, where their tokens stand, and the form of the answer.

use std::fs;
use std::time::Duration;

use aws_lambda_events::apigw::{
    ApiGatewayCustomAuthorizerRequest, ApiGatewayCustomAuthorizerRequestTypeRequest,
    ApiGatewayCustomAuthorizerResponse, ApiGatewayV2CustomAuthorizerV1Request,
    ApiGatewayV2CustomAuthorizerV2Request,
};
use aws_lambda_events::iam::IamPolicyEffect;
use serde_json::{Value, json};

use super::support::events::challenge;
use super::support::idp::{Behaviour, Idp};
use super::support::process::Lambda;
use super::support::runtime_api::Reply;
use super::support::tokens::{self, SigningKey};
use super::{assert_no_verdict, bearer, claims, provider, said, start};

/// A sample event with this token.
pub(crate) fn sample(file: &str, token: &str) -> Value {
    let event = fs::read_to_string(format!("events/{file}.json")).unwrap();
    serde_json::from_str(&event.replace("{{token}}", token)).unwrap()
}

fn ask(lambda: &Lambda, event: &Value) -> Reply {
    lambda.invoke(&event.to_string())
}

fn resource(reply: &Reply) -> &str {
    reply.body["policyDocument"]["Statement"][0]["Resource"][0].as_str().unwrap()
}

const API: &str = "arn:aws:execute-api:us-east-1:123456789012:ymy8tbxw7b";

/// The sample of each kind, where its token stands, and the resource of a policy for it.
pub(crate) const KINDS: [(&str, &str, &str); 5] = [
    ("token-allowed", "header:Authorization", "dev/*"),
    ("rest-request", "header:Authorization", "dev/*"),
    ("websocket-connect", "query:token", "dev/$connect"),
    ("http-1.0", "header:Authorization", "dev/*"),
    ("http-2.0", "header:Authorization", "$default/*"),
];

#[test]
fn every_kind_of_event_is_answered() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let good = key.token(&claims(&idp, json!({})));
    let expired = key.token(&claims(&idp, json!({"exp": tokens::now() - 1})));
    for (file, source, pattern) in KINDS {
        let lambda = start(&idp, &[("TOKEN_SOURCE", source)]);
        let reply = ask(&lambda, &sample(file, &good));
        assert_eq!(
            (&*said(&reply), resource(&reply)),
            ("Allow", &*format!("{API}/{pattern}")),
            "{file}"
        );
        assert_eq!(reply.body["principalId"], "user-1");
        let guard = &reply.body["policyDocument"]["Statement"][1];
        assert_eq!(
            (&guard["Effect"], &guard["Resource"]),
            (&json!("Deny"), &json!([resource(&reply)])),
            "{file}"
        );
        for (token, reason) in
            [(&*expired, "token_expired"), ("rubbish", "token_malformed"), ("", "token_missing")]
        {
            let mut event = sample(file, token);
            if token.is_empty() {
                remove_token(&mut event);
            }
            let reply = ask(&lambda, &event);
            assert_eq!(said(&reply), format!("Deny {reason}"), "{file}");
            assert_eq!(resource(&reply), format!("{API}/{pattern}"), "{file}");
        }
    }
}

#[test]
fn aws_own_types_read_the_samples_and_our_answers() {
    let text = |file: &str| fs::read_to_string(format!("events/{file}.json")).unwrap();
    for file in ["token-allowed", "token-expired", "token-no-bearer"] {
        let event: ApiGatewayCustomAuthorizerRequest = serde_json::from_str(&text(file)).unwrap();
        assert_eq!(event.type_.as_deref(), Some("TOKEN"), "{file}");
    }
    for file in ["rest-request", "websocket-connect"] {
        let event: ApiGatewayCustomAuthorizerRequestTypeRequest =
            serde_json::from_str(&text(file)).unwrap();
        assert!(event.method_arn.is_some(), "{file}");
    }
    let _: ApiGatewayV2CustomAuthorizerV1Request = serde_json::from_str(&text("http-1.0")).unwrap();
    let _: ApiGatewayV2CustomAuthorizerV2Request = serde_json::from_str(&text("http-2.0")).unwrap();

    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let routes = r#"{"GET /pets": ["pets:read"], "DELETE /pets": ["pets:delete"]}"#;
    let settings = [("ROUTES", routes), ("PATH_GUARD", "off"), ("USAGE_KEY_CLAIM", "client_id")];
    let lambda = start(&idp, &settings);
    let read = |reply: &Reply| -> ApiGatewayCustomAuthorizerResponse {
        serde_json::from_slice(&reply.raw).unwrap()
    };
    let allowed = read(&lambda.invoke(&bearer(&key.token(&claims(&idp, json!({}))))));
    assert_eq!(
        (allowed.principal_id.as_deref(), allowed.usage_identifier_key.as_deref()),
        (Some("user-1"), Some("client-1"))
    );
    for empty in [json!(""), json!(5), json!(null)] {
        let reply = lambda.invoke(&bearer(&key.token(&claims(&idp, json!({"client_id": empty})))));
        assert_eq!(
            (&*said(&reply), reply.body.get("usageIdentifierKey")),
            ("Allow", None),
            "{empty}"
        );
    }
    assert_eq!(allowed.policy_document.version.as_deref(), Some("2012-10-17"));
    let [allow, deny, guard] = &allowed.policy_document.statement[..] else {
        panic!("{allowed:?}")
    };
    assert_eq!(
        (&allow.effect, &allow.resource[..]),
        (&IamPolicyEffect::Allow, &[format!("{API}/dev/GET/pets")][..])
    );
    assert_eq!(
        (&deny.effect, &deny.resource[..]),
        (&IamPolicyEffect::Deny, &[format!("{API}/dev/DELETE/pets")][..])
    );
    assert_eq!(
        (&guard.effect, &guard.resource[..]),
        (&IamPolicyEffect::Deny, &[format!("{API}/dev/*")][..])
    );
    let condition = guard.condition.as_ref().unwrap();
    assert_eq!(condition["DateGreaterThanEquals"]["aws:CurrentTime"].len(), 1);
    for statement in &allowed.policy_document.statement {
        assert_eq!(statement.action, ["execute-api:Invoke"]);
    }
    let denied = read(&lambda.invoke(&bearer("rubbish")));
    assert_eq!(denied.policy_document.statement[0].effect, IamPolicyEffect::Deny);
}

/// Takes away everything that may hold a token.
fn remove_token(event: &mut Value) {
    for member in [
        "authorizationToken",
        "headers",
        "multiValueHeaders",
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "cookies",
        "identitySource",
    ] {
        event.as_object_mut().unwrap().remove(member);
    }
}

#[test]
fn sources_are_asked_in_order_and_hold_one_token() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda =
        start(&idp, &[("TOKEN_SOURCE", "header:X-Token, query:access_token, cookie:session")]);
    let token = key.token(&claims(&idp, json!({})));
    let other = key.token(&claims(&idp, json!({"jti": "other"})));
    let scheme = format!("Bearer {token}");
    let rest = |members: Value| {
        let mut event = sample("rest-request", "x");
        remove_token(&mut event);
        event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        event
    };
    let http2 = |members: Value| {
        let mut event = sample("http-2.0", "x");
        remove_token(&mut event);
        event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        event
    };
    let cookie = format!("theme=dark; session=\"{token}\"");
    let two_cookies = format!("session={token}; session={other}");
    for (name, event, expected) in [
        ("header in any case", rest(json!({"headers": {"x-tOKEN": scheme}})), "Allow"),
        (
            "header twice, the same",
            rest(json!({"multiValueHeaders": {"X-Token": [scheme, scheme]}})),
            "Allow",
        ),
        (
            "both maps",
            rest(
                json!({"headers": {"X-Token": scheme}, "multiValueHeaders": {"X-Token": [scheme]}}),
            ),
            "Allow",
        ),
        (
            "two different headers",
            rest(json!({"multiValueHeaders": {"X-Token": [scheme, format!("Bearer {other}")]}})),
            "Deny token_malformed",
        ),
        (
            "a header needs the scheme",
            rest(json!({"headers": {"X-Token": token}})),
            "Deny token_malformed",
        ),
        (
            "query without a scheme",
            rest(json!({"queryStringParameters": {"access_token": token}})),
            "Allow",
        ),
        (
            "query with a scheme",
            rest(json!({"queryStringParameters": {"access_token": scheme}})),
            "Deny token_malformed",
        ),
        (
            "query names are exact",
            rest(json!({"queryStringParameters": {"Access_Token": token}})),
            "Deny token_missing",
        ),
        (
            "two different parameters",
            rest(json!({"multiValueQueryStringParameters": {"access_token": [token, other]}})),
            "Deny token_malformed",
        ),
        (
            "joined parameters",
            http2(json!({"queryStringParameters": {"access_token": format!("{token},{other}")}})),
            "Deny token_malformed",
        ),
        ("cookie in a header", rest(json!({"headers": {"Cookie": cookie}})), "Allow"),
        (
            "cookie in the list",
            http2(json!({"cookies": ["theme=dark", format!("session={token}")]})),
            "Allow",
        ),
        (
            "two different cookies",
            rest(json!({"headers": {"cookie": two_cookies}})),
            "Deny token_malformed",
        ),
        (
            "the first source counts",
            rest(
                json!({"headers": {"X-Token": "Bearer x"}, "queryStringParameters": {"access_token": token}}),
            ),
            "Deny token_malformed",
        ),
        (
            "a blank one is not present",
            rest(
                json!({"headers": {"X-Token": " "}, "queryStringParameters": {"access_token": token}}),
            ),
            "Allow",
        ),
        (
            "null maps",
            rest(json!({"headers": null, "queryStringParameters": null})),
            "Deny token_missing",
        ),
        (
            "another header",
            rest(json!({"headers": {"Authorization": scheme}})),
            "Deny token_missing",
        ),
    ] {
        assert_eq!(said(&ask(&lambda, &event)), expected, "{name}");
    }
}

#[test]
fn a_scheme_can_be_optional() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[("BEARER_PREFIX", "optional")]);
    let token = key.token(&claims(&idp, json!({})));
    for (authorization, expected) in [
        (token.clone(), "Allow"),
        (format!("Bearer {token}"), "Allow"),
        (format!("Basic {token}"), "Deny token_malformed"),
        (format!("{token} {token}"), "Deny token_malformed"),
    ] {
        assert_eq!(said(&lambda.invoke(&super::event(&authorization))), expected);
    }
}

#[test]
fn simple_responses_are_for_http_api_2_and_for_one_route() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let routes = r#"{"GET /pets/{petId}": ["pets:read"], "DELETE /pets/{petId}": ["pets:delete"], "GET /{any}": []}"#;
    let lambda = start(&idp, &[("SIMPLE_RESPONSE", "on"), ("ROUTES", routes)]);
    lambda.wait_for_log(|line| {
        line["level"] == "WARN"
            && line["message"].as_str().unwrap_or_default().contains("$context.routeKey")
    });
    let token = key.token(&claims(&idp, json!({})));
    let ask_for = |route: &str, token: &str| {
        let mut event = sample("http-2.0", token);
        event["routeArn"] = json!(format!("{API}/$default/{route}"));
        ask(&lambda, &event).body
    };
    let allowed = ask_for("GET/pets/1", &token);
    assert_eq!(
        (&allowed["isAuthorized"], &allowed["context"]["sub"]),
        (&json!(true), &json!("user-1"))
    );
    assert_eq!(allowed.as_object().unwrap().len(), 2, "{allowed}");
    let refused = |reason: &str| {
        json!({
            "isAuthorized": false, "context": {"reason": reason, "challenge": challenge(reason)},
        })
    };
    assert_eq!(
        ask_for("DELETE/pets/1", &token),
        refused("insufficient_scope"),
        "also matches no open entry"
    );
    assert_eq!(ask_for("PUT/pets/1", &token), refused("insufficient_scope"), "matches no entry");
    assert_eq!(ask_for("GET/pets/1", "rubbish"), refused("token_malformed"));
    // The other kinds get policies all the same.
    assert_eq!(said(&lambda.invoke(&bearer(&token))), "Allow");
}

#[test]
fn a_table_opens_connections_by_their_own_entry_only() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let event = sample("websocket-connect", &key.token(&claims(&idp, json!({}))));
    for (routes, expected) in [
        (r#"{"$connect": ["pets:read"], "GET /pets": ["nobody"]}"#, "Allow"),
        (r#"{"$connect": ["nobody"], "ANY /*": []}"#, "Deny insufficient_scope"),
        (r#"{"ANY /*": []}"#, "Deny insufficient_scope"),
    ] {
        let lambda = start(&idp, &[("TOKEN_SOURCE", "query:token"), ("ROUTES", routes)]);
        let reply = ask(&lambda, &event);
        assert_eq!(
            (&*said(&reply), resource(&reply)),
            (expected, &*format!("{API}/dev/$connect")),
            "{routes}"
        );
    }
}

#[test]
fn what_is_none_of_the_kinds_is_told_what_was_expected() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let lambda = start(&idp, &[]);
    let token = key.token(&claims(&idp, json!({})));
    let mut proxy_event = sample("rest-request", &token);
    proxy_event.as_object_mut().unwrap().remove("type");
    let mut http_without_arn = sample("http-2.0", &token);
    http_without_arn.as_object_mut().unwrap().remove("routeArn");
    let mut every_stage = sample("http-2.0", &token);
    every_stage["routeArn"] = json!(format!("{API}/*/GET/pets"));
    for (event, expected) in [
        (proxy_event, "not an authorizer event"),
        (http_without_arn, "not an authorizer event"),
        (every_stage, "`routeArn` has a wildcard"),
    ] {
        let reply = ask(&lambda, &event);
        assert_no_verdict(&reply, "event_unsupported");
        assert!(said(&reply).contains(expected), "{}", said(&reply));
    }
}

#[test]
fn many_invocations_at_once_share_one_refresh() {
    let (old, new) = (SigningKey::rsa("k1"), SigningKey::rsa("k2"));
    let idp = Idp::start();
    idp.serve(&[&old]);
    let lambda = start(&idp, &[("AWS_LAMBDA_MAX_CONCURRENCY", "64"), ("JWKS_TIMEOUT_MS", "10000")]);
    idp.serve(&[&old, &new]);
    idp.behave(Behaviour::Delay(Duration::from_millis(500)));
    let event = |n: usize| {
        let key = if n.is_multiple_of(2) { &old } else { &new };
        bearer(&key.token(&claims(&idp, json!({"sub": format!("user-{n}")}))))
    };
    let tickets: Vec<_> = (0..64).map(|n| lambda.submit(&event(n))).collect();
    let replies: Vec<_> = tickets.into_iter().map(|ticket| lambda.wait(ticket)).collect();
    for (n, reply) in replies.iter().enumerate() {
        assert_eq!(
            (&*said(reply), &reply.body["principalId"]),
            ("Allow", &json!(format!("user-{n}")))
        );
        let line = lambda.wait_for_log(|line| line["request_id"] == *reply.request_id);
        let trace = line["trace_id"].as_str().unwrap();
        assert!(trace.contains(reply.request_id.rsplit('-').next().unwrap()), "{line}");
    }
    assert_eq!(idp.fetches(), 2, "one at start, one for the rotation");
}
