//! `authorizer routes`: tables from OpenAPI documents, and documents compared with tables.

use serde_json::{Value, json};

use crate::{Folder, Ran, run};

/// A document whose paths these are, with the schemes `OAuth2` and `key`.
fn document(paths: &Value) -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Pets", "version": "1"},
        "components": {"securitySchemes": {
            "OAuth2": {"type": "oauth2", "flows": {}},
            "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
        }},
        "paths": paths,
    })
}

fn routes(document: &str, options: &[&str]) -> Ran {
    run(&[], &[&["routes", "-"], options].concat(), document)
}

/// The table, where nothing is left to be done by hand.
#[track_caller]
fn table(document: &Value, options: &[&str]) -> Value {
    let ran = routes(&document.to_string(), options);
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.json()
}

fn oauth(scopes: &[&str]) -> Value {
    json!({"OAuth2": scopes})
}

#[test]
fn the_alternatives_of_an_operation_become_its_rule() {
    for (security, expected) in [
        (json!([oauth(&["a"])]), json!(["a"])),
        (json!([oauth(&["b", "a"])]), json!(["a", "b"])),
        (json!([oauth(&["a"]), oauth(&["b"])]), json!({"any": ["a", "b"]})),
        (json!([oauth(&["a", "b"]), oauth(&["c"])]), json!({"any": [["a", "b"], "c"]})),
        (json!([oauth(&[])]), json!([])),
        (json!([oauth(&["a"]), oauth(&[])]), json!([])),
        // The second asks for all that the first does, and more.
        (json!([oauth(&["a"]), oauth(&["a", "b"])]), json!(["a"])),
        (json!([oauth(&["a"]), oauth(&["a"])]), json!(["a"])),
        // The token alone does not meet the second.
        (json!([oauth(&["a"]), {"OAuth2": [], "key": []}]), json!(["a"])),
        (json!([oauth(&["a"]), {"key": []}]), json!(["a"])),
    ] {
        let document = document(&json!({"/pets": {"get": {"security": security}}}));
        assert_eq!(table(&document, &[]), json!({"GET /pets": expected}), "{security}");
    }
}

#[test]
fn an_operation_that_needs_another_scheme_has_no_entry() {
    for security in [json!([{"key": []}]), json!([{"OAuth2": ["a"], "key": []}])] {
        let paths = json!({"/a": {"get": {"security": security}}, "/b": {"get": {"security": [oauth(&["b"])]}}});
        let ran = routes(&document(&paths).to_string(), &[]);
        assert_eq!(ran.json(), json!({"GET /b": ["b"]}));
        assert!(ran.err.contains("GET /a: no token opens it, since it needs `key`"), "{}", ran.err);
    }
    // Unless something else checks that scheme.
    let both = document(&json!({"/a": {"get": {"security": [{"OAuth2": ["a"], "key": []}]}}}));
    assert_eq!(table(&both, &["--checked-elsewhere", "key"]), json!({"GET /a": ["a"]}));
    let other = document(&json!({"/a": {"get": {"security": [{"key": []}]}}}));
    let ran = routes(&other.to_string(), &["--checked-elsewhere", "key"]);
    assert_eq!((ran.code, ran.json()), (1, json!({})), "{}", ran.err);
}

#[test]
fn no_entry_of_another_operation_opens_one_that_no_token_opens() {
    let document = document(&json!({
        "/users/{id}": {"get": {"security": [oauth(&["read"])]}},
        "/users/{id}/keys": {"get": {"security": [{"key": []}]}},
    }));
    let folder = Folder::new("closed-entry");
    let table = table(&document, &[]);
    assert_eq!(table["GET /users/{id}/keys"], json!({"claims": {"iss": {"present": false}}}));
    let cases = json!([
        {"claims": {"scope": "read"}, "request": "GET /users/1", "expect": "allow"},
        {"claims": {"scope": "read"}, "request": "GET /users/1/keys", "expect": "insufficient_scope"},
    ]);
    let settings = [
        ("ISSUER", "https://issuer.example"),
        ("AUDIENCE", "a"),
        ("ALGORITHMS", "ES256"),
        ("ROUTES", &table.to_string()),
    ];
    let ran = run(&settings, &["test", &folder.file("cases.json", &cases.to_string())], "");
    assert_eq!(ran.code, 0, "{}", ran.out);
}

#[test]
fn an_operation_without_security_is_omitted_or_open() {
    let mut document = document(&json!({
        "/none": {"get": {}},
        "/empty": {"get": {"security": []}},
        "/optional": {"get": {"security": [{}, oauth(&["a"])]}},
        "/pets": {"get": {"security": [oauth(&["a"])]}},
    }));
    let closed = json!({"GET /pets": ["a"]});
    assert_eq!(table(&document, &[]), closed);
    let open = table(&document, &["--without-security", "open"]);
    assert_eq!(
        open,
        json!({"GET /none": [], "GET /empty": [], "GET /optional": [], "GET /pets": ["a"]})
    );
    // The security of the whole document is for operations that have none of their own.
    document["security"] = json!([oauth(&["all"])]);
    assert_eq!(table(&document, &[]), json!({"GET /none": ["all"], "GET /pets": ["a"]}));
}

#[test]
fn path_items_are_read_as_openapi_says() {
    let security = json!([oauth(&["a"])]);
    let mut document = document(&json!({
        "/verbs": {
            "parameters": [{"name": "get", "in": "query"}], "summary": "s", "x-get": {},
            "delete": {}, "get": {}, "head": {}, "options": {}, "patch": {}, "post": {}, "put": {}, "trace": {},
        },
        "/own/{pet id}/{proxy+}": {"get": {"security": [oauth(&["own"])]}},
        "/shared": {"$ref": "#/components/pathItems/a~1b%20c"},
        "/near": {"$ref": "#/paths/~1shared", "get": {"security": [oauth(&["near"])]}},
        "x-paths": {"get": {}},
    }));
    document["security"] = security;
    document["components"]["pathItems"] =
        json!({"a/b c": {"get": {}, "put": {"security": [oauth(&["put"])]}}});
    document["webhooks"] = json!({"hook": {"post": {}}});
    let ran = routes(&document.to_string(), &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(
        ran.json(),
        json!({
            "DELETE /verbs": ["a"], "GET /verbs": ["a"], "HEAD /verbs": ["a"], "OPTIONS /verbs": ["a"],
            "PATCH /verbs": ["a"], "POST /verbs": ["a"], "PUT /verbs": ["a"],
            "GET /own/{pet_id}/{proxy+}": ["own"],
            "GET /shared": ["a"], "PUT /shared": ["put"],
            "GET /near": ["near"], "PUT /near": ["put"],
        })
    );
    assert!(ran.err.contains("/verbs: no entry can name the methods in `trace`"), "{}", ran.err);
}

#[test]
fn any_method_is_for_the_methods_without_an_operation() {
    let any = |scope: &str| json!({"security": [oauth(&[scope])]});
    let alone = document(&json!({"/a": {"x-amazon-apigateway-any-method": any("all")}}));
    assert_eq!(table(&alone, &[]), json!({"ANY /a": ["all"]}));
    let beside = document(&json!({"/a": {
        "x-amazon-apigateway-any-method": any("all"), "get": any("read"), "options": {"security": []},
    }}));
    assert_eq!(
        table(&beside, &[]),
        json!({
            "DELETE /a": ["all"], "GET /a": ["read"], "HEAD /a": ["all"], "PATCH /a": ["all"], "POST /a": ["all"],
            "PUT /a": ["all"],
        })
    );
}

#[test]
fn the_paths_of_the_servers_come_first() {
    let security = json!([oauth(&["a"])]);
    let mut pets = document(&json!({"/pets": {"get": {"security": security}}}));
    let mut with = |servers: Value, options: &[&str]| {
        pets["servers"] = servers;
        let table = table(&pets, options);
        let routes: Vec<_> = table.as_object().unwrap().keys().cloned().collect();
        routes.join(", ")
    };
    assert_eq!(with(json!([]), &[]), "GET /pets");
    assert_eq!(with(json!([{"url": "https://a.example"}]), &[]), "GET /pets");
    assert_eq!(with(json!([{"url": "https://a.example/v1/"}]), &[]), "GET /v1/pets");
    assert_eq!(with(json!([{"url": "/v1"}]), &[]), "GET /v1/pets");
    let two = json!([{"url": "https://a.example/v1"}, {"url": "https://b.example/v2"}, {"url": "http://c/v1"}]);
    assert_eq!(with(two.clone(), &[]), "GET /v1/pets, GET /v2/pets");
    assert_eq!(with(two.clone(), &["--base-path", "/"]), "GET /pets");
    assert_eq!(with(two, &["--base-path", "/v3"]), "GET /v3/pets");
    let variable = json!([{"url": "https://{host}.example/{version}/x", "variables": {
        "host": {"default": "a"}, "version": {"default": "v1", "enum": ["v1", "v2"]},
    }}]);
    assert_eq!(with(variable, &[]), "GET /v1/x/pets, GET /v2/x/pets");
    // What API Gateway exports has the stage there.
    let exported = json!([{"url": "https://a1b2.execute-api.eu-west-1.amazonaws.com/{basePath}", "variables": {
        "basePath": {"default": "prod"},
    }}]);
    assert_eq!(with(exported, &[]), "GET /pets");
    // Those of an operation go before those of its path, and these before those of the document.
    let near = json!([{"url": "https://a.example/near"}]);
    let mut own = document(&json!({
        "/a": {"servers": near, "get": {"security": security}},
        "/b": {"servers": [{"url": "/far"}], "get": {"security": security, "servers": near}},
    }));
    own["servers"] = json!([{"url": "/far"}]);
    assert_eq!(table(&own, &[]), json!({"GET /near/a": ["a"], "GET /near/b": ["a"]}));
}

#[test]
fn yaml_is_read_as_json_is() {
    let yaml = r#"
openapi: 3.0.3
components:
  securitySchemes:
    OAuth2: {type: oauth2, flows: {}}
x-common: &common
  security: [{OAuth2: [common]}]
paths:
  /pets:
    get:
      <<: *common
      responses: {200: {description: ok}, default: {description: no}}
    post:
      security:
        - OAuth2: [write]
"#;
    let ran = routes(yaml, &[]);
    assert_eq!(
        ran.json(),
        json!({"GET /pets": ["common"], "POST /pets": ["write"]}),
        "{}",
        ran.err
    );
}

#[test]
fn a_document_may_be_in_several_files() {
    let folder = Folder::new("several-files");
    let mut main = document(
        &json!({"/pets": {"$ref": "paths/pets%20item.yaml#/item"}, "/x": {"$ref": "none.yaml"}}),
    );
    main["components"]["securitySchemes"] = json!({"OAuth2": {"$ref": "schemes.json#/OAuth2"}});
    folder.file("schemes.json", r#"{"OAuth2": {"type": "oauth2"}}"#);
    folder.file("paths/pets item.yaml", "item: {$ref: ../common.yaml}");
    folder.file("common.yaml", "get: {security: [{OAuth2: [a]}]}");
    let ran = run(&[], &["routes", &folder.file("openapi.json", &main.to_string())], "");
    assert_eq!((ran.code, ran.json()), (1, json!({"GET /pets": ["a"]})), "{}", ran.err);
    assert!(ran.err.contains("problem: /x: ") && ran.err.contains("none.yaml"), "{}", ran.err);
}

#[test]
fn a_reference_that_leads_nowhere_is_a_problem_of_its_path() {
    let security = json!([oauth(&["a"])]);
    for (reference, expected) in [
        ("#/paths/~1loop", "leads back to itself"),
        ("#/nowhere", "leads nowhere"),
        ("https://a.example/x.yaml", "only files are read"),
    ] {
        let paths = json!({"/loop": {"$ref": reference}, "/pets": {"get": {"security": security}}});
        let ran = routes(&document(&paths).to_string(), &[]);
        assert_eq!((ran.code, ran.json()), (1, json!({"GET /pets": ["a"]})), "{}", ran.err);
        assert!(ran.err.contains(expected), "{}", ran.err);
    }
}

#[test]
fn paths_that_no_entry_can_have_are_problems() {
    let security = json!([oauth(&["a"])]);
    for path in ["/a*", "/a?b=c", "/a#b", "/ä", "/a b", "/{", "/{}", "/../a"] {
        let paths = json!({path: {"get": {"security": security}}, "/pets": {"get": {"security": security}}});
        let ran = routes(&document(&paths).to_string(), &[]);
        assert_eq!((ran.code, ran.json()), (1, json!({"GET /pets": ["a"]})), "{path}: {}", ran.err);
        assert!(ran.err.starts_with("problem: "), "{path}: {}", ran.err);
    }
    // A scope that no token can have.
    let document = document(&json!({"/a": {"get": {"security": [oauth(&[""])]}}}));
    assert_eq!(routes(&document.to_string(), &[]).code, 1);
}

#[test]
fn two_paths_of_the_same_requests_have_one_entry() {
    let with = |security: Value| {
        let document = document(&json!({
            "/pets/{id}": {"get": {"security": [oauth(&["a"])]}},
            "/pets/{name}": {"get": {"security": security}},
        }));
        routes(&document.to_string(), &[])
    };
    let ran = with(json!([oauth(&["a"])]));
    assert_eq!((ran.code, ran.json()), (0, json!({"GET /pets/{id}": ["a"]})), "{}", ran.err);
    // Neither is opened to a token that the other refuses.
    for (security, expected) in [
        (json!([oauth(&["b"])]), json!({"GET /pets/{id}": ["a", "b"]})),
        (
            json!([oauth(&["b"]), oauth(&["c"])]),
            json!({"GET /pets/{id}": {"any": [["a", "b"], ["a", "c"]]}}),
        ),
        (json!([]), json!({"GET /pets/{id}": ["a"]})),
        (json!([{"key": []}]), json!({})),
    ] {
        let ran = with(security.clone());
        assert_eq!((ran.code, ran.json()), (1, expected), "{security}: {}", ran.err);
        let problem = "GET /pets/{name}: GET /pets/{id} is the same requests to IAM";
        assert!(ran.err.contains(problem), "{}", ran.err);
    }
}

#[test]
fn any_method_leaves_out_the_verbs_that_are_decided() {
    let folder = Folder::new("any-method");
    let by_hand = folder.file("by-hand.json", r#"{"GET /a/{x}": ["by-hand"]}"#);
    let document = document(&json!({
        "/a/{y}": {"x-amazon-apigateway-any-method": {"security": [oauth(&["any"])]}},
    }));
    let table = table(&document, &["--merge", &by_hand]);
    assert_eq!(table["GET /a/{x}"], json!(["by-hand"]));
    assert_eq!(table["PUT /a/{y}"], json!(["any"]));
    assert_eq!(table.as_object().unwrap().len(), 7);
}

#[test]
fn a_closed_entry_that_refuses_another_operation_is_named() {
    let paths = |inner: &[&str]| {
        document(&json!({
            "/users/{id}": {"get": {"security": [oauth(&["users"])]}},
            "/users/{id}/keys": {"get": {"security": [oauth(inner)]}},
        }))
    };
    let note = "`GET /users/{id}` also matches `GET /users/{id}/keys`";
    let ran = routes(&paths(&["keys"]).to_string(), &[]);
    assert!(ran.code == 0 && ran.err.contains(note), "{}", ran.err);
    // Whoever has this opens both.
    let ran = routes(&paths(&["keys", "users"]).to_string(), &[]);
    assert!(ran.code == 0 && ran.err.is_empty(), "{}", ran.err);
}

#[test]
fn entries_written_by_hand_are_kept() {
    let folder = Folder::new("merge");
    let own = json!({"any": ["users:read", {"path": {"id": "sub"}}]});
    let by_hand = folder.file(
        "by-hand.json",
        &json!({"GET /users/{id}": own, "ANY /pets": ["pets"], "$connect": ["chat"]}).to_string(),
    );
    let document = document(&json!({
        "/users/{user_id}": {"get": {"security": [oauth(&["users"])]}, "put": {"security": [oauth(&["users"])]}},
        "/pets": {"get": {"security": [oauth(&["a"])]}, "post": {"security": [oauth(&["b"])]}},
    }));
    assert_eq!(
        table(&document, &["--merge", &by_hand]),
        json!({
            "GET /users/{id}": own, "PUT /users/{user_id}": ["users"], "ANY /pets": ["pets"], "$connect": ["chat"],
        })
    );
    let wrong = folder.file("wrong.json", r#"{"GIT /pets": []}"#);
    let ran = routes(&document.to_string(), &["--merge", &wrong]);
    assert!(ran.code == 1 && ran.err.contains("entry `GIT /pets`"), "{}", ran.err);
}

#[test]
fn the_scheme_is_named_where_there_is_more_than_one() {
    let mut document =
        document(&json!({"/a": {"get": {"security": [{"OAuth2": ["a"]}, {"Other": ["b"]}]}}}));
    document["components"]["securitySchemes"]["Other"] =
        json!({"type": "http", "scheme": "Bearer"});
    let ran = routes(&document.to_string(), &[]);
    assert_eq!((ran.code, &*ran.out), (2, ""));
    let expected = "name the security scheme of the tokens with --scheme: the document has `OAuth2`, `Other`, `key`";
    assert!(ran.err.contains(expected), "{}", ran.err);
    assert_eq!(table(&document, &["--scheme", "Other"]), json!({"GET /a": ["b"]}));
    let both = ["--scheme", "Other", "--scheme", "OAuth2"];
    assert_eq!(table(&document, &both), json!({"GET /a": {"any": ["a", "b"]}}));
    let ran = routes(&document.to_string(), &["--scheme", "oauth2"]);
    assert!(
        ran.code == 2 && ran.err.contains("there is no security scheme `oauth2`"),
        "{}",
        ran.err
    );
    // How API Gateway's own documents name a Lambda authorizer.
    document["components"]["securitySchemes"] =
        json!({"Other": {"type": "apiKey", "x-amazon-apigateway-authorizer": {"type": "token"}}});
    assert_eq!(table(&document, &[]), json!({"GET /a": ["b"]}));
}

#[test]
fn what_is_no_openapi_3_document_is_misuse() {
    for (document, expected) in [
        (r#"{"swagger": "2.0"}"#, "this is Swagger 2.0"),
        ("{}", "not an OpenAPI 3 document"),
        ("a: b", "not an OpenAPI 3 document"),
        ("{", "-: "),
        ("a: {", "-: "),
        ("", "not an OpenAPI 3 document"),
    ] {
        let ran = routes(document, &[]);
        assert_eq!((ran.code, &*ran.out), (2, ""), "{document}");
        assert!(ran.err.contains(expected), "{document}: {}", ran.err);
    }
    assert_eq!(run(&[], &["routes", "none.yaml"], "").code, 2);
    let ran = routes(&document(&json!({})).to_string(), &["--base-path", "v1"]);
    assert!(ran.code == 2 && ran.err.contains("--base-path must begin with `/`"), "{}", ran.err);
}

#[test]
fn a_table_is_compared_with_a_document() {
    let document = document(&json!({
        "/pets": {"get": {"security": [oauth(&["a"])]}, "post": {"security": [oauth(&["b"])]}, "options": {}},
        "/pets/{id}": {"get": {"security": [oauth(&[])]}, "delete": {"security": [oauth(&["b"])]}},
        "/never": {"get": {"security": [oauth(&["b"])]}},
    }));
    let folder = Folder::new("compare");
    let check = |table: &Value, options: &[&str]| {
        let table = folder.file("routes.json", &table.to_string());
        routes(
            &document.to_string(),
            &[&["--check", "--table", &table, "--format", "json"], options].concat(),
        )
    };
    let never = json!({"claims": {"iss": {"present": false}}});
    let ran = check(
        &json!({
            "GET /pets": [], "GET /pets/{id}": [], "GET /pets/me": [], "PUT /pets": ["x"], "GET /users/{id}": ["x"],
            "GET /never": never, "$connect": [],
        }),
        &[],
    );
    assert_eq!(ran.code, 1, "{}", ran.err);
    let result = ran.json();
    let names = |list: &str, name: &str| {
        let list = result["tables"][0][list].as_array().unwrap();
        list.iter().map(|one| one[name].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        names("opened_by_no_token", "operation"),
        ["GET /never", "OPTIONS /pets", "POST /pets", "DELETE /pets/{id}"]
    );
    assert_eq!(names("open_to_every_token", "operation"), ["GET /pets", "GET /pets/{id}"]);
    assert_eq!(result["tables"][0]["open_to_every_token"][0]["asks_for_scope"], true);
    assert_eq!(result["tables"][0]["open_to_every_token"][1]["asks_for_scope"], false);
    assert_eq!(
        result["tables"][0]["entries_without_operation"],
        json!(["GET /users/{id}", "PUT /pets"])
    );

    let made = table(&document, &[]);
    let ran = check(&made, &[]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    // The table of the settings, of each issuer.
    let settings =
        [("ISSUER", "https://a.example"), ("AUDIENCE", "a"), ("ROUTES", &made.to_string())];
    let ran = run(&settings, &["routes", "-", "--check"], &document.to_string());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.contains("Operations that no token opens (ROUTES for https://a.example): 1\n"),
        "{}",
        ran.out
    );
    let ran = run(&settings[..2], &["routes", "-", "--check"], &document.to_string());
    assert!(ran.code == 2 && ran.err.contains("the settings have no ROUTES"), "{}", ran.err);
}

#[test]
fn variables_of_a_server_cannot_make_endless_urls() {
    // They are filled in by the order of their names.
    let mut variables = json!({});
    for number in 10..22 {
        let next = format!("{{v{}}}", number + 1);
        variables[format!("v{number}")] = json!({"default": format!("{next}{next}")});
    }
    let mut document = document(&json!({"/a": {"get": {"security": [oauth(&["a"])]}}}));
    document["servers"] = json!([{"url": "/{v10}", "variables": variables}]);
    let ran = routes(&document.to_string(), &[]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(ran.err.contains("a server URL has more than 2048 characters"), "{}", ran.err);
}

#[cfg(unix)]
#[test]
fn a_reference_to_a_device_is_not_followed() {
    let document = document(&json!({"/a": {"$ref": "/dev/null"}}));
    let ran = routes(&document.to_string(), &[]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("/dev/null, which a `$ref` names: is not a file"), "{}", ran.err);
}
