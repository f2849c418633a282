/** A generation under way: an async iterator of pieces, and what is left of it at the end. */
import type { SequenceState } from "../model/language-model.js";
import type { GeneratedPiece, GenerationEnd } from "./generated-row.js";

/** All that one prompt was continued with. */
export interface GeneratedText {
  readonly tokens: readonly number[];
  readonly text: string;
  /** natural logarithms, one a token, when asked for */
  readonly logProbabilities?: readonly number[];
  /** why it ended; `undefined` when it was left early */
  readonly end: GenerationEnd | undefined;
}

/** What `ms.generate` gives. Runs while it is iterated over, once. */
export class Generation<S extends SequenceState = SequenceState> implements AsyncIterableIterator<
  GeneratedPiece,
  void,
  undefined
> {
  private readonly pieces: AsyncGenerator<GeneratedPiece, void, undefined>;
  private kept: S | undefined;
  private begun = false;

  /** @param start gives the pieces, and the final state to the function it is handed, if it is to be kept */
  constructor(
    private readonly rows: number,
    start: (keep: (state: S) => void) => AsyncGenerator<GeneratedPiece, void, undefined>,
  ) {
    this.pieces = start((state) => (this.kept = state));
  }

  /** Itself: a generation is iterated over once. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next token's piece; what a `for await` asks for. */
  next(): Promise<IteratorResult<GeneratedPiece, void>> {
    this.begun = true;
    return this.pieces.next();
  }

  /** Ends it and frees everything; what leaving a `for await` does. */
  return(): Promise<IteratorResult<GeneratedPiece, void>> {
    return this.pieces.return();
  }

  /**
   * The state after the prompts and every token that was given out, a row a prompt. Needs `keepState: true`, and is there
   * once the loop has ended or was left. It is the caller's: dispose of it.
   *
   * @throws Error when it is not there
   */
  get state(): S {
    if (this.kept) return this.kept;
    throw new Error("generate: there is no state: pass keepState: true, and let the loop end before you take it");
  }

  /**
   * Runs to the end and gives each prompt's continuation whole.
   *
   * @throws Error when it was iterated over before: what came then is gone
   */
  async texts(): Promise<GeneratedText[]> {
    if (this.begun) throw new Error("generate: this generation was iterated over before: call ms.generate again");
    const texts = Array.from({ length: this.rows }, () => ({
      tokens: [] as number[],
      parts: [] as string[],
      logs: [] as number[],
      end: undefined as GenerationEnd | undefined,
    }));
    for await (const { row, token, text, logProbability, end } of this) {
      const to = texts[row]!;
      to.tokens.push(token);
      to.parts.push(text);
      if (logProbability !== undefined) to.logs.push(logProbability);
      to.end = end;
    }
    return texts.map(({ tokens, parts, logs, end }) => ({
      tokens,
      text: parts.join(""),
      ...(logs.length > 0 && { logProbabilities: logs }),
      end,
    }));
  }
}
