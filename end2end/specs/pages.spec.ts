// Every page, as the demo shows it: no mistake in the console, nothing that shuts people out, and
// pictures of it in light and dark, wide and narrow.
import { expect, test, type Page } from "@playwright/test";
import { type House, startHouse } from "../support/house.js";
import { CLOSELY, IN_PASSING, look } from "../support/look.js";
import { open, signIn } from "../support/people.js";
import { freePort } from "../support/processes.js";
import { type Visitor, visitor } from "../support/watch.js";

let demo: House;
let fresh: House;
let admin: Visitor;
let nobody: Visitor;
/** Addresses by the name that leads there. */
const ways = new Map<string, string>();

test.beforeAll(async ({ browser }) => {
  demo = await startHouse("demo", ["demo", "--sandbox-listen", `127.0.0.1:${await freePort()}`]);
  fresh = await startHouse("fresh");
  admin = await visitor(browser, demo);
  nobody = await visitor(browser, demo);
  const password = await demo.logged(/password\s+(\S+)/);
  await signIn(admin.page, demo, { email: "admin@example.com", password });
  for (const list of ["/connections", "/clients", "/providers"]) {
    await admin.page.goto(list);
    for (const link of await admin.page.locator("main a").all()) {
      ways.set(`${list} ${(await link.innerText()).trim()}`, (await link.getAttribute("href")) ?? "");
    }
  }
});

test.afterAll(async () => {
  await fresh?.stop();
  await demo?.stop();
});

function way(list: string, name: string): string {
  const found = ways.get(`${list} ${name}`);
  if (!found) throw new Error(`${list} has no ${name}; it has ${[...ways.keys()].join("; ")}`);
  return found;
}

/** Looks at a page, with what its script has complained of so far. */
async function sound(name: string, { page, mistakes }: Visitor, at = IN_PASSING): Promise<void> {
  // That an import was refused is said in the console by the browser itself, when it likes.
  const ours = mistakes.splice(0).filter((mistake) => !mistake.includes("/rpc/connection/import"));
  await look(page, name, at, ours);
}

const id = (path: string) => path.split("/").pop() ?? "";
const connection = (name: string) => () => way("/connections", name);
const client = (name: string) => () => way("/clients", name);

/** The pages of whoever is signed in: a name, an address, and what a person does there first. */
const PAGES: [string, string | (() => string), ((page: Page) => Promise<void>)?][] = [
  ["overview", "/"],
  ["connections", "/connections"],
  ["connections-filtered", "/connections?state=needs_reauth"],
  ["connections-more", "/connections?owner=example&sort=refreshed"],
  ["connections-none", "/connections?q=nothing+is+called+so"],
  ["connection-alive", connection("Alice's calendar")],
  ["connection-soon", connection("Carol's newsletter")],
  ["connection-retrying", connection("Alice's contacts")],
  ["connection-needs-person", connection("Bob's calendar")],
  ["connection-pending", connection("Dave's calendar")],
  ["connection-disconnected", connection("Old intranet")],
  ["connection-client-refused", connection("Berlin warehouse")],
  ["connection-denied", () => `${connection("Bob's calendar")()}?problem=denied`],
  [
    "connection-relink-made",
    connection("Bob's calendar"),
    async (page) => {
      await page.getByRole("button", { name: "Create a relink" }).click();
      await page.getByLabel("Relink", { exact: true }).waitFor();
    },
  ],
  ["connection-new", "/connections/new"],
  ["connection-import", "/connections/import"],
  ["connection-new-client", () => `/connections/new?client=${id(client("Support desk")())}`],
  [
    "connection-new-unfolded",
    () => `/connections/new?client=${id(client("Support desk")())}`,
    async (page) => {
      await page.getByText("Import a token").click();
      await page.locator("[name=token_response]").fill("{}");
      await page.getByRole("button", { name: "Import", exact: true }).click();
      await page.locator(".wrong").first().waitFor();
    },
  ],
  ["jobs-none", "/jobs"],
  ["job-confirm", "/jobs/new?action=disconnect&of=all&state=active"],
  ["job-tag", "/jobs/new?action=tag&of=all&state=active"],
  ["clients", "/clients"],
  ["client", client("Support desk")],
  ["client-refused", client("Warehouse sync")],
  ["client-new", "/clients/new"],
  ["client-new-provider", "/clients/new?provider=sandbox"],
  ["client-new-preset", () => `/clients/new?provider=${id(way("/providers", "Cronofy"))}`],
  [
    "client-dry-run",
    () => `${client("Support desk")()}/dry-run`,
    async (page) => {
      await page.locator("[name=body]").fill('{"access_token":"one-that-is-not-real","expires_in":3600}');
      await page.getByRole("button", { name: "Read it" }).click();
      await page.getByText("would take this as a token set").waitFor();
    },
  ],
  [
    "client-import",
    () => `${client("Support desk")()}/import`,
    async (page) => {
      const rows = "external_id,label,access_token\n1,Ada's calendar,not-a-real-token\n2,Nobody,\n";
      await page.getByLabel("File").setInputFiles({
        name: "rows.csv",
        mimeType: "text/csv",
        buffer: Buffer.from(rows),
      });
      await page.getByRole("button", { name: "Try it" }).click();
      await page.getByText("1 of 2 rows would be imported").first().waitFor();
    },
  ],
  ["providers", "/providers"],
  ["providers-category", "/providers?category=crm"],
  ["provider-custom", "/providers/sandbox"],
  ["provider-preset", () => way("/providers", "Cronofy")],
  ["provider-edit", "/providers/sandbox/edit"],
  ["provider-new", "/providers/new"],
  ["provider-copy", "/providers/new?from=sandbox"],
  ["users", "/users"],
  ["api-keys-none", "/api-keys"],
  [
    "api-keys-made",
    "/api-keys",
    async (page) => {
      await page.getByLabel("Name").fill("nightly report");
      await page.locator("[value='connections:read']").check();
      await page.getByRole("button", { name: "Create key" }).click();
      await page.getByLabel(/The key/).waitFor();
    },
  ],
  ["relinks", "/relinks?q=calendar"],
  ["settings", "/settings"],
  ["audit", "/audit"],
  ["profile", "/profile"],
];

/** The pages that need no login. */
const DOORS: [string, string][] = [
  ["login", "/login"],
  ["relink-unknown", "/relink/nonsense"],
  ["relink-done", "/relink/outcome/done"],
  ["relink-wrong-account", "/relink/outcome/wrong_account"],
  ["relink-denied", "/relink/outcome/denied"],
];

for (const [name, path, before] of PAGES) {
  test(`${name} is sound`, async () => {
    await open(admin.page, typeof path === "string" ? path : path());
    await before?.(admin.page);
    await sound(name, admin);
  });
}

for (const [name, path] of DOORS) {
  test(`${name} is sound`, async () => {
    await open(nobody.page, path);
    await sound(name, nobody);
  });
}

test("relink is sound", async () => {
  const { page } = admin;
  await open(page, connection("Bob's calendar")());
  await page.getByRole("button", { name: "Create a relink" }).click();
  const link = await page.getByLabel("Relink", { exact: true }).inputValue();
  demo.shownOnce("the relink's token", id(new URL(link).pathname));
  await open(nobody.page, link);
  await sound("relink", nobody);
});

/** Each kind of job, on those that it comes to an end with whatever the demo is at. */
for (const action of ["tag", "pause", "refresh", "resume", "untag", "relink", "disconnect"]) {
  test(`a job to ${action} is sound`, async () => {
    const { page } = admin;
    await open(page, `/jobs/new?of=all&q=calendar&action=${action}`);
    const tag = page.getByLabel("Tag", { exact: true });
    if (await tag.count()) await tag.fill("seen");
    await page.locator("main form button[type=submit]").click();
    await page.waitForURL(/\/jobs\/[0-9a-f-]{36}$/);
    await expect(page.getByText(/^Done: /).first()).toBeVisible({ timeout: 20_000 });
    await sound(`job-${action}`, admin, CLOSELY);
  });
}

test("jobs are sound", async () => {
  await open(admin.page, "/jobs");
  await expect(admin.page.locator("tbody tr")).toHaveCount(7);
  await sound("jobs", admin, CLOSELY);
});

test("missing is sound", async () => {
  for (const path of ["/no/such/page", "/connections/00000000-0000-7000-8000-000000000000"]) {
    const answer = await admin.page.goto(path);
    expect(answer?.status()).toBe(404);
  }
  // That an address leads nowhere is said in the console by the browser itself.
  const others = admin.mistakes.splice(0).filter((mistake) => !mistake.includes("404"));
  expect(others).toEqual([]);
  await sound("missing", admin);
});

test("connections-unread is sound", async () => {
  const answer = await admin.page.goto("/connections?state=unknown&q=calendar");
  expect(answer?.status()).toBe(400);
  await expect(admin.page.getByText("There is no state “unknown”")).toBeVisible();
  await expect(admin.page.getByRole("link", { name: "calendar" })).toHaveCount(0);
  // The browser says of its own that the address was refused.
  const others = admin.mistakes.splice(0).filter((mistake) => !mistake.includes("400"));
  expect(others).toEqual([]);
  await sound("connections-unread", admin);
  await admin.page.getByRole("link", { name: "Clear the filters" }).click();
  await expect(admin.page.getByRole("link", { name: "Alice's calendar" })).toBeVisible();
});

test("the first pages of an empty Regrant are sound", async ({ browser }) => {
  const first = await visitor(browser, fresh);
  const link = await fresh.logged(/first admin at (http\S+)/);
  await open(first.page, link);
  await sound("setup", first);
  await first.page.getByLabel("E-mail").fill("ruth@example.test");
  await first.page.getByLabel("Password").fill("ruth keeps the keys 1");
  await first.page.getByRole("button", { name: "Create the first admin" }).click();
  await first.page.waitForURL(`${fresh.url}/`);
  for (const [name, path] of [
    ["empty-overview", "/"],
    ["empty-connections", "/connections"],
    ["empty-clients", "/clients"],
    ["empty-connection-new", "/connections/new"],
  ] as const) {
    await open(first.page, path);
    await sound(name, first);
  }
  await first.context.close();
});
