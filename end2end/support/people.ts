// People at Regrant's own pages.
import { expect, type Page } from "@playwright/test";
import type { House } from "./house.js";
import { hydrated } from "./watch.js";

export interface Person {
  email: string;
  password: string;
}

export const ADMIN: Person = { email: "ruth@example.test", password: "ruth keeps the keys 1" };
export const SUPPORT: Person = { email: "sam@example.test", password: "sam helps at the desk 2" };

/** Opens the one-time link of the log and becomes the first admin. */
export async function becomeFirstAdmin(page: Page, house: House): Promise<string> {
  const link = await house.logged(/first admin at (http\S+\/setup\/\S+)/);
  house.secret("the admin's password", ADMIN.password);
  await page.goto(link);
  await page.getByLabel("E-mail").fill(ADMIN.email);
  await page.getByLabel("Password").fill(ADMIN.password);
  await page.getByRole("button", { name: "Create the first admin" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Overview" })).toBeVisible();
  await plantSession(page, house);
  return link;
}

export async function signIn(page: Page, house: House, person: Person): Promise<void> {
  await page.goto("/login");
  await page.getByLabel("E-mail").fill(person.email);
  await page.getByLabel("Password").fill(person.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.locator(".who-name")).toHaveText(person.email);
  await plantSession(page, house);
}

/** Reads pages as the browser gets them, with all the data for their script, for the canary. */
export async function crawl(page: Page, house: House, paths: string[]): Promise<void> {
  for (const path of paths) {
    const answer = await page.request.get(path);
    expect(answer.status(), path).toBe(200);
    house.keep(`page-${path}`, await answer.text());
  }
}

async function plantSession(page: Page, house: House): Promise<void> {
  const cookies = await page.context().cookies(house.url);
  const session = cookies.find((cookie) => cookie.name === "regrant");
  if (!session) throw new Error("no session cookie");
  house.secret("a session cookie", session.value);
}

/** Opens a page of Regrant and waits for its script. */
export async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await hydrated(page);
}

/** The value of one of a page's facts. */
export function fact(page: Page, name: string) {
  return page.locator("dl.facts > div", { has: page.locator("dt", { hasText: new RegExp(`^${name}$`) }) }).locator("dd");
}

/** A part of the page by its heading. */
export function section(page: Page, title: string) {
  return page.locator("section.section", { has: page.getByRole("heading", { name: title }) });
}
