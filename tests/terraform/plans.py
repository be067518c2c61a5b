"""What Terraform plans for a module with given variables, under a mocked provider. `.ci/terraform` has prepared the
modules in target/terraform/modules."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

MODULES = Path(__file__).parents[2] / "target" / "terraform" / "modules"


def plans(module, cases, command="plan", mocks=""):
    """For each case, by its name: a plan as Terraform shows it in JSON, or the text of what it refuses.
    A case is a dictionary of variables."""
    folder = MODULES / module / "generated"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, variables in cases.items():
        values = "".join(f"  {key} = {literal(value)}\n" for key, value in variables.items())
        mock = f'mock_provider "aws" {{\n{mocks}}}\n'
        text = f'{mock}run "case" {{\ncommand = {command}\nvariables {{\n{values}}}\n}}\n'
        (folder / f"{name}.tftest.hcl").write_text(text)
    run = subprocess.run(
        ["terraform", f"-chdir={MODULES / module}", "test", "-json", "-verbose", "-test-directory=generated"],
        capture_output=True, text=True, env=os.environ | {"TF_IN_AUTOMATION": "1"})
    found, refused = {}, {}
    for line in run.stdout.splitlines():
        event = json.loads(line)
        name = Path(event.get("@testfile", "")).name.removesuffix(".tftest.hcl")
        if event["type"] in ("test_plan", "test_state"):
            found[name] = event[event["type"]]
        elif event["type"] == "diagnostic" and event["diagnostic"]["severity"] == "error":
            diagnostic = event["diagnostic"]
            refused.setdefault(name, []).append(diagnostic["detail"] or diagnostic["summary"])
    shutil.rmtree(folder)
    lost = cases.keys() - found.keys() - refused.keys()
    assert not lost, f"Terraform says nothing of {lost}: {run.stdout[-2000:]}{run.stderr[-2000:]}"
    return {name: " ".join(refused[name]) if name in refused else found[name] for name in cases}


def literal(value):
    """A value as HCL. A text has no escapes but those that HCL knows, and no templates."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{literal(name)} = {literal(member)}" for name, member in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(literal(member) for member in value) + "]"
    if not isinstance(value, str):
        return json.dumps(value)
    text = re.sub(r'[\x00-\x1f"\\]', lambda character: f"\\u{ord(character[0]):04x}", value)
    return '"' + text.replace("${", "$${").replace("%{", "%%{") + '"'


def planned(plan, address):
    """The resource with this address as it will be, or none."""
    for change in plan.get("resource_changes", []):
        if change["address"] == address:
            return change["change"]["after"]
    return None
