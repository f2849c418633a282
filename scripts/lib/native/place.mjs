// @ts-check
// Where a build is put, and whether it has to be made anew.

import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { kernelsCuda } from "../checkout.mjs";

/**
 * Everything that decides what the build yields, as one hash. Node.js is no part of it: the headers are npm's, and Node-API is
 * the same in all versions.
 *
 * @param {import("./compiler.mjs").Compiler} compiler
 * @param {string[]} options
 * @param {{target: string, env: NodeJS.ProcessEnv}} addon
 */
export function fingerprint(compiler, options, { target, env }) {
  const hash = createHash("sha256");
  const program = realpathSync(compiler.path);
  const { size, mtimeMs } = statSync(program);
  hash.update(JSON.stringify([process.platform, process.arch, compiler.command, program, size, mtimeMs]));
  hash.update(JSON.stringify([env["CXXFLAGS"] ?? "", env["LDFLAGS"] ?? "", target, ...options]));
  const sources = (target === "native" ? ["cpp"] : ["cmake", "cpp", "cuda"])
    .flatMap((folder) =>
      readdirSync(join(kernelsCuda, folder), { recursive: true, encoding: "utf8" }).map((file) => join(folder, file)),
    )
    .filter((file) => statSync(join(kernelsCuda, file)).isFile() && !file.endsWith(".test.cpp"))
    .sort();
  for (const file of ["CMakeLists.txt", "package.json", ...sources]) {
    hash.update(`\0${file}\0`).update(readFileSync(join(kernelsCuda, file)));
  }
  return hash.digest("hex");
}

/**
 * @param {string} place
 * @param {string} file the addon's name
 * @param {string} key
 */
export function isUpToDate(place, file, key) {
  try {
    const info = JSON.parse(readFileSync(join(place, "build-info.json"), "utf8"));
    return info.key === key && existsSync(join(place, file));
  } catch {
    return false; // no build yet
  }
}

/**
 * Puts the addon in place in one step: a process that has the old one loaded keeps it, one that starts sees either.
 *
 * @param {string} attempt
 * @param {string} file the addon's name
 * @param {string} place
 * @param {Record<string, string>} info
 */
export function install(attempt, file, place, info) {
  mkdirSync(place, { recursive: true });
  const infoPath = join(attempt, "build-info.json");
  writeFileSync(infoPath, `${JSON.stringify(info, null, 2)}\n`);
  // By way of a copy in the same folder, which rename can replace at once on every file system.
  const staged = join(place, `${file}.${process.pid}`);
  copyFileSync(join(attempt, file), staged);
  // An addon without its key is built again; a key without its addon would not be.
  rmSync(join(place, "build-info.json"), { force: true });
  renameSync(staged, join(place, file));
  renameSync(infoPath, join(place, "build-info.json"));
}

/**
 * Folders of builds that were killed: an hour is longer than any build takes.
 *
 * @param {string} folder
 */
export function removeAbandonedAttempts(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (name.startsWith("attempt-") && Date.now() - statSync(path).mtimeMs > 3_600_000) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}
