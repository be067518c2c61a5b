"""What the AWS provider of Terraform knows of a resource, read from bindings for it that npm has: names, types, and what
is required. Terraform's own registry is not needed. The bindings do not say which optional attributes the provider
computes when they are left out."""

import base64
import hashlib
import json
import re
import subprocess
import tarfile
from pathlib import Path

BINDINGS = "@cdktf/provider-aws@21.22.1"
SHA512 = "BuSHeaQFUL9l33pBzIMRT7cTQ69AM2mLtijjteCPhVQRmvuhuj9Lvfymf7knAMhYqAT6+Lrls9jiGVW/Us3zrQ=="
FOLDER = Path(__file__).parents[2] / "target" / "terraform"

SCALARS = {"string": "string", "number": "number", "boolean": "bool", "any": "dynamic"}
ENTRY = re.compile(
    r'^ +(\w+): \{\n +value: (.*),\n +isBlock: (true|false),\n +type: "(\w+)",\n +storageClassType: "(\w+)",', re.M)
MEMBER = re.compile(r"docs/(?:resources|data-sources)/\w+#(\w+) [^}]*\}(?:(?!\*/).)*\*/\s*readonly \w+(\??):", re.S)
GETTER = re.compile(r"// (\w+) - computed: true, optional: false, required: false\n +get \w+\(\) \{\n +return (.*);")


def schemas(names):
    """The schemas of these resources, by name. `data.aws_x` is a data source."""
    cache = FOLDER / "schema.json"
    known = json.loads(cache.read_text()) if cache.exists() else {}
    if known.get("bindings") != BINDINGS or not set(names) <= known["schemas"].keys():
        known = {"bindings": BINDINGS, "schemas": read(sorted(names))}
        cache.write_text(json.dumps(known))
    return {name: known["schemas"][name] for name in names}


def read(names):
    FOLDER.mkdir(parents=True, exist_ok=True)
    archive = FOLDER / "cdktf-provider-aws-21.22.1.tgz"
    if not archive.exists():
        subprocess.run(["npm", "pack", "--silent", "--pack-destination", FOLDER, BINDINGS], check=True, stdout=subprocess.DEVNULL)
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    assert found == SHA512, f"{archive} is another: {found}"
    folders = {f"package/lib/{name.replace('data.aws_', 'data-aws-').removeprefix('aws_').replace('_', '-')}/": name for name in names}
    texts = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            folder, _, file = member.name.rpartition("/")
            if folder + "/" in folders and file in ("index.js", "index.d.ts"):
                texts[folders[folder + "/"], file] = tar.extractfile(member).read().decode()
    return {name: schema(texts[name, "index.js"], texts[name, "index.d.ts"]) for name in names if (name, "index.js") in texts}


def schema(code, types):
    main = re.search(r"export interface (\w+)Config extends cdktf.TerraformMetaArguments", types)[1]
    body = code[code.index("    synthesizeHclAttributes() {"):]
    block = fields(code, types, body, f"{main}Config")
    # Only the resource itself: what nested objects compute is not looked at.
    own = code[code.index(f"class {main} extends cdktf.Terraform"):]
    for name, value in GETTER.findall(own):
        kind = re.search(r"get(String|Number|Boolean|List|StringMap)Attribute|\.(tolist)", value)
        cty = {"String": "string", "Number": "number", "Boolean": "bool", "StringMap": ["map", "string"]}.get(kind and kind[1], "dynamic")
        block["attributes"][name] = {"type": cty, "computed": True}
    for name in ("id", "region", "tags_all"):
        if name in block["attributes"]:
            block["attributes"][name]["computed"] = True
    return block


def fields(code, types, body, interface):
    """The attributes and blocks of one object: `body` is where the code writes them."""
    declared = re.search(rf"export interface {interface} .*?\n\}}", types, re.S)
    is_required = {name: mark == "" for name, mark in MEMBER.findall(declared[0] if declared else "")}
    body = body[:body.index("// remove undefined attributes")]
    attributes, blocks = {}, {}
    for name, value, is_block, kind, stored in ENTRY.findall(body):
        required = is_required[name]
        if is_block == "true":
            writer = re.search(r"(\w+ToHclTerraform)\b", value.replace("cdktf.listMapperHcl", ""))
            nested = code[code.index(f"function {writer[1]}("):]
            blocks[name] = {
                "nesting": "single" if kind == "struct" else kind, "required": required,
                "single": "listMapperHcl" not in value,
                "block": fields(code, types, nested, stored.removesuffix("List")),
            }
        else:
            scalar = SCALARS[re.sub("(List|Map|Set)$", "", stored) or stored]
            cty = scalar if kind == "simple" else [kind, scalar]
            attributes[name] = {"type": cty, "required" if required else "optional": True}
    return {"attributes": attributes, "blocks": blocks}
