"""A stand-in for Terraform's AWS provider that knows the schemas of what the modules use and nothing else: enough for
`terraform validate`, and for `terraform test` with `mock_provider`, without the registry that has the real one.

Speaks version 5 of Terraform's plugin protocol (docs/plugin-protocol/tfplugin5.proto in Terraform's repository), by gRPC
with messages written by hand, since there are few. Terraform starts it as a child: see `.ci/terraform`."""

import json
import os
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

SINGLE, LIST, SET = 1, 2, 3


def varint(number):
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def field(number, value):
    """A field of a protobuf message. False and empty ones are left out."""
    if isinstance(value, (bool, int)):
        return varint(number << 3) + varint(int(value)) if value else b""
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(of):
    message = b""
    for name, attribute in sorted(of["attributes"].items()):
        kinds = (attribute.get(kind, False) for kind in ("required", "optional", "computed"))
        flags = b"".join(field(number, kind) for number, kind in enumerate(kinds, start=4))
        message += field(2, field(1, name) + field(2, json.dumps(attribute["type"])) + flags)
    for name, nested in sorted(of["blocks"].items()):
        nesting = {"single": SINGLE, "list": LIST, "set": SET}[nested["nesting"]]
        limits = b"" if nesting == SINGLE else field(4, nested["required"]) + field(5, nested["single"])
        message += field(3, field(1, name) + field(2, block(nested["block"])) + field(3, nesting) + limits)
    return message


def main():
    if os.environ.get("TF_PLUGIN_MAGIC_COOKIE") is None:
        raise SystemExit("a plugin: Terraform starts it")
    known = json.loads((Path(__file__).parents[2] / "target/terraform/schema.json").read_text())["schemas"]
    answer = field(1, field(2, b""))
    for name, of in known.items():
        number, name = (3, name.removeprefix("data.")) if name.startswith("data.") else (2, name)
        answer += field(number, field(1, name) + field(2, field(2, block(of))))

    ended = threading.Event()
    methods = {
        "/tfplugin5.Provider/GetSchema": lambda request: answer,
        # The configuration comes back as it was; nothing is wrong with any resource.
        "/tfplugin5.Provider/PrepareProviderConfig": lambda request: request,
        "/tfplugin5.Provider/ValidateResourceTypeConfig": lambda request: b"",
        "/tfplugin5.Provider/ValidateDataSourceConfig": lambda request: b"",
        "/plugin.GRPCController/Shutdown": lambda request: ended.set() or b"",
    }

    class Methods(grpc.GenericRpcHandler):
        def service(self, call):
            method = methods.get(call.method)
            return method and grpc.unary_unary_rpc_method_handler(lambda request, context: method(request))

    server = grpc.server(ThreadPoolExecutor(4), handlers=[Methods()])
    with tempfile.TemporaryDirectory() as folder:
        server.add_insecure_port(f"unix:{folder}/plugin")
        server.start()
        print(f"1|5|unix|{folder}/plugin|grpc", flush=True)
        ended.wait()
        server.stop(1).wait()


if __name__ == "__main__":
    sys.exit(main())
