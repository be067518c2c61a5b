"""API Gateway's cache of an authorizer's answers, as its Developer Guide describes it: the key is the values of the
identity sources, and a cached answer serves every request with the same key. Here it shows what a client gets from an
authorizer of the Terraform module or of the documentation's SAM fragments."""

import re
from dataclasses import dataclass, field
from itertools import permutations


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    token: str = "Bearer a.b.c"
    scopes: frozenset = frozenset({"pets:read"})
    subject: str = "alice"
    certificate: tuple = None  # serial number and issuer


@dataclass
class Authorizer:
    identity_sources: list
    ttl: int
    is_simple: bool = False
    is_token: bool = False
    # The routes of the API that it guards, and the rights that the function has in its settings.
    api_routes: list = field(default_factory=lambda: ["GET /pets", "DELETE /admin"])
    table: dict = None
    policy_scope: str = "stage"
    bound_to: tuple = None


def route_key(request, routes):
    """The API's route for a request: a literal one goes before one with variables, and `$default` is last."""
    for route in sorted(routes, key=lambda route: (route == "$default", "{" in route, route.startswith("ANY"))):
        if route == "$default" or matches(route, request):
            return route
    return None


def matches(route, request):
    verb, path = route.split(" ", 1)
    pattern = re.sub(r"\\\{[^}]*\\\}", ".*", re.escape(path))
    return verb in (request.method, "ANY") and re.fullmatch(pattern, request.path) is not None


def identity(source, request, routes):
    """The value of an identity source. The Terraform module and API Gateway write `context.path` for REST APIs and
    `$context.path` for HTTP APIs."""
    match re.sub(r"^\$?context\.(identity|authentication)\.", "certificate:", source):
        case "method.request.header.Authorization" | "$request.header.Authorization":
            return request.token
        case "$context.routeKey":
            return route_key(request, routes)
        case "context.httpMethod" | "$context.httpMethod":
            return request.method
        case "context.path" | "$context.path":
            return request.path
        case "certificate:clientCert.serialNumber":
            return request.certificate and request.certificate[0]
        case "certificate:clientCert.issuerDN":
            return request.certificate and request.certificate[1]
        case "method.request.header.X-Tenant" | "$request.header.X-Tenant":
            return "acme"
    raise AssertionError(f"no such identity source: {source}")


def table_opens(table, request):
    """Whether the table opens this request to its token. A value like `{"path": {"id": "sub"}}` is the caller's own."""
    if table is None:
        return True
    for entry, rule in table.items():
        if not matches(entry, request):
            continue
        if isinstance(rule, dict):
            return request.path.split("/")[-1] == request.subject
        return set(rule) <= request.scopes
    return False


def decide(authorizer, event):
    """The function's answer to the request of an event: what it opens, for any request that it is held against."""
    if authorizer.bound_to is not None and event.certificate != authorizer.bound_to:
        return lambda request: False
    if authorizer.is_simple:
        answer = table_opens(authorizer.table, event)
        return lambda request: answer
    if authorizer.policy_scope == "request" and authorizer.table is not None:
        entries = {entry: rule for entry, rule in authorizer.table.items() if matches(entry, event)}
        return lambda request: table_opens(entries, request)
    return lambda request: table_opens(authorizer.table, request)


def statuses(authorizer, requests):
    """What clients get for these requests, one after the other, within the time to live."""
    cache = {}
    for request in requests:
        key = tuple(identity(source, request, authorizer.api_routes) for source in authorizer.identity_sources)
        if not all(key):
            yield 401
            continue
        answer = cache.get(key) if authorizer.ttl > 0 else None
        if answer is None:
            answer = cache[key] = decide(authorizer, request)
        yield 200 if answer(request) else 403


def mixed_up(authorizer, requests):
    """The pairs of requests of which the second gets another status after the first than alone."""
    found = []
    for first, second in permutations(requests, 2):
        [alone] = statuses(authorizer, [second])
        _, after = statuses(authorizer, [first, second])
        if after != alone:
            found.append(f"{second.method} {second.path} gets {after} after {first.method} {first.path}, and {alone} alone")
    return found


# Requests with one token. The table opens the first to it, and the others to nobody or to others.
REQUESTS = [
    Request("GET", "/pets"),
    Request("DELETE", "/admin"),
    Request("GET", "/users/alice"),
    Request("GET", "/users/bob"),
    Request("GET", "/elsewhere"),
]
TABLE = {"GET /pets": ["pets:read"], "DELETE /admin": ["admin"], "GET /users/{id}": {"path": {"id": "sub"}}}
OWNER, OTHERS = ("01", "CN=one"), [("01", "CN=two"), ("02", "CN=one"), ("02", "CN=two")]
CERTIFICATES = [Request("GET", "/pets", certificate=certificate) for certificate in [OWNER, *OTHERS]]
