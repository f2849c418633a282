/** How fast a training goes. */

/** Tokens per second over the last steps, so that one slow step does not tell the future. */
export class Speedometer {
  private readonly steps: { tokens: number; seconds: number }[] = [];

  /** Tells of a step. */
  add(tokens: number, milliseconds: number): void {
    this.steps.push({ tokens, seconds: milliseconds / 1000 });
    if (this.steps.length > 20) this.steps.shift();
  }

  /** Tokens learned from in a second. */
  get tokensPerSecond(): number {
    return this.total("tokens") / this.total("seconds");
  }

  /** Seconds that a step takes. */
  get secondsPerStep(): number {
    return this.total("seconds") / this.steps.length;
  }

  private total(key: "tokens" | "seconds"): number {
    return this.steps.reduce((sum, step) => sum + step[key], 0);
  }
}
