// After everything: the secrets that the walks have seen are nowhere they must not be.
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "@playwright/test";
import { houses, project } from "../support/places.js";
import { FILE, type Planted, allPlanted } from "../support/planted.js";

/** Every file below `folder`. */
function files(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : [path];
  });
}

/** How a value may have been written. */
function spellings(value: string): Buffer[] {
  const bytes = Buffer.from(value);
  const escaped = value.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");
  return [
    ...new Set([
      value,
      escaped,
      JSON.stringify(value).slice(1, -1),
      encodeURIComponent(value),
      encodeURIComponent(value).replace(/%20/g, "+"),
      bytes.toString("hex"),
      bytes.toString("base64").replace(/=+$/, ""),
      bytes.toString("base64url"),
    ]),
  ].map((spelling) => Buffer.from(spelling));
}

/** Where it occurs and must not. What is shown once was in the browser's own answers, once. */
function found(planted: Planted[], paths: string[]): string[] {
  const needles = planted.map((each) => ({ ...each, spellings: spellings(each.value) }));
  return paths.flatMap((path) => {
    const text = readFileSync(path);
    const shownHere = /\/answers\/seen-/.test(path);
    return needles
      .filter((needle) => !(needle.rule === "once" && shownHere))
      .filter((needle) => needle.spellings.some((spelling) => text.includes(spelling)))
      .map((needle) => `${needle.what} in ${relative(project, path)}`);
  });
}

function artefacts(pattern: RegExp): string[] {
  return files(houses).filter((path) => pattern.test(path) && !path.endsWith(FILE));
}

const planted = existsSync(houses) ? allPlanted() : [];

test("something of each kind was planted", () => {
  const kinds = planted.map((each) => each.what);
  for (const kind of [
    "the client's secret",
    "the admin's password",
    "support's password",
    "a session cookie",
    "a state",
    "the provider's access_token",
    "the provider's refresh_token",
    "the provider's id_token",
    "the provider's code",
    "the provider's code_verifier",
    "the relink's token",
    "an API key",
    "the master key",
  ]) {
    expect(kinds).toContain(kind);
  }
  expect(planted.filter((each) => each.value.length < 10)).toEqual([]);
});

test("no log holds a secret", () => {
  const logs = artefacts(/\/(regrant|postgres)\.log$/);
  expect(logs.length).toBeGreaterThanOrEqual(4);
  expect(readFileSync(join(houses, "life/regrant.log"), "utf8")).toContain("oauth/callback");
  expect(found(planted, logs)).toEqual([]);
});

test("no dump of a database holds a secret", () => {
  const dumps = artefacts(/\/dump\.sql$/);
  expect(dumps.length).toBeGreaterThanOrEqual(4);
  // What is there is found, so that finding nothing means something.
  for (const value of ["ada.lovelace", "connection.reauthorized", "INSERT INTO public.token_sets"]) {
    expect(found([{ rule: "secret", what: value, value }], dumps)).toContain(
      `${value} in target/end2end/houses/life/dump.sql`,
    );
  }
  expect(found(planted, dumps)).toEqual([]);
});

test("no page, no data for its script and no answer holds a secret", () => {
  const answers = artefacts(/\/answers\//);
  expect(answers.filter((path) => path.includes("/life/answers/page-")).length).toBeGreaterThan(10);
  expect(found(planted, answers)).toEqual([]);
});

test("neither the script nor the WASM holds a secret", () => {
  const site = files(join(project, "target/site")).filter((path) => /\.(js|wasm|css|json)$/.test(path));
  expect(site.some((path) => path.endsWith(".wasm"))).toBe(true);
  expect(found(planted, site)).toEqual([]);
});
