// @ts-check
// The C++ compiler: the one that CXX names, of the system, or the Clang inside a Python wheel.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isProgram } from "../find-program.mjs";
import { installWheels, programFor } from "./programs.mjs";
import { CannotBuild, again } from "./run.mjs";

/** @typedef {import("./programs.mjs").BuildPlaces} BuildPlaces */

/** Machines that addons can be compiled for on another: each one's compiler, and the Debian package that has it. */
export const crossCompilers = /** @type {const} */ ({
  arm64: { command: "aarch64-linux-gnu-g++", debian: "g++-aarch64-linux-gnu" },
});

/** @typedef {keyof typeof crossCompilers} OtherMachine */

/**
 * @typedef {object} Compiler
 * @property {string} command as the environment variable CXX takes it: perhaps with arguments
 * @property {string} path of its program
 * @property {string} name as a person calls it
 */

/**
 * @param {BuildPlaces & {folder: string, machine?: OtherMachine | ""}} settings
 * @returns {Promise<Compiler>}
 */
export async function findCompiler(settings) {
  const asked = settings.env["CXX"]?.trim();
  if (asked) {
    const path = programFor(asked.split(/\s+/, 1)[0] ?? asked, settings);
    if (!path) throw new CannotBuild(`CXX is "${asked}", and there is no such program`, `correct CXX or unset it`);
    return { command: asked, path, name: asked };
  }
  if (settings.machine) {
    const { command, debian } = crossCompilers[settings.machine];
    const path = programFor(command, settings);
    if (path) return { command: path, path, name: command };
    const remedy = `install it (Debian: apt install ${debian}), or name another by CXX`;
    throw new CannotBuild(`the compiler for ${settings.machine}, ${command}, was not found`, remedy);
  }
  for (const name of ["g++", "clang++", "c++"]) {
    const path = programFor(name, settings);
    if (path) return { command: path, path, name };
  }
  return zigCompiler(settings);
}

/**
 * The Clang inside the Python wheel of Zig: a compiler for a machine that has none, where one may not install any.
 *
 * @param {BuildPlaces & {folder: string}} settings
 * @returns {Promise<Compiler>}
 */
async function zigCompiler(settings) {
  const { folder, venv } = settings;
  const remedy = `install one (Debian: apt install g++), then run ${again}`;
  if (process.platform !== "linux" || !existsSync(join(venv, "bin", "python"))) {
    throw new CannotBuild("no C++ compiler was found", remedy);
  }
  if (!findZig(venv)) await installWheels(["ziglang"], "no C++ compiler was found", remedy, settings);
  const zig = findZig(venv);
  if (!zig) throw new CannotBuild("no C++ compiler was found, nor in the Python wheel ziglang", remedy);
  // CMake wants one program. A target is given, or Zig would compile every file for this very CPU.
  const architecture = { x64: "x86_64", arm64: "aarch64" }[/** @type {string} */ (process.arch)] ?? process.arch;
  const { header } = /** @type {{header: {glibcVersionRuntime?: string}}} */ (process.report.getReport());
  const target = `${architecture}-linux-${header.glibcVersionRuntime ? "gnu" : "musl"}`;
  const wrapper = join(folder, "zig-c++");
  mkdirSync(folder, { recursive: true });
  writeFileSync(wrapper, `#!/bin/sh\nexec "${zig}" c++ -target ${target} "$@"\n`, { mode: 0o755 });
  return { command: wrapper, path: zig, name: "zig c++" };
}

/**
 * @param {string} venv
 * @returns {string | undefined}
 */
function findZig(venv) {
  const lib = join(venv, "lib");
  return (existsSync(lib) ? readdirSync(lib) : [])
    .map((python) => join(lib, python, "site-packages", "ziglang", "zig"))
    .find(isProgram);
}
