"""Runs `.ci/publish-sam` with the real SAM CLI against a stand-in for S3 and the Serverless Application Repository on
loopback: what would be published has everything that the repository asks for, and files that exist.

    python3 tests/publish.py FOLDER     the folder of the program `sam`
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).parents[1]


class Service(BaseHTTPRequestHandler):
    """Keeps what is put into buckets, and the application that is made."""

    objects, applications = {}, []

    def do_HEAD(self):
        self.send_response(200 if self.path in self.objects else 404)
        self.end_headers()

    def do_GET(self):
        self.answer(b'<?xml version="1.0"?><LocationConstraint/>')

    def do_PUT(self):
        self.objects[self.path.split("?")[0]] = self.body()
        self.answer(b"", ETag='"1"')

    def do_POST(self):
        self.applications.append((self.path, json.loads(self.body())))
        arn = "arn:aws:serverlessrepo:us-east-1:123456789012:applications/token-authorizer"
        self.answer(json.dumps({"applicationId": arn}).encode(), **{"Content-Type": "application/json"})

    def body(self):
        if self.headers.get("Expect") == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return content

    def answer(self, content, **headers):
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def main(folder):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    with tempfile.TemporaryDirectory() as release:
        template = (ROOT / "template.yaml").read_text()
        # As in a release: the template, its package, and the two files that it names.
        Path(release, "token-authorizer.yaml").write_text(re.sub(r"CodeUri: \S+", "CodeUri: token-authorizer.zip", template))
        Path(release, "token-authorizer.zip").write_bytes(b"PK\x05\x06" + bytes(18))
        for name in ("LICENSE", "README.md"):
            Path(release, name).write_bytes((ROOT / name).read_bytes())
        environment = {
            "PATH": f"{folder}:{os.environ['PATH']}", "HOME": release, "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_ENDPOINT_URL": url, "SAM_CLI_TELEMETRY": "0", "AWS_EC2_METADATA_DISABLED": "true",
        }
        command = ["bash", ROOT / ".ci/publish-sam", f"{release}/token-authorizer.yaml", "releases", "us-east-1", "acme/authorizer"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        assert sorted(path.name for path in Path(release).glob("*.yaml")) == ["token-authorizer.yaml"]

    [(path, application)] = Service.applications
    assert path == "/applications", path
    version = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    assert (application["name"], application["semanticVersion"], application["spdxLicenseId"]) == ("token-authorizer", version, "MIT")
    for name in ("homePageUrl", "sourceCodeUrl"):
        assert application[name] == "https://github.com/acme/authorizer", name
    for name, file in (("licenseUrl", "LICENSE"), ("readmeUrl", "README.md")):
        key = application[name].removeprefix("s3:/")
        assert Service.objects.get(key) == (ROOT / file).read_bytes(), (name, application[name], list(Service.objects))
    published = application["templateBody"]
    [code] = re.findall(r"CodeUri: s3://(\S+)", published)
    assert f"/{code}" in Service.objects and "AWS::ServerlessRepo::Application" not in published
    print(f"token-authorizer {version} would be published, with its licence, its README and its package")


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]))
