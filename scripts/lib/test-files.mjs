// @ts-check
// Which tests there are, and which of them a person asked for.

import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { outputOf, sourcesOf, workspaces } from "./build.mjs";
import { root } from "./checkout.mjs";

/** Folders of plain JavaScript, which nothing compiles. */
const scriptFolders = ["scripts", "benchmarks"];

/** What can be tested: the workspaces, the set-up itself and the benchmarks. What crosses packages comes last. */
export const packages = /** @type {readonly string[]} */ ([
  ...workspaces.filter((name) => name !== "tests"),
  ...scriptFolders,
  "tests",
]);

/** The test files that take half a minute and more, the longest first. */
export const longest = [
  "tests/src/browser/tutorials.test.ts",
  "tests/src/setup/fresh-clone.test.ts",
  "tests/src/docs/book.test.ts",
  "tests/src/browser/kernel.test.ts",
  "tests/src/fuzz/cells.test.ts",
  "tests/src/notebook/tslab.test.ts",
  "tests/src/setup/start.test.ts",
  "scripts/build-native.test.mjs",
];

/**
 * @typedef {object} TestFile
 * @property {string} package
 * @property {string} source relative to the root of the checkout
 * @property {string} file the absolute path of what Node.js runs
 */

/**
 * Every test file. The sources are what is listed, so that the compiled test of a source that was deleted never runs.
 *
 * @returns {TestFile[]}
 */
export function testFiles() {
  return packages.flatMap((name) => {
    const sources = scriptFolders.includes(name)
      ? scriptTests(name)
      : sourcesOf(name).filter((source) => /\.test\.ts$/.test(source));
    return sources.map((source) => ({ package: name, source, file: outputOf(source) }));
  });
}

/** @param {string} name */
function scriptTests(name) {
  const folder = join(root, name);
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.mjs"))
    .map((file) => join(name, file))
    .sort();
}

/**
 * @typedef {object} Selection
 * @property {TestFile[]} files
 * @property {string | undefined} namePattern tests whose name matches are run
 * @property {boolean} everything whether nothing was left out
 */

/**
 * The tests that some words ask for: names of packages choose packages, other words choose files by their path, and
 * words that are in no path are looked for in the names of tests.
 *
 * @param {readonly string[]} words
 * @param {readonly TestFile[]} [all]
 * @returns {Selection}
 */
export function select(words, all = testFiles()) {
  const chosen = words.filter((word) => packages.includes(word));
  const patterns = words.filter((word) => !packages.includes(word));
  const inPackages = all.filter((file) => chosen.length === 0 || chosen.includes(file.package));
  const byPath = inPackages.filter((file) => patterns.every((pattern) => file.source.includes(pattern)));
  const nameOnly = patterns.length > 0 && byPath.length === 0;
  return {
    files: nameOnly ? inPackages : byPath,
    namePattern: nameOnly ? patterns.map(escapeRegExp).join(".*") : undefined,
    everything: words.length === 0,
  };
}

/** @param {string} text */
function escapeRegExp(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/**
 * The files in the order in which they best begin, where some run at once: what takes longest first, so that nothing waits for
 * one at the end.
 *
 * @param {readonly TestFile[]} files
 * @returns {TestFile[]}
 */
export function longestFirst(files) {
  const rank = ({ source = "" }) => (longest.includes(source) ? longest.indexOf(source) : longest.length);
  return files.toSorted((one, other) => rank(one) - rank(other));
}

/**
 * Whether a test of kernels-cuda is about the CUDA code, and runs on its addon; all others run on the native one.
 *
 * @param {TestFile} file
 */
export function isOfCuda({ source }) {
  return /\/src\/(cuda\/|conformance\/cuda)/.test(source);
}

/**
 * The test files that the build did not yield, which would otherwise pass unseen.
 *
 * @param {readonly TestFile[]} files
 * @returns {string[]} their names
 */
export function missing(files) {
  return files.filter(({ file }) => !existsSync(file)).map(({ source }) => basename(source));
}
