// @ts-check
// From a command that may fail to the exit status of its process.

import { UsageError } from "./failure.mjs";
import { describe } from "./progress.mjs";

/**
 * Runs a command and says what went wrong with it.
 *
 * @param {() => Promise<number>} command
 * @returns {Promise<number>} its own exit status; 2 for a command line that is not understood, 1 for a step that failed
 */
export async function exitStatusOf(command) {
  try {
    return await command();
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(error.message);
      return 2;
    }
    console.error(describe(error));
    return 1;
  }
}
