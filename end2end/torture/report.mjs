// The requirements one by one, and the numbers behind them.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { tally } from "./oracle.mjs";
import { KINDS } from "./tcp.mjs";

const RECOVERY_MS = 10_000;
const LEASE_MS = 60_000;
/** We look once a second, and a lease is seen a little after it began and ended. */
const LOOK_MS = 3000;
const FAULT_KINDS = ["unavailable", "slow_down", "drop_before", "drop_after", "garbage", "delay", "outage"];

export function report(world, facts, seconds, out) {
  const { options, verdict, plagues, leases, away, drained, last, left } = facts;
  const checks = [];
  const check = (name, isGood, detail = "") => checks.push({ name, isGood: Boolean(isGood), detail });

  for (const [rule, name] of RULES) {
    const broken = verdict.violations.filter((text) => text.startsWith(rule));
    check(`${rule} ${name}`, broken.length === 0, `${broken.length} violations`);
  }
  check(
    "no more connections lost than answers",
    verdict.lostConnections <= verdict.lostAnswers,
    `${verdict.lostConnections} connections ${text(verdict.lostConnectionsBy)}, ` +
      `${verdict.lostAnswers} answers ${text(verdict.lostAnswersBy)}`,
  );
  const slowest = Math.max(0, ...plagues.recoveries);
  check("recovered within 10 s of the database's return", slowest <= RECOVERY_MS, `at most ${ms(slowest)}`);
  check("no lease longer than 60 s", leases.longest <= LEASE_MS + LOOK_MS, `at most ${ms(leases.longest)}`);
  check("no refresh left lying for 60 s while its client had places", leases.passedBy <= 60,
    `at most ${ms(leases.passedBy * 1000)}`);
  check("nor for three minutes at all", leases.latest <= 180, `at most ${ms(leases.latest * 1000)} late`);
  check(
    "nothing condemned while the provider was away",
    away.condemned === 0 && away.clients.length === 0,
    `${away.hours} hours, ${away.tries} tries, ${away.condemned} condemned ${text(away.clients)}`,
  );
  check("drained afterwards", drained.left === 0, `${drained.backlog} due, ${drained.left} left`);
  for (const [client, peak] of Object.entries(verdict.peak)) {
    check(`${client} never over its limit`, peak <= options.concurrency, `${peak} of ${options.concurrency} at once`);
  }
  check("each living connection is good for one more refresh", last.failed.length === 0,
    `${last.asked} asked, ${last.failed.length} refused`);
  check("nothing left undecided", left.open_attempts === 0 && left.leases === 0 && left.in_doubt === 0, text(left));
  check("no stale token at rest, no journal left", left.stale_tokens === 0 && left.journaled === 0);
  const died = world.replicas.flatMap((replica) => replica.lives.map((life) => life.how));
  const strange = died.filter((how) => how?.startsWith("ended by itself"));
  check("a stop is in time", plagues.stops.every((took) => took < 60_000), `at most ${ms(Math.max(0, ...plagues.stops))}`);
  const idle = unfired(world, facts);
  check("each fault came true", idle.length === 0, idle.length > 0 ? `never: ${idle.join(", ")}` : "");

  const failed = checks.filter(({ isGood }) => !isGood);
  for (const { name, isGood, detail } of checks) {
    console.log(`${isGood ? "  ok    " : "  FAILED"}  ${name}${detail && `: ${detail}`}`);
  }
  console.log(`
  ${verdict.requests} refreshes asked for, ${verdict.granted} granted, with ${verdict.tokens} tokens
  ${facts.seeder.seeded} families, ${facts.held.length} connections
  provider's faults   ${text(facts.fired)}
  kills               ${text({ ...plagues.fired.kill, ...plagues.fired.failpoint })}
  stops               ${text(plagues.fired.stop)}, ended by themselves ${strange.length} ${text(tally(strange))}
  database            ${text(plagues.fired.postgres)}, back in ${plagues.recoveries.map(ms).join(", ")}
  wires to provider   ${text(wires(world, "provider"))}
  wires to database   ${text(wires(world, "database"))}
  clocks              ${text(plagues.fired.clock)}, the database's ${text(plagues.fired.databaseClock)}
  readers             ${text(facts.callers.answers)}`);
  const examples = [...verdict.violations, ...last.failed.map((line) => `last refresh ${line}`)];
  for (const line of examples.slice(0, 20)) console.log(`  ${line}`);
  if (examples.length > 20) console.log(`  … and ${examples.length - 20} more`);
  writeFileSync(join(out, "summary.json"), JSON.stringify({ ...options, seconds, checks, verdict }, null, 2));
  if (failed.length > 0) {
    console.log(`  logs in ${out}`);
    console.log(`  again: node end2end/torture/run.mjs ${options.again}`);
    console.log(`  ${failed.length} failed`);
  }
  console.log(`  ${checks.length - failed.length} passed (${seconds.toFixed(1)}s)`);
  return failed.length === 0;
}

const RULES = [
  ["I1", "no refresh token in two requests at once"],
  ["I2", "none again after its successor was received"],
  ["I3", "none again after a refusal was received"],
  ["I4", "each newest token held, or its loss explained"],
  ["I5", "no replaced token held"],
  ["I6", "nobody back before Retry-After"],
  ["I7", "no reader with another connection's token"],
];

function wires(world, path) {
  const sums = {};
  for (const replica of world.replicas) {
    for (const [kind, count] of Object.entries(replica[path].fired)) sums[kind] = (sums[kind] ?? 0) + count;
  }
  return sums;
}

/** A fault that was to come and never did proves nothing. */
function unfired(world, { options, plagues, fired }) {
  const never = [];
  const expect = (what, kinds, counts) => {
    for (const kind of kinds) if (!counts[kind]) never.push(`${what} ${kind}`);
  };
  expect("provider", FAULT_KINDS, fired);
  if (options.tcp > 0) {
    expect("wire to provider", KINDS, wires(world, "provider"));
    expect("wire to database", KINDS, wires(world, "database"));
  }
  if (options.kills > 0) {
    expect("kill at", ["any moment"], plagues.fired.kill);
    expect("kill at", options.points, plagues.fired.failpoint);
  }
  if (options.postgres > 1) expect("crash of PostgreSQL:", ["all of it", "a backend"], plagues.fired.postgres);
  if (options.jumps > 1) expect("clock", ["forward", "back"], plagues.fired.clock);
  if (options.databaseJumps > 0) expect("database clock", ["forward", "back"], plagues.fired.databaseClock);
  if (options.stops > 0) expect("stop at", ["any moment"], plagues.fired.stop);
  return never;
}

const ms = (value) => `${(value / 1000).toFixed(1)} s`;
const text = (value) => (value === undefined ? "" : JSON.stringify(value).replaceAll('"', ""));
