// What an admin does in a new house before a story can begin: a colleague, a client, an account.
import { expect, type Page } from "@playwright/test";
import type { House } from "./house.js";
import { SUPPORT, open, section } from "./people.js";
import { type AuthorizationServer, CLIENT_ID, CLIENT_SECRET, SCOPES, consent } from "./provider.js";
import { hydrated } from "./watch.js";

export async function addSupport(page: Page, house: House): Promise<void> {
  await open(page, "/users");
  const form = section(page, "Add a user");
  await form.getByLabel("E-mail").fill(SUPPORT.email);
  await form.getByLabel("First password").fill(house.secret("support's password", SUPPORT.password));
  await form.getByLabel("Role").selectOption("support");
  await form.getByRole("button", { name: "Add user" }).click();
  await page.getByText(SUPPORT.email).first().waitFor();
}

/** Registers the client that the server knows, by discovery; the address of its page. */
export async function registerClient(
  page: Page,
  provider: AuthorizationServer,
  service: string,
  scopes = SCOPES,
): Promise<string> {
  await open(page, "/clients/new");
  const discover = page.locator("form", { has: page.locator("[name=issuer]") });
  await discover.locator("[name=issuer]").fill(provider.issuer);
  await discover.locator("[name=name]").fill(service);
  await discover.getByRole("button", { name: "Discover" }).click();
  await page.getByLabel("Client id").fill(CLIENT_ID);
  await page.getByLabel("Client secret").fill(CLIENT_SECRET);
  await page.getByLabel("Scopes").fill(scopes);
  await page.getByRole("button", { name: "Register client" }).click();
  await page.waitForURL(/\/clients\/[0-9a-f-]{36}$/);
  await hydrated(page);
  return new URL(page.url()).pathname;
}

/** Makes an API key; what a program sends with it. */
export async function createKey(
  page: Page,
  house: House,
  name: string,
  scopes: string[],
): Promise<{ authorization: string }> {
  await open(page, "/api-keys");
  await page.getByLabel("Name").fill(name);
  for (const scope of scopes) await page.locator(`[value='${scope}']`).check();
  await page.getByRole("button", { name: "Create key" }).click();
  const key = await page.getByLabel(`The key “${name}”`).inputValue();
  house.shownOnce("an API key", key);
  return { authorization: `Bearer ${key}` };
}

/** Connects an account from its client's page, with its owner's consent; the address of its page. */
export async function connectAccount(page: Page, label: string, account: string): Promise<string> {
  await page.getByRole("link", { name: "Connect an account" }).click();
  const now = section(page, "By consent, now");
  await now.locator("[name=label]").fill(label);
  await now.getByRole("button", { name: /^Continue to/ }).click();
  await consent(page, account);
  await expect(page.getByRole("status")).toContainText("Connected");
  return new URL(page.url()).pathname;
}
