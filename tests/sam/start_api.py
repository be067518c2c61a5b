"""The function behind `sam local start-api`: which requests get through, for every kind of API that it knows.

SAM's own code reads the template, makes the events and evaluates the answers. Only its containers, which need Docker,
are replaced: the program runs here and fetches its events from a Runtime API on loopback. AUTHORIZER_PROGRAM is the
path of the program. Run by .ci/lambda.
"""

import base64
import json
import os
import queue
import subprocess
import sys
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from samcli.lib.providers.api_provider import ApiProvider
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider
from samcli.lib.utils.stream_writer import StreamWriter
from samcli.local.apigw.local_apigw_service import LocalApigwService

FOLDER = Path(__file__).parent
ISSUER = "local"
AUDIENCE = "https://api.example.com"
LIMIT_SECONDS = 20

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwks():
    numbers = KEY.public_key().public_numbers()
    modulus, exponent = (encode(n.to_bytes((n.bit_length() + 7) // 8, "big")) for n in (numbers.n, numbers.e))
    return json.dumps({"keys": [{"kty": "RSA", "kid": "k1", "alg": "RS256", "n": modulus, "e": exponent}]})


def token(seconds, **claims):
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": int(time.time()) + seconds, **claims}
    header = {"alg": "RS256", "kid": "k1", "typ": "JWT"}
    signed = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{encode(KEY.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


class Program:
    """The program, and the Runtime API that it fetches its events from."""

    def __init__(self, settings):
        self.events, self.answers = queue.Queue(), queue.Queue()
        program = self

        class RuntimeApi(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                event = program.events.get()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", "1")
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + LIMIT_SECONDS) * 1000)))
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:local:0:function:authorizer")
                self.send_header("Content-Length", str(len(event)))
                self.end_headers()
                self.wfile.write(event)

            def do_POST(self):
                program.answers.put(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # the program was stopped while it waited for an event

        self.server = Server(("127.0.0.1", 0), RuntimeApi)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.process = subprocess.Popen(
            [os.environ["AUTHORIZER_PROGRAM"]],
            env={
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server.server_port}",
                "AWS_LAMBDA_FUNCTION_NAME": "authorizer",
                "AWS_LAMBDA_FUNCTION_VERSION": "1",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
                "ISSUER": ISSUER,
                "AUDIENCE": AUDIENCE,
                "JWKS": jwks(),
                **settings,
            },
        )

    def invoke(self, event):
        self.events.put(event.encode())
        return self.answers.get(timeout=LIMIT_SECONDS).decode()

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.server.shutdown()
        self.server.server_close()


class Runner:
    """What SAM runs functions with: here without containers."""

    def __init__(self, settings, stacks):
        functions = {
            name: resource.get("Properties", {}).get("Environment", {}).get("Variables", {})
            for name, resource in stacks[0].resources.items()
            if name in ("Authorizer", "Simple")  # the other one is the backend
        }
        self.programs = {name: Program({**settings, **variables}) for name, variables in functions.items()}

    def is_debugging(self):
        return False

    def invoke(self, function, event, stdout, stderr, **_):
        if function == "Backend":
            authorizer = json.loads(event)["requestContext"].get("authorizer")
            stdout.write_str(json.dumps({"statusCode": 200, "body": json.dumps(authorizer)}))
        else:
            stdout.write_str(self.programs[function].invoke(event))


class StartApi(unittest.TestCase):
    def start(self, **settings):
        stacks, _ = SamLocalStackProvider.get_stacks(str(FOLDER / "template.yaml"))
        api = ApiProvider(stacks, cwd=str(FOLDER)).api
        runner = Runner(settings, stacks)
        for program in runner.programs.values():
            self.addCleanup(program.stop)
        service = LocalApigwService(api=api, lambda_runner=runner, stderr=StreamWriter(sys.stderr))
        service.create()
        self.client = service._app.test_client()

    def call(self, path, value=None, method="GET"):
        headers = {"Authorization": f"Bearer {value}"} if value else {}
        return self.client.open(path, method=method, headers=headers)

    PATHS = ("/token", "/request", "/http1/route1", "/http1/route2", "/http2/route1", "/http2/route2", "/simple/route2")

    def test_a_good_token_gets_through_and_others_do_not(self):
        self.start()
        for path in self.PATHS:
            with self.subTest(path):
                answer = self.call(path, token(300))
                self.assertEqual(answer.status_code, 200, answer.data)
                self.assertIn(b'"sub": "ann"', answer.data)
                self.assertEqual(self.call(path, token(300), "POST").status_code, 200)
                self.assertEqual(self.call(path).status_code, 401)
                self.assertEqual(self.call(path, token(-1)).status_code, 403)
                self.assertEqual(self.call(path, "rubbish").status_code, 403)

    def test_routes_are_decided_by_method_and_scope(self):
        self.start(ROUTES='{"GET /token": [], "POST /token": ["pets:write"]}')
        self.assertEqual(self.call("/token", token(300)).status_code, 200)
        self.assertEqual(self.call("/token", token(300), "POST").status_code, 403)
        self.assertEqual(self.call("/token", token(300, scope="pets:write"), "POST").status_code, 200)
        self.assertEqual(self.call("/token", token(300, scope="pets:write"), "PUT").status_code, 403)

    # What docs/local.md says about this tool. If one of these fails, the tool has changed: update the page.

    def test_denies_are_ignored(self):
        self.start(ROUTES='{"ANY /*": [], "ANY /token": ["nobody"]}')
        self.assertEqual(self.call("/token", token(300)).status_code, 200)

    def test_every_function_error_is_502(self):
        self.start(REFUSAL="unauthorized")
        self.assertEqual(self.call("/token", token(300)).status_code, 200)
        self.assertEqual(self.call("/token", token(-1)).status_code, 502)

    def test_a_simple_response_needs_payload_2_0_in_the_route_too(self):
        self.start()
        self.assertEqual(self.call("/simple/route1", token(300)).status_code, 502)


if __name__ == "__main__":
    unittest.main()
