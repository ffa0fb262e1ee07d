// The relink desk: support finds a customer's connection, sends a link, and sees what happens, with the
// script and without.
import { expect, test } from "@playwright/test";
import { addSupport, connectAccount, registerClient } from "../support/furnish.js";
import { type House, startHouse } from "../support/house.js";
import { look } from "../support/look.js";
import { ADMIN, SUPPORT, becomeFirstAdmin, section, signIn } from "../support/people.js";
import { type AuthorizationServer, consent, startProvider } from "../support/provider.js";
import { type Visitor, hydrated, visitor } from "../support/watch.js";

test.describe.configure({ mode: "serial" });

const SERVICE = "Orchard ID";
/** The smallest picture there is. */
const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const ACCOUNT = "rosalind.franklin";
const LABEL = "Rosalind's calendar";

let house: House;
let provider: AuthorizationServer;
let support: Visitor;
let link: string;

test.beforeAll(async ({ browser }) => {
  house = await startHouse("desk");
  provider = await startProvider(house, 3600);
  const admin = await visitor(browser, house);
  const { page } = admin;
  await becomeFirstAdmin(page, house);
  await addSupport(page, house);
  await registerClient(page, provider, SERVICE);
  await connectAccount(page, LABEL, ACCOUNT);
  await provider.revoke(ACCOUNT);
  await hydrated(page);
  await page.getByRole("button", { name: "Refresh now" }).click();
  await expect(page.locator(".head .badge")).toHaveText("needs a person");
  // The house shows itself; without a script, as every form.
  const plain = await visitor(browser, house, { javaScriptEnabled: false });
  await signIn(plain.page, house, ADMIN);
  await plain.page.goto("/settings");
  await plain.page.getByLabel("Name").fill("Laboratory 44");
  await plain.page.getByLabel("Colour").fill("#ffd24d");
  await plain.page.getByLabel("Help contact").fill("help@laboratory.test");
  await plain.page.getByRole("button", { name: "Save" }).click();
  await expect(plain.page.getByText("Saved. The page behind")).toBeVisible();
  await plain.page.getByLabel("Picture").setInputFiles({
    name: "logo.png",
    mimeType: "image/png",
    buffer: Buffer.from(PIXEL, "base64"),
  });
  await plain.page.getByRole("button", { name: "Send the picture" }).click();
  await expect(plain.page.getByRole("img", { name: "The logo as it is" })).toBeVisible();
  await plain.page.locator("summary", { hasText: "Take it away" }).click();
  await plain.page.getByRole("button", { name: "Take it away" }).click();
  await expect(plain.page.getByRole("img", { name: "The logo as it is" })).toHaveCount(0);
  await plain.context.close();
  await admin.context.close();
  support = await visitor(browser, house);
});

test.afterAll(async () => {
  await support?.context.close();
  await provider?.stop();
  await house?.stop();
});

test("support begins at the desk, finds the customer and sends a link", async () => {
  const { page } = support;
  await signIn(page, house, SUPPORT);
  await expect(page).toHaveURL(`${house.url}/relinks`);
  await hydrated(page);
  await look(page, "desk-empty");
  await page.getByLabel(/^Whose connection/).fill("rosalind");
  await page.getByLabel(/^Whose connection/).press("Enter");
  await expect(page).toHaveURL(/[?&]q=rosalind/);
  await hydrated(page);
  await look(page, "desk-found");
  await page.getByRole("button", { name: "Create a link" }).click();
  await expect(page).toHaveURL(/\/relinks\/[0-9a-f-]{36}$/);
  await hydrated(page);
  const field = page.getByLabel("Relink", { exact: true });
  link = await field.inputValue();
  house.shownOnce("the relink's token", new URL(link).pathname.split("/").pop() ?? "");
  await expect(page.getByRole("img", { name: "The link as a QR code" })).toBeVisible();
  await page.getByText("E-mail · Deutsch").click();
  await expect(page.getByLabel(`Bitte ${SERVICE} neu verbinden`)).toHaveValue(new RegExp(link));
  const mail = page.getByRole("link", { name: "Open in the mail program" }).last();
  expect(decodeURIComponent((await mail.getAttribute("href")) ?? "")).toContain(link);
  await look(page, "desk-handed");
});

test("each step is seen while it happens", async ({ browser }) => {
  const { page } = support;
  const happened = page.locator(".status .headline");
  await expect(happened).toContainText("Nobody has opened");
  const owner = await visitor(browser, house, { locale: "de-DE" });
  await owner.page.goto(link);
  // Neither is loaded again by hand, and what is shown once stays.
  await expect(happened).toContainText("was opened", { timeout: 3000 });
  await expect(page.getByLabel("Relink", { exact: true })).toHaveValue(link);

  await expect(owner.page.locator("html")).toHaveAttribute("lang", "de");
  await hydrated(owner.page);
  await expect(owner.page.getByText("Laboratory 44")).toBeVisible();
  await expect(owner.page.getByRole("link", { name: "help@laboratory.test" })).toBeVisible();
  await look(owner.page, "visit-de");
  await owner.page.getByRole("button", { name: `Weiter zu ${SERVICE}` }).click();
  await expect(happened).toContainText(`went on to ${SERVICE}`, { timeout: 3000 });
  await consent(owner.page, "mallory");
  await expect(owner.page.getByText("Das war ein anderes Konto")).toBeVisible();
  await expect(happened).toContainText("another account", { timeout: 3000 });
  await look(owner.page, "visit-wrong-account-de");
  await look(page, "desk-wrong-account");

  const second = await visitor(browser, house, { locale: "en-GB" });
  await second.page.goto(link);
  await look(second.page, "visit-en");
  await second.page.getByRole("button", { name: `Continue to ${SERVICE}` }).click();
  await consent(second.page, ACCOUNT);
  await expect(second.page.getByRole("heading", { name: "It worked" })).toBeVisible();
  await expect(happened).toContainText("was linked", { timeout: 3000 });
  await expect(page.getByRole("button", { name: "Revoke" })).toHaveCount(0);
  await look(page, "desk-done");
  expect([...owner.mistakes, ...second.mistakes, ...support.mistakes]).toEqual([]);
  await owner.context.close();
  await second.context.close();
});

test("all of it works without a script", async ({ browser }) => {
  const plain = await visitor(browser, house, { javaScriptEnabled: false });
  const { page } = plain;
  await signIn(page, house, SUPPORT);
  await page.getByLabel(/^Whose connection/).fill("rosalind");
  await page.getByRole("button", { name: "Show" }).click();
  await page.getByRole("button", { name: "Create a link" }).click();
  const field = page.getByLabel("Relink", { exact: true });
  const another = await field.inputValue();
  house.shownOnce("the relink's token", new URL(another).pathname.split("/").pop() ?? "");
  await page.reload();
  await expect(field).toHaveCount(0);
  const owner = await visitor(browser, house, { javaScriptEnabled: false, locale: "de-DE" });
  await owner.page.goto(another);
  await owner.page.getByRole("link", { name: "English" }).click();
  await owner.page.getByRole("button", { name: `Continue to ${SERVICE}` }).click();
  await consent(owner.page, "mallory");
  await owner.page.getByRole("button", { name: "Try again with the right account" }).click();
  await expect(owner.page).toHaveURL(/\/interaction\//);
  // The page loads itself again.
  await expect(page.locator(".status .headline")).toContainText("went on to", { timeout: 15_000 });
  await page.getByText("Revoke", { exact: true }).first().click();
  await page.getByRole("button", { name: "Revoke" }).click();
  await expect(page.locator(".status .headline")).toContainText("called off");
  await owner.page.goto(another);
  await expect(owner.page.getByRole("heading", { name: "This link was called off" })).toBeVisible();
  await page.goto("/relinks");
  await expect(section(page, "Links").getByText(LABEL)).toHaveCount(2);
  await owner.context.close();
  await plain.context.close();
});
