//! Several names, thousands of tenants, partners: who is trusted with what, and how often keys are fetched for it.

use serde_json::{Value, json};

use super::support::idp::{Behaviour, Idp};
use super::support::process::Lambda;
use super::support::tokens::{self, SigningKey};
use super::{AUDIENCE, bearer, program, provider, refused, said};

/// The names of the tenants of a provider.
const TENANTS: &str = "https://login.example.com/{tid}/v2.0";

fn spawn(settings: &[(&str, &str)]) -> Lambda {
    Lambda::spawn(&program(), &[settings, &[("AUDIENCE", AUDIENCE)]].concat())
}

/// A function that trusts these issuers.
fn trusting(issuers: &Value, settings: &[(&str, &str)]) -> Lambda {
    Lambda::spawn(&program(), &[&[("ISSUERS", &*issuers.to_string())], settings].concat())
}

fn token(key: &SigningKey, iss: &str, changes: Value) -> String {
    let mut claims = tokens::claims(iss, AUDIENCE);
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    bearer(&key.token(&claims))
}

fn of_tenant(key: &SigningKey, in_iss: &str, tid: Value) -> String {
    token(key, &TENANTS.replace("{tid}", in_iss), json!({ "tid": tid }))
}

#[test]
fn both_forms_of_a_pool_are_trusted_each_with_its_own_discovery_and_keys() {
    let (old, new) = (SigningKey::rsa("k1"), SigningKey::rsa_other("k1", 1));
    let (idp, other) = (provider(&old), provider(&new));
    let lambda = spawn(&[("ISSUER", &format!("{}, {}", idp.issuer(), other.issuer()))]);
    for (key, issuer, expected) in [
        (&old, idp.issuer(), "Allow"),
        (&new, other.issuer(), "Allow"),
        (&new, idp.issuer(), "Deny signature_invalid"),
        (&old, other.issuer(), "Deny signature_invalid"),
        (&old, "https://login.example.com".to_owned(), "Deny issuer_untrusted"),
    ] {
        assert_eq!(said(&lambda.invoke(&token(key, &issuer, json!({})))), expected, "{issuer}");
    }
    assert_eq!((idp.discoveries(), other.discoveries()), (1, 1));
}

#[test]
fn names_that_are_no_url_share_the_keys_that_are_given() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let names = "https://accounts.google.com, accounts.google.com, auth";
    let lambda = spawn(&[("ISSUER", names), ("JWKS_URI", &idp.jwks_uri())]);
    for name in names.split(", ") {
        let reply = lambda.invoke(&token(&key, name, json!({})));
        assert_eq!(
            (said(&reply), &reply.body["context"]["iss"]),
            ("Allow".to_owned(), &json!(name))
        );
    }
    for name in ["Auth", "auth ", "https://auth", "accounts.google.com/"] {
        let event = token(&key, name, json!({}));
        assert_eq!(said(&lambda.invoke(&event)), "Deny issuer_untrusted", "{name}");
    }
    assert_eq!((idp.fetches(), idp.discoveries()), (1, 0));
    let refreshed = lambda.wait_for_log(|line| line["message"] == "keys refreshed");
    assert_eq!(refreshed["issuer"], "https://accounts.google.com accounts.google.com auth");
}

#[test]
fn a_thousand_tenants_are_one_key_set_and_one_fetch() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let tenants: Vec<_> = (0..1000).map(|n| format!("0f0f0f0f-0000-4000-8000-{n:012}")).collect();
    let file =
        std::env::temp_dir().join(format!("token-authorizer-tenants-{}", std::process::id()));
    std::fs::write(&file, tenants.join("\n")).unwrap();
    let lambda = spawn(&[
        ("ISSUER", TENANTS),
        ("TENANTS", &format!("@{}", file.display())),
        ("JWKS_URI", &idp.jwks_uri()),
    ]);
    for tenant in tenants.iter().step_by(7) {
        let reply = lambda.invoke(&of_tenant(&key, tenant, json!(tenant)));
        assert_eq!(said(&reply), "Allow", "{tenant}");
        assert_eq!(reply.body["context"]["iss"], json!(TENANTS.replace("{tid}", tenant)));
    }
    // Made-up key ids of many tenants cost the provider one fetch: they share its limits.
    for tenant in tenants.iter().step_by(9) {
        let mut claims = tokens::claims(&TENANTS.replace("{tid}", tenant), AUDIENCE);
        claims["tid"] = json!(tenant);
        let header = json!({"alg": "RS256", "kid": format!("made-up-{tenant}")});
        let event = bearer(&key.token_with(&header, &claims));
        assert_eq!(said(&lambda.invoke(&event)), "Deny key_unknown", "{tenant}");
    }
    let other = "0f0f0f0f-0000-4000-8000-000000001000";
    assert_eq!(
        said(&lambda.invoke(&of_tenant(&key, other, json!(other)))),
        "Deny issuer_untrusted"
    );
    assert_eq!(idp.fetches(), 2);
    let line = lambda.wait_for_log(|line| line["reason"] == "issuer_untrusted");
    assert_eq!(line["issuer"], TENANTS.replace("{tid}", other));
    let refreshed = lambda.wait_for_log(|line| line["message"] == "keys refreshed");
    assert_eq!(refreshed["issuer"], TENANTS);
    std::fs::remove_file(file).unwrap();
}

#[test]
fn iss_claim_and_list_must_agree() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let long = |length| "x".repeat(length);
    let uri = idp.jwks_uri();
    let keys = ("JWKS_URI", uri.as_str());
    let listed = spawn(&[("ISSUER", TENANTS), ("TENANTS", "a b"), keys]);
    let any = spawn(&[("ISSUER", TENANTS), ("TENANTS", "any"), keys]);
    for (in_iss, tid, by_list, by_any) in [
        ("a", json!("a"), true, true),
        ("b", json!("b"), true, true),
        ("c", json!("c"), false, true),
        (&*long(128), json!(long(128)), false, true),
        (&*long(129), json!(long(129)), false, false),
        ("a", json!("b"), false, false),
        ("b", json!("a"), false, false),
        ("a", json!(null), false, false),
        ("a", json!(["a"]), false, false),
        ("1", json!(1), false, false),
        ("", json!(""), false, false),
        (".", json!("."), false, false),
        ("..", json!(".."), false, false),
        ("a/b", json!("a/b"), false, false),
        ("a%2Fb", json!("a%2Fb"), false, false),
        ("a b", json!("a b"), false, false),
        ("{tid}", json!("{tid}"), false, false),
    ] {
        for (lambda, is_trusted) in [(&listed, by_list), (&any, by_any)] {
            let expected = if is_trusted { "Allow" } else { "Deny issuer_untrusted" };
            let said = said(&lambda.invoke(&of_tenant(&key, in_iss, tid.clone())));
            assert_eq!(said, expected, "{in_iss} {tid}");
        }
    }
}

/// A key with the member `issuer`.
fn named(key: &SigningKey, issuer: Value) -> Value {
    let mut jwk = key.jwk();
    jwk["issuer"] = issuer;
    jwk
}

#[test]
fn a_key_that_names_another_issuer_is_unknown_to_a_tenant() {
    let keys = ["any", "a", "b", "number"].map(SigningKey::rsa);
    let idp = Idp::start();
    let tenant = |tenant: &str| json!(TENANTS.replace("{tid}", tenant));
    idp.serve_json(json!({"keys": [
        named(&keys[0], tenant("{tenantid}")),
        named(&keys[1], tenant("a")),
        named(&keys[2], tenant("b")),
        named(&keys[3], json!(5)),
    ]}));
    // The set is shared with an exact name, for which the member says nothing.
    let exact = "https://exact.example.com";
    let issuers = json!([
        {"issuer": TENANTS, "tenants": "any", "audience": AUDIENCE, "jwks_uri": idp.jwks_uri()},
        {"issuer": exact, "audience": AUDIENCE, "jwks_uri": idp.jwks_uri()},
    ]);
    let lambda = trusting(&issuers, &[]);
    for (key, in_a) in keys.iter().zip(["Allow", "Allow", "Deny key_unknown", "Deny key_unknown"]) {
        assert_eq!(said(&lambda.invoke(&of_tenant(key, "a", json!("a")))), in_a, "{}", key.kid());
        assert_eq!(said(&lambda.invoke(&token(key, exact, json!({})))), "Allow", "{}", key.kid());
    }
    assert_eq!(said(&lambda.invoke(&of_tenant(&keys[2], "b", json!("b")))), "Allow");
    // The first fetch, and one for the keys that are unknown to a tenant.
    assert_eq!(idp.fetches(), 2);
}

#[test]
fn an_exact_name_goes_before_the_tenants() {
    let key = SigningKey::rsa("k1");
    let idp = provider(&key);
    let own = TENANTS.replace("{tid}", "own");
    let issuers = json!([
        {"issuer": TENANTS, "tenants": ["own", "a"], "audience": AUDIENCE, "jwks_uri": idp.jwks_uri(),
            "required_scopes": "tenant"},
        {"issuer": own, "audience": AUDIENCE, "jwks_uri": idp.jwks_uri(), "required_scopes": "own"},
    ]);
    let lambda = trusting(&issuers, &[]);
    let with_scope = |tenant: &str, scope: &str| {
        let iss = TENANTS.replace("{tid}", tenant);
        said(&lambda.invoke(&token(&key, &iss, json!({"tid": tenant, "scope": scope}))))
    };
    assert_eq!(with_scope("own", "own"), "Allow");
    assert_eq!(with_scope("own", "tenant"), "Deny insufficient_scope");
    assert_eq!(with_scope("a", "tenant"), "Allow");
    assert_eq!(with_scope("a", "own"), "Deny insufficient_scope");
    assert_eq!(idp.fetches(), 1);
}

#[test]
fn issuers_with_the_same_address_share_one_fetch_and_keep_their_own_algorithms() {
    let (rsa, ec) = (SigningKey::rsa("r"), SigningKey::es256("e"));
    let idp = Idp::start();
    idp.serve(&[&rsa, &ec]);
    let (first, second) = ("https://first.example.com", "https://second.example.com");
    let issuers = json!([
        {"issuer": first, "audience": AUDIENCE, "jwks_uri": idp.jwks_uri()},
        {"issuer": second, "audience": AUDIENCE, "jwks_uri": idp.jwks_uri(), "algorithms": "ES256"},
    ]);
    let lambda = trusting(&issuers, &[]);
    for (key, issuer, expected) in [
        (&rsa, first, "Allow"),
        (&ec, second, "Allow"),
        (&ec, first, "Deny algorithm_not_allowed"),
        (&rsa, second, "Deny algorithm_not_allowed"),
    ] {
        assert_eq!(said(&lambda.invoke(&token(key, issuer, json!({})))), expected, "{issuer}");
    }
    assert_eq!(idp.fetches(), 1);
}

#[test]
fn configured_keys_serve_no_other_issuer_with_the_same_address() {
    let (key, secret) = (SigningKey::rsa("k1"), SigningKey::hmac("s", &[7; 32]));
    let idp = provider(&key);
    let (first, second) = ("https://first.example.com", "https://second.example.com");
    let other = tokens::jwks(&[&SigningKey::hmac("other", &[9; 32])]);
    let entry = |issuer: &str, jwks: Value| {
        json!({"issuer": issuer, "audience": AUDIENCE, "jwks_uri": idp.jwks_uri(), "jwks": jwks,
            "algorithms": ["RS256", "HS256"]})
    };
    let issuers = json!([entry(first, tokens::jwks(&[&secret])), entry(second, other)]);
    let lambda = trusting(&issuers, &[]);
    assert_eq!(said(&lambda.invoke(&token(&secret, first, json!({})))), "Allow");
    assert_eq!(said(&lambda.invoke(&token(&secret, second, json!({})))), "Deny key_unknown");
    for issuer in [first, second] {
        assert_eq!(said(&lambda.invoke(&token(&key, issuer, json!({})))), "Allow", "{issuer}");
    }
}

#[test]
fn a_token_of_one_issuer_under_the_key_of_another_is_refused() {
    let (ours, theirs) = (SigningKey::rsa("k1"), SigningKey::rsa_other("k2", 1));
    let (idp, partner) = (provider(&ours), provider(&theirs));
    let issuers = json!([
        {"issuer": idp.issuer(), "audience": AUDIENCE},
        {"issuer": TENANTS, "tenants": "any", "audience": AUDIENCE, "jwks_uri": partner.jwks_uri()},
    ]);
    let lambda = trusting(&issuers, &[]);
    assert_eq!(said(&lambda.invoke(&token(&ours, &idp.issuer(), json!({})))), "Allow");
    assert_eq!(said(&lambda.invoke(&of_tenant(&theirs, "a", json!("a")))), "Allow");
    for event in [
        token(&theirs, &idp.issuer(), json!({})),
        token(&theirs, &idp.issuer(), json!({"tid": "a"})),
        of_tenant(&ours, "a", json!("a")),
    ] {
        assert_eq!(said(&lambda.invoke(&event)), "Deny key_unknown");
    }
}

/// What an answer allows, below the stage.
fn opened(reply: &Value) -> Vec<String> {
    let statement = &reply["policyDocument"]["Statement"][0];
    assert_eq!(statement["Effect"], "Allow", "{reply}");
    let resources =
        statement["Resource"].as_array().unwrap().iter().map(|arn| arn.as_str().unwrap());
    resources.map(|arn| arn.splitn(3, '/').nth(2).unwrap().to_owned()).collect()
}

#[test]
fn what_a_partner_calls_admin_opens_nothing_of_ours() {
    let (ours, theirs) = (SigningKey::rsa("k1"), SigningKey::rsa_other("k2", 1));
    let (idp, partner) = (provider(&ours), provider(&theirs));
    let plain = "https://plain.example.com";
    let issuers = json!([
        {"issuer": idp.issuer(), "audience": AUDIENCE},
        {
            "issuer": partner.issuer(), "audience": AUDIENCE, "principal_claim": ["client_id"],
            "required_scopes": ["pets"], "routes": {"GET /pets": [], "POST /pets": ["pets:write"]},
        },
        {"issuer": plain, "audience": AUDIENCE, "jwks_uri": partner.jwks_uri()},
    ]);
    let shared = [
        ("ROUTES", r#"{"GET /admin": ["admin"], "GET /pets": ["api"]}"#),
        ("REQUIRED_SCOPES", "api"),
        ("PRINCIPAL_CLAIM", "sub"),
    ];
    let lambda = trusting(&issuers, &shared);
    let reply = |key: &SigningKey, iss: &str, scope: &str| {
        let names = json!({"scope": scope, "sub": "the sub", "client_id": "the client"});
        lambda.invoke(&token(key, iss, names))
    };
    let allowed = reply(&ours, &idp.issuer(), "api admin");
    assert_eq!(opened(&allowed.body), ["GET/admin", "GET/pets"]);
    assert_eq!(allowed.body["principalId"], "the sub");
    assert_eq!(opened(&reply(&ours, &idp.issuer(), "api").body), ["GET/pets"]);
    assert_eq!(said(&reply(&ours, &idp.issuer(), "pets admin")), "Deny insufficient_scope");

    let allowed = reply(&theirs, &partner.issuer(), "pets admin api");
    assert_eq!(opened(&allowed.body), ["GET/pets"]);
    assert_eq!(allowed.body["principalId"], "the client");
    let writing = reply(&theirs, &partner.issuer(), "pets pets:write");
    assert_eq!(opened(&writing.body), ["GET/pets", "POST/pets"]);
    let refused = reply(&theirs, &partner.issuer(), "admin api");
    assert_eq!(said(&refused), "Deny insufficient_scope");
    assert_eq!(refused.body["principalId"], "the client");
    let challenge =
        |scopes: &str| format!("Bearer error=\"insufficient_scope\", scope=\"{scopes}\"");
    assert_eq!(refused.body["context"]["challenge"], challenge("pets"));
    let of_ours = reply(&ours, &idp.issuer(), "pets");
    assert_eq!(of_ours.body["context"]["challenge"], challenge("api"));

    // One without rights of its own has those of all.
    let allowed = reply(&theirs, plain, "api");
    assert_eq!(opened(&allowed.body), ["GET/pets"]);
    assert_eq!(allowed.body["principalId"], "the sub");
    assert_eq!(said(&reply(&theirs, plain, "pets")), "Deny insufficient_scope");
}

#[test]
fn a_name_with_a_claim_is_never_trusted_by_accident() {
    let keys = ("JWKS_URI", "http://127.0.0.1:1/keys");
    let audience = ("AUDIENCE", AUDIENCE);
    for (settings, place, hint) in [
        (&[("ISSUER", TENANTS)][..], "ISSUER", "needs TENANTS"),
        (&[("ISSUER", TENANTS), ("TENANTS", ",")], "TENANTS", "empty list"),
        (&[("ISSUER", TENANTS), ("TENANTS", "any, a")], "TENANTS", "only member"),
        (&[("ISSUER", TENANTS), ("TENANTS", "a/b")], "TENANTS", "no token can have"),
        (&[("ISSUER", "https://login.example.com"), ("TENANTS", "a")], "TENANTS", "{claim}"),
        (&[("ISSUER", "https://{tid}.example.com/"), ("TENANTS", "a")], "ISSUER", "whole segment"),
        (&[("ISSUER", "auth auth")], "ISSUER", "named twice"),
        (&[("ISSUER", ", ,")], "ISSUER", "empty list"),
    ] {
        let exit = refused(&[settings, &[keys, audience]].concat());
        let line = format!("\n  {place}: ");
        assert!(exit.output.contains(&line) && exit.output.contains(hint), "{}", exit.output);
    }
    let exit = refused(&[("ISSUER", TENANTS), ("TENANTS", "a"), audience]);
    assert!(exit.output.contains("\n  JWKS_URI: is required"), "{}", exit.output);
}

#[test]
fn all_keys_and_lists_are_asked_for_at_once_at_the_start() {
    const ISSUERS: u64 = 12;
    let key = SigningKey::rsa("k1");
    let idps: Vec<_> = (0..ISSUERS).map(|_| provider(&key)).collect();
    let lists: Vec<_> = (0..ISSUERS).map(|_| Idp::start()).collect();
    // One after the other, these would take longer than Lambda waits for a function to start.
    idps.iter().chain(&lists).for_each(|source| source.behave(Behaviour::Hang));
    let issuer = |(idp, list): (&Idp, &Idp)| {
        json!({
            "issuer": idp.issuer(), "audience": AUDIENCE,
            "jwks_uri": idp.jwks_uri(), "revoked": list.jwks_uri(),
        })
    };
    let issuers = json!(idps.iter().zip(&lists).map(issuer).collect::<Vec<_>>());
    let _lambda = trusting(&issuers, &[("JWKS_TIMEOUT_MS", "1000")]);
    let fetches: u64 = idps.iter().chain(&lists).map(Idp::fetches).sum();
    assert_eq!(fetches, 2 * ISSUERS);
}
