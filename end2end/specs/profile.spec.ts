// Writing a profile: a preset is copied, changed in the form that is made from the schema, seen as
// JSON and TOML, and changed again. The same with a script and without.
import { expect, test, type Page } from "@playwright/test";
import { type House, startHouse } from "../support/house.js";
import { ADMIN, becomeFirstAdmin, signIn } from "../support/people.js";
import { type Visitor, hydrated, visitor } from "../support/watch.js";

test.describe.configure({ mode: "serial" });

let house: House;

test.beforeAll(async ({ browser }) => {
  house = await startHouse("profile");
  const first = await visitor(browser, house);
  await becomeFirstAdmin(first.page, house);
  await first.context.close();
});

test.afterAll(async () => {
  await house?.stop();
});

for (const scripted of [true, false]) {
  test.describe(scripted ? "with a script" : "without a script", () => {
    const slug = scripted ? "calendar-scripted" : "calendar-plain";
    let admin: Visitor;
    let page: Page;

    test.beforeAll(async ({ browser }) => {
      admin = await visitor(browser, house, { javaScriptEnabled: scripted });
      page = admin.page;
      await signIn(page, house, ADMIN);
    });

    test.afterAll(async () => {
      expect(admin.mistakes).toEqual([]);
      await admin.context.close();
    });

    const ready = async () => {
      if (scripted) await hydrated(page);
    };
    const part = (title: string) => page.locator("details.part", { has: page.getByRole("heading", { name: title }) });
    const named = (name: string) => page.locator(`[name="${name}"]`);
    const summary = () => page.locator(".profile-trouble");

    test("a copy of a preset holds what the preset holds, folded where nothing differs", async () => {
      await page.goto("/providers/cronofy");
      await page.getByRole("link", { name: "Copy as custom" }).click();
      await expect(page.getByRole("heading", { level: 1, name: "Add a provider" })).toBeVisible();
      await ready();
      await expect(page.getByText("A copy of Cronofy.")).toBeVisible();
      await expect(page.getByLabel("Slug")).toHaveValue("cronofy-copy");
      await expect(named("variables[0].choices[0].value")).toBeVisible();
      await expect(page.locator("fieldset.row", { hasText: "Variable 1" }).first()).toBeVisible();
      await expect(part("Consent").locator("summary").first()).toBeVisible();
    });

    test("what is wrong is told beside its field, and what was typed stays", async () => {
      await page.getByLabel("Slug").fill(slug);
      await named("name").fill("Our calendar");
      await named("endpoints.token").fill("http://elsewhere.example/token");
      await named("endpoints.token").press("Enter");
      await expect(summary()).toContainText("See the marked fields.");
      await expect(summary()).toBeFocused();
      const field = page.locator(".field", { has: named("endpoints.token") });
      await expect(field.locator(".wrong")).toHaveText("must be an absolute https URL (http on loopback only)");
      await expect(named("endpoints.token")).toHaveAttribute("aria-invalid", "true");
      await expect(named("name")).toHaveValue("Our calendar");
      await summary().getByRole("link", { name: "endpoints.token" }).click();
      await expect(named("endpoints.token")).toBeInViewport();
      await named("endpoints.token").fill("https://app.cronofy.com/oauth/token");
    });

    test("rows come, go and move", async () => {
      await part("Errors").locator("summary").first().click();
      const rules = page.getByRole("group", { name: "Rules" });
      const at = await rules.getByRole("group", { name: /^Error rule \d/ }).count();
      const count = at + 1;
      await page.getByRole("button", { name: "Add an error rule" }).click();
      await expect(named(`errors.rules[${at}].status`)).toBeFocused();
      await named(`errors.rules[${at}].status`).fill("418");
      await named(`errors.rules[${at}].class`).selectOption("transient");
      await page.getByRole("button", { name: "Add an error rule" }).click();
      await named(`errors.rules[${at + 1}].text`).fill("kaput");
      await named(`errors.rules[${at + 1}].class`).selectOption("client_refused");
      await page.getByRole("button", { name: `Move up Error rule ${at + 2}` }).click();
      await expect(named(`errors.rules[${at}].text`)).toHaveValue("kaput");
      await expect(named(`errors.rules[${at + 1}].status`)).toHaveValue("418");
      await page.getByRole("button", { name: `Take away Error rule ${at + 2}` }).click();
      await expect(rules.getByRole("group", { name: /^Error rule \d/ })).toHaveCount(count);
      await expect(named("name")).toHaveValue("Our calendar");
    });

    test("the same stands there as JSON and as TOML", async () => {
      await page.getByRole("button", { name: "JSON", exact: true }).click();
      await expect(page).toHaveURL(/as=json/);
      const json = page.getByLabel("Profile (JSON)");
      await expect(json).toHaveValue(/"text": "kaput"/);
      await json.fill((await json.inputValue()).replace("kaput", "out of order"));
      await page.getByRole("button", { name: "TOML", exact: true }).click();
      const toml = page.getByLabel("Profile (TOML)");
      await expect(toml).toHaveValue(/text = "out of order"/);
      const text = await toml.inputValue();
      await toml.fill("slug =");
      await page.getByRole("button", { name: "Form", exact: true }).click();
      await expect(summary().getByText("is no TOML")).toBeVisible();
      await expect(toml).toHaveValue("slug =");
      await toml.fill(text);
      await page.getByRole("button", { name: "Form", exact: true }).click();
      await expect(page.locator('[name^="errors.rules"][value="out of order"]')).toBeVisible();
    });

    test("it is added, and changed again", async () => {
      await page.getByRole("button", { name: "Add provider" }).click();
      await expect(page).toHaveURL(new RegExp(`/providers/${slug}`));
      await expect(page.getByText("Saved.")).toBeVisible();
      await page.getByRole("link", { name: "Edit", exact: true }).click();
      await ready();
      await part("Policy").locator("summary").first().click({ trial: true });
      if (!(await named("policy.replacing_secret_revokes_grants").isVisible())) {
        await part("Policy").locator("summary").first().click();
      }
      await named("policy.replacing_secret_revokes_grants").check();
      await page.getByRole("button", { name: "Save profile" }).click();
      await expect(page.getByText("Saved.")).toBeVisible();
      await expect(page.getByText("ends every connection of the client")).toBeVisible();
    });

    test("nobody leaves what is not saved without being asked", async () => {
      await page.goto(`/providers/${slug}/edit`);
      await ready();
      await page.getByRole("button", { name: "Leave", exact: true }).click();
      await expect(page).toHaveURL(new RegExp(`/providers/${slug}$`));
      await page.goto(`/providers/${slug}/edit`);
      await ready();
      await named("name").fill("Another name");
      await page.getByRole("button", { name: "Leave", exact: true }).click();
      await expect(summary()).toContainText("What you changed here is not saved.");
      await expect(summary()).toBeFocused();
      await expect(named("name")).toHaveValue("Another name");
      await summary().getByRole("link", { name: "Leave without saving" }).click();
      await expect(page).toHaveURL(new RegExp(`/providers/${slug}$`));
      await expect(page.getByRole("heading", { level: 1 })).toContainText("Our calendar");
    });

    test("an address that leads nowhere is told where it was typed", async () => {
      await page.goto("/providers/new");
      await ready();
      await page.getByLabel("Issuer address").fill("http://127.0.0.1:9/realms/none");
      await page.getByRole("button", { name: "Discover" }).click();
      const field = page.locator(".field", { has: named("issuer").first() });
      await expect(field.first().locator(".wrong")).toBeVisible();
      await expect(page.getByLabel("Issuer address")).toHaveValue("http://127.0.0.1:9/realms/none");
    });
  });
}

