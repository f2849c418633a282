/** Whether a training may go on from a checkpoint: it must be of the same model, and of the options that decide what it computes. */
import type { Tensor } from "@tensorflow/tfjs-core";

import { ConfigurationError } from "../errors.js";
import { parseObject } from "../io/safetensors/header.js";
import { savedVariant, warnIfRedefined } from "../io/saved-variant.js";
import type { LanguageModel } from "../model/language-model.js";
import type { SavedTraining } from "./checkpoint-file.js";
import type { AdamW } from "./adamw.js";
import type { EarlyStopOptions } from "./early-stop.js";
import type { ExponentialMovingAverage } from "./ema.js";
import type { Schedule } from "./schedules.js";
import type { TrainableParts } from "./trainable.js";
import { learningRateDefault, type TrainOptions } from "./training-options.js";

/** The options that decide what a training computes: a checkpoint is only gone on from with the same. */
export interface ComparedOptions {
  readonly steps: number;
  readonly learningRate: number;
  /** the factors at 17 steps spread over the training */
  readonly schedule: readonly number[];
  readonly weightDecay: number;
  readonly betas: readonly number[];
  readonly epsilon: number;
  readonly clip: number;
  /** names, or all; by name where only a part of some is trained */
  readonly trainable: readonly string[] | "all" | TrainableParts;
  readonly accumulate: number;
  readonly carryState: boolean;
  /** the decay */
  readonly ema: number | null;
  /** the wait for a better evaluation, where the training may stop early */
  readonly earlyStop: Required<EarlyStopOptions> | null;
}

/** A schedule as a checkpoint remembers it. */
function scheduleSamples(schedule: Schedule, steps: number): number[] {
  return Array.from({ length: 17 }, (_, i) => schedule(1 + Math.round(((steps - 1) * i) / 16), steps));
}

/** The options that count, of a training as it is. */
export function comparedOptions(
  options: TrainOptions,
  {
    model,
    schedule,
    optimizer,
    ema,
  }: { model: LanguageModel; schedule: Schedule; optimizer: AdamW; ema: ExponentialMovingAverage | undefined },
): ComparedOptions {
  const { betas, epsilon, clip } = optimizer.options;
  const { patience = 5, minDelta = 0, restoreBest = false } = options.earlyStop ?? {};
  return {
    steps: options.steps,
    learningRate: options.learningRate ?? learningRateDefault,
    schedule: scheduleSamples(schedule, options.steps),
    weightDecay: Math.max(0, ...optimizer.groups.map(({ weightDecay }) => weightDecay)),
    betas,
    epsilon,
    clip,
    trainable: trainedBy(optimizer, model),
    accumulate: options.accumulate ?? 1,
    carryState: options.carryState ?? false,
    ema: ema?.decay ?? null,
    earlyStop: options.earlyStop ? { patience, minDelta, restoreBest } : null,
  };
}

function trainedBy({ groups, frozen }: AdamW, model: LanguageModel): ComparedOptions["trainable"] {
  const { parameters } = model;
  const trained = new Set(groups.flatMap((group) => group.parameters.map((name) => parameters.get(name))));
  const names = [...parameters].flatMap(([name, variable]) => (trained.has(variable) ? [name] : []));
  if (frozen.size > 0) {
    return Object.fromEntries(
      names.map((name) => [name, frozen.has(name) ? { frozen: frozen.get(name)! } : ("all" as const)]),
    );
  }
  return names.length === parameters.size ? "all" : names;
}

/**
 * Throws unless the optimiser and the average that a training is given are of its model. Others, of the same names, would change
 * in its place.
 *
 * @throws ConfigurationError that says how to make one
 */
export function expectOwn(model: LanguageModel, { optimizer, ema }: Pick<TrainOptions, "optimizer" | "ema">): void {
  const given = { optimizer, ema: typeof ema === "number" ? undefined : ema };
  const remedies = {
    optimizer:
      "ms.adamW(model) makes one of this model, ms.growOptimizer(optimizer, before, after) one of a model that grew",
    ema: "ms.ema(model) makes one of this model",
  };
  for (const name of ["optimizer", "ema"] as const) {
    const wrong = given[name]?.isDisposed
      ? "was disposed of"
      : given[name]?.isOf(model.parameters) === false
        ? "is of another model"
        : undefined;
    if (wrong) throw new ConfigurationError(`train: ${name} ${wrong}: ${remedies[name]}`);
  }
}

/**
 * Throws unless the model is of the checkpoint's kind: same configuration, same parameters.
 *
 * @throws ConfigurationError that says what differs
 */
export function expectSameModel({ path, model: described, parameters }: SavedTraining, model: LanguageModel): void {
  const said = parseObject(path, described);
  const saved = (said.configuration ?? {}) as Record<string, unknown>;
  const given = JSON.parse(JSON.stringify(model.configuration)) as Record<string, unknown>;
  const differing = differences(saved, given);
  // Of another configuration the parameters differ as it says.
  if (differing.length === 0) differing.push(...differingParameters(parameters, model));
  if (differing.length === 0) return warnIfRedefined(path, savedVariant(said), model.configuration);
  throw new ConfigurationError(
    `train: ${path} is a checkpoint of another model: ${shortList(differing)}. ` +
      `ms.loadModel(${JSON.stringify(path)}) gives its model, ms.growCheckpoint one that has grown`,
  );
}

function differingParameters(saved: ReadonlyMap<string, Tensor>, { parameters }: LanguageModel): string[] {
  const shape = (tensor: Tensor | undefined): string => (tensor ? `[${tensor.shape.join(", ")}]` : "missing");
  return [...new Set([...saved.keys(), ...parameters.keys()])]
    .map((name) => [name, shape(parameters.get(name)), shape(saved.get(name))] as const)
    .filter(([, now, there]) => now !== there)
    .map(([name, now, there]) => (there === "missing" ? `${name} is not there` : `${name} is ${now}, there ${there}`));
}

/**
 * Throws unless the options are the checkpoint's, but for those that the caller allows to differ.
 *
 * @throws ConfigurationError that says what differs, and how to allow it
 */
export function expectSameOptions(
  { path, record }: SavedTraining,
  given: ComparedOptions,
  allow: readonly (keyof ComparedOptions)[] = [],
): void {
  // Numbers as JSON keeps them.
  const now = JSON.parse(JSON.stringify(given)) as Record<string, unknown>;
  const saved: Record<string, unknown> = { ...record.options };
  for (const name of Object.keys(saved)) {
    if ((allow as readonly string[]).includes(name)) {
      delete saved[name];
      delete now[name];
    }
  }
  const differing = differences(saved, now);
  if (differing.length === 0) return;
  const names = Object.keys({ ...saved, ...now }).filter(
    (name) => JSON.stringify(saved[name]) !== JSON.stringify(now[name]),
  );
  throw new ConfigurationError(
    `train: ${path} was made with other options: ${shortList(differing)}. Give the same ones, or say which may differ: ` +
      `resume: {from: …, allow: ${JSON.stringify([...allow, ...names])}}`,
  );
}

function differences(saved: Record<string, unknown>, given: Record<string, unknown>): string[] {
  const names = new Set([...Object.keys(saved), ...Object.keys(given)]);
  return [...names]
    .filter((name) => JSON.stringify(saved[name]) !== JSON.stringify(given[name]))
    .map((name) =>
      name === "schedule" ? "the schedule is another" : `${name} is ${text(given[name])}, there ${text(saved[name])}`,
    );
}

function text(value: unknown): string {
  const written = JSON.stringify(value) ?? "left out";
  return written.length > 60 ? `${written.slice(0, 59)}…` : written;
}

function shortList(items: readonly string[]): string {
  const shown = items.slice(0, 6).join("; ");
  return items.length > 6 ? `${shown}; and ${items.length - 6} more` : shown;
}
