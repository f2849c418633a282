/**
 * Damaged and hostile files: 100,000, made by a seed from good ones. Each is opened and read whole; it may turn out to be
 * good, or be refused with a ModelFileError, and nothing else: no other error, no hang, no large allocation.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import test from "node:test";
import { Worker } from "node:worker_threads";

import type { FuzzResult } from "./fuzz-worker.js";

/** Files in all; more by the environment, for a longer search. */
const files = Number(process.env.METASTATE_FUZZ_FILES ?? 100_000);
/** Of them, pickles in a zip that is made anew around them. */
const pickles = Math.round(files / 10);

test(`${files.toLocaleString("en")} damaged files are read or refused, and nothing else happens`, async () => {
  const worker = new Worker(new URL("./fuzz-worker.js", import.meta.url), {
    workerData: { files: files - pickles, pickles },
  });
  const [{ good, refusals }] = (await once(worker, "message")) as [FuzzResult];
  assert.ok(good > 0 && good < files / 2, `${good} of ${files} were good in spite of the damage`);
  // The damage reaches every part of the readers.
  assert.ok(refusals.size > 50, `${refusals.size} kinds of refusals`);
});
