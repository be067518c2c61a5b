// The official MCP client, led by the function's challenges: where it looks for metadata, and which scopes it asks for.

import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import { afterEach, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const ARN = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/dev";
const METADATA = "/metadata/of-the-server"; // no place that a client would try by itself
const SCOPES_SUPPORTED = ["mcp:read", "mcp:admin", "mcp:other"];

process.env.AUTHORIZER_PROGRAM ??= at("../../target/debug/token-authorizer");
Object.assign(process.env, {
  AWS_LAMBDA_FUNCTION_NAME: "authorizer",
  AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "128",
});
const key = generateKeyPairSync("rsa", { modulusLength: 2048 });
const running = [];
afterEach(() => {
  for (const server of running.splice(0)) server.close().closeAllConnections();
});

async function read(request) {
  let body = "";
  for await (const chunk of request) body += chunk;
  return body;
}

function token(origin, scope, seconds = 300) {
  const encode = (part) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const claims = { iss: origin, aud: `${origin}/mcp`, sub: "ann", scope, exp: Math.floor(Date.now() / 1000) + seconds };
  const signed = `${encode({ alg: "RS256", kid: "k1", typ: "JWT" })}.${encode(claims)}`;
  return `${signed}.${sign("sha256", signed, key.privateKey).toString("base64url")}`;
}

// The authorization server. Its user gives every client what it asks for, so the scopes of a token are those of its
// authorization request.
function authorizationServer(origin) {
  const codes = new Map();
  const metadata = {
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    registration_endpoint: `${origin}/register`,
    jwks_uri: `${origin}/keys`,
    response_types_supported: ["code"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["RS256"],
    code_challenge_methods_supported: ["S256"],
  };
  const endpoints = {
    "/.well-known/openid-configuration": () => metadata,
    "/keys": () => ({ keys: [{ ...key.publicKey.export({ format: "jwk" }), kid: "k1", alg: "RS256", use: "sig" }] }),
    "/register": (body) => ({ ...JSON.parse(body), client_id: "client-1" }),
    "/token": (body) => {
      const form = new URLSearchParams(body);
      const asked = codes.get(form.get("code"));
      const challenge = createHash("sha256").update(form.get("code_verifier")).digest("base64url");
      assert.equal(challenge, asked.get("code_challenge"));
      return { access_token: token(origin, asked.get("scope")), token_type: "Bearer" };
    },
  };
  const consent = (url) => {
    const code = randomUUID();
    codes.set(code, url.searchParams);
    return code;
  };
  return { endpoints, consent };
}

// What API Gateway does with the answer of a `REQUEST` authorizer, and with the gateway responses of template.yaml.
async function gateway(authorize, request) {
  const arn = `${ARN}/${request.method}${request.url}`;
  const event = {
    type: "REQUEST",
    methodArn: arn,
    resource: request.url,
    path: request.url,
    httpMethod: request.method,
    headers: request.headers,
    requestContext: { stage: "dev" },
  };
  let answer;
  try {
    answer = await authorize(event);
  } catch (error) {
    assert.equal(error.message, "Unauthorized");
    return { status: 401, challenge: FIXED_CHALLENGE };
  }
  const { policyDocument, context } = answer;
  const effects = policyDocument.Statement.filter((statement) => applies(statement, arn)).map(({ Effect }) => Effect);
  if (effects.includes("Allow") && !effects.includes("Deny")) return { status: 200 };
  // A REST API would answer 403 to a refused token, too. The MCP specification asks for 401, with this challenge.
  const refused = context.reason && context.reason !== "insufficient_scope";
  return { status: refused ? 401 : 403, challenge: context.challenge };
}

function applies(statement, arn) {
  assert.ok(!statement.Condition, "the guard for expiry is off here");
  const matches = (pattern) => {
    const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&");
    return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`, "s").test(arn);
  };
  return [statement.Resource].flat().some(matches);
}

// The challenge that the template gives to errors, as docs/mcp.md shows it.
const [, FIXED] = /^WWW-Authenticate: (.*)$/m.exec(readFileSync(at("../../docs/mcp.md"), "utf8"));
let FIXED_CHALLENGE;

async function start(settings) {
  const paths = []; // every request, in order
  const server = http.createServer();
  running.push(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const origin = `http://127.0.0.1:${server.address().port}`;
  const { endpoints, consent } = authorizationServer(origin);
  endpoints[METADATA] = () => ({
    resource: `${origin}/mcp`,
    authorization_servers: [origin],
    scopes_supported: SCOPES_SUPPORTED,
  });
  FIXED_CHALLENGE = FIXED.replace(/resource_metadata=".*"/, `resource_metadata="${origin}${METADATA}"`);
  let authorize;
  server.on("request", async (request, response) => {
    paths.push(request.url);
    const body = await read(request);
    if (request.url.startsWith("/mcp")) {
      const { status, challenge } = await gateway(authorize, request);
      if (status === 200) return answerAsServer(request, response, body);
      return response.writeHead(status, { "WWW-Authenticate": challenge }).end();
    }
    const endpoint = endpoints[request.url];
    if (!endpoint) return response.writeHead(404).end();
    response.writeHead(request.url === "/register" ? 201 : 200, { "Content-Type": "application/json" });
    response.end(JSON.stringify(endpoint(body)));
  });
  authorize = await startFunction({
    ISSUER: origin,
    AUDIENCE: `${origin}/mcp`,
    RESOURCE_METADATA: `${origin}${METADATA}`,
    EXPIRY_GUARD: "off",
    ...settings,
  });
  return { origin, consent, paths };
}

// A copy of the handler, and so a process, for each set of settings.
async function startFunction(settings) {
  Object.assign(process.env, settings);
  const { handler } = await import(`../serverless/authorizer.mjs?${randomUUID()}`);
  for (const name of Object.keys(settings)) delete process.env[name];
  return handler;
}

async function answerAsServer(request, response, body) {
  if (request.method !== "POST") return response.writeHead(405).end();
  const server = new McpServer({ name: "pets", version: "1.0.0" });
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
  await server.connect(transport);
  await transport.handleRequest(request, response, JSON.parse(body));
}

// A client whose user is sent to the authorization server: `asked` is where to, each time.
class User {
  asked = [];
  redirectUrl = "http://127.0.0.1/callback";
  clientMetadata = { client_name: "test", redirect_uris: ["http://127.0.0.1/callback"] };
  clientInformation = () => this.client;
  saveClientInformation = (client) => (this.client = client);
  tokens = () => this.saved;
  saveTokens = (tokens) => (this.saved = tokens);
  codeVerifier = () => this.verifier;
  saveCodeVerifier = (verifier) => (this.verifier = verifier);
  redirectToAuthorization = (url) => void this.asked.push(url);

  holding(access_token) {
    this.saved = { access_token, token_type: "Bearer" };
    return this;
  }
  get scopes() {
    return this.asked.map((url) => url.searchParams.get("scope"));
  }
}

async function connect(api, user, path = "/mcp") {
  const client = new Client({ name: "test", version: "1.0.0" });
  const transport = new StreamableHTTPClientTransport(new URL(`${api.origin}${path}`), { authProvider: user });
  try {
    await client.connect(transport);
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    assert.ok(api.paths.includes(METADATA), "the challenge leads to the metadata");
    await transport.finishAuth(api.consent(user.asked.at(-1)));
    return "authorized";
  }
  await client.close();
  return "connected";
}

const RIGHTS = { ROUTES: '{"ANY /mcp": ["mcp:read"], "ANY /mcp/admin": ["mcp:admin"]}' };
const BOTH = { CHALLENGE_SCOPES: "mcp:read, mcp:admin" };

test("a client without a token asks for the challenge's scopes", async () => {
  const api = await start({ ...RIGHTS, CHALLENGE_SCOPES: "mcp:read" });
  const user = new User();
  assert.equal(await connect(api, user), "authorized");
  assert.deepEqual(user.scopes, ["mcp:read"]);
  assert.equal(user.asked[0].searchParams.get("resource"), `${api.origin}/mcp`);
  // It looked for the metadata where the challenge points, and nowhere else.
  const looked = api.paths.filter((path) => /metadata|protected-resource/.test(path));
  assert.deepEqual([...new Set(looked)], [METADATA]);
  assert.equal(await connect(api, user), "connected");
});

test("without CHALLENGE_SCOPES it asks for all supported scopes", async () => {
  const api = await start(RIGHTS);
  const user = new User();
  assert.equal(await connect(api, user), "authorized");
  assert.deepEqual(user.scopes, [SCOPES_SUPPORTED.join(" ")]);
});

test("a client with an expired token asks for the challenge's scopes", async () => {
  const api = await start({ ...RIGHTS, ...BOTH });
  const user = new User().holding(token(api.origin, "mcp:read", -1));
  assert.equal(await connect(api, user), "authorized");
  assert.deepEqual(user.scopes, ["mcp:read mcp:admin"]);
  assert.equal(await connect(api, user), "connected");
});

test("a token without REQUIRED_SCOPES is stepped up to them", async () => {
  const api = await start({ REQUIRED_SCOPES: "mcp:use, mcp:read", CHALLENGE_SCOPES: "mcp:read" });
  const user = new User().holding(token(api.origin, "mcp:read"));
  assert.equal(await connect(api, user), "authorized");
  assert.deepEqual(user.scopes, ["mcp:use mcp:read"]);
  assert.equal(await connect(api, user), "connected");
});

test("a token that opens no route is stepped up", async () => {
  const api = await start({ ...RIGHTS, ...BOTH });
  const user = new User().holding(token(api.origin, "mcp:other"));
  assert.equal(await connect(api, user), "authorized");
  assert.deepEqual(user.scopes, ["mcp:read mcp:admin"]);
  assert.equal(await connect(api, user), "connected");
});

test("a route that an Allow leaves closed steps the token up", async () => {
  const api = await start({ ...RIGHTS, ...BOTH });
  const user = new User().holding(token(api.origin, "mcp:read"));
  assert.equal(await connect(api, user), "connected");
  assert.deepEqual(user.scopes, []);
  assert.equal(await connect(api, user, "/mcp/admin"), "authorized");
  assert.deepEqual(user.scopes, ["mcp:read mcp:admin"]);
  assert.equal(await connect(api, user, "/mcp/admin"), "connected");
});

test("the template's fixed 401 leads to the metadata", async () => {
  const api = await start({ ...RIGHTS, REFUSAL: "unauthorized" });
  const user = new User().holding("no.good.token");
  assert.equal(await connect(api, user), "authorized");
  assert.deepEqual(user.scopes, [SCOPES_SUPPORTED.join(" ")]);
  assert.equal(await connect(api, user), "connected");
});
