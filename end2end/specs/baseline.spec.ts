// How the six main pages looked when somebody last looked at them. What differs on every run (moments,
// spans, names that are drawn by lot) is the same for all first: a lifeline keeps all that is drawn on it,
// each kind at a place of its own; of the charts the bars and their moments are left out. After a change
// that is meant:
//
//   npx playwright test specs/baseline.spec.ts --project=walks --update-snapshots
import { expect, test, type Page } from "@playwright/test";
import { type House, startHouse } from "../support/house.js";
import { open, signIn } from "../support/people.js";
import { freePort } from "../support/processes.js";
import { type Visitor, visitor } from "../support/watch.js";

test.describe.configure({ mode: "serial" });

/** How wide a line is in the fonts that the baseline was drawn with. Other fonts make other pictures. */
const LINE = "Regrant keeps grants alive: 0123456789";
const LINE_WIDTH = 306;

let demo: House;
let admin: Visitor;
let nobody: Visitor;

test.beforeAll(async ({ browser }) => {
  test.setTimeout(150_000);
  demo = await startHouse("baseline", ["demo", "--sandbox-listen", `127.0.0.1:${await freePort()}`]);
  admin = await visitor(browser, demo);
  nobody = await visitor(browser, demo);
  const password = await demo.logged(/password\s+(\S+)/);
  await signIn(admin.page, demo, { email: "admin@example.com", password });
});

test.afterAll(async () => {
  await demo?.stop();
});

test.beforeEach(async () => {
  const width = await admin.page.evaluate((line) => {
    const context = document.createElement("canvas").getContext("2d")!;
    const style = getComputedStyle(document.body);
    context.font = `${style.fontSize} ${style.fontFamily}`;
    return Math.round(context.measureText(line).width);
  }, LINE);
  test.skip(width !== LINE_WIDTH, `this machine has other fonts: ${width} instead of ${LINE_WIDTH}`);
});

const linked = (list: string, name: string) => async (page: Page) => {
  await page.goto(list);
  return (await page.locator("main").getByRole("link", { name, exact: true }).getAttribute("href")) ?? "";
};

const PAGES: [string, (page: Page) => Promise<string>][] = [
  ["overview", async () => "/"],
  ["connections", async () => "/connections?sort=label"],
  ["connection", linked("/connections", "Alice's calendar")],
  ["desk", async () => "/relinks?q=calendar"],
  ["client", linked("/clients", "Support desk")],
];

for (const [name, way] of PAGES) {
  test(`${name} looks as it did`, async () => {
    await open(admin.page, await way(admin.page));
    await compare(admin.page, name);
  });
}

test("a relink's page looks as it did", async () => {
  const { page } = admin;
  await open(page, await linked("/connections", "Bob's calendar")(page));
  await page.getByRole("button", { name: "Create a relink" }).click();
  const link = await page.getByLabel("Relink", { exact: true }).inputValue();
  demo.shownOnce("the relink's token", new URL(link).pathname.split("/").pop() ?? "");
  await open(nobody.page, link);
  await compare(nobody.page, "relink");
});

async function compare(page: Page, name: string): Promise<void> {
  for (const [scheme, width] of [["light", 1440], ["dark", 390]] as const) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    await page.setViewportSize({ width, height: 900 });
    await page.evaluate(rest);
    await page.waitForLoadState("networkidle");
    await page.evaluate(still);
    await expect(page).toHaveScreenshot(`${name}-${scheme}-${width}.png`, {
      fullPage: true,
      maxDiffPixelRatio: 0.02,
    });
  }
}

/** Nobody sees the page, so that it does not look for news. */
function rest(): void {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
  document.dispatchEvent(new Event("visibilitychange"));
}

/** Makes what differs from run to run the same for all. */
function still(): void {
  const same: [RegExp, string][] = [
    [/\d{1,2} \w{3} \d{4}(, \d\d:\d\d:\d\d UTC)?/g, "1 Jan 2026"],
    [/\b(in )?\d+ (second|minute|hour|day|month|year)s?( ago)?\b|\bnow\b/g, "2 days"],
    [/127\.0\.0\.1:\d+/g, "127.0.0.1:1"],
    [/\b[0-9a-f]{8,}(-[0-9a-f]{4,})*\b/g, "0000"],
  ];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode as Text;
    if (text.parentElement?.closest("button")) continue;
    for (const [pattern, word] of same) text.data = text.data.replace(pattern, word);
  }
  for (const field of document.querySelectorAll("input")) {
    field.value = field.value.replace(/127\.0\.0\.1:\d+/g, "127.0.0.1:1");
  }
  // Where things stand on a lifeline is tested where it is reckoned; here they only have to be seen.
  const marks: Record<string, [at: number, y: number]> = {
    obtained: [8, 64],
    failed: [14, 64],
    refreshed: [18, 42],
    due: [34, 64],
    "access-ends": [48, 42],
    "reach-ends": [66, 64],
    "needs-human": [82, 42],
  };
  const stretches: Record<string, [from: number, to: number]> = {
    "ll-behind": [8, 22],
    "ll-left": [22, 48],
    "ll-reach": [22, 66],
    "ll-dead": [14, 22],
    "ll-span": [22, 82],
  };
  for (const line of document.querySelectorAll("main svg.lifeline")) {
    for (const mark of line.querySelectorAll("path[data-mark]")) {
      mark.parentElement?.setAttribute("x", `${marks[mark.getAttribute("data-mark") ?? ""]?.[0]}%`);
    }
    for (const label of line.querySelectorAll("text[data-mark]")) {
      const [at, y] = marks[label.getAttribute("data-mark") ?? ""] ?? [0, 0];
      const lead = label.previousElementSibling;
      for (const name of ["x1", "x2"]) lead?.setAttribute(name, `${at}%`);
      lead?.setAttribute("y1", `${y + 4}`);
      label.setAttribute("x", `${at}%`);
      label.setAttribute("y", `${y}`);
      label.setAttribute("text-anchor", "middle");
    }
    for (const [name, [from, to]] of Object.entries(stretches)) {
      for (const stretch of line.querySelectorAll(`.${name}`)) {
        const straight = stretch.nodeName === "line";
        stretch.setAttribute(straight ? "x1" : "x", `${from}%`);
        stretch.setAttribute(straight ? "x2" : "width", `${straight ? to : to - from}%`);
      }
    }
  }
  const moves = ".chart-plot :is(a, g, .chart-name, .chart-now, .chart-ground:not([x1='0']))";
  for (const drawn of document.querySelectorAll<SVGElement>(moves)) drawn.style.visibility = "hidden";
}
