// A release at constant load, with nothing going wrong: what it takes up must not grow.
//
//   node soak.mjs [--seconds N] [--connections N] …
//
// The first third of the time is for warming up. What the last third took up is held against the
// second.
import { appendFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { now, sleep, until } from "./clock.mjs";
import { history, wiresAndDeaths } from "./evidence.mjs";
import { read as readOptions } from "./options.mjs";
import { judge } from "./oracle.mjs";
import { endAll } from "./program.mjs";
import { seeded } from "./random.mjs";
import { read } from "./settle.mjs";
import { Callers, Leases, Seeder } from "./watch.mjs";
import { World } from "./world.mjs";

/** What is refreshed without end, and must not leave more behind than vacuum takes away. */
const TABLES = ["connections", "token_sets", "clients"];
const LOOK_MS = 5000;
const MEMORY_GROWTH = 1.05;
/** Counts of files and connections vary by a few. */
const SOME = 4;
/** Below so many dead rows there is nothing for autovacuum to do. */
const FEW_ROWS = 1000;

const options = readOptions(["--profile", "soak", ...process.argv.slice(2)]);
const out = join(import.meta.dirname, "../../target/torture/soak");
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const began = now();
const world = new World(options, out);
for (const name of ["SIGINT", "SIGTERM"]) {
  process.once(name, () => {
    endAll();
    rmSync(world.folder, { recursive: true, force: true });
    process.exit(1);
  });
}

try {
  process.exitCode = (await run()) ? 0 : 1;
} catch (error) {
  console.error(error);
  console.log("1 failed");
  process.exitCode = 1;
} finally {
  await world.stop().catch((error) => console.error(error));
  endAll();
}

async function run() {
  await world.start();
  const note = (what, details) =>
    appendFileSync(join(out, "events.jsonl"), `${JSON.stringify({ what, ...details })}\n`);
  const seeder = new Seeder(world, note);
  for (const client of world.clients) client.count = options.clients.find(({ name }) => name === client.name).count;
  await seeder.fill();
  console.log(`soak: ${seeder.seeded} connections on ${options.replicas} replicas for ${options.seconds} s`);
  const callers = new Callers(world, seeded(options.seed, "callers"));
  const leases = new Leases(world.postgres);
  const looking = [callers.run(options.callers), leases.run()];

  const samples = [];
  const start = now();
  let told = 0;
  while (now() - start < options.seconds * 1000) {
    const sample = { at: Math.round((now() - start) / 1000), ...(await look()) };
    samples.push(sample);
    appendFileSync(join(out, "samples.jsonl"), `${JSON.stringify(sample)}\n`);
    if (now() - told > 60_000) {
      told = now();
      const memory = world.replicas.map(({ name }) => mega(sample[`${name} memory`])).join(", ");
      console.log(`soak: ${String(sample.at).padStart(5)} s  ${sample.refreshed} refreshes, ${memory}`);
    }
    await sleep(LOOK_MS);
  }
  callers.stop();
  leases.stop();
  await Promise.all(looking);
  await rest();
  const held = await read(world);
  const heldAt = now();
  const [{ count: dead }] = await world.postgres.query(
    "SELECT count(*) FROM connections WHERE state <> 'active'",
  );
  await world.ask("POST", {}, "/flush");
  await world.stop();
  const verdict = judge({ history: await history(world), ...wiresAndDeaths(world), held, heldAt, seen: callers.seen });
  return report(samples, { verdict, dead, leases, callers });
}

/** Lets everyone have a token that outlasts what follows, so that nothing moves while we read. */
async function rest() {
  await world.ask("PUT", { ttl: 8 * 3600 });
  await until("the refreshes go on", 3 * options.ttl, async () => {
    const [{ count }] = await world.postgres.query(`
      SELECT count(*) FROM connections
      WHERE access_expires_at < now() + interval '2 hours' OR lease_id IS NOT NULL`);
    return count === 0;
  });
}

async function look() {
  const sample = {};
  for (const { name, child } of world.replicas) {
    const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
    sample[`${name} memory`] = Number(/^VmRSS:\s+(\d+)/m.exec(status)[1]) * 1024;
    sample[`${name} files`] = readdirSync(`/proc/${child.pid}/fd`).length;
  }
  const tables = await world.postgres.query(`
    SELECT relname AS name, n_dead_tup AS dead, autovacuum_count AS vacuums, pg_table_size(relid) AS size
    FROM pg_stat_user_tables WHERE relname IN (${TABLES.map((name) => `'${name}'`).join(", ")})`);
  for (const { name, dead, vacuums, size } of tables) {
    Object.assign(sample, { [`${name} dead rows`]: dead, [`${name} vacuums`]: vacuums, [`${name} size`]: size });
  }
  const [{ sessions }] = await world.postgres.query(
    "SELECT count(*) AS sessions FROM pg_stat_activity WHERE backend_type = 'client backend'",
  );
  const [{ refreshed }] = await world.postgres.query("SELECT sum(generation) AS refreshed FROM connections");
  return { ...sample, sessions, refreshed };
}

function report(samples, { verdict, dead, leases, callers }) {
  const third = Math.floor(samples.length / 3);
  const second = samples.slice(third, 2 * third);
  const last = samples.slice(2 * third);
  const checks = [];
  const check = (name, isGood, detail) => checks.push({ name, isGood, detail });
  const both = (name, of) => [of(second.map((one) => one[name])), of(last.map((one) => one[name]))];

  for (const { name } of world.replicas) {
    const [was, is] = both(`${name} memory`, median);
    check(`${name}: memory flat within 5 %`, is <= was * MEMORY_GROWTH, `${mega(was)}, then ${mega(is)}`);
  }
  // Work moves between replicas, and its sockets with it: what leaks shows in all of them together.
  const files = (sample) => world.replicas.reduce((sum, { name }) => sum + sample[`${name} files`], 0);
  const [fewer, more] = [second, last].map((part) => median(part.map(files)));
  check("no more open files", more <= fewer + SOME, `${fewer}, then ${more} in all replicas`);
  const [few, many] = both("sessions", median);
  check("no more database connections", many <= few + SOME, `${few}, then ${many}`);
  for (const table of TABLES) {
    const [before, after] = both(`${table} dead rows`, highest);
    check(`${table}: dead rows do not grow`, after <= Math.max(FEW_ROWS, before * 1.5),
      `at most ${before}, then ${after}; ${last.at(-1)[`${table} vacuums`]} vacuums`);
    const [small, big] = both(`${table} size`, highest);
    check(`${table}: does not grow`, big <= small * 1.1 + 65_536, `${mega(small)}, then ${mega(big)}`);
  }
  const seconds = last.at(-1).at - second[0].at;
  const rate = (last.at(-1).refreshed - second[0].refreshed) / seconds;
  check("no rule broken, nothing lost", verdict.violations.length === 0 && dead === 0,
    `${verdict.granted} refreshes, ${rate.toFixed(1)} a second, ${verdict.violations.length} violations, ${dead} dead`);
  check("no refresh late by more than 5 s", leases.latest <= 5, `at most ${leases.latest.toFixed(1)} s`);

  const failed = checks.filter(({ isGood }) => !isGood);
  for (const { name, isGood, detail } of checks) console.log(`${isGood ? "  ok    " : "  FAILED"}  ${name}: ${detail}`);
  for (const line of verdict.violations.slice(0, 10)) console.log(`  ${line}`);
  console.log(`  readers ${JSON.stringify(callers.answers)}; samples in ${out}`);
  writeFileSync(join(out, "summary.json"), JSON.stringify({ ...options, checks }, null, 2));
  if (failed.length > 0) console.log(`  ${failed.length} failed`);
  console.log(`  ${checks.length - failed.length} passed (${((now() - began) / 1000).toFixed(1)}s)`);
  return failed.length === 0;
}

function median(list) {
  return list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
}

function highest(list) {
  return Math.max(...list);
}

function mega(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
