use serde_json::json;

use super::*;
use crate::config::{Config, Issuer, KeyOrigin};
use crate::support::tokens::{self, SigningKey};

const ENTRA: &str = "https://login.example.com/{tid}/v2.0";
const KEYS: &str = "https://login.example.com/keys";

/// The settings, with an audience; or the problems, each as its setting and message.
fn read(settings: &[(&str, &str)]) -> Result<Config, Vec<(String, String)>> {
    let audience =
        settings.iter().all(|(name, _)| *name != "ISSUERS").then_some(("AUDIENCE", "api"));
    let config = Config::read(&settings.iter().copied().chain(audience).collect());
    config.map_err(|problems| {
        problems.0.into_iter().map(|problem| (problem.setting, problem.message)).collect()
    })
}

fn reported(settings: &[(&str, &str)]) -> Vec<String> {
    read(settings).err().unwrap_or_default().into_iter().map(|(setting, _)| setting).collect()
}

/// The names of an issuer, each with the number of its source of keys.
fn names(issuer: &Issuer) -> Vec<(String, usize)> {
    issuer.names.iter().map(|(name, source)| (name.to_string(), *source)).collect()
}

fn of_issuers(entries: &Value) -> Result<Config, Vec<(String, String)>> {
    read(&[("ISSUERS", &entries.to_string())])
}

/// With tenants, and keys for them.
fn tenants(name: &str, tenants: &str) -> Vec<String> {
    reported(&[("ISSUER", name), ("TENANTS", tenants), ("JWKS_URI", KEYS)])
}

#[test]
fn each_name_of_a_list_has_its_own_discovery() {
    let (first, second) =
        ("https://cognito-idp.example.com/p", "https://issuer-cognito-idp.example.com/p");
    let config = read(&[("ISSUER", &format!("{first},\n {second}"))]).unwrap();
    let [issuer] = &*config.issuers else { panic!("one set of rules") };
    assert_eq!(names(issuer), [(first.to_owned(), 0), (second.to_owned(), 1)]);
    let sources: Vec<_> = config.key_sources.iter().map(|source| &*source.issuers).collect();
    assert_eq!(sources, [first, second]);
    assert!(config.key_sources.iter().all(|source| matches!(source.origin, KeyOrigin::Discovery)));
}

#[test]
fn names_with_an_address_or_keys_can_be_any_string() {
    let ec = tokens::jwks(&[&SigningKey::rsa("k")]).to_string();
    let list =
        "https://accounts.google.com accounts.google.com auth http://plain.example.com?x=%7B";
    for keys in [("JWKS_URI", KEYS), ("JWKS", &*ec)] {
        let config = read(&[("ISSUER", list), keys]).unwrap();
        assert_eq!(names(&config.issuers[0]).len(), 4);
        assert!(names(&config.issuers[0]).iter().all(|(_, source)| *source == 0));
        assert_eq!(config.key_sources.len(), 1);
        assert_eq!(config.key_sources[0].issuers, list);
    }
    for alone in
        ["accounts.google.com", "auth", "http://plain.example.com", "https://a.example.com/?x"]
    {
        let problems = read(&[("ISSUER", alone)]).unwrap_err();
        let [(setting, message)] = &problems[..] else { panic!("{problems:?}") };
        assert_eq!(setting, "ISSUER");
        assert!(
            message.contains(alone) && message.ends_with("needs JWKS_URI or JWKS"),
            "{message}"
        );
    }
}

#[test]
fn sources_with_the_same_address_and_keys_are_one() {
    let [a, b] = ["a", "b"].map(|kid| tokens::jwks(&[&SigningKey::rsa(kid)]));
    let entry = |name: &str, members: Value| {
        let mut entry = json!({"issuer": format!("https://{name}.example.com"), "audience": "api"});
        entry.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        entry
    };
    let other = "https://other.example.com/keys";
    let entries = json!([
        entry("1", json!({ "jwks_uri": KEYS })),
        entry("2", json!({ "jwks_uri": KEYS, "algorithms": ["ES256", "PS256"] })),
        entry("3", json!({ "jwks_uri": other })),
        entry("4", json!({ "jwks_uri": KEYS, "jwks": a })),
        entry("5", json!({ "jwks_uri": KEYS, "jwks": b })),
        entry("6", json!({ "jwks_uri": KEYS, "jwks": a })),
        entry("7", json!({ "jwks": a })),
        entry("8", json!({ "jwks": a })),
        entry("9", json!({})),
    ]);
    let config = of_issuers(&entries).unwrap();
    let numbers: Vec<_> = config.issuers.iter().map(|issuer| issuer.names[0].1).collect();
    assert_eq!(numbers, [0, 0, 1, 2, 3, 2, 4, 5, 6]);
    let first = &config.key_sources[0];
    assert_eq!(first.issuers, "https://1.example.com https://2.example.com");
    let names: Vec<_> = first.algorithms.iter().map(|algorithm| format!("{algorithm:?}")).collect();
    assert_eq!(names, ["RS256", "PS256", "ES256"], "each can use its keys");
    assert_eq!(
        config.issuers[0].header_rules.algorithms.iter().count(),
        1,
        "and is held to its own"
    );
}

#[test]
fn tenants_are_a_list_a_file_or_any() {
    let file =
        std::env::temp_dir().join(format!("token-authorizer-tenants-{}", std::process::id()));
    std::fs::write(&file, "b,\n\ta  b\r\n").unwrap();
    let listed = || Tenants::Listed(["a", "b"].map(str::to_owned).into());
    let at_file = format!(" @{} ", file.display());
    for (text, value, expected) in [
        ("a, b", json!(["a", "b"]), listed()),
        (&at_file, json!(at_file), listed()),
        ("any", json!("any"), Tenants::Any),
        ("any", json!(["any"]), Tenants::Any),
    ] {
        let config = read(&[("ISSUER", ENTRA), ("TENANTS", text), ("JWKS_URI", KEYS)]).unwrap();
        let entry = json!({"issuer": ENTRA, "audience": "api", "jwks_uri": KEYS, "tenants": value});
        for config in [config, of_issuers(&json!([entry])).unwrap()] {
            let (IssuerName::Template(template), 0) = &config.issuers[0].names[0] else {
                panic!("{text}")
            };
            assert_eq!((&template.tenants, &*template.claim), (&expected, "tid"), "{text}");
            assert_eq!(names(&config.issuers[0]), [(ENTRA.to_owned(), 0)]);
        }
    }
    std::fs::write(&file, " \n").unwrap();
    assert_eq!(tenants(ENTRA, &at_file), ["TENANTS"]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(tenants(ENTRA, &at_file), ["TENANTS"]);
}

#[test]
fn a_tenant_that_no_token_could_have_is_an_error() {
    let longest = "x".repeat(128);
    for good in ["a", "A-Z.a_z~0", "...", &longest, "9188040d-6c67-4c5b-b112-36a304b66dad"] {
        assert_eq!(tenants(ENTRA, good), [""; 0], "{good}");
    }
    let too_long = "x".repeat(129);
    for bad in [".", "..", "a/b", "a%41", "{tid}", "ä", "a:b", "*", &too_long] {
        assert_eq!(tenants(ENTRA, bad), ["TENANTS"], "{bad}");
        assert_eq!(tenants(ENTRA, &format!("a, {bad}")), ["TENANTS"], "{bad}");
    }
    let settings = [("ISSUER", ENTRA), ("TENANTS", "a, *, b, /"), ("JWKS_URI", KEYS)];
    let starts = read(&settings).unwrap_err();
    let starts: Vec<_> = starts.iter().map(|(_, text)| text.split(':').next().unwrap()).collect();
    assert_eq!(starts, ["tenant 2 of 4", "tenant 4 of 4"]);
    for bad in ["any, a", "a any", "any any"] {
        assert_eq!(tenants(ENTRA, bad), ["TENANTS"], "{bad}");
    }
    for bad in
        [json!([]), json!(""), json!([1]), json!("a b"), json!({}), json!(null), json!(["a b"])]
    {
        let entry = json!([{"issuer": ENTRA, "audience": "api", "jwks_uri": KEYS, "tenants": bad}]);
        let problems = of_issuers(&entry).unwrap_err();
        assert!(
            problems.iter().all(|(setting, _)| setting == "ISSUERS[0].tenants"),
            "{bad}: {problems:?}"
        );
    }
}

#[test]
fn a_claim_is_a_whole_segment_of_the_path() {
    for good in [
        ENTRA,
        "https://sts.example.com/{tid}/",
        "https://login.example.com/{tid}",
        "https://login.example.com/a/{org?#:@}/b",
        "http://127.0.0.1:8080/{tid}",
        "https://a.example.com, https://login.example.com/{tid}",
    ] {
        assert_eq!(tenants(good, "any"), [""; 0], "{good}");
    }
    for bad in [
        "https://login.example.com/{}/v2.0",
        "https://login.example.com/{a/b}/v2.0",
        "https://login.example.com/{/tid}/v2.0",
        "https://login.example.com/t-{tid}/v2.0",
        "https://login.example.com/{tid}-t/v2.0",
        "https://login.example.com/{tid}{tid}/v2.0",
        "https://login.example.com/{tid}/{org}",
        "https://login.example.com/{{tid}}/v2.0",
        "https://login.example.com/{tid}/v2.0}",
        "https://login.example.com/}tid{/v2.0",
        "https://login.example.com/{tid",
        "https://login.example.com/tid}",
        "https://{tid}.example.com/v2.0",
        "https://{tid}/v2.0",
        "https:///{tid}/v2.0",
        "{tid}",
        "auth/{tid}",
        "/{tid}",
        "http://login.example.com/{tid}",
        "ftp://login.example.com/{tid}",
        "https://a@login.example.com/{tid}",
        "https://login.example.com/?x=/{tid}",
        "https://login.example.com/{tid}/?x",
        "https://login.example.com/#/{tid}",
        "https://login.example.com/{tid}, https://login.example.com/{tid}/v2.0",
    ] {
        assert_eq!(tenants(bad, "any"), ["ISSUER"], "{bad}");
        assert_eq!(tenants(&format!("auth, {bad}"), "any"), ["ISSUER"], "{bad}");
    }
}

#[test]
fn tenants_and_a_claim_in_the_name_need_each_other() {
    let problem = |settings: &[(&str, &str)]| {
        let problems = read(settings).unwrap_err();
        let [(setting, message)] = &problems[..] else { panic!("{problems:?}") };
        (setting.clone(), message.clone())
    };
    let (keys, any) = (("JWKS_URI", KEYS), ("TENANTS", "any"));
    let (setting, message) = problem(&[("ISSUER", ENTRA), keys]);
    assert!(setting == "ISSUER" && message.contains("needs TENANTS"), "{message}");
    let (setting, message) = problem(&[("ISSUER", "https://login.example.com"), any]);
    assert!(setting == "TENANTS" && message.contains("{claim}"), "{message}");
    let (setting, message) = problem(&[("ISSUER", ENTRA), any]);
    assert!(setting == "JWKS_URI" && message.contains("or else JWKS"), "{message}");
    assert_eq!(reported(&[("ISSUER", ENTRA)]), ["ISSUER", "JWKS_URI"]);
    assert_eq!(reported(&[("TENANTS", "a"), keys]), ["ISSUER", "TENANTS"]);
    // A problem with the keys is one.
    let unreadable = ("JWKS", "@no/such/file");
    assert_eq!(reported(&[("ISSUER", "auth"), unreadable]), ["JWKS"]);
    assert_eq!(reported(&[("ISSUER", ENTRA), any, unreadable]), ["JWKS"]);
    let jwks = tokens::jwks(&[&SigningKey::rsa("k")]).to_string();
    assert!(read(&[("ISSUER", ENTRA), any, ("JWKS", &jwks)]).is_ok());

    let entries = json!([
        {"issuer": ENTRA, "audience": "api", "jwks_uri": KEYS},
        {"issuer": "https://login.example.com", "audience": "api", "tenants": "any"},
        {"issuer": "https://login.example.com/{tid}", "audience": "api", "tenants": "any"},
        {"issuer": "auth", "audience": "api"},
        {"issuer": "auth, b", "audience": "api", "jwks_uri": KEYS},
        {"issuer": "a b", "audience": "api", "jwks_uri": KEYS},
    ]);
    let found: Vec<_> =
        of_issuers(&entries).unwrap_err().into_iter().map(|(setting, _)| setting).collect();
    let expected =
        ["0].issuer", "1].tenants", "2].jwks_uri", "3].issuer", "4].issuer", "5].issuer"];
    assert_eq!(found, expected.map(|setting| format!("ISSUERS[{setting}")));
    assert_eq!(reported(&[("ISSUERS", "[]"), any]), ["TENANTS", "ISSUERS"]);
    let unreadable = json!([{"issuer": "auth", "audience": "api", "jwks_uri": 5}]);
    assert_eq!(reported(&[("ISSUERS", &unreadable.to_string())]), ["ISSUERS[0].jwks_uri"]);
}

#[test]
fn no_iss_can_be_that_of_two_issuers() {
    for twice in ["https://a.example.com,https://a.example.com", "auth auth b"] {
        let problems = read(&[("ISSUER", twice), ("JWKS_URI", KEYS)]).unwrap_err();
        let [(setting, message)] = &problems[..] else { panic!("{problems:?}") };
        assert!(setting == "ISSUER" && message.ends_with("is named twice"), "{message}");
    }
    let both = |a: &str, b: &str| {
        let entry = |name: &str| {
            let mut entry = json!({"issuer": name, "audience": "api", "jwks_uri": KEYS});
            if name.contains('{') {
                entry["tenants"] = json!("any");
            }
            entry
        };
        let problems = of_issuers(&json!([entry(a), entry(b)])).err().unwrap_or_default();
        assert!(problems.iter().all(|(setting, _)| setting == "ISSUERS"), "{problems:?}");
        problems.into_iter().map(|(_, message)| message).collect::<Vec<_>>()
    };
    assert_eq!(both(ENTRA, ENTRA), [format!("issuer `{ENTRA}` is named twice")]);
    for (a, b) in [
        (ENTRA, "https://login.example.com/{org}/v2.0"),
        ("https://login.example.com/{tid}/b", "https://login.example.com/a/{org}"),
    ] {
        assert_eq!(both(a, b), [format!("issuers `{a}` and `{b}` could be the same `iss`")]);
        assert_eq!(both(b, a), [format!("issuers `{b}` and `{a}` could be the same `iss`")]);
    }
    for (a, b) in [
        (ENTRA, "https://login.example.com/{tid}/"),
        (ENTRA, "https://login.example.com/{tid}"),
        (ENTRA, "https://sts.example.com/{tid}/v2.0"),
        (ENTRA, "https://login.example.com/{tid}/v2.0/x"),
        // The exact one goes before the other.
        (ENTRA, "https://login.example.com/a/v2.0"),
    ] {
        assert_eq!(both(a, b), [""; 0], "{a} {b}");
    }
}

/// What is in `ISSUERS` may hold secrets: of that, problems tell names of members, issuers and routes only.
#[test]
fn no_problem_quotes_a_value_of_issuers() {
    let secret = "s3cret";
    let text = |text: &str| json!(text.replace('#', secret));
    let cases = [
        ("tenants", text("#/")),
        ("tenants", json!([format!("{secret}/")])),
        ("tenants", text("any #")),
        ("audience", text("# b")),
        ("jwks_uri", text("http://#.example.com/#")),
        ("jwks_uri", text("https://u:#@login.example.com/")),
        ("jwks", json!({"keys": [{"kty": "oct", "k": secret}]})),
        ("jwks", text("#")),
        ("algorithms", text("#")),
        ("audience_claim", text("/~#")),
        ("scope_claims", text("/~#")),
        ("principal_claim", text("/~#")),
        ("token_types", json!([[secret]])),
        ("required_claims", json!({"a": {"any": secret}})),
        ("required_claims", text("#")),
        ("required_scopes", json!([{ "a": secret }])),
        ("required_scopes", json!([format!("{secret} b")])),
        ("routes", text("#")),
        ("routes", json!({"GET /{id}": {"path": {"id": format!("/~{secret}")}}})),
        ("routes", json!({"GET /": {"any": secret}})),
        ("routes", json!({"GET /": [{"claims": {"a": {"none": secret}}}]})),
    ];
    for (name, value) in cases {
        let mut entry =
            json!({"issuer": ENTRA, "tenants": "any", "audience": "api", "jwks_uri": KEYS});
        entry[name] = value.clone();
        let problems = of_issuers(&json!([entry])).unwrap_err();
        assert!(!problems.is_empty());
        assert!(!format!("{problems:?}").contains(secret), "{value}: {problems:?}");
    }
    // Of a variable, the value is told.
    let problems = read(&[("ISSUER", "https://login.example.com"), ("ALGORITHMS", "ES999")]);
    assert!(format!("{problems:?}").contains("`ES999`"));
}

#[test]
fn issuers_have_the_shared_rights_or_their_own() {
    let table = json!({"GET /pets": ["pets:read"]});
    let own = json!({"GET /pets": ["r"], "GET /cats": [], "GET /dogs": []});
    let entries = json!([
        {"issuer": "https://a.example.com", "audience": "api"},
        {"issuer": "https://b.example.com", "audience": "api", "required_scopes": ["x", "y"], "principal_claim": "oid"},
        {"issuer": "https://c.example.com", "audience": "api", "routes": own, "principal_claim": ["/a/b", "sub"]},
        {"issuer": "https://d.example.com", "audience": "api", "routes": own, "required_scopes": "z"},
    ]);
    let shared = [
        ("ISSUERS", &*entries.to_string()),
        ("REQUIRED_SCOPES", "api"),
        ("ROUTES", &*table.to_string()),
        ("PRINCIPAL_CLAIM", "client_id"),
    ];
    let seen = |config: &Config| -> Vec<(String, usize, String)> {
        let seen = config.issuers.iter().map(|Issuer { rights, rules, .. }| {
            let principals = rules.principal_claims.iter().map(|claim| claim.text());
            (
                rights.required.join(" "),
                rights.routes.as_ref().map_or(0, |routes| routes.names().count()),
                principals.collect::<Vec<_>>().join(" "),
            )
        });
        seen.collect()
    };
    let row = |required: &str, routes, principal: &str| {
        (required.to_owned(), routes, principal.to_owned())
    };
    assert_eq!(
        seen(&read(&shared).unwrap()),
        [
            row("api", 1, "client_id"),
            row("x y", 1, "oid"),
            row("api", 3, "/a/b sub"),
            row("z", 3, "client_id"),
        ]
    );
    assert_eq!(
        seen(&read(&shared[..1]).unwrap()),
        [row("", 0, "sub"), row("x y", 0, "oid"), row("", 3, "/a/b sub"), row("z", 3, "sub")]
    );
    let guarded = |guard: &str| {
        let config = read(&[shared[0], ("PATH_GUARD", guard)]).unwrap();
        config.issuers[2].rights.routes.as_ref().unwrap().longest(true).guard
    };
    assert!(guarded("on") && !guarded("off"));
}

#[test]
fn each_table_is_checked_and_named_in_its_warnings() {
    let with = |name: &str, value: Value| {
        let mut entry = json!({"issuer": "https://a.example.com", "audience": "api"});
        entry[name] = value;
        json!([entry]).to_string()
    };
    let too_long = json!({ format!("GET /{}", "a".repeat(412)): [] });
    for (name, value) in [
        ("routes", json!({})),
        ("routes", json!([])),
        ("routes", json!("@routes.json")),
        ("routes", json!({"GET pets": []})),
        ("routes", json!({"GET /a//b": []})),
        ("routes", json!({"GET /{id}": {"path": {"id": "sub"}}, "ANY /*": []})),
        ("routes", too_long),
        ("required_scopes", json!([])),
        ("required_scopes", json!("a b")),
        ("required_scopes", json!(["a", "b c"])),
        ("required_scopes", json!("\"")),
        ("required_scopes", json!([1])),
        ("principal_claim", json!([])),
        ("principal_claim", json!("/~")),
        ("principal_claim", json!({})),
    ] {
        assert_eq!(
            reported(&[("ISSUERS", &with(name, value.clone()))]),
            [format!("ISSUERS[0].{name}")],
            "{value}"
        );
    }
    let hiding = r#"{"GET /a/{id}/b":{"path":{"id":"sub"}},"GET /a/{id}":["x"]}"#;
    let of_issuer = with("routes", serde_json::from_str(hiding).unwrap());
    let warnings = read(&[("ISSUERS", &of_issuer), ("ROUTES", hiding)]).unwrap().warnings;
    let starts: Vec<_> =
        warnings.iter().map(|warning| warning.split(": ").next().unwrap()).collect();
    assert_eq!(starts, ["ROUTES", "ISSUERS[0].routes"]);

    let entry = |name: &str, routes: Option<Value>| {
        let mut entry = json!({"issuer": format!("https://{name}.example.com"), "audience": "api"});
        if let Some(routes) = routes {
            entry["routes"] = routes;
        }
        entry
    };
    let table = json!({"GET /": []});
    for (first, second, shared, expected) in [
        (Some(&table), None, None, &["ISSUERS[1].routes"][..]),
        (None, Some(&table), None, &["ISSUERS[0].routes"]),
        (Some(&table), None, Some("{\"GET /\": []}"), &[]),
        (Some(&table), Some(&table), None, &[]),
        (None, None, None, &[]),
    ] {
        let entries = json!([entry("a", first.cloned()), entry("b", second.cloned())]).to_string();
        let mut settings = vec![("ISSUERS", entries.as_str())];
        settings.extend(shared.map(|table| ("ROUTES", table)));
        let warnings = read(&settings).unwrap().warnings;
        let starts: Vec<_> =
            warnings.iter().map(|warning| warning.split(": ").next().unwrap()).collect();
        assert_eq!(starts, expected, "{entries}");
    }

    let simple = ("SIMPLE_RESPONSE", "on");
    let warned = |entries: &str| read(&[("ISSUERS", entries), simple]).unwrap().warnings;
    assert_eq!(warned(&with("audience", json!("api"))), [""; 0]);
    let warnings = warned(&with("routes", json!({"GET /": []})));
    assert!(warnings.len() == 1 && warnings[0].contains("$context.routeKey"), "{warnings:?}");
}
