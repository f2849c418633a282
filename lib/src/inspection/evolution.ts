/** The state of a model while it generates, or follows a text, token by token. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { expectModel, expectOptions, type OptionNames } from "../arguments.js";
import { ConfigurationError } from "../errors.js";
import { generateOptionNames, preparedRows, type GenerateOptions, type Prompt } from "../generation/generate.js";
import { logProbabilities } from "../generation/log-probabilities.js";
import { forward, prefill } from "../generation/prefill.js";
import type { LanguageModel, SequenceState, Tap } from "../model/language-model.js";
import type { TokenDecoder } from "../tokenizers/tokenizer.js";
import { activationShapes, momentOf, type ActivationShape } from "./activation-places.js";
import { ActivationValues } from "./activation-values.js";
import { RecordedEvolution, type EvolutionRecord, type HeadChange } from "./evolution-records.js";
import { matchingNames } from "./name-patterns.js";
import { cosine, distance } from "./similarity.js";
import { effectiveRankOf, lengthOf, matrixOfValues, singularValues, stableRankOf } from "./spectrum.js";

/** What is recorded of each token. */
export interface EvolutionRecordingOptions {
  /** patterns of states; default all matrices, `["blocks.*.state.wkv", "blocks.*.state.meta"]` */
  states?: string | readonly string[];
  /** what is computed besides norm, update and similarity, by a singular value decomposition a head and token; default none */
  statistics?: readonly ("stableRank" | "effectiveRank" | "singularValues")[];
  /** the matrices themselves with every so many records, the first included; default none */
  matricesEvery?: number;
}

/** A text that the model writes itself, with all options of `ms.generate` but several prompts. */
export interface GeneratedEvolutionOptions<S extends SequenceState>
  extends Omit<GenerateOptions<S>, "prompt" | "keepState">, EvolutionRecordingOptions {
  prompt: Prompt;
  /** whether the prompt's tokens are recorded too; it then runs token by token. Default no */
  includePrompt?: boolean;
}

/** A text that is there already, which the model follows. */
export interface FollowedEvolutionOptions<S extends SequenceState>
  extends Pick<GenerateOptions<S>, "tokenizer" | "state" | "logProbabilities" | "signal">, EvolutionRecordingOptions {
  /** the text, or its tokens */
  follow: Prompt;
}

/** What {@link evolution} is asked for. */
export type EvolutionOptions<S extends SequenceState = SequenceState> =
  GeneratedEvolutionOptions<S> | FollowedEvolutionOptions<S>;

const { keepState: _, ...generateNames } = generateOptionNames;
const optionNames: OptionNames<EvolutionOptions> = {
  ...generateNames,
  ...{ includePrompt: true, follow: true, states: true, statistics: true, matricesEvery: true },
};

/** What `ms.evolution` gives: an async iterator of records. Runs while it is iterated over, once. */
export class Evolution implements AsyncIterableIterator<EvolutionRecord, void, undefined> {
  /** @param source gives the records */
  constructor(private readonly source: AsyncGenerator<EvolutionRecord, void, undefined>) {}

  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next token. */
  next(): Promise<IteratorResult<EvolutionRecord, void>> {
    return this.source.next();
  }

  /** Ends it and frees everything; what leaving a `for await` does. */
  return(): Promise<IteratorResult<EvolutionRecord, void>> {
    return this.source.return();
  }

  /** Runs to the end and gives all records in one. */
  async record(): Promise<RecordedEvolution> {
    const records: EvolutionRecord[] = [];
    for await (const record of this) records.push(record);
    return new RecordedEvolution(records);
  }
}

/**
 * Runs a model token by token and tells of each what it did to the states: its surprise, the size of the update of every
 * head, norms and ranks, and by choice the matrices. Given a `prompt` it generates exactly what `ms.generate` would with
 * the same options; given a text to `follow` it reads that. Apart from what the caller keeps, memory does not grow.
 *
 * @throws ConfigurationError when an option makes no sense, or a pattern names no state of the model
 */
export function evolution<S extends SequenceState>(model: LanguageModel<S>, options: EvolutionOptions<S>): Evolution {
  expectModel("evolution", model);
  expectOptions("evolution", options, optionNames);
  const { matricesEvery } = options;
  if (matricesEvery !== undefined && !(Number.isInteger(matricesEvery) && matricesEvery >= 1)) {
    throw new ConfigurationError(`evolution: matricesEvery is ${matricesEvery}, wanted an integer of 1 or more`);
  }
  const recorder = new Recorder(model, options);
  if ("follow" in options) {
    if (typeof options.follow === "string" && !options.tokenizer) {
      throw new ConfigurationError("evolution: follow is a text, which needs a tokenizer: pass tokenizer, or tokens");
    }
    const { prompts } = preparedRows(model, { ...options, prompt: options.follow });
    return new Evolution(closing(recorder, followText(recorder, prompts[0]!, options)));
  }
  const { prompt } = options;
  if (Array.isArray(prompt) && typeof prompt[0] !== "number") {
    throw new ConfigurationError("evolution: the prompt is a list of prompts, wanted one: run them one by one");
  }
  return new Evolution(closing(recorder, generateText(recorder, options)));
}

async function* closing<S extends SequenceState>(
  recorder: Recorder<S>,
  records: AsyncGenerator<EvolutionRecord, void, undefined>,
): AsyncGenerator<EvolutionRecord, void, undefined> {
  try {
    yield* records;
  } finally {
    recorder.dispose();
  }
}

async function* followText<S extends SequenceState>(
  recorder: Recorder<S>,
  tokens: ArrayLike<number>,
  {
    tokenizer,
    state,
    logProbabilities: count,
    signal,
  }: Pick<FollowedEvolutionOptions<S>, "tokenizer" | "state" | "logProbabilities" | "signal">,
  source: "text" | "prompt" = "text",
): AsyncGenerator<EvolutionRecord, void, undefined> {
  const decoder: TokenDecoder | undefined = tokenizer?.decoder();
  recorder.startFrom(state);
  for (let i = 0; i < tokens.length; i++) {
    signal?.throwIfAborted();
    const token = tokens[i]!;
    const { logits } = recorder;
    const predicted = logits && logProbabilities(logits, token, count ?? 0);
    const states = await recorder.run(token);
    yield {
      ...states,
      token,
      text: decoder?.push(token) ?? "",
      source,
      ...(predicted && { surprise: -predicted.logProbability }),
      ...(predicted && count && { mostLikely: predicted.mostLikely }),
    };
  }
}

async function* generateText<S extends SequenceState>(
  recorder: Recorder<S>,
  options: GeneratedEvolutionOptions<S>,
): AsyncGenerator<EvolutionRecord, void, undefined> {
  const { includePrompt = false, state, prefillChunk = 256, signal, logProbabilities: count } = options;
  const { rows, prompts } = preparedRows(recorder.model, { ...options, logProbabilities: count ?? 0 });
  const [row] = rows;
  if (includePrompt) yield* followText(recorder, prompts[0]!, options, "prompt");
  else recorder.take(await prefill(recorder.model, [prompts[0]!], state, { chunk: prefillChunk, signal }));
  while (row!.end === undefined) {
    signal?.throwIfAborted();
    const { token, text, logProbability, mostLikely, end } = row!.choose(recorder.logits!);
    const states = await recorder.run(token);
    yield {
      ...states,
      token,
      text,
      source: "generated",
      surprise: -logProbability!,
      ...(mostLikely && { mostLikely }),
      ...(end && { end }),
    };
  }
}

/** What a token did to the states. */
type StateRecord = Pick<EvolutionRecord, "index" | "position" | "states" | "matrices">;

/** Runs one token after the other, and compares each state with the one before it. */
class Recorder<S extends SequenceState> {
  /** of the next token; none before the first */
  logits: Float32Array | undefined;
  private readonly names: readonly string[];
  private readonly shapes: ReadonlyMap<string, ActivationShape>;
  /** what the states were after the token before */
  private previous: Map<string, Float32Array> | undefined;
  private state: S | undefined;
  private isOurs = false;
  private count = 0;

  constructor(
    readonly model: LanguageModel<S>,
    private readonly options: EvolutionRecordingOptions,
  ) {
    this.shapes = activationShapes("evolution", model);
    // Of each row its heads' matrices.
    const matrices = [...this.shapes].filter(
      ([name, { shape, grows }]) => momentOf(name) === "after" && shape.length === 4 && !grows,
    );
    if (matrices.length === 0) {
      throw new ConfigurationError(
        "evolution: this model has no state of one matrix a head: there is nothing to compare from token to token",
      );
    }
    this.names = matchingNames(
      "evolution",
      options.states ?? "**",
      matrices.map(([name]) => name),
    );
  }

  /** @param state of one row; it stays the caller's */
  startFrom(state: S | undefined): void {
    this.state = state;
  }

  /** Goes on from here; the state is the recorder's from now on. */
  take({ logits, state }: { logits: readonly Float32Array[]; state: S }): void {
    this.replaceState(state);
    this.logits = logits[0];
  }

  async run(token: number): Promise<StateRecord> {
    const position = this.state?.positions?.[0] ?? this.count;
    const kept = new Map<string, Tensor>();
    const tap: Tap = (name, value) => {
      // Before the first token there is nothing to compare with but what the model itself starts from.
      const isWanted = this.names.includes(name) || (!this.previous && this.names.includes(afterName(name)));
      if (isWanted && !kept.has(name)) kept.set(name, tf.keep(tf.clone(value)));
      return value;
    };
    const watched: LanguageModel<S> = {
      configuration: this.model.configuration,
      parameters: this.model.parameters,
      initialState: (rows) => this.model.initialState(rows),
      forward: (tokens, state, options) => this.model.forward(tokens, state, { ...options, tap }),
      dispose: () => undefined,
    };
    try {
      this.take(await forward(watched, [[token]], this.state));
      const read = await Promise.all(
        [...kept].map(async ([name, tensor]): Promise<[string, Float32Array]> => [
          name,
          new Float32Array(await tensor.data<"float32">()),
        ]),
      );
      return this.compare(new Map(read), position);
    } finally {
      tf.dispose([...kept.values()]);
    }
  }

  dispose(): void {
    this.replaceState(undefined);
    this.isOurs = false;
  }

  private compare(read: Map<string, Float32Array>, position: number): StateRecord {
    const index = this.count++;
    const states = new Map<string, HeadChange[]>();
    const after = new Map<string, Float32Array>();
    for (const name of this.names) {
      const values = read.get(name)!;
      after.set(name, values);
      const before = this.previous?.get(name) ?? read.get(beforeName(name)) ?? new Float32Array(values.length);
      const [, heads, rows, columns] = this.shapes.get(name)!.shape as [number, number, number, number];
      states.set(
        name,
        Array.from({ length: heads }, (_, head) => {
          const size = rows * columns;
          const part = (of: Float32Array): Float32Array => of.subarray(head * size, (head + 1) * size);
          return this.change(part(before), part(values), rows, columns);
        }),
      );
    }
    this.previous = after;
    const { matricesEvery } = this.options;
    const hasMatrices = matricesEvery !== undefined && index % matricesEvery === 0;
    return { index, position, states, ...(hasMatrices && { matrices: this.matrices(after) }) };
  }

  private change(before: Float32Array, after: Float32Array, rows: number, columns: number): HeadChange {
    const asked = this.options.statistics ?? [];
    const singular = asked.length > 0 ? singularValues(matrixOfValues(rows, columns, after)) : [];
    return {
      norm: lengthOf(after),
      update: distance(before, after),
      similarity: cosine(before, after),
      ...(asked.includes("stableRank") && { stableRank: stableRankOf(singular) }),
      ...(asked.includes("effectiveRank") && { effectiveRank: effectiveRankOf(singular) }),
      ...(asked.includes("singularValues") && { singularValues: singular }),
    };
  }

  private matrices(values: ReadonlyMap<string, Float32Array>): Map<string, ActivationValues> {
    const entries = [...values].map(([name, data]): [string, ActivationValues] => {
      const [, ...shape] = this.shapes.get(name)!.shape;
      return [name, new ActivationValues(name, ["head", "value", "key"], shape, data)];
    });
    return new Map(entries);
  }

  private replaceState(state: S | undefined): void {
    if (this.isOurs) this.state?.dispose();
    this.state = state;
    this.isOurs = true;
  }
}

/** Of a state after a token, the name of the one before it. */
function beforeName(name: string): string {
  return name.replace(/state(\.[^.]+)$/, "before$1");
}

/** The reverse; any other name gives one that no state has. */
function afterName(name: string): string {
  return momentOf(name) === "before" ? name.replace(/before(\.[^.]+)$/, "state$1") : "";
}
