/** What a line for the shell gives as a value: `const files = !ls`. */

/**
 * The lines that a command has printed, without their line breaks: an array of strings, whose methods give plain arrays.
 *
 * @example
 * const files = !ls *.json
 * files.map((name) => name.length)
 */
export class ShellLines extends Array<string> {
  /** `map`, `filter` and the others make plain arrays. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  readonly #text: string;
  readonly #status: number;

  /** @internal Made by the kernel. */
  constructor(text: string, status: number) {
    super();
    this.#text = text;
    this.#status = status;
    const whole = text.replace(/\r?\n$/, "");
    if (text !== "") for (const line of whole.split(/\r?\n/)) this.push(line);
  }

  /** All that the command has printed to stdout, as it is. */
  get text(): string {
    return this.#text;
  }

  /** The command's exit status; that of a shell for a signal: 128 and the signal's number. */
  get status(): number {
    return this.#status;
  }
}
