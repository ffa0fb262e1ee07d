// Pages that are open show what happens elsewhere, and leave alone whoever is at work in them.
import { expect, test, type Page } from "@playwright/test";
import { connectAccount, createKey, registerClient } from "../support/furnish.js";
import { type House, startHouse } from "../support/house.js";
import { becomeFirstAdmin, fact, open, section } from "../support/people.js";
import { type AuthorizationServer, startProvider } from "../support/provider.js";
import { type Visitor, visitor } from "../support/watch.js";

test.describe.configure({ mode: "serial" });

const SERVICE = "Orchard ID";
const ACCOUNT = "ada.lovelace";
const LABEL = "Ada's calendar";

let house: House;
let provider: AuthorizationServer;
let admin: Visitor;
let client: string;
let connection: string;
/** What another program sends with its requests. */
let headers: { authorization: string };

test.beforeAll(async ({ browser }) => {
  house = await startHouse("live");
  provider = await startProvider(house, 3600);
  admin = await visitor(browser, house);
  const { page } = admin;
  await becomeFirstAdmin(page, house);
  client = await registerClient(page, provider, SERVICE);
  connection = await connectAccount(page, LABEL, ACCOUNT);
  const scopes = ["connections:read", "connections:write", "connections:refresh", "clients:write"];
  headers = await createKey(page, house, "Another program", scopes);
});

test.afterAll(async () => {
  await admin?.context.close();
  await provider?.stop();
  await house?.stop();
});

/** Opens a page that says whether it was loaded anew. */
async function stay(path: string): Promise<Page> {
  const { page } = admin;
  const heard = page.waitForResponse((answer) => new URL(answer.url()).pathname === "/live");
  await open(page, path);
  await heard;
  await page.evaluate(() => Object.assign(window, { stayed: true }));
  return page;
}

async function stayed(page: Page): Promise<void> {
  expect(await page.evaluate(() => "stayed" in window)).toBe(true);
}

/** Another program refreshes the connection; its generation then. */
async function refresh(): Promise<number> {
  const answer = await fetch(`${house.url}/api/v1${connection}/refresh`, { method: "POST", headers });
  return ((await answer.json()) as { generation_after: number }).generation_after;
}

async function patch(path: string, body: object): Promise<void> {
  const typed = { ...headers, "content-type": "application/json" };
  const answer = await fetch(`${house.url}/api/v1${path}`, { method: "PATCH", headers: typed, body: JSON.stringify(body) });
  expect(answer.status).toBe(200);
}

/** Another program lets the connection rest, or not any more. */
async function rests(does: "pause" | "resume"): Promise<void> {
  const answer = await fetch(`${house.url}/api/v1${connection}/${does}`, { method: "POST", headers });
  expect(answer.ok).toBe(true);
}

test("a refresh by a program shows on the connection's open page", async () => {
  const page = await stay(connection);
  const generation = await refresh();
  await expect(fact(page, "Generation")).toHaveText(String(generation), { timeout: 4000 });
  await expect(section(page, "Refreshes").locator("tbody tr")).toHaveCount(generation - 1);
  await patch(connection, { label: "Ada's diary" });
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Ada's diary", { timeout: 4000 });
  await patch(connection, { label: LABEL });
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(LABEL, { timeout: 4000 });
  await stayed(page);
});

test("what is marked, typed or has the focus stays", async () => {
  const page = await stay(connection);
  const attempts = section(page, "Refreshes").locator("tbody tr");
  const before = await attempts.count();
  // Somebody copies a fact.
  const shown = await fact(page, "Generation").innerText();
  await fact(page, "Generation").evaluate((value) => getSelection()?.selectAllChildren(value));
  let generation = await refresh();
  await expect(attempts).toHaveCount(before + 1, { timeout: 4000 });
  await expect(fact(page, "Generation")).toHaveText(shown);
  expect(await page.evaluate(() => getSelection()?.toString())).toBe(shown);
  await page.evaluate(() => getSelection()?.removeAllRanges());
  await expect(fact(page, "Generation")).toHaveText(String(generation), { timeout: 4000 });

  // Somebody is about to see the token.
  await page.getByText("Reveal the access token").click();
  const password = page.getByLabel("Your password");
  await password.pressSequentially("half of");
  generation = await refresh();
  await expect(fact(page, "Generation")).toHaveText(String(generation), { timeout: 4000 });
  await expect(password).toBeFocused();
  await expect(password).toHaveValue("half of");
  await password.fill("");
  await page.getByText("Reveal the access token").click();

  // Somebody is about to disconnect it, and has typed another label before.
  await section(page, "Edit").getByLabel("Label").fill("Something else");
  await section(page, "Disconnect").locator("summary").click();
  generation = await refresh();
  await expect(fact(page, "Generation")).toHaveText(String(generation), { timeout: 4000 });
  await expect(page.getByText("Regrant forgets its tokens at once")).toBeVisible();
  await expect(section(page, "Edit").getByLabel("Label")).toHaveValue("Something else");

  // What a button did is told until the page is left.
  await page.getByRole("button", { name: "Refresh now" }).click();
  await expect(page.getByText("Refreshed: a new token is stored.")).toBeVisible();
  generation = await refresh();
  await expect(fact(page, "Generation")).toHaveText(String(generation), { timeout: 6000 });
  await expect(page.getByText("Refreshed: a new token is stored.")).toBeVisible();
  expect(admin.mistakes).toEqual([]);
});

test("the list changes, and not under what is ticked", async () => {
  const page = await stay("/connections");
  const line = page.locator(".board-row", { hasText: LABEL });
  await expect(line.locator(".badge")).toHaveText("alive");
  await rests("pause");
  await expect(line.locator(".badge")).toHaveText("paused", { timeout: 12_000 });

  await line.getByRole("checkbox").check();
  await rests("resume");
  const held = page.locator(".held");
  await expect(held).toBeVisible({ timeout: 12_000 });
  await expect(line.locator(".badge")).toHaveText("paused");
  await expect(line.getByRole("checkbox")).toBeChecked();
  await line.getByRole("checkbox").uncheck();
  await expect(line.locator(".badge")).toHaveText("alive", { timeout: 12_000 });
  await expect(held).toBeHidden();

  // Whoever stands on a row goes on standing there.
  const name = line.getByRole("link", { name: LABEL });
  await name.focus();
  await rests("pause");
  await expect(line.locator(".badge")).toHaveText("paused", { timeout: 12_000 });
  await expect(name).toBeFocused();
  await rests("resume");
  await stayed(page);
});

test("a button that is gone keeps its focus until somebody moves on", async () => {
  const page = await stay(connection);
  const button = page.getByRole("button", { name: "Refresh now" });
  await button.focus();
  await provider.revoke(ACCOUNT);
  await refresh();
  await expect(page.locator(".head .badge")).toHaveText("needs a person", { timeout: 4000 });
  await expect(page.locator(".why")).toContainText("consent was withdrawn");
  await expect(button).toBeFocused();
  await page.locator(".head-up").focus();
  await expect(button).toHaveCount(0, { timeout: 4000 });
  await expect(page.locator(".status")).toContainText("Has needed a person");
  await expect(page.locator(".head-up")).toBeFocused();
  await stayed(page);
});

test("a client's page shows how it stands", async () => {
  const page = await stay(client);
  await patch(client, { name: "Orchard, renamed" });
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Orchard, renamed", { timeout: 4000 });
  await stayed(page);
  const list = await stay("/clients");
  await patch(client, { name: SERVICE });
  await expect(list.getByRole("link", { name: SERVICE, exact: true }).first()).toBeVisible({ timeout: 4000 });
  await stayed(list);
  expect(admin.mistakes).toEqual([]);
});
