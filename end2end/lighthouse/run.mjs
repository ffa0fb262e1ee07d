// Lighthouse on the overview, the connections and a relink's page, by its mobile preset, against a
// release that shows its demo. Its pages need a session, so it signs in first.
//
//   node run.mjs [PROGRAM]
//
// The reports are left in target/lighthouse.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch } from "chrome-launcher";
import lighthouse from "lighthouse";

/** What each part of a page has to reach, of a hundred. */
const LEAST = 95;
const PARTS = ["performance", "accessibility", "best-practices"];
/** A single look is off by a few points; the middle one counts. */
const LOOKS = 3;

const root = join(import.meta.dirname, "../..");
const program = process.argv[2] ?? join(root, "target/release/regrant");
const out = join(root, "target/lighthouse");
mkdirSync(out, { recursive: true });
const data = mkdtempSync(join(tmpdir(), "regrant-lighthouse-"));
// Root hands PostgreSQL to another user, who has to get there.
chmodSync(data, 0o711);
const url = `http://127.0.0.1:${await freePort()}`;

const demo = spawn(program, ["demo", "--sandbox-listen", `127.0.0.1:${await freePort()}`], {
  env: { ...process.env, DATABASE_URL: "", REGRANT_DATA_DIR: data, REGRANT_LISTEN: new URL(url).host },
  stdio: ["ignore", "pipe", "inherit"],
});
let said = "";
demo.stdout.on("data", (piece) => (said += piece));
let chrome;
try {
  await until(() => fetch(`${url}/readyz`).then(({ ok }) => ok, () => false));
  const password = /password\s+(\S+)/.exec(said)[1];
  const cookie = await signIn(password);
  chrome = await launch({
    chromePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    chromeFlags: ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"],
  });
  const pages = [
    ["overview", "/", { cookie }],
    ["connections", "/connections", { cookie }],
    // Whoever opens a relink is not signed in.
    ["relink", new URL(await relink(cookie)).pathname, {}],
  ];
  let short = 0;
  for (const [name, path, extraHeaders] of pages) {
    const looks = [];
    for (let at = 0; at < LOOKS; at++) {
      looks.push(await lighthouse(url + path, { port: chrome.port, onlyCategories: PARTS, extraHeaders }));
    }
    const scores = PARTS.map((part) => {
      const all = looks.map(({ lhr }) => Math.round(lhr.categories[part].score * 100)).sort((a, b) => a - b);
      const score = all[Math.floor(LOOKS / 2)];
      if (score < LEAST) short += 1;
      return `${part} ${score} (${all[0]} to ${all.at(-1)})${score < LEAST ? " SHORT" : ""}`;
    });
    console.log(`${name.padEnd(12)} ${scores.join(", ")}`);
    const { lhr } = looks.at(-1);
    writeFileSync(join(out, `${name}.json`), JSON.stringify(lhr, null, 1));
    for (const audit of Object.values(lhr.audits)) {
      if (audit.score !== null && audit.score < 0.9) console.log(`             ${audit.id}: ${audit.displayValue ?? audit.title}`);
    }
  }
  console.log(short === 0 ? `all at ${LEAST} or above` : `${short} below ${LEAST}`);
  process.exitCode = short === 0 ? 0 : 1;
} finally {
  chrome?.kill();
  demo.kill("SIGTERM");
  if (demo.exitCode === null) await once(demo, "exit");
  rmSync(data, { recursive: true, force: true });
}

async function signIn(password) {
  const answer = await post("/rpc/session/login", { email: "admin@example.com", password });
  return answer.headers.get("set-cookie").split(";")[0];
}

/** A link for a connection that needs a person. */
async function relink(cookie) {
  const list = await (await fetch(`${url}/connections?state=needs_reauth`, { headers: { cookie } })).text();
  const [, id] = /\/connections\/([0-9a-f-]{36})/.exec(list);
  return (await (await post("/rpc/relink/create", { id }, { cookie })).json()).made.url;
}

async function post(path, fields, headers = {}) {
  const body = new URLSearchParams(fields);
  const answer = await fetch(url + path, { method: "POST", body, headers: { origin: url, ...headers } });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer;
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

async function until(holds) {
  const deadline = Date.now() + 60_000;
  while (!(await holds())) {
    if (demo.exitCode !== null || Date.now() > deadline) throw new Error("the demo does not start");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
