// What browsers are told to forbid, and what Regrant itself refuses.
import { request as http, type IncomingHttpHeaders } from "node:http";
import { expect, test } from "@playwright/test";
import { type House, startHouse } from "../support/house.js";
import { ADMIN, becomeFirstAdmin, section } from "../support/people.js";
import {
  type AuthorizationServer,
  CLIENT_ID,
  CLIENT_SECRET,
  SCOPES,
  consentHeldUp,
  startProvider,
} from "../support/provider.js";
import { type Visitor, hydrated, visitor } from "../support/watch.js";

test.describe.configure({ mode: "serial" });

let house: House;
let provider: AuthorizationServer;
let admin: Visitor;

test.beforeAll(async ({ browser }) => {
  house = await startHouse("headers");
  provider = await startProvider(house, 3600);
  admin = await visitor(browser, house);
  await becomeFirstAdmin(admin.page, house);
});

test.afterAll(async () => {
  await provider?.stop();
  await house?.stop();
});

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** A request exactly as given: no cookies, nothing added, no redirect followed. */
function send(url: string, method = "GET", headers: Record<string, string> = {}, body = ""): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const out = http(url, { method, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part: string) => (text += part));
      answer.on("end", () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }),
      );
    });
    out.on("error", reject);
    out.end(body);
  });
}

const policy = (scripts: string) =>
  `default-src 'none'; script-src ${scripts}; style-src 'self'; img-src 'self' data:; ` +
  "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const FORM = { "content-type": "application/x-www-form-urlencoded" };

test("a page's policy allows its own scripts and nothing looser", async () => {
  const nonces = new Set<string>();
  for (const path of ["/login", "/relink/nonsense", "/no/such/page"]) {
    const { headers, body } = await send(house.url + path);
    const nonce = /'nonce-([^']+)'/.exec(headers["content-security-policy"] as string)?.[1] ?? "";
    expect(nonce.length).toBeGreaterThanOrEqual(16);
    nonces.add(nonce);
    expect(headers["content-security-policy"]).toBe(
      policy(`'self' 'nonce-${nonce}' 'wasm-unsafe-eval'`),
    );
    const scripts = body.match(/<script\b[^>]*>/g) ?? [];
    expect(scripts.length).toBeGreaterThan(0);
    for (const script of scripts) expect(script).toContain(`nonce="${nonce}"`);
    expect(body).not.toMatch(/<[^>]+\sstyle=/);
    expect(body).not.toMatch(/<[^>]+\son[a-z]+=/);
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["x-frame-options"]).toBe("DENY");
    // The address of a relink's page is a secret, also from ourselves.
    const told = path.startsWith("/relink/") ? "no-referrer" : "same-origin";
    expect(headers["referrer-policy"]).toBe(told);
    expect(headers["cache-control"]).toBe("no-store");
  }
  expect(nonces.size).toBe(3);
});

test("what is no page may run nothing", async () => {
  const stylesheet = /href="(\/pkg\/[^"]+\.css)"/.exec((await send(`${house.url}/login`)).body)?.[1];
  const others = ["/healthz", "/metrics", "/api/v1/openapi.json", "/api/v1/no-such-thing"];
  for (const path of [...others, stylesheet ?? ""]) {
    const { headers } = await send(house.url + path);
    expect(headers["content-security-policy"], path).toBe(policy("'none'"));
    expect(headers["x-content-type-options"], path).toBe("nosniff");
  }
  const { headers } = await send(house.url + stylesheet);
  expect(headers["cache-control"]).toContain("immutable");
});

test("a server function answers pages of this origin only, and only to POST", async () => {
  const login = `${house.url}/rpc/session/login`;
  const body = new URLSearchParams({ email: ADMIN.email, password: "wrong" }).toString();
  const strangers: Record<string, string>[] = [
    {},
    { origin: "https://evil.example" },
    { origin: "null" },
    { origin: house.url.replace("127.0.0.1", "localhost") },
    { origin: house.url, "sec-fetch-site": "cross-site" },
    { origin: house.url, "sec-fetch-site": "same-site" },
    { origin: house.url, "sec-fetch-site": "none" },
  ];
  for (const from of strangers) {
    const { status } = await send(login, "POST", { ...FORM, ...from }, body);
    expect(status, JSON.stringify(from)).toBe(403);
  }
  expect((await send(login, "GET", { origin: house.url })).status).toBe(405);
  const ours = await send(login, "POST", { ...FORM, origin: house.url }, body);
  expect(ours.body).toContain("The e-mail address or the password is not right.");
});

test("a page of another site can't act for who is signed in", async () => {
  const tab = await admin.context.newPage();
  await tab.goto(`${provider.issuer}/.well-known/openid-configuration`);
  await tab.evaluate(async (url) => {
    await fetch(url, { method: "POST", mode: "no-cors", credentials: "include", body: new URLSearchParams() });
  }, `${house.url}/rpc/session/logout`);
  await tab.close();
  await admin.page.reload();
  await expect(admin.page.locator(".who-name")).toHaveText(ADMIN.email);
});

test("the session is in a cookie that scripts don't see, under a new id after signing in", async ({ browser }) => {
  const { context, page } = await visitor(browser, house);
  // A flow that leads nowhere, but gives an anonymous session.
  await page.goto("/oauth/callback?state=none&code=none");
  const before = (await context.cookies()).find((cookie) => cookie.name === "regrant");
  await page.goto("/login");
  await page.getByLabel("E-mail").fill(ADMIN.email);
  await page.getByLabel("Password").fill(ADMIN.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.locator(".who-name")).toBeVisible();
  const after = (await context.cookies()).find((cookie) => cookie.name === "regrant");
  expect(after).toMatchObject({ httpOnly: true, sameSite: "Lax", path: "/" });
  expect(after?.value).not.toBe(before?.value);
  await context.close();
});

test("the callback keeps the code to itself, serves one browser, and once", async ({ browser }) => {
  const { page } = admin;
  await page.goto("/clients/new");
  await hydrated(page);
  await page.getByLabel("Issuer address").fill(provider.issuer);
  await page.getByRole("button", { name: "Discover" }).click();
  await page.getByLabel("Client id").fill(CLIENT_ID);
  await page.getByLabel("Client secret").fill(CLIENT_SECRET);
  await page.getByLabel("Scopes").fill(SCOPES);
  await page.getByRole("button", { name: "Register client" }).click();
  await page.waitForURL(/\/clients\/[0-9a-f-]{36}$/);
  await hydrated(page);
  await page.getByRole("link", { name: "Connect an account" }).click();
  await section(page, "By consent, now").getByRole("button", { name: /^Continue to/ }).click();

  // The way back is held up, so that its address can be tried elsewhere first.
  const callback = await consentHeldUp(page, "alan.turing");
  const { searchParams } = new URL(callback);
  house.secret("a code", searchParams.get("code") ?? "");
  house.secret("a state", searchParams.get("state") ?? "");

  const stranger = await visitor(browser, house);
  await stranger.page.goto(callback);
  await expect(stranger.page).toHaveURL(`${house.url}/relink/outcome/expired`);
  await stranger.context.close();

  const answer = await page.request.get(callback, { maxRedirects: 0 });
  expect(answer.status()).toBe(303);
  expect(answer.headers()).toMatchObject({ "referrer-policy": "no-referrer", "cache-control": "no-store" });
  expect(answer.headers().location).toMatch(/^\/connections\/[0-9a-f-]{36}\?connected=1$/);
  expect(await answer.text()).toBe("");

  const again = await page.request.get(callback, { maxRedirects: 0 });
  expect(again.status()).toBe(303);
  expect(again.headers().location).toBe("/relink/outcome/expired");
});

test("behind TLS the cookie is bound to the host, and browsers stay on TLS", async () => {
  const origin = "https://regrant.example.test";
  const secure = await startHouse("tls", ["serve"], { REGRANT_PUBLIC_URL: origin });
  try {
    const link = new URL(await secure.logged(/first admin at (https\S+)/));
    const page = await send(secure.url + link.pathname);
    expect(page.headers["strict-transport-security"]).toMatch(/^max-age=\d{8}/);
    const body = new URLSearchParams({
      token: link.pathname.split("/").pop() ?? "",
      email: ADMIN.email,
      password: ADMIN.password,
    });
    const made = await send(
      `${secure.url}/rpc/session/setup`,
      "POST",
      { ...FORM, origin, accept: "text/html" },
      body.toString(),
    );
    expect(made.status).toBe(302);
    const [cookie] = made.headers["set-cookie"] ?? [];
    expect(cookie).toMatch(/^__Host-regrant=/);
    for (const part of ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"]) expect(cookie).toContain(part);
    expect(cookie).not.toContain("Domain");
  } finally {
    await secure.stop();
  }
});
