// @ts-check
// node:test's spec reporter, without a line for every test that was not asked for: Node.js 20 reports those as skipped.

import { Readable } from "node:stream";
import { spec as Spec } from "node:test/reporters";
import { wasAskedFor } from "./asked-for.mjs";

/**
 * @typedef {{type: string, data: any}} Event
 */

/**
 * The events that are about tests that were asked for. A test's start comes before it is known whether it is one, so
 * starts wait for what comes next.
 *
 * @param {AsyncIterable<Event>} events as node:test sends them
 * @returns {AsyncGenerator<Event>}
 */
async function* askedFor(events) {
  /** @type {Event[]} */
  let starts = [];
  for await (const event of events) {
    if (event.type === "test:start") {
      starts.push(event);
    } else if (wasAskedFor(event)) {
      yield* starts;
      starts = [];
      yield event;
    } else {
      starts = starts.filter(({ data }) => data.name !== event.data.name || data.nesting !== event.data.nesting);
    }
  }
  yield* starts;
}

/**
 * @param {AsyncIterable<Event>} events as node:test sends them
 * @returns {AsyncGenerator<string>}
 */
async function* specReporter(events) {
  yield* Readable.from(askedFor(events)).compose(new Spec());
}

// A default export is how node:test finds a reporter.
export default specReporter;
