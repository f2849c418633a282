/**
 * What cells show, on its way to the clients: the text of streams is merged into messages of a sensible size and rate, and
 * the session is told to wait while the clients are behind.
 */
import type { Header, Json } from "../protocol/message.js";
import type { StreamName } from "../session-protocol.js";
import { chunks, LONGEST_CHUNK } from "../chunks.js";

/** Publishes a message as an output of the request with this header; the promise says that it is on its way. */
export type Publish = (msgType: string, content: Json, parent: Header, more?: PublishOptions) => Promise<void> | void;

/** What else than content an iopub message may carry. */
export interface PublishOptions {
  readonly metadata?: Json;
  readonly buffers?: readonly Uint8Array[];
}

export interface OutputsOptions {
  readonly publish: Publish;
  /** Makes the session wait, or go on. */
  readonly hold: (held: boolean) => void;
}

/** Least time between two messages of streams, in milliseconds; the first text of a cell, or after a pause, goes out at once. */
const INTERVAL_MS = 25;
/** Changes between stdout and stderr that are kept within an interval; after so many each stream gets one message. */
const MOST_RUNS = 16;
/** The session waits while more than `HIGH` characters wait to be sent, until fewer than `LOW` do. */
const HIGH = 4_000_000;
const LOW = 1_000_000;
/** What a message weighs beside its texts. */
const MESSAGE_WEIGHT = 500;

/** Neighbouring pieces of one stream. */
interface Run {
  readonly parent: Header;
  readonly name: StreamName;
  text: string;
}

export class Outputs {
  readonly #options: OutputsOptions;
  #runs: Run[] = [];
  #length = 0;
  #lastFlush = -Infinity;
  #lastParent: Header | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Weight of the messages that are not sent yet. */
  #unsent = 0;
  #held = false;
  #letThroughUntil = -Infinity;

  constructor(options: OutputsOptions) {
    this.#options = options;
  }

  /** Text of a stream: shown at once, or within {@link INTERVAL_MS} where there is much of it. */
  stream(parent: Header, name: StreamName, text: string): void {
    this.#append(parent, name, text);
    this.#length += text.length;
    const wait = parent === this.#lastParent ? this.#lastFlush + INTERVAL_MS - performance.now() : 0;
    this.#lastParent = parent;
    if (wait <= 0 || this.#length >= LONGEST_CHUNK) this.flush();
    else {
      this.#timer ??= setTimeout(() => {
        this.flush();
      }, wait);
    }
  }

  /** Any other output; what the streams hold goes before it. */
  publish(parent: Header, msgType: string, content: Json, more: PublishOptions = {}): void {
    this.flush();
    const buffers = (more.buffers ?? []).reduce((sum, { byteLength }) => sum + byteLength, 0);
    this.#send(parent, msgType, content, weight(content) + buffers, more);
  }

  /** Sends what the streams hold. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#runs.length === 0) return;
    const runs = this.#runs;
    this.#runs = [];
    this.#length = 0;
    for (const { parent, name, text } of runs) {
      for (const chunk of chunks(text)) this.#send(parent, "stream", { name, text: chunk }, chunk.length);
    }
    this.#lastFlush = performance.now();
  }

  /** For some milliseconds the session need not wait for the clients: one that waits cannot be interrupted. */
  letThrough(milliseconds: number): void {
    this.#letThroughUntil = performance.now() + milliseconds;
    this.#hold(false);
    setTimeout(() => {
      if (this.#unsent > HIGH) this.#hold(true);
    }, milliseconds + 1).unref();
  }

  #append(parent: Header, name: StreamName, text: string): void {
    const isSame = (run: Run): boolean => run.name === name && run.parent === parent;
    const last = this.#runs.at(-1);
    const run =
      last !== undefined && isSame(last)
        ? last
        : this.#runs.length < MOST_RUNS
          ? undefined
          : this.#runs.findLast(isSame);
    // V8 keeps the parts of a growing string as they are until it is read.
    if (run === undefined) this.#runs.push({ parent, name, text });
    else run.text += text;
  }

  #send(parent: Header, msgType: string, content: Json, size: number, more: PublishOptions = {}): void {
    const sent = this.#options.publish(msgType, content, parent, more);
    if (sent === undefined) return;
    this.#unsent += size;
    if (this.#unsent > HIGH) this.#hold(true);
    void sent.then(() => {
      this.#unsent -= size;
      if (this.#unsent < LOW) this.#hold(false);
    });
  }

  #hold(held: boolean): void {
    if (held === this.#held || (held && performance.now() < this.#letThroughUntil)) return;
    this.#held = held;
    this.#options.hold(held);
  }
}

/** Roughly the size of a message: large data are texts, as a rule, an image in Base64 say. */
function weight({ data }: Json): number {
  if (data === null || typeof data !== "object") return MESSAGE_WEIGHT;
  let sum = MESSAGE_WEIGHT;
  for (const value of Object.values(data)) if (typeof value === "string") sum += value.length;
  return sum;
}
