// One connection's whole life, against an authorization server that is not ours.
import { expect, test, type Page } from "@playwright/test";
import { addSupport, connectAccount, createKey, registerClient } from "../support/furnish.js";
import { type House, startHouse } from "../support/house.js";
import {
  ADMIN,
  SUPPORT,
  becomeFirstAdmin,
  crawl,
  fact,
  open,
  section,
  signIn,
} from "../support/people.js";
import { type AuthorizationServer, CLIENT_ID, CLIENT_SECRET, consent, startProvider } from "../support/provider.js";
import { type Visitor, hydrated, visitor } from "../support/watch.js";

test.describe.configure({ mode: "serial" });

const SERVICE = "Orchard ID";
const ACCOUNT = "ada.lovelace";
const LABEL = "Ada's calendar";

let house: House;
let provider: AuthorizationServer;
let admin: Visitor;
let support: Visitor;
let connection: string;
let generation: number;
let link: string;

test.beforeAll(async ({ browser }) => {
  house = await startHouse("life");
  // Refreshed every four seconds or so.
  provider = await startProvider(house, 6);
  admin = await visitor(browser, house);
  support = await visitor(browser, house);
});

test.afterAll(async () => {
  await provider?.stop();
  await house?.stop();
});

async function generationOf(page: Page): Promise<number> {
  return Number(await fact(page, "Generation").textContent());
}

/** Looks at the connection's page again and again, as a person would. */
async function untilPage(page: Page, seen: () => Promise<void>): Promise<void> {
  await expect(async () => {
    await page.goto(connection);
    await seen();
  }).toPass({ intervals: [300], timeout: 20_000 });
}

function badge(page: Page) {
  return page.locator(".head .badge");
}

test("the link in the log makes the first admin, once", async ({ browser }) => {
  const used = await becomeFirstAdmin(admin.page, house);
  await admin.page.getByRole("button", { name: "Sign out" }).click();
  await expect(admin.page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await signIn(admin.page, house, ADMIN);

  const stranger = await visitor(browser, house);
  await stranger.page.goto(used);
  await expect(stranger.page.getByText("This link makes nobody an admin any more")).toBeVisible();
  await expect(stranger.page.getByLabel("Password")).toHaveCount(0);
  await stranger.context.close();
});

test("a client is registered by the issuer's own word", async () => {
  const { page } = admin;
  await open(page, "/");
  await expect(page.getByRole("link", { name: "Register a client" })).toHaveAttribute("href", "/clients/new");
  house.secret("the client's secret", CLIENT_SECRET);
  await registerClient(page, provider, SERVICE);
  await expect(page.getByLabel("Redirect URI")).toHaveValue(`${house.url}/oauth/callback`);
  await expect(fact(page, "Client id")).toHaveText(CLIENT_ID);
  await expect(fact(page, "Secret")).toContainText("kept");
});

test("an account is connected by consent, and its token has an expiry", async () => {
  const { page } = admin;
  await hydrated(page);
  connection = await connectAccount(page, LABEL, ACCOUNT);
  await expect(page).toHaveURL(/\/connections\/[0-9a-f-]{36}\?connected=1$/);
  await expect(badge(page)).toHaveText("alive");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(LABEL);
  await expect(fact(page, "Account")).toContainText(ACCOUNT);
  await expect(fact(page, "Access token ends")).toContainText("UTC");
  await expect(fact(page, "Next refresh")).not.toContainText("none planned");
  await expect(fact(page, "Scopes")).toContainText("api:read");
  generation = await generationOf(page);
  expect(generation).toBeGreaterThanOrEqual(1);
});

test("the worker refreshes it before it expires, and the open page shows it", async () => {
  const { page } = admin;
  await open(page, connection);
  await page.evaluate(() => Object.assign(window, { stayed: true }));
  await expect.poll(() => generationOf(page), { timeout: 20_000 }).toBeGreaterThanOrEqual(generation + 2);
  expect(await page.evaluate(() => "stayed" in window)).toBe(true);
  await expect(badge(page)).toHaveText("alive");
  const newest = section(page, "Refreshes").locator("tbody tr").first();
  await expect(newest).toContainText("refreshed");
  await expect(newest).toContainText("was due");
  const requests = await provider.requests();
  expect(requests.filter((request) => request.status !== 200)).toEqual([]);
});

test("it can be refreshed by hand", async () => {
  const { page } = admin;
  await hydrated(page);
  await page.getByRole("button", { name: "Refresh now" }).click();
  await expect(page.getByText("Refreshed: a new token is stored.")).toBeVisible();
  await untilPage(page, async () => {
    await expect(section(page, "Refreshes")).toContainText("by hand", { timeout: 100 });
  });
});

test("when the grant dies at the provider, the dashboard says so and why", async () => {
  const { page } = admin;
  expect(await provider.revoke(ACCOUNT)).toBe(1);
  await untilPage(page, async () => {
    await expect(badge(page)).toHaveText("needs a person", { timeout: 100 });
  });
  const status = page.locator(".status");
  await expect(status).toContainText("Has needed a person");
  const why = page.locator(".why");
  await expect(why).toContainText(`${SERVICE} refused the refresh token of`);
  await expect(why).toContainText("consent was withdrawn");
  await expect(why).toContainText("Send a relink to the account's owner.");
  await why.getByText(`What ${SERVICE} said`).click();
  await expect(why).toContainText("invalid_grant");
  generation = await generationOf(page);

  await open(page, "/");
  await expect(page.locator(".counts [data-state=needs-person] .count")).toHaveText("1");
  await expect(section(page, "Needs a person")).toContainText(LABEL);
  await page.locator(".counts [data-state=needs-person] a").click();
  await expect(page).toHaveURL(/\/connections\?standing=needs-person$/);
  await expect(page.getByRole("link", { name: LABEL })).toBeVisible();
});

test("an admin adds a support user in the dashboard", async () => {
  const { page } = admin;
  await addSupport(page, house);
  await expect(page.getByRole("row", { name: SUPPORT.email })).toBeVisible();
});

test("support creates a relink and can do no more than that", async () => {
  const { page } = support;
  await signIn(page, house, SUPPORT);
  await page.getByRole("link", { name: "Connections" }).click();
  await page.getByRole("link", { name: LABEL }).click();
  await expect(badge(page)).toHaveText("needs a person");
  await expect(page.getByRole("button", { name: "Save" })).toHaveCount(0);
  await expect(page.getByText("Disconnect", { exact: true })).toHaveCount(0);
  await expect(page.getByRole("link", { name: "Users" })).toHaveCount(0);

  await hydrated(page);
  await page.getByRole("button", { name: "Create a relink" }).click();
  link = await page.getByLabel("Relink", { exact: true }).inputValue();
  expect(link).toMatch(new RegExp(`^${house.url}/relink/[\\w-]{40,}$`));
  house.shownOnce("the relink's token", new URL(link).pathname.split("/").pop() ?? "");

  await page.reload();
  await expect(section(page, "Relinks")).toContainText(`made by ${SUPPORT.email}`);
  await expect(page.getByLabel("Relink", { exact: true })).toHaveCount(0);
  expect(await page.content()).not.toContain(link);
});

test("the wrong account is refused, and nothing is overwritten", async ({ browser }) => {
  const stranger = await visitor(browser, house);
  const { page } = stranger;
  await page.goto(link);
  await expect(page.getByRole("heading", { name: `Reconnect ${SERVICE}` })).toBeVisible();
  await expect(fact(page, "Use this account")).toContainText("…");
  expect(await page.content()).not.toContain(ACCOUNT);
  await page.getByRole("button", { name: `Continue to ${SERVICE}` }).click();
  await consent(page, "mallory");
  await expect(page).toHaveURL(`${link}?outcome=wrong_account`);
  await expect(page.locator("main")).toContainText("another account");
  expect(stranger.mistakes).toEqual([]);
  await stranger.context.close();

  await admin.page.goto(connection);
  await expect(badge(admin.page)).toHaveText("needs a person");
  await expect(fact(admin.page, "Account")).toContainText(ACCOUNT);
  expect(await generationOf(admin.page)).toBe(generation);
});

test("its owner brings it back without a login: same connection, next generation", async ({ browser }) => {
  const owner = await visitor(browser, house);
  const { page } = owner;
  await page.goto(link);
  await page.getByRole("button", { name: `Continue to ${SERVICE}` }).click();
  await consent(page, ACCOUNT);
  await expect(page).toHaveURL(`${house.url}/relink/outcome/done`);
  await expect(page.locator(".verdict")).toHaveAttribute("data-tone", "well");

  await page.goto(link);
  await expect(page.getByRole("heading", { name: "This link has been used" })).toBeVisible();
  await page.goto(`${house.url}/relink/nonsense`);
  await expect(page.getByRole("heading", { name: "This link is not known" })).toBeVisible();
  expect(owner.mistakes).toEqual([]);
  await owner.context.close();

  await admin.page.goto(connection);
  await expect(badge(admin.page)).toHaveText("alive");
  await expect(fact(admin.page, "Account")).toContainText(ACCOUNT);
  await expect(section(admin.page, "Relinks")).toContainText("was linked");
  const history = section(admin.page, "Refreshes").locator("tbody");
  await expect(history).toContainText("refused");
  await expect(history).toContainText("refreshed");
  const now = await generationOf(admin.page);
  expect(now).toBeGreaterThan(generation);
  generation = now;
});

test("and the worker keeps it alive again", async () => {
  await untilPage(admin.page, async () => {
    expect(await generationOf(admin.page)).toBeGreaterThan(generation);
  });
  await expect(badge(admin.page)).toHaveText("alive");
  // A strict server saw one refusal: the grant that was ended there.
  const refused = (await provider.requests()).filter((request) => request.status !== 200);
  expect(refused).toEqual([{ grant: "refresh_token", status: 400, error: "invalid_grant" }]);
});

test("a program with a key gets a token that the provider takes, and a reason when it asks badly", async () => {
  const { page } = admin;
  const scopes = ["connections:read", "connections:write", "connections:refresh", "tokens:read"];
  const key = await createKey(page, house, "nightly report", scopes);
  const headers = { ...key, "content-type": "application/json" };
  const at = `${house.url}/api/v1${connection}`;

  const { access_token: token } = (await (await fetch(`${at}/token?min_ttl=2`, { headers })).json()) as {
    access_token: string;
  };
  const metadata = await fetch(`${provider.issuer}/.well-known/openid-configuration`);
  const { userinfo_endpoint: userinfo } = (await metadata.json()) as { userinfo_endpoint: string };
  const owner = await fetch(userinfo, { headers: { authorization: `Bearer ${token}` } });
  expect(await owner.json()).toMatchObject({ sub: ACCOUNT });

  const refreshed = await fetch(`${at}/refresh`, { method: "POST", headers });
  expect(await refreshed.json()).toMatchObject({ verdict: "refreshed", trigger: "manual" });
  const shown = (await (await fetch(at, { headers })).json()) as { client_id: string };

  const planted = house.secret("a token in a broken response", "ya29.canary-0123456789-abcdefghij");
  const body = { client_id: shown.client_id, token_response: { access_token: { nested: planted } } };
  for (const text of [JSON.stringify(body), JSON.stringify(body).slice(0, -2)]) {
    const refused = await fetch(`${house.url}/api/v1/connections`, { method: "POST", headers, body: text });
    expect(refused.status).toBeGreaterThanOrEqual(400);
    expect(refused.status).toBeLessThan(500);
    expect(refused.headers.get("content-type")).toBe("application/problem+json");
    house.keep(`api-refusal-${refused.status}`, await refused.text());
  }
  for (const path of ["", "/attempts"]) {
    house.keep(`api-connection${path}`, await (await fetch(at + path, { headers })).text());
  }
});

test("the audit log tells the story, and no page made a mistake", async () => {
  const { page } = admin;
  await open(page, `/audit?subject=${connection.split("/").pop()}`);
  for (const action of [
    "connection.create",
    "connection.connected",
    "relink.create",
    "connection.consent_failed",
    "connection.reauthorized",
  ]) {
    await expect(page.getByText(action, { exact: true }).first()).toBeVisible();
  }
  expect([...admin.mistakes, ...support.mistakes]).toEqual([]);
});

test("every page is kept for the canary", async () => {
  const { page } = admin;
  const client = await (await page.request.get("/clients")).text();
  const clientPath = /\/clients\/[0-9a-f-]{36}/.exec(client)?.[0] ?? "";
  await crawl(page, house, [
    ...["/", "/connections", connection, "/clients", clientPath, "/clients/new", "/providers"],
    ...["/users", "/api-keys", "/audit", "/profile", "/metrics"],
  ]);
});
