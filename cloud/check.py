"""What CI tries in the emulator, besides the tour: ./try --check

The template updated and broken, the provider down, every kind of API from docs/apis.md, the page docs/mcp.md, the
commands and the CDK construct of docs/deploy.md, those of docs/tasks.md, the first commands of the README, as printed,
and every operation of an OpenAPI document."""

import argparse
import base64
import http.client
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import yaml
from botocore.exceptions import ClientError
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

import openapi
from emulator import ACCOUNT, REGION, ROOT, TARGET, b64, claims_of, end_in_order, hs256, resign
from stack import BUCKET, PACKAGE, Failed, NoManagedPolicies, Stack, architecture
from tour import Cloud, curl, expect, tour

AWSCLI = "awscli==1.45.8"
not_checked = []
NO_VERDICT = '{"message":"The request could not be authorized. Try again later."}'


def step(title):
    print(f"\n== {title}", flush=True)


def quiet(_):
    pass


# --- the template


def refusal_reaches_the_stage(cloud):
    """Both ways to refuse, by updates of the stack: the function's setting and the deployed gateway responses."""
    for refusal, status, challenge in [
        ("unauthorized", 401, 'Bearer realm="api", error="invalid_token"'),
        ("deny", 403, 'Bearer realm="api"'),
    ]:
        # The challenge of a 403 comes from the answer of the function, of which the emulator fills in nothing.
        of_refused = challenge if status == 401 else None
        cloud.update(Refusal=refusal)
        cloud.write_tokens(EXPIRED=expired(cloud))
        answer = curl('curl -si -H "Authorization: Bearer $EXPIRED" $URL/pets')
        expect(f"an expired token with Refusal={refusal}", answer.status, status)
        expect(f"its challenge with Refusal={refusal}", answer.headers.get("www-authenticate"), of_refused)
        missing = curl("curl -si $URL/pets").headers.get("www-authenticate")
        expect(f"the challenge without a token with Refusal={refusal}", missing, challenge)
        # A good token without the rights gets 403 in both.
        cloud.write_tokens(BOB=cloud.pool.sign_in("bob"))
        answer = curl('curl -si -X POST -H "Authorization: Bearer $BOB" $URL/pets')
        expect(f"a token without the rights with Refusal={refusal}", answer.status, 403)
        print(f"Refusal={refusal}: {status}, {challenge}", flush=True)


def expired(cloud):
    now = int(time.time())
    return resign(cloud.pool.sign_in("ann"), cloud.pool.key(), iat=now - 7200, exp=now - 3600)


BROKEN = {
    "without a default authorizer": ("        DefaultAuthorizer: TokenAuthorizer\n", ""),
    "with the token in another header": ("              Header: Authorization", "              Header: X-Token"),
    "with a wrong issuer": ("[SetsIssuer, !Ref Issuer,", "[SetsIssuer, https://login.example.com,"),
    "with Refusal not handed on": ("[SetsRefusal, !Ref Refusal,", "[SetsRefusal, deny,"),
    "without a challenge": ("              WWW-Authenticate: !Sub\n", "              X-Challenge: !Sub\n"),
    "without a pointer to the metadata": ("${Scope}${Pointer}", "${Scope}"),
    "without AlwaysDeploy": ("      AlwaysDeploy: true\n", ""),
    "with a cache that is off": ("[SetsPolicyScope, 0, !Ref CacheSeconds]", "[SetsPolicyScope, 0, 0]"),
    "with a parameter that is missing": ("  Audience:\n", "  Audiences:\n"),
}


def broken_templates_are_noticed():
    template = (ROOT / "template.yaml").read_text()
    for what, (old, new) in BROKEN.items():
        if old not in template:
            raise Failed(f"the template to break is another one: {old!r} is not in it")
        try:
            cloud = Cloud(template=template.replace(old, new))
        except (Failed, ClientError) as refused:
            print(f"a template {what}: {str(refused)[:160]}", flush=True)
            continue
        try:
            tour(cloud, quiet, rotation=False)
            refusal_reaches_the_stage(cloud)
            mcp_server(cloud)
        except Failed as failure:
            print(f"a template {what}: {failure}", flush=True)
        else:
            raise Failed(f"a template {what} passes")
        finally:
            cloud.stop()


def mcp_server(cloud):
    """docs/mcp.md from its first command to its last, and back to an API that is no MCP server."""
    page = (ROOT / "docs" / "mcp.md").read_text()
    deploy, requests = blocks(page, "sh")
    challenge, document = block(page, "text").strip().split("\n\n")
    wanted = dict(re.findall(r"(\w+)=(\S+)", deploy.split("--parameter-overrides")[1]))
    issuer, _ = wanted.pop("Issuer"), wanted.pop("Audience")
    cloud.update(**wanted)
    cloud.write_tokens(TOKEN=cloud.pool.sign_in("ann"))
    lines = [line.split(" #")[0].strip() for line in requests.strip().splitlines()]
    missing, metadata, good = [curl(line) for line in lines]
    expect("MCP: the three answers", (missing.status, metadata.status, good.status), (401, 200, 200))
    challenge = challenge.removeprefix("WWW-Authenticate: ")
    expect("MCP: the challenge without a token", missing.headers.get("www-authenticate"), challenge)
    [pointer] = re.findall(r'resource_metadata="(.*)"', challenge)
    expect("MCP: where the challenge points", pointer, lines[1].split()[-1].replace("$URL", wanted["McpServerUrl"]))
    of_pool = document.replace(issuer, cloud.pool.issuer)
    expect("MCP: the metadata", json.loads(metadata.body), json.loads(of_pool))
    expect("MCP: the metadata's CORS", metadata.headers.get("access-control-allow-origin"), "*")
    cloud.write_tokens(EXPIRED=expired(cloud))
    answer = curl('curl -si -H "Authorization: Bearer $EXPIRED" $URL/pets')
    expect("MCP: an expired token", (answer.status, answer.headers.get("www-authenticate")), (401, challenge))
    cloud.update(McpServerUrl="", SupportedScopes="")
    answer = curl("curl -si $URL/pets")
    expect("no MCP server: the challenge", answer.headers.get("www-authenticate"), 'Bearer realm="api"')
    expect("no MCP server: the metadata", curl(lines[1]).status == 200, False)
    print(f"401 with {pointer}, 200 {metadata.body}, 200 with a token", flush=True)


# --- the provider


def provider_down(cloud):
    good = 'curl -si -H "Authorization: Bearer $ANN" $URL/pets'
    cloud.write_tokens(ANN=cloud.pool.sign_in("ann"))
    expect("a good token", curl(good).status, 200)
    cloud.keys.healthy = False
    cloud.write_tokens(ANN=cloud.pool.sign_in("ann"))
    expect("a good token, the provider is down and the keys are known", curl(good).status, 200)
    restart(cloud)
    cloud.write_tokens(ANN=cloud.pool.sign_in("ann"))
    answer = curl(good)
    expect("a good token, the provider is down and no keys are known", (answer.status, answer.body), (500, NO_VERDICT))
    expect("the challenge of a 500", answer.headers.get("www-authenticate"), None)
    cloud.keys.healthy = True
    for _ in range(60):
        if curl(good).status == 200:
            print("200 while the keys are known; 500 after a restart; 200 when the provider is back", flush=True)
            return
        time.sleep(1)
    raise Failed("no 200 in a minute after the provider came back")


def restart(cloud):
    """A changed setting starts the function anew."""
    functions, name = cloud.emulator.client("lambda"), cloud.stack.resource("AWS::Lambda::Function")
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": variables | {"RESTARTED": "1"}}
    )


# --- every kind of API


class Sections(dict):
    """The text under each heading of the second level."""

    def __init__(self, page):
        parts = re.split(r"^## (.+)\n", (ROOT / page).read_text(), flags=re.M)[1:]
        super().__init__(zip(parts[::2], parts[1::2]))
        self.page = page

    def __missing__(self, heading):
        raise Failed(f"{self.page} has no section {heading!r} any more")


def blocks(text, language):
    """The blocks in this language, in a list item or not."""
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.S | re.M)
    if not found:
        raise Failed(f"the documentation has no block in {language} any more where this begins: {text[:60]!r}")
    return [textwrap.dedent(one) for one in found]


def block(text, language):
    return blocks(text, language)[0]


BACKEND = """
import json
def handler(event, context):
    return {"statusCode": 200, "body": json.dumps(event.get("requestContext", {}).get("authorizer"))}
"""
MOCK = {"get": {"responses": {"200": {"description": "ok"}}, "x-amazon-apigateway-integration": {"type": "mock"}}}
MOCK["post"] = MOCK["get"]
# By heading in docs/apis.md: where the token stands, and settings.
KINDS = {
    "REST API, `TOKEN`": ("header", {}),
    "REST API, `REQUEST`": ("query", {"TOKEN_SOURCE": "query:token"}),
    "WebSocket API": ("websocket", {"TOKEN_SOURCE": "query:token"}),
    "HTTP API, payload 1.0": ("header", {}),
    "HTTP API, payload 2.0, policy": ("header", {}),
    "HTTP API, payload 2.0, simple response": ("header", {"SIMPLE_RESPONSE": "on"}),
}

MUTUAL_TLS = "Mutual TLS"


def every_kind_of_api(cloud):
    fragments = Sections("docs/apis.md")
    expect(
        "the fragments in docs/apis.md",
        [kind for kind in fragments if "```yaml" in fragments[kind]],
        [*KINDS, MUTUAL_TLS],
    )
    for kind, (place, settings) in KINDS.items():
        for refusal in ["deny", "unauthorized"]:
            try_kind(cloud, kind, yaml_parse(block(fragments[kind], "yaml")), place, settings | {"REFUSAL": refusal})


def try_kind(cloud, kind, fragment, place, settings):
    refusal = settings["REFUSAL"]
    stack = Stack(cloud.emulator, re.sub(r"\W+", "-", f"{kind} {refusal}"))
    stack.deploy(yaml.safe_dump(around(kind, fragment, cloud, settings)), {})
    is_rest = kind.startswith("REST")
    api = stack.resource("AWS::ApiGateway::RestApi" if is_rest else "AWS::ApiGatewayV2::Api")
    url = cloud.emulator.api_url(api) + ("" if kind.startswith("HTTP") else "/dev")
    ann, bob = cloud.pool.sign_in("ann"), cloud.pool.sign_in("bob")
    if place == "websocket":
        ask = lambda _, token: upgrade(cloud, f"{url}?token={token}" if token else url)
        requests = [("connect", ann, 101), ("connect", bob, 101)]
    else:
        ask = lambda method, token: call(place, url, method, token)
        requests = [("GET", ann, 200), ("POST", ann, 200), ("GET", bob, 200), ("POST", bob, 403)]
    expect(f"{kind}: no token", ask("GET", None), 401)
    for method, token, status in requests:
        expect(f"{kind}: {method}", ask(method, token), status)
    # What a function error becomes on HTTP and WebSocket APIs, AWS does not say. The emulator makes it 500.
    wanted = 403 if refusal == "deny" else 401 if is_rest else 500
    expect(f"{kind}: an expired token with REFUSAL={refusal}", ask("GET", expired(cloud)), wanted)
    print(f"{kind}, REFUSAL={refusal}: no token 401, good {requests[0][2]}, expired {wanted}", flush=True)


def bound_tokens(cloud):
    """The fragment for mutual TLS: whole for SAM, and without its domain in the emulator, which knows no mutual TLS."""
    fragment = yaml_parse(block(Sections("docs/apis.md")[MUTUAL_TLS], "yaml"))
    template = around("REST API, `REQUEST`", fragment, cloud, {"TOKEN_BINDING": "certificate"})
    made = transform(yaml_parse(yaml.safe_dump(template)), {}, NoManagedPolicies())["Resources"].values()
    [domain] = [one["Properties"] for one in made if one["Type"] == "AWS::ApiGateway::DomainName"]
    expect("the trust store", domain["MutualTlsAuthentication"], fragment["Domain"]["MutualTlsAuthentication"])
    [api] = [one["Properties"] for one in made if one["Type"] == "AWS::ApiGateway::RestApi"]
    [server] = api["Body"]["servers"]
    own_address = {"disableExecuteApiEndpoint": True}
    expect("the API's own address", server["x-amazon-apigateway-endpoint-configuration"], own_address)

    for name in ("Domain", "DisableExecuteApiEndpoint"):
        del template["Resources"]["Api"]["Properties"][name]
    stack = Stack(cloud.emulator, "bound-tokens")
    stack.deploy(yaml.safe_dump(template), {})
    url = f"{cloud.emulator.api_url(stack.resource('AWS::ApiGateway::RestApi'))}/dev"
    ann = cloud.pool.sign_in("ann")
    bound = resign(ann, cloud.pool.key(), cnf={"x5t#S256": b64(os.urandom(32))})
    # Without a cache a request without a token gets to the function, too.
    for what, token, status in [("no token", None, 403), ("a bearer token", ann, 200), ("a bound token", bound, 403)]:
        expect(f"{MUTUAL_TLS}: {what}", call("header", url, "GET", token), status)
    print(f"{MUTUAL_TLS}: no token 403, a bearer token 200, a bound one without its certificate 403", flush=True)


def around(kind, fragment, cloud, settings):
    """A template with this fragment of the documentation, a function as in template.yaml, and a backend."""
    function = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]["Authorizer"]["Properties"]
    routes = '{"GET /pets": [], "POST /pets": ["writers"], "$connect": []}'
    variables = cloud.settings | {"ROUTES": routes} | settings
    properties = {name: function[name] for name in ("Runtime", "Handler", "Timeout")}
    properties |= {"CodeUri": f"s3://{BUCKET}/bootstrap.zip", "Architectures": [architecture()], "MemorySize": 128}
    properties["Environment"] = {"Variables": variables}
    backend = {"Runtime": "python3.13", "Handler": "index.handler", "InlineCode": BACKEND}
    resources = {
        "Authorizer": {"Type": "AWS::Serverless::Function", "Properties": properties},
        "Backend": {"Type": "AWS::Serverless::Function", "Properties": backend},
    }
    if kind.startswith("REST"):
        document = {"openapi": "3.0.1", "info": {"title": "pets", "version": "1"}, "paths": {"/pets": MOCK}}
        properties = {"StageName": "dev", "OpenApiVersion": "3.0.1", "DefinitionBody": document, **fragment}
        resources["Api"] = {"Type": "AWS::Serverless::Api", "Properties": properties}
    elif kind.startswith("HTTP"):
        resources |= fragment
        for verb in ("get", "post"):
            event = {"ApiId": {"Ref": "HttpApi"}, "Path": "/pets", "Method": verb}
            backend.setdefault("Events", {})[verb.title()] = {"Type": "HttpApi", "Properties": event}
    else:
        uri = "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Backend.Arn}/invocations"
        properties = {"Name": "pets", "ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "$request.body.action"}
        resources |= fragment
        resources["WebSocketApi"] = {"Type": "AWS::ApiGatewayV2::Api", "Properties": properties}
        api = {"ApiId": {"Ref": "WebSocketApi"}}
        integration = {**api, "IntegrationType": "AWS_PROXY", "IntegrationUri": {"Fn::Sub": uri}}
        resources["ConnectIntegration"] = {"Type": "AWS::ApiGatewayV2::Integration", "Properties": integration}
        stage = {**api, "StageName": "dev", "AutoDeploy": True}
        resources["Stage"] = {"Type": "AWS::ApiGatewayV2::Stage", "Properties": stage}
    return {"AWSTemplateFormatVersion": "2010-09-09", "Transform": "AWS::Serverless-2016-10-31", "Resources": resources}


def call(place, url, method, token):
    """The status of a request with the token in the header or in the query, or without one."""
    url += f"/pets?token={token}" if token and place == "query" else "/pets"
    header = f"-H 'Authorization: Bearer {token}'" if token and place == "header" else ""
    return curl(f"curl -si -X {method} {header} '{url}'").status


def upgrade(cloud, url):
    """The status of a WebSocket handshake (RFC 6455 section 4.1)."""
    host, path = re.fullmatch(r"http://([^/]+)(/.*)", url).groups()
    connection = http.client.HTTPConnection("127.0.0.1", cloud.emulator.port, timeout=30)
    key = base64.b64encode(os.urandom(16)).decode()
    headers = {"Host": host, "Connection": "Upgrade", "Upgrade": "websocket"}
    connection.request("GET", path, headers=headers | {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key})
    status = connection.getresponse().status
    connection.close()
    return status


# --- the commands of the documentation


def commands_of_the_documentation(cloud):
    """cargo-lambda's deployment, the aws commands after it, and the curl lines, as printed in docs/deploy.md."""
    tools = TARGET / "aws"
    if not (tools / "bin" / "aws").exists():
        subprocess.run([sys.executable, "-m", "venv", tools], check=True)
        subprocess.run([tools / "bin" / "python", "-m", "pip", "install", "--quiet", AWSCLI], check=True)
    page = Sections("docs/deploy.md")
    functions, gateway = cloud.emulator.client("lambda"), cloud.emulator.client("apigateway")
    api = gateway.create_rest_api(name="pets")["id"]
    create, attach = blocks(page["AWS CLI"], "sh")
    create = replaced(create, r"API=\w+", f"API={api}")
    create = replaced(create, "--architectures arm64", f"--architectures {architecture()}")
    create = replaced(create, r"fileb://\S+", f"fileb://{PACKAGE}")
    create = replaced(create, r"'{\"Variables\":.*?}}'", shlex.quote(json.dumps({"Variables": cloud.settings})))
    shell(cloud, create + attach)
    # "Last, set the authorizer on each method and deploy the API to its stage."
    [authorizer] = gateway.get_authorizers(restApiId=api)["items"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    pets = gateway.create_resource(restApiId=api, parentId=root, pathPart="pets")["id"]
    method = {"restApiId": api, "resourceId": pets, "httpMethod": "GET"}
    gateway.put_method(**method, authorizationType="CUSTOM", authorizerId=authorizer["id"])
    gateway.put_integration(**method, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    gateway.put_integration_response(**method, statusCode="200")
    gateway.create_deployment(restApiId=api, stageName="dev")
    source = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api}/authorizers/{authorizer['id']}"
    expect("the permission", granted_sources(functions), [source])

    lines = block(page["After the first deployment"], "sh")
    lines = replaced(lines, r"https://\$API\.execute-api\.\$REGION\.amazonaws\.com", cloud.emulator.api_url(api))
    for line, status in zip(lines.strip().splitlines(), [401, 403, 200], strict=True):
        answer = shell(cloud, line, TOKEN=cloud.pool.sign_in("ann"))
        expect(line, answer.split(" ")[1], str(status))
    print("the aws commands and the curl lines", flush=True)

    functions.delete_function(FunctionName="token-authorizer")
    env_file = TARGET / "deploy.env"
    env_file.write_text("".join(f"{name}='{value}'\n" for name, value in cloud.settings.items()))
    [deploy] = [one for one in blocks(page["Building it yourself"], "sh") if one.startswith("cargo lambda deploy")]
    shell(cloud, replaced(deploy, r"--env-file \.env", f"--env-file {env_file}"))
    answer = curl(
        f"curl -si -H 'Authorization: Bearer {cloud.pool.sign_in('ann')}' {cloud.emulator.api_url(api)}/dev/pets"
    )
    expect("the function that cargo lambda deploy made", answer.status, 200)
    print("cargo lambda deploy", flush=True)

    page = Sections("docs/tasks.md")
    old = gateway.create_authorizer(
        restApiId=api,
        name="old",
        type="TOKEN",
        authorizerUri=authorizer["authorizerUri"],
        identitySource="method.request.header.X-Old",
    )["id"]
    move = block(page["How do I roll it out next to an existing authorizer?"], "sh")
    header = f"curl -si -H 'X-Old: Bearer {cloud.pool.sign_in('ann')}' {cloud.emulator.api_url(api)}/dev/pets"
    for authorizer_id, status in [(old, 200), (authorizer["id"], 401)]:
        shell(cloud, move, API=api, RESOURCE=pets, AUTHORIZER=authorizer_id)
        expect("a method that was moved", curl(header).status, status)
    shell(
        cloud,
        block(page["Can the function be in another AWS account?"], "sh"),
        REGION=REGION,
        API_ACCOUNT="210987654321",
        API=api,
        AUTHORIZER=old,
    )
    source = f"arn:aws:execute-api:{REGION}:210987654321:{api}/authorizers/{old}"
    expect("the permission", granted_sources(functions), [source])
    shell(cloud, block(page["Why are the logs of `cargo lambda deploy` no JSON?"], "sh"))
    configuration = functions.get_function_configuration(FunctionName="token-authorizer")
    expect("the log format", configuration["LoggingConfig"]["LogFormat"], "JSON")
    print("moving a method, the permission and the log format of docs/tasks.md", flush=True)


def granted_sources(functions):
    """On whose behalf API Gateway may invoke the function."""
    policy = json.loads(functions.get_policy(FunctionName="token-authorizer")["Policy"])
    return [statement["Condition"]["ArnLike"]["AWS:SourceArn"] for statement in policy["Statement"]]


def common_tasks(cloud):
    """What docs/tasks.md shows of settings, rights and secrets."""
    page = Sections("docs/tasks.md")
    the_same_settings_in_every_tool(page["Where do settings go?"])

    fragment = yaml_parse(block(page["How do I protect only some methods?"], "yaml"))
    template = around(
        "REST API, `TOKEN`", yaml_parse(block(Sections("docs/apis.md")["REST API, `TOKEN`"], "yaml")), cloud, {}
    )
    template["Resources"]["Api"]["Properties"]["DefinitionBody"]["paths"] |= fragment
    stack = Stack(cloud.emulator, "some-methods")
    stack.deploy(yaml.safe_dump(template), {})
    url = f"{cloud.emulator.api_url(stack.resource('AWS::ApiGateway::RestApi'))}/dev"
    expect("a method without an authorizer", curl(f"curl -si {url}/health").status, 200)
    expect("a method with the authorizer", curl(f"curl -si {url}/pets").status, 401)
    print("some methods are protected", flush=True)

    # The released program has this name.
    shell(cloud, "cargo build --locked -p token-authorizer-cli")
    shell(cloud, block(page["How do I test my rights in CI?"], "sh"), cwd=scratch())
    folder = scratch()
    (folder / "token.txt").write_text(cloud.pool.sign_in("ann"))
    (folder / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in cloud.settings.items()))
    script = block(page["How do I see that my settings are good before I deploy?"], "sh")
    expect("explain with an env file", "open   GET /pets" in shell(cloud, script, cwd=folder), True)
    print("the authorizer command: test, and check and explain with an env file", flush=True)

    section = page["How do I use tokens with a shared secret (HS256)?"]
    secret = os.urandom(32)
    key = {"kty": "oct", "kid": "1", "alg": "HS256", "k": b64(secret)}
    (folder / "jwks.json").write_text(json.dumps({"keys": [key]}))
    shell(cloud, block(section, "sh"), cwd=folder)
    variables = yaml_parse(block(section, "yaml"))["Environment"]["Variables"]
    template = around(
        "REST API, `TOKEN`", yaml_parse(block(Sections("docs/apis.md")["REST API, `TOKEN`"], "yaml")), cloud, variables
    )
    stack = Stack(cloud.emulator, "shared-secret")
    stack.deploy(yaml.safe_dump(template), {})
    url = f"{cloud.emulator.api_url(stack.resource('AWS::ApiGateway::RestApi'))}/dev/pets"
    for key, status in [(secret, 200), (os.urandom(32), 403)]:
        token = hs256(claims_of(cloud.pool.sign_in("ann")), key)
        expect(
            "a token with a shared secret", curl(f"curl -si -H 'Authorization: Bearer {token}' {url}").status, status
        )
    print("a shared secret from Secrets Manager", flush=True)


def the_same_settings_in_every_tool(section):
    def read(variables):
        return {name: json.loads(value) if "{" in value else value for name, value in variables.items()}

    wanted = read(yaml_parse(block(section, "yaml"))["Environment"]["Variables"])
    if shutil.which("terraform"):
        folder = scratch()
        (folder / "main.tf").write_text(f"locals {{\n{block(section, 'hcl')}}}\n")
        command = ["terraform", "console"]
        done = subprocess.run(
            command, input="jsonencode(local.variables)\n", cwd=folder, capture_output=True, text=True
        )
        expect(f"Terraform {done.stderr}", read(json.loads(json.loads(done.stdout))), wanted)
        print("settings by Terraform", flush=True)
    else:
        not_checked.append("the settings in Terraform's language in docs/tasks.md: there is no terraform here")
    script = block(section, "ts") + "console.log(JSON.stringify(environment));"
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    expect("CDK", read(json.loads(done.stdout)), wanted)
    print("settings by CDK", flush=True)


def replaced(text, pattern, new):
    text, count = re.subn(pattern, new, text)
    if count == 0:
        raise Failed(f"the documentation has no {pattern!r} any more")
    return text


def shell(cloud, script, cwd=ROOT, **variables):
    """The output of a block of the documentation, for an account in the emulator."""
    path = f"{TARGET / 'aws' / 'bin'}:{ROOT / 'target' / 'debug'}:{os.environ['PATH']}"
    account = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": cloud.emulator.url}
    account |= {"AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION, "CARGO_TERM_QUIET": "true"}
    environment = {**os.environ, **account, "PATH": path, **variables}
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{script}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def scratch():
    """An empty folder."""
    folder = TARGET / "scratch"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


CDK_APP = """
import { App, Stack } from 'aws-cdk-lib';
import * as apigateway from 'aws-cdk-lib/aws-apigateway';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { TokenAuthorizer } from '%(construct)s';

class ApiStack extends Stack {
  constructor(scope: Construct, id: string) {
    super(scope, id);
%(fragment)s
    api.root.addResource('pets').addMethod('GET', new apigateway.MockIntegration({
      requestTemplates: { 'application/json': '{"statusCode": 200}' },
      integrationResponses: [{ statusCode: '200', responseTemplates: { 'application/json': '[]' } }],
    }), { methodResponses: [{ statusCode: '200' }] });
  }
}
const app = new App({ outdir: 'out' });
new ApiStack(app, 'Pets');
app.synth();
"""


def cdk_fragment(cloud):
    """The construct as docs/deploy.md uses it, with the package of this build, synthesized and deployed."""
    settings = {name: json.loads(value) if value[0] == "{" else value for name, value in cloud.settings.items()}
    code = f"code: lambda.Code.fromAsset({json.dumps(str(ROOT / PACKAGE))})"
    chip = f"architecture: lambda.Architecture.{architecture().upper().replace('ARM64', 'ARM_64')}"
    fragment = block(Sections("docs/deploy.md")["CDK"], "ts")
    # The emulator does not answer the custom resource that asks for the status.
    more = f"{code}, {chip}, statusCheck: false,"
    fragment = replaced(fragment, r"settings: \{.*?\},", f"settings: {json.dumps(settings)}, {more}")
    construct = ROOT / "deploy" / "cdk"
    folder = TARGET / "cdk"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "app.ts").write_text(CDK_APP % {"construct": construct / "src", "fragment": fragment})
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=construct, check=True)
    (folder / "node_modules").symlink_to(construct / "node_modules")
    subprocess.run(["node", "--import", "tsx", "app.ts"], cwd=folder, check=True)
    flags = json.loads(block(Sections("docs/tasks.md")["CDK: why does a changed authorizer have no effect?"], "json"))
    known = json.loads((folder / "node_modules" / "aws-cdk-lib" / "recommended-feature-flags.json").read_text())
    expect("CDK's flag", flags["context"].items() <= known.items(), True)
    # What `cdk bootstrap` and `cdk deploy` do with the assets.
    assets = json.loads((folder / "out" / "Pets.assets.json").read_text())
    s3 = cloud.emulator.client("s3")
    for asset in assets["files"].values():
        for destination in asset["destinations"].values():
            bucket = destination["bucketName"].replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Region}", REGION)
            s3.create_bucket(Bucket=bucket)
            s3.upload_file(str(folder / "out" / asset["source"]["path"]), bucket, destination["objectKey"])
    cloud.emulator.client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="21", Type="String")
    cloudformation = cloud.emulator.client("cloudformation")
    body = (folder / "out" / "Pets.template.json").read_text()
    cloudformation.create_stack(StackName="cdk", TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="cdk", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    url = f"{cloud.emulator.api_url(Stack(cloud.emulator, 'cdk').resource('AWS::ApiGateway::RestApi'))}/prod/pets"
    cloud.write_tokens(ANN=cloud.pool.sign_in("ann"), EXPIRED=expired(cloud))
    for token, wanted in [
        ("", 401),
        ('-H "Authorization: Bearer $ANN"', 200),
        ('-H "Authorization: Bearer $EXPIRED"', 403),
    ]:
        answer = curl(f"curl -si {token} {url}")
        expect(f"CDK: {token}", answer.status, wanted)
    expect("CDK: the answer of the mock", curl(f'curl -si -H "Authorization: Bearer $ANN" {url}').body, "[]")
    print("synthesized, deployed: 401, 200, 403", flush=True)


def openapi_document(cloud):
    """Every operation of a document that somebody else wrote, by POLICY_SCOPE=request."""
    shell(cloud, "cargo build --locked -p token-authorizer-cli")
    folder = ROOT / shell(cloud, "bash .ci/openapi").strip()
    openapi.check(cloud, ROOT / "target/debug/authorizer", ROOT / PACKAGE, folder / "package/api/spotify.com.json")


def first_commands_of_the_readme():
    """The provider, cargo-lambda's emulator of Lambda and an invocation, as they stand in the README; and `explain`."""
    printed = blocks((ROOT / "README.md").read_text(), "sh")
    [script] = [one for one in printed if "--serve" in one]
    [explain] = [one for one in printed if "cargo authorizer explain" in one]
    lines = [line.split(" #")[0].strip() for line in script.splitlines() if line.startswith("cargo")]
    serve, watch, invoke = [line for line in lines if "--serve" in line or line.startswith("cargo lambda")]
    for port in (9000, 9001):
        if can_connect(port):
            raise Failed(f"port {port}, which the README uses, is taken")
    running = []
    try:
        for line, ready in [(serve, "tokens expire at"), (watch, None)]:
            log = open(TARGET / f"readme-{len(running)}.log", "w+")
            running.append(subprocess.Popen(line.split(), cwd=ROOT, stdout=log, stderr=log, start_new_session=True))
            wait_for(running[-1], line, lambda: ready is None or ready in Path(log.name).read_text())
        wait_for(running[-1], watch, lambda: can_connect(9000))
        done = subprocess.run(invoke.split(), cwd=ROOT, capture_output=True, text=True, timeout=600)
        expect(f"{invoke}: {done.stderr}", done.returncode, 0)
        effects = [statement["Effect"] for statement in json.loads(done.stdout)["policyDocument"]["Statement"]]
        expect(invoke, "Allow" in effects, True)
        print(invoke, "->", done.stdout[:120], "...", flush=True)
    finally:
        for process in running:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
    done = subprocess.run(["bash", "-c", explain], cwd=ROOT, capture_output=True, text=True)
    expect(explain, (done.returncode, "token_expired" in done.stdout), (0, True))
    environment = {**os.environ, "ISSUER": "https://login.example.com", "AUDIENCE": "pets"}
    done = subprocess.run(
        ["cargo", "run", "--quiet", "--example", "local"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    expect("an issuer without a token", (done.returncode, done.stderr.count("\n")), (1, 1))


def wait_for(process, what, condition):
    for _ in range(6000):
        if condition():
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise Failed(f"{what}: does not start")


def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    end_in_order()
    step("template.yaml")
    cloud = Cloud(arguments.port)
    checks = [
        ("tour", lambda: tour(cloud, quiet)),
        ("Refusal reaches the stage", lambda: refusal_reaches_the_stage(cloud)),
        ("provider down", lambda: provider_down(cloud)),
        ("MCP server", lambda: mcp_server(cloud)),
        ("every kind of API", lambda: every_kind_of_api(cloud)),
        ("bound tokens", lambda: bound_tokens(cloud)),
        ("commands of docs/deploy.md", lambda: commands_of_the_documentation(cloud)),
        ("common tasks", lambda: common_tasks(cloud)),
        ("CDK construct", lambda: cdk_fragment(cloud)),
        ("OpenAPI document", lambda: openapi_document(cloud)),
        ("broken templates", broken_templates_are_noticed),
        ("first commands of the README", first_commands_of_the_readme),
    ]
    try:
        for title, check in checks:
            if arguments.only in title:
                step(title)
                check()
        for what in not_checked:
            step(f"NOT CHECKED: {what}")
    except Failed as failure:
        sys.exit(f"\nNOT AS EXPECTED: {failure}")
    finally:
        cloud.stop()


if __name__ == "__main__":
    main()
