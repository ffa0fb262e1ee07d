// Before anything runs: what an earlier run left is cleared away, and the program is there.
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { houses, program, screenshots } from "./places.js";

export default function globalSetup(): void {
  if (!existsSync(program)) throw new Error(`${program} is not built: run cargo xtask build`);
  for (const folder of [houses, screenshots]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  }
}
