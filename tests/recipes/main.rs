//! The settings in `docs/providers.md`, on tokens shaped as each provider really issues them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a broken recipe ought to fail its test at once"
)]

#[path = "../direct/mod.rs"]
mod direct;
mod readers;
mod shapes;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use direct::{Outcome, ask, authorizer};
use serde_json::{Map, Value, json};
use shapes::{Case, Expected, Shape, shapes, with};
use support::iam::{Verdict, evaluate};
use support::idp::Idp;
use support::tokens::{SigningKey, now};
use token_authorizer::{Authorizer, SETTINGS};

const PAGE: &str = include_str!("../../docs/providers.md");

/// The settings of each provider on the page, in its order, by the heading they stand under. They are read as a shell
/// reads them.
fn page() -> Vec<(&'static str, BTreeMap<String, String>)> {
    let sections = PAGE.split("\n## ").skip(1);
    let recipe = |section: &'static str| {
        let heading = section.lines().next().unwrap();
        (heading, readers::shell(readers::block(section, "sh")))
    };
    sections.map(recipe).collect()
}

/// A URL in two parts: `https://example.com` and the rest.
fn origin_and_path(url: &str) -> (&str, &str) {
    let after_scheme = url.find("://").unwrap() + "://".len();
    let end = url[after_scheme..].find('/').map_or(url.len(), |slash| after_scheme + slash);
    url.split_at(end)
}

/// A recipe at work: the settings of the page, with nothing changed but the origins of issuers and the address of keys.
struct Recipe {
    shape: Shape,
    settings: BTreeMap<String, String>,
    /// The names of the issuers, as the page has them, and as they are here.
    names: Vec<(String, String)>,
    authorizer: Authorizer,
}

impl Recipe {
    /// The `iss` of a token.
    fn iss(&self, case: &Case) -> String {
        let Some(iss) = case.claims["iss"].as_str() else { return self.names[0].1.clone() };
        let local = self.names.iter().find(|(on_page, _)| on_page == iss);
        local.map_or(iss, |(_, local)| local).to_owned()
    }

    fn token(&self, case: &Case) -> String {
        let now = now();
        let standard = json!({ "iat": now, "exp": now + 600 });
        let claims = with(&with(&standard, case.claims.clone()), json!({ "iss": self.iss(case) }));
        if case.header["alg"] == "HS512" {
            return SigningKey::hmac("", &[7; 64])
                .with_alg("HS512")
                .token_with(&case.header, &claims);
        }
        case.key.as_ref().unwrap_or(&self.shape.key).token_with(&case.header, &claims)
    }

    fn pairs(&self) -> Vec<(&str, &str)> {
        self.settings.iter().map(|(name, value)| (&**name, &**value)).collect()
    }

    /// Whether another recipe trusts the same issuers.
    fn shares_issuers(&self, other: &Self) -> bool {
        self.names.iter().any(|name| other.names.contains(name))
    }
}

/// Every provider of the page, each at an origin of its own, and its recipe.
async fn kitchen() -> (Vec<Idp>, Vec<Recipe>) {
    let mut origins: BTreeMap<String, String> = BTreeMap::new();
    let (mut idps, mut recipes) = (Vec::new(), Vec::new());
    for (shape, (heading, mut settings)) in shapes().into_iter().zip(page()) {
        assert_eq!(shape.heading, heading);
        let on_page: Vec<_> = settings["ISSUER"].split(", ").map(str::to_owned).collect();
        let here: Vec<_> = if let Some(address) = settings.get_mut("JWKS_URI") {
            let idp = Idp::start();
            idp.serve_json(shape.key_set.clone());
            *address = idp.jwks_uri();
            idps.push(idp);
            on_page.clone()
        } else {
            let at_origin = |name: &String| {
                let (origin, path) = origin_and_path(name);
                let local = origins.entry(origin.to_owned()).or_insert_with(|| {
                    let idp = Idp::start();
                    let origin = idp.issuer();
                    // Firebase's keys are at another origin than its discovery document.
                    let elsewhere = (heading == "Firebase").then(Idp::start);
                    let keys = elsewhere.as_ref().unwrap_or(&idp);
                    keys.serve_json(shape.key_set.clone());
                    idp.set_discovery(
                        json!({ "issuer": format!("{origin}{path}"), "jwks_uri": keys.jwks_uri() }),
                    );
                    idps.extend(elsewhere);
                    idps.push(idp);
                    origin
                });
                format!("{local}{path}")
            };
            on_page.iter().map(at_origin).collect()
        };
        settings.insert("ISSUER".to_owned(), here.join(", "));
        let names = on_page.into_iter().zip(here).collect();
        let pairs: Vec<_> = settings.iter().map(|(name, value)| (&**name, &**value)).collect();
        let authorizer = authorizer(&pairs);
        recipes.push(Recipe { shape, settings, names, authorizer });
    }
    for recipe in &recipes {
        recipe.authorizer.prefetch().await;
    }
    (idps, recipes)
}

/// Each block of the page, and the examples of several issuers, as the tools read them for which they are printed.
#[test]
fn every_block_is_read_alike_by_a_shell_and_as_env_file_yaml_and_hcl() {
    for section in PAGE.split("\n## ").skip(1) {
        let heading = section.lines().next().unwrap();
        let (for_shell, yaml, hcl) =
            ["sh", "yaml", "hcl"].map(|format| readers::block(section, format)).into();
        let settings = readers::shell(for_shell);
        assert!(settings.len() > 2, "{heading}");
        // As they stand: each value between its quotes, byte for byte.
        let quoted: BTreeMap<_, _> = for_shell
            .lines()
            .map(|line| {
                let (name, value) = line.split_once("='").unwrap();
                (name.to_owned(), value.strip_suffix('\'').unwrap().to_owned())
            })
            .collect();
        assert_eq!(settings, quoted, "{heading}: shell");
        assert_eq!(readers::env_file(for_shell), quoted, "{heading}: env file");
        assert_eq!(readers::yaml(yaml), quoted, "{heading}: YAML");
        assert_eq!(readers::hcl(hcl), quoted, "{heading}: HCL");
    }
}

#[test]
fn the_examples_of_several_issuers_and_of_tenants_are_good_settings() {
    let examples: Vec<_> = include_str!("../../docs/settings.md")
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .filter(|block| block.contains("ISSUERS=") || block.contains("TENANTS="))
        .collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        let mut settings = readers::shell(example);
        assert_eq!(readers::env_file(example), settings, "{example}");
        if !settings.contains_key("ISSUERS") {
            settings.insert("AUDIENCE".to_owned(), "api".to_owned());
        }
        let pairs: Vec<_> = settings.iter().map(|(name, value)| (&**name, &**value)).collect();
        direct::read(&pairs).unwrap_or_else(|problems| panic!("{example}: {problems}"));
    }
    // In the sample it is a comment.
    let sample = include_str!("../../.env.sample");
    let example: String = sample
        .lines()
        .filter_map(|line| Some(line.strip_prefix("#   ")?.to_owned() + "\n"))
        .collect();
    let example = &example[example.find("ISSUERS=").unwrap()..];
    let settings = readers::env_file(example);
    assert_eq!(settings, readers::shell(example));
    direct::read(&[("ISSUERS", &settings["ISSUERS"])])
        .unwrap_or_else(|problems| panic!("{problems}"));
}

/// What the text says to write instead is good beside the rest of the block.
#[test]
fn the_settings_in_the_text_are_good_in_place_of_those_in_the_block() {
    let mut tried = 0;
    for section in PAGE.split("\n## ").skip(1) {
        let text = section.split("</details>").nth(1).unwrap();
        for code in text.split('`').skip(1).step_by(2).filter(|code| code.contains("='")) {
            // There is no such file here.
            if code.contains("='@") {
                continue;
            }
            let mut settings = readers::shell(readers::block(section, "sh"));
            let instead = readers::shell(code);
            assert_eq!(instead.len(), 1, "{code}");
            settings.extend(instead);
            let pairs: Vec<_> = settings.iter().map(|(name, value)| (&**name, &**value)).collect();
            direct::read(&pairs).unwrap_or_else(|problems| panic!("{code}: {problems}"));
            tried += 1;
        }
    }
    assert!(tried > 5, "{tried}");
}

/// Keys and a revocation list as AppConfig's agent serves them: on loopback, below a path of several segments.
#[tokio::test]
async fn keys_and_lists_come_through_the_agent_of_appconfig() {
    const TASKS: &str = include_str!("../../docs/tasks.md");
    let heading = "Can keys and lists come through AppConfig?";
    let section = TASKS.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let mut settings = readers::shell(readers::block(section, "sh"));
    let key = SigningKey::rsa("appconfig");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("localhost:{}", listener.local_addr().unwrap().port());
    let documents = [
        ("jwks", json!({ "keys": [key.jwk()] }).to_string()),
        ("revoked", json!({ "jti": ["revoked-1"] }).to_string()),
    ];
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let lines = BufReader::new(&connection).lines().map(Result::unwrap);
            let request: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            let path = request[0].split(' ').nth(1).unwrap();
            let name = path.strip_prefix("/applications/pets/environments/prod/configurations/");
            let document = documents.iter().find(|document| Some(document.0) == name);
            let body = document.map_or("", |document| &document.1);
            let status = if document.is_some() { "200 OK" } else { "404 Not Found" };
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConfiguration-Version: 1\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            connection.write_all(answer.as_bytes()).unwrap();
        }
    });
    for name in ["JWKS_URI", "REVOKED"] {
        let value = settings[name].replace("localhost:2772", &address);
        assert_ne!(value, settings[name]);
        settings.insert(name.to_owned(), value);
    }
    let pairs: Vec<_> = settings.iter().map(|(name, value)| (&**name, &**value)).collect();
    let authorizer = authorizer(&pairs);
    for (id, expected) in [("good-1", ""), ("revoked-1", "token_revoked")] {
        let claims = support::tokens::claims(&settings["ISSUER"], &settings["AUDIENCE"]);
        let token = key.token(&with(&claims, json!({ "jti": id })));
        assert_eq!(ask(&authorizer, &token).await.code(), expected, "{id}");
    }
}

#[tokio::test]
async fn the_readme_shows_the_policy_that_its_event_gets() {
    let readme = include_str!("../../README.md");
    let blocks: Vec<Value> = readme
        .split("```json\n")
        .skip(1)
        .map(|rest| serde_json::from_str(rest.split("```").next().unwrap()).unwrap())
        .collect();
    let [event, answer] = &blocks[..] else { panic!("{blocks:?}") };
    let setting = |name: &str| {
        let (_, rest) = readme.split_once(&format!("`{name}=")).unwrap();
        rest.split('`').next().unwrap()
    };
    let key = SigningKey::rsa("readme");
    let keys = json!({ "keys": [key.jwk()] }).to_string();
    let audience = setting("AUDIENCE");
    let authorizer =
        authorizer(&[("ISSUER", setting("ISSUER")), ("AUDIENCE", audience), ("JWKS", &keys)]);
    let token = key.token(&with(&answer["context"], json!({ "aud": audience })));
    let event = with(event, json!({ "authorizationToken": format!("Bearer {token}") }));
    let given = authorizer.decide(&event.to_string()).await.answer.unwrap();
    assert_eq!(serde_json::from_str::<Value>(given.get()).unwrap(), *answer);
}

#[test]
fn the_page_and_the_tests_have_the_same_providers_and_real_settings() {
    let headings: Vec<_> = page().into_iter().map(|(heading, _)| heading).collect();
    let tested: Vec<_> = shapes().into_iter().map(|shape| shape.heading).collect();
    assert_eq!(headings, tested);
    for (heading, settings) in page() {
        for name in settings.keys() {
            assert!(SETTINGS.iter().any(|setting| setting.name == *name), "{heading}: {name}");
        }
        let pairs: Vec<_> = settings.iter().map(|(name, value)| (&**name, &**value)).collect();
        direct::read(&pairs).unwrap_or_else(|problems| panic!("{heading}: {problems}"));
    }
}

#[tokio::test]
async fn each_recipe_takes_the_tokens_of_its_provider() {
    let (_idps, recipes) = kitchen().await;
    for recipe in &recipes {
        for case in &recipe.shape.cases {
            let place = format!("{}: {}", recipe.shape.heading, case.what);
            let outcome = ask(&recipe.authorizer, &recipe.token(case)).await;
            match &case.expected {
                Expected::Refused(reason) => assert_eq!(outcome.code(), *reason, "{place}"),
                Expected::Allowed { principal, context } => {
                    let Outcome::Allowed {
                        principal: is_principal,
                        context: mut is_context,
                        document,
                    } = outcome
                    else {
                        panic!("{place}: {outcome:?}");
                    };
                    assert_eq!(is_principal, *principal, "{place}");
                    let members = is_context.as_object_mut().unwrap();
                    assert_eq!(members.remove("iss"), Some(json!(recipe.iss(case))), "{place}");
                    let exp = members.remove("exp").unwrap().as_u64().unwrap();
                    assert_eq!(is_context, *context, "{place}");
                    let arn = format!("{}/DELETE/any/path", direct::STAGE);
                    assert_eq!(evaluate(&document, &arn, exp - 1), Verdict::Allow, "{place}");
                    assert_eq!(evaluate(&document, &arn, exp), Verdict::ExplicitDeny, "{place}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_token_of_one_provider_is_refused_under_the_settings_of_another() {
    let (_idps, recipes) = kitchen().await;
    for theirs in &recipes {
        let token = theirs.token(&theirs.shape.cases[0]);
        for ours in &recipes {
            let expected = match (theirs.shape.heading, ours.shape.heading) {
                (theirs, ours) if theirs == ours => "",
                _ if theirs.shape.key.alg() != ours.shape.key.alg() => "algorithm_not_allowed",
                _ if !theirs.shares_issuers(ours) => "issuer_untrusted",
                // Of one client, or of one API, whatever else the token says.
                ("Amazon Cognito, resource binding", "Amazon Cognito, access tokens")
                | ("Auth0, organizations", "Auth0") => "",
                ("Amazon Cognito, resource binding", "Amazon Cognito, ID tokens")
                | ("Amazon Cognito, ID tokens", "Amazon Cognito, resource binding") => {
                    "audience_mismatch"
                }
                // Cognito: an access token has no `aud`, an ID token no `client_id`. Auth0: no organization.
                _ => "claim_missing",
            };
            let outcome = ask(&ours.authorizer, &token).await;
            assert_eq!(
                outcome.code(),
                expected,
                "{} under {}",
                theirs.shape.heading,
                ours.shape.heading
            );
        }
    }
}

#[tokio::test]
async fn what_is_no_jwt_is_refused_by_every_recipe() {
    let (_idps, recipes) = kitchen().await;
    // Access tokens of Google, of Auth0 without an audience (encrypted), and of Entrust without a resource.
    let opaque = [
        "ya29.a0AfH6SMBx",
        "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..aXY.Y3Q.dGFn",
        "U-720039ce-QJ1N4r3jEF",
    ];
    for recipe in &recipes {
        for token in opaque {
            assert_eq!(
                ask(&recipe.authorizer, token).await.code(),
                "token_malformed",
                "{}",
                recipe.shape.heading
            );
        }
    }
}

/// The table of routes asks for what each provider's claims give: scopes, permissions, groups or roles.
#[tokio::test]
async fn routes_read_the_claims_that_the_recipe_names() {
    let (_idps, recipes) = kitchen().await;
    for (heading, right) in [
        ("Amazon Cognito, access tokens", "https://api.example.com/pets.read"),
        ("Amazon Cognito, ID tokens", "admins"),
        ("Auth0", "read:pets"),
        ("Auth0, organizations", "read:pets"),
        ("Okta", "pets.read"),
        ("Microsoft Entra ID, v2.0 tokens", "Pets.Read"),
        ("Microsoft Entra ID, v1.0 tokens", "user_impersonation"),
        ("Microsoft Entra ID, many tenants", "Pets.Read"),
        ("AD FS", "pet-keepers"),
        ("Firebase", "editor"),
        ("Supabase", "editor"),
        ("Keycloak", "pets-reader"),
        ("FusionAuth", "admin"),
        ("Entrust Identity as a Service", "view:pets"),
        ("PingOne", "pets:read"),
    ] {
        let recipe = recipes.iter().find(|recipe| recipe.shape.heading == heading).unwrap();
        let routes =
            json!({ "GET /pets": [right], "POST /pets": [format!("{right}!")] }).to_string();
        let mut pairs = recipe.pairs();
        pairs.retain(|(name, _)| *name != "ROUTES");
        pairs.push(("ROUTES", &routes));
        let authorizer = authorizer(&pairs);
        let document = ask(&authorizer, &recipe.token(&recipe.shape.cases[0])).await.document();
        let verdict =
            |route: &str| evaluate(&document, &format!("{}/{route}", direct::STAGE), now());
        assert_eq!(verdict("GET/pets"), Verdict::Allow, "{heading}");
        assert_eq!(verdict("POST/pets"), Verdict::ExplicitDeny, "{heading}");
        assert_eq!(verdict("GET/cats"), Verdict::ImplicitDeny, "{heading}");
    }
}

/// Many tenants with v1.0 tokens: the settings that the text names, with those of the recipe for one tenant.
#[tokio::test]
async fn v1_tokens_of_many_tenants_are_taken_unless_their_key_names_another_issuer() {
    let of = |heading: &str| {
        let section = PAGE.split("\n## ").find(|section| section.lines().next() == Some(heading));
        section.unwrap()
    };
    let mut settings = readers::shell(readers::block(of("Microsoft Entra ID, v1.0 tokens"), "sh"));
    let many = of("Microsoft Entra ID, many tenants");
    settings.extend(readers::shell(readers::block(many, "sh")).remove_entry("TENANTS"));
    let text = many.split("For v1.0 tokens").nth(1).unwrap();
    for code in text.split('`').skip(1).step_by(2).filter(|code| code.contains("='")) {
        settings.extend(readers::shell(code));
    }
    assert!(settings["ISSUER"].contains("sts.windows.net/{tid}/"));
    let shapes = shapes();
    let v1 =
        shapes.iter().find(|shape| shape.heading == "Microsoft Entra ID, v1.0 tokens").unwrap();
    let tenant = settings["TENANTS"].split(", ").next().unwrap().to_owned();
    let iss = settings["ISSUER"].replace("{tid}", &tenant);
    let now = now();
    let standard = json!({ "iss": iss, "tid": tenant, "iat": now, "exp": now + 600 });
    let claims = with(&v1.cases[0].claims, standard);
    let token = v1.key.token_with(&v1.cases[0].header, &claims);
    for (issuer, expected) in [
        (json!(null), ""),
        (json!("https://sts.windows.net/{tenantid}/"), ""),
        (json!(iss), ""),
        (json!("https://login.microsoftonline.com/{tenantid}/v2.0"), "key_unknown"),
    ] {
        let idp = Idp::start();
        idp.serve_json(json!({ "keys": [with(&v1.key.jwk(), json!({ "issuer": issuer }))] }));
        settings.insert("JWKS_URI".to_owned(), idp.jwks_uri());
        let pairs: Vec<_> = settings.iter().map(|(name, value)| (&**name, &**value)).collect();
        let authorizer = authorizer(&pairs);
        assert_eq!(ask(&authorizer, &token).await.code(), expected, "{issuer}");
    }
}

/// Zitadel's roles are the members of an object.
#[tokio::test]
async fn a_route_asks_for_a_role_of_zitadel_by_a_pointer() {
    let (_idps, recipes) = kitchen().await;
    let recipe = recipes.iter().find(|recipe| recipe.shape.heading == "Zitadel").unwrap();
    let printed = PAGE.split("\n## Zitadel").nth(1).unwrap();
    let rule = printed.split("`{\"claims\"").nth(1).unwrap().split('`').next().unwrap();
    let rule: Value = serde_json::from_str(&format!("{{\"claims\"{rule}")).unwrap();
    let text = rule.to_string();
    for (role, verdict) in [("reader", Verdict::Allow), ("admin", Verdict::ExplicitDeny)] {
        let rule: Value =
            serde_json::from_str(&text.replace("/admin", &format!("/{role}"))).unwrap();
        let routes = json!({ "GET /pets": rule, "GET /cats": [] }).to_string();
        let mut pairs = recipe.pairs();
        pairs.push(("ROUTES", &routes));
        let document =
            ask(&authorizer(&pairs), &recipe.token(&recipe.shape.cases[0])).await.document();
        let arn = format!("{}/GET/pets", direct::STAGE);
        assert_eq!(evaluate(&document, &arn, now()), verdict, "{role}");
    }
}

/// Entra ID: the conditions of the page tell applications from users, and the one that it warns of does not.
#[tokio::test]
async fn conditions_tell_the_applications_of_entra_id_from_users() {
    let (_idps, recipes) = kitchen().await;
    let heading = "Microsoft Entra ID, v2.0 tokens";
    let recipe = recipes.iter().find(|recipe| recipe.shape.heading == heading).unwrap();
    let section = PAGE.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let claims = [0, 1].map(|case| recipe.shape.cases[case].claims.clone());
    let [user, application] = &claims;
    let typed = with(application, json!({ "idtyp": "app" }));
    for (rule, user_passes, typed_passes, untyped_passes) in [
        (r#"{"claims":{"idtyp":"app"}}"#, false, true, false),
        (r#"{"claims":{"scp":{"present":true}}}"#, true, false, false),
        // What the page warns of.
        (r#"{"claims":{"idtyp":{"none":["app"]}}}"#, true, false, true),
    ] {
        assert!(section.contains(&format!("`{rule}`")), "{rule}");
        let routes = format!(r#"{{"GET /pets":{rule}}}"#);
        let mut pairs = recipe.pairs();
        pairs.retain(|(name, _)| *name != "ROUTES");
        pairs.push(("ROUTES", &routes));
        let authorizer = authorizer(&pairs);
        for (claims, passes) in
            [(user, user_passes), (&typed, typed_passes), (application, untyped_passes)]
        {
            let case = Case {
                what: rule,
                header: recipe.shape.cases[0].header.clone(),
                claims: claims.clone(),
                key: None,
                expected: Expected::Refused(""),
            };
            let expected = if passes { "" } else { "insufficient_scope" };
            assert_eq!(ask(&authorizer, &recipe.token(&case)).await.code(), expected, "{rule}");
        }
    }
}

/// All recipes at once, as `ISSUERS`: each token meets the rules of its own issuer.
#[tokio::test]
async fn recipes_stand_side_by_side_in_issuers() {
    let (_idps, recipes) = kitchen().await;
    let mut entries: Vec<Value> = Vec::new();
    // One issuer can be named once: of several recipes for it the first.
    let again =
        ["Amazon Cognito, resource binding", "Amazon Cognito, ID tokens", "Auth0, organizations"];
    let distinct = || recipes.iter().filter(|recipe| !again.contains(&recipe.shape.heading));
    for recipe in distinct() {
        let mut entry = Map::new();
        for (name, value) in &recipe.settings {
            let value = match &**name {
                "ISSUER" | "CONTEXT_CLAIMS" => continue,
                "REQUIRED_CLAIMS" | "ROUTES" => serde_json::from_str(value).unwrap(),
                "SCOPE_CLAIMS" | "PRINCIPAL_CLAIM" | "TENANTS" => value.split(", ").collect(),
                _ => json!(value),
            };
            entry.insert(name.to_lowercase(), value);
        }
        for (_, name) in &recipe.names {
            let name = json!({ "issuer": name });
            entries.push(with(&name, entry.clone().into()));
        }
    }
    let issuers = Value::from(entries).to_string();
    let all = authorizer(&[("ISSUERS", &issuers)]);
    all.prefetch().await;
    for recipe in distinct() {
        for case in &recipe.shape.cases {
            let outcome = ask(&all, &recipe.token(case)).await;
            let expected = match &case.expected {
                Expected::Allowed { principal, .. } => {
                    let Outcome::Allowed { principal: is_principal, .. } = &outcome else {
                        panic!("{outcome:?}")
                    };
                    assert_eq!(is_principal, principal, "{}: {}", recipe.shape.heading, case.what);
                    continue;
                }
                Expected::Refused(reason) => *reason,
            };
            assert_eq!(outcome.code(), expected, "{}: {}", recipe.shape.heading, case.what);
        }
    }
}
