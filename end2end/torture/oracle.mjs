// What may be said of a run: the provider's log, what the wires cut, who died when, and what Regrant
// holds in the end, held against the rules.
//
// I1  no refresh token is in two requests at once
// I2  none comes again after its successor was received by a replica that lived to record it
// I3  none comes again after a refusal was so received, but once for each verdict that an incident
//     suspended; a lost answer is asked for until there is one
// I4  each family ends with its newest token held, or its loss has a cause: an answer that the server
//     or the wire lost, or a holder that was killed between receiving and recording
// I5  nothing that is held was replaced at the provider
// I6  nobody comes back before the time that a 429 names
// I7  a token is only ever given out for the connection that it belongs to
//
// All moments are milliseconds of one monotonic clock.

/** Who is killed within so long after an answer may not have recorded it. On an idle machine it is a
 * matter of milliseconds; two cores under load take longer. */
const RECORD_MS = 2000;
/** Who died at a named point on the way from an answer to its record had recorded nothing of it, however long
 * that took. A lease would be over soon after this. */
const UNRECORDED_MS = 30_000;
/** A `Retry-After` in whole seconds, by clocks that are read at either end. */
const RETRY_SLACK_MS = 300;

/**
 * @param history lines of the provider's log
 * @param wires   { replica, port, from }: whose connection a port was
 * @param cuts    { port, at, kind }: an answer that the wire kept
 * @param late    { port, at, by }: an answer that the wire delivered so much later
 * @param deaths  { replica, at, connection }: kills, not stops; and of which connection the answer was at
 *                which it killed itself, where that is known
 * @param jumps   { replica, from, to }: when a clock was wrong
 * @param held    { id, family, state, reason, at_out, suspended }: connections in the end, and how many of
 *                their verdicts an incident suspended
 * @param heldAt  when that was read; what came later tells nothing of it
 * @param seen    { family, at_out, at }: access tokens that readers were given
 * @param graces  client → seconds
 * @param zero    when the run began, for what is told
 */
export function judge({ history, wires, cuts, late = [], deaths, jumps = [], held, heldAt = Infinity, seen = [], graces = {}, zero = 0 }) {
  const violations = [];
  const violate = (rule, text) => violations.push(`${rule} ${text}`);
  const tell = ({ id, replica, t1 }) => `${id} (${replica}, until ${((t1 - zero) / 1000).toFixed(1)} s)`;
  const requests = history.filter((line) => line.grant === "refresh_token" || line.partial);
  requests.sort((a, b) => a.t0 - b.t0);
  const owner = owners(wires);
  for (const request of requests) request.replica = owner(request.port, request.t0);
  markCuts(requests, cuts);
  markLate(requests, late);
  for (const request of requests) request.lost = whyLost(request, deaths);

  const byToken = group(requests.filter((request) => request.rt_in), "rt_in");
  const families = trace(history, byToken);
  for (const death of deaths) markUnrecorded(death, requests, byToken, families, held);
  const suspended = new Map();
  for (const { family, suspended: verdicts } of held) {
    for (const { rt_out } of families.get(family) ?? []) suspended.set(rt_out, verdicts ?? 0);
  }
  for (const [token, list] of byToken) {
    overlaps(list, (a, b) => violate("I1", `${token}: requests ${tell(a)} and ${tell(b)} overlap`));
    comesAgain(list, suspended.get(token) ?? 0, (a, b) =>
      violate(a.status === 200 ? "I2" : "I3", `${token}: request ${tell(b)} after the answer of ${tell(a)}`),
    );
    for (const early of comesEarly(list, jumps)) {
      violate("I6", `${token}: request ${tell(early.next)} ${Math.round(early.by)} ms before its time`);
    }
  }

  const causes = {};
  const lost = held.filter((connection) => connection.state === "needs_reauth");
  for (const connection of held) {
    const family = families.get(connection.family);
    if (!family) violate("I4", `${connection.family}: the provider knows no such family`);
    else if (connection.state === "needs_reauth") {
      const cause = whyDead(family, byToken, graces);
      causes[cause ?? "none"] = (causes[cause ?? "none"] ?? 0) + 1;
      if (!cause) violate("I4", `${connection.family}: lost (${connection.reason}) without a cause`);
      else if (connection.reason !== "rotation_lost") {
        violate("I4", `${connection.family}: said to be ${connection.reason}, but its answer was lost`);
      }
    } else if (connection.at_out !== family.findLast((token) => token.t1 <= heldAt).at_out) {
      const stale = family.some((token) => token.at_out === connection.at_out);
      const what = stale ? "a replaced token" : `something else (${connection.problem ?? "unknown"})`;
      violate(stale ? "I5" : "I4", `${connection.family}: ${what} is held`);
    }
  }

  const whose = new Map();
  for (const [name, tokens] of families) for (const { at_out } of tokens) whose.set(at_out, name);
  for (const { family, at_out } of seen) {
    if (whose.get(at_out) !== family) violate("I7", `${family}: a reader got a token of ${whose.get(at_out)}`);
  }

  const granted = requests.filter((request) => request.status === 200);
  // Who was killed may have recorded it all the same.
  const known = new Set(held.map((connection) => connection.at_out));
  const isLost = ({ lost, rt_out, at_out }) => lost && !byToken.has(rt_out) && !known.has(at_out);
  const lostAnswers = granted.filter(isLost);
  return {
    violations,
    requests: requests.length,
    granted: granted.length,
    tokens: byToken.size,
    lostAnswers: lostAnswers.length,
    lostAnswersBy: tally(lostAnswers.map((request) => request.lost)),
    lostConnections: lost.length,
    lostConnectionsBy: causes,
    peak: peaks(requests),
  };
}

/** Whose connection a port was at a moment. */
function owners(wires) {
  const byPort = group(wires, "port");
  for (const list of byPort.values()) list.sort((a, b) => a.from - b.from);
  // A request comes after its connection, but our two clocks are read in two processes.
  return (port, at) => byPort.get(port)?.findLast((wire) => wire.from <= at + 50)?.replica;
}

function markCuts(requests, cuts) {
  const byPort = group(requests, "port");
  for (const { port, at, kind } of cuts) {
    const cut = byPort.get(port)?.findLast((request) => request.t0 <= at);
    if (cut) cut.cut = kind;
  }
}

/** An answer is received when it comes, not when it is sent. */
function markLate(requests, late) {
  const byPort = group(requests, "port");
  for (const { port, at, by } of late) {
    const kept = byPort.get(port)?.findLast((request) => request.t0 <= at);
    if (kept) kept.came = kept.t1 + by;
  }
}

/** Why the answer may not have come to be recorded; `null`: it must have. */
function whyLost(request, deaths) {
  if (request.fault === "drop_after" || request.fault === "garbage") return "provider";
  if (request.fault === "drop_before") return "provider";
  if (request.cut) return "wire";
  const recorded = (request.came ?? request.t1) + RECORD_MS;
  const died = deaths.some(
    ({ replica, at }) => replica === request.replica && at >= request.t0 - 200 && at <= recorded,
  );
  if (died) return "kill";
  return request.hung_up ? "hung up" : null;
}

/** The answer that a process had in its memory only when it killed itself there: the last one that came to it
 * about that connection, unless its successor was already used. */
function markUnrecorded({ replica, at, connection }, requests, byToken, families, held) {
  const family = connection && held.find(({ id }) => id === connection)?.family;
  const tokens = new Set(families.get(family)?.map(({ rt_out }) => rt_out));
  const isIt = ({ replica: asker, rt_in, t1 }) =>
    asker === replica && tokens.has(rt_in) && t1 <= at && at - t1 <= UNRECORDED_MS;
  const struck = requests.findLast(isIt);
  const isRecorded = byToken.get(struck?.rt_out)?.some(({ t0 }) => t0 < at);
  if (struck && !isRecorded) struck.lost ??= "kill";
}

function overlaps(list, report) {
  let longest = list[0];
  for (const next of list.slice(1)) {
    if (next.t0 < longest.t1) report(longest, next);
    if (next.t1 > longest.t1) longest = next;
  }
}

/** An answer that settles what becomes of the token: a successor, or a refusal of the grant. */
function isDefinite(request) {
  const settles = request.status === 200 || request.error === "invalid_grant";
  return settles && request.lost === null;
}

function comesAgain(list, suspended, report) {
  const settled = list.find(isDefinite);
  if (!settled) return;
  let answers = 0;
  for (const next of list) {
    const excused = settled.status !== 200 && answers <= suspended;
    if (next.t0 > settled.t0 && !excused) report(settled, next);
    if (isDefinite(next)) answers += 1;
  }
}

function comesEarly(list, jumps) {
  const early = [];
  list.forEach((asked, at) => {
    const next = list[at + 1];
    if (asked.status !== 429 || asked.lost || !next || !asked.not_before) return;
    const wrong = ({ from, to }) => from <= next.t0 && to >= asked.t0;
    if (jumps.some(wrong)) return;
    const by = asked.not_before - RETRY_SLACK_MS - next.t0;
    if (by > 0) early.push({ next, by });
  });
  return early;
}

/** Each family's tokens in the order in which the provider gave them. */
function trace(history, byToken) {
  const families = new Map();
  for (const mint of history.filter((line) => line.minted)) {
    const tokens = [mint];
    for (;;) {
      // Within a grace window a token gets the same successor again.
      const next = byToken.get(tokens.at(-1).rt_out)?.find((request) => request.rt_out);
      if (!next) break;
      tokens.push(next);
    }
    families.set(mint.minted, tokens);
  }
  return families;
}

/** What made a family die: the answer that gave its newest token was lost, and the token before it
 * was asked for again, as must be. With a grace window that is only deadly when it is over. */
function whyDead(tokens, byToken, graces) {
  const newest = tokens.at(-1);
  if (newest.minted) return null;
  const tries = byToken.get(newest.rt_in);
  const given = tries.filter((request) => request.rt_out);
  if (!given.every((request) => request.lost)) return null;
  const refused = tries.find((request) => request.error === "invalid_grant");
  if (!refused) return null;
  const grace = (graces[newest.client] ?? 0) * 1000;
  if (grace > 0 && refused.t0 - given[0].t1 < grace) return null;
  return grace > 0 ? "grace window over" : given[0].lost;
}

/** The most requests of one client under way at once, of those that nobody hung up on. */
function peaks(requests) {
  const peaks = {};
  for (const [client, list] of group(requests.filter((request) => request.client), "client")) {
    const moments = list
      .filter((request) => !request.hung_up && request.lost === null)
      .flatMap(({ t0, t1 }) => [[t0, 1], [t1, -1]]);
    moments.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    let now = 0;
    let most = 0;
    for (const [, step] of moments) most = Math.max(most, (now += step));
    peaks[client] = most;
  }
  return peaks;
}

export function group(list, field) {
  const groups = new Map();
  for (const item of list) {
    if (!groups.has(item[field])) groups.set(item[field], []);
    groups.get(item[field]).push(item);
  }
  return groups;
}

export function tally(names) {
  const counts = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
