// @ts-check
// A reporter for node:test that writes one line of JSON: how many tests passed, failed and were skipped, as the
// runner's own closing lines have it, but that a file without a single test, which they count as passed, is named.

import { wasAskedFor } from "./asked-for.mjs";

/**
 * @typedef {object} Count
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {string[]} empty files in which there was no test
 */

/**
 * @param {AsyncIterable<{type: string, data: any}>} events as node:test sends them
 * @returns {AsyncGenerator<string>}
 */
async function* countReporter(events) {
  /** @type {Record<string, number>} */
  const closing = {};
  /** @type {string[]} */
  const empty = [];
  let notAskedFor = 0;
  for await (const event of events) {
    const { type, data } = event;
    if (type === "test:pass" && !wasAskedFor(event)) notAskedFor++;
    if (type === "test:pass" && data.nesting === 0 && /^\/.*\.test\.m?js$/.test(data.name)) empty.push(data.name);
    if (type === "test:diagnostic" && data.nesting === 0 && data.file === undefined) {
      const match = /^(pass|fail|cancelled|skipped|todo) (\d+)$/.exec(data.message);
      if (match) closing[match[1]] = Number(match[2]);
    }
  }
  const { pass = 0, fail = 0, cancelled = 0, skipped = 0, todo = 0 } = closing;
  /** @type {Count} */
  const count = { passed: pass - empty.length, failed: fail + cancelled, skipped: skipped + todo - notAskedFor, empty };
  yield `${JSON.stringify(count)}\n`;
}

// A default export is how node:test finds a reporter.
export default countReporter;
