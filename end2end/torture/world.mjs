// Everything of a run: a database, a provider, replicas, and between each two of them a wire that can
// be broken.
import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Api } from "./api.mjs";
import { until } from "./clock.mjs";
import { faketime } from "./faketime.mjs";
import { Postgres } from "./postgres.mjs";
import { begin, environment, freePort } from "./program.mjs";
import { seeded } from "./random.mjs";
import { FakeClock, Replica } from "./replica.mjs";
import { TcpProxy } from "./tcp.mjs";

const HERE = import.meta.dirname;
const SECRET = "only-for-tests-0123456789abcdef0123456789";
/** Long enough for a lease to run out and the next try to come. */
export const GRACE_SECONDS = 150;
/** A call's deadline and more, so that Regrant gives up and not the wire. */
const PROVIDER_BLACKHOLE_MS = 45_000;

export class World {
  /** `out`: where logs stay. What is big or secret is in a folder that goes away. */
  constructor(options, out) {
    Object.assign(this, { options, out });
    this.random = seeded(options.seed, "world");
    mkdirSync(out, { recursive: true });
    this.folder = mkdtempSync(join(tmpdir(), "regrant-torture-"));
    // Root hands PostgreSQL to another user, who has to get there.
    chmodSync(this.folder, 0o755);
    this.library = options.faketime ? faketime() : null;
    if (options.faketime && !this.library) {
      throw new Error("libfaketime is not installed: apt-get install libfaketime");
    }
    this.clocks = [];
  }

  async start() {
    await this.startDatabase();
    await this.startProvider();
    await this.startReplicas();
    await this.register();
  }

  async startDatabase() {
    const log = join(this.out, "postgres.log");
    this.postgres = new Postgres(join(this.folder, "postgres"), await freePort(), log);
    this.postgres.settings = this.options.postgresSettings ?? {};
    this.postgres.make();
    await this.postgres.start();
    if (this.library) await this.postgres.makeClock();
  }

  clock(name) {
    const clock = new FakeClock(join(this.folder, `${name}.clock`), this.library);
    this.clocks.push(clock);
    return clock;
  }

  /** Lets time pass for the whole world at once. */
  async advance(seconds) {
    const done = this.postgres.set(this.postgres.seconds + seconds);
    for (const clock of this.clocks) clock.set(clock.seconds + seconds);
    await done;
  }

  async startProvider() {
    const port = await freePort();
    this.oracle = join(this.out, "oracle.jsonl");
    rmSync(this.oracle, { force: true });
    this.providerUrl = `http://127.0.0.1:${port}`;
    const clients = Object.fromEntries(
      this.options.clients.map(({ name, graceful }) => [
        name,
        { secret: SECRET, grace: graceful ? GRACE_SECONDS : 0 },
      ]),
    );
    this.provider = begin(process.execPath, [join(HERE, "provider.mjs")], {
      env: {
        PORT: String(port),
        SEED: String(this.options.seed),
        ORACLE: this.oracle,
        CLIENTS: JSON.stringify(clients),
      },
      log: join(this.out, "provider.log"),
    });
    await until("the provider does not answer", 60, () => this.ask("GET"));
    await this.ask("PUT", { ttl: this.options.ttl });
    this.providerPort = port;
  }

  /** Calls the provider's own controls. */
  async ask(method, body, path = "") {
    const answer = await fetch(`${this.providerUrl}/__ctl${path}`, {
      method,
      body: body && JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${method} /__ctl${path}: ${answer.status}`);
    return answer.json();
  }

  async startReplicas() {
    const key = join(this.folder, "master.key");
    writeFileSync(key, `${randomBytes(32).toString("base64")}\n`, { mode: 0o600 });
    this.replicas = [];
    for (let number = 1; number <= this.options.replicas; number += 1) {
      this.replicas.push(await this.replica(`replica-${number}`, key));
    }
    this.api = new Api(this.replicas, seeded(this.options.seed, "api"));
    const [first] = this.replicas;
    // Not synchronously: the wires are in this process.
    const made = await promisify(execFile)(
      this.options.program,
      ["api-key", "create", "--name", "torture", "--scope", "admin"],
      { env: environment({ ...first.env, REGRANT_LOG: "warn" }) },
    );
    this.api.key = made.stdout.trim();
    for (const replica of this.replicas) replica.keep();
    await until("the replicas are not ready", 90, () => this.replicas.every((one) => one.isUp));
  }

  async replica(name, key) {
    const database = new TcpProxy(`${name}.database`, this.postgres.port, {
      blackhole: this.options.databaseBlackhole * 1000,
    });
    const provider = new TcpProxy(`${name}.provider`, this.providerPort, { blackhole: PROVIDER_BLACKHOLE_MS });
    const [databasePort, providerPort, port] = [await freePort(), await freePort(), await freePort()];
    await database.listen(databasePort);
    await provider.listen(providerPort);
    const home = join(this.folder, name);
    const profiles = join(home, "providers");
    mkdirSync(profiles, { recursive: true });
    for (const graceful of [false, true]) {
      const text = this.profile(graceful, `http://127.0.0.1:${providerPort}/token`);
      writeFileSync(join(profiles, `${slug(graceful)}.toml`), text);
    }
    return new Replica(name, {
      program: this.options.program,
      folder: join(this.out, name),
      port,
      clock: this.clock(name),
      database,
      provider,
      env: {
        DATABASE_URL: `${this.postgres.url(databasePort)}?sslmode=disable`,
        REGRANT_DATA_DIR: join(home, "data"),
        REGRANT_MASTER_KEY_FILE: key,
        REGRANT_LISTEN: `127.0.0.1:${port}`,
        REGRANT_PUBLIC_URL: `http://127.0.0.1:${port}`,
        REGRANT_PROVIDERS_DIR: profiles,
        REGRANT_ALLOW_PRIVATE_NETWORKS: "true",
        REGRANT_LOG: "info",
      },
    });
  }

  /** Each replica has the same presets, but reaches the provider by a wire of its own. */
  profile(graceful, token) {
    return `
slug = "${slug(graceful)}"
name = "Torture ${slug(graceful)}"
grants = ["authorization_code"]

[endpoints]
authorization = "${this.providerUrl}/auth"
token = "${token}"

[request.authentication]
method = "post"

[policy]
rotation = "always"
concurrency = ${this.options.concurrency}
${graceful ? `grace_seconds = ${GRACE_SECONDS}` : ""}
`;
  }

  async register() {
    this.clients = [];
    for (const { name, graceful } of this.options.clients) {
      const made = await this.api.get("POST", "/clients", {
        body: {
          provider: slug(graceful),
          name,
          oauth_client_id: name,
          client_secret: SECRET,
          scopes: ["api:read", "offline_access"],
        },
      });
      this.clients.push({ name, id: made.id, graceful });
    }
  }

  /** Mints families and brings them over; how many. */
  async seed(client, count) {
    const minted = await this.ask("POST", { client: client.name, count }, "/mint");
    return this.api.seed(client.id, minted);
  }

  async stop() {
    await Promise.all(this.replicas?.map((replica) => replica.retire()) ?? []);
    for (const replica of this.replicas ?? []) {
      replica.database.close();
      replica.provider.close();
    }
    this.provider?.kill("SIGTERM");
    await this.provider?.ended;
    await this.postgres?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function slug(graceful) {
  return graceful ? "torture-graceful" : "torture-strict";
}
