// What each screen is for, done from beginning to end: on a phone, a tablet and a desk, light and dark, with a
// script and without. `make stories` sits in every seat. REGRANT_STORIES=pairs sits where any two of these
// meet, and REGRANT_STORIES=turns in one of those seats for each story, by turns.
import { type BrowserContextOptions, expect, test, type Browser, type Page } from "@playwright/test";
import { createKey } from "../support/furnish.js";
import { type House, startHouse } from "../support/house.js";
import { section, signIn } from "../support/people.js";
import { freePort } from "../support/processes.js";
import { ALL_SEATS, COVERING, type Seat, Story, seatName } from "../support/story.js";
import { visitor } from "../support/watch.js";

const ADMIN = "admin@example.com";
const SUPPORT = "support@example.com";
const BRAND = "Laboratory 44";

type Login = BrowserContextOptions["storageState"];

let house: House;
let sandbox: string;
let password: string;
let admin: Login;
let support: Login;
/** What another program sends with its requests. */
let key: { authorization: string };
/** The address of the connection whose grant dies. */
let bobs: string;

test.beforeAll(async ({ browser }) => {
  test.setTimeout(120_000);
  const listen = `127.0.0.1:${await freePort()}`;
  sandbox = `http://${listen}`;
  house = await startHouse("stories", ["demo", "--sandbox-listen", listen]);
  password = await house.logged(/password\s+(\S+)/);
  admin = await login(browser, ADMIN, async (page) => {
    key = await createKey(page, house, "Another program", ["connections:refresh"]);
    await page.goto("/connections?q=bob");
    bobs = (await page.getByRole("link", { name: "Bob's calendar" }).getAttribute("href")) ?? "";
  });
  support = await login(browser, SUPPORT, async () => {});
});

test.afterAll(async () => {
  await house?.stop();
});

async function login(browser: Browser, email: string, then: (page: Page) => Promise<void>): Promise<Login> {
  const { context, page } = await visitor(browser, house);
  await signIn(page, house, { email, password });
  await then(page);
  const state = await context.storageState();
  await context.close();
  return state;
}

/** Bob withdraws his consent, and Regrant finds out. */
async function endGrant(): Promise<void> {
  const headers = { "content-type": "application/json" };
  await fetch(`${sandbox}/__ctl/revoke`, { method: "POST", headers, body: JSON.stringify({ account: "bob" }) });
  await fetch(`${house.url}/api/v1${bobs}/refresh`, { method: "POST", headers: key });
}

/** Consents at the sandbox. */
async function consent(story: Story, name: string): Promise<void> {
  const { page } = story;
  await story.at(/asks for access$/);
  await story.tick(page.getByRole("radio", { name }));
  await story.press(page.getByRole("button", { name: "Allow" }));
}

async function newLink(page: Page): Promise<string> {
  const link = await page.getByLabel("Relink", { exact: true }).inputValue();
  house.shownOnce("the relink's token", new URL(link).pathname.split("/").pop() ?? "");
  return link;
}

const button = (page: Page, name: string | RegExp) => page.getByRole("button", { name, exact: true });
const follow = (page: Page, name: string) => page.locator("main").getByRole("link", { name, exact: true });

/** By the name of a screen, who sits before it and what they do there. */
const STORIES: [string, () => Login, (story: Story) => Promise<void>][] = [
  ["settings", () => admin, changeBrand],
  ["users", () => admin, addColleague],
  ["keys", () => admin, makeKeyAndFindTheAct],
  ["clients", () => admin, registerAndConnect],
  ["overview", () => admin, findWhatBreaksNext],
  ["desk", () => support, relinkCustomer],
  ["connections", () => admin, tagMany],
  ["connection", () => admin, refreshAndReveal],
];

/** In which seats the story at this place of the list is told. */
function seats(at: number): Seat[] {
  switch (process.env.REGRANT_STORIES) {
    case "all":
      return ALL_SEATS;
    case "turns":
      return COVERING.slice(at % COVERING.length).slice(0, 1);
    default:
      return COVERING;
  }
}

for (const [at, [name, who, tell]] of STORIES.entries()) {
  for (const seat of seats(at)) {
    test(`${name}, ${seatName(seat)}`, async ({ browser }) => {
      const story = await Story.begin(name, browser, house, seat, who());
      await tell(story);
      await story.end();
    });
  }
}

async function changeBrand(story: Story): Promise<void> {
  const { page } = story;
  await story.open("/settings", "Settings");
  const brand = section(page, "Brand");
  await story.fill(brand.getByLabel("Name"), BRAND);
  await story.fill(brand.getByLabel("Colour"), "#ffd24d");
  await story.fill(brand.getByLabel("Help contact"), "help@laboratory.test");
  await story.press(button(page, "Save"));
  await expect(page.getByText("Saved. The page behind a relink shows it")).toBeVisible();
  await story.see("saved");
  const customer = await story.other("customer");
  await customer.open("/relink/nonsense", "This link is not known");
  await expect(customer.page.getByText(BRAND)).toBeVisible();
  await customer.see("brand");
  await customer.end();
}

async function addColleague(story: Story): Promise<void> {
  const { page } = story;
  const email = `sam.${seatName(story.seat)}@example.test`;
  const first = house.secret("a first password", `first of ${seatName(story.seat)} 1`);
  const own = house.secret("a colleague's own password", `own of ${seatName(story.seat)} 2`);
  await story.open("/users", "Users");
  const form = section(page, "Add a user");
  await story.fill(form.getByLabel("E-mail"), email);
  await story.fill(form.getByLabel("First password"), first);
  await story.pick(form.getByLabel("Role"), "support");
  await story.press(form.getByRole("button", { name: "Add user" }));
  await expect(page.getByText("Added. They can sign in")).toBeVisible();
  await expect(page.getByRole("row", { name: email })).toBeVisible();
  await story.see("added");

  const colleague = await story.other("colleague");
  await signIn(colleague.page, house, { email, password: first });
  await colleague.at("Relink desk");
  await colleague.go("Profile");
  await colleague.fill(colleague.page.getByLabel("Present password"), first);
  await colleague.fill(colleague.page.getByLabel("New password"), own);
  await colleague.press(button(colleague.page, "Change password"));
  await expect(colleague.page.getByText("Changed. Your other sessions have ended.")).toBeVisible();
  await colleague.see("profile");
  await colleague.end();
}

async function makeKeyAndFindTheAct(story: Story): Promise<void> {
  const { page } = story;
  const name = `Nightly report ${seatName(story.seat)}`;
  await story.open("/api-keys", "API keys");
  await story.fill(page.getByLabel("Name"), name);
  await story.tick(page.getByRole("checkbox", { name: "connections:read" }));
  await story.press(button(page, "Create key"));
  const made = await page.getByLabel(`The key “${name}”`).inputValue();
  house.shownOnce("an API key", made);
  await story.see("made");

  await story.go("Audit");
  await story.pick(page.getByLabel("About"), "API keys");
  await story.press(button(page, "Show"));
  await expect(page).toHaveURL(/action=api_key/);
  await expect(page.getByRole("row", { name }).first()).toContainText(ADMIN);
  await story.see("audit");
}

async function registerAndConnect(story: Story): Promise<void> {
  const { page } = story;
  await story.open("/providers", "Providers");
  await story.fill(page.getByRole("search").getByLabel("Name"), "sandbox");
  await story.press(button(page, "Show"));
  await expect(page.locator(".tile")).toHaveCount(1);
  await story.press(page.locator(".tile").getByRole("link", { name: "Sandbox" }));
  await story.at("Sandbox");
  await story.see("provider");
  await story.press(follow(page, "Register a client"));
  await story.at("Register a client at Sandbox");
  await story.fill(page.getByLabel("Name"), `Calendars ${seatName(story.seat)}`);
  await story.fill(page.getByLabel("Client id"), "demo");
  await story.fill(page.getByLabel("Client secret"), "demo-secret");
  await story.see("register");
  await story.press(button(page, "Register client"));
  await page.waitForURL(/\/clients\/[0-9a-f-]{36}$/);
  await story.at(`Calendars ${seatName(story.seat)}`);
  await story.press(section(page, "First steps").getByRole("button", { name: "Check credentials" }));
  await expect(page.locator(".notice[role=status]")).toContainText("The credentials are accepted");
  await story.see("checked");
  await story.press(follow(page, "Connect the first account"));
  await story.at("Connect an account at Sandbox");
  const now = section(page, "By consent, now");
  await story.fill(now.locator("[name=label]"), `Alice's notes ${seatName(story.seat)}`);
  await story.see("connect");
  await story.press(now.getByRole("button", { name: "Continue to Sandbox" }));
  await consent(story, "Alice Adler");
  await story.at(/^Alice's notes/);
  await expect(page.getByRole("status").first()).toContainText("Connected");
  await expect(page.locator(".head .badge")).toHaveText("alive");
  await story.see("alive");
}

async function findWhatBreaksNext(story: Story): Promise<void> {
  const { page } = story;
  await endGrant();
  await story.open("/", "Overview");
  const row = section(page, "Needs a person").locator(".board-row", { hasText: "Bob's calendar" });
  await expect(row).toContainText("needs a person");
  await story.see("board");
  const runsOut = section(page, "What runs out");
  await story.press(runsOut.getByRole("link", { name: "30 days" }));
  await expect(runsOut.getByRole("link", { name: "30 days" })).toHaveAttribute("aria-current", "page");
  await story.press(runsOut.getByText("The same as a table"));
  await expect(runsOut.locator("tbody")).toBeVisible();
  await story.see("month");
  await story.press(row.getByRole("link"));
  await story.at("Bob's calendar");
  await expect(page.locator(".status .headline")).toContainText("Has needed a person");
  await expect(page.locator(".why")).toContainText("end a relink to the account's owner");
  await story.press(button(page, "Create a relink"));
  expect(await newLink(page)).toContain("/relink/");
  await story.see("relink");
}

async function relinkCustomer(story: Story): Promise<void> {
  const { page } = story;
  await endGrant();
  await story.open("/relinks", "Relink desk");
  await story.fill(page.getByLabel(/^Whose connection/), "bob");
  await story.press(button(page, "Show"));
  await expect(page).toHaveURL(/[?&]q=bob/);
  const found = page.locator("li.found", { hasText: "Bob's calendar" }).first();
  await story.see("found");
  await story.press(found.getByRole("button", { name: "Create a link" }));
  await expect(page).toHaveURL(/\/relinks\/[0-9a-f-]{36}$/);
  const link = await newLink(page);
  await expect(page.getByRole("img", { name: "The link as a QR code" })).toBeVisible();
  await story.see("handed");

  const customer = await story.other("customer");
  await customer.open(link, "Reconnect Sandbox");
  await customer.see("visit");
  await customer.press(customer.page.getByRole("button", { name: "Continue to Sandbox" }));
  await consent(customer, "Bob Brandt");
  await customer.at("It worked");
  await customer.see("done");
  await customer.end();

  await story.until((timeout) =>
    expect(page.locator(".status .headline")).toContainText("was linked", { timeout }),
  );
  await story.see("watched");
}

async function tagMany(story: Story): Promise<void> {
  const { page } = story;
  const tag = `seen-${seatName(story.seat)}`;
  await story.open("/connections", "Connections");
  await story.pick(page.getByRole("combobox", { name: "State", exact: true }), "alive");
  await story.fill(page.getByLabel("Label, account or external id"), "calendar");
  await story.press(button(page, "Show"));
  await expect(page).toHaveURL(/[?&]q=calendar/);
  await expect(page.locator(".board-row", { hasText: "calendar" }).first()).toBeVisible();
  await expect(page.getByRole("link", { name: "Dave's calendar" })).toHaveCount(0);
  for (const name of ["Alice's calendar", "Carol's calendar"]) {
    await story.tick(page.getByRole("checkbox", { name: `Choose ${name}` }));
  }
  await story.pick(page.getByRole("combobox", { name: "Do", exact: true }), "Tag");
  await story.see("chosen");
  await story.press(button(page, "With the ticked"));
  await story.at("Tag");
  await expect(page.locator("main")).toContainText("2 connections of 1 client");
  await story.fill(page.getByLabel("Tag", { exact: true }), tag);
  await story.see("confirm");
  await story.press(button(page, "Tag 2"));
  await page.waitForURL(/\/jobs\/[0-9a-f-]{36}$/);
  await story.until((timeout) => expect(page.getByText("Done: 2 of 2 done.")).toBeVisible({ timeout }));
  await story.see("outcome");
  await story.open(`/connections?tag=${tag}`, "Connections");
  for (const name of ["Alice's calendar", "Carol's calendar"]) {
    await expect(page.getByRole("link", { name })).toBeVisible();
  }
  await expect(page.getByText("2 connections", { exact: true })).toBeVisible();
  await story.see("tagged");
}

async function refreshAndReveal(story: Story): Promise<void> {
  const { page } = story;
  await story.open("/connections?q=alice", "Connections");
  await story.press(follow(page, "Alice's calendar"));
  await story.at("Alice's calendar");
  await expect(page.locator(".head .badge")).toHaveText("alive");
  await expect(page.locator(".status .headline")).toContainText("Alive");
  await story.press(button(page, "Refresh now"));
  await expect(page.getByText("Refreshed: a new token is stored.")).toBeVisible();
  await story.see("refreshed");
  await story.press(page.getByText("Reveal the access token"));
  await story.fill(page.getByLabel("Your password"), password);
  await story.press(button(page, "Show the access token"));
  await story.at("Access token");
  const token = await page.getByRole("region", { name: "The access token" }).innerText();
  house.shownOnce("an access token", token);
  await story.see("token");
  await story.press(follow(page, "Done"));
  await story.at("Alice's calendar");
  expect(await page.content()).not.toContain(token);
}
