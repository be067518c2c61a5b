"""An API that somebody else described: its table of rights is made, checked and tested with the `authorizer` command,
deployed with POLICY_SCOPE=request, and each operation must answer as its `security` says.

    openapi.py AUTHORIZER PACKAGE DOCUMENT    the command, the function's zip file, an OpenAPI document as JSON
"""

import argparse
import http.client
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import yaml
from samtranslator.yaml_helper import yaml_parse

from emulator import ROOT, TARGET, end_in_order, resign
from stack import Failed, Stack, architecture, as_parameters
from tour import Cloud, expect

VERBS = ["delete", "get", "head", "options", "patch", "post", "put"]
FEWEST_OPERATIONS = 80
FOLDER = TARGET / "openapi"


def operations(document):
    """(verb, path, scopes) of each operation. All of them ask for a token, and name their scopes in one requirement."""
    [base] = [re.sub(r"^https?://[^/]*", "", server["url"]).rstrip("/") for server in document["servers"]]
    for path, item in document["paths"].items():
        for verb in VERBS:
            if verb in item:
                [requirement] = item[verb].get("security", document.get("security"))
                [scopes] = requirement.values()
                yield verb.upper(), base + path, frozenset(scopes)


def requests(found):
    """(verb, path, scopes of the token, whether it is allowed). Each operation is asked for with its scopes, with one
    of them missing, with every scope but these, and with none."""
    every_scope = frozenset().union(*(scopes for _, _, scopes in found))
    for verb, path, scopes in found:
        tokens = [scopes, every_scope - scopes, frozenset(), *(scopes - {scope} for scope in scopes)]
        for held in dict.fromkeys(tokens):
            yield verb, re.sub(r"\{[^}]*\}", "x1", path), held, scopes <= held


class Authorizer:
    """The command, with nothing else in PATH."""

    def __init__(self, program, settings):
        self.program, self.settings = Path(program).resolve(), settings

    def run(self, *arguments):
        command = [self.program, *arguments, "--format", "json"]
        environment = self.settings | {"PATH": ""}
        done = subprocess.run(command, cwd=FOLDER, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"authorizer {' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return json.loads(done.stdout)


def make_table(authorizer, document, wanted):
    """routes.json from the document, checked and tested before anything is deployed."""
    table = authorizer.run("routes", str(document))
    (FOLDER / "routes.json").write_text(json.dumps(table))
    authorizer.run("check")
    cases = [
        {
            "claims": {"scope": " ".join(sorted(held)), "token_use": "access"},
            "request": f"{verb} {path}",
            "expect": "allow" if is_allowed else "insufficient_scope",
        }
        for verb, path, held, is_allowed in wanted
    ]
    (FOLDER / "cases.json").write_text(json.dumps(cases))
    tested = authorizer.run("test", "cases.json")["cases"]
    expect("the number of cases that passed", sum(case["passed"] for case in tested), len(cases))
    return table


def template(found):
    """template.yaml with these operations in the place of /pets."""
    text = yaml_parse((ROOT / "template.yaml").read_text())
    integration = {"type": "mock", "requestTemplates": {"application/json": '{"statusCode": 200}'}}
    paths = {}
    for verb, path, _ in found:
        operation = {"responses": {"200": {"description": "ok"}}, "x-amazon-apigateway-integration": integration}
        paths.setdefault(path, {})[verb.lower()] = operation
    text["Resources"]["Api"]["Properties"]["DefinitionBody"]["paths"] = paths
    return yaml.safe_dump(text)


def status(cloud, url, verb, path, token):
    host, stage = re.fullmatch(r"http://([^/]+)(/.*)", url).groups()
    connection = http.client.HTTPConnection("127.0.0.1", cloud.emulator.port, timeout=60)
    headers = {"Host": host} | ({"Authorization": f"Bearer {token}"} if token else {})
    connection.request(verb, stage + path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def check(cloud, program, package, document):
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    found = list(operations(json.loads(Path(document).read_text())))
    if len(found) < FEWEST_OPERATIONS:
        raise Failed(f"{document} has {len(found)} operations, fewer than {FEWEST_OPERATIONS}")
    wanted = list(requests(found))

    settings = cloud.settings | {"ROUTES": "@routes.json", "POLICY_SCOPE": "request"}
    authorizer = Authorizer(program, settings)
    table = make_table(authorizer, Path(document).resolve(), wanted)

    with_table = FOLDER / "bootstrap.zip"
    shutil.copyfile(package, with_table)
    with zipfile.ZipFile(with_table, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.write(FOLDER / "routes.json", "routes.json")
    stack = Stack(cloud.emulator, "openapi", with_table)
    stack.deploy(template(found), as_parameters(settings) | {"Architecture": architecture()})
    url = f"{cloud.emulator.api_url(stack.resource('AWS::ApiGateway::RestApi'))}/dev"

    ann, key = cloud.pool.sign_in("ann"), cloud.pool.key()
    tokens = {held: resign(ann, key, scope=" ".join(sorted(held))) for _, _, held, _ in wanted}
    for verb, path, held, is_allowed in wanted:
        expected = 200 if is_allowed else 403
        expect(f"{verb} {path} with {sorted(held)}", status(cloud, url, verb, path, tokens[held]), expected)
    for verb, path in {(verb, path) for verb, path, _, _ in wanted}:
        expect(f"{verb} {path} without a token", status(cloud, url, verb, path, None), 401)
    allowed = sum(is_allowed for _, _, _, is_allowed in wanted)
    print(
        f"{len(found)} operations, {len(table)} entries: {allowed} requests allowed, {len(wanted) - allowed} refused, "
        f"as the document says; {len(found)} without a token refused",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("authorizer", "package", "document"):
        parser.add_argument(name)
    arguments = parser.parse_args()
    end_in_order()
    cloud = Cloud(package=arguments.package)
    try:
        check(cloud, arguments.authorizer, arguments.package, arguments.document)
    except Failed as failure:
        sys.exit(f"\nNOT AS EXPECTED: {failure}")
    finally:
        cloud.stop()


if __name__ == "__main__":
    main()
