// Where things are: the program under test, and where the suite leaves what it saw.
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const support = fileURLToPath(new URL(".", import.meta.url));
export const project = resolve(support, "../..");
/** Logs, screenshots, database dumps, page sources: everything the suite writes. */
export const artefacts = join(project, "target/end2end");
/** One folder for each Regrant that was run; what the canary looks through. */
export const houses = join(artefacts, "houses");
/** The Python that has the packages of `requirements.txt`. */
export const python = join(project, "target/python/bin/python");
export const screenshots = join(artefacts, "screenshots");
/** `REGRANT_BIN` names another build of the program. */
export const program = process.env.REGRANT_BIN ?? join(project, "target/debug/regrant");
