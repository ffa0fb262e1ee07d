// When all is quiet: what Regrant holds, and that it is good for one more refresh.
import { readdirSync } from "node:fs";
import { hash } from "./watch.mjs";

const AT_ONCE = 16;
const CALL_SECONDS = 15;
/** So many calls without an answer, and we ask no more. */
const PATIENCE = 10;

let unanswered = 0;

/** Each connection with the access token that readers get, by its hash. */
export async function read(world) {
  const rows = await world.postgres.query(
    `SELECT id, external_id AS family, state, reason, client_id,
            (SELECT count(*) FROM attempts a
             WHERE a.connection_id = n.id AND verdict = 'suspended') AS suspended
     FROM connections n ORDER BY id`,
  );
  await many(rows, async (row) => {
    if (row.state === "needs_reauth") return;
    const { status, value, text } = await ask(world, "GET", `/connections/${row.id}/token`);
    if (status === 200) row.at_out = hash(value.access_token);
    else row.problem = `${status} ${text.slice(0, 200)}`;
  });
  return rows;
}

/** Refreshes each living connection once more. With nothing in the way each must be granted: that
 * is what tells a refresh token that is good from one that only looks so. */
export async function refreshAll(world, held) {
  const failed = [];
  const living = held.filter((row) => row.state !== "needs_reauth");
  await many(living, async ({ id, family }) => {
    const { status, value, text } = await ask(world, "POST", `/connections/${id}/refresh`);
    if (status !== 200 || value.verdict !== "refreshed") {
      failed.push(`${family}: ${status} ${value?.verdict ?? text.slice(0, 200)} ${value?.error_code ?? ""}`);
    }
  });
  return { asked: living.length, failed };
}

/** What must not be left in the database, nor in any journal. */
export async function leftovers(world) {
  const [counts] = await world.postgres.query(`
    SELECT (SELECT count(*) FROM attempts WHERE verdict IS NULL) AS open_attempts,
           (SELECT count(*) FROM connections WHERE leased_until > now()) AS leases,
           (SELECT count(*) FROM connections WHERE state = 'in_doubt') AS in_doubt,
           (SELECT count(*) FROM token_sets JOIN connections ON connections.id = connection_id
            WHERE sealed_refresh_token IS NOT NULL
              AND token_sets.generation <> connections.generation) AS stale_tokens`);
  let journaled = 0;
  for (const replica of world.replicas) {
    const { regrant_journal_records: records } = await replica.metrics();
    // A live process has one file; others are what dead ones left.
    const leftover = readdirSync(replica.journal).filter((name) => name.endsWith(".journal")).length - 1;
    journaled += (records ?? 0) + leftover;
  }
  return { ...counts, journaled };
}

/** A call without an answer is a finding, and no reason to break off. */
async function ask(world, method, path) {
  if (unanswered >= PATIENCE) return { status: 0, value: null, text: "not asked: nobody answers" };
  try {
    return await world.api.call(method, path, { seconds: CALL_SECONDS });
  } catch (error) {
    unanswered += 1;
    return { status: 0, value: null, text: error.message };
  }
}

async function many(list, work) {
  const left = [...list];
  const one = async () => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}
