/** A text's way through a model in pieces, each of which ends where a state is wanted. */
import { setImmediate } from "node:timers/promises";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import type { OptionNames } from "../arguments.js";
import { ConfigurationError } from "../errors.js";
import type { LanguageModel, SequenceState, Tap } from "../model/language-model.js";
import { isTokenMatrix, tokenMatrix, type TokenMatrix, type TokenRows, type Tokens } from "../model/tokens.js";
import type { TokenIds } from "../tokenizers/tokenizer.js";
import { activationShapes, momentOf } from "./activation-places.js";
import { ActivationValues, axesOf } from "./activation-values.js";
import { matchingNames, namePattern } from "./name-patterns.js";

/** One text as its tokens, or several of one length: as `forward` takes them. */
export type TraceTokens = Tokens | TokenIds | readonly number[];

/** What a trace is asked for. */
export interface TraceOptions<S extends SequenceState> {
  /**
   * patterns of names: `*` stands for anything without a dot, `**` for anything, `{a,b}` for either:
   * `["blocks.*.att.wkv", "logits"]`
   */
  names: string | readonly string[];
  /**
   * tokens by their number in the text given here, from 0; negative from the end. A state is the one after the token
   * (`….state.wkv`) or before it (`….before.wkv`). Default all; with states that is token by token
   */
  positions?: number | readonly number[];
  /** the state before the first token, unchanged and the caller's; left out, the beginning of a text */
  state?: S;
  /** how many tokens run at once at most; bounds the memory of a pass. Default all of them, as in `forward` */
  chunk?: number;
  /** ends between pieces; the signal's reason is thrown */
  signal?: AbortSignal;
}

/** What a trace may be told. */
export const traceOptionNames: OptionNames<TraceOptions<SequenceState>> = {
  ...{ names: true, positions: true, state: true, chunk: true, signal: true },
};

/** A stretch of a traced text. */
export interface TracePiece {
  /** its first token, by its number in the text */
  readonly from: number;
  /** the token after its last */
  readonly to: number;
  /** by name, of the chosen positions in this stretch; names without one are absent */
  readonly activations: ReadonlyMap<string, ActivationValues>;
}

/** Checks everything, then gives the pieces one by one. */
export async function tracePieces<S extends SequenceState>(
  model: LanguageModel<S>,
  tokens: TraceTokens,
  options: TraceOptions<S>,
): Promise<{ matrix: TokenMatrix; names: string[]; pieces: AsyncGenerator<TracePiece, void, undefined> }> {
  const { chunk = Infinity } = options;
  if (chunk !== Infinity && !(Number.isInteger(chunk) && chunk >= 1)) {
    throw new ConfigurationError(`trace: chunk is ${chunk}, wanted an integer of 1 or more`);
  }
  const shapes = activationShapes("trace", model);
  const names = matchingNames("trace", options.names, [...shapes.keys()]);
  const matrix = await matrixOf(tokens);
  const [, time] = matrix.shape;
  const positions = chosenPositions(options.positions, time);
  const growing = names.filter((name) => shapes.get(name)!.grows);
  if (growing.length > 0 && positions.length > 1) {
    throw new ConfigurationError(
      `trace: ${growing[0]} holds more with every token, so that it fits no table over positions: trace it at one position`,
    );
  }
  const ends = pieceEnds(names, positions, time, chunk);
  return { matrix, names, pieces: run(model, matrix, positions, ends, growing, options) };
}

async function* run<S extends SequenceState>(
  model: LanguageModel<S>,
  matrix: TokenMatrix,
  positions: readonly number[],
  ends: readonly number[],
  growing: readonly string[],
  { names, state: initial, signal }: TraceOptions<S>,
): AsyncGenerator<TracePiece, void, undefined> {
  const wanted = namePattern(names);
  // Without a look at them, the logits of all positions are work for nothing.
  const logits = wanted("logits") || wanted("ln_out") ? "all" : "last";
  let state = initial;
  const replaceBy = (next: S | undefined): void => {
    if (state !== initial) state?.dispose();
    state = next;
  };
  try {
    let from = 0;
    for (const to of ends) {
      signal?.throwIfAborted();
      const watch = new PieceWatch(wanted, positions, from, to);
      try {
        const result = model.forward(columns(matrix, from, to), state, { logits, tap: watch.tap });
        result.logits.dispose();
        replaceBy(result.state);
        yield { from, to, activations: await watch.read(growing) };
      } finally {
        watch.dispose();
      }
      from = to;
      // Output, interrupts and other cells get their turn.
      await setImmediate();
    }
  } finally {
    replaceBy(undefined);
  }
}

/** Keeps what is wanted of one piece until it is read. */
class PieceWatch {
  private readonly kept = new Map<string, { tensors: Tensor[]; positions: number[] }>();
  /** how many tokens of an activation have come; a model that cuts the piece once more shows each in parts */
  private readonly shown = new Map<string, number>();

  /** the chosen ones of this piece */
  private readonly positions: readonly number[];

  constructor(
    private readonly wanted: (name: string) => boolean,
    positions: readonly number[],
    private readonly from: number,
    private readonly to: number,
  ) {
    this.positions = positions.filter((position) => position >= from && position < to);
  }

  readonly tap: Tap = (name, value) => {
    if (!this.wanted(name)) return value;
    const moment = momentOf(name);
    if (moment === "tokens") this.keepTokens(name, value);
    else if (moment === "before") this.keepState(name, value, this.from, !this.kept.has(name));
    else this.keepState(name, value, this.to - 1, true);
    return value;
  };

  /** Everything as plain data. */
  async read(growing: readonly string[]): Promise<Map<string, ActivationValues>> {
    const read = [...this.kept].map(async ([name, { tensors, positions }]): Promise<[string, ActivationValues]> => {
      const tensor = tf.tidy(() => tf.keep(tensors.length > 1 ? tf.concat(tensors, 1) : tf.clone(tensors[0]!)));
      try {
        const data = new Float32Array(await tensor.data<"float32">());
        return [
          name,
          new ActivationValues(name, axesOf(tensor.rank, growing.includes(name)), tensor.shape, data, positions),
        ];
      } finally {
        tensor.dispose();
      }
    });
    return new Map(await Promise.all(read));
  }

  dispose(): void {
    for (const { tensors } of this.kept.values()) tf.dispose(tensors);
    this.kept.clear();
  }

  private keepTokens(name: string, value: Tensor): void {
    const before = this.shown.get(name) ?? 0;
    const start = this.from + before;
    const end = start + (value.shape[1] ?? 0);
    this.shown.set(name, end - this.from);
    if (value.rank < 2 || end > this.to) {
      throw new ConfigurationError(
        `trace: ${name} is [${value.shape.join(", ")}] in a pass of ${this.to - this.from} tokens` +
          `${before > 0 ? `, of which ${before} were shown before` : ""}, wanted [B, T, …], each token once: ` +
          `is the name tapped twice?`,
      );
    }
    const positions = this.positions.filter((position) => position >= start && position < end);
    if (positions.length === 0) return;
    const whole = positions.length === end - start;
    const part = whole
      ? tf.clone(value)
      : tf.tidy(() =>
          tf.gather(
            value,
            tf.tensor1d(
              positions.map((position) => position - start),
              "int32",
            ),
            1,
          ),
        );
    this.keep(name, tf.keep(part), positions);
  }

  private keepState(name: string, value: Tensor, position: number, isIt: boolean): void {
    if (!isIt || !this.positions.includes(position)) return;
    // Of a pass that the model cut once more, the last state after is the one.
    const earlier = this.kept.get(name);
    if (earlier) tf.dispose(earlier.tensors);
    this.kept.delete(name);
    this.keep(name, tf.keep(tf.tidy(() => tf.clone(tf.expandDims(value, 1)))), [position]);
  }

  private keep(name: string, tensor: Tensor, positions: readonly number[]): void {
    const kept = this.kept.get(name);
    if (!kept) {
      this.kept.set(name, { tensors: [tensor], positions: [...positions] });
      return;
    }
    kept.tensors.push(tensor);
    kept.positions.push(...positions);
  }
}

async function matrixOf(tokens: TraceTokens): Promise<TokenMatrix> {
  if (tokens instanceof tf.Tensor) {
    if (tokens.rank !== 2 || tokens.dtype !== "int32") {
      throw new ConfigurationError(
        `trace: tokens is [${tokens.shape.join(", ")}] ${tokens.dtype}, wanted [B, T] int32`,
      );
    }
    const data = new Int32Array(await tokens.data<"int32">());
    return { data, shape: tokens.shape as [number, number] };
  }
  if (ArrayBuffer.isView(tokens)) return { data: Int32Array.from(tokens), shape: [1, tokens.length] };
  if (isTokenMatrix(tokens)) return tokens;
  return tokenMatrix("trace", typeof tokens[0] === "number" ? [tokens as number[]] : (tokens as TokenRows));
}

function columns({ data, shape: [rows, time] }: TokenMatrix, from: number, to: number): TokenMatrix {
  if (from === 0 && to === time) return { data, shape: [rows, time] };
  const part = new Int32Array(rows * (to - from));
  for (let row = 0; row < rows; row++) part.set(data.subarray(row * time + from, row * time + to), row * (to - from));
  return { data: part, shape: [rows, to - from] };
}

/** Positions from 0, ascending, each once. */
function chosenPositions(positions: TraceOptions<SequenceState>["positions"], time: number): number[] {
  if (positions === undefined) return Array.from({ length: time }, (_, position) => position);
  const list = typeof positions === "number" ? [positions] : positions;
  if (list.length === 0) throw new ConfigurationError("trace: positions is empty, wanted at least one");
  const wrong = list.find((position) => !(Number.isInteger(position) && position >= -time && position < time));
  if (wrong !== undefined) {
    throw new ConfigurationError(
      `trace: positions has ${wrong}, wanted 0 to ${time - 1}, or -1 to -${time} from the end`,
    );
  }
  return [...new Set(list.map((position) => (position < 0 ? position + time : position)))].sort((a, b) => a - b);
}

/** Where pieces end: at the end of the text, where a state is wanted, and nowhere more than a chunk apart. */
function pieceEnds(names: readonly string[], positions: readonly number[], time: number, chunk: number): number[] {
  const moments = new Set(names.map(momentOf));
  const cuts = new Set([time]);
  for (const position of positions) {
    if (moments.has("after")) cuts.add(position + 1);
    if (moments.has("before") && position > 0) cuts.add(position);
  }
  const ends: number[] = [];
  let from = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    while (cut - from > chunk) ends.push((from += chunk));
    ends.push((from = cut));
  }
  return ends;
}
