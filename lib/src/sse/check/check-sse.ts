/** All checks of an SSE variant in one call. */
import { setImmediate } from "node:timers/promises";

import * as tf from "@tensorflow/tfjs-core";

import { expectOptions } from "../../arguments.js";
import { completeConfiguration, modelOptionNames, type ModelOptions } from "../../model/configuration.js";
import {
  checkBatch,
  checkCausality,
  checkFinite,
  checkGrowth,
  checkMemory,
  checkNeutral,
  checkRecurrence,
  checkRepeatable,
  checkShapes,
  messageOf,
} from "./behaviour.js";
import { checkGradient, checkReach } from "./gradient.js";
import { SseReport, type SseCheck } from "./report.js";
import type { CheckSubject } from "./subject.js";

/** What a variant is checked with; the models are small, and any option of theirs can be set. */
export interface CheckSseOptions extends Partial<Omit<ModelOptions, "sse">> {
  /** of parameters, tokens and directions; default 1 */
  seed?: number;
}

const small = {
  ...{ vocabSize: 11, width: 16, layers: 2, headSize: 8, parameterTokens: 24 },
  lowRank: { decay: 2, rate: 2, value: 2, gate: 2 },
};

type Answer = Omit<SseCheck, "name">;

const checks: readonly (readonly [name: string, check: (subject: CheckSubject) => Answer])[] = [
  ["numbers are finite", checkFinite],
  ["repeatable", checkRepeatable],
  ["causality", checkCausality],
  ["parallel = recurrent", checkRecurrence],
  ["batch = single", checkBatch],
  ["gradient", checkGradient],
  ["gradients reach every parameter", checkReach],
  ["memory", checkMemory],
  ["RWKV-7 at zero", checkNeutral],
  ["growth", checkGrowth],
];

/**
 * Checks a variant in small models: shapes, finite numbers, that calls repeat, causality, that a text at once equals token
 * by token, that a row of a batch equals the row alone, the gradient against differences, that it reaches every parameter,
 * memory, whether the layer is RWKV-7's when all parameters are zero, and whether growth keeps outputs.
 *
 * Takes about a second on the CPU, on the engine in use. Does not throw for what the variant does: the report says it.
 *
 * @param name of a variant of the library, or of one made with {@link defineSse}
 * @param options of the models it is checked in, e.g. `{ rho: 0.5, mul: true }`
 * @returns a report that shows itself; `.passed`, and `.assert()` for scripts
 * @throws ConfigurationError when there is no variant of the name, or an option does not do
 */
export async function checkSse(name: string, options: CheckSseOptions = {}): Promise<SseReport> {
  const { sse: _, ...known } = modelOptionNames;
  expectOptions("checkSse", options, { ...known, seed: true });
  const { seed = 1, ...sizes } = options;
  const subject: CheckSubject = { configuration: completeConfiguration({ ...small, ...sizes, sse: name }), seed };
  await tf.ready();
  const shapes = checkShapes(subject);
  const results: SseCheck[] = [{ name: "shapes", ...shapes }];
  let why = shapes.result === "failed" ? "a model with the variant must run first" : undefined;
  for (const [title, check] of checks) {
    await setImmediate();
    const skipped = why !== undefined && (shapes.result === "failed" || comparing.has(check));
    const found = skipped ? { ...notAsked, meaning: why! } : answer(check, subject);
    results.push({ name: title, ...found });
    if (check === checkRepeatable && found.result === "failed")
      why = "calls must repeat first, or nothing can be compared";
  }
  return new SseReport(name, results);
}

/** Checks that compare one call with another, and say nothing where the same call differs. */
const comparing: ReadonlySet<unknown> = new Set([
  checkCausality,
  checkRecurrence,
  checkBatch,
  checkGradient,
  checkNeutral,
]);

const notAsked = { result: "skipped", measured: "not asked" } as const;

function answer(check: (subject: CheckSubject) => Answer, subject: CheckSubject): Answer {
  try {
    return check(subject);
  } catch (error) {
    return { result: "failed", measured: messageOf(error), meaning: "apply threw an error here: see its message" };
  }
}
