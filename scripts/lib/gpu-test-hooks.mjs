// @ts-check
// Loaded before a file of tests: says which test is running, at once, so that it is known when the process crashes or hangs;
// and lets no test run that is listed as done.
//
//   METASTATE_TEST_LOG     a file that gets a line, JSON, for each test that begins
//   METASTATE_TESTS_DONE   a file with a list of names, JSON

import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { beforeEach } from "node:test";
import { doneBefore } from "./gpu-test-file.mjs";

const log = process.env["METASTATE_TEST_LOG"] ?? "";
const list = process.env["METASTATE_TESTS_DONE"] ?? "";
/** @type {Set<string>} */
const done = new Set(existsSync(list) ? JSON.parse(readFileSync(list, "utf8")) : []);

beforeEach((context) => {
  const { name } = /** @type {import("node:test").TestContext} */ (context);
  if (done.has(name)) throw new Error(doneBefore);
  appendFileSync(log, `${JSON.stringify(name)}\n`);
});
