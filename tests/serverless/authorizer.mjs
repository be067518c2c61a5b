// A Node.js handler that runs the function's own program, for tools that cannot run a `provided.al2023` function
// without Docker. It speaks the Lambda Runtime API to the program, whose path is in AUTHORIZER_PROGRAM.
// Copy it into your project: it needs Node.js 20 and nothing else.

import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

const TIMEOUT_MS = 10_000;
const path = process.env.AUTHORIZER_PROGRAM;
if (!path) throw new Error("AUTHORIZER_PROGRAM must be the path of the program: `bootstrap` of a release");

const queue = []; // invocations that the program has not fetched yet
const pending = new Map(); // by request id
let fetching; // the program's open request for its next event
let ended; // why the program is not running

function stop(cause) {
  ended ??= cause;
  for (const { reject } of pending.values()) reject(ended);
  pending.clear();
}

function deliver() {
  if (!fetching || queue.length === 0) return;
  const { id, event } = queue.shift();
  fetching.writeHead(200, {
    "Content-Type": "application/json",
    "Lambda-Runtime-Aws-Request-Id": id,
    "Lambda-Runtime-Deadline-Ms": Date.now() + TIMEOUT_MS,
    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:authorizer",
  });
  fetching.end(JSON.stringify(event));
  fetching = undefined;
}

const server = createServer(async (request, response) => {
  // /2018-06-01/runtime/invocation/next, .../invocation/ID/response, .../invocation/ID/error, .../init/error
  const [, , , subject, id, outcome] = request.url.split("/");
  if (subject === "invocation" && id === "next") {
    fetching = response;
    return deliver();
  }
  let body = "";
  for await (const chunk of request) body += chunk;
  response.writeHead(202).end();
  if (subject === "init") return stop(new Error(JSON.parse(body).errorMessage));
  const invocation = pending.get(id);
  pending.delete(id);
  if (outcome === "response") invocation?.resolve(JSON.parse(body));
  else invocation?.reject(new Error(JSON.parse(body).errorMessage));
});

await once(server.listen(0, "127.0.0.1"), "listening");
server.unref();
// The program keeps its connection open. That must not keep this process alive.
server.on("connection", (socket) => socket.unref());

const program = spawn(path, {
  env: { ...process.env, AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${server.address().port}` },
  stdio: ["ignore", "inherit", "inherit"],
});
program.unref();
program.on("error", stop);
program.on("exit", (code, signal) => stop(new Error(`the program ended: ${signal ?? code}`)));

export function handler(event) {
  if (ended) return Promise.reject(ended);
  return new Promise((resolve, reject) => {
    const id = randomUUID();
    pending.set(id, { resolve, reject });
    queue.push({ id, event });
    deliver();
  });
}
