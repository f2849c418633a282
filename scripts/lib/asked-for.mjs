// @ts-check

/**
 * Whether an event of node:test is about a test that was asked for. Where tests are chosen by name, Node.js 20 reports
 * the others as skipped; later versions do not mention them.
 *
 * @param {{type: string, data: any}} event
 * @returns {boolean}
 */
export function wasAskedFor({ data }) {
  return data?.skip !== "test name does not match pattern";
}
