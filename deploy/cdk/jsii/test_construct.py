"""The construct from Python: the example of its README, and that settings arrive and errors come back. Run by .ci/cdk."""

import re
import tempfile
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as apigatewayv2, aws_apigatewayv2_integrations as integrations, aws_iam as iam, aws_lambda as lambda_
from aws_cdk.assertions import Match, Template
from token_authorizer_construct import TokenAuthorizer, TokenAuthorizerSettings

TRUST = {"issuer": ["https://login.example.com"], "audience": ["https://pets.example.com"]}


def authorizer(stack, **properties):
    return TokenAuthorizer(stack, "Authorizer", code=lambda_.Code.from_asset(package), **properties)


def refused(**properties):
    try:
        authorizer(cdk.Stack(), **properties)
    except RuntimeError as error:
        return str(error)
    raise AssertionError("nothing is refused")


with tempfile.TemporaryDirectory() as folder:
    package = str(Path(folder) / "token-authorizer-arm64.zip")
    Path(package).write_bytes(b"PK")

    readme = Path(__file__).with_name("README.md").read_text()
    [code] = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    # A checkout has no package of a release in it.
    code = code.replace('self, "Authorizer",', f'self, "Authorizer", code=lambda_.Code.from_asset({package!r}),')
    names = {"lambda_": lambda_}
    exec(code, names)
    template = Template.from_stack(names["ApiStack"](cdk.App(), "Pets"))
    template.has_resource_properties("AWS::Lambda::Function", {
        "Runtime": "provided.al2023",
        "Environment": {"Variables": {
            "ISSUER": "https://login.example.com",
            "AUDIENCE": "https://pets.example.com",
            "ROUTES": '{"GET /pets":["pets:read"],"POST /pets":["pets:write"]}',
            "METRICS_NAMESPACE": Match.any_value(),
        }},
    })
    template.has_resource_properties("AWS::ApiGateway::Authorizer", {"Type": "TOKEN", "AuthorizerResultTtlInSeconds": 300})
    template.resource_count_is("AWS::ApiGateway::GatewayResponse", 6)

    stack = cdk.Stack()
    it = authorizer(
        stack,
        settings=TokenAuthorizerSettings(issuers=[{"issuer": "https://login.example.com", "audience": "pets", "routes": {"GET /pets": []}}],
                                         simple_response="on", jwks_timeout_ms=500),
        permissions_boundary=iam.ManagedPolicy.from_managed_policy_arn(stack, "Boundary", "arn:aws:iam::123456789012:policy/boundary"),
        memory_size=256,
    )
    api = apigatewayv2.HttpApi(stack, "Api", default_authorizer=it.for_http_api())
    api.add_routes(path="/pets", integration=integrations.HttpUrlIntegration("Pets", "https://pets.example.com"))
    template = Template.from_stack(stack)
    template.has_resource_properties("AWS::Lambda::Function", {"MemorySize": 256, "Environment": {"Variables": Match.object_like({"JWKS_TIMEOUT_MS": "500"})}})
    template.has_resource_properties("AWS::ApiGatewayV2::Authorizer", {"EnableSimpleResponses": True, "AuthorizerResultTtlInSeconds": 0})
    template.all_resources_properties("AWS::IAM::Role", {"PermissionsBoundary": "arn:aws:iam::123456789012:policy/boundary"})

    trust = TokenAuthorizerSettings(**TRUST)
    assert "REFUSAL: allow: must be deny or unauthorized" in refused(settings=TokenAuthorizerSettings(**TRUST, refusal="allow"))
    assert "LEEWAY_SECONDS: 301: must be" in refused(settings=TokenAuthorizerSettings(**TRUST, leeway_seconds=301))
    assert "needed to know whom to trust" in refused(settings=TokenAuthorizerSettings())
    assert "environment: set by this construct" in refused(settings=trust, environment={"ISSUER": "x"})
    assert "logLevel: debug: must be TRACE" in refused(settings=trust, log_level="debug")
    try:
        authorizer(cdk.Stack(), settings=trust).for_rest_api(type="token")
    except RuntimeError as error:
        assert "type: token: must be TOKEN or REQUEST" in str(error)
    else:
        raise AssertionError("a wrong type is accepted")

print("the construct in Python: as expected")
