// The function's program behind serverless-offline: which requests get through, for every kind of API.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const PROGRAM = process.env.AUTHORIZER_PROGRAM ?? at("../../target/debug/token-authorizer");
const LOG = at("../../target/serverless-offline.log");
const START_LIMIT_MS = 60_000;

const key = generateKeyPairSync("rsa", { modulusLength: 2048 });
let provider, offline, ports, issuer;
let output = "";

function token(seconds, claims = {}) {
  const now = Math.floor(Date.now() / 1000);
  const encode = (part) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const head = encode({ alg: "RS256", kid: "k1", typ: "JWT" });
  const body = encode({ iss: issuer, aud: "https://api.example.com", sub: "ann", exp: now + seconds, ...claims });
  return `${head}.${body}.${sign("sha256", `${head}.${body}`, key.privateKey).toString("base64url")}`;
}

async function startProvider() {
  const keys = [{ ...key.publicKey.export({ format: "jwk" }), kid: "k1", alg: "RS256", use: "sig" }];
  const server = http.createServer((request, response) => {
    const discovery = request.url === "/.well-known/openid-configuration";
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(discovery ? { issuer, jwks_uri: `${issuer}/keys` } : { keys }));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  issuer = `http://127.0.0.1:${server.address().port}`;
  return server;
}

async function freePorts(count) {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const found = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return found;
}

function send(port, path, { method = "GET", headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: "127.0.0.1", port, path, method, headers });
    request.on("error", reject);
    request.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode });
    });
    request.on("response", async (response) => {
      let body = "";
      for await (const chunk of response) body += chunk;
      resolve({ status: response.statusCode, body });
    });
    request.end();
  });
}

const bearer = (value) => (value ? { Authorization: `Bearer ${value}` } : {});
const call = (path, value, method) => send(ports.http, path, { method, headers: bearer(value) });

function connect(value) {
  const upgrade = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": Buffer.alloc(16).toString("base64"),
  };
  return send(ports.websocket, value ? `/?token=${value}` : "/", { headers: upgrade });
}

before(async () => {
  provider = await startProvider();
  const [httpPort, websocket, lambda] = await freePorts(3);
  ports = { http: httpPort, websocket };
  const options = { host: "127.0.0.1", httpPort, websocketPort: websocket, lambdaPort: lambda };
  const written = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  offline = spawn("node_modules/.bin/serverless", ["offline", "--noSponsor", ...written], {
    cwd: at("."),
    env: { ...process.env, AUTHORIZER_PROGRAM: PROGRAM, ISSUER: issuer },
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [offline.stdout, offline.stderr]) stream.on("data", (chunk) => (output += chunk));
  const deadline = Date.now() + START_LIMIT_MS;
  for (const port of [httpPort, websocket]) {
    while (!(await send(port, "/").catch(() => undefined))) {
      assert.equal(offline.exitCode, null, `serverless-offline ended:\n${output}`);
      assert.ok(Date.now() < deadline, `serverless-offline did not start:\n${output}`);
      await sleep(100);
    }
  }
});

after(async () => {
  if (offline?.exitCode === null) {
    offline.kill("SIGINT");
    await once(offline, "exit");
  }
  provider?.close();
  writeFileSync(LOG, output);
});

for (const path of ["/dev/token", "/dev/request", "/http1", "/http2", "/simple"]) {
  test(`${path}: a good token gets through, with its claims`, async () => {
    const { status, body } = await call(path, token(300));
    assert.equal(status, 200, body);
    assert.ok(body.includes('"sub":"ann"'), body);
  });

  test(`${path}: it also gets through with another method`, async () => {
    assert.equal((await call(path, token(300), "POST")).status, 200);
  });

  test(`${path}: no token, an expired one and rubbish are refused`, async () => {
    // Without the header that is the identity source, serverless-offline answers by itself.
    assert.equal((await call(path)).status, path === "/dev/request" ? 403 : 401);
    assert.equal((await call(path, token(-1))).status, 403);
    assert.equal((await call(path, "rubbish")).status, 403);
  });
}

test("a connection needs a good token", async () => {
  assert.equal((await connect(token(300))).status, 101);
  assert.equal((await connect(token(-1))).status, 403);
  assert.equal((await connect()).status, 403);
});

test("a token may be in a cookie, without an identity source", async () => {
  const get = (value) => send(ports.http, "/dev/request", { headers: { Cookie: `a=b; session=${value}` } });
  assert.equal((await get(token(300))).status, 200);
  assert.equal((await get(token(-1))).status, 403);
});

test("a refusal is 401 with REFUSAL=unauthorized", async () => {
  assert.equal((await call("/dev/unauthorized", token(300))).status, 200);
  assert.equal((await call("/dev/unauthorized", token(-1))).status, 401);
});

test("routes are decided by method and scope", async () => {
  const writer = token(300, { scope: "pets:write" });
  assert.equal((await call("/dev/routes", token(300))).status, 200);
  assert.equal((await call("/dev/routes", token(300), "POST")).status, 403);
  assert.equal((await call("/dev/routes", writer, "POST")).status, 200);
  assert.equal((await call("/dev/routes", writer, "DELETE")).status, 403);
});

// What docs/local.md says about this tool. If one of these fails, the tool has changed: update the page.
test("conditions are ignored, so the expiry guard refuses a good token", async () => {
  assert.equal((await call("/dev/expiryguard", token(300))).status, 403);
});

test("resources are regular expressions, so the path guard refuses /pathguard/x", async () => {
  assert.equal((await call("/dev/pathguard/x", token(300))).status, 403);
});

test("the ARN has the route and not the path, so /routes/7 is decided as /routes/{id}", async () => {
  assert.equal((await call("/dev/routes/7", token(300))).status, 200);
});
