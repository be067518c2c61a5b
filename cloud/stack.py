"""template.yaml as a stack in the emulator: what `sam deploy` does, and what the emulator needs besides."""

import json
import logging
import os
import platform
import re
import time

from botocore.exceptions import ClientError
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from emulator import REGION, ROOT

# It warns of switches that only AWS's own service has.
logging.getLogger("samtranslator").setLevel(logging.ERROR)

PACKAGE = "target/lambda/token-authorizer/bootstrap.zip"
BUCKET = "packages"
GATEWAY_RESPONSES = "x-amazon-apigateway-gateway-responses"


class Failed(Exception):
    """Something is not as it should be."""


class Stack:
    """Deployed from the text of a SAM template."""

    def __init__(self, emulator, name, package=ROOT / PACKAGE):
        self.emulator, self.name, self.package = emulator, name, package
        self.cloudformation = emulator.client("cloudformation")

    def deploy(self, text, parameters):
        """Creates or updates it; `parameters` by name."""
        os.environ["AWS_DEFAULT_REGION"] = REGION
        s3 = self.emulator.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.upload_file(str(self.package), BUCKET, "bootstrap.zip")
        exists = bool(self._description())
        if exists:
            # AlwaysDeploy names the new deployment after the second in which it is made.
            time.sleep(1)
        text = text.replace(f"CodeUri: {PACKAGE}", f"CodeUri: s3://{BUCKET}/bootstrap.zip")
        template = transform(yaml_parse(text), dict(parameters), NoManagedPolicies())
        join_in_conditions(template, parameters)
        separate_gateway_responses(template)
        separate_open_mocks(template)
        separate_http_routes(template)
        # As `sam deploy` does: in a request, a template has at most 51,200 bytes.
        s3.put_object(Bucket=BUCKET, Key="template.json", Body=json.dumps(template))
        body = {"TemplateURL": f"{self.emulator.url}/{BUCKET}/template.json"}
        body["Capabilities"] = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
        given = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
        change = self.cloudformation.update_stack if exists else self.cloudformation.create_stack
        change(StackName=self.name, Parameters=given, **body)
        for _ in range(1200):
            description = self._description()
            if not description["StackStatus"].endswith("_IN_PROGRESS"):
                break
            time.sleep(0.05)
        if description["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            events = self.cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]
            why = [event.get("ResourceStatusReason") for event in events if event["ResourceStatus"].endswith("FAILED")]
            raise Failed(f"{self.name}: {description['StackStatus']}: {why}")

    def _description(self):
        try:
            return self.cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError:
            return None

    def output(self, name):
        outputs = {output["OutputKey"]: output["OutputValue"] for output in self._description()["Outputs"]}
        return outputs[name]

    def resource(self, kind):
        """The physical id of the only resource of this type."""
        found = self.cloudformation.list_stack_resources(StackName=self.name)["StackResourceSummaries"]
        [one] = [resource["PhysicalResourceId"] for resource in found if resource["ResourceType"] == kind]
        return one

    def log(self):
        """Every line that the function has logged, in order."""
        events = self.emulator.client("logs").filter_log_events(logGroupName=self.output("LogGroup"))["events"]
        return [event["message"].strip() for event in events]

    def invocations(self):
        return sum(line.startswith("START ") for line in self.log())


class NoManagedPolicies:
    """The template names none that the transform would have to look up in the account."""

    def load(self):
        return {}


def separate_gateway_responses(template):
    """The emulator drops the gateway responses of an OpenAPI document. Here they become resources of their own, with
    the same content, and the deployment waits for them."""
    resources = template["Resources"]
    for api_name, api in list(resources.items()):
        if api["Type"] != "AWS::ApiGateway::RestApi" or "Body" not in api["Properties"]:
            continue
        responses = api["Properties"]["Body"].pop(GATEWAY_RESPONSES, {})
        names = []
        for kind, response in responses.items():
            properties = {"RestApiId": {"Ref": api_name}, "ResponseType": kind}
            if "statusCode" in response:
                properties["StatusCode"] = str(response["statusCode"])
            properties["ResponseParameters"] = response.get("responseParameters", {})
            properties["ResponseTemplates"] = response.get("responseTemplates", {})
            name = f"{api_name}Response{kind.title().replace('_', '')}"
            resources[name] = {"Type": "AWS::ApiGateway::GatewayResponse", "Properties": properties}
            names.append(name)
        for resource in resources.values():
            if resource["Type"] == "AWS::ApiGateway::Deployment" and resource["Properties"]["RestApiId"] == {
                "Ref": api_name
            }:
                resource["DependsOn"] = names


def separate_open_mocks(template):
    """The emulator drops the answers of mock integrations in an OpenAPI document. Here the paths with mocks that have no
    authorizer become resources of their own, with the same content and condition. (The authorizer of the others has no
    name outside of the document.)"""
    resources = template["Resources"]
    for api_name, api in list(resources.items()):
        if api["Type"] != "AWS::ApiGateway::RestApi" or "Body" not in api["Properties"]:
            continue
        paths, made = api["Properties"]["Body"]["paths"], []
        for path, item in list(paths.items()):
            condition, item, _ = item.get("Fn::If", [None, item, None])
            if not all(is_open_mock(operation) for operation in item.values()):
                continue
            del paths[path]
            condition = {"Condition": condition} if condition else {}
            here = {"RestApiId": {"Ref": api_name}}
            parent, name = {"Fn::GetAtt": [api_name, "RootResourceId"]}, api_name
            for part in path.strip("/").split("/"):
                name += re.sub(r"[^A-Za-z0-9]", "", part.title())
                properties = {**here, "ParentId": parent, "PathPart": part}
                resources[name] = {"Type": "AWS::ApiGateway::Resource", "Properties": properties, **condition}
                parent = {"Ref": name}
            for verb, operation in item.items():
                properties = {**here, "ResourceId": parent, "HttpMethod": verb.upper(), "AuthorizationType": "NONE"}
                properties["Integration"] = mock(operation["x-amazon-apigateway-integration"])
                made.append(f"{name}{verb.title()}")
                resources[made[-1]] = {"Type": "AWS::ApiGateway::Method", "Properties": properties, **condition}
        for resource in resources.values():
            if resource["Type"] == "AWS::ApiGateway::Deployment" and resource["Properties"]["RestApiId"] == {
                "Ref": api_name
            }:
                resource["DependsOn"] = resource.get("DependsOn", []) + made


def is_open_mock(operation):
    return operation.get("security") == [{"NONE": []}] and operation["x-amazon-apigateway-integration"]["type"] == "mock"


def mock(integration):
    """As a property of a method what it is in an OpenAPI document."""
    answers = [
        {
            "StatusCode": answer["statusCode"],
            "ResponseParameters": answer.get("responseParameters", {}),
            "ResponseTemplates": answer.get("responseTemplates", {}),
        }
        for answer in integration.get("responses", {}).values()
    ]
    return {"Type": "MOCK", "RequestTemplates": integration["requestTemplates"], "IntegrationResponses": answers}


def separate_http_routes(template):
    """The emulator drops the OpenAPI document of an HTTP API. Here its authorizers, integrations and routes become
    resources of their own."""
    resources = template["Resources"]
    for api_name, api in list(resources.items()):
        if api["Type"] != "AWS::ApiGatewayV2::Api" or "Body" not in api["Properties"]:
            continue
        document = api["Properties"].pop("Body")
        api["Properties"] |= {"Name": api_name, "ProtocolType": "HTTP"}
        here = {"ApiId": {"Ref": api_name}}
        for name, scheme in document["components"]["securitySchemes"].items():
            authorizer = scheme["x-amazon-apigateway-authorizer"]
            properties = {
                "AuthorizerPayloadFormatVersion": authorizer["authorizerPayloadFormatVersion"],
                "AuthorizerResultTtlInSeconds": authorizer["authorizerResultTtlInSeconds"],
                "AuthorizerType": "REQUEST",
                "AuthorizerUri": authorizer["authorizerUri"],
                "EnableSimpleResponses": authorizer.get("enableSimpleResponses", False),
                "IdentitySource": authorizer["identitySource"],
            }
            resources[name] = {
                "Type": "AWS::ApiGatewayV2::Authorizer",
                "Properties": {**here, "Name": name, **properties},
            }
        for path, operations in document["paths"].items():
            for verb, operation in operations.items():
                integration = operation["x-amazon-apigateway-integration"]
                name = f"{api_name}{verb.title()}{re.sub(r'[^A-Za-z0-9]', '', path)}"
                properties = {"IntegrationType": "AWS_PROXY", "IntegrationUri": integration["uri"]}
                properties["PayloadFormatVersion"] = integration["payloadFormatVersion"]
                resources[f"{name}Integration"] = {
                    "Type": "AWS::ApiGatewayV2::Integration",
                    "Properties": here | properties,
                }
                [[authorizer]] = operation["security"]
                properties = {"RouteKey": f"{verb.upper()} {path}", "AuthorizationType": "CUSTOM"}
                properties["AuthorizerId"] = {"Ref": authorizer}
                properties["Target"] = {"Fn::Join": ["/", ["integrations", {"Ref": f"{name}Integration"}]]}
                resources[f"{name}Route"] = {"Type": "AWS::ApiGatewayV2::Route", "Properties": here | properties}


def join_in_conditions(template, parameters):
    """The emulator takes `Fn::Join` in a condition for a text that is not empty. Here the parameter that is joined is
    put in its place."""

    def joined(node):
        if isinstance(node, list):
            return [joined(member) for member in node]
        if not isinstance(node, dict):
            return node
        if "Fn::Join" in node:
            separator, reference = node["Fn::Join"]
            name = reference["Ref"]
            value = parameters.get(name, template["Parameters"][name].get("Default", ""))
            return separator.join(value.split(","))
        return {name: joined(member) for name, member in node.items()}

    template["Conditions"] = joined(template.get("Conditions", {}))


def as_parameters(settings):
    """Settings by the names of the template's parameters: `JWKS_URI` is `JwksUri`."""
    return {"".join(word.title() for word in name.split("_")): value for name, value in settings.items()}


def architecture():
    return "arm64" if platform.machine() == "aarch64" else "x86_64"
