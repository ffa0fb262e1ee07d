// The register of secrets that a run has seen, so that the canary can look for them where they must
// not be. One line of JSON each, in the folder of the house that knows it.
import { appendFileSync, existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { houses } from "./places.js";

/**
 * `secret`: in no log, page, script or database dump.
 * `once`: the same, but the one page that makes it shows it.
 */
export type Rule = "secret" | "once";

export interface Planted {
  rule: Rule;
  /** What it is, for the message when it is found. */
  what: string;
  value: string;
}

export const FILE = "planted.jsonl";

export function plant(house: string, rule: Rule, what: string, value: string): string {
  const line: Planted = { rule, what, value };
  appendFileSync(join(houses, house, FILE), `${JSON.stringify(line)}\n`);
  return value;
}

/** All that was planted anywhere, each value once. */
export function allPlanted(): Planted[] {
  const found = new Map<string, Planted>();
  for (const house of readdirSync(houses)) {
    const file = join(houses, house, FILE);
    if (!existsSync(file)) continue;
    for (const line of readFileSync(file, "utf8").split("\n").filter(Boolean)) {
      const planted: Planted = JSON.parse(line);
      found.set(planted.value, planted);
    }
  }
  return [...found.values()];
}
