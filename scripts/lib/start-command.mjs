// @ts-check
// `npm start`, from its command line to its exit status.

import { exitStatusOf } from "./exit-status.mjs";
import { openJupyterLab } from "./jupyterlab.mjs";
import { checkNotebook, runNotebook } from "./notebook.mjs";
import { START_USAGE, startOptions } from "./options.mjs";
import { Progress } from "./progress.mjs";
import { setUp } from "./set-up.mjs";

/**
 * @param {readonly string[]} args
 * @returns {Promise<number>} the exit status: 2 for a command line that is not understood, 1 for a step that failed
 */
export async function startCommand(args) {
  const progress = new Progress();
  return exitStatusOf(async () => {
    const options = startOptions(args);
    if (options.kind === "help") {
      progress.note(START_USAGE);
      return 0;
    }
    // Before minutes of set-up, not after.
    if (options.kind === "run") checkNotebook(options);
    const environment = await setUp(progress, options.cuda ? { cuda: true } : {});
    return options.kind === "run"
      ? await runNotebook(progress, environment, options)
      : await openJupyterLab(progress, environment, options);
  });
}
