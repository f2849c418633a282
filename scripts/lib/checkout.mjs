// @ts-check
// Where things are in this checkout. Every path the set-up touches is named here.

import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the checkout, whatever folder the command was started from. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** The Python environment that set-up makes when no suitable one is active. */
export const venv = join(root, ".venv");

/** Notes the set-up keeps between runs, and the whole output of the tools it ran; ignored by git. */
export const notes = join(root, ".metastate");

/** The whole output of each step's tools, one file a step. */
export const logs = join(notes, "logs");

/** The pinned Python packages. */
export const requirements = join(root, "scripts", "requirements.txt");

/** The package whose addons are built. */
export const kernelsCuda = join(root, "kernels-cuda");

/** The folder JupyterLab opens at. */
export const notebooks = join(root, "notebooks");

/** What JupyterLab is configured with when `npm start` starts it: Markdown opens as a reader wants it. */
export const jupyterConfig = join(root, "scripts", "jupyter");

/**
 * A path a person typed, made absolute. npm moves to the root of the package before it runs a script and leaves the
 * folder the person was in as INIT_CWD.
 *
 * @param {string} path
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string}
 */
export function fromUser(path, env = process.env) {
  const start = env.npm_lifecycle_event && env.INIT_CWD ? env.INIT_CWD : process.cwd();
  return resolve(start, path);
}
