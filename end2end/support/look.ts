// How a page looks to each who opens it, and that it shuts nobody out.
import AxeBuilder from "@axe-core/playwright";
import { join } from "node:path";
import { expect, type Page } from "@playwright/test";
import { screenshots } from "./places.js";

/** A theme and a width in which a page is pictured, and whether it is examined there as well. */
type Look = ["light" | "dark", number, boolean];

const SCHEMES = ["light", "dark"] as const;
const WIDTHS = [390, 768, 1440];

function looks(examined: (scheme: string, width: number) => boolean): Look[] {
  return SCHEMES.flatMap((scheme) =>
    WIDTHS.map((width): Look => [scheme, width, examined(scheme, width)]),
  );
}

/** In both themes, at each width. */
export const CLOSELY = looks(() => true);
/** For many pages: each theme is examined once, as are the widest and the narrowest. */
export const IN_PASSING = looks((scheme, width) => width === (scheme === "light" ? 1440 : 390));

/** Takes the pictures of a page in both themes and three widths, and fails on what is wrong with any, and on
 * the mistakes that were made until then. */
export async function look(page: Page, name: string, at = CLOSELY, mistakes: string[] = []): Promise<void> {
  const wrong: string[] = [];
  const before = page.viewportSize();
  for (const [colorScheme, width, examined] of at) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.setViewportSize({ width, height: 900 });
    await page.screenshot({ path: join(screenshots, `${name}-${colorScheme}-${width}.png`), fullPage: true });
    const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (sideways > 0) wrong.push(`${width} px: ${sideways} px too wide`);
    if (!examined) continue;
    // Without frames to look into it need not open a page of its own; and only what is wrong matters.
    const axe = new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ["violations"] });
    for (const { id, help, nodes } of (await axe.analyze()).violations) {
      for (const node of nodes) wrong.push(`${colorScheme} ${width}: ${id}: ${node.target.join(" ")} (${help})`);
    }
  }
  if (before) await page.setViewportSize(before);
  wrong.push(...mistakes.splice(0));
  expect(wrong).toEqual([]);
}
