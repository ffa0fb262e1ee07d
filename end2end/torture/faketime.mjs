// Clocks that can be set while a program runs (libfaketime).
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** The library that a program is started with; none: it is not installed. */
export function faketime() {
  const folders = ["/usr/lib", "/usr/lib64", ...readdirSync("/usr/lib").map((name) => `/usr/lib/${name}`)];
  const paths = folders.map((folder) => join(folder, "faketime/libfaketimeMT.so.1"));
  return paths.find((path) => existsSync(path));
}
