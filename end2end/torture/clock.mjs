// Moments and waits. All programs of a run share one monotonic clock, in milliseconds.
import { setTimeout as sleep } from "node:timers/promises";

export { sleep };

export const now = () => Number(process.hrtime.bigint() / 1000n) / 1000;

/** Waits until `look` gives something, at most `seconds`. Errors of `look` count as nothing yet. */
export async function until(what, seconds, look, pause = 100) {
  const deadline = now() + seconds * 1000;
  let last;
  for (;;) {
    try {
      const seen = await look();
      if (seen) return seen;
    } catch (error) {
      last = error;
    }
    if (now() > deadline) {
      throw new Error(`${what}: not within ${seconds} s${last ? ` (${last.message})` : ""}`);
    }
    await sleep(pause);
  }
}

/** Turns a promise of uncertain end into one that fails in time. */
export function within(seconds, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${seconds} s`)), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
