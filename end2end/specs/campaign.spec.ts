// Links for many: a client asks for more than it did, support sends links to those it concerns and sees
// how far they are, with the script and without.
import { join } from "node:path";
import { expect, test, type Browser, type Page } from "@playwright/test";
import { addSupport, connectAccount, registerClient } from "../support/furnish.js";
import { type House, startHouse } from "../support/house.js";
import { look } from "../support/look.js";
import { ADMIN, SUPPORT, becomeFirstAdmin, open, section, signIn } from "../support/people.js";
import { screenshots } from "../support/places.js";
import { type AuthorizationServer, SCOPES, consent, startProvider } from "../support/provider.js";
import { hydrated, visitor } from "../support/watch.js";

test.describe.configure({ mode: "serial" });

const SERVICE = "Orchard ID";
const PEOPLE = ["marie.curie", "lise.meitner", "emmy.noether"];
const FEWER = SCOPES.replace(" api:read", "");

let house: House;
let provider: AuthorizationServer;

test.beforeAll(async ({ browser }) => {
  test.setTimeout(120_000);
  house = await startHouse("campaign");
  provider = await startProvider(house, 3600);
  const admin = await visitor(browser, house);
  const { page } = admin;
  await becomeFirstAdmin(page, house);
  await addSupport(page, house);
  const client = await registerClient(page, provider, SERVICE, FEWER);
  for (const account of PEOPLE) {
    const other = await visitor(browser, house);
    await signIn(other.page, house, ADMIN);
    await open(other.page, client);
    await connectAccount(other.page, `Calendar of ${account}`, account);
    await other.context.close();
  }
  // From now on the client asks for more.
  await open(page, client);
  const edit = section(page, "Edit");
  await edit.getByLabel("Scopes").fill(SCOPES);
  await edit.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("api:read").first()).toBeVisible();
  await admin.context.close();
});

test.afterAll(async () => {
  await provider?.stop();
  await house?.stop();
});

/** The links of those who are not done, by whom they are for. */
async function links(page: Page): Promise<Map<string, string>> {
  const file = page.getByRole("link", { name: "Stragglers as CSV" });
  const answer = await page.request.get((await file.getAttribute("href")) ?? "");
  const rows = (await answer.text()).trim().split("\n").slice(1);
  return new Map(
    rows.map((row) => {
      const link = /http\S+\/relink\/[^,"]+/.exec(row)?.[0] ?? "";
      house.shownOnce("a relink's token", new URL(link).pathname.split("/").pop() ?? "");
      return [PEOPLE.find((account) => row.includes(account)) ?? "", link];
    }),
  );
}

/** A customer opens their link and consents. */
async function follow(browser: Browser, link: string, account: string): Promise<void> {
  const owner = await visitor(browser, house, { javaScriptEnabled: false });
  await owner.page.goto(link);
  await owner.page.getByRole("button", { name: `Continue to ${SERVICE}` }).click();
  await consent(owner.page, account);
  await expect(owner.page.getByRole("heading", { name: "It worked" })).toBeVisible();
  await owner.context.close();
}

for (const [script, width] of [[true, 1440], [false, 390]] as const) {
  test(`from the desk to the last customer, ${script ? "with" : "without"} a script, ${width} px`, async ({ browser }) => {
    test.setTimeout(120_000);
    const waiting = script ? PEOPLE : PEOPLE.slice(1);
    const support = await visitor(browser, house, { javaScriptEnabled: script, viewport: { width, height: 900 } });
    const { page } = support;
    await signIn(page, house, SUPPORT);
    await page.getByRole("link", { name: "Who needs a link?" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Links for many" })).toBeVisible();
    const drift = section(page, "Scope drift");
    await expect(drift.getByRole("link", { name: `${waiting.length} connections`, exact: true })).toBeVisible();
    await expect(page.getByText("No connection came to need a person since then.")).toBeVisible();
    if (script) await look(page, "campaign-reasons");
    await drift.getByRole("link", { name: /^Create links/ }).click();
    await expect(page.getByText(`${waiting.length} connections of 1 client`)).toBeVisible();
    await expect(page.getByLabel(/^Ask for the scopes/)).toBeChecked();
    const make = page.getByRole("button", { name: `Create ${waiting.length} relinks` });
    await expect(make).toBeInViewport();
    if (script) {
      await hydrated(page);
      await look(page, "campaign-confirm");
    }
    const name = `More rights, ${script ? "scripted" : "plain"}`;
    await page.getByLabel("Name").fill(name);
    await make.click();
    await expect(page).toHaveURL(/\/jobs\/[0-9a-f-]{36}$/);
    await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
    const far = section(page, "Customers");
    await expect(far).toContainText(`0 of ${waiting.length} customers done`, { timeout: 30_000 });
    await expect(far.getByText("I have sent you a link").first()).toBeVisible();

    // One consents, and the page moves by itself.
    const first = waiting[0] ?? "";
    await follow(browser, (await links(page)).get(first) ?? "", first);
    await expect(far).toContainText(`1 of ${waiting.length} customers done`, { timeout: script ? 5000 : 40_000 });
    if (script) await look(page, "campaign-customers");

    // What came of each connection is on a page of its own.
    await page.getByRole("link", { name: "What came of each connection" }).click();
    const each = page.getByRole("region", { name: "What came of each" });
    await expect(each.getByRole("row")).toHaveCount(waiting.length + 1);
    await expect(each).toContainText("A link was made and used");
    await page.getByRole("link", { name: "How far the customers are" }).click();
    await expect(far).toContainText(`1 of ${waiting.length} customers done`);

    // The others get new links, and the first job knows.
    await page.getByRole("link", { name: "New links for the stragglers" }).click();
    await page.getByRole("button", {
      name: new RegExp(`^Create ${waiting.length - 1} relinks?$`),
    }).click();
    await expect(page.getByText("For the stragglers of")).toBeVisible();
    await expect(far).toContainText(`0 of ${waiting.length - 1} customer`, { timeout: 30_000 });
    const anew = await links(page);
    expect([...anew.keys()].sort()).toEqual(waiting.slice(1).sort());
    if (!script) {
      for (const [account, link] of anew) await follow(browser, link, account);
      await expect(far).toContainText("done.", { timeout: 40_000 });
    }
    await page.goto("/relinks");
    const many = section(page, "Campaigns");
    await expect(many.getByRole("link", { name })).toBeVisible();
    await expect(many).toContainText(script ? "1 of 3 customers done." : "All 2 customers are done.");
    if (script) {
      await hydrated(page);
      await look(page, "campaign-desk");
    } else {
      await page.screenshot({ path: join(screenshots, "campaign-desk-plain-390.png"), fullPage: true });
      await page.goto("/jobs");
      await page.screenshot({ path: join(screenshots, "campaign-jobs-plain-390.png"), fullPage: true });
    }
    expect(support.mistakes).toEqual([]);
    await support.context.close();
  });
}
