/** What happens inside a model while it reads: its named activations and states as plain data. */
import { expectModel, expectOptions } from "../arguments.js";
import { ConfigurationError } from "../errors.js";
import { jupyterDisplay, Shown, tableForms, type MimeBundle } from "../display.js";
import type { LanguageModel, SequenceState } from "../model/language-model.js";
import type { TokenMatrix } from "../model/tokens.js";
import { ActivationValues, activationHead, activationRow, joinPositions } from "./activation-values.js";
import { nearest, namePattern } from "./name-patterns.js";
import { traceOptionNames, tracePieces, type TraceOptions, type TracePiece, type TraceTokens } from "./trace-pieces.js";

/** The activations of a traced text, by name. Shows itself as a table. */
export class Trace extends Shown implements Iterable<ActivationValues> {
  /**
   * @param tokens what was read, `[B, T]`
   * @param activations in the order of a pass
   */
  constructor(
    readonly tokens: TokenMatrix,
    private readonly activations: ReadonlyMap<string, ActivationValues>,
  ) {
    super();
  }

  /** What was traced. */
  get names(): string[] {
    return [...this.activations.keys()];
  }

  /**
   * The activation of this name.
   *
   * @throws ConfigurationError when it was not traced, with the names that come near
   */
  get(name: string): ActivationValues {
    const found = this.activations.get(name);
    if (found) return found;
    throw new ConfigurationError(`trace: "${name}" was not traced; near it: ${nearest(name, this.names).join(", ")}`);
  }

  /** All activations whose name fits, e.g. `blocks.*.att.wkv`, in the order of a pass. */
  matching(patterns: string | readonly string[]): ActivationValues[] {
    const fits = namePattern(patterns);
    return [...this].filter(({ name }) => fits(name));
  }

  /** In the order of a pass. */
  [Symbol.iterator](): Iterator<ActivationValues> {
    return this.activations.values();
  }

  [jupyterDisplay](): MimeBundle {
    const rows = [activationHead, ...[...this].map(activationRow)];
    return tableForms(rows);
  }
}

/** Options of {@link trace}. */
export interface WholeTraceOptions<S extends SequenceState> extends TraceOptions<S> {
  /** refuses to hold more than this, in bytes; default 2³⁰, one gibibyte */
  limit?: number;
}

/**
 * Runs a text through a model and keeps its named activations. The model computes what it would without anybody looking: the
 * same bits, but to rounding where an engine has the op `MetaPass`, which shows nothing inside, as one kernel. A state at a
 * position is had by ending a pass there, so that states at positions give the results of the text cut there, to rounding.
 *
 * @param tokens one text, or several of one length as rows
 * @param options which names, at which positions
 * @throws ConfigurationError when a name fits nothing (with the near ones), a position is outside the text, or there is
 *   more than `limit` to hold; TokenError and ShapeError as `forward` does
 *
 * @example
 * ```ts
 * const trace = await ms.trace(model, tokens.slice(0, 64), { names: "blocks.*.att.wkv" });
 * const read = trace.get("blocks.0.att.wkv"); // of 64 tokens, each head, each channel
 * display(ms.plots.matrix(read.select({ row: 0, head: 1 }).matrix()));
 * ```
 */
export async function trace<S extends SequenceState>(
  model: LanguageModel<S>,
  tokens: TraceTokens,
  options: WholeTraceOptions<S>,
): Promise<Trace> {
  expectModel("trace", model);
  expectOptions("trace", options, { ...traceOptionNames, limit: true });
  const { limit = 2 ** 30 } = options;
  const { matrix, names, pieces } = await tracePieces(model, tokens, options);
  const parts = new Map<string, ActivationValues[]>(names.map((name) => [name, []]));
  let bytes = 0;
  for await (const { activations } of pieces) {
    for (const values of activations.values()) {
      bytes += values.data.byteLength;
      const list = parts.get(values.name);
      if (list) list.push(values);
      else parts.set(values.name, [values]);
    }
    if (bytes <= limit) continue;
    throw new ConfigurationError(
      `trace: there are more than ${limit.toLocaleString("en")} bytes of activations: choose fewer names or positions, ` +
        `go through them with traceStream, or raise limit`,
    );
  }
  const joined = [...parts].filter(([, list]) => list.length > 0);
  return new Trace(matrix, new Map(joined.map(([name, list]) => [name, joinPositions(list)])));
}

/**
 * {@link trace}, piece by piece, for what is too large to hold: memory is that of one piece of at most `chunk` tokens
 * (default 256). Leaving the loop frees everything.
 *
 * @throws as {@link trace} does, when the first piece is asked for
 */
export async function* traceStream<S extends SequenceState>(
  model: LanguageModel<S>,
  tokens: TraceTokens,
  options: TraceOptions<S>,
): AsyncGenerator<TracePiece, void, undefined> {
  expectModel("traceStream", model);
  expectOptions("traceStream", options, traceOptionNames);
  const { pieces } = await tracePieces(model, tokens, { chunk: 256, ...options });
  yield* pieces;
}
