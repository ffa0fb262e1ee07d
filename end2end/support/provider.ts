// The authorization server that is not ours: starting it, and giving consent in its pages.
import { expect, type Page } from "@playwright/test";
import { join } from "node:path";
import type { House } from "./house.js";
import { support } from "./places.js";
import { FILE } from "./planted.js";
import { freePort, start } from "./processes.js";

export const CLIENT_ID = "basic client:1";
export const CLIENT_SECRET = "p@ss +%:/?&= secret-0123456789abcdef";
export const SCOPES = "openid email offline_access api:read";

export interface TokenRequest {
  grant: string;
  status: number;
  error?: string;
}

/** Fingerprints of the refresh tokens that were presented and given. */
export interface GrantedRefresh {
  client: string;
  came: string;
  went?: string;
}

export class AuthorizationServer {
  constructor(
    readonly issuer: string,
    readonly stop: () => Promise<void>,
  ) {}

  /** Ends all grants of an account, as its owner could there. */
  async revoke(account: string): Promise<number> {
    const answer = await fetch(`${this.issuer}/__ctl/revoke?account=${account}`, { method: "POST" });
    return ((await answer.json()) as { revoked: number }).revoked;
  }

  async requests(): Promise<TokenRequest[]> {
    return (await (await fetch(`${this.issuer}/__ctl/requests`)).json()) as TokenRequest[];
  }

  /** The refreshes that were granted to a client. */
  async refreshes(client: string): Promise<GrantedRefresh[]> {
    const all = (await (await fetch(`${this.issuer}/__ctl/refreshes`)).json()) as GrantedRefresh[];
    return all.filter((refresh) => refresh.client === client);
  }
}

/** Starts it for `house`, under another name than Regrant's, so that the browser takes both for
 * different sites. `ISSUER` in `env` says where, for whoever has to know before. */
export async function startProvider(
  house: House,
  accessTtl: number,
  env: Record<string, string> = {},
): Promise<AuthorizationServer> {
  const issuer = env.ISSUER ?? `http://localhost:${await freePort()}`;
  const running = await start(
    process.execPath,
    [join(support, "oidc-provider.mjs")],
    {
      ISSUER: issuer,
      REDIRECT_URI: `${house.url}/oauth/callback`,
      ACCESS_TTL: String(accessTtl),
      PLANTED: join(house.folder, FILE),
      ...env,
    },
    join(house.folder, `oidc-provider-${new URL(issuer).port}.log`),
    `${issuer}/.well-known/openid-configuration`,
  );
  return new AuthorizationServer(issuer, () => running.stop());
}

/** Signs in there and allows what is asked, in a browser that it does not know yet. */
export async function consent(page: Page, account: string): Promise<void> {
  await identify(page, account);
  await page.getByRole("button", { name: "Continue" }).click();
}

/** The same, but the browser does not go back: gives the address it was sent to. */
export async function consentHeldUp(page: Page, account: string): Promise<string> {
  await identify(page, account);
  const form = page.locator("form", { has: page.getByRole("button", { name: "Continue" }) });
  const action = (await form.getAttribute("action")) ?? "";
  let answer = await page.request.post(action, { form: { prompt: "consent" }, maxRedirects: 0 });
  let next = answer.headers().location ?? "";
  if (!next.includes("/oauth/callback")) {
    answer = await page.request.get(next, { maxRedirects: 0 });
    next = answer.headers().location ?? "";
  }
  return next;
}

async function identify(page: Page, account: string): Promise<void> {
  await expect(page).toHaveURL(/^http:\/\/localhost:\d+\/interaction\//);
  await page.locator("[name=login]").fill(account);
  await page.locator("[name=password]").fill("not checked");
  await page.getByRole("button", { name: "Sign-in" }).click();
  await page.getByRole("button", { name: "Continue" }).waitFor();
}
