/**
 * The errors that the library throws for its own reasons. Each message says what was given, what was wanted and what
 * to do; the classes exist so that code can tell them apart.
 */

/**
 * Takes what an error carries out of sight: the message has all of it, and whoever shows an error, as Node and notebooks do,
 * would show it once more.
 */
export function outOfSight(error: Error): void {
  for (const name of Object.keys(error)) Object.defineProperty(error, name, { enumerable: false });
}

/** A tensor, or an array that should become one, has the wrong shape or dtype. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";

  /**
   * @param op what was called, e.g. `wkv7`
   * @param argument the argument's name as the caller knows it
   * @param given the shape (or dtype) that came
   * @param wanted the shape (or dtype) that was needed, with its symbols spelled out
   */
  constructor(
    readonly op: string,
    readonly argument: string,
    readonly given: string,
    readonly wanted: string,
  ) {
    super(`${op}: ${argument} is ${given}, wanted ${wanted}`);
    outOfSight(this);
  }
}

/** A configuration value is missing, of the wrong type, or does not fit the others. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
}

/** A token lies outside the vocabulary. */
export class TokenError extends Error {
  override readonly name = "TokenError";
}

/** A file of data (text, JSONL, vocabulary, tokenizer) is not what its format promises. */
export class DataError extends Error {
  override readonly name = "DataError";

  /**
   * @param file the file as the caller named it
   * @param line its line, from 1; `null` when no line can be named
   */
  constructor(
    readonly file: string,
    readonly line: number | null,
    detail: string,
    options?: ErrorOptions,
  ) {
    super(`${file}${line === null ? "" : `, line ${line}`}: ${detail}`, options);
    outOfSight(this);
  }
}

/** What a {@link DivergenceError} says beside step, parameter and reason. */
export interface DivergenceDetails {
  /** the step after which the parameters were what they are now; default the one before `step` */
  readonly lastStep?: number;
  /** the last checkpoint from before the bad update; `null` when there is none; left out when none are written */
  readonly checkpoint?: string | null;
  /** what to do; default to learn more slowly */
  readonly remedy?: string;
}

/** What most trainings that diverge need. */
export const slower = "Lower learningRate, lengthen warmup, or clip harder (clip: 0.5).";

/** Training left the finite numbers, or its course; the parameters are those of before the update that led there. */
export class DivergenceError extends Error {
  override readonly name = "DivergenceError";
  /** the last checkpoint from before the bad update; `null` when there is none, or none are written */
  readonly checkpoint: string | null;
  /** the step after which the model's parameters were what they are now */
  readonly lastStep: number;

  /**
   * @param step the step (from 1) whose loss or gradient is not finite, or the first whose loss was a spike
   * @param parameter the parameter that is not finite, or whose gradient is not, or is the largest; `null` when only the
   *   loss is not
   */
  constructor(
    readonly step: number,
    readonly parameter: string | null,
    detail: string,
    { lastStep = step - 1, checkpoint, remedy = slower }: DivergenceDetails = {},
  ) {
    const last = checkpoint
      ? ` The last good checkpoint is ${checkpoint}.`
      : checkpoint === null
        ? " There is no checkpoint from before."
        : "";
    super(
      `training diverged at step ${step}: ${detail}. The parameters are those after step ${lastStep}.${last} ${remedy}`,
    );
    this.checkpoint = checkpoint ?? null;
    this.lastStep = lastStep;
    outOfSight(this);
  }
}

/**
 * A file of a model or of a state is not what it should be: cut short, damaged, hostile, or of a kind that the library
 * does not read. Nothing that the file claims was allocated or executed.
 */
export class ModelFileError extends Error {
  override readonly name = "ModelFileError";

  /**
   * @param path the file as the caller named it
   * @param tensor the tensor concerned, by its name in the file; `null` when the file as a whole is concerned
   * @param problem what is wrong, after "path: " or "path: tensor "x" "
   * @param remedy what to do
   */
  constructor(
    readonly path: string,
    readonly tensor: string | null,
    readonly problem: string,
    readonly remedy: string,
    options?: ErrorOptions,
  ) {
    super(`${path}: ${tensor === null ? "" : `tensor ${quoted(tensor)} `}${problem}. ${remedy}`, options);
    outOfSight(this);
  }
}

/** Text out of a file, for a message: in quotes, control characters escaped, not longer than a line. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
}

/** An input of the op that a {@link NumericsError} is about. */
export interface CheckedInput {
  /** as the op calls it */
  readonly argument: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** its first value that is not finite; `null` when all are */
  readonly bad: number | null;
  /** what it is in the model, where that is known */
  readonly name?: { readonly name: string; readonly kind: "parameter" | "activation" | "from" };
}

/** What a {@link NumericsError} knows. */
export interface NumericsFinding {
  /** the kernel's name */
  readonly op: string;
  /** the op that it is a part of; `null` for none */
  readonly within: string | null;
  /** which of several outputs, from 0 */
  readonly output?: number;
  /** the first bad value, its index, how many there are, and of how many values */
  readonly value: number;
  readonly index: number;
  readonly count: number;
  readonly size: number;
  readonly inputs: readonly CheckedInput[];
  /** the parameter or activation that is the nearest with a name, e.g. `blocks.1.att.w1`; `null` outside models */
  readonly path: string | null;
  /** of training, from 1; `null` outside it */
  readonly step: number | null;
}

/** An op gave a value that is not finite, while {@link checkNumerics} looked. */
export class NumericsError extends Error {
  override readonly name = "NumericsError";

  constructor(readonly finding: NumericsFinding) {
    const { op, within, output, value, index, count, size, inputs, path, step } = finding;
    const where = [
      ...(within === null ? [] : [`in ${within}`]),
      ...(path === null ? [] : [`at ${path}`]),
      ...(step === null ? [] : [`in training step ${step}`]),
    ];
    const told = inputs.map(({ argument, dtype, shape, bad, name }) => {
      const called = name && `${name.kind === "from" ? "from" : `the ${name.kind}`} ${name.name}`;
      const state = bad === null ? undefined : `${bad} already`;
      const notes = [called, state].filter((note) => note !== undefined);
      return `${argument} ${dtype} [${shape.join(", ")}]${notes.length > 0 ? ` (${notes.join(", ")})` : ""}`;
    });
    const before = inputs.filter(({ bad }) => bad !== null).map(({ argument }) => argument);
    super(
      `${op}${output === undefined ? "" : `, output ${output},`} gave ${value}${where.map((part) => ` ${part}`).join("")} ` +
        `(${count} of ${size} values are not finite, the first at index ${index}). Its inputs: ${told.join("; ")}. ` +
        (before.length > 0
          ? `${before.join(" and ")} ${before.length > 1 ? "were" : "was"} so before any op was checked: look at where ` +
            `${before.length > 1 ? "they come" : "it comes"} from (a checkpoint, data, a constant)`
          : `All of them are finite: look at their range (a logarithm or root of too little, an overflow), or lower learningRate`),
    );
    outOfSight(this);
  }
}
