// The overview: what will break, when, and what to do about it, at a glance; with the script and without.
import { expect, test, type Page } from "@playwright/test";
import { type House, startHouse } from "../support/house.js";
import { IN_PASSING, look } from "../support/look.js";
import { open, section, signIn, type Person } from "../support/people.js";
import { freePort } from "../support/processes.js";
import { type Visitor, hydrated, visitor } from "../support/watch.js";

let house: House;
let admin: Visitor;
let person: Person;

test.beforeAll(async ({ browser }) => {
  const sandbox = `127.0.0.1:${await freePort()}`;
  house = await startHouse("overview", ["demo", "--size", "4000", "--attempts", "12", "--sandbox-listen", sandbox]);
  person = { email: "admin@example.com", password: await house.logged(/password\s+(\S+)/) };
  admin = await visitor(browser, house);
  await signIn(admin.page, house, person);
});

test.afterAll(async () => {
  await admin?.context.close();
  await house?.stop();
});

for (const over of ["day", "month", "year"]) {
  test(`it is sound with the ${over} ahead`, async () => {
    const { page, mistakes } = admin;
    await open(page, `/?over=${over}`);
    await look(page, `overview-full-${over}`, IN_PASSING, mistakes);
  });
}

/** How many connections the list says there are. */
async function listed(page: Page): Promise<number> {
  const told = await page.locator(".found [role=status]").innerText();
  return Number(told.replace(/\D/g, ""));
}

/** From what happened to many to their list and to the links for all of them. */
async function followGroup(page: Page): Promise<void> {
  const row = section(page, "Needs a person").locator(".board-row.is-many").first();
  const name = row.locator(".board-name a");
  const count = Number(/^\D*([\d\u202f]+) connections of /.exec(await name.innerText())?.[1]?.replace(/\D/g, ""));
  expect(count).toBeGreaterThan(3);
  await row.getByRole("link", { name: "Relink all" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toContainText(/link/i);
  await expect(page.locator("main")).toContainText(String(count));
  await page.goBack();
  await name.click();
  await expect(page).toHaveURL(/\/connections\?.*reason=/);
  expect(await listed(page)).toBe(count);
}

test("what happened to many is one row, with what to do", async () => {
  await open(admin.page, "/");
  await followGroup(admin.page);
});

test("each bar leads to its list", async () => {
  const { page } = admin;
  await open(page, "/");
  await page.getByRole("navigation", { name: "How far ahead" }).getByRole("link", { name: "12 months" }).click();
  await expect(page).toHaveURL(/over=year/);
  await hydrated(page);
  const bar = section(page, "What runs out").locator("svg a", { has: page.locator("[data-kind=human]") }).first();
  const title = await bar.locator("title").textContent();
  const count = Number(/: ([\d\u202f]+) /.exec(title ?? "")?.[1]?.replace(/\D/g, ""));
  // A low bar's column leads there as well.
  await bar.locator(".chart-column").click({ position: { x: 3, y: 3 }, force: true });
  await expect(page).toHaveURL(/needs_human_after=.*needs_human_before=/);
  expect(await listed(page)).toBe(count);
  await expect(page.getByLabel("Order")).toHaveValue("needs_human_by");
});

test("all of it is there without a script", async ({ browser }) => {
  const plain = await visitor(browser, house, { javaScriptEnabled: false });
  const { page } = plain;
  await signIn(page, house, person);
  await page.goto("/");
  await followGroup(page);
  await page.goto("/");
  await page.getByRole("link", { name: "30 days" }).click();
  await expect(page.getByRole("link", { name: "30 days" })).toHaveAttribute("aria-current", "page");
  const runsOut = section(page, "What runs out");
  await runsOut.getByText("The same as a table").click();
  // The first column with a figure in it: what needs a person.
  const link = runsOut.locator("tbody tr td:nth-child(2) a").first();
  const count = Number((await link.innerText()).replace(/\D/g, ""));
  await link.click();
  expect(await listed(page)).toBe(count);
  await plain.context.close();
});

test("it is live, keeps what one unfolded, and says when it is not", async ({ browser }) => {
  const { page, context } = admin;
  await open(page, "/");
  const runsOut = section(page, "What runs out");
  await runsOut.getByText("The same as a table").click();
  const paused = page.locator(".counts [data-state=paused] .count");
  await expect(paused).toHaveCount(0);
  await page.evaluate(() => Object.assign(window, { stayed: true }));
  const elsewhere = await visitor(browser, house);
  await signIn(elsewhere.page, house, person);
  const pause = async (name: string) => {
    await open(elsewhere.page, "/connections?q=Alice&state=active");
    await elsewhere.page.getByRole("link", { name }).click();
    await hydrated(elsewhere.page);
    await elsewhere.page.getByRole("button", { name: "Pause" }).click();
    await expect(elsewhere.page.getByRole("button", { name: "Resume" })).toBeVisible();
  };
  await pause("Alice's calendar");
  await expect(paused).toHaveText("1", { timeout: 10_000 });
  await expect(runsOut.locator("tbody")).toBeVisible();

  const stale = page.locator("#overview .stale");
  await expect(stale).toBeHidden();
  expect(await page.evaluate(() => "stayed" in window)).toBe(true);
  await context.route("**/live", (route) => route.abort());
  await open(page, "/");
  await expect(stale).toBeVisible({ timeout: 10_000 });
  await page.evaluate(() => Object.assign(window, { stayed: true }));
  await pause("Alice's inbox");
  await context.unroute("**/live");
  await expect(paused).toHaveText("2", { timeout: 20_000 });
  await expect(stale).toBeHidden({ timeout: 20_000 });
  expect(await page.evaluate(() => "stayed" in window)).toBe(true);
  // That nothing was heard meanwhile is said in the console by the browser itself.
  admin.mistakes.splice(0);
  await elsewhere.context.close();
});
