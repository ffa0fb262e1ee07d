// The judge itself: each rule is broken once, on purpose, and must be heard.
import assert from "node:assert/strict";
import { test } from "node:test";
import { judge } from "./oracle.mjs";

const PORT = 7000;
const wires = [{ replica: "one", port: PORT, from: 0 }];
const mint = { minted: "family", client: "c", t1: 0, rt_out: "r0", at_out: "a0" };

let ids = 0;
/** A request that was granted: token `r<n>` for `r<n+1>`, taking 10 ms from `t0` on. */
function grant(number, t0, more = {}) {
  return {
    ...ask(number, t0),
    status: 200,
    rt_out: `r${number + 1}`,
    at_out: `a${number + 1}`,
    ...more,
  };
}

function ask(number, t0, more = {}) {
  const id = (ids += 1);
  const line = { id, port: PORT, client: "c", grant: "refresh_token", rt_in: `r${number}` };
  return { ...line, t0, t1: t0 + 10, status: 503, fault: null, ...more };
}

const refuse = (number, t0) => ask(number, t0, { status: 400, error: "invalid_grant" });
const active = (at_out) => [{ family: "family", state: "active", reason: null, at_out }];
const dead = (reason = "rotation_lost") => [{ family: "family", state: "needs_reauth", reason }];

function said(history, held, more = {}) {
  const verdict = judge({ history: [mint, ...history], wires, cuts: [], deaths: [], held, ...more });
  return verdict.violations.map((text) => text.slice(0, 2));
}

test("a quiet life breaks no rule", () => {
  assert.deepEqual(said([grant(0, 100), ask(1, 200), grant(1, 300)], active("a2")), []);
});

test("I1: one token in two requests at once", () => {
  const history = [grant(0, 100, { t1: 150, fault: "drop_after" }), refuse(0, 140)];
  assert.deepEqual(said(history, dead()), ["I1"]);
});

test("a request that was hung up on overlaps nothing after that", () => {
  const gone = ask(0, 100, { t1: 120, hung_up: true, status: 0 });
  assert.deepEqual(said([gone, grant(0, 121)], active("a1")), []);
});

test("I2: a token after its successor was received", () => {
  assert.deepEqual(said([grant(0, 100), refuse(0, 200)], dead()), ["I2", "I4"]);
});

test("I3: a token after its refusal was received", () => {
  const history = [grant(0, 100, { fault: "garbage" }), refuse(0, 200), refuse(0, 300)];
  assert.deepEqual(said(history, dead()), ["I3"]);
});

test("a suspended verdict lets a token come once more, and no more than that", () => {
  const held = [{ ...dead()[0], suspended: 1 }];
  const history = [grant(0, 100, { fault: "garbage" }), refuse(0, 200), ask(0, 250), refuse(0, 300)];
  assert.deepEqual(said(history, held), []);
  assert.deepEqual(said([...history, refuse(0, 400)], held), ["I3"]);
});

test("an answer that the provider, the wire or a kill took explains a loss, and nothing else does", () => {
  const history = (fault) => [grant(0, 100, { fault }), refuse(0, 60_000)];
  assert.deepEqual(said(history("drop_after"), dead()), []);
  assert.deepEqual(said(history("garbage"), dead()), []);
  assert.deepEqual(said(history(null), dead()), ["I2", "I4"]);
  const cut = { port: PORT, at: 111, kind: "reset_answer" };
  assert.deepEqual(said(history(null), dead(), { cuts: [cut] }), []);
  assert.deepEqual(said(history(null), dead(), { deaths: [{ replica: "one", at: 500 }] }), []);
  // Killed long after: it had the time to record what it had received.
  assert.deepEqual(said(history(null), dead(), { deaths: [{ replica: "one", at: 9000 }] }), ["I2", "I4"]);
  assert.deepEqual(said(history(null), dead(), { deaths: [{ replica: "two", at: 500 }] }), ["I2", "I4"]);
});

test("an answer that the wire delivers late is received when it comes", () => {
  const history = () => [grant(0, 100), refuse(0, 60_000)];
  const deaths = [{ replica: "one", at: 2150 }];
  const late = [{ port: PORT, at: 111, by: 2000 }];
  assert.deepEqual(said(history(), dead(), { deaths }), ["I2", "I4"]);
  assert.deepEqual(said(history(), dead(), { deaths, late }), []);
  assert.deepEqual(said(history(), dead(), { deaths: [{ replica: "one", at: 4200 }], late }), ["I2", "I4"]);
  assert.deepEqual(said(history(), dead(), { deaths, late: [{ ...late[0], port: 7001 }] }), ["I2", "I4"]);
});

test("who killed itself over an answer had not recorded it, however late that was", () => {
  const history = () => [grant(0, 100), refuse(0, 60_000)];
  const held = [{ ...dead()[0], id: "connection" }];
  const death = (more) => ({ deaths: [{ replica: "one", at: 9000, ...more }] });
  assert.deepEqual(said(history(), held, death({ connection: "connection" })), []);
  assert.deepEqual(said(history(), held, death({ connection: "another" })), ["I2", "I4"]);
  assert.deepEqual(said(history(), held, death({ connection: "connection", at: 50_000 })), ["I2", "I4"]);
  assert.deepEqual(said(history(), held, death({ connection: "connection", replica: "two" })), ["I2", "I4"]);
  // The answer whose successor it had used was recorded.
  const used = [grant(0, 100), ask(1, 200, { port: 9 }), refuse(0, 60_000)];
  const wires = [{ replica: "one", port: PORT, from: 0 }, { replica: "two", port: 9, from: 0 }];
  assert.deepEqual(said(used, held, { ...death({ connection: "connection" }), wires }).slice(0, 1), ["I2"]);
});

test("a cut belongs to the request that was under way on its port", () => {
  const history = [grant(0, 100), grant(1, 200), refuse(1, 60_000)];
  assert.deepEqual(said(history, dead(), { cuts: [{ port: PORT, at: 111, kind: "reset_answer" }] }), ["I2", "I4"]);
  assert.deepEqual(said(history, dead(), { cuts: [{ port: PORT, at: 211, kind: "reset_answer" }] }), []);
});

test("I4: a loss must be said to be one", () => {
  const history = [grant(0, 100, { fault: "drop_after" }), refuse(0, 60_000)];
  assert.deepEqual(said(history, dead("revoked")), ["I4"]);
});

test("I4: a connection condemned without a refusal", () => {
  assert.deepEqual(said([grant(0, 100, { fault: "drop_after" })], dead()), ["I4"]);
});

test("I4 and I5: what is held is the newest, as far as was known then", () => {
  const history = [grant(0, 100), grant(1, 5000)];
  assert.deepEqual(said(history, active("a1")), ["I5"]);
  assert.deepEqual(said(history, active("a9")), ["I4"]);
  assert.deepEqual(said(history, active("a1"), { heldAt: 1000 }), []);
});

test("within a grace window a lost answer is no excuse", () => {
  const history = (at) => [grant(0, 100, { fault: "drop_after" }), refuse(0, at)];
  const graces = { c: 60 };
  assert.deepEqual(said(history(30_000), dead(), { graces }), ["I4"]);
  assert.deepEqual(said(history(90_000), dead(), { graces }), []);
  const again = [grant(0, 100, { fault: "drop_after" }), grant(0, 5000)];
  assert.deepEqual(said(again, active("a1"), { graces }), []);
});

test("I6: back before Retry-After, unless a clock was wrong", () => {
  const history = [ask(0, 100, { status: 429, fault: "slow_down", not_before: 2100 }), grant(0, 900)];
  assert.deepEqual(said(history, active("a1")), ["I6"]);
  assert.deepEqual(said(history, active("a1"), { jumps: [{ replica: "one", from: 0, to: 5000 }] }), []);
  const patient = [history[0], grant(0, 2050)];
  assert.deepEqual(said(patient, active("a1")), []);
});

test("I7: a reader with another connection's token", () => {
  const other = { ...mint, minted: "other", rt_out: "x0", at_out: "b0" };
  const seen = [{ family: "family", at_out: "b0", at: 50 }];
  assert.deepEqual(said([other], active("a0"), { seen }), ["I7"]);
});

test("how many requests of a client are under way at once", () => {
  const history = [grant(0, 100, { t1: 200 }), ask(5, 150), ask(6, 155), ask(7, 160)];
  const verdict = judge({ history: [mint, ...history], wires, cuts: [], deaths: [], held: [] });
  assert.deepEqual(verdict.peak, { c: 3 });
});
