// @ts-check
// Programs that a build needs: of the system, or of Python wheels in the project's environment.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "../find-program.mjs";
import { CannotBuild, run } from "./run.mjs";

/** @typedef {import("./run.mjs").Surroundings & {venv: string}} BuildPlaces `venv`: the project's Python environment, which need not exist */

/**
 * Installs Python wheels into the project's environment.
 *
 * @param {string[]} names
 * @param {string} why what is missing without them
 * @param {string} remedy
 * @param {BuildPlaces} settings
 */
export async function installWheels(names, why, remedy, { venv, log, env }) {
  const wanted = names.join(" and ");
  const python = join(venv, "bin", "python");
  if (!existsSync(python)) throw new CannotBuild(why, remedy);
  log(`installing ${wanted} into ${venv}`);
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...names];
  try {
    await run(python, pip, { log, env }, `${wanted} could not be installed`);
  } catch (error) {
    throw new CannotBuild(`${why}, and ${error instanceof Error ? error.message : error}`, remedy);
  }
}

/**
 * The program's path; the project's Python environment may have it too.
 *
 * @param {string} name
 * @param {Pick<BuildPlaces, "env" | "venv">} settings
 */
export function programFor(name, { env, venv }) {
  return findProgram(name, { env, besides: [join(venv, "bin")] });
}
