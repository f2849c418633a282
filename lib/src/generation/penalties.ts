/** Logits lowered for tokens that were there before. */

/** How much a token suffers from having been there. */
export interface PenaltyOptions {
  /**
   * logits of tokens that were in the prompt or the output are divided by it where positive, multiplied where negative
   * (as CTRL and Hugging Face do); above 1 discourages. Default 1
   */
  repetitionPenalty?: number;
  /** taken from the logits of tokens that were in the output (as OpenAI does); default 0 */
  presencePenalty?: number;
  /** taken from the logits once for each time the token was in the output; default 0 */
  frequencyPenalty?: number;
}

/** The tokens before a place. */
export interface TokenHistory {
  /** tokens that were in the prompt */
  readonly prompt: ReadonlySet<number>;
  /** tokens that were in the output, and how often */
  readonly output: ReadonlyMap<number, number>;
}

/** Whether any penalty has an effect, so that history need be kept. */
export function hasPenalty({
  repetitionPenalty = 1,
  presencePenalty = 0,
  frequencyPenalty = 0,
}: PenaltyOptions): boolean {
  return repetitionPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0;
}

/** The logits after all penalties; a new array, or the same when there are none. */
export function penalised(logits: Float32Array, options: PenaltyOptions, history: TokenHistory): Float32Array {
  if (!hasPenalty(options)) return logits;
  const { repetitionPenalty = 1, presencePenalty = 0, frequencyPenalty = 0 } = options;
  const scores = Float32Array.from(logits);
  const repeat = (token: number): void => {
    const score = scores[token];
    if (score !== undefined) scores[token] = score > 0 ? score / repetitionPenalty : score * repetitionPenalty;
  };
  if (repetitionPenalty !== 1) {
    for (const token of history.prompt) repeat(token);
    for (const token of history.output.keys()) if (!history.prompt.has(token)) repeat(token);
  }
  for (const [token, count] of history.output) {
    if (token < scores.length) scores[token]! -= presencePenalty + count * frequencyPenalty;
  }
  return scores;
}
