"""Plans an authorizer for many settings and simulates API Gateway's cache over what the plan gives to the API: no request
gets the answer to another. What would mix them up must not plan. Run by `.ci/terraform`."""

import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from gateway_cache import CERTIFICATES, OWNER, REQUESTS, TABLE, Authorizer, mixed_up
from plans import planned, plans

API = {"function_arn": "arn:aws:lambda:eu-west-1:123456789012:function:token-authorizer", "api_id": "ymy8tbxw7b"}
ROUTES = {"ROUTES": json.dumps(TABLE)}
SIMPLE = {"SIMPLE_RESPONSE": "on"}
BY_REQUEST = ROUTES | {"POLICY_SCOPE": "request"}
BOUND = {"TOKEN_BINDING": "certificate"}
ISSUER = {"issuer": "https://login.example.com", "audience": "pets"}
HEADER = {"rest": "method.request.header.Authorization", "http": "$request.header.Authorization"}
SERIAL = {"rest": "context.identity.clientCert.serialNumber", "http": "$context.authentication.clientCert.serialNumber"}
NAME = {kind: source.replace("serialNumber", "issuerDN") for kind, source in SERIAL.items()}
LITERAL = ["GET /pets", "DELETE /admin"]


def tables():
    """Settings that hold a table, or in which nobody can look for one."""
    yield "routes", ROUTES
    yield "issuers-with-routes", {"ISSUERS": json.dumps([ISSUER, ISSUER | {"issuer": "https://b.example.com", "routes": TABLE}])}
    yield "issuers-with-escaped-routes", {"ISSUERS": json.dumps([ISSUER | {"routes": TABLE}]).replace('"routes"', '"rou\\u0074es"')}
    yield "issuers-in-a-file", {"ISSUERS": "@/opt/issuers.json"}
    yield "issuers-in-a-file-with-spaces", {"ISSUERS": "  @issuers.json "}
    yield "issuers-and-routes", {"ISSUERS": json.dumps([ISSUER]), **ROUTES}
    yield "issuers-that-are-not-json", {"ISSUERS": "[{"}


def cases():
    """Name, variables, what the refusal must mention if it must be one, and the routes of the API."""
    for name, table in tables():
        simple = {"api_kind": "http", "settings": table | SIMPLE}
        key = [HEADER["http"], "$context.routeKey"]
        wide = ["ANY /{proxy+}"]
        yield f"simple-{name}", simple, None, wide
        yield f"simple-{name}-cached", simple | {"ttl": 300}, "route_keys", LITERAL
        yield f"simple-{name}-cached-by-route", simple | {"ttl": 300, "route_keys": LITERAL}, None, LITERAL
        yield f"policy-{name}", {"api_kind": "http", "settings": table}, None, wide
        if name not in ("routes", "issuers-in-a-file"):
            continue
        yield f"simple-{name}-by-hand", simple | {"ttl": 300, "route_keys": LITERAL, "identity_sources": key}, None, LITERAL
        yield f"simple-{name}-by-hand-uncached", simple | {"identity_sources": key[:1]}, None, wide
        for n, sources in enumerate([key[:1], [key[0], "$context.routekey"], [key[0], "$request.header.X-Tenant"]]):
            by_hand = {"ttl": 60, "route_keys": LITERAL, "identity_sources": sources}
            yield f"simple-{name}-without-the-route-{n}", simple | by_hand, "$context.routeKey", LITERAL
        for n, route in enumerate(["$default", *wide, "GET /{proxy+}", "ANY /pets", "GET /users/{id}"]):
            cached = {"ttl": 1, "route_keys": ["GET /pets", route]}
            yield f"simple-{name}-shared-route-{n}", simple | cached, route, ["GET /pets", route]
        yield f"payload-1-{name}", simple | {"payload_format_version": "1.0"}, None, wide
        yield f"rest-{name}", {"api_kind": "rest", "settings": table | SIMPLE}, None, wide
    for name, settings in [("no-table", {}), ("issuers-without-table", {"ISSUERS": json.dumps([ISSUER])}), ("blank", {"ROUTES": " "})]:
        yield f"simple-{name}", {"api_kind": "http", "settings": settings | SIMPLE, "ttl": 300}, None, ["$default"]

    for kind in ("rest", "http"):
        dollar = "$" if kind == "http" else ""
        request = [f"{dollar}context.httpMethod", f"{dollar}context.path"]
        of_request = {"api_kind": kind, "settings": BY_REQUEST} | ({"type": "REQUEST"} if kind == "rest" else {})
        yield f"{kind}-by-request", {"api_kind": kind, "settings": BY_REQUEST}, None, ["$default"]
        yield f"{kind}-by-request-cached", of_request | {"ttl": 300}, None, ["$default"]
        by_hand = of_request | {"ttl": 300, "identity_sources": [HEADER[kind], *request]}
        yield f"{kind}-by-request-by-hand", by_hand, None, ["$default"]
        for n, sources in enumerate([[], request[:1], request[1:], ["$context.routeKey"][:kind == "http"]]):
            by_hand = of_request | {"ttl": 300, "identity_sources": [HEADER[kind], *sources]}
            yield f"{kind}-by-request-without-{n}", by_hand, "context.path", ["$default"]

        bound = {"api_kind": kind, "settings": BOUND}
        certificate = [SERIAL[kind], NAME[kind]]
        yield f"{kind}-bound", bound, None, LITERAL
        yield f"{kind}-bound-cached", bound | {"ttl": 300}, "issuerDN", LITERAL
        yield f"{kind}-bound-by-certificate", bound | {"ttl": 300, "identity_sources": [HEADER[kind], *certificate]}, None, LITERAL
        other = "method.request.header.clientCert.serialNumber" if kind == "rest" else "$request.header.clientCert.serialNumber"
        for n, sources in enumerate([certificate[:1], certificate[1:], [other, NAME[kind]], [SERIAL[kind], NAME[kind] + "x"]]):
            by_hand = bound | {"ttl": 300, "identity_sources": [HEADER[kind], *sources]}
            yield f"{kind}-bound-without-{n}", by_hand, "issuerDN", LITERAL
        by_hand = bound | {"ttl": 300, "identity_sources": certificate}
        yield f"{kind}-bound-without-the-token", by_hand, HEADER[kind], LITERAL
    yield "rest-by-request-token-cached", {"api_kind": "rest", "settings": BY_REQUEST, "type": "TOKEN", "ttl": 300}, "TOKEN", ["$default"]
    yield "rest-token-by-two", {"api_kind": "rest", "settings": {}, "type": "TOKEN", "identity_sources": [HEADER["rest"], "context.path"]}, "one header", []


def authorizer(plan, variables, routes):
    """What the plan gives to the API."""
    settings = variables["settings"]
    rest, other = planned(plan, "aws_api_gateway_authorizer.this[0]"), planned(plan, "aws_apigatewayv2_authorizer.this[0]")
    if rest is not None:
        sources = [source for source in rest["identity_source"].split(",") if source]
    else:
        sources = other["identity_sources"]
    return Authorizer(
        identity_sources=sources,
        ttl=(rest or other)["authorizer_result_ttl_in_seconds"],
        is_simple=other is not None and other["enable_simple_responses"],
        api_routes=routes,
        table=TABLE if settings.get("ROUTES", " ").strip() or "routes" in json.dumps(settings) or "@" in str(settings) else None,
        policy_scope=settings.get("POLICY_SCOPE", "stage"),
        bound_to=OWNER if settings == BOUND else None,
    )


def main():
    wanted = list(cases())
    found = plans("modules/attachment", {name: API | variables for name, variables, _, _ in wanted})
    problems, cached, refused = [], 0, 0
    for name, variables, mention, routes in wanted:
        plan = found[name]
        if mention is not None or isinstance(plan, str):
            refused += 1
            if not isinstance(plan, str) or mention is None or mention not in plan:
                problems.append(f"{name}: must be refused and name {mention}, not {plan if isinstance(plan, str) else 'planned'}")
            continue
        of_plan = authorizer(plan, variables, routes)
        cached += of_plan.ttl > 0
        requests = CERTIFICATES if of_plan.bound_to else [r for r in REQUESTS if not of_plan.is_simple or routes != LITERAL or f"{r.method} {r.path}" in LITERAL]
        problems += [f"{name}: {problem}" for problem in mixed_up(of_plan, requests)]
    assert not problems, "\n".join(["the cache of an authorizer:", *problems])
    assert cached >= 15 and refused >= 35, (cached, refused)
    print(f"{len(wanted)} authorizers: {cached} are cached and mix no requests up, {refused} are refused")


if __name__ == "__main__":
    main()
