// Where consent is given on another device: an account is connected by a code, its grant dies, and its
// owner brings it back by a link, on a phone, without a script.
import { expect, test, type Page } from "@playwright/test";
import { join } from "node:path";
import { type House, startHouse } from "../support/house.js";
import { becomeFirstAdmin, fact, open, section } from "../support/people.js";
import { houses } from "../support/places.js";
import { type AuthorizationServer, startProvider } from "../support/provider.js";
import { visitor } from "../support/watch.js";
import { walk } from "../support/walk.js";

test.describe.configure({ mode: "serial" });

const SERVICE = "Living Room";
const OWNER = "ada";

let house: House;
let provider: AuthorizationServer;
let page: Page;
let connection: string;

test.beforeAll(async ({ browser }) => {
  house = await startHouse("codes");
  provider = await startProvider(house, 3600);
  page = (await visitor(browser, house)).page;
  await becomeFirstAdmin(page, house);
});

test.afterAll(async () => {
  await provider?.stop();
  await house?.stop();
});

/** Types the code that a page shows at the provider, as `account`. */
async function type(shown: Page, account: string): Promise<void> {
  const complete = await shown
    .getByRole("link", { name: "the address with the code in it" })
    .getAttribute("href");
  await walk(complete ?? "", { login: account, password: "x" });
}

test("a provider without a page for consent is written by hand", async () => {
  const profile = {
    slug: "living-room",
    name: SERVICE,
    issuer: provider.issuer,
    endpoints: {
      token: `${provider.issuer}/token`,
      device_authorization: `${provider.issuer}/device/auth`,
      userinfo: `${provider.issuer}/me`,
    },
    grants: ["device_code"],
    request: { authentication: { method: "none" } },
    authorization: { default_scopes: ["openid", "email", "offline_access"] },
    response: { account: { id: [{ from: "userinfo", pointer: "/sub" }] } },
  };
  await open(page, "/providers/new");
  await page.getByRole("button", { name: "JSON", exact: true }).click();
  await page.getByLabel("Profile (JSON)").fill(JSON.stringify(profile, null, 2));
  await page.getByRole("button", { name: "Add provider" }).click();
  await expect(page.getByText("Saved.")).toBeVisible();
});

test("a code connects an account, and the page says so by itself", async () => {
  await page.goto("/clients/new?provider=living-room");
  await page.getByLabel("Client id").fill("public-client");
  await page.getByRole("button", { name: "Register client" }).click();
  await page.getByRole("link", { name: "Connect an account" }).click();
  const form = section(page, "With a code on another device");
  await form.getByLabel("Label").fill("Ada's television");
  await form.getByRole("button", { name: "Get a code" }).click();
  await expect(page.locator("[data-device-code]")).toBeVisible();
  connection = new URL(page.url()).pathname;
  await type(page, OWNER);
  await expect(page.locator(".head .badge")).toHaveText("alive", { timeout: 25_000 });
});

test("its owner brings it back on a phone without a script", async ({ browser }) => {
  expect(await provider.revoke(OWNER)).toBe(1);
  await open(page, connection);
  await page.getByRole("button", { name: "Refresh now" }).click();
  await expect(page.locator(".head .badge")).toHaveText("needs a person");
  await page.getByRole("button", { name: "Create a relink" }).click();
  const link = await page.getByLabel("Relink", { exact: true }).inputValue();
  house.shownOnce("the relink's token", new URL(link).pathname.split("/").pop() ?? "");

  const owner = await visitor(browser, house, {
    javaScriptEnabled: false,
    viewport: { width: 390, height: 844 },
  });
  await owner.page.goto(link);
  await owner.page.getByRole("button", { name: "Get a code" }).click();
  await expect(owner.page.locator("[data-device-code]")).toBeVisible();
  await owner.page.screenshot({ path: join(houses, "codes", "relink-code.png"), fullPage: true });
  await type(owner.page, "somebody-else");
  const reload = async () => {
    await owner.page.goto(link);
    return owner.page.locator("main").innerText();
  };
  await expect.poll(reload, { timeout: 25_000 }).toContain("Get another code");
  await expect(owner.page.locator("main")).toContainText("another account");
  await owner.page.getByRole("button", { name: "Get another code" }).click();
  await type(owner.page, OWNER);
  await expect.poll(reload, { timeout: 25_000 }).toContain("It worked");
  await owner.page.screenshot({ path: join(houses, "codes", "relink-done.png"), fullPage: true });
  expect(owner.mistakes).toEqual([]);
  await open(page, connection);
  await expect(page.locator(".head .badge")).toHaveText("alive");
  await expect(fact(page, "Generation")).toHaveText("2");
});
