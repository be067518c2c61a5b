//! `authorizer test`: cases, their results for people, scripts and CI.

use serde_json::{Value, json};

use crate::support::tokens::{self, SigningKey};
use crate::{Folder, Ran, run};

const ROUTES: &str = r#"{"GET /pets/{id}": ["pets:read"], "POST /pets": ["pets:write"], "$connect": ["chat"],
    "GET /users/{id}": {"path": {"id": "sub"}}}"#;

const SETTINGS: [(&str, &str); 4] = [
    ("ISSUER", "https://issuer.example"),
    ("AUDIENCE", "my-api"),
    ("ALGORITHMS", "ES256"),
    ("ROUTES", ROUTES),
];

fn test(settings: &[(&str, &str)], cases: &Value) -> Ran {
    run(settings, &["test", "-"], &cases.to_string())
}

/// Runs one case that must pass.
#[track_caller]
fn passes(settings: &[(&str, &str)], claims: &Value, request: &str, expect: &str) {
    let ran = test(settings, &json!([{"claims": claims, "request": request, "expect": expect}]));
    assert_eq!(ran.code, 0, "{claims} {request} {expect}: {}{}", ran.out, ran.err);
}

#[test]
fn each_case_is_decided_for_its_own_request() {
    for (claims, request, expect) in [
        (json!({"scope": "pets:read"}), "GET /pets/1", "allow"),
        (json!({"scope": "pets:read"}), "POST /pets", "deny"),
        (json!({"scope": "pets:read"}), "POST /pets", "insufficient_scope"),
        (json!({"scope": "none"}), "GET /pets/1", "insufficient_scope"),
        (json!({"sub": "alice"}), "GET /users/alice", "allow"),
        (json!({"sub": "alice"}), "GET /users/bob", "deny"),
        (json!({"scope": "chat"}), "$connect", "allow"),
        (json!({}), "$connect", "insufficient_scope"),
        (json!({"scope": "pets:read"}), "GET /pets//1", "deny"),
    ] {
        passes(&SETTINGS, &claims, request, expect);
    }
}

#[test]
fn a_case_says_how_long_ago_the_user_signed_in() {
    let routes = r#"{"DELETE /account": [{"max_age": 300}], "GET /account": []}"#;
    let settings = [SETTINGS[0], SETTINGS[1], SETTINGS[2], ("ROUTES", routes)];
    for (auth_time, expect) in [
        (json!("0 s ago"), "allow"),
        (json!("290 s ago"), "allow"),
        (json!("310 s ago"), "insufficient_scope"),
        (json!("99999999999 s ago"), "insufficient_scope"),
        (json!("yesterday"), "insufficient_scope"),
        (json!(tokens::now()), "allow"),
        (json!(null), "insufficient_scope"),
    ] {
        passes(&settings, &json!({"auth_time": auth_time}), "DELETE /account", expect);
    }
}

#[test]
fn claims_that_are_left_out_are_filled_in_and_null_removes_one() {
    for (claims, expect) in [
        (json!({}), "allow"),
        (json!({"exp": 1}), "token_expired"),
        (json!({"exp": null}), "claim_missing"),
        (json!({"aud": "other"}), "audience_mismatch"),
        (json!({"aud": null}), "claim_missing"),
        (json!({"sub": null}), "claim_missing"),
        (json!({"iss": null}), "issuer_untrusted"),
        (json!({"iss": "https://other.example"}), "issuer_untrusted"),
        (json!({"iat": null}), "claim_missing"),
        (json!({"nbf": 32_503_680_000_u64}), "token_not_yet_valid"),
    ] {
        let settings = [SETTINGS[0], SETTINGS[1], SETTINGS[2], ("MAX_TOKEN_SECONDS", "3600")];
        passes(&settings, &claims, "GET /", expect);
    }
}

#[test]
fn a_token_is_made_for_whatever_the_settings_accept() {
    let secret = SigningKey::hmac("k", &[7; 64]).with_alg("HS512");
    let jwks = tokens::jwks(&[&secret]).to_string();
    let issuers = json!([
        {"issuer": "https://one.example", "audience": "one", "jwks_uri": "https://one.example/keys"},
        {"issuer": "https://two.example", "audience": ["two"], "algorithms": "EdDSA", "token_types": "at+jwt",
            "routes": {"GET /two": []}},
    ])
    .to_string();
    for (settings, claims) in [
        (&[("ALGORITHMS", "RS256")][..], json!({})),
        (&[("ALGORITHMS", "PS512 ES256")], json!({})),
        (&[("ALGORITHMS", "ES384")], json!({})),
        (&[("ALGORITHMS", "EdDSA")], json!({})),
        (&[("ALGORITHMS", "HS512"), ("JWKS", &jwks)], json!({})),
        (&[("TOKEN_TYPES", "at+jwt")], json!({})),
        (&[("AUDIENCE_CLAIM", "client_id, azp")], json!({})),
        (&[("AUDIENCE_CLAIM", "client_id, azp")], json!({"azp": "my-api"})),
        (&[("AUDIENCE_CLAIM", "/res/a~1b/aud")], json!({})),
        (&[("PRINCIPAL_CLAIM", "client_id")], json!({})),
        (
            &[
                ("ISSUER", "https://issuer.example/{tid}/v2"),
                ("TENANTS", "any"),
                ("JWKS_URI", "https://a.example"),
            ],
            json!({}),
        ),
        (
            &[
                ("ISSUER", "https://issuer.example/{tid}/v2"),
                ("TENANTS", "b a"),
                ("JWKS_URI", "https://a.example"),
            ],
            json!({"tid": "b"}),
        ),
        (&[("REVOKED", "https://a.example/list")], json!({"jti": "a"})),
        (&[("REFUSAL", "unauthorized")], json!({})),
        (&[("ISSUER", ""), ("AUDIENCE", ""), ("ISSUERS", &issuers)], json!({})),
        (
            &[("ISSUER", ""), ("AUDIENCE", ""), ("ISSUERS", &issuers)],
            json!({"iss": "https://two.example"}),
        ),
    ] {
        let settings = [&SETTINGS[..2], settings].concat();
        passes(&settings, &claims, "GET /two", "allow");
    }
    let refused = [&SETTINGS[..2], &[("REFUSAL", "unauthorized")]].concat();
    passes(&refused, &json!({"exp": 1}), "GET /", "token_expired");
    let tenants = [
        ("ISSUER", "https://issuer.example/{tid}"),
        ("TENANTS", "a"),
        ("JWKS_URI", "https://a.example"),
        SETTINGS[1],
    ];
    passes(&tenants, &json!({"tid": "b"}), "GET /", "issuer_untrusted");
    let revoked = [&SETTINGS[..2], &[("REVOKED", r#"{"jti": ["x"]}"#)]].concat();
    passes(&revoked, &json!({"jti": "x"}), "GET /", "token_revoked");
}

#[test]
fn a_connection_has_its_token_where_the_settings_look_for_it() {
    for location in [
        "header:Authorization",
        "query:token",
        "cookie:session",
        "query:a, header:b",
        "query:a\theader:b",
        "subprotocol:bearer",
    ] {
        let settings = [&SETTINGS[..], &[("TOKEN_SOURCE", location)]].concat();
        passes(&settings, &json!({"scope": "chat"}), "$connect", "allow");
    }
}

#[test]
fn a_case_that_went_otherwise_fails_the_run() {
    let cases = json!([
        {"name": "right", "claims": {"scope": "pets:read"}, "request": "GET /pets/1", "expect": "allow"},
        {"name": "wrong", "claims": {"scope": "pets:read"}, "request": "GET /pets/1", "expect": "deny"},
        {"claims": {}, "request": "GET /pets/1", "expect": "claim_missing"},
    ]);
    let ran = test(&SETTINGS, &cases);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.out
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>(),
        [
            "ok right GET /pets/1 allow",
            "FAILED wrong GET /pets/1 expected deny, got allow",
            "FAILED case 3 GET /pets/1 expected claim_missing, got insufficient_scope (entry `GET /pets/{id}` is closed)",
            "1 passed, 2 failed",
        ]
    );
    let ran = run(&SETTINGS, &["test", "-", "--format", "json"], &cases.to_string());
    let result = ran.json();
    assert_eq!((ran.code, &result["passed"], &result["failed"]), (1, &json!(1), &json!(2)));
    assert_eq!(result["cases"][1]["got"], "allow");
    assert_eq!(result["cases"][1]["passed"], false);
}

#[test]
fn a_refusal_is_not_the_same_as_no_verdict() {
    let ran = test(&SETTINGS, &json!([{"request": "GET /pets/1", "expect": "keys_unavailable"}]));
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("expected keys_unavailable, got insufficient_scope"), "{}", ran.out);
}

#[test]
fn ci_gets_junit() {
    let folder = Folder::new("junit");
    let cases = json!([
        {"name": "a <b> & \"c\" \u{1}", "claims": {"scope": "pets:read"}, "request": "GET /pets/1", "expect": "allow"},
        {"claims": {}, "request": "GET /pets/1", "expect": "allow"},
    ]);
    let path = folder.path("results.xml");
    let ran = run(&SETTINGS, &["test", "-", "--junit", path.to_str().unwrap()], &cases.to_string());
    assert_eq!(ran.code, 1);
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="2" failures="1" errors="0">
  <testsuite name="authorizer" tests="2" failures="1" errors="0">
    <testcase classname="authorizer" name="a &lt;b&gt; &amp; &quot;c&quot; \u{1}: GET /pets/1"/>
    <testcase classname="authorizer" name="case 2: GET /pets/1">
      <failure message="expected allow, got insufficient_scope (entry `GET /pets/{id}` is closed)">expected allow, got insufficient_scope (entry `GET /pets/{id}` is closed)</failure>
    </testcase>
  </testsuite>
</testsuites>
"#
    );
}

#[test]
fn cases_may_be_yaml() {
    let cases = "
- name: a reader reads
  claims: {scope: 'pets:read'}
  request: GET /pets/1
  expect: allow
- {request: GET /pets/1, expect: deny}
";
    let ran = run(&SETTINGS, &["test", "-"], cases);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

#[test]
fn aliases_that_expand_to_too_much_are_refused() {
    let members: String = (0..2_000).map(|n| format!("m{n}: {n}, ")).collect();
    let merges = "{<<: *a}, ".repeat(1_000);
    let texts = "*a, ".repeat(2_000);
    let nested = "  - [*a, *a, *a, *a, *a, *a, *a, *a]\n".repeat(200);
    for bomb in [
        format!("a: &a {{{members}}}\nb: [{merges}]"),
        format!("a: &a {}\nb: [{texts}]", "x".repeat(100_000)),
        format!("a: &a [{}]\nb:\n{nested}", "1, ".repeat(2_000)),
        format!("a: &a !Sub [{}]\nb:\n{nested}", "1, ".repeat(2_000)),
    ] {
        let ran = run(&SETTINGS, &["test", "-"], &bomb);
        assert_eq!((ran.code, &*ran.out), (2, ""), "{}", ran.err);
        assert!(ran.err.contains("its aliases expand to too much"), "{}", ran.err);
    }
    let cases = "
- &reads {claims: &claims {scope: 'pets:read'}, request: GET /pets/1,
    expect: allow}
- {<<: *reads, name: again}
- {claims: *claims, request: POST /pets, expect: deny}
";
    let ran = run(&SETTINGS, &["test", "-"], cases);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

#[test]
fn wrong_cases_are_misuse() {
    let case = json!({"request": "GET /", "expect": "allow"});
    let with = |name: &str, value: Value| {
        let mut case = case.clone();
        case[name] = value;
        json!([case])
    };
    for (cases, expected) in [
        (json!({}), "must be an array"),
        (json!([]), "has no cases"),
        (json!(["GET /"]), "case 1: "),
        (json!([{"request": "GET /"}]), "case 1: missing field `expect`"),
        (json!([case, {"expect": "allow"}]), "case 2: missing field `request`"),
        (with("claim", json!({})), "case 1: unknown field `claim`"),
        (with("claims", json!([])), "case 1: "),
        (
            with("expect", json!("alow")),
            "case 1: `expect` must be `allow`, `deny` or a reason: token_missing",
        ),
        (with("request", json!("get /")), "case 1: a request must be `VERB /path`"),
        (with("request", json!("ANY /")), "case 1: a request must be `VERB /path`"),
        (with("request", json!("GET /?a=b")), "case 1: a request has no query"),
    ] {
        let ran = test(&SETTINGS, &cases);
        assert_eq!((ran.code, &*ran.out), (2, ""), "{cases}");
        assert!(ran.err.contains(expected), "{cases}: {}", ran.err);
    }
    let ran = test(&SETTINGS[..1], &json!([case]));
    assert!(ran.code == 2 && ran.err.contains("AUDIENCE"), "{}", ran.err);
}
