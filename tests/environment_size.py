"""How Lambda measures the variables of a function: as the compact JSON of the map, in UTF-8, with quotes and escapes.
Lambda's own message shows that text ("exceeded the 4KB limit. String measured: {...}").

`environment_size.json` holds what the Terraform module and the CDK construct are compared with. Each case has the
variables that are sent, where `["text", 3]` stands for the text three times, their size, and whether they fit.

    python3 tests/environment_size.py           checks the table
    python3 tests/environment_size.py write     writes it
"""

import json
import sys
from pathlib import Path

LIMIT = 4096
TABLE = Path(__file__).with_suffix(".json")
TRUST = {"ISSUER": "https://login.example.com", "AUDIENCE": "https://pets.example.com"}


def measure(variables):
    return len(json.dumps(variables, separators=(",", ":"), ensure_ascii=False).encode())


def expand(variables):
    return {name: value if isinstance(value, str) else value[0] * value[1] for name, value in variables.items()}


def filled(variables, size):
    """These variables and one more, whose length makes them this size."""
    return variables | {"JWKS_CA_FILE": ["/", size - measure(expand(variables) | {"JWKS_CA_FILE": ""})]}


def cases():
    yield "two settings", TRUST
    yield "an empty value", TRUST | {"USAGE_KEY_CLAIM": ""}
    for size in range(LIMIT - 4, LIMIT + 5):
        yield f"{size} bytes of plain text", filled(TRUST, size)
    # Each of these is one character in the value; what Lambda counts is what JSON makes of it.
    for name, character in {
        "quotes": '"', "backslashes": "\\", "line feeds": "\n", "tabs": "\t", "carriage returns": "\r",
        "backspaces": "\b", "form feeds": "\f", "control characters without a short escape": "\u0001",
        "the last control character": "\u001f", "deletes, which are not escaped": "\u007f", "slashes": "/",
        "angle brackets and ampersands": "<&>", "line and paragraph separators": "\u2028\u2029",
        "two-byte letters": "ü", "three-byte letters": "語", "four-byte emoji": "🔑",
        "emoji of several code points": "👩‍🔧",
    }.items():
        text = TRUST | {"USAGE_KEY_CLAIM": [f"a{character}b", 90]}
        for size in (LIMIT, LIMIT + 1):
            yield f"{size} bytes with {name}", filled(text, size)
    routes = json.dumps({f"GET /pets/{n}/owners": ["pets:read"] for n in range(40)}, separators=(",", ":"))
    for size in (LIMIT - 1, LIMIT, LIMIT + 1):
        yield f"{size} bytes with a table of routes", filled(TRUST | {"ROUTES": routes}, size)
    yield "a text that looks like an escape", filled(TRUST | {"USAGE_KEY_CLAIM": r"\u003c\n\"<"}, LIMIT)
    yield "fewer than 4096 characters but more bytes", TRUST | {"USAGE_KEY_CLAIM": ["語", 1350]}
    yield "fewer than 4096 bytes of values but more as JSON", TRUST | {"USAGE_KEY_CLAIM": ['"', 2010]}


def table():
    found = []
    for name, variables in cases():
        size = measure(expand(variables))
        found.append({"name": name, "variables": variables, "bytes": size, "fits": size <= LIMIT})
    assert len({case["name"] for case in found}) == len(found)
    return "[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in found) + "\n]\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["write"]:
        TABLE.write_text(table())
    assert TABLE.read_text() == table(), f"{TABLE.name}: python3 tests/environment_size.py write"
