/** Holds text back while it may be the beginning of a stop sequence. */

/** Passes text through until a stop sequence appears; the stop sequence itself is never passed. */
export class StopFilter {
  private held = "";
  private stopped = false;

  /** @param stops texts that end the output; empty ones are ignored */
  constructor(private readonly stops: readonly string[]) {}

  /** Whether a stop sequence has appeared. */
  get done(): boolean {
    return this.stopped;
  }

  /** The text that is now certain. */
  push(text: string): string {
    this.held += text;
    let at = Infinity;
    for (const stop of this.stops) {
      const found = stop === "" ? -1 : this.held.indexOf(stop);
      if (found >= 0) at = Math.min(at, found);
    }
    if (at < Infinity) {
      this.stopped = true;
      return this.release(at);
    }
    return this.release(this.held.length - this.uncertain());
  }

  /** What was held back, once no more text comes. */
  end(): string {
    return this.stopped ? "" : this.release(this.held.length);
  }

  /** How many characters at the end may yet become a stop sequence. */
  private uncertain(): number {
    let longest = 0;
    for (const stop of this.stops) {
      for (let length = Math.min(stop.length - 1, this.held.length); length > longest; length--) {
        if (this.held.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }

  private release(length: number): string {
    const text = this.held.slice(0, length);
    this.held = this.held.slice(length);
    return text;
  }
}
