//! What a token opens and what it cannot: rights by route, keys that are not the issuer's, issuers side by side.
//! First of all, that the evaluator of policies which says so can be believed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "what cannot be asked ought to fail its test at once"
)]

mod direct;
mod support;

use std::panic::catch_unwind;
use std::pin::pin;

use direct::{Outcome, STAGE, ask, authorizer};
use futures_util::future::{Either, select};
use serde_json::{Value, json};
use support::iam::{Verdict, evaluate};
use support::idp::{Behaviour, Idp};
use support::tokens::{SigningKey, b64, claims, jwks, now};

const VERBS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

mod evaluator {
    use super::*;

    fn document(statements: Value) -> Value {
        json!({ "Version": "2012-10-17", "Statement": statements })
    }

    fn allow(resource: Value) -> Value {
        json!({ "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": resource })
    }

    fn deny(resource: Value) -> Value {
        json!({ "Effect": "Deny", "Action": "execute-api:Invoke", "Resource": resource })
    }

    fn verdict(statements: Value, arn: &str) -> Verdict {
        evaluate(&document(statements), arn, 0)
    }

    #[test]
    fn resources_match_with_wildcards() {
        const API: &str = "arn:aws:execute-api:eu-west-1:1:api";
        for (pattern, path, matches) in [
            ("/s/GET/pets", "/s/GET/pets", true),
            ("/s/GET/pets", "/s/GET/pets/", false),
            ("/s/GET/pets", "/s/GET/Pets", false),
            ("/s/GET/pets", "/s/GET/pet", false),
            ("/s/GET/*", "/s/GET/", true),
            ("/s/GET/*", "/s/GET", false),
            ("/s/GET/*", "/s/GET/a/b:c/d", true),
            ("/s/GET/*", "/s2/GET/a", false),
            ("/s/*/pets", "/s/GET/a/pets", true),
            ("/s/*/pets", "/s/GET/a/pets/", false),
            ("/s/*/a/*/b", "/s/GET/a/b/a//b", true),
            ("/s/*/a/*/b", "/s/GET/a/b", false),
            ("/s/*", "/s/", true),
            ("/s/**", "/s/x", true),
            ("/s/G?T/", "/s/GET/", true),
            ("/s/G?T/", "/s/GT/", false),
            ("/s/G?T/", "/s/GEET/", false),
            ("/s/GET/?*", "/s/GET/", false),
            ("/s/GET/?*", "/s/GET/\u{e4}", true),
            ("*", "/s/GET/", true),
        ] {
            let expected = if matches { Verdict::Allow } else { Verdict::ImplicitDeny };
            let arn = format!("{API}{path}");
            assert_eq!(
                verdict(json!([allow(json!(format!("{API}{pattern}")))]), &arn),
                expected,
                "{pattern} {path}"
            );
        }
        let whole = json!([allow(json!("*"))]);
        assert_eq!(verdict(whole, API), Verdict::Allow);
        let wide = json!([allow(json!("arn:aws:execute-api:*:*:*"))]);
        assert_eq!(verdict(wide.clone(), API), Verdict::Allow);
        assert_eq!(verdict(wide, "arn:aws:lambda:eu-west-1:1:api"), Verdict::ImplicitDeny);
    }

    #[test]
    fn strings_and_arrays_mean_the_same_and_any_of_an_array_will_do() {
        let (arn, other) =
            ("arn:aws:execute-api:r:1:a/s/GET/x", "arn:aws:execute-api:r:1:a/s/GET/y");
        for statements in [
            allow(json!(arn)),
            json!([allow(json!(arn))]),
            json!([allow(json!([other, arn]))]),
            json!([allow(json!(other)), allow(json!([arn]))]),
        ] {
            assert_eq!(verdict(statements, arn), Verdict::Allow);
        }
        for (action, expected) in [
            (json!("execute-api:Invoke"), Verdict::Allow),
            (json!("Execute-API:invoke"), Verdict::Allow),
            (json!("execute-api:*"), Verdict::Allow),
            (json!("*"), Verdict::Allow),
            (json!(["s3:GetObject", "execute-api:Inv?ke"]), Verdict::Allow),
            (json!("execute-api:ManageConnections"), Verdict::ImplicitDeny),
            (json!(["execute-api:Invok"]), Verdict::ImplicitDeny),
        ] {
            let statement =
                json!({ "Sid": "x", "Effect": "Allow", "Action": action, "Resource": [arn] });
            assert_eq!(verdict(json!([statement]), arn), expected, "{action}");
        }
    }

    #[test]
    fn a_deny_wins_wherever_it_stands() {
        let arn = "arn:aws:execute-api:r:1:a/s/GET/x";
        let (yes, no) = (allow(json!("*")), deny(json!("arn:aws:execute-api:r:1:a/s/*/x")));
        assert_eq!(verdict(json!([yes, no]), arn), Verdict::ExplicitDeny);
        assert_eq!(verdict(json!([no, yes]), arn), Verdict::ExplicitDeny);
        assert_eq!(verdict(json!([no]), arn), Verdict::ExplicitDeny);
        assert_eq!(verdict(json!([no, yes]), "arn:aws:execute-api:r:1:a/s/GET/y"), Verdict::Allow);
        assert_eq!(
            verdict(json!([no]), "arn:aws:execute-api:r:1:a/s/GET/y"),
            Verdict::ImplicitDeny
        );
    }

    #[test]
    fn dates_are_compared_to_the_second() {
        for (date, unix) in [
            ("1970-01-01T00:00:01Z", 1),
            ("2000-02-29T12:34:56Z", 951_827_696),
            ("2027-01-15T08:00:00Z", 1_800_000_000),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            let statement = |operator: &str| {
                let condition = json!({ operator: { "aws:CurrentTime": [date] } });
                document(json!([
                    { "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition }
                ]))
            };
            for (operator, at, expected) in [
                ("DateGreaterThanEquals", unix - 1, Verdict::ImplicitDeny),
                ("DateGreaterThanEquals", unix, Verdict::Allow),
                ("DateLessThan", unix - 1, Verdict::Allow),
                ("DateLessThan", unix, Verdict::ImplicitDeny),
            ] {
                assert_eq!(
                    evaluate(&statement(operator), "arn", at),
                    expected,
                    "{operator} {date} at {at}"
                );
            }
        }
    }

    #[test]
    fn all_operators_must_hold_and_one_value_will_do() {
        let condition = json!({
            "DateGreaterThanEquals": { "aws:CurrentTime": "1970-01-01T00:00:10Z" },
            "DateLessThan": { "aws:CurrentTime": ["1970-01-01T00:00:05Z", "1970-01-01T00:00:20Z"] },
        });
        let statement =
            json!({ "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition });
        let document = document(json!([allow(json!("*")), statement]));
        for (at, expected) in [
            (9, Verdict::Allow),
            (10, Verdict::ExplicitDeny),
            (19, Verdict::ExplicitDeny),
            (20, Verdict::Allow),
        ] {
            assert_eq!(evaluate(&document, "arn", at), expected, "{at}");
        }
    }

    #[test]
    fn what_an_answer_must_not_hold_is_not_passed_over() {
        let good = allow(json!("*"));
        let changed = |name: &str, value: Value| {
            let mut statement = good.clone();
            statement[name] = value;
            document(json!([good, statement]))
        };
        let condition = |operator: &str, key: &str, value: Value| {
            changed("Condition", json!({ operator: { key: value } }))
        };
        let date = |text: &str| condition("DateLessThan", "aws:CurrentTime", json!(text));
        for (what, document) in [
            ("no version", json!({ "Statement": [good] })),
            ("the old version", json!({ "Version": "2008-10-17", "Statement": [good] })),
            ("no statements", json!({ "Version": "2012-10-17" })),
            ("empty statements", document(json!([]))),
            ("another member", json!({ "Version": "2012-10-17", "Statement": [good], "X": 1 })),
            ("a null id", json!({ "Version": "2012-10-17", "Statement": [good], "Id": null })),
            ("a null condition", changed("Condition", json!(null))),
            ("a null in a list", changed("Resource", json!(["*", null]))),
            ("a principal", changed("Principal", json!("*"))),
            ("not resources", changed("NotResource", json!("*"))),
            ("a small effect", changed("Effect", json!("allow"))),
            ("a variable", changed("Resource", json!("arn:aws:execute-api:r:1:a/${aws:username}"))),
            ("an escaped star", changed("Resource", json!("arn:aws:execute-api:r:1:a/${*}"))),
            ("part of an ARN", changed("Resource", json!("arn:aws:execute-api"))),
            ("no ARN", changed("Resource", json!("s/GET/x"))),
            ("no resource", changed("Resource", json!([]))),
            ("no action", changed("Action", json!([]))),
            ("a number", changed("Action", json!(1))),
            (
                "another operator",
                condition("DateEquals", "aws:CurrentTime", json!("1970-01-01T00:00:00Z")),
            ),
            (
                "another key",
                condition("DateLessThan", "aws:EpochTime", json!("1970-01-01T00:00:00Z")),
            ),
            ("no value", condition("DateLessThan", "aws:CurrentTime", json!([]))),
            ("a fraction", date("1970-01-01T00:00:00.5Z")),
            ("a zone", date("1970-01-01T00:00:00+01:00")),
            ("no zone", date("1970-01-01T00:00:00")),
            ("no such day", date("2027-02-29T00:00:00Z")),
            ("no such hour", date("2027-01-01T24:00:00Z")),
        ] {
            assert!(catch_unwind(|| evaluate(&document, "arn", 0)).is_err(), "{what}");
        }
        assert_eq!(evaluate(&document(json!([good])), "arn", 0), Verdict::Allow);
    }
}

/// An identity provider, and the key that it publishes.
fn provider(kid: &str) -> (Idp, SigningKey) {
    let (idp, key) = (Idp::start(), SigningKey::rsa(kid));
    idp.serve(&[&key]);
    (idp, key)
}

#[tokio::test]
async fn three_routes_and_a_token_that_may_use_two() {
    let (idp, key) = provider("rights-1");
    let routes = json!({
        "GET /pets": ["pets:read"],
        "POST /pets/{petId}": ["pets:write"],
        "ANY /admin/{proxy+}": ["pets:admin"],
    });
    let authorizer = authorizer(&[
        ("ISSUER", &idp.issuer()),
        ("AUDIENCE", "my-api"),
        ("ROUTES", &routes.to_string()),
    ]);
    authorizer.prefetch().await;
    let claims = claims(&idp.issuer(), "my-api");
    // One answer, as it lies in the gateway's cache.
    let document = ask(&authorizer, &key.token(&claims)).await.document();

    let paths = [
        "",
        "pets",
        "pets/",
        "Pets",
        "pet",
        "petss",
        "pets/1",
        "pets/1/toys",
        "pets/*",
        "pets/?",
        "pets/${aws:a}",
        "*",
        "admin",
        "admin/",
        "admin/users",
        "admin/pets",
        "xadmin/users",
        "GET/pets",
        "pets/1/GET/pets",
        "$connect",
    ];
    let exp = claims["exp"].as_u64().unwrap();
    let mut open = Vec::new();
    for verb in VERBS.into_iter().chain(["TRACE", "get", "*"]) {
        for path in paths {
            let arn = format!("{STAGE}/{verb}/{path}");
            let verdict = evaluate(&document, &arn, now());
            assert_eq!(verdict, evaluate(&document, &arn, exp - 1));
            assert_eq!(
                evaluate(&document, &arn, exp),
                Verdict::ExplicitDeny,
                "{arn} after the token's end"
            );
            let is_admin = VERBS.contains(&verb) && path.starts_with("admin/");
            assert_eq!(verdict == Verdict::ExplicitDeny, is_admin, "{arn}");
            if verdict == Verdict::Allow {
                open.push(format!("{verb} /{path}"));
            }
        }
    }
    // What `{petId}` stands for has slashes in it too: a wildcard of IAM cannot be kept to one segment.
    let below_pets =
        paths.iter().filter(|path| path.starts_with("pets/")).map(|path| format!("POST /{path}"));
    let expected: Vec<_> = ["GET /pets".to_owned()].into_iter().chain(below_pets).collect();
    assert_eq!(open, expected);
}

#[tokio::test]
async fn a_token_without_rights_is_refused_by_name_for_the_whole_stage() {
    let (idp, key) = provider("rights-1");
    let routes = json!({ "GET /pets": ["x"], "PUT /pets": ["y"] }).to_string();
    let base = [("ISSUER", idp.issuer()), ("AUDIENCE", "my-api".to_owned())];
    for (name, value) in [("ROUTES", &*routes), ("REQUIRED_SCOPES", "pets:read pets:admin")] {
        let mut settings: Vec<_> =
            base.iter().map(|(name, value)| (*name, value.as_str())).collect();
        settings.push((name, value));
        let authorizer = authorizer(&settings);
        authorizer.prefetch().await;
        let outcome = ask(&authorizer, &key.token(&claims(&idp.issuer(), "my-api"))).await;
        let expected = Outcome::Refused {
            principal: "user-1".to_owned(),
            reason: "insufficient_scope".to_owned(),
        };
        assert_eq!(outcome, expected, "{name}");
    }
}

#[tokio::test]
async fn a_symmetric_key_from_the_network_is_no_key() {
    let (idp, rsa) = provider("rsa");
    let (ours, theirs) = (SigningKey::hmac("ours", &[1; 32]), SigningKey::hmac("theirs", &[2; 32]));
    let renamed = SigningKey::hmac("ours", &[2; 32]);
    idp.serve(&[&rsa, &theirs, &renamed]);
    let issuer = idp.issuer();
    let good = claims(&issuer, "my-api");

    let default = authorizer(&[("ISSUER", &issuer), ("AUDIENCE", "my-api")]);
    default.prefetch().await;
    assert_eq!(ask(&default, &rsa.token(&good)).await.code(), "");
    assert_eq!(ask(&default, &theirs.token(&good)).await.code(), "algorithm_not_allowed");

    let (uri, ours_as_json) = (idp.jwks_uri(), jwks(&[&ours]).to_string());
    let both = authorizer(&[
        ("ISSUER", &issuer),
        ("AUDIENCE", "my-api"),
        ("ALGORITHMS", "RS256 HS256"),
        ("JWKS_URI", &uri),
        ("JWKS", &ours_as_json),
    ]);
    // The RSA key is not in the configured set, so this token fetches what the provider publishes.
    assert_eq!(ask(&both, &rsa.token(&good)).await.code(), "");
    assert_eq!(idp.fetches(), 2);
    assert_eq!(ask(&both, &ours.token(&good)).await.code(), "");
    assert_eq!(ask(&both, &theirs.token(&good)).await.code(), "key_unknown");
    assert_eq!(ask(&both, &renamed.token(&good)).await.code(), "signature_invalid");
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    let (idp, rsa) = provider("rsa");
    let issuer = idp.issuer();
    let good = claims(&issuer, "my-api");
    let default = authorizer(&[("ISSUER", &issuer), ("AUDIENCE", "my-api")]);
    default.prefetch().await;
    let (uri, secret) =
        (idp.jwks_uri(), jwks(&[&SigningKey::hmac("secret", &[1; 64])]).to_string());
    let mixed = authorizer(&[
        ("ISSUER", &issuer),
        ("AUDIENCE", "my-api"),
        ("ALGORITHMS", "RS256 HS256 HS384 HS512"),
        ("JWKS_URI", &uri),
        ("JWKS", &secret),
    ]);
    assert_eq!(ask(&mixed, &rsa.token(&good)).await.code(), "");

    let pem = rsa.spki_pem();
    for (form, bytes) in [
        ("PEM", pem.clone().into_bytes()),
        ("PEM without its last line end", pem.trim_end().as_bytes().to_vec()),
        ("SubjectPublicKeyInfo", rsa.spki_der()),
        ("RSAPublicKey", rsa.pkcs1_der()),
        ("modulus", rsa.modulus()),
        ("modulus in base64url", b64(rsa.modulus()).into_bytes()),
        ("JWK", rsa.jwk().to_string().into_bytes()),
    ] {
        for alg in ["HS256", "HS384", "HS512"] {
            let forger = SigningKey::hmac("rsa", &bytes).with_alg(alg);
            let (named, unnamed) =
                (forger.token(&good), forger.token_with(&json!({ "alg": alg }), &good));
            for token in [&named, &unnamed] {
                assert_eq!(
                    ask(&default, token).await.code(),
                    "algorithm_not_allowed",
                    "{form} {alg}"
                );
            }
            // Where secrets are in use too, the RSA key still is none, and the only secret, for HS256, is another.
            assert_eq!(ask(&mixed, &named).await.code(), "key_unknown", "{form} {alg}");
            let unnamed_is = if alg == "HS256" { "signature_invalid" } else { "key_unknown" };
            assert_eq!(ask(&mixed, &unnamed).await.code(), unnamed_is, "{form} {alg}");
        }
    }
}

/// An answer that is for one request only: which of these routes it lets through, with this table.
async fn lets_through(
    routes: Value,
    events: &[(&str, Value)],
    settings: &[(&str, &str)],
) -> Vec<String> {
    let (idp, key) = provider("rights-1");
    let (issuer, routes) = (idp.issuer(), routes.to_string());
    let base = [("ISSUER", &*issuer), ("AUDIENCE", "my-api"), ("ROUTES", &routes)];
    let authorizer = authorizer(&[&base, settings].concat());
    authorizer.prefetch().await;
    let token = key.token(&claims(&issuer, "my-api"));
    let mut open = Vec::new();
    for (route, event) in events {
        let arn = format!("{STAGE}/{route}");
        let mut event = event.clone();
        let is_connection = event["requestContext"]["eventType"] == "CONNECT";
        let asked = if is_connection { format!("{STAGE}/$connect") } else { arn.clone() };
        event["type"] = json!("REQUEST");
        let name = if event["version"] == "2.0" { "routeArn" } else { "methodArn" };
        event[name] = json!(arn);
        event["headers"] = json!({ "authorization": format!("Bearer {token}") });
        let answer = authorizer.decide(&event.to_string()).await.answer.unwrap();
        let answer: Value = serde_json::from_str(answer.get()).unwrap();
        let reason = "insufficient_scope";
        let refused = json!({ "reason": reason, "challenge": support::events::challenge(reason) });
        let is_open = match answer["isAuthorized"].as_bool() {
            Some(is_open) => is_open,
            None => evaluate(&answer["policyDocument"], &asked, now()) == Verdict::Allow,
        };
        if is_open {
            open.push((*route).to_owned());
        } else {
            assert_eq!(answer["context"], refused, "{route}");
        }
    }
    open
}

#[tokio::test]
async fn a_simple_response_is_decided_for_its_own_route() {
    let routes =
        json!({ "ANY /*": [], "ANY /admin/*": ["pets:admin"], "GET /pets/*": ["pets:read"] });
    let event = json!({ "version": "2.0" });
    let events = ["GET/pets/1", "GET/", "PUT/x", "GET/admin/x", "PUT/admin/", "PUT/admin"];
    let events = [&events[..], &["PROPFIND/admin/x", "PROPFIND/x"]].concat();
    let events: Vec<_> = events.into_iter().map(|route| (route, event.clone())).collect();
    let open = lets_through(routes, &events, &[("SIMPLE_RESPONSE", "on")]).await;
    assert_eq!(open, ["GET/pets/1", "GET/", "PUT/x", "PUT/admin"]);
    let closed = json!({ "GET /pets/*": ["pets:read"] });
    assert_eq!(lets_through(closed, &events, &[("SIMPLE_RESPONSE", "on")]).await, ["GET/pets/1"]);
}

#[tokio::test]
async fn a_table_opens_a_connection_by_name_only() {
    let connect = [
        ("$connect", json!({ "requestContext": { "eventType": "CONNECT" } })),
        ("$connect", json!({})),
        ("GET/pets", json!({ "requestContext": { "eventType": "CONNECT" } })),
    ];
    for (routes, is_open) in [
        (json!({ "ANY /*": [] }), false),
        (json!({ "ANY /*": [], "GET /$connect": [] }), false),
        (json!({ "$connect": [] }), true),
        (json!({ "$connect": ["pets:read"], "ANY /*": ["pets:admin"] }), true),
        (json!({ "$connect": ["pets:admin"], "ANY /*": [] }), false),
        (json!({ "GET /pets": [] }), false),
        (json!({ "$connect": ["pets:admin"], "GET /pets": [] }), false),
    ] {
        let expected = if is_open { &["$connect", "$connect", "GET/pets"][..] } else { &[] };
        assert_eq!(lets_through(routes.clone(), &connect, &[]).await, expected, "{routes}");
    }
}

#[tokio::test]
async fn an_open_connection_alone_opens_no_other_event() {
    let (idp, key) = provider("rights-1");
    let issuer = idp.issuer();
    let routes = json!({ "$connect": [], "GET /pets": ["nobody"] }).to_string();
    let authorizer =
        authorizer(&[("ISSUER", &*issuer), ("AUDIENCE", "my-api"), ("ROUTES", &routes)]);
    authorizer.prefetch().await;
    let header = format!("Bearer {}", key.token(&claims(&issuer, "my-api")));
    let headers = json!({ "authorization": header });
    let arn = format!("{STAGE}/GET/pets");
    for event in [
        json!({ "type": "TOKEN", "methodArn": arn, "authorizationToken": header }),
        json!({ "type": "REQUEST", "methodArn": arn, "headers": headers }),
        json!({ "type": "REQUEST", "version": "1.0", "methodArn": arn, "headers": headers }),
        json!({ "type": "REQUEST", "version": "2.0", "routeArn": arn, "headers": headers }),
    ] {
        let answer = authorizer.decide(&event.to_string()).await.answer.unwrap();
        let answer: Value = serde_json::from_str(answer.get()).unwrap();
        assert_eq!(answer["context"]["reason"], "insufficient_scope", "{event}");
        let verdict = evaluate(&answer["policyDocument"], &arn, now());
        assert_eq!(verdict, Verdict::ExplicitDeny, "{event}");
    }
}

#[tokio::test]
async fn a_policy_for_one_request_serves_a_table_of_hundreds() {
    let (idp, key) = provider("rights-1");
    let issuer = idp.issuer();
    let mut table = json!({ "$connect": ["pets:read"] });
    for n in 0..300 {
        let scope = if n % 2 == 0 { "pets:read" } else { "nobody" };
        table[format!("GET /things{n}/{{id}}")] = json!([scope]);
        table[format!("DELETE /things{n}/{{id}}")] =
            json!({ "any": ["nobody", { "path": { "id": "sub" } }] });
    }
    let table = table.to_string();
    let settings = [("ISSUER", &*issuer), ("AUDIENCE", "my-api"), ("ROUTES", &table)];
    let problems = direct::read(&settings).unwrap_err().to_string();
    assert!(problems.contains("bytes"), "{problems}");
    let settings = [&settings[..], &[("POLICY_SCOPE", "request")]].concat();
    let authorizer = authorizer(&settings);
    authorizer.prefetch().await;
    let claims = claims(&issuer, "my-api");
    let sub = claims["sub"].as_str().unwrap();
    let header = format!("Bearer {}", key.token(&claims));
    let headers = json!({ "authorization": header });
    for (route, is_open) in [
        ("GET/things0/1".to_owned(), true),
        ("GET/things298/secret-id".to_owned(), true),
        ("GET/things1/1".to_owned(), false),
        ("GET/things0/../x".to_owned(), false),
        (format!("DELETE/things7/{sub}"), true),
        ("DELETE/things7/other".to_owned(), false),
        ("PUT/things0/1".to_owned(), false),
        ("GET/elsewhere".to_owned(), false),
    ] {
        let arn = format!("{STAGE}/{route}");
        for event in [
            json!({ "type": "TOKEN", "methodArn": arn, "authorizationToken": header }),
            json!({ "type": "REQUEST", "methodArn": arn, "headers": headers }),
            json!({ "type": "REQUEST", "version": "2.0", "routeArn": arn, "headers": headers }),
        ] {
            let answer = authorizer.decide(&event.to_string()).await.answer.unwrap();
            let answer: Value = serde_json::from_str(answer.get()).unwrap();
            let document = &answer["policyDocument"];
            assert_eq!(evaluate(document, &arn, now()) == Verdict::Allow, is_open, "{event}");
            assert!(document.to_string().len() < 8192 && !document.to_string().contains("secret"));
            // The client's 403 needs no challenge: it is this answer's, or none is cached.
            assert!(
                answer["context"]["challenge"].is_null() || answer["context"]["reason"].is_string()
            );
        }
    }
}

/// Two issuers side by side, each with a rule of its own.
fn two_issuers(a: &Idp, b: &Idp) -> String {
    json!([
        { "issuer": a.issuer(), "audience": "api-a" },
        { "issuer": b.issuer(), "audience": ["api-b"], "algorithms": ["ES256"], "required_claims": { "kind": "b" } },
    ])
    .to_string()
}

#[test]
fn what_is_wrong_with_issuers_is_said_at_its_place() {
    const WANT: &str = r#"ISSUERS: must be a JSON array of objects, for example [{"issuer": "https://login.example.com", "audience": ["my-api"]}]"#;
    let problems = |value: &str| -> Vec<String> {
        let problems = direct::read(&[("ISSUERS", value)]).unwrap_err().0;
        problems.iter().map(ToString::to_string).collect()
    };
    assert_eq!(problems("[]"), [WANT]);
    assert_eq!(problems("{}"), [WANT]);
    assert_eq!(problems("[{},]"), [format!("{WANT}: trailing comma at line 1 column 5")]);
    let twice = problems(r#"[{"issuer": "https://a.example", "issuer": "https://b.example"}]"#);
    assert_eq!(twice, [format!("{WANT}: duplicate member name at line 1 column 63")]);
    let missing = problems("@no-such-file.json");
    assert!(
        missing.len() == 1 && missing[0].starts_with("ISSUERS: no-such-file.json: "),
        "{missing:?}"
    );
    // Also where something else is wrong with one of the two.
    let twice = problems(
        r#"[{"issuer": "https://a.example", "audience": "a"}, {"issuer": "https://a.example"}]"#,
    );
    let expected = [
        "ISSUERS[1].audience: is required: the audiences of this API's tokens",
        "ISSUERS: issuer `https://a.example` is named twice",
    ];
    assert_eq!(twice, expected);
}

#[tokio::test]
async fn a_key_of_one_issuer_never_serves_another() {
    let (a, b) = (Idp::start(), Idp::start());
    let (key_a, key_b) = (SigningKey::es256("a"), SigningKey::es256("b"));
    a.serve(&[&key_a]);
    b.serve(&[&key_b, &key_a]);
    let issuers = json!([
        { "issuer": a.issuer(), "audience": "my-api", "algorithms": "ES256" },
        { "issuer": b.issuer(), "audience": "my-api", "algorithms": "ES256" },
    ]);
    let authorizer = authorizer(&[("ISSUERS", &issuers.to_string())]);
    authorizer.prefetch().await;
    let (of_a, of_b) = (claims(&a.issuer(), "my-api"), claims(&b.issuer(), "my-api"));
    assert_eq!(ask(&authorizer, &key_a.token(&of_a)).await.code(), "");
    assert_eq!(ask(&authorizer, &key_b.token(&of_b)).await.code(), "");

    // Under the name that the key has at B, under the name of a key of A, and under none.
    let header = |kid: &str| json!({ "alg": "ES256", "kid": kid });
    assert_eq!(ask(&authorizer, &key_b.token(&of_a)).await.code(), "key_unknown");
    assert_eq!(
        ask(&authorizer, &key_b.token_with(&header("a"), &of_a)).await.code(),
        "signature_invalid"
    );
    let unnamed = key_b.token_with(&json!({ "alg": "ES256" }), &of_a);
    assert_eq!(ask(&authorizer, &unnamed).await.code(), "signature_invalid");
    // B publishes a key of A, which is then B's to use as well, and changes nothing for A.
    assert_eq!(ask(&authorizer, &key_a.token(&of_b)).await.code(), "");
    assert_eq!(
        ask(&authorizer, &key_a.token(&claims("https://c.example.com", "my-api"))).await.code(),
        "issuer_untrusted"
    );
}

#[tokio::test]
async fn each_issuer_has_rules_of_its_own() {
    let (a, key_a) = provider("rights-1");
    let (b, key_b) = (Idp::start(), SigningKey::es256("b"));
    b.serve(&[&key_b]);
    let authorizer = authorizer(&[("ISSUERS", &two_issuers(&a, &b))]);
    authorizer.prefetch().await;
    let kind = |mut claims: Value, kind: &str| {
        claims["kind"] = json!(kind);
        claims
    };
    for (token, expected) in [
        (key_a.token(&claims(&a.issuer(), "api-a")), ""),
        (key_a.token(&claims(&a.issuer(), "api-b")), "audience_mismatch"),
        (key_b.token(&claims(&a.issuer(), "api-a")), "algorithm_not_allowed"),
        (key_b.token(&kind(claims(&b.issuer(), "api-b"), "b")), ""),
        (key_b.token(&kind(claims(&b.issuer(), "api-a"), "b")), "audience_mismatch"),
        (key_b.token(&kind(claims(&b.issuer(), "api-b"), "a")), "claim_invalid"),
        (key_b.token(&claims(&b.issuer(), "api-b")), "claim_missing"),
        (key_a.token(&kind(claims(&b.issuer(), "api-b"), "b")), "algorithm_not_allowed"),
    ] {
        assert_eq!(ask(&authorizer, &token).await.code(), expected);
    }
}

/// A token of the second of the two issuers, for what it is to be used for.
fn token_of_b(b: &Idp, key_b: &SigningKey) -> String {
    let mut claims = claims(&b.issuer(), "api-b");
    claims["kind"] = json!("b");
    key_b.token(&claims)
}

#[tokio::test]
async fn a_provider_that_is_gone_does_not_touch_another() {
    let (a, key_a) = provider("rights-1");
    let (b, key_b) = (Idp::start(), SigningKey::es256("b"));
    b.serve(&[&key_b]);
    let (of_a, of_b) = (key_a.token(&claims(&a.issuer(), "api-a")), token_of_b(&b, &key_b));
    let authorizer = authorizer(&[("ISSUERS", &two_issuers(&a, &b))]);
    a.down();
    authorizer.prefetch().await;
    for _ in 0..3 {
        assert_eq!(ask(&authorizer, &of_a).await, Outcome::NoVerdict("keys_unavailable"));
        assert_eq!(ask(&authorizer, &of_b).await.code(), "");
    }
    assert_eq!((b.discoveries(), b.fetches()), (1, 1));
}

#[tokio::test]
async fn a_provider_that_is_silent_does_not_touch_another() {
    let (a, key_a) = provider("rights-1");
    let (b, key_b) = (Idp::start(), SigningKey::es256("b"));
    b.serve(&[&key_b]);
    let (of_a, of_b) = (key_a.token(&claims(&a.issuer(), "api-a")), token_of_b(&b, &key_b));
    let authorizer = authorizer(&[("ISSUERS", &two_issuers(&a, &b)), ("JWKS_TIMEOUT_MS", "10000")]);
    a.behave(Behaviour::Hang);
    // Who asks for a key of A waits, and nobody else does.
    let waiting = pin!(ask(&authorizer, &of_a));
    let others = pin!(async {
        for _ in 0..3 {
            assert_eq!(ask(&authorizer, &of_b).await.code(), "");
        }
    });
    let Either::Right(((), waiting)) = select(waiting, others).await else {
        panic!("A was not silent")
    };
    assert_eq!((b.discoveries(), b.fetches()), (1, 1));
    a.down();
    assert_eq!(waiting.await, Outcome::NoVerdict("keys_unavailable"));
}

#[tokio::test]
async fn a_header_is_held_to_the_lists_of_its_issuer_or_to_all_of_them() {
    let (a, b) = (SigningKey::rsa("a"), SigningKey::es256("b"));
    let entry = |name: &str, key: &SigningKey, typ: &str| {
        let (keys, algorithms) = (jwks(&[key]), key.alg());
        json!({
            "issuer": name, "audience": "api", "jwks": keys, "token_types": typ, "algorithms": algorithms,
        })
    };
    let (of_a, of_b, other) =
        ("https://a.example.com", "https://b.example.com", "https://c.example.com");
    let entries = [entry(of_a, &a, "at+jwt"), entry(of_b, &b, "JWT")];
    for entries in [json!(entries), json!([entries[1], entries[0]])] {
        let authorizer = authorizer(&[("ISSUERS", &entries.to_string())]);
        for (iss, typ, alg, expected) in [
            (json!(of_a), "at+jwt", "RS256", ""),
            (json!(of_a), "JWT", "RS256", "type_not_accepted"),
            (json!(of_a), "at+jwt", "ES256", "algorithm_not_allowed"),
            (json!(of_b), "at+jwt", "RS256", "type_not_accepted"),
            (json!(of_b), "JWT", "RS256", "algorithm_not_allowed"),
            (json!(other), "at+jwt", "RS256", "issuer_untrusted"),
            (json!(other), "at+jwt", "ES256", "issuer_untrusted"),
            (json!(other), "JWT", "RS256", "issuer_untrusted"),
            (json!(other), "JWT", "PS256", "algorithm_not_allowed"),
            (json!(other), "id+jwt", "none", "type_not_accepted"),
            (json!(5), "at+jwt", "ES256", "issuer_untrusted"),
            (json!(null), "id+jwt", "ES256", "type_not_accepted"),
        ] {
            let mut claims = claims("", "api");
            claims["iss"] = iss.clone();
            let token = a.token_with(&json!({"alg": alg, "typ": typ, "kid": "a"}), &claims);
            assert_eq!(ask(&authorizer, &token).await.code(), expected, "{iss} {typ} {alg}");
        }
    }
}

#[tokio::test]
async fn a_bound_token_that_is_revoked_is_refused_for_its_binding() {
    let (key, issuer) = (SigningKey::es256("k"), "https://login.example.com");
    let keys = jwks(&[&key]).to_string();
    let mut claims = claims(issuer, "api");
    claims["cnf"] = json!({"jkt": "x"});
    claims["sid"] = json!("s");
    for (binding, expected) in [
        ("refuse", "token_binding_invalid"),
        ("certificate", "token_binding_invalid"),
        ("ignore", "token_revoked"),
    ] {
        let authorizer = authorizer(&[
            ("ISSUER", issuer),
            ("AUDIENCE", "api"),
            ("JWKS", &keys),
            ("ALGORITHMS", "ES256"),
            ("REVOKED", r#"{"sid":["s"]}"#),
            ("TOKEN_BINDING", binding),
        ]);
        assert_eq!(ask(&authorizer, &key.token(&claims)).await.code(), expected, "{binding}");
    }
}
