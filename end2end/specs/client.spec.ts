// What an admin does for a client: a secret that is rehearsed first, an incident that is decided; and the
// record of both. With and without JavaScript, wide and narrow, light and dark.
import { expect, test, type Page } from "@playwright/test";
import { connectAccount, createKey, registerClient } from "../support/furnish.js";
import { type House, startHouse } from "../support/house.js";
import { look } from "../support/look.js";
import { ADMIN, becomeFirstAdmin, open, section, signIn } from "../support/people.js";
import { type AuthorizationServer, CLIENT_SECRET, startProvider } from "../support/provider.js";
import { hydrated, visitor } from "../support/watch.js";

test.describe.configure({ mode: "serial" });

const SERVICE = "Orchard ID";
const WRONG = "one that was cut short 0123456789";
/** So many refused at once are no coincidence. */
const MANY = 5;

let house: House;
let provider: AuthorizationServer;
let client: string;
/** What another program sends with its requests. */
let headers: Record<string, string>;

test.beforeAll(async ({ browser }) => {
  test.setTimeout(120_000);
  house = await startHouse("client");
  provider = await startProvider(house, 3600);
  house.secret("the client's secret", CLIENT_SECRET);
  house.secret("a wrong secret", WRONG);
  const { context, page } = await visitor(browser, house);
  await becomeFirstAdmin(page, house);
  client = await registerClient(page, provider, SERVICE);
  await connectAccount(page, "Ada's calendar", "ada.lovelace");
  const scopes = ["connections:write", "connections:refresh", "clients:write"];
  const key = await createKey(page, house, "Another program", scopes);
  headers = { ...key, "content-type": "application/json" };
  await context.close();
});

test.afterAll(async () => {
  await provider?.stop();
  await house?.stop();
});

async function call(method: string, path: string, body: object = {}): Promise<Record<string, string>> {
  const answer = await fetch(`${house.url}/api/v1${path}`, { method, headers, body: JSON.stringify(body) });
  const told = await answer.text();
  return told === "" ? {} : (JSON.parse(told) as Record<string, string>);
}

/** Opens what asks whether somebody means it, and means it. */
async function mean(page: Page, asked: string, button: string): Promise<void> {
  await page.locator("summary", { hasText: asked }).click();
  await page.getByRole("button", { name: button, exact: true }).click();
}

for (const [script, width, colorScheme] of [[true, 1440, "light"], [false, 390, "dark"]] as const) {
  const how = `${script ? "with" : "without"} a script, ${width} px, ${colorScheme}`;
  const options = { javaScriptEnabled: script, viewport: { width, height: 900 }, colorScheme };

  test(`a secret is rehearsed before it takes the place of the one in use, ${how}`, async ({ browser }) => {
    const { context, page, mistakes } = await visitor(browser, house, options);
    await signIn(page, house, ADMIN);
    await open(page, client);
    const part = section(page, "Replace the secret");
    const secret = part.getByLabel("Client secret").first();
    await secret.fill(WRONG);
    await part.getByRole("button", { name: "Try it", exact: true }).click();
    await expect(page.getByText("What comes of it stands above.").or(page.getByText("The provider refused the next secret")).first())
      .toBeVisible();
    await expect(async () => {
      if (!script) await page.reload();
      await expect(part).toContainText("The provider refused the next secret", { timeout: 2000 });
    }).toPass({ timeout: 30_000 });
    await hydrated(page);
    if (script) await look(page, "client-rehearsal-refused");
    await mean(page, "Forget it", "Forget it");
    await expect(page.getByText("Forgotten. The secret in use stays as it was.")).toBeVisible();
    if (script) await expect(page.locator(".was-done .said")).toBeFocused();

    await secret.fill(CLIENT_SECRET);
    await part.getByRole("button", { name: "Try it", exact: true }).click();
    await expect(async () => {
      if (!script) await page.reload();
      await expect(page.locator("#rehearsal")).toHaveCount(0, { timeout: 2000 });
      await expect(part).toContainText("The rehearsal went well", { timeout: 2000 });
    }).toPass({ timeout: 30_000 });
    await hydrated(page);

    // At once is possible, too, for whoever knows what it means.
    await page.locator("summary", { hasText: "Replace it at once" }).click();
    await expect(page.getByText("The old secret is gone at once")).toBeVisible();
    await part.getByLabel("Client secret").last().fill(CLIENT_SECRET);
    if (script) await look(page, "client-replace-at-once");
    await part.getByRole("button", { name: "Replace secret" }).click();
    await expect(page.getByText("Replaced. The old secret is gone.")).toBeVisible();
    if (script) expect(mistakes).toEqual([]);
    await context.close();
  });

  test(`an incident is seen and decided, ${how}`, async ({ browser }) => {
    test.setTimeout(120_000);
    const { context, page } = await visitor(browser, house, options);
    await signIn(page, house, ADMIN);
    const id = client.split("/").pop();
    const made: string[] = [];
    for (let at = 0; at < MANY; at += 1) {
      const refresh_token = house.secret("a token of nobody", `no-such-grant-${script}-${at}-0123456789abcdef`);
      const access_token = house.secret("another token of nobody", `no-such-token-${script}-${at}-0123456789abcdef`);
      const label = `Somebody ${at}, ${how}`;
      const token_response = { access_token, refresh_token, expires_in: 3600, token_type: "Bearer" };
      const one = (await call("POST", "/connections", { client_id: id, label, token_response })).id ?? "";
      made.push(one);
      await call("POST", `/connections/${one}/refresh`);
    }
    // The overview shows one card, and not as many rows.
    await open(page, "/");
    const card = page.locator(".card", { hasText: SERVICE });
    await expect(card).toContainText("incident");
    if (script) await look(page, "overview-incident");
    await card.getByRole("link", { name: SERVICE, exact: true }).click();
    await hydrated(page);
    const incident = section(page, "The incident");
    await expect(incident).toContainText(new RegExp(`refused (all ${MANY}|${MANY} of the \\d+) connections`));
    if (script) {
      await look(page, "client-incident");
      await incident.getByRole("button", { name: "Resume", exact: true }).click();
      await expect(page.getByText("Resumed. Its connections are refreshed again")).toBeVisible();
      await expect(page.locator(".was-done .said")).toBeFocused();
    } else {
      await mean(page, "Condemn anyway", "Condemn them");
      await expect(page.getByText("Those that were refused need a person now.")).toBeVisible();
    }
    await expect(section(page, "The incident")).toHaveCount(0);
    await context.close();
    // For whoever comes next.
    for (const one of made) await call("DELETE", `/connections/${one}`);
  });

  test(`the record is narrowed and taken along, ${how}`, async ({ browser }) => {
    const { context, page } = await visitor(browser, house, options);
    await signIn(page, house, ADMIN);
    await open(page, "/audit");
    await expect(page.getByText("Signed in").first()).toBeVisible();
    await page.getByLabel("About").selectOption("clients");
    await page.getByRole("button", { name: "Show" }).click();
    await expect(page).toHaveURL(/action=client/);
    const done = script ? "Resumed a client" : "Let the suspended verdicts of a client stand";
    await expect(page.getByText(done).first()).toBeVisible();
    await expect(page.getByText("Signed in")).toHaveCount(0);
    if (script) await look(page, "audit-narrowed");
    const download = page.waitForEvent("download");
    await page.getByRole("link", { name: /CSV/ }).click();
    const file = await (await download).createReadStream();
    const rows = (await file.toArray()).join("").trim().split("\n");
    expect(rows.length).toBeGreaterThan(1);
    for (const row of rows.slice(1)) expect(row).toContain("client.");
    await context.close();
  });

  test(`a file is tried and then imported, ${how}`, async ({ browser }) => {
    const { context, page } = await visitor(browser, house, options);
    await signIn(page, house, ADMIN);
    await open(page, `${client}/import`);
    const token = house.secret("a token out of a file", `token-of-a-file-${script}-0123456789abcdef`);
    const rows = `external_id,access_token,expires_in\nfile-${script},${token},3600\nnobody,,soon\n`;
    const file = { name: "rows.csv", mimeType: "text/csv", buffer: Buffer.from(rows) };
    await page.getByLabel("File").setInputFiles(file);
    await page.getByRole("button", { name: "Try it: nothing is stored" }).click();
    await expect(page.getByText("Dry run, nothing was stored: 1 of 2 rows would be imported.").first()).toBeVisible();
    const problems = page.getByRole("region", { name: "Rows with a problem" });
    await expect(problems).toContainText("access_token must hold the access token");
    await expect(problems).toContainText("expires_in can't be read: it must be a positive number of seconds");
    if (script) await look(page, "client-import-tried");
    // Our script has the file at hand still; nothing else may keep it.
    if (!script) await page.getByLabel("File").setInputFiles(file);
    await page.getByRole("button", { name: "Import it now" }).click();
    await expect(page.getByText("Done: 1 of 2 rows imported.").first()).toBeVisible();
    await expect(page.getByText("1 row has a problem and was left out.").first()).toBeVisible();
    await expect(page.getByText("1 of them brings no refresh token: it needs a person by").first()).toBeVisible();
    await page.getByRole("link", { name: "See the connections that came of it" }).click();
    await expect(page.getByText("1 connection", { exact: true }).first()).toBeVisible();
    await expect(page.getByText(`file-${script}`).first()).toBeVisible();
    await context.close();
  });
}

test("a value that the browser does not let go is not called copied", async ({ browser }) => {
  const { context, page } = await visitor(browser, house);
  await page.addInitScript(() => {
    navigator.clipboard.writeText = () => Promise.reject(new Error("not allowed"));
    document.execCommand = () => false;
  });
  await signIn(page, house, ADMIN);
  await open(page, client);
  await page.getByRole("button", { name: "Copy", exact: true }).click();
  await expect(page.getByText("The browser does not let it be copied.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Copied" })).toHaveCount(0);
  expect(await page.evaluate(() => getSelection()?.toString())).toBe(`${house.url}/oauth/callback`);
  await context.close();
});
