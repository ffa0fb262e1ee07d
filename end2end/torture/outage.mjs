// The provider is away for hours. Everybody's clock is moved on together, so the hours take seconds.
import { now, sleep, until } from "./clock.mjs";

/** One step of an outage: longer than any backoff, so that each connection is tried in each. */
const STEP_SECONDS = 20 * 60;
/** One step of the time after it. No call under way sees more than two of them, which is less than its
 * deadline. */
const DRAIN_STEP_SECONDS = 12;
const DRAIN_PAUSE_MS = 400;
/** Tokens given from then on outlast everything that follows. */
const LONG_TTL = 8 * 3600;
const ALIVE = "state IN ('active', 'retrying', 'in_doubt')";

/** Has all replicas live by clocks that can be moved on, with all that they measure. */
export async function embark(world, note) {
  for (const { clock } of world.replicas) clock.travels = true;
  await Promise.all(world.replicas.map((replica) => replica.stop(0)));
  await until("the replicas are not ready", 90, () => world.replicas.every((one) => one.isUp));
  note("embarked");
}

/** Takes the provider away for so many hours; what that did to connections and clients. */
export async function outage(world, hours, note) {
  await world.ask("PUT", { outage: "unavailable", faults: {}, ttl: LONG_TTL });
  // Answers that were under way are judged by what came before.
  await sleep(4000);
  const before = await condemned(world);
  // Kills that lose tokens can have begun an incident, which outlasts this.
  const troubled = (await inTrouble(world)).map(({ name }) => name);
  const [{ at }] = await world.postgres.query("SELECT now() AS at");
  const steps = Math.ceil((hours * 3600) / STEP_SECONDS);
  for (let step = 0; step < steps; step += 1) {
    if (step === Math.ceil(steps / 2)) {
      // The second half of it there is nobody at all.
      for (const { provider } of world.replicas) provider.down();
    }
    await world.advance(STEP_SECONDS);
    await sleep(1500);
  }
  await sleep(2000);
  const after = await condemned(world);
  const [{ count: tries }] = await world.postgres.query(
    `SELECT count(*) FROM attempts WHERE started_at > '${at}'`,
  );
  const clients = (await inTrouble(world)).filter(({ name }) => !troubled.includes(name));
  note("outage", { hours, tries, condemned: after - before, clients });
  return { hours, tries, condemned: after - before, clients };
}

function inTrouble(world) {
  return world.postgres.query("SELECT name, state FROM clients WHERE state <> 'ready'");
}

async function condemned(world) {
  const [{ count }] = await world.postgres.query(
    "SELECT count(*) FROM connections WHERE state = 'needs_reauth'",
  );
  return count;
}

/** Gives the provider back and waits until everyone holds a fresh token. */
export async function drain(world, limit, note) {
  const began = now();
  await world.ask("PUT", { outage: null });
  for (const { provider } of world.replicas) provider.up();
  const waiting = async () => {
    const [{ count }] = await world.postgres.query(`
      SELECT count(*) FROM connections
      WHERE ${ALIVE} AND (access_expires_at < now() + interval '2 hours' OR leased_until > now())`);
    return count;
  };
  let left = await waiting();
  const backlog = left;
  await until("the backlog is not drained", limit, async () => {
    const { under_way: calls } = await world.ask("GET");
    if (calls === 0) await world.advance(DRAIN_STEP_SECONDS);
    left = await waiting();
    return left === 0;
  }, DRAIN_PAUSE_MS).catch(async (error) => {
    const sessions = await world.postgres.query(`
      SELECT pid, state, wait_event_type, wait_event, pg_blocking_pids(pid) AS blocked_by,
             clock_timestamp() - state_change AS since, left(query, 120) AS query
      FROM pg_stat_activity WHERE datname IS NOT NULL`);
    note("drain", { failed: error.message, sessions });
  });
  const done = { began, ended: now(), backlog, left };
  note("drained", done);
  return done;
}
