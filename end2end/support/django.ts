// The other authorization server that is not ours: django-oauth-toolkit.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { House } from "./house.js";
import { python, support } from "./places.js";
import { FILE } from "./planted.js";
import { freePort, start } from "./processes.js";

export const DJANGO_CLIENT = "django client";
export const DJANGO_SECRET = "dj@ngo +%:/?&= secret-0123456789";
export const DJANGO_DEVICE = "django-device";
export const DJANGO_PERSON = { username: "alice", password: "alice types this" };

export class Django {
  readonly issuer: string;

  constructor(
    private readonly base: string,
    readonly stop: () => Promise<void>,
  ) {
    this.issuer = `${base}/o`;
  }

  /** Ends all grants, as their owner could there. */
  async revoke(): Promise<number> {
    const address = `${this.base}/__ctl/revoke/${DJANGO_PERSON.username}`;
    return ((await (await fetch(address, { method: "POST" })).json()) as { revoked: number }).revoked;
  }
}

/** Starts it. A refresh token that was used already is taken for `grace` seconds more. */
export async function startDjango(house: House, grace: number): Promise<Django> {
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const state = mkdtempSync(join(tmpdir(), "regrant-django-"));
  const running = await start(
    python,
    [join(support, "django_oauth_toolkit.py")],
    {
      PORT: String(port),
      REDIRECT_URI: `${house.url}/oauth/callback`,
      STATE: state,
      GRACE: String(grace),
      PLANTED: join(house.folder, FILE),
    },
    join(house.folder, `django-${port}.log`),
    `${base}/ready`,
  );
  return new Django(base, async () => {
    await running.stop();
    rmSync(state, { recursive: true, force: true });
  });
}
