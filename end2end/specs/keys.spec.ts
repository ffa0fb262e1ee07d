// The keys of the dashboard, and the reader's own hours.
import AxeBuilder from "@axe-core/playwright";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { type House, startHouse } from "../support/house.js";
import { signIn } from "../support/people.js";
import { screenshots } from "../support/places.js";
import { freePort } from "../support/processes.js";
import { type Visitor, hydrated, visitor } from "../support/watch.js";

test.describe.configure({ mode: "serial" });

let demo: House;
let password: string;
let admin: Visitor;

test.beforeAll(async ({ browser }) => {
  demo = await startHouse("keys", ["demo", "--sandbox-listen", `127.0.0.1:${await freePort()}`]);
  password = await demo.logged(/password\s+(\S+)/);
  admin = await visitor(browser, demo);
  await signIn(admin.page, demo, { email: "admin@example.com", password });
});

test.afterAll(async () => {
  await demo?.stop();
});

test("keys lead from place to place, and to what is searched", async () => {
  const { page } = admin;
  await page.goto("/");
  await hydrated(page);
  await page.keyboard.press("g");
  await page.keyboard.press("l");
  await page.waitForURL("/clients");
  await hydrated(page);
  // Where nothing can be searched, it is the connections that one looks for.
  await page.keyboard.press("/");
  await page.waitForURL(/\/connections/);
  const search = page.getByLabel("Label, account or external id");
  await expect(search).toBeFocused();
  // Whoever types goes nowhere.
  await page.keyboard.type("gc/?jk");
  await expect(search).toHaveValue("gc/?jk");
  await expect(page.getByRole("dialog")).toBeHidden();
  expect(new URL(page.url()).pathname).toBe("/connections");
});

test("keys go from row to row", async () => {
  const { page } = admin;
  await page.goto("/connections?sort=label");
  await hydrated(page);
  const rows = page.locator(".board-row .board-name a");
  for (const [key, at] of [["j", 0], ["j", 1], ["j", 2], ["k", 1]] as const) {
    await page.keyboard.press(key);
    await expect(rows.nth(at)).toBeFocused();
  }
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/connections\/[0-9a-f-]{36}$/);
});

test("keys go on from what was found at the desk", async () => {
  const { page } = admin;
  await page.goto("/relinks?q=calendar");
  const rows = page.locator(".found .found-name > a");
  await expect(rows.nth(0)).toBeFocused();
  await hydrated(page);
  for (const [key, at] of [["j", 1], ["k", 0]] as const) {
    await page.keyboard.press(key);
    await expect(rows.nth(at)).toBeFocused();
  }
});

test("the keys are listed, and can be switched off", async () => {
  const { page } = admin;
  await page.goto("/clients");
  await hydrated(page);
  await page.keyboard.press("?");
  const list = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await expect(list).toBeVisible();
  await expect(list.getByText("Connections")).toBeVisible();
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
    await page.screenshot({ path: join(screenshots, `keys-${colorScheme}.png`) });
  }
  await list.getByLabel("Listen for these keys").uncheck();
  await page.keyboard.press("Escape");
  await expect(list).toBeHidden();
  await page.goto("/clients");
  await hydrated(page);
  await page.keyboard.press("?");
  await page.keyboard.press("g");
  await page.keyboard.press("c");
  await expect(list).toBeHidden();
  expect(new URL(page.url()).pathname).toBe("/clients");
  await page.getByRole("button", { name: "Shortcuts" }).click();
  await expect(list.getByLabel("Listen for these keys")).not.toBeChecked();
  await list.getByLabel("Listen for these keys").check();
  await list.getByRole("button", { name: "Close" }).click();
  await page.keyboard.press("g");
  await page.keyboard.press("c");
  await page.waitForURL("/connections");
});

test("on a phone the places are behind one line that says where one is", async ({ browser }) => {
  const phone = await visitor(browser, demo, { viewport: { width: 390, height: 844 } });
  const { page } = phone;
  await signIn(page, demo, { email: "admin@example.com", password });
  await page.goto("/clients");
  await hydrated(page);
  const line = page.getByRole("banner");
  expect((await line.boundingBox())?.height).toBeLessThan(56);
  const menu = line.getByRole("button", { name: "Menu" });
  await expect(menu).toHaveText(/Clients/);
  const places = page.getByRole("navigation", { name: "Main" });
  await expect(places).toBeHidden();
  await menu.focus();
  await page.keyboard.press("Enter");
  await expect(places).toBeVisible();
  await expect(places.getByRole("link", { name: "Clients" })).toHaveAttribute("aria-current", "page");
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
    await page.screenshot({ path: join(screenshots, `menu-${colorScheme}.png`) });
  }
  await page.keyboard.press("Escape");
  await expect(places).toBeHidden();
  await expect(menu).toBeFocused();
  await menu.click();
  // What comes after the button is the first place.
  await page.keyboard.press("Tab");
  await expect(places.getByRole("link", { name: "Overview" })).toBeFocused();
  await places.getByRole("link", { name: "Audit" }).click();
  await page.waitForURL("/audit");
  await expect(places).toBeHidden();
  await expect(line.getByRole("button", { name: "Menu" })).toHaveText(/Audit/);
  expect(phone.mistakes).toEqual([]);
  await phone.context.close();
});

test("hours are the reader's own, and the exact one is on hover", async ({ browser }) => {
  const away = await visitor(browser, demo, { timezoneId: "America/New_York" });
  await signIn(away.page, demo, { email: "admin@example.com", password });
  for (const [path, own] of [["/audit", /, \d\d:\d\d:\d\d (GMT-[45]|E[SD]T)$/], ["/users", /^\d{1,2} \w+ \d{4}$/]] as const) {
    await away.page.goto(path);
    await hydrated(away.page);
    const time = away.page.locator("main time").first();
    await expect(time).toHaveText(own);
    const title = (await time.getAttribute("title")) ?? "";
    expect(title).toMatch(/^\d{1,2} \w+ \d{4}, \d\d:\d\d:\d\d UTC$/);
    const at = Date.parse((await time.getAttribute("datetime")) ?? "");
    expect(Date.parse(title.replace(",", ""))).toBe(Math.floor(at / 1000) * 1000);
  }
  expect(away.mistakes).toEqual([]);
  await away.context.close();
});

test("no page made a mistake", () => {
  expect(admin.mistakes).toEqual([]);
});
