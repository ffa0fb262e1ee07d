// One PostgreSQL that can be killed: as a crash of the whole, or of a single backend, upon which it
// starts itself anew.
import { execFile, execFileSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { now, sleep, until } from "./clock.mjs";
import { begin, environment } from "./program.mjs";

const run = promisify(execFile);
/** How long a query of ours may take: the database is often away. */
const QUERY_SECONDS = 5;

/** What tells the time, and whether it tells the same throughout a statement. */
const FUNCTIONS = [
  ["clock_timestamp", "VOLATILE"],
  ["statement_timestamp", "STABLE"],
  ["transaction_timestamp", "STABLE"],
  ["now", "STABLE"],
];

function binaries() {
  const folders = [process.env.PG_BIN_DIR];
  try {
    folders.push(execFileSync("pg_config", ["--bindir"], { encoding: "utf8" }).trim());
  } catch {
    // Not installed everywhere.
  }
  const debian = "/usr/lib/postgresql";
  const majors = existsSync(debian) ? readdirSync(debian).map(Number).sort((a, b) => b - a) : [];
  folders.push(...majors.map((major) => join(debian, String(major), "bin")));
  const found = folders.find((folder) => folder && existsSync(join(folder, "initdb")));
  if (!found) throw new Error("no PostgreSQL found: set PG_BIN_DIR to the folder that holds initdb");
  return found;
}

/** PostgreSQL does not run as root. */
function account() {
  if (process.getuid() !== 0) return {};
  const line = readFileSync("/etc/passwd", "utf8").split("\n").find((row) => row.startsWith("postgres:"));
  if (!line) throw new Error("there is no user postgres to run PostgreSQL as");
  const [, , uid, gid] = line.split(":").map(Number);
  return { uid, gid };
}

export class Postgres {
  constructor(folder, port, log) {
    Object.assign(this, { folder, port, log, seconds: 0, bin: binaries(), account: account(), child: null });
    this.data = join(folder, "data");
  }

  /** Makes an empty cluster. Commits are durable: a crash of the processes loses none. */
  make() {
    mkdirSync(this.folder, { recursive: true });
    chmodSync(this.folder, 0o755);
    if (this.account.uid) chownSync(this.folder, this.account.uid, this.account.gid);
    execFileSync(
      join(this.bin, "initdb"),
      ["--pgdata", this.data, "--username", "regrant", "--auth", "trust", "--encoding", "UTF8", "--no-sync"],
      { ...this.account, cwd: this.folder, stdio: "ignore", env: environment({ LC_ALL: "C" }) },
    );
  }

  /** Gives the database a clock that can be set. PostgreSQL itself can't run on a false clock: the
   * signals by which it ends deadlocks and slow statements would not. So what is asked for by name
   * is answered by functions that are found before its own. */
  async makeClock() {
    await this.run(`
      CREATE SCHEMA clock;
      CREATE TABLE clock.ahead (by interval NOT NULL);
      INSERT INTO clock.ahead VALUES ('0');
${FUNCTIONS.map(
        ([name, volatility]) => `
      CREATE FUNCTION clock.${name}() RETURNS timestamptz ${volatility} LANGUAGE sql
        AS 'SELECT pg_catalog.${name}() + by FROM clock.ahead';`,
      ).join("")}
      ALTER ROLE regrant SET search_path = public, clock, pg_catalog;`);
  }

  /** Puts the clock so many seconds before the machine's. */
  async set(seconds) {
    this.seconds = seconds;
    await this.run(`UPDATE clock.ahead SET by = '${seconds} seconds'`);
  }

  url(port) {
    return `postgres://regrant@127.0.0.1:${port}/postgres`;
  }

  async start() {
    const settings = {
      listen_addresses: "127.0.0.1",
      port: this.port,
      unix_socket_directories: "",
      max_connections: 150,
      shared_buffers: "64MB",
      autovacuum_naptime: "5s",
      log_min_messages: "warning",
      // Nothing here outlives the machine, and what one process of it wrote the others see.
      fsync: "off",
      ...this.settings,
    };
    const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    this.child = begin(join(this.bin, "postgres"), ["-D", this.data, ...args], {
      ...this.account,
      cwd: this.folder,
      log: this.log,
    });
    await this.up(60);
  }

  /** Returns when it takes queries. */
  async up(seconds) {
    await until("PostgreSQL takes no queries", seconds, () => this.query("SELECT true AS up"), 50);
  }

  /** `kill -9` of everything, and nothing comes back until `start`. */
  async kill() {
    const pids = this.processes();
    this.child.kill("SIGKILL");
    for (const pid of pids) signal(pid);
    await this.child.ended;
    await until("PostgreSQL's processes do not end", 10, () => pids.every((pid) => !isAlive(pid)), 20);
    rmSync(join(this.data, "postmaster.pid"), { force: true });
  }

  /** `kill -9` of one backend: PostgreSQL ends all others and recovers by itself. */
  killBackend(random) {
    const pid = random.pick(this.processes());
    return pid !== undefined && signal(pid);
  }

  processes() {
    const path = `/proc/${this.child.pid}/task/${this.child.pid}/children`;
    try {
      return readFileSync(path, "utf8").trim().split(" ").filter(Boolean).map(Number);
    } catch {
      return [];
    }
  }

  /** Asks it directly, past all faults; the rows as objects. */
  async query(sql) {
    return JSON.parse(await this.run(`SELECT coalesce(json_agg(answer), '[]') FROM (${sql}) answer`));
  }

  async run(sql) {
    const { stdout } = await run(
      join(this.bin, "psql"),
      ["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", this.url(this.port), "-c", sql],
      { timeout: QUERY_SECONDS * 1000, maxBuffer: 1 << 28, env: environment({ PGCONNECT_TIMEOUT: "3" }) },
    );
    return stdout;
  }

  async stop() {
    if (!this.child || this.child.end) return;
    this.child.kill("SIGINT");
    const began = now();
    while (!this.child.end && now() - began < 10_000) await sleep(50);
    if (!this.child.end) await this.kill();
  }
}

function signal(pid) {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    return false;
  }
}

function isAlive(pid) {
  try {
    // A zombie is dead.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
