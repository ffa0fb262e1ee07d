// Many connections at once: found as one types, chosen, confirmed, and worked at while nobody looks.
import { readFileSync } from "node:fs";
import { expect, test } from "@playwright/test";
import { type House, startHouse } from "../support/house.js";
import { signIn } from "../support/people.js";
import { screenshots } from "../support/places.js";
import { freePort } from "../support/processes.js";
import { type Visitor, hydrated, visitor } from "../support/watch.js";

test.describe.configure({ mode: "default" });

const ADMIN = "admin@example.com";
const SIZE = 400;

let house: House;
let password: string;

test.beforeAll(async () => {
  const sandbox = `127.0.0.1:${await freePort()}`;
  const args = ["demo", "--sandbox-listen", sandbox, "--size", `${SIZE}`, "--attempts", "2"];
  house = await startHouse("jobs", args);
  password = await house.logged(/password\s+(\S+)/);
});

test.afterAll(async () => {
  await house?.stop();
});

for (const script of [true, false]) {
  test.describe(script ? "with a script" : "without a script", () => {
    let person: Visitor;

    test.beforeAll(async ({ browser }) => {
      person = await visitor(browser, house, { javaScriptEnabled: script });
      await signIn(person.page, house, { email: ADMIN, password });
    });

    test.afterAll(async () => {
      await person?.context.close();
    });

    test("finds what is typed, in the address too, and keeps it by a name", async () => {
      const { page } = person;
      await page.goto(`${house.url}/connections`);
      await page.locator("select[name=sort]").selectOption("label");
      if (script) {
        await hydrated(page);
        await page.getByLabel("Label, account or external id").pressSequentially("warehouse");
        await expect(page).toHaveURL(/q=warehouse/);
        await expect(page.getByLabel("Label, account or external id")).toBeFocused();
      } else {
        await page.getByLabel("Label, account or external id").fill("warehouse");
        await page.getByRole("button", { name: "Show" }).click();
      }
      await expect(page).toHaveURL(/sort=label/);
      const names = await page.locator(".board-name a").allTextContents();
      expect(names.length).toBeGreaterThan(3);
      expect(names.every((name) => /warehouse/i.test(name))).toBe(true);
      expect(names).toEqual([...names].sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1)));

      const name = `Warehouses ${script}`;
      await page.getByText("Save this filter").click();
      await page.getByLabel("Name", { exact: true }).fill(name);
      await page.getByRole("button", { name: "Save", exact: true }).click();
      await expect(page.getByText("Saved. It stands above the list")).toBeVisible();
      await page.goto(`${house.url}/connections`);
      await page.getByRole("link", { name }).click();
      await expect(page).toHaveURL(/q=warehouse/);
      const drop = `Delete the saved filter ${name}`;
      await page.locator(`summary[aria-label="${drop}"]`).click();
      await page.getByRole("button", { name: drop }).click();
      await expect(page.getByText("The saved filter is deleted.")).toBeVisible();
      if (script) await expect(page.getByText("The saved filter is deleted.").locator("..")).toBeFocused();
      await expect(page.getByRole("link", { name })).toHaveCount(0);
    });

    test("pauses what is ticked, and resumes all that a filter lets through", async () => {
      const { page } = person;
      await page.goto(`${house.url}/connections?state=active&sort=label`);
      for (const nth of script ? [1, 3] : [5, 7]) await page.locator(".board-choice input").nth(nth).check();
      await page.locator("select[name=action]").selectOption({ label: "Pause" });
      await page.getByRole("button", { name: "With the ticked" }).click();
      await expect(page.getByText(/2 connections of [12] clients?/)).toBeVisible();
      await page.getByRole("button", { name: "Pause 2" }).click();
      await expect(page.getByText("Done: 2 of 2 done.")).toBeVisible({ timeout: 20_000 });

      await page.goto(`${house.url}/connections?q=warehouse`);
      await page.locator("select[name=action]").selectOption({ label: "Resume" });
      await page.getByRole("button", { name: /^With all/ }).click();
      await page.getByRole("button", { name: /^Resume/ }).click();
      await expect(page).toHaveURL(/\/jobs\/[0-9a-f-]{36}/);
      // Nobody has to look.
      const place = page.url();
      await page.goto(`${house.url}/`);
      await expect(async () => {
        await page.goto(place);
        await expect(page.getByText(/^Done: \d+ of \d+ done/)).toBeVisible({ timeout: 500 });
      }).toPass({ timeout: 30_000 });
      const download = page.waitForEvent("download");
      await page.getByRole("link", { name: "Download CSV" }).click();
      const file = readFileSync((await (await download).path()) ?? "", "utf8");
      expect(file).toContain("number,connection_id,label,client,outcome,detail,link,at");
    });
  });
}

for (const scheme of ["light", "dark"] as const) {
  for (const width of [390, 768, 1440]) {
    test(`shows the list and a job at ${width} px, ${scheme}`, async ({ browser }) => {
      const { page, context } = await visitor(browser, house, {
        colorScheme: scheme,
        viewport: { width, height: 900 },
      });
      await signIn(page, house, { email: ADMIN, password });
      for (const [name, path] of [
        ["list", "/connections?label=e"],
        ["confirm", "/jobs/new?of=all&action=disconnect&state=active"],
        ["jobs", "/jobs"],
      ]) {
        await page.goto(`${house.url}${path}`);
        const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(wider, `${name} is wider than the screen`).toBeLessThanOrEqual(0);
        await page.screenshot({ path: `${screenshots}/jobs-${name}-${width}-${scheme}.png` });
      }
      await page.goto(`${house.url}/jobs`);
      await page.locator(".table a").first().click();
      await page.screenshot({ path: `${screenshots}/jobs-one-${width}-${scheme}.png` });
      await context.close();
    });
  }
}
