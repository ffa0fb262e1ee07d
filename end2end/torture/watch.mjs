// Looking on: leases that last too long, refreshes that come too late; and readers, as programs are.
import { createHash } from "node:crypto";
import { now, sleep } from "./clock.mjs";

const LOOK_MS = 1000;
/** For how long the place of a request is kept whose process may be dead (`refresh::intent::UNDER_WAY`). */
const UNDER_WAY_SECONDS = 50;

/** For how long each lease has been what it is: one that is prolonged is in good hands. */
export class Leases {
  /** `places`: how many refreshes of one client the worker may have under way. `isShaken`: whether the database's
   * clock tells something else than the time. */
  constructor(postgres, note, places, isShaken = () => false) {
    Object.assign(this, { postgres, note, places, isShaken, over: false, known: new Map(), waiting: new Map() });
    this.longest = 0;
    this.latest = 0;
    this.passedBy = 0;
    this.looks = 0;
    this.at = now();
    this.away = 0;
  }

  async run() {
    while (!this.over) {
      const began = now();
      try {
        await this.look();
      } catch {
        this.away += 1;
        this.at = now();
      }
      await sleep(Math.max(0, LOOK_MS - (now() - began)));
    }
  }

  async look() {
    const rows = await this.postgres.query(`
      WITH under_way AS (
        SELECT client_id AS id, count(*)::int FROM attempts
        WHERE verdict IS NULL AND started_at > clock_timestamp() - interval '${UNDER_WAY_SECONDS} s' GROUP BY client_id)
      SELECT n.id, lease_id, leased_until, NOT lease_is_over(leased_until, clock_timestamp()) AS held, c.state,
             extract(epoch FROM clock_timestamp() - greatest(due_at, coalesce(leased_until, due_at))) AS late,
             coalesce(under_way.count, 0) AS asking
      FROM connections n JOIN clients c ON c.id = n.client_id LEFT JOIN under_way ON under_way.id = c.id
      WHERE due_at IS NOT NULL AND (lease_id IS NOT NULL OR due_at < clock_timestamp())`);
    const at = now();
    const next = new Map();
    const waiting = new Map();
    for (const { id, lease_id: lease, leased_until: end, held, state, late, asking } of rows) {
      if (held && lease) {
        const key = `${id} ${lease} ${end}`;
        const since = this.known.get(key) ?? at;
        next.set(key, since);
        if (at - since > this.longest) this.longest = at - since;
        // An incident holds its client's connections back for half an hour and longer, which is its purpose.
      } else if (state !== "incident" && !this.isShaken()) {
        this.latest = Math.max(this.latest, late);
        // Only the time counts during which its client had a place for it.
        const before = this.waiting.get(id) ?? 0;
        const waited = asking >= this.places ? before : Math.min(late, before + (at - this.at) / 1000);
        waiting.set(id, waited);
        this.passedBy = Math.max(this.passedBy, waited);
      }
    }
    this.waiting = waiting;
    this.at = at;
    this.known = next;
    this.looks += 1;
  }

  stop() {
    this.over = true;
  }
}

/** Programs that want tokens, and people who press the button. */
export class Callers {
  constructor(world, random) {
    Object.assign(this, { world, random, over: false, answers: {}, seen: [] });
  }

  async run(rate) {
    let connections = [];
    let read = 0;
    const calls = new Set();
    while (!this.over) {
      if (now() - read > 5000) {
        connections = await this.connections().catch(() => connections);
        read = now();
      }
      const connection = this.random.pick(connections);
      if (connection && calls.size < 50) {
        const call = this.call(connection).finally(() => calls.delete(call));
        calls.add(call);
      }
      await sleep((1000 / rate) * this.random.between(0.5, 1.5));
    }
    await Promise.all(calls);
  }

  connections() {
    return this.world.postgres.query(
      "SELECT id, external_id AS family FROM connections WHERE state IN ('active', 'retrying', 'in_doubt')",
    );
  }

  async call({ id, family }) {
    const ask = this.random.fraction();
    let outcome;
    try {
      if (ask < 0.7) {
        const ttl = ask < 0.3 ? 0 : Math.floor(this.world.options.ttl * 0.7);
        const { status, value } = await this.world.api.call("GET", `/connections/${id}/token?min_ttl=${ttl}`);
        if (status === 200) this.seen.push({ family, at_out: hash(value.access_token), at: now() });
        outcome = `token ${status}`;
      } else {
        const { status, value } = await this.world.api.call("POST", `/connections/${id}/refresh`);
        outcome = `refresh ${status === 200 ? (value.verdict ?? "open") : status}`;
      }
    } catch {
      outcome = "no answer";
    }
    this.answers[outcome] = (this.answers[outcome] ?? 0) + 1;
  }

  stop() {
    this.over = true;
  }
}

/** As the provider's log has it. */
export function hash(token) {
  return createHash("sha256").update(token).digest("hex").slice(0, 24);
}

/** Keeps as many connections alive as there are to be: the dead are replaced. */
export class Seeder {
  constructor(world, note) {
    Object.assign(this, { world, note, over: false, seeded: 0 });
  }

  async run() {
    while (!this.over) {
      await sleep(3000);
      if (this.over) return;
      await this.fill().catch((error) => this.note("seed", { failed: error.message }));
    }
  }

  /** Seeds what is missing. Rows that were sent and not answered for are sent again. */
  async fill() {
    const { world } = this;
    const rows = await world.postgres.query(`
      SELECT client_id AS id, count(*) FROM connections
      WHERE state IN ('active', 'retrying', 'in_doubt') GROUP BY client_id`);
    for (const client of world.clients) {
      const alive = rows.find((row) => row.id === client.id)?.count ?? 0;
      const missing = client.count - alive;
      if (missing < Math.max(1, client.count * 0.02)) continue;
      const minted = await world.ask("POST", { client: client.name, count: missing }, "/mint");
      for (let tries = 0; ; tries += 1) {
        try {
          await world.api.seed(client.id, minted);
          break;
        } catch (error) {
          if (tries === 20 || this.over) throw error;
          await sleep(1000);
        }
      }
      this.seeded += missing;
    }
  }

  stop() {
    this.over = true;
  }
}
