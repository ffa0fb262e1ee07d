// Tortures three replicas, one database and one rotating provider, and judges what came of it.
//
//   node run.mjs [--profile short|full] [--seed N] [--seconds N] [--connections N] …
//
// What is left behind in target/torture/<profile> is enough to judge again: the provider's log, what
// was done when, and the logs of all programs.
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { now, sleep, until } from "./clock.mjs";
import { history, wiresAndDeaths } from "./evidence.mjs";
import { FAULTS, read as readOptions } from "./options.mjs";
import { judge } from "./oracle.mjs";
import { drain, embark, outage } from "./outage.mjs";
import { Plagues } from "./plagues.mjs";
import { endAll } from "./program.mjs";
import { seeded } from "./random.mjs";
import { report } from "./report.mjs";
import { leftovers, read, refreshAll } from "./settle.mjs";
import { Callers, Leases, Seeder } from "./watch.mjs";
import { GRACE_SECONDS, World } from "./world.mjs";

const options = readOptions(process.argv.slice(2));
const out = join(import.meta.dirname, "../../target/torture", options.profile);
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

const began = now();
const note = (what, details = {}) => {
  const at = Math.round((now() - began) / 100) / 10;
  appendFileSync(join(out, "events.jsonl"), `${JSON.stringify({ at, what, ...details })}\n`);
  if (process.env.TORTURE_LOUD) console.error(at, what, JSON.stringify(details));
};
const say = (text) => console.log(`torture: ${((now() - began) / 1000).toFixed(0).padStart(4)} s  ${text}`);

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
  say(`broke off; logs in ${out}; again: ${options.again}`);
  console.log("1 failed");
  process.exitCode = 1;
} finally {
  await world.stop().catch((error) => console.error(error));
  endAll();
  // Wires that were blackholed would keep us for as long as their far ends wait.
  process.exit();
}

async function run() {
  say(`${options.profile}, seed ${options.seed}`);
  await world.start();
  const seeder = new Seeder(world, note);
  for (const client of world.clients) client.count = options.clients.find(({ name }) => name === client.name).count;
  await seeder.fill();
  say(`${seeder.seeded} connections on ${options.replicas} replicas; faults from now on`);

  const plagues = new Plagues(world, note);
  // The worker leaves one place to whoever waits for a token.
  const leases = new Leases(world.postgres, note, options.concurrency - 1, () => plagues.isShaken());
  const callers = new Callers(world, seeded(options.seed, "callers"));
  const looking = [leases.run(), callers.run(options.callers), seeder.run()];
  await world.ask("PUT", { faults: FAULTS });
  await plagues.run(options.seconds, options, options.points);
  await plagues.mopUp(options.points);
  await enough();
  seeder.stop();
  callers.stop();

  say(`the provider is away for ${options.hours} hours`);
  for (const replica of world.replicas) {
    replica.database.armed = [];
    replica.provider.armed = [];
  }
  await until("a replica stays down", 60, () => world.replicas.every((replica) => replica.isUp));
  leases.stop();
  await Promise.all(looking);
  await embark(world, note);
  const away = await outage(world, options.hours, note);
  say("it is back");
  const drained = await drain(world, 180, note);

  say("what is held?");
  await sleep(1000);
  const held = await read(world);
  const heldAt = now();
  const last = await refreshAll(world, held);
  const left = await leftovers(world);
  const fired = (await world.ask("GET")).fired;
  await world.ask("POST", {}, "/flush");
  await world.stop();

  const graces = Object.fromEntries(world.clients.map(({ name, graceful }) => [name, graceful ? GRACE_SECONDS : 0]));
  const evidence = { ...wiresAndDeaths(world), held, heldAt, jumps: plagues.jumps, seen: callers.seen, graces, zero: began };
  writeFileSync(join(out, "evidence.json"), JSON.stringify(evidence));
  const verdict = judge({ history: await history(world), ...evidence });
  const facts = { options, verdict, plagues, leases, callers, seeder, away, drained, last, left, fired, held };
  return report(world, facts, (now() - began) / 1000, out);
}

/** Goes on until the provider was asked as often as wanted. */
async function enough() {
  const limit = now() + options.seconds * 1000;
  for (;;) {
    const { requests } = await world.ask("GET");
    if (requests >= options.refreshes || now() > limit) return;
    say(`${requests} refreshes so far`);
    await sleep(10_000);
  }
}
