// @ts-check
// `npm test`, from its command line to its exit status.

import { availableParallelism } from "node:os";
import { exitStatusOf } from "./exit-status.mjs";
import { UsageError } from "./failure.mjs";
import { jupyterSurroundings } from "./kernelspec.mjs";
import { TEST_USAGE, testOptions } from "./options.mjs";
import { Progress } from "./progress.mjs";
import { setUp } from "./set-up.mjs";

/**
 * @param {readonly string[]} args
 * @returns {Promise<number>} the exit status: 2 for a command line that is not understood, 1 when anything failed
 */
export async function testCommand(args) {
  const progress = new Progress();
  return exitStatusOf(async () => {
    const options = testOptions(args);
    if (options.help) {
      progress.note(TEST_USAGE);
      return 0;
    }
    const environment = await setUp(progress, { forTests: true });
    return await runEverything(progress, environment, options);
  });
}

/**
 * @param {Progress} progress
 * @param {import("./python.mjs").PythonEnvironment} environment
 * @param {import("./options.mjs").TestOptions} options
 * @returns {Promise<number>}
 */
async function runEverything(progress, environment, { lint, words }) {
  const { longestFirst, packages, select } = await import("./test-files.mjs");
  const { runChecks, runTests, summary } = await import("./test-runners.mjs");
  const { files, namePattern, everything } = select(words);
  if (files.length === 0) {
    throw new UsageError(`no test file fits ${JSON.stringify(words.join(" "))}\n\n${TEST_USAGE}`);
  }

  const cores = availableParallelism();
  const env = { ...jupyterSurroundings(), METASTATE_PYTHON: environment.python };
  const results = [];
  if (lint && everything) {
    for await (const result of runChecks(env, (name) => progress.note(`\n== ${name}`))) results.push(result);
  }
  for (const name of packages) {
    const own = longestFirst(files.filter((file) => file.package === name));
    if (own.length === 0) continue;
    progress.note(`\n== ${name}`);
    // Tests that cross packages start browsers, and train on all cores.
    const atOnce = name === "tests" ? Math.min(cores, 4) : cores;
    results.push(await runTests(name, own, env, { namePattern, atOnce }));
  }
  const { lines, good } = summary(results);
  progress.note(`\n${lines.join("\n")}`);
  return good ? 0 : 1;
}
