"""The emulator of AWS, the user pool in it, and the keys and tokens of that pool."""

import base64
import datetime
import hashlib
import hmac
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "target" / "try"
REGION = "us-east-1"
# As in the documentation, so that its commands can be run as they are printed.
ACCOUNT = "123456789012"
PASSWORD = "Correct-horse-1"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def end_in_order():
    """A signal that ends this program ends the emulator, too: by the `finally` of who started it."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    # A shell's background job would ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Emulator:
    """ministack, in a process of its own. It runs functions on this machine."""

    def __init__(self, port):
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            sys.exit(f"Port {self.port} is taken. Name another one: ./try --port {free_port()}")
        except OSError:
            pass
        # With the keys of its user pools.
        self.state = Path(tempfile.mkdtemp(prefix="state-", dir=TARGET))
        # Functions inherit it, so it has nothing of the shell that could be taken for a setting.
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | {
            "AWS_DEFAULT_REGION": REGION,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "IOT_MTLS_ENABLED": "0",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "S3_DATA_DIR": str(self.state),
            "SFTP_ENABLED": "0",
            "STATE_DIR": str(self.state),
            "TMPDIR": str(self.state),
        }
        with open(TARGET / "emulator.log", "wb") as log:
            command = [sys.executable, "-m", "ministack"]
            # In a session of its own: Ctrl-C is for this program, which then ends the emulator.
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        self._wait()

    def _wait(self):
        for _ in range(600):
            if self.process.poll() is not None:
                sys.exit(f"The emulator ended at its start; see {TARGET / 'emulator.log'}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        sys.exit(f"The emulator does not listen; see {TARGET / 'emulator.log'}")

    def client(self, service):
        credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, **credentials)

    def api_url(self, api):
        return f"http://{api}.execute-api.localhost:{self.port}"

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.state, ignore_errors=True)


class Pool:
    """A Cognito user pool with an app client, and users with a password."""

    def __init__(self, emulator):
        self.emulator, self.cognito = emulator, emulator.client("cognito-idp")
        self.id = self.cognito.create_user_pool(PoolName="pets")["UserPool"]["Id"]
        flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
        client = self.cognito.create_user_pool_client(UserPoolId=self.id, ClientName="web", ExplicitAuthFlows=flows)
        self.client_id = client["UserPoolClient"]["ClientId"]
        self.issuer = f"https://cognito-idp.{REGION}.amazonaws.com/{self.id}"
        self.jwks_url = f"{emulator.url}/{self.id}/.well-known/jwks.json"

    def add_user(self, name, groups=()):
        self.cognito.admin_create_user(UserPoolId=self.id, Username=name, MessageAction="SUPPRESS")
        self.cognito.admin_set_user_password(UserPoolId=self.id, Username=name, Password=PASSWORD, Permanent=True)
        for group in groups:
            self.cognito.create_group(UserPoolId=self.id, GroupName=group)
            self.cognito.admin_add_user_to_group(UserPoolId=self.id, Username=name, GroupName=group)

    def sign_in(self, name):
        """The access token that Cognito gives to this user."""
        parameters = {"USERNAME": name, "PASSWORD": PASSWORD}
        flow = "USER_PASSWORD_AUTH"
        answer = self.cognito.initiate_auth(ClientId=self.client_id, AuthFlow=flow, AuthParameters=parameters)
        return answer["AuthenticationResult"]["AccessToken"]

    def key(self):
        """What the pool signs access tokens with. Cognito keeps it to itself; the emulator has it in a file."""
        pem = (self.emulator.state / "cognito-pool-keys" / f"{self.id}-access.pem").read_bytes()
        return serialization.load_pem_private_key(pem, password=None)


class KeyServer:
    """Where the function fetches the pool's keys, over https under an authority of its own: what Cognito publishes, and
    the keys that the tour adds. Cognito rotates keys when it likes; this one does it when the tour comes to that."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="keys-", dir=TARGET))
        self.ca_file = self.folder / "ca.pem"
        self.pool = None
        self.added = []
        self.healthy = True
        self.last_fetch = 0.0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = server.answer()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.socket = self._tls().wrap_socket(self.http.socket, server_side=True)
        self.url = f"https://localhost:{self.http.server_port}/jwks.json"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def _tls(self):
        authority_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        authority = certificate("authority of the tour", authority_key, "authority of the tour", authority_key, True)
        leaf = certificate("localhost", leaf_key, "authority of the tour", authority_key, False)
        pem = serialization.Encoding.PEM
        self.ca_file.write_bytes(authority.public_bytes(pem))
        chain = self.folder / "leaf.pem"
        plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        chain.write_bytes(leaf.public_bytes(pem) + leaf_key.private_bytes(pem, *plain))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        return context

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def answer(self):
        self.last_fetch = time.monotonic()
        if not self.healthy:
            return 503, b"{}"
        published = subprocess.run(["curl", "-sf", self.pool.jwks_url], capture_output=True, check=True).stdout
        keys = json.loads(published)["keys"] + [jwk(key) for key in self.added]
        return 200, json.dumps({"keys": keys}).encode()


def certificate(name, key, issuer, issuer_key, is_authority):
    """For an hour ago until tomorrow."""
    common_name = lambda text: x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(common_name(name))
        .issuer_name(common_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name.replace(" ", "-"))]), critical=False)
    )
    return builder.sign(issuer_key, hashes.SHA256())


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def new_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_id(key):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    der = key.public_key().public_bytes(serialization.Encoding.DER, form)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def jwk(key):
    numbers = key.public_key().public_numbers()
    number = lambda n: b64(n.to_bytes((n.bit_length() + 7) // 8, "big"))
    public = {"n": number(numbers.n), "e": number(numbers.e)}
    return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": key_id(key), **public}


def claims_of(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def signing_input(header, claims):
    return ".".join(b64(json.dumps(part).encode()) for part in (header, claims))


def resign(token, key, **changes):
    """The token with some claims changed, signed with this key."""
    signed = signing_input({"alg": "RS256", "kid": key_id(key)}, claims_of(token) | changes)
    return f"{signed}.{b64(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def hs256(claims, secret):
    signed = signing_input({"alg": "HS256", "kid": "1"}, claims)
    return f"{signed}.{b64(hmac.digest(secret, signed.encode(), 'sha256'))}"
