// Child programs: their output in a file, their end noticed, none of them left behind.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { createServer } from "node:net";

const running = new Set();

/** The caller's environment without its own settings of Regrant. */
export function environment(extra) {
  const ours = ([name]) => name !== "DATABASE_URL" && !/^(REGRANT_|PG|FAKETIME|LD_PRELOAD)/.test(name);
  return { ...Object.fromEntries(Object.entries(process.env).filter(ours)), ...extra };
}

/** Starts a program; what it prints is appended to `log`. */
export function begin(command, args, { env = {}, log, ...options }) {
  const out = openSync(log, "a");
  const child = spawn(command, args, {
    env: environment(env),
    stdio: ["ignore", out, out],
    ...options,
  });
  closeSync(out);
  running.add(child);
  child.ended = new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
    child.once("error", (error) => resolve({ code: null, signal: null, error }));
  }).then((end) => {
    running.delete(child);
    child.end = end;
    return end;
  });
  return child;
}

/** Ends what still runs, when we end before our time. */
export function endAll() {
  for (const child of running) child.kill("SIGKILL");
}

export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
