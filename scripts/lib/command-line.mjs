// @ts-check
// The command line of a script for developers. Its help is the text that the file begins with.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

/** @typedef {Record<string, {type: "string" | "boolean", default?: string | boolean}>} Options */

/**
 * @template {Options} Known
 * @typedef {{[Name in keyof Known]: (Known[Name]["type"] extends "boolean" ? boolean : string)
 *   | (Known[Name] extends {default: unknown} ? never : undefined)}} Values
 */

/**
 * Reads the arguments of this process. `--help` prints the help and ends it; so does, with status 2, what is not known, and a count
 * that is none.
 *
 * @template {Options} Known
 * @param {string} file the script's
 * @param {Known} options as `parseArgs` takes them
 * @param {{words?: boolean, counts?: readonly (keyof Known & string)[]}} [also] words: whether arguments without a name mean something
 * @returns {{values: Values<Known>, positionals: string[]}}
 */
export function commandLine(file, options, { words = false, counts = [] } = {}) {
  const help = helpOf(readFileSync(file, "utf8"));
  try {
    /** @type {Options} */
    const all = { ...options, help: { type: "boolean" } };
    const { values, positionals } = parseArgs({ options: all, allowPositionals: words });
    if (values["help"]) {
      console.log(help);
      process.exit(0);
    }
    for (const name of counts) expectCount(name, values[name]);
    return { values: /** @type {Values<Known>} */ (values), positionals };
  } catch (error) {
    const [message] = String(error instanceof Error ? error.message : error).split(". ");
    console.error(`${message}\n\n${help}`);
    process.exit(2);
  }
}

/**
 * The text of the comment that a file begins with.
 *
 * @param {string} source
 */
function helpOf(source) {
  const lines = source.split("\n").filter((line) => !line.startsWith("#!") && line !== "// @ts-check");
  const end = lines.findIndex((line) => !line.startsWith("//"));
  return lines
    .slice(0, end < 0 ? lines.length : end)
    .map((line) => line.replace(/^\/\/ ?/, ""))
    .join("\n");
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function expectCount(name, value) {
  if (!/^[1-9]\d*$/.test(String(value))) throw new Error(`--${name} takes a whole number of 1 or more, not "${value}"`);
}
