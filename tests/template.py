"""Holds template.yaml to what cfn-lint and sam validate let pass: misspelled types, an authorizer that
guards nothing, a preflight that needs a token. Run: python3 tests/template.py (needs PyYAML, which cfn-lint brings)."""

import json
import re
from pathlib import Path

import yaml


class Loader(yaml.SafeLoader):
    """Reads !Ref, !Sub and the like as a dictionary with one member."""


def intrinsic(loader, tag, node):
    if node.id == "scalar":
        return {tag: loader.construct_scalar(node)}
    construct = loader.construct_sequence if node.id == "sequence" else loader.construct_mapping
    return {tag: construct(node, deep=True)}


Loader.add_multi_constructor("!", intrinsic)

root = Path(__file__).parent.parent
template = yaml.load(root.joinpath("template.yaml").read_text(), Loader)
parameters = template["Parameters"]
resource = {name: r["Properties"] for name, r in template["Resources"].items()}
function, api = resource["Authorizer"], resource["Api"]

assert template["Resources"]["Authorizer"]["Type"] == "AWS::Serverless::Function"
assert function["Runtime"] == "provided.al2023"
assert function["Handler"] == "bootstrap"
assert function["Architectures"] == [{"Ref": "Architecture"}]
assert parameters["Architecture"]["Default"] == "arm64"
assert parameters["Architecture"]["AllowedValues"] == ["arm64", "x86_64"]
assert function["CodeUri"] == "target/lambda/token-authorizer/bootstrap.zip"

# Every setting of the program has a parameter. Those of Lambda's logging controls are set by these.
settings = json.loads(root.joinpath("deploy/terraform/settings.json").read_text())
variables = function["Environment"]["Variables"]
wanted = [name for name in settings if not name.startswith("AWS_LAMBDA_")]
assert list(variables) == wanted, f"variables of the function: {set(variables) ^ set(wanted) or 'not in the order of SETTINGS'}"
for name, setting in settings.items():
    words = name.removeprefix("AWS_LAMBDA_").split("_")
    parameter_name = "".join(word.capitalize() for word in words)
    reference, parameter = {"Ref": parameter_name}, parameters[parameter_name]
    if name == "METRICS_NAMESPACE":
        assert variables[name] == {"If": ["Monitored", reference, {"Ref": "AWS::NoValue"}]}
        continue
    assert name.startswith("AWS_LAMBDA_") or variables[name] == reference, name
    match setting["kind"]:
        case "word":
            assert (parameter["Default"], parameter["AllowedValues"]) == (setting["default"], setting["of"]), name
        case "number" if not setting["default"]:
            # A number cannot be blank, so this is a text of digits.
            assert (parameter["Type"], parameter["Default"], parameter["AllowedPattern"]) == ("String", "", "[0-9]*"), name
            assert f"{setting['min']} to {setting['max']}" in parameter["Description"], name
        case "number":
            limits = [parameter["Type"], str(parameter["Default"]), parameter["MinValue"], parameter["MaxValue"]]
            assert limits == ["Number", setting["default"], setting["min"], setting["max"]], name
        case _:
            # Blank, since a setting written out is an error beside ISSUERS.
            assert (parameter["Type"], parameter["Default"]) == ("String", ""), name
            assert parameter["Description"].endswith(f"empty means {setting['default']}") or not setting["default"], name
assert function["LoggingConfig"]["LogFormat"] == {"If": ["LogIsJson", "JSON", "Text"]}
assert function["LoggingConfig"]["ApplicationLogLevel"]["If"][1] == {"Ref": "LogLevel"}

# docs/deploy.md lists the others.
of_settings = {"".join(word.capitalize() for word in name.split("_")) for name in wanted}
rows = re.findall(r"^\| (`[A-Z]\w+`(?:, `\w+`)*) \|", root.joinpath("docs/deploy.md").read_text(), re.M)
listed = {name for row in rows for name in re.findall(r"\w+", row)}
assert listed == set(parameters) - of_settings, f"parameters in docs/deploy.md: {listed ^ (set(parameters) - of_settings)}"

metadata = template["Metadata"]
groups = [name for group in metadata["AWS::CloudFormation::Interface"]["ParameterGroups"] for name in group["Parameters"]]
assert groups == list(parameters), f"parameters in no group, or in another order: {set(groups) ^ set(parameters)}"
# What the Serverless Application Repository wants (AWS SAM Developer Guide, "Metadata section properties").
application = metadata["AWS::ServerlessRepo::Application"]
assert re.fullmatch("[a-zA-Z0-9-]{1,140}", application["Name"]) and len(application["Description"]) <= 256
assert re.fullmatch("[a-z0-9]([a-z0-9-]*[a-z0-9])?", application["Author"]) and application["SpdxLicenseId"] == "MIT"
assert len(application["Labels"]) <= 10 and all(re.fullmatch("[a-zA-Z0-9+_:/@-]{1,127}", label) for label in application["Labels"])
assert root.joinpath(application["LicenseUrl"]).is_file() and root.joinpath(application["ReadmeUrl"]).is_file()
assert f'\nversion = "{application["SemanticVersion"]}"\n' in root.joinpath("Cargo.toml").read_text()

# Nothing but its own log, and no policy that SAM would add to a role of its own making.
assert function["Role"] == {"GetAtt": "AuthorizerRole.Arn"} and "Policies" not in function
role = resource["AuthorizerRole"]
assert "ManagedPolicyArns" not in role
[policy] = role["Policies"]
[statement] = policy["PolicyDocument"]["Statement"]
assert statement == {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                     "Resource": {"GetAtt": "AuthorizerLogs.Arn"}}
[trust] = role["AssumeRolePolicyDocument"]["Statement"]
assert trust["Principal"] == {"Service": "lambda.amazonaws.com"} and trust["Action"] == "sts:AssumeRole"

# A changed parameter reaches the stage, and nobody can make the function run as often as he likes.
assert api["AlwaysDeploy"] is True
assert api["MethodSettings"] == [{"ResourcePath": "/*", "HttpMethod": "*",
                                  "ThrottlingRateLimit": {"Ref": "RequestsPerSecond"},
                                  "ThrottlingBurstLimit": {"Ref": "RequestBurst"}}]
for name in ("RequestsPerSecond", "RequestBurst"):
    assert parameters[name]["Type"] == "Number" and parameters[name]["Default"] >= 100

auth = api["Auth"]
authorizer = auth["Authorizers"][auth["DefaultAuthorizer"]]
assert authorizer["FunctionPayloadType"] == "TOKEN"
assert authorizer["Identity"]["Header"] == "Authorization"
assert authorizer["Identity"]["ReauthorizeEvery"] == {"Ref": "CacheSeconds"}
assert auth["AddDefaultAuthorizerToCorsPreflight"] is False
for verbs in api["DefinitionBody"]["paths"].values():
    assert all("security" not in operation for operation in verbs.values()), "the default authorizer is overridden"

condition, *expressions = authorizer["Identity"]["ValidationExpression"]["If"]
assert template["Conditions"][condition] == {"Equals": [{"Ref": "BearerPrefix"}, "required"]}
for bearer_is_required, expression in zip([True, False], expressions):
    for header, passes in {"Bearer a.b.c": True, "bearer  a-_9.b.c": True, "Bearer a.b": False,
                           "a.b.c": not bearer_is_required, "Basic a.b.c": False, "Bearer a.b.c d": False,
                           "Bearer a.b.c=": False, " a.b.c": False, "": False}.items():
        assert bool(re.fullmatch(expression, header)) == passes, (expression, header)

for name, answer in api["GatewayResponses"].items():
    headers = answer["ResponseParameters"]["Headers"]
    assert "Access-Control-Allow-Origin" in headers, name
    assert ("WWW-Authenticate" in headers) == (answer["StatusCode"] in (401, 403)), name
    body = answer["ResponseTemplates"]["application/json"]
    json.loads(body.replace("$context.error.messageString", '"text"'))
json.loads(resource["Dashboard"]["DashboardBody"]["Sub"].replace("${KeyAgeAlarmSeconds}", "1"))
print("template.yaml is as it should be")
