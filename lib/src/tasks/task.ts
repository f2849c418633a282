/** What every procedural task offers: sequences by a seed, with answers that are exactly right. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { expectOptions } from "../arguments.js";
import {
  batchOf,
  batchSizeNames,
  checkIntegers,
  type Batch,
  type BatchSizeOptions,
  type SequenceRow,
} from "../data/batch.js";
import { ShapeError, TokenError } from "../errors.js";
import type { TokenMatrix } from "../model/tokens.js";
import { Random } from "../random.js";
import { countedPositions } from "../training/loss.js";

/** A sequence of a task: what goes in, what should come out, and where that is asked for. */
export interface TaskExample extends SequenceRow {
  readonly inputs: Int32Array;
  /** the answer where the mask is 1; elsewhere the next input, where there is one, or 0 */
  readonly targets: Int32Array;
  /** 1 where the answer follows from the inputs so far */
  readonly mask: Uint8Array;
}

/** A task. Its batches are for `ms.train` and `ms.evaluate`, whose accuracy is then that of the answers. */
export interface Task {
  readonly name: string;
  /** V: what the model's vocabSize must be at least */
  readonly vocabSize: number;
  /** T: tokens a sequence */
  readonly length: number;
  /** the accuracy of guessing */
  readonly chance: number;
  /** One sequence. */
  example(random: Random): TaskExample;
  /** An endless iterator of batches; the same seed gives the same. Use another seed to measure than to train. */
  batches(options: BatchSizeOptions): IterableIterator<Batch & { readonly mask: NonNullable<Batch["mask"]> }, never>;
  /** Tokens as words that can be read, separated by spaces. */
  decode(tokens: ArrayLike<number>): string;
  /**
   * The portion of a batch's answers that are right.
   *
   * @param predictions the token said at each position, `[B, T]`; or logits `[B, T, V]`, whose largest count
   */
  accuracy(predictions: ArrayLike<number> | TokenMatrix | Tensor, batch: Batch): number;
  /**
   * The same at each position of the sequences, T numbers: where in a sequence a model goes wrong. NaN where no answer counts.
   *
   * @param predictions as in {@link Task.accuracy}
   */
  accuracyByPosition(predictions: ArrayLike<number> | TokenMatrix | Tensor, batch: Batch): number[];
}

/** What a task must say of itself; the rest is the same for all. */
export interface TaskDefinition {
  /** for messages */
  readonly name: string;
  /** V: tokens are 0 … V − 1 */
  readonly vocabSize: number;
  /** T: tokens a sequence */
  readonly length: number;
  /** the accuracy of guessing, 0 to 1 */
  readonly chance: number;
  /** makes one sequence of the random numbers */
  example(random: Random): TaskExample;
  /** a token as a word */
  word(token: number): string;
}

/**
 * A task from its definition.
 *
 * @returns a task whose batches throw a ShapeError when an example is not as long as `length`, and a TokenError when a
 *   token of it is not in the vocabulary
 */
export function defineTask(definition: TaskDefinition): Task {
  const { name, vocabSize, length, chance } = definition;
  return {
    name,
    vocabSize,
    length,
    chance,
    example: (random) => checkedExample(definition, random),
    batches(options) {
      expectOptions(`${name}'s batches`, options, batchSizeNames);
      const { batchSize, seed = 0, start = 0 } = options;
      checkIntegers(name, { batchSize }, { start });
      return taskBatches(definition, batchSize, seed, start);
    },
    decode: (tokens) => Array.from(tokens, (token) => definition.word(token)).join(" "),
    accuracy,
    accuracyByPosition,
  };
}

function* taskBatches(
  definition: TaskDefinition,
  batchSize: number,
  seed: number,
  start: number,
): Generator<Batch & { readonly mask: NonNullable<Batch["mask"]> }, never> {
  for (let number = start; ; number++) {
    const random = Random.at(seed, number);
    const batch = batchOf(Array.from({ length: batchSize }, () => checkedExample(definition, random)));
    yield { ...batch, mask: batch.mask! };
  }
}

/** A sequence of a task, held against what the task says of itself. */
function checkedExample(definition: TaskDefinition, random: Random): TaskExample {
  const { name, length, vocabSize } = definition;
  const made = definition.example(random);
  for (const part of ["inputs", "targets", "mask"] as const) {
    const values: ArrayLike<number> | undefined = made[part];
    if (values?.length === length) continue;
    throw new ShapeError(name, `example's ${part}`, values ? `of ${values.length}` : "missing", `of length, ${length}`);
  }
  for (const part of ["inputs", "targets"] as const) {
    const wrong = made[part].find((token) => !(token >= 0 && token < vocabSize));
    if (wrong === undefined) continue;
    throw new TokenError(
      `${name}: example's ${part} have the token ${wrong}, wanted 0 to vocabSize − 1, ${vocabSize - 1}`,
    );
  }
  return made;
}

function accuracy(predictions: ArrayLike<number> | TokenMatrix | Tensor, batch: Batch): number {
  const answers = judged("accuracy", predictions, batch);
  return answers.filter(({ right }) => right).length / answers.length;
}

function accuracyByPosition(predictions: ArrayLike<number> | TokenMatrix | Tensor, batch: Batch): number[] {
  const [, length] = batch.inputs.shape;
  const [counted, right] = [new Float64Array(length), new Float64Array(length)];
  for (const answer of judged("accuracyByPosition", predictions, batch)) {
    const position = answer.at % length;
    counted[position]!++;
    if (answer.right) right[position]!++;
  }
  return Array.from(right, (count, position) => count / counted[position]!);
}

/** Each answer that counts: its place in the batch, row-major, and whether it is right. */
function judged(
  caller: string,
  predictions: ArrayLike<number> | TokenMatrix | Tensor,
  { inputs, targets, mask }: Batch,
): { at: number; right: boolean }[] {
  const said = predictedTokens(predictions);
  if (said.length !== targets.data.length) {
    throw new ShapeError(caller, "predictions", `${said.length} tokens`, `[${inputs.shape.join(", ")}], as the batch`);
  }
  const positions = mask ? [...countedPositions(mask, inputs.shape)] : [...targets.data.keys()];
  return positions.map((at) => ({ at, right: said[at] === targets.data[at] }));
}

function predictedTokens(predictions: ArrayLike<number> | TokenMatrix | Tensor): ArrayLike<number> {
  if (predictions instanceof tf.Tensor) {
    return tf.tidy(() => (predictions.rank === 3 ? tf.argMax(predictions, -1) : predictions).dataSync<"int32">());
  }
  return "data" in predictions ? predictions.data : predictions;
}

/** A sequence in which each token is followed by the next, and the answers are tokens of it. */
export function nextTokenExample(tokens: readonly number[], isAnswer: (position: number) => boolean): TaskExample {
  const length = tokens.length - 1;
  return {
    inputs: Int32Array.from(tokens.slice(0, length)),
    targets: Int32Array.from(tokens.slice(1)),
    mask: Uint8Array.from({ length }, (_, i) => (isAnswer(i + 1) ? 1 : 0)),
  };
}
