// @ts-check
// The command line of `npm run notebooks`.

import { UsageError } from "./failure.mjs";
import { parse, wholeNumber } from "./options.mjs";

export const NOTEBOOKS_USAGE = `npm run notebooks                    runs every tutorial in full, and writes outputs and pictures into it
npm run notebooks -- --only 05,06    ... only those whose name begins so
npm run notebooks -- --check         ... but leaves the files as they are (METASTATE_QUICK=1 makes the trainings short)
npm run notebooks -- --engine E      ... as --check, on this engine: cuda, wasm, cpu, cuda-emulated (slow: with METASTATE_QUICK=1)
npm run notebooks -- --jobs N        ... N at a time (otherwise one for each two cores)
npm run notebooks -- --limit S       ... each in at most S seconds (otherwise 180)
npm run notebooks -- --pictures      runs nothing: makes the pictures of the figures that the files have
npm run notebooks -- --gallery       runs nothing: makes the pictures of docs/gallery.md out of the figures that the files have
npm run notebooks -- --html FOLDER   runs nothing: writes a page for each, with live plots, that needs no network
npm run notebooks -- --help          prints this`;

/** What a notebook may take, in seconds: a tutorial's promise to its reader. */
export const LIMIT = 180;

/**
 * @typedef {object} NotebooksOptions
 * @property {"help" | "run" | "check" | "pictures" | "gallery" | "html"} what
 * @property {readonly string[]} only beginnings of names; none for all
 * @property {number | undefined} jobs how many run at a time
 * @property {number} limit seconds that a notebook may take
 * @property {string | undefined} engine by name; otherwise the one that a session takes
 * @property {string} folder of the pages
 */

/**
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {NotebooksOptions}
 * @throws {UsageError}
 */
export function notebooksOptions(args, env = process.env) {
  const { values } = parse(args, NOTEBOOKS_USAGE, {
    help: { type: "boolean", short: "h" },
    only: { type: "string", multiple: true },
    check: { type: "boolean" },
    engine: { type: "string" },
    jobs: { type: "string" },
    limit: { type: "string" },
    pictures: { type: "boolean" },
    gallery: { type: "boolean" },
    html: { type: "string" },
  });
  const chosen = /** @type {const} */ (["help", "check", "pictures", "gallery", "html"]).filter((name) => values[name]);
  if (chosen.length > 1) throw new UsageError(`--${chosen.join(" and --")} do not go together\n\n${NOTEBOOKS_USAGE}`);
  // What is kept is of the engine that a session takes by itself.
  const what = chosen.at(0) ?? (values.engine === undefined ? "run" : "check");
  if (what !== "check" && values.engine !== undefined)
    throw new UsageError(`--${what} runs nothing that --engine could run`);
  if (what === "run" && env.METASTATE_QUICK === "1") {
    throw new UsageError(
      "METASTATE_QUICK=1 makes the trainings too short for outputs that are kept: unset it, or add --check",
    );
  }
  return {
    what,
    only: (values.only ?? []).flatMap((names) => names.split(",")).filter((name) => name !== ""),
    jobs: values.jobs === undefined ? undefined : wholeNumber("--jobs", values.jobs, 1),
    limit: values.limit === undefined ? LIMIT : wholeNumber("--limit", values.limit, 1),
    engine: values.engine,
    folder: values.html ?? "",
  };
}
