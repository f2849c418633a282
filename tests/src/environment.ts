/**
 * Where the tests find what set-up made: the checkout, its Python environment, and the kernel as Jupyter knows it there.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the checkout. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** What a failing test leaves to look at; CI keeps it. */
export const results = join(root, "test-results");

/** The notebook that "First light" is about. */
export const firstLight = join(root, "notebooks", "01-first-light.ipynb");

/** The name of our kernelspec. */
export const kernelName = "metastate";

/** The interpreter of the environment that `npm test` set up; of `.venv` when a test is started without it. */
export const python = process.env["METASTATE_PYTHON"] ?? join(root, ".venv", "bin", "python");

/** A kernelspec, as far as starting it goes. */
export interface Kernelspec {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * The kernelspec that is registered in the Python environment.
 * @throws AssertionError when there is none: `npm test` registers it.
 */
export function kernelspec(name = kernelName): Kernelspec {
  const file = join(dirname(python), "..", "share", "jupyter", "kernels", name, "kernel.json");
  assert.ok(existsSync(file), `${file} does not exist: run npm test, which registers the kernel`);
  return JSON.parse(readFileSync(file, "utf8")) as Kernelspec;
}

/** The kernel alone, as it is without this project: no library is preloaded, and nothing needs to be registered. */
export function bareKernel(...preloads: readonly string[]): Kernelspec {
  const command = join(root, "kernel", "bin", "metastate-kernel.mjs");
  const flags = preloads.flatMap((path) => ["--preload", path]);
  return { argv: [process.execPath, command, "run", "{connection_file}", ...flags] };
}

/** The surroundings of a program that shall not know that it was started by a test, nor find another kernel. */
export function surroundings(extra: Readonly<Record<string, string | undefined>> = {}): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, JUPYTER_PREFER_ENV_PATH: "1", ...extra };
  // node:test tells child processes through this variable that they are test files of its own.
  delete env["NODE_TEST_CONTEXT"];
  return env;
}
