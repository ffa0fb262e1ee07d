// Who reads a token: programs with their keys, and an admin, to whom it is shown for a moment.
import { expect, test, type Page } from "@playwright/test";
import { addSupport, connectAccount, createKey, registerClient } from "../support/furnish.js";
import { type House, startHouse } from "../support/house.js";
import { look } from "../support/look.js";
import { ADMIN, SUPPORT, becomeFirstAdmin, fact, open, section, signIn } from "../support/people.js";
import { type AuthorizationServer, startProvider } from "../support/provider.js";
import { type Visitor, visitor } from "../support/watch.js";

test.describe.configure({ mode: "serial" });

const SERVICE = "Orchard ID";

let house: House;
let provider: AuthorizationServer;
let admin: Visitor;
let connection: string;
/** What a program sends with its requests. */
let headers: { authorization: string };

test.beforeAll(async ({ browser }) => {
  house = await startHouse("token");
  provider = await startProvider(house, 3600);
  admin = await visitor(browser, house);
  const { page } = admin;
  await becomeFirstAdmin(page, house);
  await addSupport(page, house);
  await registerClient(page, provider, SERVICE);
  connection = await connectAccount(page, "Grace's calendar", "grace.hopper");
});

test.afterAll(async () => {
  await admin?.context.close();
  await provider?.stop();
  await house?.stop();
});

/** Unfolds the form and enters a password. */
async function reveal(page: Page, password: string): Promise<void> {
  const field = page.getByLabel("Your password");
  if (!(await field.isVisible())) await page.getByText("Reveal the access token").click();
  await field.fill(password);
  await page.getByRole("button", { name: "Show the access token" }).click();
}

test("the page says which key read the token, and how often", async () => {
  const { page } = admin;
  const readers = section(page, "Readers of its token");
  await page.goto(connection);
  await expect(readers.getByText("Nobody read its token yet")).toBeVisible();
  headers = await createKey(page, house, "Nightly billing", ["tokens:read", "connections:refresh"]);
  for (let times = 0; times < 3; times++) {
    const answer = await page.request.get(`/api/v1${connection}/token`, { headers });
    expect(answer.status()).toBe(200);
  }
  await expect(async () => {
    await page.goto(connection);
    const row = readers.getByRole("row", { name: /Nightly billing/ });
    await expect(row).toContainText("API key", { timeout: 200 });
    await expect(row).toContainText("3 times, last", { timeout: 200 });
  }).toPass({ timeout: 15_000, intervals: [500] });
});

test("a token is shown for a moment to an admin who enters the password again", async () => {
  const { page } = admin;
  await open(page, connection);
  await reveal(page, "not the password");
  await expect(page.getByLabel("Your password")).toBeVisible();
  await expect(page.getByText("is not your present password")).toBeVisible();
  expect(new URL(page.url()).pathname).toBe(connection);
  await look(page, "connection-wrong-password");

  // The script's clock is ours here; the browser's own, which leaves the page too, has its test below.
  const began = Date.now();
  await page.clock.setFixedTime(began);
  await page.route("**/token", async (route) => {
    const response = await route.fetch();
    const { refresh, ...headers } = response.headers();
    if (refresh) expect(refresh).toBe(`30; url=${connection}`);
    await route.fulfill({ response, headers });
  });
  await reveal(page, ADMIN.password);
  await expect(page).toHaveURL(`${house.url}${connection}/token`);
  const secret = page.getByRole("region", { name: "The access token" });
  await expect(secret).toBeVisible();
  const token = await secret.innerText();
  expect(token.length).toBeGreaterThan(20);
  house.shownOnce("the provider's access_token", token);
  await expect(page.getByRole("timer")).toHaveText("Gone in 30 s.");
  await look(page, "token");
  await page.clock.setFixedTime(began + 20_000);
  await expect(page.getByRole("timer")).toHaveText("Gone in 10 s.");
  // What becomes of the connection meanwhile neither sweeps it away nor keeps it.
  const refreshed = await page.request.post(`/api/v1${connection}/refresh`, { headers });
  expect(refreshed.ok()).toBe(true);
  await expect(page.locator("[data-live]")).toHaveCount(0);
  await expect(secret).toHaveText(token);
  await page.clock.setFixedTime(began + 30_000);
  await expect(page).toHaveURL(`${house.url}${connection}`);
  expect(await page.content()).not.toContain(token);
  // Neither back, nor loaded again.
  await page.goBack();
  await page.goto(`${connection}/token`);
  await expect(page.getByText("A token is shown once")).toBeVisible();
  expect(await page.content()).not.toContain(token);

  await page.goto(connection);
  const audit = section(page, "Audit");
  await expect(audit.getByText("token.revealed")).toBeVisible();
  await expect(audit.getByText("token.refused")).toBeVisible();
  expect(await page.content()).not.toContain(token);
  expect(admin.mistakes).toEqual([]);
});

test("whoever leaves the page with the token finds it empty", async ({ browser }) => {
  const other = await visitor(browser, house);
  const { page } = other;
  await signIn(page, house, ADMIN);
  await open(page, connection);
  await page.getByRole("button", { name: "Refresh now" }).click();
  await expect(page.getByText("Refreshed: a new token is stored.")).toBeVisible();
  await reveal(page, ADMIN.password);
  const secret = page.getByRole("region", { name: "The access token" });
  const token = await secret.innerText();
  house.shownOnce("the provider's access_token", token);
  await page.getByRole("link", { name: "Done" }).click();
  await expect(page).toHaveURL(`${house.url}${connection}`);
  await page.goBack();
  await expect(page.getByText("A token is shown once")).toBeVisible();
  expect(await page.content()).not.toContain(token);
  // The form before it forgot the password.
  await page.goBack();
  await expect(page.getByText("Reveal the access token")).toBeVisible();
  await expect(page.locator("input[type=password]")).toHaveValue("");
  expect(other.mistakes).toEqual([]);
  await other.context.close();
});

test("without a script the page is left by itself", async ({ browser }) => {
  const plain = await visitor(browser, house, { javaScriptEnabled: false });
  const { page } = plain;
  await signIn(page, house, ADMIN);
  await page.goto(connection);
  await page.getByRole("button", { name: "Refresh now" }).click();
  await expect(page.getByText("Refreshed: a new token is stored.")).toBeVisible();
  await reveal(page, "not the password");
  await expect(page.getByText("is not your present password")).toBeVisible();
  await expect(page.getByLabel("Your password")).toBeVisible();
  expect(page.url()).not.toContain("not+the+password");
  await reveal(page, ADMIN.password);
  const secret = page.getByRole("region", { name: "The access token" });
  const token = await secret.innerText();
  house.shownOnce("the provider's access_token", token);
  expect(page.url()).not.toContain(token);
  await expect(page.getByRole("timer")).toContainText("after 30 seconds");
  await expect(page).toHaveURL(`${house.url}${connection}`, { timeout: 40_000 });
  await page.goBack();
  await expect(page.getByText("A token is shown once")).toBeVisible();
  await plain.context.close();
});

test("support sees who read it, and never the token", async ({ browser }) => {
  const support = await visitor(browser, house);
  const { page } = support;
  await signIn(page, house, SUPPORT);
  await open(page, connection);
  await expect(section(page, "Readers of its token").getByText("Nightly billing")).toBeVisible();
  await expect(page.getByText("Reveal the access token")).toHaveCount(0);
  await expect(fact(page, "Account")).toContainText("grace.hopper");
  const answer = await page.request.get(`${connection}/token`);
  expect(answer.status()).toBe(403);
  await support.context.close();
});
