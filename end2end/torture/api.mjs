// Regrant's API, asked at whichever replica is up.

export class Api {
  constructor(replicas, random) {
    Object.assign(this, { replicas, random, key: null });
  }

  /** Status and body of one call; throws when there is no answer. */
  async call(method, path, { body, type = "application/json", at, seconds = 60 } = {}) {
    const replica = at ?? this.random.pick(this.replicas.filter((one) => one.isUp));
    if (!replica) throw new Error("no replica is up");
    const answer = await fetch(`${replica.url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${this.key}`, ...(body === undefined ? {} : { "content-type": type }) },
      body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(seconds * 1000),
    });
    const text = await answer.text();
    let value = null;
    try {
      value = text === "" ? null : JSON.parse(text);
    } catch {
      // Not every refusal is JSON.
    }
    return { status: answer.status, value, text };
  }

  /** The answer of a call that must succeed. */
  async get(method, path, options) {
    const { status, value, text } = await this.call(method, path, options);
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text.slice(0, 300)}`);
    return value;
  }

  /** Brings families of the provider over as connections; the family is the external id. */
  async seed(client, minted) {
    const rows = minted.map(({ family, answer }) =>
      JSON.stringify({ external_id: family, label: family, token_response: answer }),
    );
    const done = await this.get("POST", `/clients/${client}/imports`, {
      body: `${rows.join("\n")}\n`,
      type: "application/x-ndjson",
    });
    if (done.failed > 0) throw new Error(`seeding: ${JSON.stringify(done.problems.slice(0, 3))}`);
    return done.imported;
  }
}
