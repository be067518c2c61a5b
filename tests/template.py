"""Holds template.yaml to what cfn-lint and sam validate let pass: misspelled types, an authorizer that
guards nothing, a preflight that needs a token. Run: python3 tests/template.py (needs PyYAML and aws-sam-translator)."""

import json
import logging
import os
import re
from dataclasses import replace
from pathlib import Path

import yaml
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from gateway_cache import CERTIFICATES, OWNER, REQUESTS, TABLE, Authorizer, mixed_up


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
    if not name.startswith("AWS_LAMBDA_"):
        # Only what differs from the default is sent: each variable counts towards Lambda's 4 KB.
        condition = template["Conditions"][f"Sets{parameter_name}"]
        assert condition == {"Not": [{"Equals": [reference, parameter["Default"]]}]}, name
        expected = {"If": [f"Sets{parameter_name}", reference, {"Ref": "AWS::NoValue"}]}
        # What an MCP server needs is set with it.
        with_mcp_server = {"REFUSAL": "unauthorized", "RESOURCE_METADATA": {"Sub": "${McpServerUrl}/.well-known/oauth-protected-resource"}}
        if name in with_mcp_server:
            expected = {"If": ["HasMcpServer", with_mcp_server[name], expected]}
        assert variables[name] == expected, name
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
# Shared secrets can be in these two.
assert [name for name, parameter in parameters.items() if parameter.get("NoEcho")] == ["Jwks", "Issuers"]
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

# No policy that SAM would add to a role of its own making, and no managed policy.
assert function["Role"] == {"If": ["MakesRole", {"GetAtt": "AuthorizerRole.Arn"}, {"Ref": "RoleArn"}]}
assert "Policies" not in function
role = resource["AuthorizerRole"]
assert "ManagedPolicyArns" not in role
[trust] = role["AssumeRolePolicyDocument"]["Statement"]
assert trust["Principal"] == {"Service": "lambda.amazonaws.com"} and trust["Action"] == "sts:AssumeRole"
assert all(r["Properties"]["PermissionsBoundary"] == {"If": ["HasBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]}
           for r in template["Resources"].values() if r["Type"] == "AWS::IAM::Role")

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
assert authorizer["Identity"]["ReauthorizeEvery"] == {"Fn::If": ["SetsPolicyScope", 0, {"Ref": "CacheSeconds"}]}
assert auth["AddDefaultAuthorizerToCorsPreflight"] is False
paths = dict(api["DefinitionBody"]["paths"])
METADATA = "/.well-known/oauth-protected-resource"
condition, metadata, otherwise = paths.pop(METADATA)["If"]
assert (condition, otherwise, list(metadata)) == ("HasMcpServer", {"Ref": "AWS::NoValue"}, ["get"])
assert metadata["get"]["security"] == [{"NONE": []}], "who has no token could not learn where to get one"
for verbs in paths.values():
    assert all("security" not in operation for operation in verbs.values()), "the default authorizer is overridden"

condition, *expressions = authorizer["Identity"]["ValidationExpression"]["If"]
assert condition == "SetsBearerPrefix"
for bearer_is_required, expression in zip([False, True], expressions):
    for header, passes in {"Bearer a.b.c": True, "bearer  a-_9.b.c": True, "Bearer a.b": False,
                           "a.b.c": not bearer_is_required, "Basic a.b.c": False, "Bearer a.b.c d": False,
                           "Bearer a.b.c=": False, " a.b.c": False, "": False}.items():
        assert bool(re.fullmatch(expression, header)) == passes, (expression, header)



def resolved(node, values):
    """What CloudFormation makes of this with these parameters."""
    if not isinstance(node, dict) or len(node) != 1:
        return node
    [(function, argument)] = node.items()
    match function:
        case "Ref":
            return None if argument == "AWS::NoValue" else values[argument]
        case "Condition":
            return resolved(template["Conditions"][argument], values)
        case "Equals":
            one, other = (resolved(member, values) for member in argument)
            return str(one) == str(other)
        case "Not":
            return not resolved(argument[0], values)
        case "And":
            return all(resolved(member, values) for member in argument)
        case "If":
            condition, then, otherwise = argument
            return resolved(then if resolved({"Condition": condition}, values) else otherwise, values)
        case "Sub":
            text, own = argument if isinstance(argument, list) else (argument, {})
            known = values | {name: resolved(value, values) for name, value in own.items()}
            return re.sub(r"\$\{(\w+)\}", lambda name: known[name[1]], text)
        case "Join":
            separator, members = argument
            members = resolved(members, values)
            return separator.join(members if isinstance(members, list) else members.split(","))
        case "EachMemberEquals":
            members, wanted = (resolved(member, values) for member in argument)
            return all(member == wanted for member in members.split(","))
        case "Or":
            return any(resolved(member, values) for member in argument)
        case "GetAtt":
            return argument
        case "Split":
            separator, text = argument
            return resolved(text, values).split(separator)
    raise AssertionError(f"cannot resolve {function}")


defaults = {name: str(parameter["Default"]) for name, parameter in parameters.items()}
defaults |= {"Issuer": "https://login.example.com", "Audience": "https://mcp.example.com"}
unauthorized = api["GatewayResponses"]["UNAUTHORIZED"]["ResponseParameters"]["Headers"]["WWW-Authenticate"]
elsewhere = {"ResourceMetadata": "https://pets.example.com/metadata?x=%27"}
server = {"McpServerUrl": "https://mcp.example.com"}
for given, challenge, refusal, pointer in [
    ({}, 'Bearer realm="api"', "deny", ""),
    ({"Refusal": "unauthorized"}, 'Bearer realm="api", error="invalid_token"', "unauthorized", ""),
    (elsewhere, 'Bearer realm="api"', "deny", elsewhere["ResourceMetadata"]),
    (elsewhere | {"Refusal": "unauthorized"}, 'Bearer realm="api", error="invalid_token"', "unauthorized", elsewhere["ResourceMetadata"]),
    ({"ChallengeScopes": "pets:read"}, 'Bearer realm="api", scope="pets:read"', "deny", ""),
    (server | {"ChallengeScopes": "pets:read,api://pets/.default"}, 'Bearer realm="api", error="invalid_token", scope="pets:read api://pets/.default"', "unauthorized", f"https://mcp.example.com{METADATA}"),
    (server, 'Bearer realm="api", error="invalid_token"', "unauthorized", f"https://mcp.example.com{METADATA}"),
    (server | {"Refusal": "unauthorized"}, 'Bearer realm="api", error="invalid_token"', "unauthorized", f"https://mcp.example.com{METADATA}"),
]:
    values = defaults | given
    for name, value in given.items():
        assert re.fullmatch(parameters[name].get("AllowedPattern", ".*"), value), (name, value)
    challenge += f', resource_metadata="{pointer}"' if pointer else ""
    assert resolved(unauthorized, values) == f"'{challenge}'", given
    sent = {name: resolved(variable, values) for name, variable in variables.items()}
    assert (sent["REFUSAL"] or "deny", sent["RESOURCE_METADATA"] or "") == (refusal, pointer), given
    # With 401 for refused tokens every one of them is a function error.
    assert resolved({"Condition": "AlarmOnErrors"}, values) == (refusal == "deny"), given

# The role may do nothing but write its own log, until something needs more.
statements = role["Policies"][0]["PolicyDocument"]["Statement"]
for given, wanted_actions in [
    ({}, []),
    ({"SubnetIds": "subnet-1,subnet-2", "SecurityGroupIds": "sg-1"}, ["ec2:AssignPrivateIpAddresses"]),
    ({"EnvironmentKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1"}, ["kms:Decrypt"]),
    ({"Tracing": "Active"}, ["xray:PutTelemetryRecords"]),
]:
    log, *others = [statement for one in statements if (statement := resolved(one, defaults | given))]
    assert log == {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": {"GetAtt": "AuthorizerLogs.Arn"}}
    actions = [other["Action"] if isinstance(other["Action"], str) else other["Action"][0] for other in others]
    assert actions == wanted_actions, (given, actions)
    assert all(other["Resource"] == ({"Ref": "EnvironmentKeyArn"} if "kms" in str(other) else "*") for other in others), given
# Each of these stays out unless it is given.
for name, member in [("EnvironmentKeyArn", "KmsKeyArn"), ("CodeSigningConfigArn", "CodeSigningConfigArn"),
                     ("ReservedConcurrency", "ReservedConcurrentExecutions"), ("SubnetIds", "VpcConfig")]:
    assert resolved(function[member], defaults) is None and resolved(function[member], defaults | {name: "1"}) is not None, name
assert resolved(resource["AuthorizerLogs"]["KmsKeyId"], defaults | {"LogKeyArn": "arn:x"}) == "arn:x"
assert resolved(function["Role"], defaults) == "AuthorizerRole.Arn" and resolved(function["Role"], defaults | {"RoleArn": "arn:x"}) == "arn:x"
assert not re.fullmatch(parameters["ReservedConcurrency"]["AllowedPattern"], "0"), "0 refuses everybody"


def refused(given):
    """The sentences with which CloudFormation refuses these parameters."""
    values = defaults | given
    return [assertion["AssertDescription"]
            for rule in template["Rules"].values() if resolved(rule.get("RuleCondition", True), values)
            for assertion in rule["Assertions"] if not resolved(assertion["Assert"], values)]


CANARY = {"Canary": "true"}
for given, sentence in [
    ({}, None), (CANARY, None), (CANARY | {"CanaryRoleArn": "arn:x"}, None),
    ({"SubnetIds": "a,b", "SecurityGroupIds": "c"}, None),
    ({"SubnetIds": "a"}, "SecurityGroupIds"), ({"SecurityGroupIds": "c"}, "SubnetIds"),
    (CANARY | {"Monitoring": "disabled"}, "Monitoring=enabled"),
    (CANARY | {"Refusal": "unauthorized"}, "Refusal=deny"),
    (CANARY | {"McpServerUrl": "https://mcp.example.com"}, "Refusal=deny"),
    ({"Issuer": ""}, "Issuer"),
]:
    found = refused(given)
    assert found == [] if sentence is None else any(sentence in one for one in found), (given, found)

# With a canary the API names the alias. The transform of SAM makes it, and what moves it.
os.environ["AWS_DEFAULT_REGION"] = "eu-west-1"
logging.getLogger("samtranslator").setLevel(logging.ERROR)  # of switches that only AWS's own service has
NO_POLICIES = type("", (), {"load": lambda self: {}})()
for given in ({}, CANARY, CANARY | {"CanaryRoleArn": "arn:aws:iam::123456789012:role/deploy"}):
    text = root.joinpath("template.yaml").read_text().replace(f"CodeUri: {function['CodeUri']}", "CodeUri: s3://bucket/key")
    made = transform(yaml_parse(text), dict(given), NO_POLICIES)["Resources"]
    of_type = lambda kind: {name: one for name, one in made.items() if one["Type"] == kind}
    [(alias, properties)] = of_type("AWS::Lambda::Alias").items()
    scheme = made["Api"]["Properties"]["Body"]["components"]["securitySchemes"]["TokenAuthorizer"]
    _, names = scheme["x-amazon-apigateway-authorizer"]["authorizerUri"]["Fn::Sub"]
    assert names["__FunctionArn__"] == {"Fn::If": ["HasCanary", {"Ref": alias}, {"Fn::GetAtt": ["Authorizer", "Arn"]}]}
    groups = of_type("AWS::CodeDeploy::DeploymentGroup")
    assert len(groups) == ("UpdatePolicy" in properties) == bool(given)
    for group in groups.values():
        alarms = group["Properties"]["AlarmConfiguration"]["Alarms"]
        assert alarms == [{"Name": {"Ref": "NoVerdictAlarm"}}, {"Name": {"Ref": "FunctionErrorAlarm"}}]
        assert group["Properties"]["ServiceRoleArn"]["Fn::If"][0] == "MakesCanaryRole"
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["Properties"]["AutoRollbackConfiguration"]["Events"]

# With nothing but the issuer and the audience, that is all that is sent, and the metrics' namespace.
sent = {name: value for name, variable in variables.items() if (value := resolved(variable, defaults)) is not None}
assert sent == {"ISSUER": defaults["Issuer"], "AUDIENCE": defaults["Audience"], "METRICS_NAMESPACE": "TokenAuthorizer"}, sent
for name in wanted:
    parameter_name = "".join(word.capitalize() for word in name.split("_"))
    assert resolved(variables[name], defaults | {parameter_name: "7"}) == "7", name

integration = metadata["get"]["x-amazon-apigateway-integration"]
assert (integration["type"], integration["requestTemplates"]) == ("mock", {"application/json": '{"statusCode": 200}'})
answer = integration["responses"]["default"]
assert answer["responseParameters"] == {"method.response.header.Access-Control-Allow-Origin": {"Sub": "'${AllowedOrigin}'"}}
for given, wanted in [
    ({}, {}),
    ({"SupportedScopes": "pets:read"}, {"scopes_supported": ["pets:read"]}),
    ({"SupportedScopes": "pets:read,api://pets/.default"}, {"scopes_supported": ["pets:read", "api://pets/.default"]}),
    ({"Issuer": "", "AuthorizationServer": "https://a.example.com/x"}, {"authorization_servers": ["https://a.example.com/x"]}),
]:
    document = json.loads(resolved(answer["responseTemplates"]["application/json"], defaults | server | given))
    # RFC 9728 section 2.
    assert document == {"resource": "https://mcp.example.com", "authorization_servers": ["https://login.example.com"],
                        "bearer_methods_supported": ["header"]} | wanted, document
# What would end a text, or be code in the mapping template of the answer.
for name in ("McpServerUrl", "AuthorizationServer", "SupportedScopes", "ResourceMetadata"):
    for character in "\"'\\" + ("" if name == "ResourceMetadata" else "$#"):
        assert not re.fullmatch(parameters[name]["AllowedPattern"], f"https://mcp.example.com/{character}x"), (name, character)
for character in "\"'\\ ":
    assert not re.fullmatch(parameters["ChallengeScopes"]["AllowedPattern"], f"a{character}b"), character
for scopes, passes in {"": True, "pets:read": True, "a,b{$#+-~!": True, "a,": False, ",a": False, "a, b": False, "a\x7f": False}.items():
    assert bool(re.fullmatch(parameters["ChallengeScopes"]["AllowedPattern"], scopes)) == passes, scopes
for url in ("https://mcp.example.com/", "http://mcp.example.com", "https://mcp.example.com?x=y"):
    assert not re.fullmatch(parameters["McpServerUrl"]["AllowedPattern"], url), url
for scopes, passes in {"": True, "a": True, "pets:read,api://pets/.default": True, "a b": False, "a,": False, ",a": False, "a, b": False}.items():
    assert bool(re.fullmatch(parameters["SupportedScopes"]["AllowedPattern"], scopes)) == passes, scopes

# The challenge of a 403 is the function's, and the body has the reason.
denied = api["GatewayResponses"]["ACCESS_DENIED"]
assert denied["ResponseParameters"]["Headers"]["WWW-Authenticate"] == "context.authorizer.challenge"
assert json.loads(denied["ResponseTemplates"]["application/json"].replace("$context.error.messageString", '"text"')) == {
    "message": "text", "reason": "$context.authorizer.reason"}

# Whatever API Gateway answers, a browser shows it to a script. One response of each kind answers what has none of its own.
assert {"DEFAULT_4XX", "DEFAULT_5XX"} < set(api["GatewayResponses"])
for name, answer in api["GatewayResponses"].items():
    headers = answer["ResponseParameters"]["Headers"]
    assert headers["Access-Control-Allow-Origin"] == {"Sub": "'${AllowedOrigin}'"}, name
    if name.startswith("DEFAULT_"):
        # A status or a body here would be that of every other refusal.
        assert list(answer) == ["ResponseParameters"] and len(headers) == 1, name
        continue
    assert ("WWW-Authenticate" in headers) == (answer["StatusCode"] in (401, 403)), name
    # A browser shows a script no other headers of an answer from elsewhere.
    own = [header for header in headers if not header.startswith("Access-Control-")]
    assert headers.get("Access-Control-Expose-Headers", "''") == f"'{','.join(own)}'", name
    body = answer["ResponseTemplates"]["application/json"]
    json.loads(body.replace("$context.error.messageString", '"text"'))

# The fragments of docs/apis.md, as API Gateway caches by them. Simple responses to a table mix requests up unless nothing
# is cached, and so do policies for one request.
page = root.joinpath("docs/apis.md").read_text()
cached_fragments = 0
for heading, section in zip(*[iter(re.split(r"^## (.+)\n", page, flags=re.M)[1:])] * 2):
    for text in re.findall(r"^```yaml\n(.*?)^```$", section, re.S | re.M):
        fragment = yaml.load(text, Loader)
        auth = (fragment.get("HttpApi", {}).get("Properties") or fragment).get("Auth")
        for authorizer in auth["Authorizers"].values() if auth else []:
            identity = authorizer["Identity"]
            headers = [identity["Header"]] if "Header" in identity else identity.get("Headers", [])
            of_fragment = Authorizer(
                identity_sources=[f"$request.header.{name}" for name in headers] + [f"$context.{name}" for name in identity.get("Context", [])],
                ttl=identity["ReauthorizeEvery"],
                is_simple=authorizer.get("EnableSimpleResponses", False),
                api_routes=["$default"],
                table=TABLE,
                bound_to=OWNER if heading == "Mutual TLS" else None,
            )
            found = mixed_up(of_fragment, CERTIFICATES if of_fragment.bound_to else REQUESTS)
            assert not found, (heading, found)
            cached_fragments += of_fragment.ttl > 0
            if of_fragment.ttl == 0:
                # The test would see it.
                assert mixed_up(replace(of_fragment, ttl=300), CERTIFICATES if of_fragment.bound_to else REQUESTS), heading
assert cached_fragments == 4, cached_fragments

json.loads(resource["Dashboard"]["DashboardBody"]["Sub"].replace("${KeyAgeAlarmSeconds}", "1"))
print("template.yaml is as it should be")
