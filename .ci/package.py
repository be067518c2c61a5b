"""Packs what `.ci/package` built, with nothing in it of the time or the machine.

    package.py arm64|x86_64 PROGRAM PATH    PATH.zip, and PATH.yaml, the SAM template that deploys it
    package.py cli PROGRAM PATH             PATH, an archive with the command-line tool and the licence
    package.py terraform FOLDER PATH        PATH, an archive that Terraform takes as the source of a module
"""

import json
import os
import re
import sys
import time
import zipfile
import zlib
from pathlib import Path

MACHINES = {"arm64": 183, "x86_64": 62}  # e_machine of an ELF header
# Lambda's limit is 250 MB unpacked; this one is ours. A package twice the size takes longer to start.
MAX_BYTES = 4_000_000


def pack(path, files):
    """A zip of these (name, mode, bytes), in this order and with the time of the commit."""
    moment = time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))[:6]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, mode, content in files:
            entry = zipfile.ZipInfo(name, moment)
            entry.create_system = 3
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def crates(program):
    """The crates that cargo-auditable put into the program (section `.dep-v0` of a 64-bit ELF file): those that run,
    and those that only built it."""
    number = lambda at, size: int.from_bytes(program[at:at + size], "little")
    table, size, count, names = number(0x28, 8), number(0x3A, 2), number(0x3C, 2), number(0x3E, 2)
    section = lambda n: (number(table + n * size, 4), number(table + n * size + 24, 8), number(table + n * size + 32, 8))
    _, text, _ = section(names)
    for n in range(count):
        name, offset, length = section(n)
        if program[text + name:].startswith(b".dep-v0\0"):
            packages = json.loads(zlib.decompress(program[offset:offset + length]))["packages"]
            kinds = "runtime", "build"
            return [{(p["name"], p["version"]) for p in packages if p.get("kind", "runtime") == kind} for kind in kinds]
    raise SystemExit("the program does not name its crates")


def package(architecture, program, path):
    content = Path(program).read_bytes()
    machine = int.from_bytes(content[18:20], "little")
    assert content[:4] == b"\x7fELF" and machine == MACHINES[architecture], (program, machine)
    assert b"/.cargo/" not in content and os.getcwd().encode() not in content, "a path of this machine is in the program"

    components = json.loads(Path(f"{path}.cdx.json").read_text())
    main = components["metadata"]["component"]
    listed = {(c["name"], c["version"]) for c in [main, *components["components"]]}
    running, building = crates(content)
    # cargo-cyclonedx lists procedural macros, too.
    differ = (running - listed) | (listed - running - building)
    assert not differ, f"SBOM and program differ: {differ}"

    pack(f"{path}.zip", [("bootstrap", 0o755, content)])
    size = os.path.getsize(f"{path}.zip")
    print(f"{path}.zip: {size} bytes, {len(running)} crates")
    assert size <= MAX_BYTES, f"more than {MAX_BYTES} bytes"

    template = Path("template.yaml").read_text()
    for pattern, text in [
        (r"CodeUri: \S+", f"CodeUri: {os.path.basename(path)}.zip"),
        (r"(?<=  Architecture:\n    Type: String\n    Default: )\S+\n    AllowedValues: .*", f"{architecture}\n    AllowedValues: [{architecture}]"),
        (r"\n# Build first:.*\n# Then:.*", "\n# sam deploy --guided --template-file " + f"{os.path.basename(path)}.yaml"),
    ]:
        template, count = re.subn(pattern, text, template)
        assert count == 1, f"template.yaml: {pattern} is there {count} times"
    Path(f"{path}.yaml").write_text(template)


def cli(program, path):
    content = Path(program).read_bytes()
    home = os.environ.get("CARGO_HOME") or os.path.join(os.path.expanduser("~"), ".cargo")
    for folder in [os.getcwd(), home]:
        assert folder.encode() not in content, f"{folder}, a path of this machine, is in the program"
    pack(path, [(os.path.basename(program), 0o755, content), ("LICENSE", 0o644, Path("LICENSE").read_bytes())])
    print(f"{path}: {os.path.getsize(path)} bytes")


def terraform(folder, path):
    files = sorted(p for p in Path(folder).rglob("*") if p.is_file() and not {".terraform", "tests"} & set(p.parts))
    pack(path, [(str(p.relative_to(folder)), 0o644, p.read_bytes()) for p in files])


match sys.argv[1:]:
    case ["cli", program, path]:
        cli(program, path)
    case ["terraform", folder, path]:
        terraform(folder, path)
    case [architecture, program, path]:
        package(architecture, program, path)
