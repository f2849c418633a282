// @ts-check
// The command lines of `npm start` and `npm test`, read strictly: what is not known is refused, with what is.

import { parseArgs } from "node:util";
import { UsageError } from "./failure.mjs";

export const START_USAGE = `npm start                       sets everything up and opens JupyterLab at notebooks/
npm start -- --no-browser       prints JupyterLab's address instead of opening a browser
npm start -- --port N           on port N (otherwise 8888, or the next one that is free)
npm start -- --run NOTEBOOK     runs a notebook without a browser and writes its outputs into it
             --output FILE      ... into FILE instead; the notebook stays as it is
             --timeout S        ... giving each cell at most S seconds (otherwise as long as it takes)
npm start -- --cuda             builds the CUDA engine on a machine without an NVIDIA driver too
npm start -- --help             prints this`;

export const TEST_USAGE = `npm test                        sets everything up, checks style, and runs every test
npm test -- lib kernel          the tests of these packages: kernel, lib, kernels-cuda, notebooks, tests, scripts
npm test -- lib wkv7            ... whose file has "wkv7" in its path; where no file has, whose name matches
npm test -- --no-lint           everything but the style checks
npm test -- --help              prints this`;

/**
 * @typedef {{kind: "help"}
 *   | {kind: "lab", cuda: boolean, browser: boolean, port: number | undefined}
 *   | {kind: "run", cuda: boolean, notebook: string, output: string | undefined, timeout: number | undefined}} StartOptions
 */

/**
 * @param {readonly string[]} args
 * @returns {StartOptions}
 * @throws {UsageError}
 */
export function startOptions(args) {
  const options = /** @type {const} */ ({
    help: { type: "boolean", short: "h" },
    cuda: { type: "boolean" },
    "no-browser": { type: "boolean" },
    port: { type: "string" },
    run: { type: "string" },
    output: { type: "string" },
    timeout: { type: "string" },
  });
  const { values, positionals } = parse(args, START_USAGE, options, { words: true });
  if (values.help) return { kind: "help" };
  if (positionals.length) {
    throw new UsageError(`what is ${positionals[0]}? To run a notebook: npm start -- --run ${positionals[0]}`);
  }
  const cuda = values.cuda === true;
  if (values.run === undefined) {
    for (const name of /** @type {const} */ (["output", "timeout"])) {
      if (values[name] !== undefined) throw new UsageError(`--${name} needs --run NOTEBOOK`);
    }
    const port = values.port === undefined ? undefined : wholeNumber("--port", values.port, 1, 65_535);
    return { kind: "lab", cuda, browser: values["no-browser"] !== true, port };
  }
  if (values.port !== undefined) throw new UsageError("--port is for JupyterLab, which --run does not start");
  return {
    kind: "run",
    cuda,
    notebook: values.run,
    output: values.output,
    timeout: values.timeout === undefined ? undefined : wholeNumber("--timeout", values.timeout, 1, 1e9),
  };
}

/**
 * @typedef {object} TestOptions
 * @property {boolean} help
 * @property {boolean} lint
 * @property {string[]} words packages and patterns, in any order
 */

/**
 * @param {readonly string[]} args
 * @returns {TestOptions}
 * @throws {UsageError}
 */
export function testOptions(args) {
  const options = /** @type {const} */ ({ help: { type: "boolean", short: "h" }, "no-lint": { type: "boolean" } });
  const { values, positionals } = parse(args, TEST_USAGE, options, { words: true });
  return { help: values.help === true, lint: values["no-lint"] !== true, words: positionals };
}

/**
 * @template {NonNullable<import("node:util").ParseArgsConfig["options"]>} Options
 * @param {readonly string[]} args
 * @param {string} usage is told with what is wrong
 * @param {Options} options as `parseArgs` takes them
 * @param {{words?: boolean}} [also] whether arguments without a name mean something
 * @throws {UsageError}
 */
export function parse(args, usage, options, { words = false } = {}) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: words });
  } catch (error) {
    const message = error instanceof Error ? error.message.split(". ")[0] : String(error);
    throw new UsageError(`${message}\n\n${usage}`);
  }
}

/**
 * @param {string} name
 * @param {string} text
 * @param {number} least
 * @param {number} [most]
 * @throws {UsageError}
 */
export function wholeNumber(name, text, least, most = Infinity) {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < least || number > most) {
    const range = `from ${least} ${most === Infinity ? "on" : `to ${most}`}`;
    throw new UsageError(`${name} takes a whole number ${range}, not ${JSON.stringify(text)}`);
  }
  return number;
}
