// A person at a provider's pages, without a browser: follows redirects and fills in forms. What the
// pages look like is their servers' own business; what they ask is in their forms.
import { request } from "@playwright/test";

/** What is typed, by the names of the fields. */
export type Typed = Record<string, string>;

const STEPS = 20;

/** Walks from `start` until a page has no form any more, or an address that begins with `stop` comes
 * up; gives the address it ends at. */
export async function walk(start: string, typed: Typed, stop = "nowhere:"): Promise<string> {
  const context = await request.newContext({ maxRedirects: 0 });
  try {
    let url = start;
    let answer = await context.get(url);
    for (let step = 0; step < STEPS; step += 1) {
      const location = answer.headers().location;
      if (location !== undefined) {
        url = new URL(location, url).href;
        if (url.startsWith(stop)) return url;
        answer = await context.get(url);
        continue;
      }
      const page = await answer.text();
      const form = readForm(page, typed);
      if (!form) return url;
      url = new URL(form.action || url, url).href;
      answer = await context.post(url, { form: form.fields });
    }
    throw new Error(`${url} leads nowhere`);
  } finally {
    await context.dispose();
  }
}

/** The page's first form with its own values and what is typed; nothing if it posts nothing. */
function readForm(page: string, typed: Typed): { action: string; fields: Typed } | undefined {
  const [, head, body] = /<form\b([^>]*)>([\s\S]*?)<\/form>/i.exec(page) ?? [];
  if (head === undefined || body === undefined || !/method="?post/i.test(head)) return undefined;
  const fields: Typed = {};
  const elements = [...body.matchAll(/<(?:input|button)\b[^>]*>/gi)].map(([element]) => element);
  for (const element of elements) {
    const name = attribute(element, "name");
    if (!name) continue;
    const pressed = /^<button/i.test(element) || /type="?(submit|checkbox|radio)/i.test(element);
    if (name in typed) fields[name] = typed[name] ?? "";
    else if (!pressed) fields[name] = attribute(element, "value");
  }
  return { action: attribute(head, "action"), fields };
}

function attribute(element: string, name: string): string {
  const value = new RegExp(`\\b${name}="([^"]*)"`, "i").exec(element)?.[1] ?? "";
  return value
    .replace(/&quot;/g, '"')
    .replace(/&#x27;|&#39;/g, "'")
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&amp;/g, "&");
}
