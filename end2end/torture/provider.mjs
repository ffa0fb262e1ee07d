// The authorization server that is tortured against: npm's `oidc-provider`, strict, rotating, with
// revocation of the family when a refresh token comes twice. Around its token endpoint stand faults
// and the oracle: a log of what was asked, what was given and what of it left the house.
//
// Environment: PORT, SEED, ORACLE (the log: a line of JSON a request), CLIENTS (JSON: id → secret and
// grace in seconds: for so long a replaced token gets its successor again, until that was used).
//
// PUT  /__ctl         settings: { faults: { kind: chance }, ttl, hold, outage }
// GET  /__ctl         how often each fault came true
// POST /__ctl/mint    { client, count } → token responses of new grants, each a family of its own
// POST /__ctl/flush   returns when the log is on disk
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import http from "node:http";
import querystring from "node:querystring";
import { once } from "node:events";
import Provider from "oidc-provider";
import { seeded } from "./random.mjs";

const port = Number(process.env.PORT);
const issuer = `http://127.0.0.1:${port}`;
const clients = JSON.parse(process.env.CLIENTS);
const random = seeded(Number(process.env.SEED), "provider");
const SCOPE = "api:read offline_access";
const DAYS = 86400;

/** What is asked for at run time. `hold`: each answer waits so many milliseconds. */
const settings = { faults: {}, ttl: 30, hold: 0, outage: null };
const fired = {};

/** Everything but access tokens, which nobody asks for again; and whose each refresh token is. */
const stored = new Map();
const families = new Map();

class Adapter {
  constructor(model) {
    this.model = model;
  }
  key(id) {
    return `${this.model}:${id}`;
  }
  async find(id) {
    return stored.get(this.key(id));
  }
  async upsert(id, payload) {
    if (this.model === "AccessToken") return;
    stored.set(this.key(id), payload);
    if (this.model !== "RefreshToken") return;
    if (!families.has(payload.grantId)) families.set(payload.grantId, new Set());
    families.get(payload.grantId).add(this.key(id));
  }
  async consume(id) {
    stored.get(this.key(id)).consumed = Math.floor(Date.now() / 1000);
  }
  async destroy(id) {
    stored.delete(this.key(id));
  }
  async revokeByGrantId(id) {
    for (const key of families.get(id) ?? []) stored.delete(key);
    families.delete(id);
  }
}

const provider = new Provider(issuer, {
  adapter: Adapter,
  clients: Object.entries(clients).map(([id, { secret }]) => ({
    client_id: id,
    client_secret: secret,
    redirect_uris: ["http://127.0.0.1:9/callback"],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "client_secret_post",
  })),
  clientAuthMethods: ["client_secret_post"],
  scopes: ["openid", "offline_access", "api:read"],
  cookies: { keys: ["only-for-tests"] },
  features: { devInteractions: { enabled: false } },
  rotateRefreshToken: true,
  ttl: { AccessToken: () => settings.ttl, RefreshToken: 30 * DAYS, Grant: 30 * DAYS },
  findAccount: async (_ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
});
provider.on("server_error", (_ctx, error) => console.error("server_error", error));

const log = createWriteStream(process.env.ORACLE, { flags: "a" });
const now = () => Number(process.hrtime.bigint() / 1000n) / 1000;
const hash = (token) => (token ? createHash("sha256").update(token).digest("hex").slice(0, 24) : null);
let count = 0;
let underWay = 0;
let minted = 0;

/** A new grant, as if a person had consented just now. */
async function mint(clientId) {
  const client = await provider.Client.find(clientId);
  const account = `account-${(minted += 1)}`;
  const grant = new provider.Grant({ accountId: account, clientId });
  grant.addOIDCScope(SCOPE);
  const grantId = await grant.save();
  const base = { accountId: account, client, grantId, gty: "authorization_code", scope: SCOPE };
  const answer = {
    access_token: await new provider.AccessToken(base).save(),
    token_type: "Bearer",
    expires_in: settings.ttl,
    refresh_token: await new provider.RefreshToken(base).save(),
    scope: SCOPE,
  };
  const made = { minted: account, client: clientId, t1: now() };
  note({ ...made, rt_out: hash(answer.refresh_token), at_out: hash(answer.access_token) });
  return { family: account, answer };
}

function note(line) {
  log.write(`${JSON.stringify(line)}\n`);
}

/** Replaced tokens of clients with a grace window, until their successor is used; and by successor. */
const replaced = new Map();
const predecessors = new Map();

/** What a replaced token gets within its grace window: its successor once more. */
function again(body, cameAs) {
  const earlier = replaced.get(cameAs);
  if (!earlier || now() - earlier.at > clients[body.client_id].grace * 1000) return null;
  const age = Math.floor((now() - earlier.at) / 1000);
  return { ...earlier.answer, expires_in: Math.max(1, earlier.answer.expires_in - age) };
}

function remember(body, cameAs, answer) {
  if (!clients[body.client_id]?.grace) return;
  replaced.delete(predecessors.get(cameAs));
  predecessors.delete(cameAs);
  replaced.set(cameAs, { at: now(), answer });
  predecessors.set(hash(answer.refresh_token), cameAs);
}

const KINDS = ["unavailable", "slow_down", "drop_before", "drop_after", "garbage", "delay"];

/** At most one fault a request. */
function draw() {
  let left = random.fraction();
  for (const kind of KINDS) {
    left -= settings.faults[kind] ?? 0;
    if (left < 0) {
      fired[kind] = (fired[kind] ?? 0) + 1;
      return kind;
    }
  }
  return null;
}

/** Both forms of RFC 9110 section 10.2.3, and the moment they mean. A date has whole seconds. */
function retryAfter() {
  if (random.fraction() < 0.5) return { value: "2", at: now() + 2000 };
  const date = Math.ceil(Date.now() / 1000) * 1000 + 2000;
  return { value: new Date(date).toUTCString(), at: now() + date - Date.now() };
}

function token(request, response) {
  const entry = { id: (count += 1), port: request.socket.remotePort, t0: now(), t1: null };
  const chunks = [];
  const end = response.end.bind(response);
  let written = false;
  underWay += 1;
  const finish = (line) => {
    if (written) return;
    written = true;
    underWay -= 1;
    request.socket.off("close", hangUp);
    note({ ...entry, t1: entry.t1 ?? now(), ...line });
  };
  // Whoever hung up is no longer in the request, whatever becomes of it here.
  const hangUp = () => {
    Object.assign(entry, { t1: now(), hung_up: true });
    if (!request.complete) finish({ status: 0, fault: null, partial: true });
  };
  request.socket.once("close", hangUp);
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const body = querystring.parse(Buffer.concat(chunks).toString());
    const cameAs = hash(body.refresh_token);
    Object.assign(entry, { client: body.client_id, grant: body.grant_type, rt_in: cameAs });
    const close = (fault) => {
      finish({ status: 0, fault });
      request.socket.destroy();
    };
    const refuse = (status, fault, retry) => {
      finish({ status, fault, not_before: retry?.at });
      response.writeHead(status, retry ? { "retry-after": retry.value } : {});
      end("try again later\n");
    };
    if (settings.outage) {
      fired.outage = (fired.outage ?? 0) + 1;
      return refuse(503, "outage");
    }
    const fault = draw();
    if (fault === "drop_before") return close(fault);
    if (fault === "unavailable") return refuse(503, fault);
    if (fault === "slow_down") return refuse(429, fault, retryAfter());

    const answerWith = (status, text, headers) => {
      let answer = {};
      try {
        answer = JSON.parse(text);
      } catch {
        // What is no JSON has no token in it.
      }
      const line = { status, fault, error: answer.error };
      if (status === 200) {
        line.rt_out = hash(answer.refresh_token);
        line.at_out = hash(answer.access_token);
      }
      const send = () => {
        finish(line);
        if (fault === "drop_after") return request.socket.destroy();
        if (fault === "garbage") {
          response.writeHead(200, { "content-type": "text/html" });
          return end("<html><title>proxy error</title></html>");
        }
        response.writeHead(status, headers);
        return end(text);
      };
      const wait = settings.hold + (fault === "delay" ? random.between(200, 1500) : 0);
      if (wait > 0) setTimeout(send, wait);
      else send();
    };

    const same = again(body, cameAs);
    if (same) {
      entry.again = true;
      return answerWith(200, JSON.stringify(same), { "content-type": "application/json" });
    }
    const parts = [];
    const take = (chunk) => {
      if (chunk && typeof chunk !== "function") parts.push(Buffer.from(chunk));
    };
    response.write = (chunk) => {
      take(chunk);
      return true;
    };
    response.end = (chunk) => {
      take(chunk);
      const text = Buffer.concat(parts).toString();
      const type = response.getHeader("content-type") ?? "application/json";
      for (const name of response.getHeaderNames()) response.removeHeader(name);
      if (response.statusCode === 200) remember(body, cameAs, JSON.parse(text));
      answerWith(response.statusCode, text, { "content-type": type, "cache-control": "no-store" });
      return response;
    };
    request.body = body;
    callback(request, response);
  });
}

const callback = provider.callback();

async function control(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks).toString()) : {};
  let answer = {};
  switch (`${request.method} ${request.url}`) {
    case "PUT /__ctl":
      Object.assign(settings, body);
      break;
    case "GET /__ctl":
      answer = { settings, fired, requests: count, under_way: underWay };
      break;
    case "POST /__ctl/mint":
      answer = [];
      for (let made = 0; made < body.count; made += 1) answer.push(await mint(body.client));
      break;
    case "POST /__ctl/flush":
      if (log.writableLength > 0) await once(log, "drain");
      break;
    default:
      response.statusCode = 404;
  }
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(answer));
}

http
  .createServer((request, response) => {
    if (request.url.startsWith("/__ctl")) return control(request, response);
    if (request.method === "POST" && request.url === "/token") return token(request, response);
    return callback(request, response);
  })
  .listen(port, "127.0.0.1");
