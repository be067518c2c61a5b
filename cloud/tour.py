"""What ./try shows: template.yaml deployed into the emulator, and its answers to requests with Cognito's tokens."""

import argparse
import json
import subprocess
import sys
import time

from emulator import ROOT, TARGET, Emulator, KeyServer, Pool, end_in_order, new_key, resign
from stack import PACKAGE, Failed, Stack, architecture, as_parameters

# Members of the group `writers` may add pets, everybody with a token may see them.
SETTINGS = {
    "AUDIENCE_CLAIM": "client_id",
    "REQUIRED_CLAIMS": '{"token_use": "access"}',
    "SCOPE_CLAIMS": "scope, cognito:groups",
    "ROUTES": '{"GET /pets": [], "POST /pets": ["writers"]}',
    # The emulator ignores conditions in policies: it would take the guard's Deny for one that always holds.
    "EXPIRY_GUARD": "off",
}
TOKENS = TARGET / "tokens"


class Cloud:
    """The emulator with a pool, two users, and the stack of a template."""

    def __init__(self, port=0, template=None, package=ROOT / PACKAGE):
        self.template = template or (ROOT / "template.yaml").read_text()
        self.keys, self.tokens = KeyServer(), {}
        self.emulator = Emulator(port)
        try:
            self.pool = self.keys.pool = Pool(self.emulator)
            self.pool.add_user("ann", ["writers"])
            self.pool.add_user("bob")
            self.stack = Stack(self.emulator, "pets", package)
            self.settings = SETTINGS | {
                "ISSUER": self.pool.issuer,
                "AUDIENCE": self.pool.client_id,
                "JWKS_URI": self.keys.url,
                "JWKS_CA_FILE": str(self.keys.ca_file),
            }
            self.parameters = as_parameters(self.settings)
            self.update(Architecture=architecture())
            self.url = f"{self.emulator.api_url(self.stack.resource('AWS::ApiGateway::RestApi'))}/dev"
        except BaseException:
            self.stop()
            raise

    def stop(self):
        self.emulator.stop()
        self.keys.stop()

    def update(self, **parameters):
        self.parameters |= parameters
        self.stack.deploy(self.template, self.parameters)

    def write_tokens(self, **tokens):
        """For the curl lines, to be sourced by a shell; for nobody else to read."""
        self.tokens |= tokens
        TOKENS.touch(mode=0o600)
        lines = [f"{name}='{value}'\n" for name, value in {"URL": self.url, **self.tokens}.items()]
        TOKENS.write_text("".join(lines))

    def decisions(self):
        """What the function has logged about decisions, in order."""
        return [json.loads(line) for line in self.stack.log() if '"decision":' in line]

    def wait_for_reason(self, reason, number):
        """Until the function has logged a refusal for this reason, after this number of decisions. It logs when its
        answer has been taken. If that is too late for the emulator to pick it up, the next invocation brings it."""
        for attempt in range(20):
            since = [decision.get("reason") for decision in self.decisions()[number:]]
            if reason in since:
                return
            time.sleep(0.1)
            if attempt == 10:
                function = self.stack.resource("AWS::Lambda::Function")
                self.emulator.client("lambda").invoke(FunctionName=function, Payload=b"{}")
        raise Failed(f"expected the reason {reason!r} in the function's log, got {since}")


class Answer:
    def __init__(self, text):
        head, _, self.body = text.replace("\r\n", "\n").partition("\n\n")
        first, *headers = head.split("\n")
        self.status = int(first.split(" ")[1])
        pairs = (header.split(": ", 1) for header in headers if ": " in header)
        self.headers = {name.lower(): value for name, value in pairs}


def curl(line):
    """The answer to a curl line as it is printed, in a shell that has sourced the tokens."""
    done = subprocess.run(["sh", "-c", f". {TOKENS} && {line}"], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise Failed(f"{line}: {done.stderr}")
    return Answer(done.stdout)


def expect(what, found, expected):
    if found != expected:
        raise Failed(f"{what}: expected {expected!r}, got {found!r}")


def tour(cloud, say=print, rotation=True):
    """Every step asserts what it says. That with a rotation waits for half a minute."""
    ann, bob = cloud.pool.sign_in("ann"), cloud.pool.sign_in("bob")
    now = int(time.time())
    expired = resign(ann, cloud.pool.key(), iat=now - 7200, auth_time=now - 7200, exp=now - 3600)
    rotated_key = new_key()
    cloud.write_tokens(ANN=ann, BOB=bob, EXPIRED=expired, ROTATED=resign(ann, rotated_key))
    say(f"\nIn another terminal: . {TOKENS.relative_to(ROOT)}, and the lines below can be run again.")

    def step(title, line, status, reason=None, asked=None):
        """`asked`: whether API Gateway asks the function, or answers from its cache or by itself."""
        decided, invoked = len(cloud.decisions()), cloud.stack.invocations()
        answer = curl(line)
        say(f"\n# {title}\n{line}\n  {answer.status} {answer.body}")
        expect(title, answer.status, status)
        if reason:
            cloud.wait_for_reason(reason, decided)
            say(f"  the function's log: {reason}")
        if asked is not None:
            expect(f"{title} Was the function asked?", cloud.stack.invocations() > invoked, asked)
            say(f"  the function was {'asked' if asked else 'not asked'}")
        return answer

    bearer = lambda token: f'-H "Authorization: Bearer ${token}"'
    answer = step("No token: API Gateway refuses it alone.", "curl -si $URL/pets", 401, asked=False)
    expect("the template's challenge", answer.headers.get("www-authenticate"), 'Bearer realm="api"')
    step("A token from Cognito.", f"curl -si {bearer('ANN')} $URL/pets", 200, asked=True)
    step("Another method while the answer is cached.", f"curl -si -X POST {bearer('ANN')} $URL/pets", 200, asked=False)
    step("Bob is not in the group writers. He may see pets,", f"curl -si {bearer('BOB')} $URL/pets", 200, asked=True)
    step("but not add one.", f"curl -si -X POST {bearer('BOB')} $URL/pets", 403, asked=False)
    step("An expired token.", f"curl -si {bearer('EXPIRED')} $URL/pets", 403, reason="token_expired")
    step("Not a JWT.", 'curl -si -H "Authorization: Bearer a.b.c" $URL/pets', 403, reason="token_malformed")
    if not rotation:
        return

    say("\n# Key rotation: the provider publishes a second key and signs with it.")
    cloud.keys.added.append(rotated_key)
    wait_for_cooldown(cloud, say)
    rotated = f"curl -si {bearer('ROTATED')} $URL/pets"
    step("The function does not know the key, and fetches the keys again.", rotated, 200, asked=True)
    step("A token with the old key.", f"curl -si {bearer('BOB')} $URL/pets", 200, asked=False)


def wait_for_cooldown(cloud, say):
    """An unknown key id makes the function ask at most once in 30 s, counted from when it last asked."""
    left = 31 - (time.monotonic() - cloud.keys.last_fetch)
    if left > 0:
        say(f"  waiting {left:.0f} s: an unknown key id makes the function ask at most once in 30 s")
        time.sleep(left)


def differences():
    """From the documentation: what the emulator does not do as AWS does."""
    page = (ROOT / "docs" / "local.md").read_text()
    return page.split("## Where the emulator differs from AWS\n")[1].split("\n## ")[0].strip()


def follow(cloud):
    """The function's log until Ctrl-C; new tokens before the old ones expire."""
    seen, signed_in = len(cloud.stack.log()), time.time()
    while True:
        lines = cloud.stack.log()
        for line in lines[seen:]:
            print(f"log | {line}", flush=True)
        seen = len(lines)
        if time.time() - signed_in > 1800:
            tokens = {name.upper(): cloud.pool.sign_in(name) for name in ("ann", "bob")}
            cloud.write_tokens(**tokens)
            print(f"new tokens in {TOKENS.relative_to(ROOT)}", flush=True)
            signed_in = time.time()
        time.sleep(0.5)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--once", action="store_true")
    arguments = parser.parse_args()
    end_in_order()
    began = time.time()
    cloud = Cloud(arguments.port)
    try:
        print(f"template.yaml is deployed, {time.time() - began:.1f} s after the start of the emulator.")
        tour(cloud, lambda text: print(text, flush=True))
        print(f"\nWhere this differs from AWS:\n\n{differences()}\n")
        if arguments.once:
            return
        credentials = "AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1"
        print(f"The emulator is at {cloud.emulator.url} until Ctrl-C, for the aws command, too:")
        print(f"  export AWS_ENDPOINT_URL={cloud.emulator.url} {credentials}")
        print("The function's log follows.", flush=True)
        follow(cloud)
    except KeyboardInterrupt:
        print()
    except Failed as failure:
        sys.exit(f"\nNOT AS EXPECTED: {failure}")
    finally:
        cloud.stop()


if __name__ == "__main__":
    main()
