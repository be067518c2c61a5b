"""Settings that must fail the plan, each with the sentence that says so, and settings that must not. Run by
`.ci/terraform`."""

import json

from plans import plans

TRUST = {"ISSUER": "https://login.example.com", "AUDIENCE": "pets"}
ISSUER = {"issuer": "https://login.example.com", "audience": "pets"}
LOOPBACK = ["http://localhost:2772/x", "http://127.0.0.1/x", "http://[::1]:80/x", "HTTP://LOCALHOST"]


def issuers(*changes):
    return {"ISSUERS": json.dumps([ISSUER | change for change in changes])}


def good():
    yield {"ROUTES": '{"GET /pets": [], "ANY /{proxy+}": ["a"], "$connect": []}'}
    yield {"ROUTES": " @/opt/routes.json ", "JWKS": "@keys.json", "REVOKED": "@revoked.json"}
    yield {"REVOKED": "https://lists.example.com/revoked.json?key=1"}
    yield {"REVOKED": '{"jti": []}', "REQUIRED_CLAIMS": '{"a": {"any": [1]}}'}
    yield {"ISSUER": "a, b", "JWKS": '{"keys": []}'}
    yield {"ISSUER": "accounts.google.com", "JWKS_URI": "https://www.googleapis.com/oauth2/v3/certs"}
    yield {"ISSUER": "https://a.example.com/, https://login.example.com/{tid}/v2.0"}
    yield {"JWKS_STALE_SECONDS": "600", "REVOKED_FRESH_SECONDS": "60"}
    for url in LOOPBACK:
        yield {"JWKS_URI": url, "RESOURCE_METADATA": url}
    for setting in [
        issuers({}), issuers({"routes": {"GET /pets": []}, "jwks": {"keys": []}}), issuers({"issuer": "x", "jwks_uri": "https://a.example.com"}),
        issuers({}) | {"ROUTES": "{}", "REQUIRED_SCOPES": "a", "PRINCIPAL_CLAIM": "b"}, {"ISSUERS": "@/opt/issuers.json"},
    ]:
        yield setting | {"ISSUER": "", "AUDIENCE": ""}


def wrong():
    for name in ("ROUTES", "REQUIRED_CLAIMS", "JWKS", "REVOKED"):
        for text in ("{", "[]", "7", "\"x\"", "null", "{'a': 1}"):
            yield {name: text}, f"{name} must be a JSON object"
    for text in ("{}", "[1]", "x", "[{", "null", "[\"a\"]"):
        yield {"ISSUERS": text, "ISSUER": "", "AUDIENCE": ""}, "ISSUERS must be a JSON array of objects"
    for entry in ("get /pets", "$default"):
        yield issuers({"routes": {entry: []}}) | {"ISSUER": "", "AUDIENCE": ""}, f'Entry "{entry}"'
    for entry in ("get /pets", "TRACE /pets", "GET pets", "GET  /pets", "GET", "/pets", "* /pets", "$default", "$CONNECT", "GET /pets ", "GET,PUT /a"):
        yield {"ROUTES": json.dumps({"GET /pets": [], entry: []})}, f'Entry "{entry}"'
    for url in ("http://a.example.com", "a.example.com", "https://", "http://localhost.example.com/x", "http://127.0.0.1.example.com", "ftp://a"):
        yield {"JWKS_URI": url}, "JWKS_URI must be an https URL"
    for url in ("http://a.example.com", "a.example.com"):
        yield {"ISSUER": f"https://a.example.com {url}"}, f"ISSUER {url} must be"
        yield issuers({"issuer": url}) | {"ISSUER": "", "AUDIENCE": ""}, f"issuer {url} must be"
        yield issuers({"jwks_uri": url}) | {"ISSUER": "", "AUDIENCE": ""}, "jwks_uri of https://login.example.com must be"
        yield {"RESOURCE_METADATA": url}, "RESOURCE_METADATA must be"
    yield {"REVOKED": "http://lists.example.com/x"}, "REVOKED must be an https URL"
    yield issuers({}), "ISSUERS says what AUDIENCE, ISSUER would"
    yield {"JWKS_STALE_SECONDS": "599"}, "JWKS_STALE_SECONDS must be at least"
    yield {"REVOKED_FRESH_SECONDS": "3600", "REVOKED_STALE_SECONDS": "60"}, "REVOKED_STALE_SECONDS must be at least"
    yield {"TRIAL": '{"routes": {"get /x": []}}'}, 'Entry "get /x"'
    yield {"TRIAL": "[]"}, "TRIAL must be a JSON object"
    # All at once.
    yield {"ROUTES": '{"get /x": []}', "JWKS_URI": "http://a"}, "JWKS_URI must be"
    yield {"ROUTES": '{"get /x": []}', "JWKS_URI": "http://a"}, 'Entry "get /x"'


def main():
    accepted, refused = list(good()), list(wrong())
    cases = {f"good-{n}": settings for n, settings in enumerate(accepted)}
    cases |= {f"wrong-{n}": settings for n, (settings, _) in enumerate(refused)}
    found = plans(".", {name: {"package": "versions.tf", "settings": TRUST | settings} for name, settings in cases.items()})
    problems = [f"{settings}: {found[f'good-{n}']}" for n, settings in enumerate(accepted) if isinstance(found[f"good-{n}"], str)]
    for n, (settings, sentence) in enumerate(refused):
        if not isinstance(found[f"wrong-{n}"], str) or sentence not in found[f"wrong-{n}"]:
            problems.append(f"{settings}: {sentence!r} is not in {str(found[f'wrong-{n}'])[:300]}")
    assert not problems, "\n".join(["the settings:", *problems])
    print(f"{len(accepted)} settings plan, {len(refused)} are refused, each with its sentence")


if __name__ == "__main__":
    main()
