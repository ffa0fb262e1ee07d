// One `regrant serve` that dies often and is always started again, as by a supervisor.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { now, sleep, until } from "./clock.mjs";
import { begin } from "./program.mjs";

/** A clock that can be set while the program runs (libfaketime). */
export class FakeClock {
  /** `travels`: whether a program that starts from now on lives through what the clock is moved on.
   * Otherwise its monotonic clocks go on, as when somebody sets the machine's clock. */
  constructor(path, library) {
    Object.assign(this, { path, library, travels: false });
    this.set(0);
  }

  /** Puts the clock so many seconds before the machine's. */
  set(seconds) {
    writeFileSync(`${this.path}.next`, `${seconds < 0 ? "-" : "+"}${Math.abs(seconds)}\n`);
    renameSync(`${this.path}.next`, this.path);
    this.seconds = seconds;
  }

  env() {
    if (!this.library) return {};
    return {
      LD_PRELOAD: this.library,
      FAKETIME_TIMESTAMP_FILE: this.path,
      FAKETIME_NO_CACHE: "1",
      ...(this.travels ? {} : { FAKETIME_DONT_FAKE_MONOTONIC: "1" }),
    };
  }
}

export class Replica {
  constructor(name, { program, folder, port, env, clock, database, provider }) {
    Object.assign(this, { name, program, folder, port, env, clock, database, provider });
    this.url = `http://127.0.0.1:${port}`;
    this.log = join(folder, "regrant.log");
    this.failpointLog = join(folder, "failpoints.log");
    this.journal = join(env.REGRANT_DATA_DIR, "journal");
    /** Each life: when it began, was ready and ended (monotonic), and how. */
    this.lives = [];
    this.frozen = [];
    this.next = null;
    this.wanted = false;
    mkdirSync(folder, { recursive: true });
  }

  get life() {
    return this.lives.at(-1);
  }

  get isUp() {
    return this.wanted && this.life !== undefined && this.life.ready !== null && this.life.to === null;
  }

  /** Starts it, and starts it again whenever it ends, until `retire`. */
  keep() {
    this.wanted = true;
    this.kept = (async () => {
      while (this.wanted) {
        await this.live();
        if (this.wanted) await sleep(this.pause ?? 200);
        this.pause = null;
      }
    })();
  }

  async live() {
    const failpoint = this.next;
    this.next = null;
    const before = this.failpoints().length;
    const armed = failpoint ? { REGRANT_FAILPOINT: `${failpoint.name}:${failpoint.nth}` } : {};
    const life = { from: now(), ready: null, to: null, how: null, failpoint };
    this.child = begin(this.program, ["serve"], {
      env: { ...this.env, ...this.clock.env(), ...armed, REGRANT_FAILPOINT_LOG: this.failpointLog },
      log: this.log,
    });
    this.lives.push(life);
    const child = this.child;
    until(`${this.name} is not ready`, 60, async () => {
      if (child.end) return true;
      return (await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(3000) })).ok;
    }).then(
      () => (life.ready = child.end ? null : now()),
      () => child.kill("SIGKILL"),
    );
    const { code, signal } = await child.ended;
    life.to = now();
    const [reached, connection] = this.failpoints()[before]?.split(" ") ?? [];
    life.connection = connection;
    life.how = reached ? `failpoint ${reached}` : (this.how ?? `ended by itself: ${signal ?? code}`);
    life.reached = reached ?? null;
    this.how = null;
  }

  failpoints() {
    if (!existsSync(this.failpointLog)) return [];
    return readFileSync(this.failpointLog, "utf8").split("\n").filter(Boolean);
  }

  /** `kill -9`. The next life begins after `pause` milliseconds, maybe with a failpoint. */
  kill(pause, failpoint = null) {
    this.pause = pause;
    this.next = failpoint;
    this.how = "kill";
    this.child.kill("SIGKILL");
  }

  /** As an operator stops it: what is under way comes to its end. */
  async stop(pause) {
    this.pause = pause;
    this.how = "stop";
    const { child, life } = this;
    const began = now();
    life.isStopping = true;
    child.kill("SIGTERM");
    await child.ended;
    life.stopping = now() - began;
    return life.stopping;
  }

  async retire() {
    this.wanted = false;
    if (this.child && !this.child.end) await this.stop(0);
    await this.kept;
  }

  /** Its metrics by name, labels left out and summed up. */
  async metrics() {
    const answer = await fetch(`${this.url}/metrics`, { signal: AbortSignal.timeout(5000) });
    const sums = {};
    for (const line of (await answer.text()).split("\n")) {
      const found = /^([a-z_]+)(?:\{[^}]*\})? ([-+.\deE]+)$/.exec(line);
      if (found) sums[found[1]] = (sums[found[1]] ?? 0) + Number(found[2]);
    }
    return sums;
  }
}
