// How a page looks to each who opens it, and that it shuts nobody out.
import AxeBuilder from "@axe-core/playwright";
import { join } from "node:path";
import { expect, type Page } from "@playwright/test";
import { screenshots } from "./places.js";

/** Takes the pictures of a page in both themes and three widths, and fails on what is wrong with any. */
export async function look(page: Page, name: string): Promise<void> {
  const wrong: string[] = [];
  const before = page.viewportSize();
  for (const colorScheme of ["light", "dark"] as const) {
    for (const width of [390, 768, 1440]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.setViewportSize({ width, height: 900 });
      await page.screenshot({ path: join(screenshots, `${name}-${colorScheme}-${width}.png`), fullPage: true });
      const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (sideways > 0) wrong.push(`${width} px: ${sideways} px too wide`);
      // Without frames to look into it need not open a page of its own; and only what is wrong matters.
      const axe = new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ["violations"] });
      for (const { id, nodes } of (await axe.analyze()).violations) {
        for (const node of nodes) wrong.push(`${colorScheme} ${width}: ${id}: ${node.target.join(" ")}`);
      }
    }
  }
  if (before) await page.setViewportSize(before);
  expect(wrong).toEqual([]);
}
