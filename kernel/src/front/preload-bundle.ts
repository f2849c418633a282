/**
 * A preload module may stand for hundreds of others, each of which takes Node half a millisecond to load. A file
 * `<module>.bundle.json` beside it tells of a bundle, which sessions import in its place. Types are those of the module itself.
 */
import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { modified } from "../program.js";

/** What is in the file; paths are relative to it. */
interface Note {
  readonly module: string;
  /** Under which condition packages, too, lead to their bundles: in what cells and other packages import they are then the same. */
  readonly condition: string;
  /** Files that are written whenever what was bundled changes: where one of them is newer than the note, the module itself is imported. */
  readonly newerThan: readonly string[];
}

/** What a session imports, and the condition under which. */
export interface Preload {
  readonly path: string;
  readonly condition?: string;
}

/** The bundle of a preload module, or the module where it has none that is as new. */
export function bundleOf(path: string): Preload {
  const file = path.replace(/\.m?js$/, ".bundle.json");
  try {
    const { module, condition, newerThan } = JSON.parse(readFileSync(file, "utf8")) as Note;
    const made = statSync(file).mtimeMs;
    const inFolder = (relative: string): string => resolve(dirname(file), relative);
    const isFresh = newerThan.every((each) => (modified(inFolder(each)) ?? 0) <= made);
    const bundle = inFolder(module);
    return isFresh && statSync(bundle).isFile() ? { path: bundle, condition } : { path };
  } catch {
    // There is no note, as a rule.
    return { path };
  }
}
