// @ts-check
// Runs test files as `node --test` does, with its own output and a count of them, but in the order in which they are named, which
// `node --test` sorts. Its one argument is JSON: see TestRun.

import { createWriteStream } from "node:fs";
import { run } from "node:test";
import countReporter from "./count-reporter.mjs";
import specReporter from "./spec-reporter.mjs";

/**
 * @typedef {object} TestRun
 * @property {string[]} files in the order in which they begin
 * @property {number} concurrency how many run at once
 * @property {number} timeout how long one may take, in milliseconds
 * @property {string} [namePattern] tests whose name matches are run
 * @property {string} countFile where the count goes
 */

const { files, concurrency, timeout, namePattern, countFile } = /** @type {TestRun} */ (
  JSON.parse(process.argv[2] ?? "")
);
const events = run({ files, concurrency, timeout, ...(namePattern && { testNamePatterns: namePattern }) });
events.on("test:fail", ({ todo }) => {
  if (todo === undefined || todo === false) process.exitCode = 1;
});
events.compose(specReporter).pipe(process.stdout);
events.compose(countReporter).pipe(createWriteStream(countFile));
