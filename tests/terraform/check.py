"""Reads the Terraform modules with a parser of HCL and holds every attribute, block and reference to what the AWS
provider knows; and their READMEs to their variables and outputs. Needs python-hcl2, and npm for the provider's schema.

    python3 tests/terraform/check.py            UPDATE=1 python3 tests/terraform/check.py   writes the READMEs' tables
"""

import json
import os
import re
from pathlib import Path

import hcl2

from schema import schemas

ROOT = Path(__file__).parents[2] / "deploy" / "terraform"
META = {"count", "for_each", "depends_on", "lifecycle", "provider"}
REFERENCE = re.compile(r"\b((?:data\.)?aws_\w+)\.\w+(?:\[[^\]]*\])*\.(\w+)")


def plain(value):
    """What the parser gives, without the quotes of names and texts, and without its notes."""
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items() if k not in ("__is_block__", "__comments__", "__inline_comments__")}
    if isinstance(value, list):
        return [plain(member) for member in value]
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1].replace('\\"', '"')
    return value


def resources(module):
    """The resources and data sources of a file: kind, name, body."""
    for prefix, blocks in (("", module.get("resource", [])), ("data.", module.get("data", []))):
        for block in blocks:
            for kind, named in block.items():
                if kind == "terraform_data":
                    continue  # Terraform's own
                for name, body in named.items():
                    yield prefix + kind, name, body


def texts(value):
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        return [text for member in value for text in texts(member)]
    return [value] if isinstance(value, str) else []


def misfits(body, schema, place):
    """What a body has that the provider does not know, and what it lacks."""
    given = {name: value for name, value in body.items() if name not in META | {"dynamic"}}
    for dynamic in body.get("dynamic", []):
        for name, block in dynamic.items():
            given[name] = block["content"]
    attributes, blocks = schema["attributes"], schema["blocks"]
    for name, value in given.items():
        if name in blocks:
            for nested in value:
                yield from misfits(nested, blocks[name]["block"], f"{place}.{name}")
        elif name not in attributes:
            yield f"{place}: the provider knows no `{name}`"
        elif not attributes[name].keys() & {"required", "optional"}:
            yield f"{place}: `{name}` is the provider's to say"
    for name, attribute in {**attributes, **blocks}.items():
        if attribute.get("required") and name not in given:
            yield f"{place}: `{name}` is missing"


def table(module):
    """The variables and outputs of a module in the form of terraform-docs."""
    lines = ["## Inputs", "", "| Name | Description | Type | Default |", "|------|-------------|------|---------|"]
    for block in module.get("variable", []):
        for name, body in block.items():
            kind = re.sub(r"^\$\{(.*)\}$", r"\1", body["type"], flags=re.S)
            kind = re.sub(r"\s+", " ", kind)
            default = f"`{json.dumps(body['default'])}`" if "default" in body else "required"
            lines.append(f"| {name} | {body['description']} | `{kind}` | {default} |")
    lines += ["", "## Outputs", "", "| Name | Description |", "|------|-------------|"]
    lines += [f"| {name} | {body['description']} |" for block in module.get("output", []) for name, body in block.items()]
    return "\n".join(lines)


def main():
    problems, found = [], {}
    for path in sorted(ROOT.rglob("*.tf")):
        with path.open() as file:
            found[path] = plain(hcl2.load(file))
    kinds = {kind for module in found.values() for kind, _, _ in resources(module)}
    references = {(kind, name, path) for path, module in found.items() for text in texts(module) for kind, name in REFERENCE.findall(text)}
    known = schemas(kinds)
    for path, module in found.items():
        for kind, name, body in resources(module):
            problems += misfits(body, known[kind], f"{path.relative_to(ROOT)}: {kind}.{name}")
    for kind, name, path in references:
        if kind not in kinds or name not in {**known[kind]["attributes"], **known[kind]["blocks"]}:
            problems.append(f"{path.relative_to(ROOT)}: {kind} has no `{name}`")

    for readme in ROOT.rglob("README.md"):
        module = {}
        for path in sorted(readme.parent.glob("*.tf")):
            for name, blocks in found[path].items():
                module.setdefault(name, []).extend(blocks)
        text = readme.read_text()
        begin, end = "<!-- BEGIN_TF_DOCS -->\n", "\n<!-- END_TF_DOCS -->"
        head, tail = text.split(begin)[0], text.split(end)[1]
        wanted = head + begin + table(module) + end + tail
        if text != wanted and os.environ.get("UPDATE"):
            readme.write_text(wanted)
        elif text != wanted:
            problems.append(f"{readme.relative_to(ROOT)}: its tables are not those of the module; UPDATE=1 writes them")

    assert not problems, "\n".join(["Terraform:", *sorted(problems)])
    assert len(kinds) > 10 and len(references) > 20, (len(kinds), len(references))
    print(f"{len(found)} files, {len(kinds)} kinds of resources, {len(references)} references: all as the provider knows them")


if __name__ == "__main__":
    main()
