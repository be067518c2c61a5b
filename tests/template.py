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

template = yaml.load(Path(__file__).parent.parent.joinpath("template.yaml").read_text(), Loader)
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
assert {"ISSUER", "AUDIENCE", "JWKS_URI"} <= function["Environment"]["Variables"].keys()

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

expression = re.compile(authorizer["Identity"]["ValidationExpression"])
for header, passes in {"Bearer a.b.c": True, "bearer  a-_9.b.c": True, "Bearer a.b": False, "a.b.c": False,
                       "Basic a.b.c": False, "Bearer a.b.c d": False, "Bearer a.b.c=": False, "": False}.items():
    assert bool(expression.fullmatch(header)) == passes, header

for name, answer in api["GatewayResponses"].items():
    headers = answer["ResponseParameters"]["Headers"]
    assert "Access-Control-Allow-Origin" in headers, name
    assert ("WWW-Authenticate" in headers) == (answer["StatusCode"] in (401, 403)), name
    body = answer["ResponseTemplates"]["application/json"]
    json.loads(body.replace("$context.error.messageString", '"text"'))
json.loads(resource["Dashboard"]["DashboardBody"]["Sub"].replace("${KeyAgeAlarmSeconds}", "1"))
print("template.yaml is as it should be")
