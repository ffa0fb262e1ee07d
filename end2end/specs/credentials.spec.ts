// What shows who one is: a client's credentials, tried before the first consent, and the password of
// somebody who forgot theirs. With and without JavaScript.
import AxeBuilder from "@axe-core/playwright";
import { join } from "node:path";
import { expect, test, type Page } from "@playwright/test";
import { type House, startHouse } from "../support/house.js";
import { addSupport } from "../support/furnish.js";
import { ADMIN, SUPPORT, becomeFirstAdmin, section, signIn } from "../support/people.js";
import { screenshots } from "../support/places.js";
import {
  type AuthorizationServer,
  CLIENT_ID,
  CLIENT_SECRET,
  SCOPES,
  consent,
  startProvider,
} from "../support/provider.js";
import { hydrated, visitor } from "../support/watch.js";

test.describe.configure({ mode: "serial" });

const SERVICE = "Orchard ID";
const WRONG = "one that was cut short 0123456789";
const PROVIDER = "orchard-id";

let house: House;
let provider: AuthorizationServer;

test.beforeAll(async ({ browser }) => {
  house = await startHouse("credentials");
  provider = await startProvider(house, 3600);
  house.secret("the client's secret", CLIENT_SECRET);
  house.secret("a wrong secret", WRONG);
  const admin = await visitor(browser, house);
  await becomeFirstAdmin(admin.page, house);
  await addSupport(admin.page, house);
  await admin.page.goto("/clients/new");
  const discover = admin.page.locator("form", { has: admin.page.locator("[name=issuer]") });
  await discover.locator("[name=issuer]").fill(provider.issuer);
  await discover.locator("[name=name]").fill(SERVICE);
  await discover.getByRole("button", { name: "Discover" }).click();
  await admin.page.getByRole("heading", { name: `Register a client at ${SERVICE}` }).waitFor();
  await admin.context.close();
});

test.afterAll(async () => {
  await provider?.stop();
  await house?.stop();
});

const look = async (page: Page, name: string) => {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    for (const width of [390, 768, 1440]) {
      await page.setViewportSize({ width, height: 900 });
      await page.screenshot({ path: join(screenshots, `${name}-${colorScheme}-${width}.png`), fullPage: true });
      if (width === 390) {
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        expect(wide, `${name} is as wide as the phone`).toBeLessThanOrEqual(width);
      }
    }
    expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 1280, height: 800 });
};

for (const script of [true, false]) {
  const how = script ? "with a script" : "without a script";
  const ready = async (page: Page) => (script ? hydrated(page) : undefined);

  test(`a wrong secret shows before the first consent, ${how}`, async ({ browser }) => {
    const { context, page, mistakes } = await visitor(browser, house, { javaScriptEnabled: script });
    await signIn(page, house, ADMIN);
    await page.goto(`/clients/new?provider=${PROVIDER}`);
    await page.getByLabel("Name").fill(`Calendars ${how}`);
    await page.getByLabel("Client id").fill(CLIENT_ID);
    await page.getByLabel("Client secret").fill(WRONG);
    await page.getByLabel("Scopes").fill(SCOPES);
    await page.getByRole("button", { name: "Register client" }).click();

    await page.waitForURL(/\/clients\/[0-9a-f-]{36}$/);
    const client = page.url();
    await ready(page);
    const steps = section(page, "First steps");
    await expect(steps.getByLabel("Redirect URI")).toHaveValue(`${house.url}/oauth/callback`);
    if (script) await look(page, "client-first-steps");
    await steps.getByRole("button", { name: "Check credentials" }).click();
    const told = page.locator(".notice[role=status]");
    if (script) await expect(told).toBeFocused();
    await expect(told).toContainText("The credentials are refused");
    await expect(told).toContainText(`Compare both with what ${SERVICE} shows`);
    await told.getByText(`What ${SERVICE} said`).click();
    await expect(told).toContainText("invalid_client");
    const works = page.getByText("No refresh is refused for its name or secret, as far as Regrant knows.");
    await expect(works).toBeHidden();
    if (script) {
      // What was found is what one hears, and the page goes on saying it, and nothing against it.
      await look(page, "client-check-refused");
      const looked = page.waitForResponse((answer) => answer.request().method() === "GET" && answer.url() === client);
      await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
      await looked;
      await expect(works).toBeHidden();
      await expect(told).toContainText("The credentials are refused");
    }
    expect(page.url()).toBe(client);

    const form = page.locator("form", { has: page.getByRole("button", { name: "Replace secret" }) });
    await form.getByLabel("Client secret").fill(CLIENT_SECRET);
    await form.getByRole("button", { name: "Replace secret" }).click();
    await expect(page.getByText("Replaced. The old secret is gone.")).toBeVisible();
    await section(page, "First steps").getByRole("button", { name: "Check credentials" }).click();
    await expect(told).toContainText("The credentials are accepted");
    if (script) await look(page, "client-check-accepted");

    await page.getByRole("link", { name: "Connect the first account" }).click();
    const now = section(page, "By consent, now");
    await now.locator("[name=label]").fill(`Ada ${how}`);
    await now.getByRole("button", { name: `Continue to ${SERVICE}` }).click();
    await consent(page, "ada.lovelace");
    await expect(page.getByRole("status")).toContainText("Connected");

    // What is known of it is not told again, and it can be checked at any time.
    await page.goto(client);
    await ready(page);
    await expect(section(page, "First steps")).toHaveCount(0);
    await expect(told).toHaveCount(0);
    await page.getByRole("button", { name: "Check credentials" }).click();
    await expect(told).toContainText("The credentials are accepted");
    if (script) expect(mistakes).toEqual([]);
    await context.close();
  });

  test(`whoever forgot their password is given another, ${how}`, async ({ browser }) => {
    const password = house.secret("a new password", `another one for sam, ${how}`);
    const sam = await visitor(browser, house, { javaScriptEnabled: script });
    const before = script ? SUPPORT.password : "another one for sam, with a script";
    await signIn(sam.page, house, { email: SUPPORT.email, password: before });
    const { context, page, mistakes } = await visitor(browser, house, { javaScriptEnabled: script });
    await signIn(page, house, ADMIN);
    await page.goto("/users");
    await ready(page);
    if (script) await look(page, "users-passwords");
    const row = page.getByRole("row", { name: SUPPORT.email });
    await row.getByRole("link", { name: "New password" }).click();
    await expect(page.getByRole("heading", { level: 1, name: `New password for ${SUPPORT.email}` })).toBeVisible();
    await ready(page);
    if (script) await look(page, "user-password");
    await page.getByLabel("New password").fill(password);
    await page.getByLabel("Your own password").fill("not ruth's");
    await page.getByRole("button", { name: "Set password" }).click();
    await expect(page.locator(".wrong")).toHaveText("is not your present password");
    await page.getByLabel("New password").fill(password);
    await page.getByLabel("Your own password").fill(ADMIN.password);
    await page.getByRole("button", { name: "Set password" }).click();
    await expect(page.getByText("Set. Their sessions have ended")).toBeVisible();
    expect(page.url()).not.toContain(encodeURIComponent(password));

    await sam.page.goto("/connections");
    await expect(sam.page.getByRole("heading", { name: "Sign in" })).toBeVisible();
    await sam.page.goto("/login");
    await sam.page.getByLabel("E-mail").fill(SUPPORT.email);
    await sam.page.getByLabel("Password").fill(before);
    await sam.page.getByRole("button", { name: "Sign in" }).click();
    await expect(sam.page.getByText("The e-mail address or the password is not right.")).toBeVisible();
    await signIn(sam.page, house, { email: SUPPORT.email, password });
    if (script) expect([...mistakes, ...sam.mistakes]).toEqual([]);
    await sam.context.close();
    await context.close();
  });
}

test("what was done is on record, and no page holds a secret", async ({ browser }) => {
  const { context, page } = await visitor(browser, house);
  await signIn(page, house, ADMIN);
  for (const action of ["client.check", "user.set_password"]) {
    await page.goto(`/audit?action=${action}`);
    await expect(page.getByText(action, { exact: true }).first()).toBeVisible();
  }
  await context.close();
});
