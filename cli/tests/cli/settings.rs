//! Where the settings come from: an env file, Terraform, CloudFormation, a deployed function.

use serde_json::{Value, json};

use crate::{Folder, Ran, run};

/// Whether a token of `other` is good tells whose settings were read.
fn tested(options: &[&str]) -> Ran {
    let cases = r#"[{"request": "GET /", "claims": {"iss": "https://deployed.example"}, "expect": "allow"}]"#;
    // The environment of the process must not count.
    let environment = [("ISSUER", "https://environment.example"), ("REQUIRED_SCOPES", "none")];
    run(&environment, &[&["test", "-"], options].concat(), cases)
}

#[track_caller]
fn is_read(options: &[&str]) {
    let ran = tested(options);
    assert_eq!(ran.code, 0, "{options:?}: {}{}", ran.out, ran.err);
}

#[track_caller]
fn is_misuse(options: &[&str], expected: &str) {
    let ran = tested(options);
    assert_eq!((ran.code, &*ran.out), (2, ""), "{options:?}");
    assert!(ran.err.contains(expected), "{expected} is not in: {}", ran.err);
}

fn variables() -> Value {
    json!({"ISSUER": "https://deployed.example", "AUDIENCE": "a", "ALGORITHMS": "ES256"})
}

#[test]
fn an_env_file_takes_the_place_of_the_environment() {
    let folder = Folder::new("env-file");
    let file = folder.file(
        "env",
        "# comment\nISSUER='https://deployed.example'\nAUDIENCE=a\nALGORITHMS=ES256\nROUTES='{\"GET /\": []}'\n",
    );
    is_read(&["--env-file", &file]);
    is_misuse(&["--env-file", &file, "--set", "AUDIENCE="], "AUDIENCE: ");
    is_misuse(&["--env-file", &file, "--set", "AUDIENCE"], "--set must be NAME=VALUE");
    let broken = folder.file("broken", "ISSUER='https://deployed.example'\nAUDIENCE secret\n");
    is_misuse(&["--env-file", &broken], "a line is not NAME=value");
    assert!(!tested(&["--env-file", &broken]).err.contains("secret"));
    is_misuse(&["--env-file", "none"], "none: ");
}

#[test]
fn files_of_the_package_are_found_in_its_folder() {
    let folder = Folder::new("root");
    folder.file("package/routes.json", r#"{"GET /": []}"#);
    let file = folder.file(
        "env",
        "ISSUER=https://deployed.example\nAUDIENCE=a\nALGORITHMS=ES256\nROUTES=@routes.json\n",
    );
    is_misuse(&["--env-file", &file], "ROUTES: ");
    is_read(&["--env-file", &file, "--root", folder.path("package").to_str().unwrap()]);
    let in_layer = ["--env-file", &file, "--set", "ROUTES=@/opt/routes.json"];
    is_misuse(&in_layer, "ROUTES: ");
    let layer = folder.path("package");
    is_read(&[&in_layer[..], &["--layer", layer.to_str().unwrap()]].concat());
}

#[test]
fn a_plan_and_a_state_of_terraform_are_read() {
    let folder = Folder::new("terraform");
    let function = |address: &str, variables: Value| {
        json!({
            "address": address, "mode": "managed", "type": "aws_lambda_function",
            "values": {"environment": [{"variables": variables}]},
        })
    };
    let module = json!({
        "resources": [function("aws_lambda_function.other", json!({"TABLE": "t"}))],
        "child_modules": [{"address": "module.a", "child_modules": [{"resources": [
            function("module.a.module.b.aws_lambda_function.this", variables()),
        ]}]}],
    });
    let plan = json!({"format_version": "1.2", "planned_values": {"root_module": module}});
    let state = json!({"format_version": "1.0", "terraform_version": "1.9.0", "values": {"root_module": module}});
    for document in [&plan, &state] {
        is_read(&["--deployment", &folder.file("show.json", &document.to_string())]);
    }

    let mut unknown = plan.clone();
    unknown["resource_changes"] = json!([{
        "address": "module.a.module.b.aws_lambda_function.this",
        "change": {"after_unknown": {"environment": [{"variables": {"REVOKED": true}}]}},
    }]);
    let unknown = folder.file("unknown.json", &unknown.to_string());
    is_misuse(&["--deployment", &unknown], "REVOKED: known after apply");
    is_read(&["--deployment", &unknown, "--set", "REVOKED={}"]);

    let mut two = plan;
    two["planned_values"]["root_module"]["resources"] = json!([function(
        "aws_lambda_function.second",
        json!({"ISSUER": "https://second.example"})
    )]);
    let two = folder.file("two.json", &two.to_string());
    let names = "name one with --function: aws_lambda_function.second, module.a.module.b.aws_lambda_function.this";
    is_misuse(&["--deployment", &two], names);
    is_read(&["--deployment", &two, "--function", "module.a.module.b.aws_lambda_function.this"]);
    is_misuse(&["--deployment", &two, "--function", "x"], "there is no such function");
}

#[test]
fn a_template_is_read_with_its_parameters_and_conditions() {
    let folder = Folder::new("template");
    let template = json!({
        "Parameters": {
            "Issuer": {"Type": "String"},
            "Audience": {"Type": "String", "Default": "a"},
            "Leeway": {"Type": "Number", "Default": 5},
        },
        "Conditions": {
            "IsProd": {"Fn::Equals": [{"Ref": "Audience"}, "prod"]},
            "IsTest": {"Fn::And": [{"Fn::Not": [{"Condition": "IsProd"}]}, {"Fn::Or": [{"Condition": "IsProd"},
                {"Fn::Equals": ["a", "a"]}]}]},
        },
        "Resources": {
            "Other": {"Type": "AWS::Lambda::Function", "Properties": {"Environment": {"Variables": {
                "TABLE": {"Ref": "Table"}}}}},
            "Authorizer": {"Type": "AWS::Serverless::Function", "Properties": {"Environment": {"Variables": {
                "ISSUER": {"Ref": "Issuer"},
                "AUDIENCE": {"Fn::Sub": "${Audience}"},
                "ALGORITHMS": {"Fn::If": ["IsTest", "ES256", "none"]},
                "REQUIRED_SCOPES": {"Fn::If": ["IsProd", "none", {"Ref": "AWS::NoValue"}]},
                "SCOPE_CLAIMS": {"Fn::Join": [",", ["scp", {"Fn::Sub": ["${a}-${!b}", {"a": "scope"}]}]]},
                "METRICS_NAMESPACE": {"Ref": "AWS::StackName"},
                "LEEWAY_SECONDS": {"Ref": "Leeway"},
                "MAX_TOKEN_SECONDS": 3600,
            }}}},
        },
    });
    let file = folder.file("template.json", &template.to_string());
    is_misuse(
        &["--deployment", &file],
        "ISSUER: the parameter Issuer has no default: give it with --parameter",
    );
    is_read(&["--deployment", &file, "--parameter", "Issuer=https://deployed.example"]);
    is_read(&[
        "--deployment",
        &file,
        "--set",
        "ISSUER=https://deployed.example",
        "--function",
        "Authorizer",
    ]);
    is_misuse(&["--deployment", &file, "--parameter", "Isuer=x"], "there is no parameter Isuer");

    let mut created = template;
    created["Resources"]["Authorizer"]["Properties"]["Environment"]["Variables"]["REVOKED"] =
        json!({"Fn::Sub": "https://${Bucket.DomainName}/list"});
    let created = folder.file("created.json", &created.to_string());
    let parameter = ["--parameter", "Issuer=https://deployed.example"];
    let with_created = [&["--deployment", &created], &parameter[..]].concat();
    is_misuse(&with_created, "REVOKED: `Bucket.DomainName` is worked out by AWS");
    is_read(&[&with_created[..], &["--set", "REVOKED={}"]].concat());
}

#[test]
fn the_short_forms_of_a_yaml_template_are_read() {
    let folder = Folder::new("yaml-template");
    let template = "
Parameters:
  Issuer: {Type: String, Default: deployed}
  Scopes: {Type: String, Default: ''}
Conditions:
  HasScopes: !Not [!Equals [!Ref Scopes, '']]
Resources:
  Authorizer:
    Type: AWS::Serverless::Function
    Properties:
      Role: !GetAtt Role.Arn
      Environment:
        Variables:
          ISSUER: !Sub https://${Issuer}.example
          AUDIENCE: !Join ['', [a, b]]
          ALGORITHMS: ES256
          REQUIRED_SCOPES: !If [HasScopes, !Ref Scopes, !Ref AWS::NoValue]
";
    is_read(&["--deployment", &folder.file("template.yaml", template)]);
    // The template of this repository.
    let own = [
        "--deployment",
        "template.yaml",
        "--parameter",
        "Issuer=https://deployed.example",
        "--parameter",
    ];
    is_read(&[&own[..], &["Audience=a", "--parameter", "Algorithms=ES256"]].concat());
}

#[test]
fn the_configuration_of_a_deployed_function_is_read() {
    let folder = Folder::new("deployed");
    let configuration =
        json!({"FunctionName": "authorizer", "Environment": {"Variables": variables()}});
    for document in [configuration.clone(), json!({"Configuration": configuration, "Code": {}})] {
        is_read(&["--deployment", &folder.file("function.json", &document.to_string())]);
    }
    for (document, expected) in [
        ("{}", "must be what `terraform show -json`"),
        ("[]", "must be what `terraform show -json`"),
        (
            r#"{"Environment": {"Variables": {"A": "b"}}}"#,
            "no function has ISSUER or ISSUERS; there are the function",
        ),
        ("{", "function.json: "),
        (r#"{"Resources": {}}"#, "no function has ISSUER or ISSUERS; there are none"),
    ] {
        is_misuse(&["--deployment", &folder.file("function.json", document)], expected);
    }
}

/// A template whose function has this ISSUER.
fn template(issuer: Value, conditions: Value) -> String {
    let variables = json!({"ISSUER": issuer, "AUDIENCE": "a"});
    let properties = json!({"Environment": {"Variables": variables}});
    let function = json!({"Type": "AWS::Lambda::Function", "Properties": properties});
    json!({"Conditions": conditions, "Resources": {"Authorizer": function}}).to_string()
}

#[test]
fn a_short_template_cannot_ask_for_endless_work() {
    let folder = Folder::new("bombs");
    let mut issuer = json!("x".repeat(10_000));
    for _ in 0..2 {
        issuer = json!({"Fn::Sub": ["${a}${a}${a}${a}", {"a": issuer}]});
    }
    let text = folder.file("text.json", &template(issuer, json!({})));
    is_misuse(&["--deployment", &text], "ISSUER: is longer than any variable can be");
    let mut conditions = json!({"C8": {"Fn::Equals": ["a", "a"]}});
    for depth in 0..8 {
        let next = json!({"Condition": format!("C{}", depth + 1)});
        conditions[format!("C{depth}")] = json!({"Fn::And": [next, next, next, next]});
    }
    let issuer = json!({"Fn::If": ["C0", "https://deployed.example", "b"]});
    let steps = folder.file("steps.json", &template(issuer, conditions));
    is_misuse(&["--deployment", &steps], "ISSUER: takes too many steps to work out");
}

#[test]
fn no_error_drives_the_terminal() {
    let folder = Folder::new("escapes");
    let file = folder.file("t.json", &template(json!({"Fn::\u{1b}]0;x\u{7}": "x"}), json!({})));
    is_misuse(&["--deployment", &file], "ISSUER: `Fn::\\u{1b}]0;x\\u{7}` is worked out by AWS");
    let ran = tested(&["--deployment", &file]);
    assert!(ran.err.lines().count() == 2 && !ran.err.contains('\u{1b}'), "{}", ran.err);
}
