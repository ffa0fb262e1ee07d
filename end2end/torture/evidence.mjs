// What the judge is shown of a run.
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

/** The provider's log. */
export async function history(world) {
  const lines = [];
  for await (const line of createInterface({ input: createReadStream(world.oracle) })) {
    lines.push(JSON.parse(line));
  }
  return lines;
}

/** Whose connections came from which port, what was cut of them, and who was killed when. */
export function wiresAndDeaths(world) {
  const of = (list) =>
    world.replicas.flatMap((replica) => list(replica).map((one) => ({ ...one, replica: replica.name })));
  const deaths = (replica) => replica.lives.filter((life) => life.to !== null && life.how !== "stop");
  return {
    wires: of((replica) => replica.provider.wires),
    cuts: of((replica) => replica.provider.cuts),
    late: of((replica) => replica.provider.late),
    deaths: of((replica) => deaths(replica).map((life) => ({ at: life.to, how: life.how, connection: life.connection }))),
  };
}
