// Starts what all specs share: Regrant on an empty database of its own, and an authorization server
// that is not ours. Specs find them in the environment.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, start } from "./processes.js";

const here = dirname(fileURLToPath(import.meta.url));
const project = resolve(here, "../..");
const logs = join(project, "target/end2end");

export default async function globalSetup(): Promise<() => Promise<void>> {
  const dataDir = mkdtempSync(join(tmpdir(), "regrant-end2end-"));
  // Root hands PostgreSQL to another user, who has to get there.
  chmodSync(dataDir, 0o711);
  const regrantUrl = `http://127.0.0.1:${await freePort()}`;
  const issuer = `http://127.0.0.1:${await freePort()}`;

  const provider = await start(
    process.execPath,
    [join(here, "oidc-provider.mjs")],
    { ISSUER: issuer, REDIRECT_URI: `${regrantUrl}/oauth/callback` },
    join(logs, "oidc-provider.log"),
    `${issuer}/.well-known/openid-configuration`,
  );
  const regrant = await start(
    process.env.REGRANT_BIN ?? join(project, "target/debug/regrant"),
    ["serve"],
    {
      DATABASE_URL: "",
      REGRANT_DATA_DIR: dataDir,
      REGRANT_LISTEN: new URL(regrantUrl).host,
      REGRANT_PUBLIC_URL: regrantUrl,
      REGRANT_ALLOW_PRIVATE_NETWORKS: "true",
    },
    join(logs, "regrant.log"),
    `${regrantUrl}/readyz`,
  );

  process.env.REGRANT_URL = regrantUrl;
  process.env.REGRANT_LOG_FILE = join(logs, "regrant.log");
  process.env.ISSUER = issuer;

  return async () => {
    await regrant.stop();
    await provider.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
}
