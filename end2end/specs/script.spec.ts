// The script of every page, by itself: on a page of three parts, with a server that does on request what a
// real one does when it likes. What is seen here at once would take others minutes to come to.
import { readFileSync } from "node:fs";
import { type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { expect, test, type Page } from "@playwright/test";

const SCRIPT = readFileSync(fileURLToPath(new URL("../../src/ui/boot.js", import.meta.url)), "utf8");
const GONE = "There is no such thing.";

/** What the server does. */
const first = {
  live: "holds" as "holds" | "ends" | "refuses",
  streams: 0,
  gone: false,
  fails: false,
  /** Whether what was sent stays, though it worked. */
  keeps: false,
  /** Whether a file can be sent. */
  takes: false,
  name: "one",
  hidden: "a",
  /** How the part stands after which all of the page is another. */
  rehearsal: "" as "" | "moving" | "still",
};
let now = { ...first };
const open = new Set<ServerResponse>();
const aloud = (name: string) => `<div aria-live="polite" data-kept=""><p class="${name}" hidden>${name}</p></div>`;

const page = (asked: URLSearchParams) => `<!DOCTYPE html><html lang="en"><head><title>A page</title>
<script type="module">import start,* as parts from "/stub.js";const wasm="";${SCRIPT}</script></head><body><main>
${asked.has("__done") ? '<div class="was-done" role="status"><p class="said">It was done.</p></div>' : ""}<h1>A page</h1>
<div id="things" data-live="still" data-topic="things">${aloud("stale")}<p id="name">${now.name}</p>${aloud("held")}</div>
<form method="post" action="/rpc/thing" class="${now.keeps ? "form is-kept" : "form"}"><input type="hidden" name="shown" value="${now.hidden}">
<label>Typed <input name="typed" value=""></label><button>Send</button>
${asked.has("__err") ? '<div class="answered"><p class="said">It failed.</p></div>' : ""}</form>
${now.takes ? `<form method="post" enctype="multipart/form-data" action="/upload/thing" class="${asked.has("run") ? "form is-kept" : "form"}">
<label>File <input type="file" name="file"></label><button>Upload</button></form>` : ""}
${now.rehearsal && `<div id="rehearsal" data-live="${now.rehearsal}" data-then="reload">${aloud("held")}</div>`}
</main></body></html>`;

const server = createServer((request, answer) => {
  const { pathname, searchParams } = new URL(request.url ?? "", "http://x");
  const html = { "content-type": "text/html" };
  if (pathname === "/stub.js") {
    answer.writeHead(200, { "content-type": "text/javascript" });
    answer.end("export default async () => {}; export const hydrate = () => {};");
  } else if (pathname === "/live") {
    now.streams += 1;
    if (now.live === "refuses") return void answer.writeHead(503).end();
    answer.writeHead(200, { "content-type": "text/event-stream" }).write("retry: 100\n\n");
    if (now.live === "ends") answer.end();
    else open.add(answer);
  } else if (pathname === "/rpc/thing") {
    // What the page sends by itself is another from now on.
    now.hidden += "b";
    const came = now.fails ? "__path=/rpc/thing&__err=e" : "__done=/rpc/thing";
    answer.writeHead(204, { "x-go-to": `http://${request.headers.host}/?${came}` }).end();
  } else if (pathname === "/upload/thing") {
    request.resume().on("end", () => answer.writeHead(303, { location: "/?run=1" }).end());
  } else if (now.gone) {
    answer.writeHead(404, html).end(`<main><div class="stack"><p>${GONE}</p></div></main>`);
  } else {
    answer.writeHead(200, html).end(page(searchParams));
  }
});

/** Says that something became of the things. */
const say = () => open.forEach((stream) => stream.write("data: things\n\n"));

let url: string;
test.beforeAll(async () => {
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
test.afterAll(() => {
  server.closeAllConnections();
  server.close();
});
test.beforeEach(() => {
  now = { ...first };
});
test.afterEach(() => open.clear());

/** Opens the page, which from then on counts how often it worries its reader, and knows if it stayed. */
async function visit(page: Page): Promise<void> {
  await page.addInitScript(() => {
    Object.assign(window, { worries: 0 });
    new MutationObserver((changes) => {
      const worry = changes.filter(({ target }) => target instanceof Element && target.matches(".stale:not([hidden])"));
      (window as unknown as { worries: number }).worries += worry.length;
    }).observe(document, { subtree: true, attributes: true, attributeFilter: ["hidden"] });
  });
  await page.goto(url);
  await page.locator("html[data-hydrated]").waitFor({ state: "attached" });
  await page.evaluate(() => Object.assign(window, { stayed: true }));
}

const stayed = (page: Page) => page.evaluate(() => "stayed" in window);
const focused = (page: Page) => page.evaluate(() => document.activeElement?.textContent);

test("a stream that ends and begins anew worries nobody", async ({ page }) => {
  now.live = "ends";
  await visit(page);
  await expect(() => expect(now.streams).toBeGreaterThan(5)).toPass({ timeout: 10_000 });
  expect(await page.evaluate(() => (window as unknown as { worries: number }).worries)).toBe(0);
});

test("one that is refused is told of, and asked for now and then", async ({ page }) => {
  now.live = "refuses";
  await visit(page);
  await expect(page.locator("[aria-live] > .stale")).toBeVisible({ timeout: 12_000 });
  expect(now.streams).toBeLessThan(5);
  now.live = "holds";
  await expect(page.locator(".stale")).toBeHidden({ timeout: 12_000 });
  now.name = "two";
  say();
  await expect(page.locator("#name")).toHaveText("two");
});

test("what is gone is said, and rests", async ({ page }) => {
  await visit(page);
  await expect(() => expect(open.size).toBe(1)).toPass();
  now.gone = true;
  say();
  await expect(page.locator(".stale")).toHaveText(GONE);
  await expect(page.locator(".stale")).toBeVisible();
  await expect(page.locator("[data-topic]")).toHaveCount(0);
  expect(await stayed(page)).toBe(true);
});

test("what was typed anywhere outlives a rehearsal", async ({ page }) => {
  now.rehearsal = "moving";
  await visit(page);
  await page.getByLabel("Typed").fill("half of it");
  await page.locator("h1").click();
  now.rehearsal = "still";
  await expect(page.locator("#rehearsal .held")).toBeVisible({ timeout: 12_000 });
  await expect(page.getByLabel("Typed")).toHaveValue("half of it");
  expect(await stayed(page)).toBe(true);
  await page.getByLabel("Typed").fill("");
  await page.locator("h1").click();
  await expect(async () => expect(await stayed(page)).toBe(false)).toPass({ timeout: 12_000 });
});

test("what is to be corrected stays after it was read", async ({ page }) => {
  for (const keeps of [true, false]) {
    now.keeps = keeps;
    await visit(page);
    await page.getByLabel("Typed").fill("half of it");
    await page.getByRole("button", { name: "Send" }).click();
    await expect(async () => expect(await focused(page)).toBe("It was done.")).toPass();
    await expect(page.getByLabel("Typed")).toHaveValue(keeps ? "half of it" : "");
  }
});

test("a file that was tried is at hand for what follows", async ({ page }) => {
  now.takes = true;
  await visit(page);
  const file = page.getByLabel("File");
  await file.setInputFiles({ name: "rows.csv", mimeType: "text/csv", buffer: Buffer.from("a,b") });
  await page.getByRole("button", { name: "Upload" }).click();
  await expect(page).toHaveURL(`${url}?run=1`);
  expect(await stayed(page)).toBe(true);
  const name = await file.evaluate((field) => (field as HTMLInputElement).files?.[0]?.name);
  expect(name).toBe("rows.csv");
});

test("what came of a form is what one hears, once", async ({ page }) => {
  await visit(page);
  await page.getByRole("button", { name: "Send" }).click();
  await expect(async () => expect(await focused(page)).toBe("It was done.")).toPass();
  await expect(page).toHaveURL(url);
  // It failed, and what the page sends by itself has become another.
  now.fails = true;
  await page.getByLabel("Typed").fill("kept");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(async () => expect(await focused(page)).toBe("It failed.")).toPass();
  await expect(page.getByLabel("Typed")).toHaveValue("kept");
  await page.goto(`${url}?__done=/rpc/thing`);
  await expect(page).toHaveURL(url);
});
