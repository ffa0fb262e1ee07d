// A house: one Regrant on an empty private database of its own, and what it leaves behind.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { houses, program } from "./places.js";
import { plant } from "./planted.js";
import { type Program, freePort, start } from "./processes.js";

export class House {
  constructor(
    readonly name: string,
    readonly url: string,
    readonly folder: string,
    private readonly base: string,
    private readonly dataDir: string,
    private readonly running: Program,
  ) {}

  /** What it has logged so far. */
  log(): string {
    return readFileSync(join(this.folder, "regrant.log"), "utf8");
  }

  /** The first part in brackets of what the log says, once it says it. */
  async logged(pattern: RegExp): Promise<string> {
    const deadline = Date.now() + 10_000;
    for (;;) {
      const found = pattern.exec(this.log())?.[1];
      if (found) return found;
      if (Date.now() > deadline) throw new Error(`the log does not say ${pattern}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Registers a secret that must be found nowhere. */
  secret(what: string, value: string): string {
    return plant(this.name, "secret", what, value);
  }

  /** Registers what one page shows once and nothing else may hold. */
  shownOnce(what: string, value: string): string {
    return plant(this.name, "once", what, value);
  }

  /** Keeps the text of an answer for the canary. */
  keep(name: string, text: string): void {
    const folder = join(this.folder, "answers");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${name.replace(/[^a-z0-9.-]+/gi, "_").slice(0, 120)}.txt`), text);
  }

  /** Dumps the database, keeps the logs of the data folder, and ends. */
  async stop(): Promise<void> {
    try {
      this.dump();
    } finally {
      await this.running.stop();
      const log = join(this.dataDir, "postgres.log");
      if (existsSync(log)) copyFileSync(log, join(this.folder, "postgres.log"));
      rmSync(this.base, { recursive: true, force: true });
    }
  }

  private dump(): void {
    const data = join(this.dataDir, "postgres/data");
    const master = join(this.dataDir, "master.key");
    this.secret("the master key", readFileSync(master, "utf8").trim());
    // The fifth line of the lock names the folder of the socket.
    const socket = readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")[4] ?? "";
    const major = readFileSync(join(data, "PG_VERSION"), "utf8").trim();
    const sql = execFileSync(
      pgDump(major),
      ["--host", socket, "--username", "regrant", "--no-password", "--inserts", "regrant"],
      { maxBuffer: 1 << 28, encoding: "utf8" },
    );
    writeFileSync(join(this.folder, "dump.sql"), sql);
  }
}

function pgDump(major: string): string {
  const folders = [process.env.PG_BIN_DIR, `/usr/lib/postgresql/${major}/bin`];
  const found = folders.find((folder) => folder && existsSync(join(folder, "pg_dump")));
  return found ? join(found, "pg_dump") : "pg_dump";
}

/** Starts `regrant ARGS…` on a database of its own. */
export async function startHouse(
  name: string,
  args: string[] = ["serve"],
  env: Record<string, string> = {},
): Promise<House> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const folder = join(houses, name);
  // What an earlier try of the same story left stays for the canary.
  if (existsSync(folder)) renameSync(folder, `${folder}-tried-${Date.now()}`);
  mkdirSync(folder, { recursive: true });
  const base = mkdtempSync(join(tmpdir(), "regrant-end2end-"));
  // Root hands PostgreSQL to another user, who has to get there.
  chmodSync(base, 0o711);
  const running = await start(
    program,
    args,
    {
      DATABASE_URL: "",
      REGRANT_DATA_DIR: base,
      REGRANT_LISTEN: new URL(url).host,
      REGRANT_PUBLIC_URL: url,
      REGRANT_ALLOW_PRIVATE_NETWORKS: "true",
      // Louder than anyone runs it, so that the canary hears what a curious operator would.
      REGRANT_LOG: "info,regrant=trace,tower_http=debug,sqlx=info",
      ...env,
    },
    join(folder, "regrant.log"),
    `${url}/readyz`,
  );
  // The demo keeps its data apart.
  const apart = readdirSync(base).includes("demo") ? join(base, "demo") : base;
  return new House(name, url, folder, base, apart, running);
}
