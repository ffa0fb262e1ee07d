// A token from elsewhere becomes a connection: by the form, with a script and without.
import { expect, test } from "@playwright/test";
import { type House, startHouse } from "../support/house.js";
import { fact, section, signIn } from "../support/people.js";
import { freePort } from "../support/processes.js";
import { type Visitor, hydrated, visitor } from "../support/watch.js";

test.describe.configure({ mode: "serial" });

const ADMIN = "admin@example.com";

let house: House;
let password: string;
/** An access token of Alice's, as another system would have it. */
let token: string;

test.beforeAll(async ({ browser }) => {
  house = await startHouse("exchange", ["demo", "--sandbox-listen", `127.0.0.1:${await freePort()}`]);
  password = await house.logged(/password\s+(\S+)/);
  const { page, context } = await visitor(browser, house);
  await signIn(page, house, { email: ADMIN, password });
  await page.goto("/api-keys");
  await hydrated(page);
  await page.getByLabel("Name").fill("the other system");
  for (const scope of ["connections:read", "tokens:read"]) await page.locator(`[value='${scope}']`).check();
  await page.getByRole("button", { name: "Create key" }).click();
  const key = house.shownOnce("an API key", await page.getByLabel(/^The key/).inputValue());
  const ask = async (path: string) => {
    const answer = await fetch(`${house.url}/api/v1${path}`, { headers: { authorization: `Bearer ${key}` } });
    return (await answer.json()) as Record<string, unknown>;
  };
  const { items } = await ask("/connections?q=Alice%27s%20calendar");
  const [{ id }] = items as { id: string }[];
  token = house.secret("a token to be exchanged", (await ask(`/connections/${id}/token`)).access_token as string);
  await context.close();
});

test.afterAll(async () => {
  await house?.stop();
});

for (const scripted of [true, false]) {
  test.describe(scripted ? "with a script" : "without a script", () => {
    let admin: Visitor;

    test.beforeAll(async ({ browser }) => {
      admin = await visitor(browser, house, { javaScriptEnabled: scripted });
      await signIn(admin.page, house, { email: ADMIN, password });
    });

    test.afterAll(async () => {
      expect(admin.mistakes.filter((mistake) => !/status of 4\d\d/.test(mistake))).toEqual([]);
      await admin.context.close();
    });

    const form = async (what: string) => {
      const { page } = admin;
      await page.goto("/clients");
      await page.getByRole("link", { name: "Support desk" }).first().click();
      await page.getByRole("link", { name: "Connect an account" }).click();
      if (scripted) await hydrated(page);
      const part = section(page, "From another token");
      await part.getByText("Exchange a token").click();
      await part.getByLabel("Label").fill("Exchanged");
      await part.getByLabel("Token", { exact: true }).fill(what);
      await part.getByLabel("Kind of token").selectOption({ label: "access token" });
      return part;
    };

    test("a token that nobody knows is refused in words, and is not shown again", async () => {
      const unknown = house.secret("a token that nobody knows", `nobody-knows-${scripted}-4f1c77d0a9`);
      const part = await form(unknown);
      await part.getByRole("button", { name: "Exchange", exact: true }).click();
      await expect(part.getByText("did not give a token").first()).toBeVisible();
      await expect(part.getByLabel("Label")).toHaveValue("Exchanged");
      expect(admin.page.url()).toContain("/connections/new");
      if (!scripted) expect(await admin.page.content()).not.toContain(unknown);
    });

    test("one that lives becomes a connection of its account that renews itself", async () => {
      const part = await form(token);
      await part.getByRole("button", { name: "Exchange", exact: true }).click();
      await admin.page.waitForURL(/\/connections\/[0-9a-f-]{36}$/);
      await expect(admin.page.locator(".head .badge")).toHaveText("alive");
      await expect(fact(admin.page, "Account")).toContainText("alice");
      await expect(fact(admin.page, "Refresh token ends")).not.toContainText("there is none");
      expect(await admin.page.content()).not.toContain(token);
    });
  });
}
