// Whole lives of connections at servers that are not ours, by program: every way in which a client can
// prove itself, refresh tokens that rotate and that do not, grace windows, codes on another device.
import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { expect, test } from "@playwright/test";
import {
  DJANGO_CLIENT,
  DJANGO_DEVICE,
  DJANGO_PERSON,
  DJANGO_SECRET,
  type Django,
  startDjango,
} from "../support/django.js";
import { type House, startHouse } from "../support/house.js";
import { becomeFirstAdmin, open } from "../support/people.js";
import {
  type AuthorizationServer,
  CLIENT_ID,
  CLIENT_SECRET,
  SCOPES,
  startProvider,
} from "../support/provider.js";
import { visitor } from "../support/watch.js";
import { walk } from "../support/walk.js";

test.describe.configure({ mode: "serial" });

interface Connection {
  id: string;
  client_id: string;
  generation: number;
  account_id: string | null;
  grant_type: string;
  has_refresh_token: boolean;
  state: { name: string; reason?: string };
  authorization_url?: string;
  device?: { user_code: string; verification_uri: string; verification_uri_complete?: string };
}

interface Attempt {
  verdict: string;
  error_code: string | null;
}

interface Draft {
  endpoints: Record<string, string>;
  grants: string[];
}

/** How a client proves itself: what the profile says, and what it is registered with. */
interface Way {
  name: string;
  method: string;
  client: string;
  secret?: string;
}

const SECONDS = 3600;
const POST_SECRET = "post-secret-0123456789abcdef0123456789";
const keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
const pem = keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString();

const WAYS: Way[] = [
  { name: "client_secret_basic", method: "basic", client: CLIENT_ID, secret: CLIENT_SECRET },
  { name: "client_secret_post", method: "post", client: "post-client", secret: POST_SECRET },
  { name: "none", method: "none", client: "public-client" },
  { name: "private_key_jwt", method: "private_key_jwt", client: "jwt-client", secret: pem },
];

let house: House;
let key: string;
let rotating: AuthorizationServer;
let steady: AuthorizationServer;
let strict: Django;
let graceful: Django;

test.beforeAll(async ({ browser }) => {
  house = await startHouse("peers");
  const JWK = JSON.stringify({ ...keys.publicKey.export({ format: "jwk" }), use: "sig", alg: "RS256" });
  [rotating, steady, strict, graceful] = await Promise.all([
    startProvider(house, SECONDS, { JWK }),
    startProvider(house, SECONDS, { JWK, ROTATE: "never" }),
    startDjango(house, 0),
    startDjango(house, 120),
  ]);
  for (const secret of [CLIENT_SECRET, POST_SECRET, DJANGO_SECRET, pem.split("\n")[3] ?? ""]) {
    house.secret("the client's secret", secret);
  }
  const admin = await visitor(browser, house);
  await becomeFirstAdmin(admin.page, house);
  await open(admin.page, "/api-keys");
  await admin.page.getByLabel("Name").fill("peers");
  await admin.page.locator("[value='admin']").check();
  await admin.page.getByRole("button", { name: "Create key" }).click();
  key = house.shownOnce("an API key", await admin.page.getByLabel(/^The key/).inputValue());
  await admin.context.close();
});

test.afterAll(async () => {
  await Promise.all([rotating, steady, strict, graceful].map((server) => server?.stop()));
  await house?.stop();
});

/** Calls the API. A refusal fails the test with what it says. */
async function api<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { authorization: `Bearer ${key}` };
  if (body !== undefined) headers["content-type"] = "application/json";
  const answer = await fetch(`${house.url}/api/v1${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!path.includes("/token")) house.keep(`api-${method}-${path}`, text);
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return JSON.parse(text) as T;
}

let count = 0;

/** Registers a client at the server of this issuer, by its own metadata. */
async function register(
  issuer: string,
  way: Way,
  scopes: string[],
  device?: string,
): Promise<string> {
  count += 1;
  const number = count;
  const draft = await api<Draft>("POST", "/providers/discover", { issuer });
  if (device !== undefined) {
    // Django's metadata is silent about it.
    draft.endpoints.device_authorization = device;
    draft.grants.push("device_code");
  }
  const slug = `peer-${number}`;
  const request = { authentication: { method: way.method } };
  await api("POST", "/providers", { ...draft, slug, name: `Peer ${number}`, request });
  const made = await api<{ id: string }>("POST", "/clients", {
    provider: slug,
    name: `${way.name} ${number}`,
    oauth_client_id: way.client,
    ...(way.secret === undefined ? {} : { client_secret: way.secret }),
    scopes,
  });
  return made.id;
}

async function see(id: string): Promise<Connection> {
  return api("GET", `/connections/${id}`);
}

/** Connects an account by consent. */
async function connect(client: string, typed: Record<string, string>): Promise<Connection> {
  const made = await api<Connection>("POST", "/connections", {
    client_id: client,
    grant: "authorization_code",
  });
  const end = await walk(made.authorization_url ?? "", typed);
  expect(end).toBe(`${house.url}/relink/outcome/done`);
  const connected = await see(made.id);
  expect(connected).toMatchObject({ generation: 1, state: { name: "active" }, has_refresh_token: true });
  return connected;
}

async function refresh(id: string): Promise<Attempt> {
  return api("POST", `/connections/${id}/refresh`);
}

async function refreshedTwice(id: string): Promise<void> {
  const before = (await see(id)).generation;
  for (const grown of [1, 2]) {
    expect(await refresh(id)).toMatchObject({ verdict: "refreshed" });
    expect((await see(id)).generation).toBe(before + grown);
  }
}

/** Its grant was ended at the provider: one refusal, and a person is needed. */
async function condemned(id: string): Promise<void> {
  expect(await refresh(id)).toMatchObject({ verdict: "condemned", error_code: "invalid_grant" });
  expect((await see(id)).state).toMatchObject({ name: "needs_reauth", reason: "revoked" });
}

for (const rotates of [true, false]) {
  for (const way of WAYS) {
    test(`oidc-provider, ${way.name}, rotation ${rotates ? "on" : "off"}`, async () => {
      const server = rotates ? rotating : steady;
      const client = await register(server.issuer, way, SCOPES.split(" "));
      const account = `person-${way.client.replace(/\W/g, "-")}`;
      const { id, account_id } = await connect(client, { login: account, password: "x" });
      expect(account_id).toBe(account);
      await refreshedTwice(id);
      const [first, second] = (await server.refreshes(way.client)).slice(-2);
      expect(first?.went === first?.came).toBe(!rotates);
      expect(second?.came).toBe(first?.went);
      const { access_token: token } = await api<{ access_token: string }>(
        "GET",
        `/connections/${id}/token`,
      );
      const owner = await fetch(`${server.issuer}/me`, { headers: { authorization: `Bearer ${token}` } });
      expect(await owner.json()).toMatchObject({ sub: account });
      expect(await server.revoke(account)).toBe(1);
      await condemned(id);
    });
  }
}

/** A token response that somebody else got, for Regrant's client, and the request that they would make
 * with its refresh token. */
async function elsewhere(issuer: string, way: Way, scopes: string, typed: Record<string, string>) {
  const metadata = (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as {
    authorization_endpoint: string;
    token_endpoint: string;
  };
  const redirect = `${house.url}/oauth/callback`;
  const verifier = randomBytes(32).toString("base64url");
  const address = new URL(metadata.authorization_endpoint);
  address.search = new URLSearchParams({
    response_type: "code",
    client_id: way.client,
    redirect_uri: redirect,
    scope: scopes,
    state: "elsewhere",
    prompt: "consent",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  }).toString();
  // Django takes no prompt that it does not know.
  if (typed.username !== undefined) address.searchParams.delete("prompt");
  const back = new URL(await walk(address.href, typed, redirect));
  const encode = (text: string) => new URLSearchParams({ text }).toString().slice("text=".length);
  const basic = Buffer.from(`${encode(way.client)}:${encode(way.secret ?? "")}`).toString("base64");
  const ask = async (form: Record<string, string>) =>
    fetch(metadata.token_endpoint, {
      method: "POST",
      headers: { authorization: `Basic ${basic}` },
      body: new URLSearchParams(form),
    });
  const response = (await (
    await ask({
      grant_type: "authorization_code",
      code: back.searchParams.get("code") ?? "",
      redirect_uri: redirect,
      code_verifier: verifier,
    })
  ).json()) as Record<string, string>;
  const use = () => ask({ grant_type: "refresh_token", refresh_token: response.refresh_token ?? "" });
  return { response, use };
}

/** Regrant holds a token that somebody else has used already. */
async function reused(
  issuer: string,
  way: Way,
  scopes: string,
  typed: Record<string, string>,
): Promise<Connection> {
  const { response, use } = await elsewhere(issuer, way, scopes, typed);
  const client = await register(issuer, way, scopes.split(" "));
  const made = await api<Connection>("POST", "/connections", {
    client_id: client,
    token_response: response,
  });
  expect((await use()).status).toBe(200);
  return made;
}

test("oidc-provider takes a rotated token once and for all", async () => {
  const way = WAYS[0] as Way;
  const { id } = await reused(rotating.issuer, way, SCOPES, { login: "reused", password: "x" });
  await condemned(id);
});

const DJANGO: Way = { name: "Django", method: "basic", client: DJANGO_CLIENT, secret: DJANGO_SECRET };
const CONSENT = { ...DJANGO_PERSON, allow: "Authorize" };

test("django-oauth-toolkit, without a grace window", async () => {
  const client = await register(strict.issuer, DJANGO, ["openid", "read"]);
  const { id } = await connect(client, CONSENT);
  await refreshedTwice(id);
  expect(await strict.revoke()).toBe(1);
  await condemned(id);
  const again = await reused(strict.issuer, DJANGO, "openid read", CONSENT);
  await condemned(again.id);
});

test("django-oauth-toolkit, with a grace window", async () => {
  const { id } = await reused(graceful.issuer, DJANGO, "openid read", CONSENT);
  await refreshedTwice(id);
  expect(await graceful.revoke()).toBeGreaterThan(0);
  await condemned(id);
});

test("codes on another device, at both", async () => {
  test.setTimeout(40_000);
  const device: Way = { name: "device", method: "none", client: DJANGO_DEVICE };
  const begun = await Promise.all(
    [
      { issuer: rotating.issuer, way: WAYS[0] as Way, scopes: SCOPES, person: "device-basic" },
      { issuer: steady.issuer, way: WAYS[2] as Way, scopes: SCOPES, person: "device-none" },
      { issuer: strict.issuer, way: device, scopes: "read" },
    ].map(async ({ issuer, way, scopes, person }) => {
      const silent = person === undefined ? `${issuer}/device-authorization/` : undefined;
      const client = await register(issuer, way, scopes.split(" "), silent);
      const grant = "device_code";
      const made = await api<Connection>("POST", "/connections", { client_id: client, grant });
      expect(made).toMatchObject({ state: { name: "pending" }, grant_type: grant });
      return { made, person };
    }),
  );
  for (const { made, person } of begun) {
    const code = made.device?.user_code ?? "";
    if (person === undefined) {
      await walk(made.device?.verification_uri ?? "", {
        ...DJANGO_PERSON,
        user_code: code,
        action: "accept",
      });
    } else {
      await walk(made.device?.verification_uri_complete ?? "", { login: person, password: "x" });
    }
  }
  for (const { made, person } of begun) {
    await expect
      .poll(async () => (await see(made.id)).state.name, { timeout: 25_000, intervals: [300] })
      .toBe("active");
    if (person !== undefined) expect((await see(made.id)).account_id).toBe(person);
    await refreshedTwice(made.id);
  }
  expect(await rotating.revoke("device-basic")).toBe(1);
  await condemned(begun[0]?.made.id ?? "");
});
