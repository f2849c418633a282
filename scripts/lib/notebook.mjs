// @ts-check
// A notebook, run from its first cell to its last without a browser.

import { spawn } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fromUser, root } from "./checkout.mjs";
import { Failure } from "./failure.mjs";
import { jupyterSurroundings, KERNEL_NAME } from "./kernelspec.mjs";

/** Within this time a second Ctrl-C is an echo of the first, in milliseconds; later it means that it is urgent. */
const ECHO = 1000;

/**
 * Runs a notebook and writes its outputs.
 *
 * @param {import("./progress.mjs").Progress} progress
 * @param {import("./python.mjs").PythonEnvironment} environment
 * @param {{notebook: string, output: string | undefined, timeout: number | undefined}} options timeout of a cell, in
 *   seconds
 * @returns {Promise<number>} the exit status: 1 when a cell failed
 */
export async function runNotebook(progress, environment, { notebook, output, timeout }) {
  const args = [join(root, "scripts", "run_notebook.py"), fromUser(notebook), "--kernel", KERNEL_NAME];
  if (output !== undefined) args.push("--output", fromUser(output));
  if (timeout !== undefined) args.push("--timeout", String(timeout));
  progress.note(`• running ${notebook}`);
  // In a process group of its own: Ctrl-C reaches us from the terminal and again from npm, and must reach it once. It
  // stops the cell, writes what there is and ends; then we do.
  const child = spawn(environment.python, args, {
    cwd: root,
    env: jupyterSurroundings(),
    stdio: ["ignore", "inherit", "inherit"],
    detached: true,
  });
  let interruptedAt = -Infinity;
  const interrupt = () => {
    if (performance.now() - interruptedAt < ECHO) return;
    interruptedAt = performance.now();
    child.kill("SIGINT");
  };
  const end = () => child.kill("SIGTERM");
  const ends = /** @type {const} */ (["SIGTERM", "SIGHUP"]);
  process.on("SIGINT", interrupt);
  for (const signal of ends) process.on(signal, end);
  try {
    return await new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => resolve(code ?? 1));
    });
  } finally {
    process.off("SIGINT", interrupt);
    for (const signal of ends) process.off(signal, end);
  }
}

/**
 * @param {{notebook: string, output: string | undefined}} options as typed
 * @throws {Failure} when there is no such notebook, or nowhere to write its outputs
 */
export function checkNotebook({ notebook, output }) {
  const path = fromUser(notebook);
  if (!existsSync(path)) {
    throw new Failure(`there is no notebook ${notebook} (looked for ${path})`, "see notebooks/ for those there are");
  }
  const folder = dirname(fromUser(output ?? notebook));
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    throw new Failure(`outputs cannot be written to ${folder}`, "name another file with --output FILE");
  }
}
