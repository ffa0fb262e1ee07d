// What a browser sees, watched: mistakes that a page makes on its own, and answers for the canary.
import type { Browser, BrowserContext, BrowserContextOptions, Page, Response } from "@playwright/test";
import type { House } from "./house.js";

export interface Visitor {
  context: BrowserContext;
  page: Page;
  /** What went wrong in the pages of Regrant so far: exceptions, console errors, warnings. */
  mistakes: string[];
}

/** Browsers that run no script. */
const scriptless = new WeakSet<BrowserContext>();

/** A browser without a past. */
export async function visitor(
  browser: Browser,
  house: House,
  options: BrowserContextOptions = {},
): Promise<Visitor> {
  const context = await browser.newContext({ baseURL: house.url, ...options });
  if (options.javaScriptEnabled === false) scriptless.add(context);
  const mistakes: string[] = [];
  const ours = (url: string) => url === "" || url.startsWith(house.url);
  context.on("weberror", (error) => {
    const url = error.page()?.url() ?? "";
    if (ours(url)) mistakes.push(`${url}: ${error.error().message}`);
  });
  context.on("console", (message) => {
    const url = message.location().url;
    if (ours(url) && ["error", "warning"].includes(message.type())) {
      mistakes.push(`${url}: ${message.text()}`);
    }
  });
  context.on("response", (response) => void keep(house, response));
  return { context, page: await context.newPage(), mistakes };
}

/** Waits until the page's script has woken its parts, if the browser runs any. */
export async function hydrated(page: Page): Promise<void> {
  if (scriptless.has(page.context())) return;
  await page.locator("html[data-hydrated]").waitFor({ state: "attached" });
}

let count = 0;

/**
 * As far as the browser still has it: a redirect has no body, and a page that was left at once may
 * be gone. A way out to the provider carries the state because it must; a way back home may not.
 */
async function keep(house: House, response: Response): Promise<void> {
  const url = new URL(response.url());
  if (url.origin !== house.url || url.pathname.startsWith("/pkg/")) return;
  count += 1;
  const name = `seen-${count}${url.pathname}`;
  const location = new URL(response.headers().location ?? "", url);
  const home = location.origin === house.url ? location.href : location.origin;
  // The page that leaves for the provider is such a way out as well.
  const leaves = url.pathname.startsWith("/oauth/start/");
  const body = leaves ? "" : await response.text().catch(() => "");
  house.keep(name, `${response.status()} ${home}\n${body}`);
}
