/** Runs that were finished before, so that a comparison that was stopped goes on where it was. */
import { readFile } from "node:fs/promises";

import { DataError } from "../errors.js";
import { writeAtomically } from "../io/atomic-write.js";
import type { ComparedRun } from "./comparison.js";

/** Where finished runs are kept. The key says all that a run depends on, as JSON. */
export interface RunCache {
  /** The finished run of this key, if there is one. */
  get(key: string): ComparedRun | undefined | Promise<ComparedRun | undefined>;
  /** Keeps a run that has finished. */
  set(key: string, run: ComparedRun): void | Promise<void>;
}

/**
 * Finished runs in a JSON file, which is written whole after each. One process at a time: another's runs would be lost.
 *
 * @throws DataError when there is a file of another kind at this path
 */
export async function fileCache(path: string): Promise<RunCache> {
  const runs = await readRuns(path);
  return {
    get: (key) => runs.get(key),
    async set(key, run) {
      runs.set(key, run);
      const text = JSON.stringify({ version: 1, runs: [...runs].map(([key, run]) => ({ key, run })) }, undefined, 1);
      await writeAtomically(path, (sink) => sink.write(new TextEncoder().encode(text + "\n")));
    },
  };
}

async function readRuns(path: string): Promise<Map<string, ComparedRun>> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Map();
    throw new DataError(path, null, "cannot be read; give another path for cache", { cause: error });
  }
  const content = parsed(text);
  if (content?.version !== 1 || !Array.isArray(content.runs)) {
    throw new DataError(path, null, "holds no runs of ms.compare; give another path for cache, or remove it");
  }
  return new Map((content.runs as { key: string; run: ComparedRun }[]).map(({ key, run }) => [key, run]));
}

function parsed(text: string): { version?: unknown; runs?: unknown } | null {
  try {
    return JSON.parse(text) as { version?: unknown; runs?: unknown } | null;
  } catch {
    return null;
  }
}
