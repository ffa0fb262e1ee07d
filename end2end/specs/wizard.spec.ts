// From an empty installation to the first living connection, as somebody does it who has never seen Regrant.
// What they have to do is counted, and how long the machine keeps them waiting is measured: what is left of two
// minutes has to be enough for that many steps.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, type Locator, type Page } from "@playwright/test";
import { type House, startHouse } from "../support/house.js";
import { IN_PASSING, look } from "../support/look.js";
import { ADMIN, section } from "../support/people.js";
import { artefacts } from "../support/places.js";
import { freePort } from "../support/processes.js";
import {
  type AuthorizationServer,
  CLIENT_ID,
  CLIENT_SECRET,
  SCOPES,
  consent,
  startProvider,
} from "../support/provider.js";
import { hydrated, visitor } from "../support/watch.js";

const SERVICE = "Orchard ID";
/** From the first look at the empty house to the connection; the provider's own pages are not ours. */
const MOST = { pages: 8, fields: 4, clicks: 10, seconds: 20 };
const TWO_MINUTES = 120;
/** What a person takes who reads first: to take in a page, to fill a field from elsewhere, to find a button. */
const TAKES = { page: 6, field: 6, click: 2 };

/** A preset as the catalogue has them, of a server on this machine. */
function preset(folder: string, issuer: string): void {
  mkdirSync(folder, { recursive: true });
  const at = (path: string) => JSON.stringify(issuer + path);
  writeFileSync(
    join(folder, "orchard-id.toml"),
    `slug = "orchard-id"
name = "${SERVICE}"
category = "identity"
issuer = "${issuer}"
notes = "Made for the story of a new admin."

[endpoints]
authorization = ${at("/auth")}
token = ${at("/token")}
revocation = ${at("/token/revocation")}
introspection = ${at("/token/introspection")}
userinfo = ${at("/me")}

[authorization]
default_scopes = ${JSON.stringify(SCOPES.split(" "))}
extra = { prompt = "consent" }

[response.account]
id = [{ from = "id_token", pointer = "/sub" }]
label = [{ from = "userinfo", pointer = "/email" }, { from = "id_token", pointer = "/sub" }]
`,
  );
}

/** What a person does, and for how long they wait. */
class Walk {
  pages = 0;
  fields = 0;
  clicks = 0;
  private waited = 0;

  constructor(
    private readonly page: Page,
    private readonly house: House,
  ) {}

  async fill(field: Locator, value: string): Promise<void> {
    this.fields += 1;
    await field.fill(value);
  }

  /** Does something, and waits until its page, or its answer, is there. */
  async step(act: () => Promise<unknown>, there: () => Promise<unknown>, page = true): Promise<void> {
    this.clicks += 1;
    if (page) this.pages += 1;
    const begun = performance.now();
    await act();
    await there();
    if (this.page.url().startsWith(this.house.url)) await hydrated(this.page);
    this.waited += performance.now() - begun;
  }

  get seconds(): number {
    return this.waited / 1000;
  }

  /** What a person who reads needs for it, with the machine's own time. */
  get needed(): number {
    const own = this.pages * TAKES.page + this.fields * TAKES.field + this.clicks * TAKES.click;
    return own + this.seconds;
  }

  toString(): string {
    const steps = `${this.pages} pages, ${this.fields} fields, ${this.clicks} clicks`;
    return `${steps}, ${this.seconds.toFixed(1)} s of waiting: ${this.needed.toFixed(0)} s`;
  }
}

for (const script of [true, false]) {
  const how = script ? "with a script" : "without a script";

  test(`a new admin gets from the catalogue to a living connection, ${how}`, async ({ browser }) => {
    // Its pictures take longer than its walk.
    if (script) test.slow();
    const name = `wizard-${script ? "script" : "noscript"}`;
    const issuer = `http://localhost:${await freePort()}`;
    const presets = join(artefacts, "presets", name);
    preset(presets, issuer);
    let house: House | undefined;
    let provider: AuthorizationServer | undefined;
    try {
      house = await startHouse(name, ["serve"], { REGRANT_PROVIDERS_DIR: presets });
      provider = await startProvider(house, 3600, { ISSUER: issuer });
      house.secret("the client's secret", CLIENT_SECRET);
      house.secret("the admin's password", ADMIN.password);
      const { context, page, mistakes } = await visitor(browser, house, { javaScriptEnabled: script });
      const walk = new Walk(page, house);
      const heading = (text: string | RegExp) => () =>
        page.getByRole("heading", { level: 1, name: text }).waitFor();
      const press = (text: string) => () => page.getByRole("button", { name: text, exact: true }).click();
      const follow = (text: string) => () => page.getByRole("link", { name: text, exact: true }).click();
      const pictured = async (what: string) => {
        if (script) await look(page, `wizard-${what}`, IN_PASSING);
      };

      const link = await house.logged(/first admin at (http\S+\/setup\/\S+)/);
      await page.goto(link);
      await page.getByLabel("E-mail").fill(ADMIN.email);
      await page.getByLabel("Password").fill(ADMIN.password);
      await page.getByRole("button", { name: "Create the first admin" }).click();
      await heading("Overview")();
      await hydrated(page);
      await pictured("1-empty");

      await walk.step(follow("Register a client"), heading("Register a client"));
      await walk.fill(page.getByRole("search").getByLabel("Name"), "orchard");
      await walk.step(press("Show"), () => expect(page.locator(".tile")).toHaveCount(1));
      await pictured("2-found");
      await walk.step(follow(SERVICE), heading(`Register a client at ${SERVICE}`));
      await pictured("3-register");

      // The redirect URI is taken to the provider, which gives an id and a secret for it.
      const uri = page.getByLabel("Redirect URI");
      await expect(uri).toHaveValue(`${house.url}/oauth/callback`);
      if (script) {
        const copied = page.getByRole("button", { name: /^Copied/ });
        await walk.step(press("Copy"), () => copied.waitFor(), false);
      } else {
        await walk.step(() => uri.click(), () => Promise.resolve(), false);
      }
      await walk.fill(page.getByLabel("Client id"), CLIENT_ID);
      await walk.fill(page.getByLabel("Client secret"), CLIENT_SECRET);
      await expect(page.getByLabel("Scopes")).toHaveValue(SCOPES);
      await walk.step(press("Register client"), () => page.waitForURL(/\/clients\/[0-9a-f-]{36}$/));
      await pictured("4-first-steps");

      const told = page.getByRole("status");
      const accepted = () => expect(told).toContainText("The credentials are accepted");
      await walk.step(press("Check credentials"), accepted, !script);
      await pictured("5-checked");
      await walk.step(follow("Connect the first account"), heading(`Connect an account at ${SERVICE}`));
      await pictured("6-connect");
      await walk.step(
        () => section(page, "By consent, now").getByRole("button", { name: `Continue to ${SERVICE}` }).click(),
        () => page.waitForURL(`${issuer}/**`),
        false,
      );
      await walk.step(
        () => consent(page, "ada.lovelace"),
        () => expect(page.getByRole("status")).toContainText("Connected"),
      );
      await expect(page.locator(".head .badge")).toHaveText("alive");
      await pictured("7-alive");

      console.log(`      ${how}: ${walk}`);
      expect(walk.pages, "pages").toBeLessThanOrEqual(MOST.pages);
      expect(walk.fields, "fields").toBeLessThanOrEqual(MOST.fields);
      expect(walk.clicks, "clicks").toBeLessThanOrEqual(MOST.clicks);
      expect(walk.seconds, "seconds of waiting").toBeLessThanOrEqual(MOST.seconds);
      expect(walk.needed, "seconds in all").toBeLessThanOrEqual(TWO_MINUTES);
      expect(mistakes).toEqual([]);
      await context.close();
    } finally {
      await provider?.stop();
      await house?.stop();
    }
  });
}
