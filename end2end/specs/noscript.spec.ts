// Regrant without JavaScript: every form and every filter is the browser's own.
import { expect, test, type Page } from "@playwright/test";
import { connectAccount, registerClient } from "../support/furnish.js";
import { type House, startHouse } from "../support/house.js";
import { ADMIN, becomeFirstAdmin, crawl, fact, section, signIn } from "../support/people.js";
import { type AuthorizationServer, consent, startProvider } from "../support/provider.js";
import { hydrated, visitor } from "../support/watch.js";

test.describe.configure({ mode: "serial" });

const SERVICE = "Orchard ID";

let house: House;
let provider: AuthorizationServer;
let page: Page;
let connection: string;

test.beforeAll(async ({ browser }) => {
  house = await startHouse("noscript");
  provider = await startProvider(house, 3600);
  page = (await visitor(browser, house, { javaScriptEnabled: false })).page;
});

test.afterAll(async () => {
  await provider?.stop();
  await house?.stop();
});

test("login, and what is wrong with one", async () => {
  await becomeFirstAdmin(page, house);
  await page.getByRole("button", { name: "Sign out" }).click();

  await page.goto("/connections?state=active");
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await page.getByLabel("E-mail").fill(ADMIN.email);
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByText("The e-mail address or the password is not right.")).toBeVisible();
  expect(page.url()).not.toContain("not+the+password");

  await page.getByLabel("E-mail").fill(ADMIN.email);
  await page.getByLabel("Password").fill(ADMIN.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  // Back where one wanted to go.
  await expect(page).toHaveURL(`${house.url}/connections?state=active`);
});

test("what a script needs is fetched where one runs, and once", async ({ browser }) => {
  for (const script of [true, false]) {
    const other = await visitor(browser, house, { javaScriptEnabled: script });
    const asked: string[] = [];
    other.page.on("request", (request) => asked.push(/\.(js|wasm)$/.exec(new URL(request.url()).pathname)?.[1] ?? ""));
    await other.page.goto("/login", { waitUntil: "networkidle" });
    if (script) await hydrated(other.page);
    expect(asked.filter(Boolean).sort()).toEqual(script ? ["js", "wasm"] : []);
    await other.context.close();
  }
});

test("a form says which field is wrong, beside it", async () => {
  await page.goto("/users");
  const form = section(page, "Add a user");
  await form.getByLabel("E-mail").fill(ADMIN.email);
  await form.getByLabel("First password").fill(house.secret("a password not taken", "one that is long enough 3"));
  await form.getByRole("button", { name: "Add user" }).click();
  const field = section(page, "Add a user").locator(".field", { has: page.locator("[name=email]") });
  await expect(field.locator(".wrong")).toHaveText("someone with this address exists already");
  await expect(field.locator("[name=email]")).toHaveAttribute("aria-invalid", "true");
});

test("a client, a connection and a consent", async () => {
  await registerClient(page, provider, SERVICE);
  connection = await connectAccount(page, "Grace's calendar", "grace.hopper");
});

test("the list is narrowed by its address", async () => {
  await page.getByRole("link", { name: "Connections" }).first().click();
  await page.getByRole("combobox", { name: "State", exact: true }).selectOption("needs-person");
  await page.getByRole("button", { name: "Show" }).click();
  await expect(page).toHaveURL(/[?&]standing=needs-person/);
  await expect(page.getByRole("link", { name: "Grace's calendar" })).toHaveCount(0);

  await page.getByRole("combobox", { name: "State", exact: true }).selectOption("alive");
  await page.getByLabel("Label, account or external id").fill("grace");
  await page.getByRole("button", { name: "Show" }).click();
  await expect(page).toHaveURL(/[?&]q=grace/);
  await page.getByRole("link", { name: "Grace's calendar" }).click();
  await expect(page).toHaveURL(house.url + connection);
});

test("a connection says how it is, and is refreshed", async () => {
  await expect(page.locator(".head .badge")).toHaveText("alive");
  // What only a script can say is not said.
  await expect(page.locator(".stale")).toBeHidden();
  await expect(page.locator(".held")).toBeHidden();
  await expect(fact(page, "Generation")).toHaveText("1");
  await page.getByRole("button", { name: "Refresh now" }).click();
  await expect(fact(page, "Generation")).toHaveText("2");
  await expect(section(page, "Refreshes").locator("tbody tr").first()).toContainText("by hand");
});

test("a relink is shown once, and works", async ({ browser }) => {
  await page.getByRole("button", { name: "Create a relink" }).click();
  const field = page.getByLabel("Relink", { exact: true });
  const link = await field.inputValue();
  house.shownOnce("the relink's token", new URL(link).pathname.split("/").pop() ?? "");
  expect(page.url()).not.toContain(link);
  await page.reload();
  await expect(field).toHaveCount(0);

  const owner = await visitor(browser, house, { javaScriptEnabled: false });
  await owner.page.goto(link);
  await owner.page.getByRole("button", { name: `Continue to ${SERVICE}` }).click();
  await consent(owner.page, "grace.hopper");
  await expect(owner.page).toHaveURL(`${house.url}/relink/outcome/done`);
  await owner.context.close();
  await page.reload();
  await expect(fact(page, "Generation")).toHaveText("3");
});

test("an API key is shown once", async () => {
  await page.goto("/api-keys");
  const form = section(page, "Create a key");
  await form.getByLabel("Name").fill("nightly report");
  await form.getByRole("button", { name: "Create key" }).click();
  await expect(section(page, "Create a key").locator("fieldset .wrong")).toBeVisible();

  await page.goto("/api-keys");
  await form.getByLabel("Name").fill("nightly report");
  await form.locator("[value='connections:read']").check();
  await form.getByRole("button", { name: "Create key" }).click();
  const field = page.getByLabel("The key “nightly report”");
  const key = await field.inputValue();
  expect(key).toMatch(/^rgk_[\w-]{40,}$/);
  house.shownOnce("an API key", key);

  await page.reload();
  await expect(field).toHaveCount(0);
  await expect(page.getByRole("row", { name: "nightly report" })).toBeVisible();
});

test("on a phone a menu opens, leads on and signs out", async ({ browser }) => {
  const phone = await visitor(browser, house, { javaScriptEnabled: false, viewport: { width: 390, height: 844 } });
  await signIn(phone.page, house, ADMIN);
  const places = phone.page.getByRole("navigation", { name: "Main" });
  await expect(places).toBeHidden();
  await phone.page.getByRole("button", { name: "Menu" }).click();
  await places.getByRole("link", { name: "Clients" }).click();
  await expect(phone.page.getByRole("heading", { level: 1, name: "Clients" })).toBeVisible();
  await phone.page.getByRole("button", { name: "Menu" }).click();
  await phone.page.getByRole("button", { name: "Sign out" }).click();
  await expect(phone.page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await phone.context.close();
});

test("and the same person signs in again elsewhere", async ({ browser }) => {
  const other = await visitor(browser, house, { javaScriptEnabled: false });
  await signIn(other.page, house, ADMIN);
  await other.context.close();
  await crawl(page, house, ["/", "/connections", connection, "/clients", "/users", "/api-keys", "/audit"]);
});
