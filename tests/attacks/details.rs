//! What the log says of a refusal, where that helps: no byte of the token is in it.

use super::*;
use token_authorizer::Verdict;

#[test]
fn a_principal_that_is_no_string_is_named_with_its_type() {
    for (sub, kind) in [
        (json!(7), "a number"),
        (json!(true), "a boolean"),
        (json!(["secret"]), "an array"),
        (json!({"secret": 1}), "an object"),
    ] {
        let token = K1.token(&claims_with(json!({"sub": sub})));
        let expected = "not a string: PRINCIPAL_CLAIM must name a claim that is a string";
        assert_eq!(detail(&[], &token), format!("claim `sub` is {kind}, {expected}"));
    }
    for sub in [" ", "a\nb"] {
        let token = K1.token(&claims_with(json!({"sub": sub})));
        let expected = "claim `sub` must be a string that is not blank, without control characters";
        assert_eq!(detail(&[], &token), expected);
    }
}

#[test]
fn a_bad_signature_of_a_graph_token_is_explained() {
    let other = SigningKey::rsa_other("k1", 0);
    for (nonce, is_explained) in
        [(json!({"nonce": "secret"}), true), (json!({"nonce": null}), true), (json!({}), false)]
    {
        let header = merged(json!({"alg": "RS256", "kid": "k1"}), nonce);
        let detail = detail(&[], &other.token_with(&header, &claims()));
        assert_eq!(detail.contains("Microsoft Graph"), is_explained, "{detail}");
        assert!(is_explained || detail.is_empty(), "{detail}");
    }
    let header = json!({"alg": "RS256", "kid": "k1", "nonce": "x"});
    assert_eq!(detail(&[], &K1.token_with(&header, &claims())), ALLOW);
}

#[test]
fn missing_rights_of_a_token_with_left_out_claims_are_explained() {
    let scopes = [("REQUIRED_SCOPES", "admin".to_owned())];
    let names = json!({"groups": "src1"});
    for (names, is_explained) in [(names, true), (json!(null), false)] {
        let detail = detail(&scopes, &K1.token(&claims_with(json!({"_claim_names": names}))));
        assert!(detail.starts_with("scope `admin`"), "{detail}");
        assert_eq!(detail.contains("`_claim_names`"), is_explained, "{detail}");
    }
    let routes = [("ROUTES", json!({"GET /": ["admin"]}).to_string())];
    let token = K1.token(&claims_with(json!({"_claim_names": {"groups": "src1"}})));
    assert!(detail(&routes, &token).contains("`_claim_names`"));
}

#[test]
fn more_than_eight_keys_without_kid_are_explained() {
    let keys: Vec<_> = (0..9).map(|n| SigningKey::es256(&n.to_string()).jwk()).collect();
    let token = SigningKey::es256("k").token_with(&json!({"alg": "ES256"}), &claims());
    let expected = "the token has no `kid`, and more than 8 keys fit its `alg`";
    for (keys, expected) in [(&keys[..], expected), (&keys[..8], "")] {
        let listed: Vec<_> = keys.iter().collect();
        let settings = [("ALGORITHMS", "ES256 RS256".to_owned()), ("JWKS", set(&listed))];
        assert_eq!(detail(&settings, &token), expected);
        // Keys that fit are missing, not too many.
        let without_kid = K1.token_with(&json!({"alg": "RS256"}), &claims());
        assert_eq!(detail(&settings, &without_kid), "");
        assert_eq!(detail(&settings, &good()), "");
    }
}

#[test]
fn strings_that_are_not_unicode_are_explained() {
    let header = r#"{"alg":"RS256","kid":"k1"}"#;
    let named = |name: &[u8]| {
        let start = claims().to_string();
        [&start.as_bytes()[..start.len() - 1], b",\"name\":\"", name, b"\"}"].concat()
    };
    for name in [&br"\ud83d"[..], br"\ude00\ud83d", b"\xe9", br"secret\udfff"] {
        let detail = detail(&[], &K1.token_raw(header.as_bytes(), &named(name)));
        assert!(detail.contains("not Unicode") && !detail.contains("secret"), "{detail}");
    }
    let header_too =
        K1.token_raw(br#"{"alg":"RS256","kid":"k\ud83d"}"#, claims().to_string().as_bytes());
    assert!(detail(&[], &header_too).contains("not Unicode"));
    for name in [&br"\ud83d\ude00"[..], br"\\ud83d", "\u{1f600}".as_bytes()] {
        assert_eq!(detail(&[], &K1.token_raw(header.as_bytes(), &named(name))), ALLOW);
    }
    let twice = K1.token_raw(header.as_bytes(), br#"{"a":1,"a":1}"#);
    assert!(!detail(&[], &twice).contains("Unicode"));
}

/// What the log says of the refusal of this token, or `Allow`.
fn detail(settings: &[(&'static str, String)], token: &str) -> String {
    let local = Table::new().authorizer(settings);
    match local.runtime.block_on(local.authorizer.decide(&bearer(token))).verdict {
        Verdict::Allow(_) => ALLOW.to_owned(),
        Verdict::Deny(denial) => denial.to_string(),
        Verdict::Undecided(fault) => panic!("{fault}"),
    }
}
