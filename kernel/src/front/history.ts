/** What was run: this kernel's cells and, from disk, those of earlier kernels in the same folder. */
import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Json } from "../protocol/message.js";

interface Entry {
  readonly session: number;
  readonly line: number;
  readonly input: string;
}

/** An entry as the protocol has it: the input, or, where outputs are asked for, input and output. Outputs are not kept. */
type HistoryItem = [session: number, line: number, input: string | [input: string, output: null]];

/** Entries read from disk at most. */
const MOST_KEPT = 10_000;

export class History {
  readonly #file: string;
  #earlier: Entry[] | undefined;
  readonly #own: Entry[] = [];
  readonly #log: (line: string) => void;

  /** @param folder The notebook's folder; each has a history of its own. */
  constructor(folder: string, log: (line: string) => void) {
    const data = process.env["XDG_DATA_HOME"] ?? join(homedir(), ".local", "share");
    const name = createHash("sha256").update(folder).digest("hex").slice(0, 16);
    this.#file = join(data, "metastate-kernel", "history", `${name}.jsonl`);
    this.#log = log;
  }

  add(line: number, input: string): void {
    const entry = { session: this.#session, line, input };
    this.#own.push(entry);
    try {
      if (this.#own.length === 1) mkdirSync(join(this.#file, ".."), { recursive: true });
      appendFileSync(this.#file, `${JSON.stringify(entry)}\n`);
    } catch (error) {
      // A read-only home is no reason not to run cells.
      if (this.#own.length === 1) this.#log(`history is not kept on disk: ${String(error)}`);
    }
  }

  /** Answers a `history_request`. */
  answer(request: Json): HistoryItem[] {
    const withOutput = request["output"] === true;
    return this.#wanted(request).map(({ session, line, input }) => [session, line, withOutput ? [input, null] : input]);
  }

  #wanted(request: Json): Entry[] {
    const unique = request["unique"] === true;
    const n = typeof request["n"] === "number" && request["n"] > 0 ? request["n"] : undefined;
    switch (request["hist_access_type"]) {
      case "range":
        return this.#range(Number(request["session"] ?? 0), Number(request["start"] ?? 0), request["stop"]);
      case "search": {
        const matches = globMatcher(typeof request["pattern"] === "string" ? request["pattern"] : "*");
        return last(
          only(
            this.#all().filter(({ input }) => matches(input)),
            unique,
          ),
          n,
        );
      }
      default:
        return last(this.#all(), n);
    }
  }

  /** Number of this kernel's session: one more than the last on disk. */
  get #session(): number {
    return (this.#read().at(-1)?.session ?? 0) + 1;
  }

  #all(): Entry[] {
    return [...this.#read(), ...this.#own];
  }

  /** A session is given by number, or, when 0 or negative, counted back from this one. */
  #range(session: number, start: number, stop: unknown): Entry[] {
    const wanted = session > 0 ? session : this.#session + session;
    const end = typeof stop === "number" ? stop : Infinity;
    return this.#all().filter((entry) => entry.session === wanted && entry.line >= start && entry.line < end);
  }

  #read(): Entry[] {
    if (this.#earlier !== undefined) return this.#earlier;
    this.#earlier = [];
    let text = "";
    try {
      text = readFileSync(this.#file, "utf8");
    } catch {
      // There is none yet.
    }
    for (const line of text.split("\n").slice(-MOST_KEPT)) {
      const entry = parseEntry(line);
      if (entry !== undefined) this.#earlier.push(entry);
    }
    return this.#earlier;
  }
}

/** A line that another kernel is just writing may be cut; it is left out. */
function parseEntry(line: string): Entry | undefined {
  try {
    const entry = JSON.parse(line) as Partial<Entry>;
    const whole = Number.isInteger(entry.session) && Number.isInteger(entry.line) && typeof entry.input === "string";
    return whole ? (entry as Entry) : undefined;
  } catch {
    return undefined;
  }
}

function last<T>(entries: T[], n: number | undefined): T[] {
  return n === undefined ? entries : entries.slice(-n);
}

/** Of equal inputs, the latest. */
function only(entries: Entry[], unique: boolean): Entry[] {
  return unique ? [...new Map(entries.map((entry) => [entry.input, entry])).values()] : entries;
}

/** Shell patterns as IPython has them: `*` any text, `?` one character; the whole input must match. */
function globMatcher(pattern: string): (input: string) => boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", "[^]*")
    .replaceAll("?", "[^]");
  const regex = new RegExp(`^${source}$`);
  return (input) => regex.test(input);
}
