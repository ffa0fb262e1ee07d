// What goes wrong during a run, each plague at its own pace over the whole of it.
import { now, sleep, until } from "./clock.mjs";
import { seeded } from "./random.mjs";
import { KINDS } from "./tcp.mjs";

/** Points that are only reached when the database does not take what was received, and those that
 * are reached by the life after one that died of it. */
const JOURNAL_POINTS = ["journaled", "replaying", "replayed"];
const REPLAY_POINTS = ["replaying", "replayed"];
/** How long the database is kept away for a record to be written. */
const RECORD_SECONDS = 6;
/** A failpoint that has not struck after so long is given up, and the process killed all the same. */
const ARMED_SECONDS = 15;
/** How often a point of the code is tried to be struck in the end. */
const MOPS = 4;
/** How long what the provider asked for by a wrong clock may be remembered. */
const SHAKEN_MS = 5000;

export class Plagues {
  constructor(world, note) {
    Object.assign(this, { world, note, over: false, holds: 0 });
    this.fired = { kill: {}, failpoint: {}, postgres: {}, clock: {}, databaseClock: {}, stop: {} };
    /** What is done to the database waits for what was done to it before. */
    this.turn = Promise.resolve();
    this.recoveries = [];
    this.stops = [];
    this.jumps = [];
    this.shakenUntil = 0;
  }

  /** Runs all plagues for so many seconds. */
  async run(seconds, counts, points) {
    const random = (name) => seeded(this.world.options.seed, name);
    await Promise.all([
      this.reap(seconds, counts.kills, points, random("reap")),
      this.crash(seconds, counts.postgres, random("crash")),
      this.break("provider", seconds, counts.tcp, random("provider wires")),
      this.break("database", seconds, counts.tcp, random("database wires")),
      this.jump(seconds, counts.jumps, random("jump")),
      this.jumpAll(seconds, counts.databaseJumps, random("database clock")),
      this.roll(seconds, counts.stops, random("roll")),
    ]);
    this.over = true;
  }

  /** Does `work` so often, spread over the time. What fails is told and the next comes. */
  async spread(what, seconds, count, random, work) {
    const began = now();
    for (let number = 0; number < count; number += 1) {
      const at = began + ((number + random.between(0.1, 0.9)) / count) * seconds * 1000;
      if (at > now()) await sleep(at - now());
      try {
        await work(number);
      } catch (error) {
        this.note("plague", { what, failed: error.message });
      }
    }
  }

  /** Does `work` when the database is nobody else's. */
  alone(work) {
    const done = this.turn.then(work);
    this.turn = done.catch(() => {});
    return done;
  }

  count(plague, kind) {
    this.fired[plague][kind] = (this.fired[plague][kind] ?? 0) + 1;
  }

  async victim(random) {
    return until("no replica is up", 60, () => random.pick(this.world.replicas.filter((one) => one.isUp)));
  }

  /** `kill -9`: at any moment, and in the life after that at a named point of the code. */
  async reap(seconds, kills, points, random) {
    const order = points.length > 0 ? random.shuffle(points) : [];
    await this.spread("reap", seconds, Math.ceil(kills / 2), random, async (number) => {
      const replica = await this.victim(random);
      const name = order[number % Math.max(1, order.length)];
      await this.killAt(replica, name, random);
    });
  }

  async killAt(replica, name, random) {
    const failpoint = name && { name, nth: JOURNAL_POINTS.includes(name) ? 1 : random.whole(1, 8) };
    if (REPLAY_POINTS.includes(name)) await this.leaveRecords(replica);
    this.note("kill", { replica: replica.name, next: failpoint });
    this.count("kill", "any moment");
    replica.kill(random.between(50, 1500), failpoint);
    replica.database.up();
    if (!failpoint) return;
    const armed = await until("the next life", 90, () =>
      replica.lives.find((life) => life.failpoint === failpoint && (life.ready || life.to)),
    );
    if (name === "journaled" && !armed.to) await this.squeeze(replica, random);
    const deadline = now() + ARMED_SECONDS * 1000;
    while (!armed.to && now() < deadline) await sleep(50);
    if (armed.reached) this.count("failpoint", armed.reached);
    else if (!armed.to && replica.life === armed) {
      this.count("kill", "any moment");
      replica.kill(random.between(50, 1500));
    }
  }

  /** Has a replica write into its journal, with the database away from it. */
  async leaveRecords(replica) {
    await this.hold(900, 1500, async () => replica.database.down());
    const deadline = now() + RECORD_SECONDS * 1000;
    while (now() < deadline) {
      const { regrant_journal_records: records } = await replica.metrics().catch(() => ({}));
      if (records > 0) return;
      await sleep(100);
    }
  }

  /** Takes the database from one replica while it waits for answers. */
  async squeeze(replica, random) {
    await this.hold(900, 1500, async () => replica.database.down());
    await sleep(random.between(1000, 5000));
    replica.database.up();
  }

  /** Has the provider take its time, so that there are answers under way when `strike` comes. */
  async hold(milliseconds, lead, strike) {
    const { world } = this;
    await world.ask("PUT", { hold: milliseconds });
    this.holds += 1;
    try {
      await sleep(lead);
      await strike();
    } finally {
      this.holds -= 1;
      if (this.holds === 0) await world.ask("PUT", { hold: 0 });
    }
  }

  /** Crashes of PostgreSQL, and how long until Regrant is itself again. */
  async crash(seconds, count, random) {
    await this.spread("crash", seconds, count, random, async (number) => {
      const whole = number % 2 === 0;
      const down = number % 5 === 4 ? random.between(8000, 15_000) : random.between(200, 3000);
      await this.alone(() => this.crashOnce(whole, down, random));
    });
  }

  async crashOnce(whole, down, random) {
    const { postgres } = this.world;
    this.note("postgres", { killed: whole ? "all of it" : "a backend", down });
    await this.hold(600, 800, async () => {
      if (whole) await postgres.kill();
      else postgres.killBackend(random);
    });
    if (whole) {
      await sleep(down);
      await postgres.start();
    } else {
      await sleep(200);
      await postgres.up(60);
    }
    this.count("postgres", whole ? "all of it" : "a backend");
    await this.measureRecovery();
  }

  /** The database is back: until all who live are ready and a refresh is recorded. */
  async measureRecovery() {
    const { postgres, replicas } = this.world;
    const began = now();
    const [{ at }] = await postgres.query("SELECT clock_timestamp() AS at");
    const alive = replicas.filter((replica) => replica.isUp).map((replica) => [replica, replica.life]);
    const isReady = async ([replica, life]) => {
      if (replica.life !== life || life.to !== null || life.isStopping) return true;
      const answer = await fetch(`${replica.url}/readyz`, { signal: AbortSignal.timeout(3000) }).catch(() => null);
      return answer?.ok || life.to !== null;
    };
    await until("recovery", 60, async () => {
      const ready = await Promise.all(alive.map(isReady));
      if (!ready.every(Boolean)) return false;
      const saved = `SELECT 1 FROM attempts WHERE finished_at > '${at}' AND verdict = 'refreshed' LIMIT 1`;
      return (await postgres.query(saved)).length > 0;
    }).catch(() => {});
    const took = now() - began;
    this.recoveries.push(took);
    this.note("recovered", { after: Math.round(took) });
  }

  /** Each kind of break of a connection so often. */
  async break(path, seconds, count, random) {
    const kinds = random.shuffle(KINDS.flatMap((kind) => Array.from({ length: count }, () => kind)));
    await this.spread("break", seconds, kinds.length, random, async (number) => {
      const replica = await this.victim(random);
      replica[path].arm(kinds[number]);
    });
  }

  /** One replica's clock is wrong for a while. */
  async jump(seconds, count, random) {
    await this.spread("jump", seconds, count, random, async (number) => {
      const replica = await this.victim(random);
      const by = (number % 2 === 0 ? 1 : -1) * random.whole(10, 300);
      this.note("clock", { replica: replica.name, by });
      const jump = { replica: replica.name, from: now(), to: Infinity };
      this.jumps.push(jump);
      replica.clock.set(by);
      // Half of them meet a process that starts by the wrong clock.
      if (random.fraction() < 0.5 && replica.isUp) replica.kill(random.between(50, 1000));
      await sleep(random.between(4000, 20_000));
      replica.clock.set(0);
      jump.to = now() + 1000;
      this.count("clock", by > 0 ? "forward" : "back");
    });
  }

  /** The clock that all share is wrong for a while: it goes forward and back again, or the other way round.
   * By more than a lease lasts, so that leases seem to be over, or to have been given in the future. */
  async jumpAll(seconds, count, random) {
    const { postgres, replicas } = this.world;
    const set = (by) => until("the database's clock can't be set", 120, () => postgres.set(by).then(() => true, () => false));
    await this.spread("database clock", seconds, count, random, async (number) => {
      const by = (number % 2 === 0 ? 1 : -1) * random.whole(50, 80);
      const lasts = random.between(5000, 20_000);
      await this.alone(async () => {
        this.note("database clock", { by });
        const jumps = replicas.map(({ name }) => ({ replica: name, from: now(), to: Infinity }));
        this.jumps.push(...jumps);
        this.shakenUntil = Infinity;
        await set(by);
        this.count("databaseClock", by > 0 ? "forward" : "back");
        await sleep(lasts);
        await set(0);
        this.count("databaseClock", by > 0 ? "back" : "forward");
        // What was put off by the wrong time comes early or late by the right one.
        const over = now() + SHAKEN_MS;
        for (const jump of jumps) jump.to = over;
        this.shakenUntil = over + Math.abs(by) * 1000;
      });
    });
  }

  /** Whether the database's clock has told the time long enough to measure by it. */
  isShaken() {
    return now() < this.shakenUntil;
  }

  /** Stops as an operator makes them: nothing may be lost, and there is no excuse. */
  async roll(seconds, count, random) {
    await this.spread("roll", seconds, count, random, async () => {
      const replica = await this.victim(random);
      this.note("stop", { replica: replica.name });
      const took = await replica.stop(random.between(50, 1000));
      this.stops.push(took);
      this.count("stop", "any moment");
    });
  }

  /** Points that no kill has struck yet, one by one. Another plague may end a life before it gets there. */
  async mopUp(points) {
    const random = seeded(this.world.options.seed, "mop up");
    for (const name of points) {
      for (let tries = 0; !this.fired.failpoint[name] && tries < MOPS; tries += 1) {
        await this.killAt(await this.victim(random), name, { ...random, whole: () => 1 });
      }
    }
  }
}
