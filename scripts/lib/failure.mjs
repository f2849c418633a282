// @ts-check
// A step that failed: what a person needs to know, and nothing thrown at them besides.

/** A failure with a cause and a remedy that a person can act on. */
export class Failure extends Error {
  /**
   * @param {string} reason what went wrong, in a phrase without a full stop
   * @param {string} remedy what to do about it
   * @param {{log?: string, output?: string}} [details] the file that holds the tool's whole output, and that output
   */
  constructor(reason, remedy, { log, output } = {}) {
    super(reason);
    this.name = "Failure";
    this.reason = reason;
    this.remedy = remedy;
    this.log = log;
    this.output = output;
  }
}

/** A command line that cannot be understood; it names what would be. */
export class UsageError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "UsageError";
  }
}
