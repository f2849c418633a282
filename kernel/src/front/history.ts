/** What was run: this kernel's cells and, from disk, those of the other kernels in the same folder, earlier or at the same time. */
import { createHash } from "node:crypto";
import {
  appendFileSync,
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { makeFolder } from "../make-folder.js";
import type { Json } from "../protocol/message.js";
import { globMatcher } from "./glob.js";

interface Entry {
  readonly session: number;
  readonly line: number;
  readonly input: string;
}

/** An entry as the protocol has it: the input, or, where outputs are asked for, input and output. */
type HistoryItem = [session: number, line: number, input: string | [input: string, output: string | null]];

export interface HistoryOptions {
  /** Size of the file from which on a new one is begun, and the one before the old is forgotten; in bytes. */
  readonly largestFile?: number;
}

/** Entries at most, of those read from disk and of this kernel's own. */
const MOST_KEPT = 10_000;
const LARGEST_FILE = 16_000_000;
/** Outputs are kept in memory only, for the latest cells, and cut. */
const MOST_OUTPUTS = 1000;
const LONGEST_OUTPUT = 10_000;

/**
 * The file has a line of JSON for each cell. Kernels append to it without knowing of each other; each has a number of its own, for which it makes
 * an empty file beside it.
 */
export class History {
  readonly #folder: string;
  readonly #name: string;
  readonly #largestFile: number;
  /** This kernel's number, from its first cell on. */
  #session: number | undefined;
  readonly #own: Entry[] = [];
  readonly #outputs = new Map<number, string>();
  #onDisk: Entry[] | undefined;
  /** How much of the file has been read, in bytes. */
  #read = 0;
  #logged = false;
  readonly #log: (line: string) => void;

  /** @param folder The notebook's folder; each has a history of its own. */
  constructor(folder: string, log: (line: string) => void, { largestFile = LARGEST_FILE }: HistoryOptions = {}) {
    // Set but empty counts as not set: a relative path would lie in the notebook's folder.
    const data = process.env["XDG_DATA_HOME"] || join(homedir(), ".local", "share");
    this.#name = createHash("sha256").update(folder).digest("hex").slice(0, 16);
    this.#folder = join(data, "metastate-kernel", "history");
    this.#largestFile = largestFile;
    this.#log = log;
  }

  /** Keeps a cell. */
  add(line: number, input: string): void {
    this.#session ??= this.#claimSession();
    const entry = { session: this.#session, line, input };
    this.#own.push(entry);
    if (this.#own.length > MOST_KEPT) this.#own.shift();
    this.#try(() => {
      // What cells say is nobody else's business.
      appendFileSync(this.#file, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
    });
  }

  /** Keeps the text of a cell's result. */
  addOutput(line: number, output: string): void {
    this.#outputs.set(line, output.slice(0, LONGEST_OUTPUT));
    const [oldest] = this.#outputs.keys();
    if (oldest !== undefined && this.#outputs.size > MOST_OUTPUTS) this.#outputs.delete(oldest);
  }

  /** Answers a `history_request`. */
  answer(request: Json): HistoryItem[] {
    const output = ({ session, line }: Entry): string | null =>
      session === this.#session ? (this.#outputs.get(line) ?? null) : null;
    return this.#wanted(request).map((entry) => {
      const { session, line, input } = entry;
      return [session, line, request["output"] === true ? [input, output(entry)] : input];
    });
  }

  #wanted(request: Json): Entry[] {
    const { n, pattern } = request;
    const count = typeof n === "number" && n >= 0 ? n : Infinity;
    switch (request["hist_access_type"]) {
      case "range":
        return this.#range(integer(request["session"]), integer(request["start"]), integer(request["stop"]));
      case "search": {
        const matches = globMatcher(typeof pattern === "string" ? pattern : "*");
        const found = this.#all().filter(({ input }) => matches(input));
        return last(request["unique"] === true ? unique(found) : found, count);
      }
      default:
        return last(this.#all(), count);
    }
  }

  /**
   * As IPython has it: a session that is 0 or negative is counted back from this one, and so, in this one, are lines from the next
   * one's number; `stop` is not included, and 0 stands for no end.
   */
  #range(session: number, start: number, stop: number): Entry[] {
    const own = this.#session ?? this.#lastSession() + 1;
    const wanted = session > 0 ? session : own + session;
    const entries = wanted === own ? this.#own : this.#all().filter((entry) => entry.session === wanted);
    const next = (entries.at(-1)?.line ?? 0) + 1;
    const fromEnd = (line: number): number => (wanted === own && line < 0 ? line + next : line);
    const [from, to] = [fromEnd(start), stop === 0 ? Infinity : fromEnd(stop)];
    return entries.filter(({ line }) => line >= from && line < to);
  }

  /** All entries, by session. */
  #all(): Entry[] {
    const others = this.#readDisk().filter(({ session }) => session !== this.#session);
    return [...others, ...this.#own].sort((a, b) => a.session - b.session);
  }

  get #file(): string {
    return join(this.#folder, `${this.#name}.jsonl`);
  }

  get #oldFile(): string {
    return join(this.#folder, `${this.#name}.old.jsonl`);
  }

  /** A number that no other kernel has: whoever creates the file of that number has it. */
  #claimSession(): number {
    let session = 1;
    this.#try(() => {
      makeFolder(this.#folder);
      this.#startNewFile();
      session = this.#lastSession() + 1;
      for (; ; session++) {
        try {
          closeSync(openSync(this.#claim(session), "wx"));
          break;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
        }
      }
      for (const earlier of this.#claims()) if (earlier < session) rmSync(this.#claim(earlier), { force: true });
    });
    return session;
  }

  #claim(session: number): string {
    return join(this.#folder, `${this.#name}.session-${session}`);
  }

  #claims(): number[] {
    const prefix = `${this.#name}.session-`;
    const names = readdirSync(this.#folder).filter((name) => name.startsWith(prefix));
    return names.map((name) => Number(name.slice(prefix.length)));
  }

  #lastSession(): number {
    let claims: number[] = [];
    try {
      claims = this.#claims();
    } catch {
      // There is no folder yet.
    }
    if (claims.length > 0) return Math.max(...claims);
    return this.#readDisk().reduce((most, { session }) => Math.max(most, session), 0);
  }

  #startNewFile(): void {
    const { size } = statSync(this.#file, { throwIfNoEntry: false }) ?? { size: 0 };
    if (size > this.#largestFile) renameSync(this.#file, this.#oldFile);
    // A kernel that was killed in the midst of a line has not ended it: the next would be one with it, and lost.
    else if (size > 0) appendFileSync(this.#file, "\n");
  }

  /** What is on disk, with what other kernels have added since it was read before. */
  #readDisk(): Entry[] {
    if (this.#onDisk === undefined) {
      this.#onDisk = [];
      try {
        this.#take(readFileSync(this.#oldFile, "utf8"));
      } catch {
        // There is none.
      }
    }
    try {
      this.#take(this.#readOn());
    } catch {
      // There is none yet.
    }
    if (this.#onDisk.length > MOST_KEPT) this.#onDisk.splice(0, this.#onDisk.length - MOST_KEPT);
    return this.#onDisk;
  }

  #readOn(): string {
    const file = openSync(this.#file, "r");
    try {
      const { size } = fstatSync(file);
      // Another kernel has begun a new file.
      if (size < this.#read) this.#read = 0;
      const bytes = Buffer.alloc(size - this.#read);
      const length = readSync(file, bytes, 0, bytes.length, this.#read);
      // Up to a line's end, so that no character is cut.
      const whole = bytes.subarray(0, length).lastIndexOf("\n") + 1;
      this.#read += whole;
      return bytes.toString("utf8", 0, whole);
    } finally {
      closeSync(file);
    }
  }

  /** Takes lines. One that is none, because a kernel was killed in its midst, is left out. */
  #take(text: string): void {
    for (const line of text.split("\n")) {
      const entry = parseEntry(line);
      if (entry !== undefined) this.#onDisk?.push(entry);
    }
  }

  /** A read-only home is no reason not to run cells. */
  #try(body: () => void): void {
    try {
      body();
    } catch (error) {
      if (!this.#logged) this.#log(`history is not kept on disk: ${String(error)}`);
      this.#logged = true;
    }
  }
}

function parseEntry(line: string): Entry | undefined {
  try {
    const entry = JSON.parse(line) as Partial<Entry>;
    const whole = Number.isInteger(entry.session) && Number.isInteger(entry.line) && typeof entry.input === "string";
    return whole ? (entry as Entry) : undefined;
  } catch {
    return undefined;
  }
}

function integer(value: unknown): number {
  return Number.isInteger(value) ? (value as number) : 0;
}

function last<T>(entries: T[], n: number): T[] {
  return entries.slice(Math.max(0, entries.length - n));
}

/** Of equal inputs, the latest. */
function unique(entries: readonly Entry[]): Entry[] {
  const seen = new Set<string>();
  const latest = entries.toReversed().filter(({ input }) => !seen.has(input) && seen.add(input));
  return latest.reverse();
}
