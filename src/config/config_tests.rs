use super::*;
use crate::config::settings::PER_ISSUER;
use crate::gateway::credential::BearerPrefix;
use crate::jose::algorithm::Algorithms;
use crate::support::tokens::{SigningKey, b64};
use serde_json::{Map, Value, json};

const ONE: [(&str, &str); 2] = [("ISSUER", "https://login.example.com"), ("AUDIENCE", "api")];

fn read(settings: &[(&str, &str)]) -> Result<Config, Problems> {
    Config::read(&settings.iter().copied().collect())
}

fn read_with(settings: &[(&str, &str)]) -> Result<Config, Problems> {
    read(&[&ONE, settings].concat())
}

fn reported(settings: &[(&str, &str)]) -> Vec<String> {
    read(settings).unwrap_err().0.into_iter().map(|problem| problem.setting).collect()
}

fn shown(settings: &[(&str, &str)]) -> String {
    format!("{:?}", read_with(settings).unwrap())
}

fn issuers(entries: Value) -> Result<Vec<Issuer>, Vec<String>> {
    let config = read(&[("ISSUERS", &entries.to_string())]).map(|config| config.issuers);
    config.map_err(|problems| problems.0.into_iter().map(|problem| problem.setting).collect())
}

fn key_set(length: usize) -> Value {
    json!({"keys": [{"kty": "oct", "k": b64(vec![7; length])}]})
}

/// The names of an issuer, as they are configured.
fn names(issuer: &Issuer) -> Vec<String> {
    issuer.names.iter().map(|(name, _)| name.to_string()).collect()
}

/// The address of each source of keys, as far as it has one, how many keys are configured, and whose it is.
fn sources(config: &Config) -> Vec<(String, usize, &str)> {
    let source = |source: &KeySource| match &source.origin {
        KeyOrigin::Static(keys) => ("JWKS".to_owned(), keys.keys.len()),
        KeyOrigin::Discovery => ("discovery".to_owned(), 0),
        KeyOrigin::Address(address, keys) => (address.to_string(), keys.keys.len()),
    };
    let all = config.key_sources.iter().map(|each| (source(each), &*each.issuers));
    all.map(|((address, keys), issuers)| (address, keys, issuers)).collect()
}

fn paths(names: &[&str]) -> Vec<ClaimPath> {
    names.iter().map(|name| ClaimPath::parse(name).unwrap()).collect()
}

#[test]
fn two_settings_are_enough() {
    let config = read(&ONE).unwrap();
    let [issuer] = &*config.issuers else { panic!("one issuer") };
    assert_eq!(names(issuer), ["https://login.example.com"]);
    assert_eq!(issuer.header_rules.algorithms, Algorithms::parse(["RS256"]).unwrap());
    assert_eq!(issuer.header_rules.types, ["jwt", "at+jwt"]);
    assert_eq!(issuer.rules.audiences, ["api"]);
    assert_eq!(issuer.rules.audience_claims, paths(&["aud"]));
    assert_eq!(issuer.rules.leeway, 0.0);
    assert_eq!(issuer.rules.required, []);
    assert_eq!(issuer.rules.principal_claims, paths(&["sub"]));
    assert_eq!(issuer.scope_claims, paths(&["scope", "scp"]));
    assert_eq!(sources(&config), [("discovery".to_owned(), 0, "https://login.example.com")]);
    assert_eq!(config.answering.binding, TokenBinding::Refuse);
    assert!(issuer.rights.required.is_empty() && issuer.rights.routes.is_none());
    assert_eq!(
        config.answering.credentials.sources,
        [TokenLocation::Header("Authorization".to_owned())]
    );
    assert_eq!(config.answering.credentials.bearer_prefix, BearerPrefix::Required);
    assert_eq!(
        (config.answering.expiry_guard, config.answering.simple_response),
        (ExpiryGuard::On, SimpleResponse::Off)
    );
    let context: Vec<_> =
        config.answering.context.iter().map(|claim| (&*claim.name, claim.path.text())).collect();
    assert_eq!(
        context,
        ["iss", "sub", "client_id", "scope", "exp", "jti"].map(|name| (name, name))
    );
    assert_eq!(config.answering.usage_key, None);
    assert_eq!(
        (config.answering.on_refusal, config.answering.challenges.resource_metadata),
        (OnRefusal::Deny, None)
    );
    assert_eq!((config.lifetimes.fresh.as_secs(), config.lifetimes.stale.as_secs()), (600, 86_400));
    let lists = config.list_lifetimes;
    assert_eq!((lists.fresh.as_secs(), lists.stale.as_secs()), (60, 3600));
    assert!(issuer.revoked.is_none());
    assert_eq!(config.fetch_timeout.as_millis(), 2000);
    assert!(config.authorities.is_empty() && config.warnings.is_empty());
}

#[test]
fn blank_is_unset_and_a_default_can_be_spelled_out() {
    let unset = shown(&[]);
    for Setting { name, default, .. } in
        SETTINGS.iter().filter(|each| !ONE.iter().any(|(name, _)| each.name == *name))
    {
        assert_eq!(shown(&[(name, " \t\n ")]), unset, "{name}");
        if !default.is_empty() {
            assert_eq!(shown(&[(name, &format!("  {default}\n"))]), unset, "{name}");
        }
    }
    assert_eq!(reported(&[("ISSUER", " "), ("AUDIENCE", "\t")]), ["ISSUER", "AUDIENCE"]);
}

/// Settings that have tests of their own: about keys, authorities and issuers here, the others on the shipped binary.
const ELSEWHERE: [&str; 10] = [
    "TENANTS",
    "JWKS_URI",
    "JWKS",
    "PATH_GUARD",
    "JWKS_CA_FILE",
    "TRIAL",
    "METRICS_NAMESPACE",
    "ISSUERS",
    "AWS_LAMBDA_LOG_LEVEL",
    "AWS_LAMBDA_LOG_FORMAT",
];

/// A setting that no code reads would be a check that is off.
#[track_caller]
fn assert_all_tried<'n>(tried: impl Iterator<Item = &'n str>, exempt: &[&str]) {
    let tried: Vec<_> = tried.collect();
    let names = SETTINGS.iter().map(|setting| setting.name);
    let missing: Vec<_> =
        names.filter(|name| !tried.contains(name) && !exempt.contains(name)).collect();
    assert_eq!(missing, [""; 0], "settings without a case");
}

#[test]
fn every_setting_has_an_effect() {
    let routes = json!({"GET /pets": ["pets:read"]}).to_string();
    type Case<'a> = (&'a str, &'a str, fn(&Config) -> bool);
    let cases: [Case<'_>; 43] = [
        ("ISSUER", "https://login.example.com/", |config| {
            names(&config.issuers[0]) == ["https://login.example.com/"]
        }),
        ("ISSUER", "http://127.0.0.1:8080", |config| {
            names(&config.issuers[0]) == ["http://127.0.0.1:8080"]
        }),
        ("AUDIENCE", ", a,b  c,\n", |config| config.issuers[0].rules.audiences == ["a", "b", "c"]),
        ("ALGORITHMS", "ES256 EdDSA", |config| {
            config.issuers[0].header_rules.algorithms.iter().count() == 2
        }),
        ("AUDIENCE_CLAIM", "aud, /x/y", |config| {
            config.issuers[0].rules.audience_claims == paths(&["aud", "/x/y"])
        }),
        ("TOKEN_TYPES", "application/AT+JWT", |config| {
            config.issuers[0].header_rules.types == ["at+jwt"]
        }),
        ("LEEWAY_SECONDS", "300", |config| config.issuers[0].rules.leeway == 300.0),
        ("REQUIRED_CLAIMS", r#"{"a":1,"/b/c":["x",true]}"#, |config| {
            config.issuers[0].rules.required.len() == 2
        }),
        ("REQUIRED_CLAIMS", r#"{"a":{"none":["x"]},"b":{"present":true}}"#, |config| {
            config.issuers[0].rules.required.len() == 2
        }),
        ("MAX_TOKEN_SECONDS", "1", |config| config.issuers[0].rules.max_life == Some(1.0)),
        ("MAX_TOKEN_SECONDS", "31536000", |config| {
            config.issuers[0].rules.max_life == Some(31_536_000.0)
        }),
        ("TOKEN_BINDING", "certificate", |config| {
            config.answering.binding == TokenBinding::Certificate
        }),
        ("TOKEN_BINDING", "ignore", |config| config.answering.binding == TokenBinding::Ignore),
        (
            "REVOKED",
            r#" {"jti":["a","b"]} "#,
            |config| matches!(&config.issuers[0].revoked, Some(RevocationSource::Static(list)) if list.len() == 2),
        ),
        (
            "REVOKED",
            "https://a.example.com/list?b=c",
            |config| matches!(&config.issuers[0].revoked, Some(RevocationSource::At(list)) if list.is_https()),
        ),
        (
            "REVOKED",
            "http://127.0.0.1:1/",
            |config| matches!(&config.issuers[0].revoked, Some(RevocationSource::At(list)) if !list.is_https()),
        ),
        ("REVOKED_FRESH_SECONDS", "1", |config| config.list_lifetimes.fresh.as_secs() == 1),
        ("REVOKED_FRESH_SECONDS", "3600", |config| {
            config.list_lifetimes.fresh == config.list_lifetimes.stale
        }),
        ("REVOKED_STALE_SECONDS", "60", |config| config.list_lifetimes.stale.as_secs() == 60),
        ("REVOKED_STALE_SECONDS", "604800", |config| {
            config.list_lifetimes.stale.as_secs() == 604_800
        }),
        ("SCOPE_CLAIMS", "/roles", |config| config.issuers[0].scope_claims == paths(&["/roles"])),
        ("REQUIRED_SCOPES", "a b", |config| config.issuers[0].rights.required == ["a", "b"]),
        ("ROUTES", &routes, |config| {
            config.issuers[0].rights.routes.as_ref().unwrap().longest(true).entries.len() == 1
        }),
        ("PRINCIPAL_CLAIM", "sub client_id", |config| {
            config.issuers[0].rules.principal_claims == paths(&["sub", "client_id"])
        }),
        ("CONTEXT_CLAIMS", "none", |config| config.answering.context.is_empty()),
        ("CONTEXT_CLAIMS", "roles=/realm/roles, sub", |config| {
            let [roles, sub] = &*config.answering.context else { return false };
            roles.name == "roles" && roles.path.text() == "/realm/roles" && sub.name == "sub"
        }),
        ("CONTEXT_CLAIMS", "my_reason=reason", |config| {
            config.answering.context[0].path.text() == "reason"
        }),
        ("USAGE_KEY_CLAIM", "/plan/key", |config| {
            config.answering.usage_key.as_ref().unwrap().text() == "/plan/key"
        }),
        ("REFUSAL", "unauthorized", |config| {
            config.answering.on_refusal == OnRefusal::Unauthorized
        }),
        ("POLICY_SCOPE", "request", |config| config.answering.policy_scope == PolicyScope::Request),
        ("EXPIRY_GUARD", "off", |config| config.answering.expiry_guard == ExpiryGuard::Off),
        ("CHALLENGE_SCOPES", "b, a", |config| config.answering.challenges.scopes == ["b", "a"]),
        ("RESOURCE_METADATA", "HTTPS://Pets.example.com/a/../b?c='d'", |config| {
            let url = config.answering.challenges.resource_metadata.as_deref();
            url == Some("HTTPS://Pets.example.com/a/../b?c='d'")
        }),
        ("RESOURCE_METADATA", "http://127.0.0.1:8080/x", |config| {
            config.answering.challenges.resource_metadata.is_some()
        }),
        ("TOKEN_SOURCE", "query:t,cookie:c header:X", |config| {
            config.answering.credentials.sources.len() == 3
        }),
        ("BEARER_PREFIX", "optional", |config| {
            config.answering.credentials.bearer_prefix == BearerPrefix::Optional
        }),
        ("SIMPLE_RESPONSE", "on", |config| {
            config.answering.simple_response == SimpleResponse::On && config.warnings.is_empty()
        }),
        ("JWKS_FRESH_SECONDS", "1", |config| config.lifetimes.fresh.as_secs() == 1),
        ("JWKS_FRESH_SECONDS", "86400", |config| config.lifetimes.fresh == config.lifetimes.stale),
        ("JWKS_STALE_SECONDS", "600", |config| config.lifetimes.stale.as_secs() == 600),
        ("JWKS_STALE_SECONDS", "604800", |config| config.lifetimes.stale.as_secs() == 604_800),
        ("JWKS_TIMEOUT_MS", "100", |config| config.fetch_timeout.as_millis() == 100),
        ("JWKS_TIMEOUT_MS", "10000", |config| config.fetch_timeout.as_millis() == 10_000),
    ];
    for (name, value, has_effect) in cases {
        assert!(has_effect(&read_with(&[(name, value)]).unwrap()), "{name}={value}");
    }
    assert_all_tried(cases.iter().map(|(name, ..)| *name), &ELSEWHERE);
    let both = read_with(&[("SIMPLE_RESPONSE", "on"), ("ROUTES", &routes)]).unwrap();
    assert!(both.warnings[0].contains("$context.routeKey"));
    let guard = |value| {
        let config = read_with(&[("PATH_GUARD", value), ("ROUTES", &routes)]).unwrap();
        config.issuers[0].rights.routes.clone().unwrap()
    };
    assert!(
        guard("on").longest(true).guard
            && guard(" ").longest(true).guard
            && !guard("off").longest(true).guard
    );
}

#[test]
fn a_table_has_the_room_that_the_expiry_guard_leaves() {
    let mut table: Map<_, _> =
        (0..15).map(|entry| (format!("POST /{entry:0>391}"), json!(["b"]))).collect();
    table.insert(format!("PUT /{}", "a".repeat(300)), json!(["b"]));
    let table = Value::Object(table);
    let with_guards = |expiry: &str| {
        let settings = [("PATH_GUARD", "off"), ("EXPIRY_GUARD", expiry)];
        let of_all = read_with(&[&settings[..], &[("ROUTES", &table.to_string())]].concat());
        let own = json!([{"issuer": ONE[0].1, "audience": "api", "routes": table}]).to_string();
        let of_one = read(&[&settings[..], &[("ISSUERS", &own)]].concat());
        [of_all, of_one]
            .map(|config| config.map_err(|problems| problems.0[0].setting.clone()).err())
    };
    let reported = ["ROUTES", "ISSUERS[0].routes"].map(|setting| Some(setting.to_owned()));
    assert_eq!(with_guards("on"), reported);
    assert_eq!(with_guards("off"), [None, None]);
}

#[test]
fn a_cached_answer_that_outlives_a_sign_in_is_warned_of() {
    let recent = r#"{"GET /a": [{"max_age": 60}]}"#;
    for (settings, expected) in [
        (&[("ROUTES", recent)][..], None),
        (&[("ROUTES", recent), ("EXPIRY_GUARD", "off")], Some("EXPIRY_GUARD=off")),
        (&[("ROUTES", recent), ("SIMPLE_RESPONSE", "on")], Some("SIMPLE_RESPONSE=on")),
        (&[("ROUTES", r#"{"GET /a": ["a"]}"#), ("EXPIRY_GUARD", "off")], None),
        (&[("EXPIRY_GUARD", "off"), ("SIMPLE_RESPONSE", "on")], None),
    ] {
        let warnings = read_with(settings).unwrap().warnings;
        let warning = warnings.iter().find(|warning| warning.contains("`max_age`"));
        assert_eq!(warning.is_some(), expected.is_some(), "{settings:?} {warnings:?}");
        if let (Some(warning), Some(setting)) = (warning, expected) {
            assert!(
                warning.contains(setting) && warning.contains("time to live to 0"),
                "{warning}"
            );
        }
    }
}

#[test]
fn routes_that_can_close_others_are_warned_of() {
    let routes = r#"{"GET /a/{id}/b":{"path":{"id":"sub"}},"GET /a/{id}":["x"]}"#;
    let warnings = read_with(&[("ROUTES", routes)]).unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].starts_with("ROUTES: entry `GET /a/{id}/b`: its `path` condition is"),
        "{warnings:?}"
    );
}

#[test]
fn a_bad_value_is_one_problem_of_its_variable() {
    let weak = key_set(31).to_string();
    let too_long = json!({format!("GET /{}", "a".repeat(412)): []}).to_string();
    let cases: &[(&str, &[&str])] = &[
        (
            "ISSUER",
            &[
                "login.example.com",
                "http://login.example.com",
                "https://a:b@c.example",
                "https://a.example/#",
                "https:/a.example",
                "https:\\\\a.example",
            ],
        ),
        ("ISSUER", &["https://login.example.com/?tenant=1", "ftp://login.example.com", "issuer"]),
        (
            "ISSUER",
            &[",", "https://a.example.com, https://a.example.com", "https://a.example.com auth"],
        ),
        ("TENANTS", &[",", "a", "any", "@no/such/file"]),
        ("AUDIENCE", &[",", " , ,"]),
        (
            "JWKS_URI",
            &["http://login.example.com/keys", "/keys", "https://a@login.example.com/keys"],
        ),
        ("JWKS", &["{}", "[]", "keys", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"RSA"}]}"#, &weak]),
        (
            "ALGORITHMS",
            &[",", "none", "RS256,none", "rs256", "Ed25519", "ES512", "HS256", "RS256 HS512"],
        ),
        (
            "AUDIENCE_CLAIM",
            &[",", "/a~", "iss", "aud, iss", "/iss", "exp", "/exp", "nbf", "/nbf", "iat", "/iat"],
        ),
        ("TOKEN_TYPES", &[","]),
        ("LEEWAY_SECONDS", &["301", "+5", "-1", "1.5", "1s", "ten", "18446744073709551616"]),
        (
            "REQUIRED_CLAIMS",
            &["[]", "null", "x", r#"{"a":1,"a":2}"#, r#"{"a":null}"#, r#"{"a":[]}"#],
        ),
        (
            "REQUIRED_CLAIMS",
            &[r#"{"a":{"any":[]}}"#, r#"{"a":{"all":["b"],"none":["c"]}}"#, r#"{"a":{"not":1}}"#],
        ),
        ("REQUIRED_CLAIMS", &[r#"{"a":{"present":"yes"}}"#, r#"{"a":{"none":"b"}}"#]),
        (
            "REQUIRED_CLAIMS",
            &[r#"{"a":20000000000000000001}"#, r#"{"a":[1,0.10000000000000000001]}"#],
        ),
        ("ROUTES", &[r#"{"GET /":{"claims":{"a":20000000000000000001}}}"#]),
        ("MAX_TOKEN_SECONDS", &["0", "31536001", "-1", "1.5", "1h"]),
        ("PATH_GUARD", &["true", "On", "1"]),
        ("POLICY_SCOPE", &["Stage", "route", "on", "stage request"]),
        ("ROUTES", &[r#"{"GET /a//b":[]}"#, r#"{"GET /{id}":{"path":{"id":"sub"}},"ANY /*":[]}"#]),
        (
            "ROUTES",
            &[
                r#"{"GET /":{"any":[]}}"#,
                r#"{"GET /":{"path":{"id":"sub"}}}"#,
                r#"{"GET /":{"claims":1}}"#,
            ],
        ),
        (
            "REQUIRED_CLAIMS",
            &[r#"{"a":{}}"#, r#"{"a":[["b"]]}"#, r#"{"a":["b",null]}"#, r#"{"/a~":1}"#],
        ),
        ("TOKEN_BINDING", &["off", "Refuse", "dpop", "certificate ignore"]),
        (
            "REVOKED",
            &["[]", "x", "null", r#"{"kid":[]}"#, r#"{"jti":"a"}"#, r#"{"sub":{"a":1,"a":1}}"#],
        ),
        ("REVOKED", &["http://a.example.com/", "ftp://a.example.com/", "x:", "https:", "@"]),
        ("REVOKED_FRESH_SECONDS", &["0", "3601", "-1", "ten"]),
        ("REVOKED_STALE_SECONDS", &["0", "59", "604801", "ten"]),
        ("SCOPE_CLAIMS", &[",", "/~2"]),
        ("REQUIRED_SCOPES", &[",", "a\"b", "a\\b", "p\u{e4}ts", "a\u{7f}"]),
        (
            "ROUTES",
            &[
                "{}",
                "[]",
                r#"{"GET pets":[]}"#,
                r#"{"GET /":"x"}"#,
                r#"{"GET /":[],"GET /":[]}"#,
                &too_long,
            ],
        ),
        ("PRINCIPAL_CLAIM", &[",", "/~"]),
        (
            "CONTEXT_CLAIMS",
            &[",", "none, sub", "=a", "a=", "=", "/realm/roles", "sub,sub", "a=sub,a=iss", "a=/~"],
        ),
        ("USAGE_KEY_CLAIM", &["/~"]),
        ("REFUSAL", &["401", "Deny", "unauthorised"]),
        ("EXPIRY_GUARD", &["true", "ON", "1"]),
        ("CHALLENGE_SCOPES", &[",", "a\"", "a\\", "caf\u{e9}"]),
        (
            "RESOURCE_METADATA",
            &[
                "pets.example.com",
                "http://pets.example.com/x",
                "https://pets.example.com/\"x",
                "https://pets.example.com/\\x",
                "https://pets.example.com/a b",
                "https://pets.example.com/a\tb",
                "https://pets.example.com/\u{e4}",
                "https://pets.example.com/\u{7f}",
                "https://a:b@pets.example.com/",
            ],
        ),
        (
            "TOKEN_SOURCE",
            &[",", "Authorization", "header:", "Header:A", "body:a", "header:Authorization:"],
        ),
        ("TOKEN_SOURCE", &["header:A B", "header:Authorization, cookie:a=b"]),
        ("BEARER_PREFIX", &["no", "Optional"]),
        ("SIMPLE_RESPONSE", &["true", "yes"]),
        ("JWKS_FRESH_SECONDS", &["0", "86401", "-1", "ten"]),
        ("JWKS_STALE_SECONDS", &["0", "599", "604801", "ten"]),
        ("JWKS_TIMEOUT_MS", &["99", "10001", "2s"]),
        ("JWKS_CA_FILE", &["no/such/file.pem", "/"]),
        ("SSL_CERT_FILE", &["no/such/file.pem"]),
        ("METRICS_NAMESPACE", &["AWS/Lambda", "a\"b"]),
    ];
    for (name, values) in cases {
        for value in *values {
            let found = read_with(&[(name, value)]).unwrap_err();
            let reported: Vec<_> = found.0.iter().map(|problem| &*problem.setting).collect();
            assert_eq!(reported, [*name], "{name}={value}: {found}");
        }
    }
    // Any string is a claim's name, the log's are warned of, and ISSUERS and TRIAL have tests of their own.
    let others =
        ["USAGE_KEY_CLAIM", "TRIAL", "AWS_LAMBDA_LOG_LEVEL", "AWS_LAMBDA_LOG_FORMAT", "ISSUERS"];
    assert_all_tried(cases.iter().map(|(name, _)| *name), &others);
    let filled = "challenge claims error integrationLatency integrationStatus latency principalId reason requestId status";
    for name in filled.split(' ') {
        assert_eq!(
            reported(&[&ONE[..], &[("CONTEXT_CLAIMS", name)]].concat()),
            ["CONTEXT_CLAIMS"],
            "{name}"
        );
        let renamed = format!("{name}=sub");
        assert_eq!(
            reported(&[&ONE[..], &[("CONTEXT_CLAIMS", &renamed)]].concat()),
            ["CONTEXT_CLAIMS"],
            "{renamed}"
        );
    }
}

#[test]
fn all_problems_are_reported_at_once_with_their_setting() {
    let problems = read(&[
        ("ISSUER", "http://login.example.com"),
        ("ALGORITHMS", "RS256 none"),
        ("LEEWAY_SECONDS", "5m"),
        ("REQUIRED_CLAIMS", r#"{"a": null, "b": {}}"#),
        ("CONTEXT_CLAIMS", "reason, /x"),
        ("ROUTES", r#"{"FETCH /": [], "GET x": []}"#),
        ("EXPIRY_GUARD", "maybe"),
        ("JWKS_FRESH_SECONDS", "100"),
        ("JWKS_STALE_SECONDS", "99"),
    ]);
    let problems = problems.unwrap_err();
    let mut reported: Vec<_> = problems.0.iter().map(|problem| &*problem.setting).collect();
    reported.sort_unstable();
    let expected = [
        "ALGORITHMS",
        "AUDIENCE",
        "CONTEXT_CLAIMS",
        "CONTEXT_CLAIMS",
        "EXPIRY_GUARD",
        "ISSUER",
        "JWKS_STALE_SECONDS",
        "LEEWAY_SECONDS",
        "REQUIRED_CLAIMS",
        "REQUIRED_CLAIMS",
        "ROUTES",
        "ROUTES",
    ];
    assert_eq!(reported, expected);
    let text = problems.to_string();
    assert!(text.starts_with("bad configuration\n  "), "{text}");
    assert!(
        text.contains("\n  LEEWAY_SECONDS: `5m`: must be a whole number from 0 to 300\n"),
        "{text}"
    );
    assert!(text.contains("entry `FETCH /`") && text.contains("entry `GET x`"), "{text}");
    assert_eq!(text.lines().count(), 1 + expected.len());
}

#[test]
fn no_problem_hides_another() {
    let no_file = "no/such/file";
    for (settings, expected) in [
        (&[("JWKS_URI", "http://a.example.com"), ("JWKS", "{}")][..], &["JWKS_URI", "JWKS"][..]),
        (&[("PATH_GUARD", "x"), ("ROUTES", "{}")], &["PATH_GUARD", "ROUTES"]),
        (&[("EXPIRY_GUARD", "x"), ("ROUTES", "{}")], &["EXPIRY_GUARD", "ROUTES"]),
        (
            &[("AUDIENCE_CLAIM", "iss"), ("SSL_CERT_FILE", no_file)],
            &["AUDIENCE_CLAIM", "SSL_CERT_FILE"],
        ),
        (
            &[
                ("REVOKED", "https://a.example.com"),
                ("JWKS_URI", "http://127.0.0.1"),
                ("ALGORITHMS", "none"),
                ("SSL_CERT_FILE", no_file),
            ],
            &["ALGORITHMS", "SSL_CERT_FILE"],
        ),
        (&[("ALGORITHMS", "ES999 RS256 none")], &["ALGORITHMS", "ALGORITHMS"]),
        (&[("ALGORITHMS", "ES999 HS256")], &["ALGORITHMS", "ALGORITHMS"]),
    ] {
        assert_eq!(reported(&[&ONE[..], settings].concat()), expected);
    }
    let entry = json!({
        "issuer": "https://a.example.com", "audience": "api", "routes": {}, "jwks": {"keys": []},
        "jwks_uri": "http://a.example.com", "algorithms": ["x", "y"],
    });
    let settings = [("ISSUERS", &*json!([entry]).to_string()), ("PATH_GUARD", "x")];
    let mut found = reported(&settings);
    found.sort_unstable();
    let members = ["algorithms", "algorithms", "jwks", "jwks_uri", "routes"];
    let mut expected: Vec<_> = members.map(|member| format!("ISSUERS[0].{member}")).into();
    expected.push("PATH_GUARD".to_owned());
    assert_eq!(found, expected);
}

#[test]
fn a_value_after_an_at_sign_is_quoted_only_if_a_path() {
    let list = "@https://bucket.example.com/list?signature=secret";
    let keys = r#"@{"keys":[{"kty":"oct","k":"secret"}]}"#;
    let issuers = r#"@[{"issuer":"secret"}]"#;
    let member = |text: &str| {
        let entry = json!({"issuer": ONE[0].1, "audience": "api", "revoked": text});
        json!([entry]).to_string()
    };
    for (name, value) in [
        ("REVOKED", list.to_owned()),
        ("REVOKED", r#"@{"jti":["secret"]}"#.to_owned()),
        ("JWKS", keys.to_owned()),
        ("JWKS", format!("@secret{}", "x".repeat(250))),
        ("ISSUERS", issuers.to_owned()),
        ("ISSUERS", member(list)),
    ] {
        let settings: &[_] = if name == "ISSUERS" { &[] } else { &ONE };
        let problems = read(&[settings, &[(name, &value)]].concat()).unwrap_err();
        assert!(problems.0[0].message.starts_with("@: "), "{value}: {problems}");
        assert!(!problems.to_string().contains("secret"), "{problems}");
    }
}

#[test]
fn keys_come_from_configuration_provider_or_both() {
    let ec = json!({"keys": [SigningKey::es256("k").jwk(), null]}).to_string();
    let uri = "http://127.0.0.1:1/keys";
    let keys = |settings: &[(&str, &str)]| {
        let config = read_with(&[&[("ALGORITHMS", "ES256")], settings].concat()).unwrap();
        let [(address, keys, _)] = &sources(&config)[..] else { panic!("one source") };
        (address.clone(), *keys)
    };
    assert_eq!(keys(&[]), ("discovery".to_owned(), 0));
    assert_eq!(keys(&[("JWKS_URI", uri)]), (uri.to_owned(), 0));
    assert_eq!(keys(&[("JWKS", &ec)]), ("JWKS".to_owned(), 1));
    assert_eq!(keys(&[("JWKS", &ec), ("JWKS_URI", uri)]), (uri.to_owned(), 1));
}

#[test]
fn symmetric_algorithms_need_configured_keys_that_are_long_enough() {
    for (algorithms, length, expected) in [
        ("HS256", 32, None),
        ("RS256 HS256", 32, None),
        ("HS512", 64, None),
        ("HS512", 63, Some("JWKS")),
    ] {
        let keys = key_set(length).to_string();
        let read = read_with(&[("ALGORITHMS", algorithms), ("JWKS", &keys)]);
        let setting = read.err().map(|problems| problems.0[0].setting.clone());
        assert_eq!(setting.as_deref(), expected, "{algorithms} {length}");
    }
    let uri = ("JWKS_URI", "https://login.example.com/keys");
    assert_eq!(reported(&[&ONE[..], &[("ALGORITHMS", "HS256"), uri]].concat()), ["ALGORITHMS"]);
    assert_eq!(
        reported(&[&ONE[..], &[("ALGORITHMS", "HS256"), ("JWKS", "@none.json")]].concat()),
        ["JWKS"]
    );
}

#[test]
fn skipped_keys_of_the_configuration_are_named() {
    let short = json!({"kty": "oct", "kid": "hs", "k": b64([7; 40]), "secret": "x"});
    let rsa = json!({"kty": "RSA", "kid": "line\nbreak", "x5c": ["secret"]});
    let keys = |keys: &[&Value]| json!({"keys": keys}).to_string();
    let refused = |algorithms: &str, jwks: &str| {
        let problems = read_with(&[("ALGORITHMS", algorithms), ("JWKS", jwks)]).unwrap_err();
        assert_eq!(problems.0.len(), 1, "{problems}");
        problems.0[0].message.clone()
    };
    let none = "no key in it can verify a signature of an allowed algorithm";
    assert_eq!(
        refused("HS384 HS512", &keys(&[&short, &rsa])),
        format!(
            "{none}: keys[0] (kid \"hs\"): `k` has 40 bytes: HS256 needs 32, HS384 48, HS512 64; keys[1] (kid \
             \"line\\nbreak\"): no `n`: its certificate (`x5c`) is not read"
        )
    );
    let not_listed = "ALGORITHMS does not list its algorithms: HS256";
    assert_eq!(
        refused("RS256", &keys(&[&short])),
        format!("{none}: keys[0] (kid \"hs\"): {not_listed}")
    );
    let message = refused("HS256", &keys(&[&rsa; 10]));
    assert!(message.contains("keys[7]") && !message.contains("keys[8]"), "{message}");
    assert!(message.ends_with("; and 2 more"), "{message}");
    for (document, expected) in [
        ("{}", "has no array `keys`"),
        ("{\"keys\": 5}", "has no array `keys`"),
        ("[]", "not a JSON object"),
        ("{\"keys\":[],\"keys\":[]}", "duplicate member name at line 1 column 21"),
    ] {
        assert_eq!(refused("HS256", document), expected);
    }

    let mut private = SigningKey::ed25519("p").jwk();
    private["d"] = json!("AQ");
    let jwks = keys(&[&rsa, &private]);
    let config = read_with(&[("ALGORITHMS", "EdDSA"), ("JWKS", &jwks)]).unwrap();
    assert_eq!(
        config.warnings,
        [
            "JWKS: keys[0] (kid \"line\\nbreak\"): no `n`: its certificate (`x5c`) is not read; the key is skipped",
            "JWKS: keys[1] (kid \"p\") has private members, which sign tokens; only public ones are needed here",
        ]
    );
}

#[test]
fn a_byte_order_mark_before_json_is_skipped() {
    let root = std::env::temp_dir().join(format!("token-authorizer-marks-{}", std::process::id()));
    std::fs::create_dir_all(&root).unwrap();
    let marked = |value: &str| format!("\u{feff}{value}");
    let in_file = |name: &str, value: &str| {
        std::fs::write(root.join(name), marked(value)).unwrap();
        format!("@{}", root.join(name).display())
    };
    let issuers = json!([{"issuer": "https://login.example.com", "audience": "api"}]).to_string();
    for (name, value, others) in [
        ("JWKS", &*key_set(32).to_string(), &[("ALGORITHMS", "HS256")][..]),
        ("REQUIRED_CLAIMS", r#"{"tenant": "a"}"#, &[]),
        ("ROUTES", r#"{"GET /": []}"#, &[]),
        ("REVOKED", r#"{"jti": ["a"]}"#, &[]),
        (
            "TENANTS",
            "a, b",
            &[
                ("ISSUER", "https://login.example.com/{tid}/v2.0"),
                ("JWKS_URI", "https://login.example.com/keys"),
            ],
        ),
    ] {
        let usual: Vec<_> = ONE
            .iter()
            .filter(|(usual, _)| others.iter().all(|(other, _)| other != usual))
            .copied()
            .collect();
        for text in [marked(value), in_file(name, value)] {
            let read = read(&[&usual[..], others, &[(name, &*text)]].concat());
            assert!(read.is_ok(), "{name}: {read:?}");
        }
        for text in [marked(&marked(value)), format!(" {}", marked(&format!("x{value}")))] {
            if name == "TENANTS" {
                continue;
            }
            let reported = reported(&[&usual[..], others, &[(name, &*text)]].concat());
            assert_eq!(reported, [name]);
        }
    }
    for text in [marked(&issuers), in_file("ISSUERS", &issuers)] {
        assert_eq!(read(&[("ISSUERS", &text)]).unwrap().issuers.len(), 1);
    }
    let list = in_file("list", r#"{"jti": ["a"]}"#);
    let nested =
        json!([{"issuer": "https://login.example.com", "audience": "api", "revoked": list}]);
    assert!(read(&[("ISSUERS", &nested.to_string())]).is_ok());
    std::fs::remove_dir_all(root).unwrap();
}

#[test]
fn a_json_setting_may_be_a_file_of_the_package() {
    let root = std::env::temp_dir().join(format!("token-authorizer-config-{}", std::process::id()));
    std::fs::create_dir_all(root.join("conf")).unwrap();
    let write =
        |name: &str, value: Value| std::fs::write(root.join(name), value.to_string()).unwrap();
    write("conf/claims.json", json!({"tenant": "a"}));
    write("conf/keys.json", key_set(32));
    write("conf/routes.json", json!({"GET /": []}));
    write("conf/revoked.json", json!({"jti": ["a"]}));
    write("issuers.json", json!([{"issuer": "https://login.example.com", "audience": "api"}]));
    let task_root = ("LAMBDA_TASK_ROOT", root.to_str().unwrap());
    let config = read_with(&[
        task_root,
        ("REQUIRED_CLAIMS", "@conf/claims.json"),
        ("JWKS", " @conf/keys.json "),
        ("ROUTES", "@conf/routes.json"),
        ("REVOKED", "@conf/revoked.json"),
        ("ALGORITHMS", "HS256"),
    ]);
    let config = config.unwrap();
    assert_eq!(config.issuers[0].rules.required.len(), 1);
    assert_eq!(sources(&config), [("JWKS".to_owned(), 1, "https://login.example.com")]);
    assert!(config.issuers[0].rights.routes.is_some());
    assert!(
        matches!(&config.issuers[0].revoked, Some(RevocationSource::Static(list)) if list.len() == 1)
    );
    assert_eq!(read(&[task_root, ("ISSUERS", "@issuers.json")]).unwrap().issuers.len(), 1);
    let absolute = format!("@{}", root.join("issuers.json").display());
    assert_eq!(read(&[("ISSUERS", &absolute)]).unwrap().issuers.len(), 1);

    let missing =
        read(&[&ONE[..], &[task_root, ("ROUTES", "@conf/none.json")]].concat()).unwrap_err();
    assert_eq!(missing.0.len(), 1);
    assert!(missing.0[0].message.contains("none.json"), "{missing}");
    assert!(missing.0[0].message.ends_with("that holds the value"), "{missing}");
    assert_eq!(
        reported(&[&ONE[..], &[task_root, ("ROUTES", "@conf")]].concat()),
        ["ROUTES"],
        "a directory"
    );
    assert_eq!(reported(&[task_root, ("ISSUERS", "@conf/none.json")]), ["ISSUERS"]);
    std::fs::remove_dir_all(root).unwrap();
}

#[test]
fn authorities_are_read_where_there_is_tls_to_do() {
    let file =
        std::env::temp_dir().join(format!("token-authorizer-config-{}.pem", std::process::id()));
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&file, certificate.cert.pem()).unwrap();
    let pem = file.to_str().unwrap();
    let authorities = |settings: &[(&str, &str)]| read_with(settings).unwrap().authorities.len();
    assert_eq!(authorities(&[("JWKS_CA_FILE", pem)]), 1);
    assert_eq!(authorities(&[("SSL_CERT_FILE", pem)]), 1);
    assert_eq!(authorities(&[("SSL_CERT_FILE", pem), ("JWKS_CA_FILE", pem)]), 2);
    let loopback_issuer = ("ISSUER", "http://127.0.0.1:1");
    assert_eq!(
        authorities(&[("SSL_CERT_FILE", pem), loopback_issuer]),
        1,
        "its keys can be at https"
    );
    let plain = ("JWKS_URI", "http://127.0.0.1:1/");
    assert_eq!(authorities(&[("SSL_CERT_FILE", "no/such/file.pem"), loopback_issuer, plain]), 0);
    assert_eq!(authorities(&[("SSL_CERT_FILE", "no/such/file.pem"), plain]), 0);
    for (list, expected) in [("http://127.0.0.1:1/", 0), ("https://127.0.0.1:1/", 1)] {
        assert_eq!(authorities(&[("SSL_CERT_FILE", pem), plain, ("REVOKED", list)]), expected);
    }
    std::fs::remove_file(file).unwrap();
}

#[test]
fn several_issuers_have_rules_of_their_own() {
    let ec = json!({"keys": [SigningKey::es256("k").jwk()]});
    let entries = json!([
        {"issuer": "https://a.example.com", "audience": ["api", "api-2"]},
        {
            "issuer": "https://b.example.com", "audience": "api", "jwks_uri": "https://b.example.com/keys",
            "jwks": ec, "algorithms": "ES256", "audience_claim": ["client_id"], "token_types": "at+jwt",
            "required_claims": {"token_use": {"any": ["access"]}}, "scope_claims": ["scope", "/roles"],
        },
    ]);
    let config = read(&[
        ("ISSUERS", &entries.to_string()),
        ("LEEWAY_SECONDS", "5"),
        ("PRINCIPAL_CLAIM", "client_id"),
    ]);
    let config = config.unwrap();
    let [a, b] = &*config.issuers else { panic!("two issuers") };
    assert_eq!(
        (names(a), &*a.header_rules.types),
        (vec!["https://a.example.com".to_owned()], &["jwt".to_owned(), "at+jwt".to_owned()][..])
    );
    assert_eq!(a.rules.audiences, ["api", "api-2"]);
    assert_eq!(a.header_rules.algorithms, Algorithms::parse(["RS256"]).unwrap());
    assert_eq!((&a.scope_claims, a.rules.required.len()), (&paths(&["scope", "scp"]), 0));
    assert_eq!(
        (names(b), &*b.header_rules.types),
        (vec!["https://b.example.com".to_owned()], &["at+jwt".to_owned()][..])
    );
    assert_eq!(b.rules.audience_claims, paths(&["client_id"]));
    assert_eq!(b.header_rules.algorithms, Algorithms::parse(["ES256"]).unwrap());
    assert_eq!((&b.scope_claims, b.rules.required.len()), (&paths(&["scope", "/roles"]), 1));
    assert_eq!(
        sources(&config),
        [
            ("discovery".to_owned(), 0, "https://a.example.com"),
            ("https://b.example.com/keys".to_owned(), 1, "https://b.example.com"),
        ]
    );
    for issuer in [a, b] {
        assert_eq!(
            (issuer.rules.leeway, &issuer.rules.principal_claims),
            (5.0, &paths(&["client_id"]))
        );
    }
}

#[test]
fn problems_with_issuers_name_their_entry() {
    let good = || json!({"issuer": "https://login.example.com", "audience": "api"});
    let with = |name: &str, value: Value| {
        let mut entry = good();
        entry[name] = value;
        json!([{"issuer": "https://first.example.com", "audience": "api"}, entry])
    };
    let cases = [
        (json!([]), "ISSUERS"),
        (json!({}), "ISSUERS"),
        (good(), "ISSUERS"),
        (json!("https://login.example.com"), "ISSUERS"),
        (json!([good(), "https://b.example.com"]), "ISSUERS[1]"),
        (json!([good(), null]), "ISSUERS[1]"),
        (json!([good(), good()]), "ISSUERS"),
        (json!([good(), {"issuer": "https://b.example.com"}]), "ISSUERS[1].audience"),
        (json!([good(), {"audience": "api"}]), "ISSUERS[1].issuer"),
        (with("Audience", json!("api")), "ISSUERS[1].Audience"),
        (with("leeway_seconds", json!(5)), "ISSUERS[1].leeway_seconds"),
        (with("issuer", json!("http://login.example.com")), "ISSUERS[1].issuer"),
        (with("issuer", json!(" ")), "ISSUERS[1].issuer"),
        (with("issuer", json!(null)), "ISSUERS[1].issuer"),
        (with("audience", json!([])), "ISSUERS[1].audience"),
        (with("audience", json!("")), "ISSUERS[1].audience"),
        (with("audience", json!(["api", 5])), "ISSUERS[1].audience"),
        (with("jwks_uri", json!("http://login.example.com/keys")), "ISSUERS[1].jwks_uri"),
        (with("jwks", json!("{\"keys\":[]}")), "ISSUERS[1].jwks"),
        (with("jwks", json!({"keys": []})), "ISSUERS[1].jwks"),
        (
            json!([{"issuer": "https://a.example.com", "audience": "api", "algorithms": "HS256", "jwks": []}]),
            "ISSUERS[0].jwks",
        ),
        (with("algorithms", json!(["RS256", "none"])), "ISSUERS[1].algorithms"),
        (with("algorithms", json!("RS256 ES256")), "ISSUERS[1].algorithms"),
        (with("algorithms", json!(["HS256"])), "ISSUERS[1].algorithms"),
        (with("algorithms", json!([])), "ISSUERS[1].algorithms"),
        (with("audience_claim", json!(["/~"])), "ISSUERS[1].audience_claim"),
        (with("audience_claim", json!(["aud", "/iss"])), "ISSUERS[1].audience_claim"),
        (with("token_types", json!([])), "ISSUERS[1].token_types"),
        (with("required_claims", json!([])), "ISSUERS[1].required_claims"),
        (with("required_claims", json!({"a": null})), "ISSUERS[1].required_claims"),
        (with("required_claims", json!({"a": {"any": []}})), "ISSUERS[1].required_claims"),
        (with("scope_claims", json!({})), "ISSUERS[1].scope_claims"),
        (with("revoked", json!({"jti": [null]})), "ISSUERS[1].revoked"),
        (with("revoked", json!(["a"])), "ISSUERS[1].revoked"),
        (with("revoked", json!(null)), "ISSUERS[1].revoked"),
        (with("revoked", json!(" ")), "ISSUERS[1].revoked"),
        (with("revoked", json!(r#"{"jti":["a"]}"#)), "ISSUERS[1].revoked"),
        (with("revoked", json!("@no/such/file.json")), "ISSUERS[1].revoked"),
        (with("revoked", json!("http://a.example.com/list")), "ISSUERS[1].revoked"),
    ];
    for (entries, setting) in cases {
        assert_eq!(issuers(entries.clone()).unwrap_err(), [setting], "{entries}");
    }
    assert_eq!(reported(&[("ISSUERS", "[{]")]), ["ISSUERS"]);
    let twice =
        r#"[{"issuer":"https://a.example.com","issuer":"https://b.example.com","audience":"api"}]"#;
    assert_eq!(reported(&[("ISSUERS", twice)]), ["ISSUERS"]);
}

#[test]
fn a_revocation_address_has_a_scheme_and_is_never_quoted() {
    let entry = |revoked: Value| json!([{"issuer": "https://login.example.com", "audience": "api", "revoked": revoked}]);
    let [given, at] = [json!({"sub": {"a": 1.5}, "before": 2}), json!("https://a.example.com/b")]
        .map(|revoked| issuers(entry(revoked)).unwrap().remove(0).revoked.unwrap());
    assert!(matches!(given, RevocationSource::Static(list) if list.len() == 2));
    assert!(
        matches!(at, RevocationSource::At(list) if list.to_string() == "https://a.example.com/b")
    );
    // RFC 3986 section 3.1: a scheme begins with a letter.
    for (text, is_address) in [
        ("secret:x", true),
        ("s.e+c-r3t:x", true),
        ("1secret:x", false),
        (":secret", false),
        ("secret", false),
        ("sec ret:x", false),
        ("{\"secret\":1}", false),
        ("http://secret.example.com/?secret", true),
    ] {
        let problems = read_with(&[("REVOKED", text)]).unwrap_err();
        assert_eq!(problems.0.len(), 1, "{problems}");
        assert_eq!(
            problems.to_string().contains("must be https"),
            is_address,
            "{text}: {problems}"
        );
        assert!(!problems.to_string().contains("secret"), "{problems}");
    }
}

#[test]
fn issuers_exclude_the_variables_of_one_issuer() {
    let entries = json!([{"issuer": "https://login.example.com", "audience": "api"}]).to_string();
    for name in PER_ISSUER {
        assert_eq!(reported(&[("ISSUERS", &entries), (name, "x")]), [name]);
        assert!(read(&[("ISSUERS", &entries), (name, " ")]).is_ok(), "{name}");
    }
    for Setting { name, default, .. } in
        SETTINGS.iter().filter(|setting| !PER_ISSUER.contains(&setting.name))
    {
        if *name != "ISSUERS" && !default.is_empty() {
            assert!(read(&[("ISSUERS", &entries), (name, default)]).is_ok(), "{name}");
        }
    }
}

#[test]
fn a_trial_is_read_as_the_settings_that_it_is_for() {
    let all = json!({
        "audience": "a", "audience_claim": ["azp"], "token_types": "application/X", "required_claims": {"t": 1},
        "max_token_seconds": 60, "required_scopes": ["s"], "routes": {"GET /": []},
    });
    let trial = read_with(&[("TRIAL", &all.to_string())]).unwrap().trial.unwrap();
    assert_eq!(trial.audiences.as_deref(), Some(&["a".to_owned()][..]));
    assert_eq!(trial.audience_claims.unwrap(), [ClaimPath::Member("azp".to_owned())]);
    assert_eq!(trial.types.as_deref(), Some(&["x".to_owned()][..]));
    assert_eq!(trial.required_claims.unwrap().len(), 1);
    assert_eq!((trial.max_life, trial.routes.is_some()), (Some(60.0), true));
    assert_eq!(trial.required_scopes.as_deref(), Some(&["s".to_owned()][..]));
    assert!(read_with(&[]).unwrap().trial.is_none());
    for (value, setting, message) in [
        ("{}", "TRIAL", "is empty: must have at least one of audience, "),
        ("[]", "TRIAL", "must be a JSON object"),
        (r#"{"issuer": "x"}"#, "TRIAL.issuer", "unknown member; there are audience, "),
        (r#"{"audience": []}"#, "TRIAL.audience", "is an empty list"),
        (r#"{"audience_claim": "iss"}"#, "TRIAL.audience_claim", "`iss` cannot hold an audience"),
        (r#"{"required_claims": {"a": null}}"#, "TRIAL.required_claims", "claim `a`: must be"),
        (r#"{"max_token_seconds": "60"}"#, "TRIAL.max_token_seconds", "must be a whole number"),
        (r#"{"max_token_seconds": 0}"#, "TRIAL.max_token_seconds", "from 1 to 31536000"),
        (r#"{"max_token_seconds": 1.0}"#, "TRIAL.max_token_seconds", "must be a whole number"),
        (r#"{"required_scopes": "a\""}"#, "TRIAL.required_scopes", "must be printable ASCII"),
        (r#"{"routes": {"get /": []}}"#, "TRIAL.routes", "entry `get /`: "),
        (r#"{"token_types": 5}"#, "TRIAL.token_types", "must be a string"),
    ] {
        let found = read_with(&[("TRIAL", value)]).unwrap_err().0;
        assert_eq!(found.len(), 1, "{value}: {found:?}");
        assert_eq!(found[0].setting, setting, "{value}");
        assert!(found[0].message.contains(message), "{value}: {}", found[0].message);
    }
}
