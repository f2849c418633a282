/** Lines of a byte stream. */
export class LineReader {
  readonly #decoder = new TextDecoder();
  #begun = "";

  /** Lines that are complete with this chunk, without their ends. */
  push(chunk: Uint8Array): string[] {
    const lines = (this.#begun + this.#decoder.decode(chunk, { stream: true })).split("\n");
    this.#begun = lines.pop() ?? "";
    return lines;
  }
}
