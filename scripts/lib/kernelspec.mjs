// @ts-check
// The kernel, made known to Jupyter in one Python environment.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./checkout.mjs";
import { Log, run } from "./command.mjs";

/** The name of the kernelspec, as notebooks hold it. */
export const KERNEL_NAME = "metastate";

/**
 * Registers the kernel of this checkout in an environment.
 *
 * @param {import("./progress.mjs").Step} step
 * @param {import("./python.mjs").PythonEnvironment} environment
 * @returns {Promise<void>}
 */
export async function registerKernel(step, { prefix }) {
  const file = join(prefix, "share", "jupyter", "kernels", KERNEL_NAME, "kernel.json");
  const content = () => (existsSync(file) ? readFileSync(file, "utf8") : undefined);
  const before = content();
  const command = join(root, "kernel", "bin", "metastate-kernel.mjs");
  const log = new Log("kernelspec");
  await run(process.execPath, [command, "install", "--prefix", prefix], { tool: "metastate-kernel", step, log });
  if (before !== undefined && content() === before) step.upToDate();
}

/**
 * The surroundings in which Jupyter finds that kernel, even if a kernel of the same name is registered for the user.
 *
 * @returns {NodeJS.ProcessEnv}
 */
export function jupyterSurroundings() {
  return { ...process.env, JUPYTER_PREFER_ENV_PATH: "1", PYTHONUNBUFFERED: "1" };
}
