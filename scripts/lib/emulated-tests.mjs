// @ts-check
// The tests of kernels-cuda on a CPU that this machine has not: each file in a Node.js under an emulator, while node:test
// itself runs here.

import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./checkout.mjs";
import { Failure } from "./failure.mjs";
import { isOfCuda, testFiles } from "./test-files.mjs";
import { patience, runTests } from "./test-runners.mjs";

/**
 * @typedef {object} EmulatedNode
 * @property {string} name of the CPU, as a person is told
 * @property {string} path of a program that takes Node.js's arguments
 * @property {NodeJS.ProcessEnv} env what the addons are found by, and whatever else it needs
 */

/**
 * Writes a program that runs Node.js under an emulator.
 *
 * @param {string} path where
 * @param {readonly string[]} command the emulator and Node.js
 */
export function writeEmulatedNode(path, command) {
  mkdirSync(dirname(path), { recursive: true });
  const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
  writeFileSync(path, `#!/bin/sh\nexec ${quoted.join(" ")} "$@"\n`, { mode: 0o755 });
}

/**
 * The environment in which it starts itself wherever it would start Node.js.
 *
 * @param {EmulatedNode} node
 * @returns {NodeJS.ProcessEnv}
 */
export function environmentOf(node) {
  // Quotes, for a checkout may lie in a folder with a space in its name.
  const hook = JSON.stringify(join(root, "scripts", "lib", "emulated-node.cjs"));
  return {
    ...process.env,
    ...node.env,
    METASTATE_EMULATED_NODE: node.path,
    NODE_OPTIONS: `${process.env["NODE_OPTIONS"] ?? ""} --require ${hook}`.trim(),
  };
}

/**
 * What the native addon says of itself in that Node.js: proof that what is tested is what was asked for.
 *
 * @param {EmulatedNode} node
 * @returns {{node: string, arch: string, loaded: boolean, simd: string, simdAvailable: string[], bfloat16: string,
 *   blas: string, reason?: string}}
 */
export function addonUnder(node) {
  const load = pathToFileURL(join(root, "kernels-cuda", "dist", "addon", "load.js")).href;
  const script = `import(${JSON.stringify(load)}).then(({ addonStatus }) => {
    console.log(JSON.stringify({ node: process.version, arch: process.arch, ...addonStatus() }));
  })`;
  const { status, stdout, stderr, error } = spawnSync(node.path, ["-e", script], {
    encoding: "utf8",
    env: environmentOf(node),
  });
  if (status === 0) return JSON.parse(stdout);
  throw new Failure(`Node.js does not run on ${node.name}`, "see the emulator's message", {
    output: error ? error.message : stderr,
  });
}

/**
 * Runs the tests of kernels-cuda under it.
 *
 * @param {EmulatedNode} node
 * @param {{words: readonly string[], cuda: boolean}} options words: parts of paths, all of which a file has; cuda: those of
 *   the CUDA code under its emulator too, whose addon `env` must name
 * @returns {Promise<import("./test-runners.mjs").Result>}
 */
export function runEmulatedTests(node, { words, cuda }) {
  const files = testFiles()
    .filter((file) => file.package === "kernels-cuda")
    .filter((file) => cuda || !isOfCuda(file))
    // TensorFlow is of this machine.
    .filter(({ source }) => !/tensorflow/.test(source))
    .filter(({ source }) => words.every((word) => source.includes(word)));
  // One after the other: an emulator is slow, and two at once make tests of threads wait for each other.
  // That the native addon is there has been seen; without the CUDA code its tests are to be skipped, in CI too.
  const env = {
    ...environmentOf(node),
    METASTATE_TEST_SLOW: "1",
    ...(cuda ? { METASTATE_REQUIRE_NATIVE: "1" } : { CI: "" }),
  };
  return runTests(node.name, files, env, { minutes: patience.slow });
}
