// What a run is made of. Every number of a profile can be given as a flag.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

const ROOT = join(import.meta.dirname, "../..");

/** Five requests of a hundred go wrong. A 429 puts off a whole client, so there are fewer of them. */
export const FAULTS = {
  unavailable: 0.012,
  slow_down: 0.004,
  drop_before: 0.01,
  drop_after: 0.007,
  garbage: 0.007,
  delay: 0.01,
};

const PROFILES = {
  short: {
    seconds: 90,
    connections: 240,
    ttl: 16,
    refreshes: 0,
    kills: 24,
    postgres: 3,
    tcp: 3,
    jumps: 3,
    databaseJumps: 2,
    stops: 2,
    hours: 2,
    callers: 6,
    concurrency: 16,
    databaseBlackhole: 12,
  },
  full: {
    seconds: 2400,
    connections: 2400,
    ttl: 30,
    refreshes: 100_000,
    kills: 500,
    postgres: 50,
    tcp: 100,
    jumps: 40,
    databaseJumps: 8,
    stops: 20,
    hours: 6,
    callers: 10,
    concurrency: 24,
    databaseBlackhole: 40,
  },
  soak: { seconds: 1800, connections: 1500, ttl: 60, callers: 5, concurrency: 24, databaseBlackhole: 10 },
};

export function read(args) {
  const names = [...new Set(Object.values(PROFILES).flatMap(Object.keys))];
  const { values } = parseArgs({
    args,
    options: {
      profile: { type: "string", default: "short" },
      seed: { type: "string" },
      program: { type: "string" },
      points: { type: "string" },
      replicas: { type: "string", default: "3" },
      ...Object.fromEntries(names.map((name) => [name, { type: "string" }])),
    },
  });
  const profile = PROFILES[values.profile];
  if (!profile) throw new Error(`there is no profile ${values.profile}: ${Object.keys(PROFILES).join(", ")}`);
  const isSoak = values.profile === "soak";
  const numbers = Object.keys(profile).map((name) => [name, Number(values[name] ?? profile[name])]);
  const options = {
    ...Object.fromEntries(numbers),
    profile: values.profile,
    // Chosen once and told, so that a run can be had again.
    seed: Number(values.seed ?? Math.floor(Math.random() * 1e6)),
    program: values.program ?? join(ROOT, "target", isSoak ? "release" : "debug", "regrant"),
    replicas: Number(values.replicas),
    points: values.points === undefined ? points() : values.points.split(",").filter(Boolean),
    faketime: !isSoak,
    // The soak's database is one as people run it.
    postgresSettings: isSoak ? { fsync: "on", autovacuum_naptime: "1min" } : {},
  };
  const share = (part) => Math.ceil(options.connections * part);
  options.clients = [
    { name: "strict-1", graceful: false, count: share(0.4) },
    { name: "strict-2", graceful: false, count: share(0.3) },
    { name: "graceful", graceful: true, count: share(0.3) },
  ];
  options.again = ["--profile", options.profile, "--seed", String(options.seed), ...args.filter(isOther)].join(" ");
  return options;
}

function isOther(arg, at, args) {
  const isOurs = (text) => /^--(profile|seed)(=|$)/.test(text ?? "");
  return !isOurs(arg) && !(isOurs(args[at - 1]) && !args[at - 1].includes("="));
}

/** The points at which the code says that it can be killed. */
function points() {
  const source = readFileSync(join(ROOT, "src/server/failpoint.rs"), "utf8");
  return [...source.matchAll(/^pub const \w+: &str = "(\w+)";/gm)].map(([, name]) => name);
}
