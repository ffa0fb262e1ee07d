// Starting programs for the specs, each on a free port, and ending them again.
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { dirname } from "node:path";

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}

export interface Program {
  stop(): Promise<void>;
}

/** The caller's environment without its own settings of Regrant. */
function clean(): NodeJS.ProcessEnv {
  const ours = ([name]: [string, unknown]) => name !== "DATABASE_URL" && !name.startsWith("REGRANT_");
  return Object.fromEntries(Object.entries(process.env).filter(ours));
}

/** Starts a program, keeps what it prints in `log`, and waits until `url` answers with a 2xx. */
export async function start(
  command: string,
  args: string[],
  env: Record<string, string>,
  log: string,
  url: string,
): Promise<Program> {
  mkdirSync(dirname(log), { recursive: true });
  const out = createWriteStream(log);
  const child = spawn(command, args, {
    env: { ...clean(), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.pipe(out, { end: false });
  child.stderr.pipe(out, { end: false });
  let failure: Error | undefined;
  child.once("error", (error) => (failure = error));

  const deadline = Date.now() + 60_000;
  while (!(await answers(url))) {
    if (failure) throw failure;
    if (hasEnded(child)) throw new Error(`${command} ended at its start; see ${log}`);
    if (Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`${command} does not answer at ${url}; see ${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    async stop() {
      if (!hasEnded(child)) {
        const ended = once(child, "exit");
        child.kill("SIGTERM");
        await ended;
      }
      out.end();
    },
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function answers(url: string): Promise<boolean> {
  try {
    // Whoever takes the connection and says nothing is asked again.
    return (await fetch(url, { signal: AbortSignal.timeout(5_000) })).ok;
  } catch {
    return false;
  }
}
