// A story: somebody does one thing from its beginning to its end, in one width, one theme, with a script or
// without. What they use must be there for their finger, what they see must fit, and it is pictured.
import AxeBuilder from "@axe-core/playwright";
import { join } from "node:path";
import { type Browser, type BrowserContextOptions, expect, type Locator, type Page } from "@playwright/test";
import type { House } from "./house.js";
import { screenshots } from "./places.js";
import { type Visitor, hydrated, visitor } from "./watch.js";

/** How somebody sits before it. */
export interface Seat {
  width: number;
  colorScheme: "light" | "dark";
  script: boolean;
}

const WIDTHS = [390, 768, 1440];
const SCHEMES = ["light", "dark"] as const;

export const ALL_SEATS: Seat[] = WIDTHS.flatMap((width) =>
  SCHEMES.flatMap((colorScheme) => [true, false].map((script) => ({ width, colorScheme, script }))),
);
/** Half of them, in which any two of width, theme and script still meet. */
export const COVERING = ALL_SEATS.filter(
  ({ width, colorScheme, script }) => script === ((colorScheme === "light") !== (width === 768)),
);

export function seatName({ width, colorScheme, script }: Seat): string {
  return `${width}-${colorScheme}-${script ? "script" : "plain"}`;
}

/** What a finger meets is so wide and so high at least, in CSS pixels (WCAG 2.2, 2.5.8). */
const FINGER = 24;

export class Story {
  private pictures = 0;

  private constructor(
    private readonly name: string,
    private readonly browser: Browser,
    readonly house: House,
    readonly seat: Seat,
    private readonly who: Visitor,
  ) {}

  static async begin(
    name: string,
    browser: Browser,
    house: House,
    seat: Seat,
    storageState?: BrowserContextOptions["storageState"],
  ): Promise<Story> {
    const { width, colorScheme, script } = seat;
    const who = await visitor(browser, house, {
      colorScheme,
      javaScriptEnabled: script,
      reducedMotion: "reduce",
      storageState,
      viewport: { width, height: 900 },
    });
    return new Story(name, browser, house, seat, who);
  }

  /** Somebody else in it, at a machine of the same kind. */
  other(role: string): Promise<Story> {
    return Story.begin(`${this.name}-${role}`, this.browser, this.house, this.seat);
  }

  get page(): Page {
    return this.who.page;
  }

  /** Has come to a page, and it fits. */
  async at(title: string | RegExp): Promise<void> {
    await this.page.getByRole("heading", { level: 1, name: title }).waitFor();
    await this.fits();
  }

  async open(path: string, title: string | RegExp): Promise<void> {
    await this.page.goto(path);
    await this.at(title);
  }

  /** By the list of places, which a button opens where there is no room for it. */
  async go(place: string): Promise<void> {
    const menu = this.page.getByRole("button", { name: /Menu$/ });
    if (await menu.isVisible()) await this.press(menu);
    const places = this.page.getByRole("navigation", { name: "Main" });
    await this.press(places.getByRole("link", { name: place, exact: true }));
    await this.at(place);
  }

  async press(control: Locator): Promise<void> {
    await handy(control);
    await control.click();
  }

  async fill(field: Locator, text: string): Promise<void> {
    await handy(field);
    await field.fill(text);
  }

  async pick(list: Locator, label: string): Promise<void> {
    await handy(list);
    await list.selectOption({ label });
  }

  async tick(box: Locator): Promise<void> {
    await handy(box);
    await box.check();
  }

  /** Without a script one loads the page again until it says so. */
  async until(seen: (timeout: number) => Promise<void>): Promise<void> {
    if (this.seat.script) return seen(10_000);
    await expect(async () => {
      await this.page.reload();
      await seen(300);
    }).toPass({ timeout: 20_000 });
  }

  /** Takes its picture, from the top: what sticks to the screen's edge stands where it belongs. */
  async see(what: string): Promise<void> {
    await this.fits();
    await this.page.evaluate(() => scrollTo({ top: 0, behavior: "instant" }));
    this.pictures += 1;
    const file = `${this.name}-${this.pictures}-${what}-${seatName(this.seat)}.png`;
    await this.page.screenshot({ path: join(screenshots, "stories", file), fullPage: true });
  }

  /** The last page shuts nobody out, and none made a mistake. Axe cannot look where no script runs. */
  async end(): Promise<void> {
    if (this.seat.script) await this.shutsNobodyOut();
    // That the WASM is fetched for nothing is said by the browser itself, when it likes.
    const ours = (mistake: string) => this.seat.script || !mistake.includes("link preload");
    expect(this.who.mistakes.filter(ours)).toEqual([]);
    await this.who.context.close();
  }

  private async shutsNobodyOut(): Promise<void> {
    const axe = new AxeBuilder({ page: this.page }).setLegacyMode();
    const { violations } = await axe.options({ resultTypes: ["violations"] }).analyze();
    const wrong = violations.flatMap(({ id, help, nodes }) =>
      nodes.map(({ target }) => `${id}: ${target.join(" ")} (${help})`),
    );
    expect(wrong).toEqual([]);
  }

  private async fits(): Promise<void> {
    // A provider's page needs no script.
    if (this.page.url().startsWith(this.house.url)) await hydrated(this.page);
    const sideways = await this.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(sideways, `${this.page.url()} is wider than the screen`).toBeLessThanOrEqual(0);
  }
}

/** Whoever means a control hits it or its label, be it a little beside the middle. */
async function handy(control: Locator): Promise<void> {
  await control.click({ trial: true });
  const missed = await control.evaluate((element, reach) => {
    element.scrollIntoView({ block: "center", behavior: "instant" });
    const targets = [element, ...((element as HTMLInputElement).labels ?? [])];
    const boxes = targets.map((target) => target.getBoundingClientRect());
    const size = (box: DOMRect) => Math.min(box.width, box.height);
    const box = boxes.reduce((one, other) => (size(other) > size(one) ? other : one));
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const around: [number, number][] = [[0, 0], [-reach, 0], [reach, 0], [0, -reach], [0, reach]];
    const misses = around.filter(([right, down]) => {
      const hit = document.elementFromPoint(x + right, y + down);
      return !targets.some((target) => target.contains(hit));
    });
    return misses.map((miss) => miss.join(" "));
  }, FINGER / 2 - 0.5);
  expect(missed, `${control} is missed at so many pixels from its middle`).toEqual([]);
}
