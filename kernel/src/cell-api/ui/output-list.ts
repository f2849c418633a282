/** Captured output as a list of what is to be shown, in Jupyter's own form of outputs. */
import { forgetDisplays, type OutputFrame, type OutputSink } from "../../session/capture.js";
import type { ErrorReport, MimeBundle, StreamName } from "../../session-protocol.js";

/** One output, as a notebook file holds it. */
export type Output =
  | { readonly output_type: "stream"; readonly name: StreamName; readonly text: string }
  | { readonly output_type: "display_data"; readonly data: MimeBundle; readonly metadata: MimeBundle }
  | ({ readonly output_type: "error" } & ErrorReport);

/** The list is sent as a whole each time it changes, so what a stream holds is bounded, in characters. */
const LONGEST_STREAM = 50_000;
const CUT = "… (what was printed before is cut)\n";

export class OutputList implements OutputSink {
  readonly #changed: () => void;
  #outputs: Output[] = [];
  /** Place in the list of what was displayed under an id. */
  #displays = new Map<string, number>();
  #clearNext = false;

  /** @param changed called after each change */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get outputs(): readonly Output[] {
    return this.#outputs;
  }

  take(frame: OutputFrame): void {
    if (frame.type === "clear") {
      this.clear(frame);
    } else if (frame.type === "display" && frame.update) {
      const index = this.#displays.get(frame.displayId);
      if (index === undefined) return;
      this.#outputs[index] = displayed(frame.data, frame.metadata);
      this.#changed();
    } else if (frame.type === "stream") {
      this.#print(frame.name, frame.text);
    } else if (frame.type === "display") {
      this.#add(displayed(frame.data, frame.metadata));
      this.#displays.set(frame.displayId, this.#outputs.length - 1);
    } else {
      this.error(frame.error);
    }
  }

  /** Adds data that nothing will update. */
  show(data: MimeBundle): void {
    if (Object.keys(data).length > 0) this.#add(displayed(data));
  }

  error({ ename, evalue, traceback }: ErrorReport): void {
    this.#add({ output_type: "error", ename, evalue, traceback });
  }

  /** Empties the list; with `wait`, only when the next output comes. */
  clear({ wait = false }: { readonly wait?: boolean } = {}): void {
    this.#clearNext = wait;
    if (wait || this.#outputs.length === 0) return;
    this.#empty();
    this.#changed();
  }

  #empty(): void {
    forgetDisplays(this.#displays.keys());
    this.#outputs = [];
    this.#displays = new Map();
  }

  #print(name: StreamName, text: string): void {
    const last = this.#clearNext ? undefined : this.#outputs.at(-1);
    if (last?.output_type !== "stream" || last.name !== name) {
      this.#add({ output_type: "stream", name, text: bounded(text) });
      return;
    }
    this.#outputs[this.#outputs.length - 1] = { ...last, text: bounded(last.text + text) };
    this.#changed();
  }

  #add(output: Output): void {
    if (this.#clearNext) this.#empty();
    this.#clearNext = false;
    this.#outputs.push(output);
    this.#changed();
  }
}

function displayed(data: MimeBundle, metadata: MimeBundle = {}): Output {
  return { output_type: "display_data", data, metadata };
}

function bounded(text: string): string {
  if (text.length <= LONGEST_STREAM) return text;
  // Half is dropped at a time, so that a loop that prints does not copy all of it line by line.
  const kept = text.slice(-LONGEST_STREAM / 2);
  return CUT + kept.slice(kept.indexOf("\n") + 1);
}
