// Forms as the page's script sends them: nothing that was typed is lost, and nothing is sent twice.
import { expect, test } from "@playwright/test";
import { type House, startHouse } from "../support/house.js";
import { ADMIN, SUPPORT, becomeFirstAdmin, open } from "../support/people.js";
import { type Visitor, visitor } from "../support/watch.js";

test.describe.configure({ mode: "serial" });

let house: House;
let admin: Visitor;

test.beforeAll(async ({ browser }) => {
  house = await startHouse("forms");
  admin = await visitor(browser, house);
  await becomeFirstAdmin(admin.page, house);
});

test.beforeEach(async () => {
  await open(admin.page, "/users");
});

test.afterAll(async () => {
  await house?.stop();
});

async function fillIn(email: string): Promise<void> {
  const { page } = admin;
  house.secret("support's password", SUPPORT.password);
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("First password").fill(SUPPORT.password);
  await page.getByLabel("Role").last().selectOption("auditor");
}

test("what was typed stays when something is wrong with it", async () => {
  const { page, mistakes } = admin;
  await fillIn(ADMIN.email);
  await page.getByRole("button", { name: "Add user" }).click();
  await expect(page.locator(".wrong")).toBeVisible();
  await expect(page.getByLabel("E-mail")).toHaveValue(ADMIN.email);
  await expect(page.getByLabel("E-mail")).toBeFocused();
  await expect(page.getByLabel("First password")).toHaveValue(SUPPORT.password);
  await expect(page.getByLabel("Role").last()).toHaveValue("auditor");

  await page.getByLabel("E-mail").fill("ada@example.test");
  await page.getByRole("button", { name: "Add user" }).click();
  await expect(page.getByRole("cell", { name: "ada@example.test" })).toBeVisible();
  await expect(page.locator(".wrong")).toHaveCount(0);
  await expect(page.getByLabel("First password")).toHaveValue("");
  expect(mistakes).toEqual([]);
});

test("a form under way is not sent again", async () => {
  const { page } = admin;
  let sent = 0;
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await page.route("**/rpc/user/**", async (route) => {
    sent += 1;
    await released;
    await route.continue();
  });
  await fillIn("once@example.test");
  const button = page.getByRole("button", { name: "Add user" });
  await button.click();
  await expect(page.locator("form[aria-busy=true]")).toHaveCount(1);
  await button.click();
  release();
  await expect(page.getByRole("cell", { name: "once@example.test" })).toBeVisible();
  expect(sent).toBe(1);
  await page.unroute("**/rpc/user/**");
});

test("a server that is away is said, and costs nothing that was typed", async () => {
  const { page, mistakes } = admin;
  await page.route("**/rpc/user/**", (route) => route.abort());
  await fillIn("later@example.test");
  await page.getByRole("button", { name: "Add user" }).click();
  await expect(page.getByText("could not be reached")).toBeVisible();
  await expect(page.getByLabel("E-mail")).toHaveValue("later@example.test");
  await page.unroute("**/rpc/user/**");
  await page.getByRole("button", { name: "Add user" }).click();
  await expect(page.getByRole("cell", { name: "later@example.test" })).toBeVisible();
  mistakes.splice(0);
});
