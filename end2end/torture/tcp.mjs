// A TCP proxy that breaks connections. Each fault strikes once: the next connection at which it can
// is its victim. What a cut took from the client is told by the port that the server saw.
import net from "node:net";
import { now } from "./clock.mjs";

/**
 * refuse            the next connection is reset as it comes
 * reset_request     what the client sends is not passed on; both ends are reset
 * reset_answer      what the server answers is not passed on; the client is reset
 * cut_answer        half of what the server answers is passed on, then the connection ends
 * blackhole_request from what the client sends on, nothing passes either way, and nobody is told
 * blackhole_answer  the same from what the server answers on
 * slow_answer       what the server answers comes late
 */
export const KINDS = [
  "refuse",
  "reset_request",
  "reset_answer",
  "cut_answer",
  "blackhole_request",
  "blackhole_answer",
  "slow_answer",
];
const SLOW_MS = 2000;

export class TcpProxy {
  /** `blackhole`: after how many milliseconds a swallowed connection is reset at last. */
  constructor(name, target, { blackhole }) {
    Object.assign(this, { name, target, blackhole, armed: [], fired: {}, cuts: [], late: [], wires: [] });
    this.isDown = false;
    this.pairs = new Set();
    this.server = net.createServer((client) => this.accept(client));
  }

  listen(port) {
    return new Promise((resolve) => this.server.listen(port, "127.0.0.1", resolve));
  }

  arm(kind) {
    this.armed.push(kind);
  }

  /** Resets everything and refuses what comes, until `up`. */
  down() {
    this.isDown = true;
    for (const pair of [...this.pairs]) this.cut(pair, "down");
  }

  up() {
    this.isDown = false;
  }

  close() {
    this.down();
    this.server.close();
  }

  accept(client) {
    client.on("error", () => {});
    if (this.isDown || this.strikes("refuse")) return client.resetAndDestroy();
    const server = net.connect(this.target, "127.0.0.1");
    const pair = { client, server, waiting: false, swallowed: false, cut: false };
    this.pairs.add(pair);
    client.setNoDelay(true);
    server.setNoDelay(true);
    server.on("error", () => client.resetAndDestroy());
    server.on("connect", () => this.wires.push({ port: server.localPort, from: now() }));
    client.on("data", (chunk) => this.request(pair, chunk));
    server.on("data", (chunk) => this.answer(pair, chunk));
    client.on("end", () => pair.swallowed || server.end());
    server.on("end", () => pair.swallowed || client.end());
    client.on("close", () => {
      this.pairs.delete(pair);
      server.destroy();
    });
    server.on("close", () => pair.swallowed || client.destroy());
  }

  /** Whether the fault was armed; then it is so no more. */
  strikes(...kinds) {
    const at = this.armed.findIndex((kind) => kinds.includes(kind));
    if (at < 0) return null;
    const [kind] = this.armed.splice(at, 1);
    this.fired[kind] = (this.fired[kind] ?? 0) + 1;
    return kind;
  }

  request(pair, chunk) {
    if (pair.swallowed) return;
    const kind = this.strikes("reset_request", "blackhole_request");
    if (kind === "reset_request") return this.cut(pair, kind);
    if (kind === "blackhole_request") return this.swallow(pair, kind);
    pair.waiting = true;
    pair.server.write(chunk);
  }

  answer(pair, chunk) {
    if (pair.swallowed || pair.cut) return;
    const kind = this.strikes("reset_answer", "cut_answer", "blackhole_answer", "slow_answer");
    switch (kind) {
      case "reset_answer":
        return this.cut(pair, kind);
      case "cut_answer":
        this.took(pair, kind);
        pair.cut = true;
        pair.client.end(chunk.subarray(0, Math.floor(chunk.length / 2)));
        return pair.server.destroy();
      case "blackhole_answer":
        return this.swallow(pair, kind);
      case "slow_answer":
        this.late.push({ port: pair.server.localPort, at: now(), by: SLOW_MS });
        // What follows must not overtake it.
        pair.server.pause();
        setTimeout(() => {
          pair.waiting = false;
          pair.client.write(chunk);
          pair.server.resume();
        }, SLOW_MS);
        return undefined;
      default:
        pair.waiting = false;
        return pair.client.write(chunk);
    }
  }

  cut(pair, kind) {
    this.took(pair, kind);
    pair.cut = true;
    pair.client.resetAndDestroy();
    pair.server.resetAndDestroy();
  }

  swallow(pair, kind) {
    this.took(pair, kind);
    pair.swallowed = true;
    setTimeout(() => {
      pair.client.resetAndDestroy();
      pair.server.destroy();
    }, this.blackhole).unref();
  }

  /** Notes that an answer which the server owes will not come to the client. */
  took(pair, kind) {
    if (pair.waiting) this.cuts.push({ port: pair.server.localPort, at: now(), kind });
  }
}
