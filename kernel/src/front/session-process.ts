/** The session process as the front sees it: starts it, sends it cells, reads what it says, notices how it dies. */
import { spawn, type ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { existsSync } from "node:fs";
import type { Duplex, Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import {
  encodePacket,
  fence,
  PacketReader,
  PIPE,
  type Command,
  type DebugMessage,
  type DebugRequest,
  type Frame,
  type ImportReply,
  type InputAnswer,
  type InputFrame,
  type InputReply,
  type RunCommand,
  type StreamName,
} from "../session-protocol.js";

export interface SessionOptions {
  /** Working directory: the notebook's folder. */
  readonly folder: string;
  /** Absolute paths of the preload modules. */
  readonly preloads: readonly string[];
}

/** Why a session is no more. */
export interface SessionEnd {
  /** Exit status; null where a signal ended the process, or it never started. */
  readonly code: number | null;
  /** Whether JavaScript ended it, by `process.exit` say. */
  readonly exited: boolean;
  readonly signal: NodeJS.Signals | null;
  /** The last lines on stderr, which tell of a crash. */
  readonly lastWords: string;
  /** Whether it was ended because it had closed one of the pipes to the front, and so could no longer be talked to. */
  readonly cutOff: boolean;
}

interface SessionEvents {
  frame: [frame: Frame];
  /** What native code and child processes write. */
  raw: [name: StreamName, text: string];
  end: [end: SessionEnd];
  /** What V8's inspector says to the debugger. */
  debug: [message: DebugMessage];
}

/** Time for the fence of a cell to come through the raw pipes, in milliseconds. */
const FENCE_MS = 1000;
/** Time after a session's end in which what is still in its pipes is read, in milliseconds. */
const DRAIN_MS = 1000;
/** Time between the close of a pipe and the end of the process that goes with it, where it ends by itself. */
const CUT_OFF_MS = 500;
/** Elsewhere a process group is no more than a console of its own. */
const GROUPS = process.platform !== "win32";
const LAST_WORDS = 4000;

export class SessionProcess extends EventEmitter<SessionEvents> {
  readonly #child: ChildProcess;
  readonly #reader = new PacketReader<Frame>();
  readonly #raw: Record<StreamName, RawStream>;
  /** Frames that came while the fences of a cell's end were waited for; they are handed on in order after these. */
  #waiting: Frame[] | undefined;
  #afterWait: (() => void) | undefined;
  /** Versions of the notebook's own files that the session has, by path. */
  readonly #sentModules = new Map<string, string>();
  #paused = false;
  #nonce = "";
  #exited = false;
  #ended = false;
  #cutOff = false;
  #lastWords = "";

  constructor(options: SessionOptions) {
    super();
    const main = fileURLToPath(new URL("../session/main.js", import.meta.url));
    // What is experimental in Node is the kernel's concern, not the reader's of a notebook.
    // For the other flag see session/async-context.ts.
    const flags = ["--disable-warning=ExperimentalWarning", "--no-force-async-hooks-checks"];
    this.#child = spawn(process.execPath, [...flags, main, ...options.preloads], {
      cwd: options.folder,
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe", "pipe", "pipe"],
      // A process group of its own: what cells start ends with the session, and a cell's kill(0) does not reach Jupyter.
      detached: GROUPS,
      // Colours are asked for by a terminal, and this is none.
      env: process.env["FORCE_COLOR"] === undefined ? { NO_COLOR: "1", ...process.env } : process.env,
    });
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error("the session process has no pipes");
    this.#raw = { stdout: new RawStream(stdout), stderr: new RawStream(stderr) };
    for (const name of ["stdout", "stderr"] as const) {
      this.#raw[name].onText = (text) => {
        if (name === "stderr") this.#lastWords = (this.#lastWords + text).slice(-LAST_WORDS);
        this.emit("raw", name, text);
      };
    }
    this.#readFrames(this.#pipe(PIPE.frames) as Readable);
    const fromInspector = new PacketReader<DebugMessage>();
    (this.#pipe(PIPE.interrupts) as Readable).on("data", (chunk: Buffer) => {
      for (const message of fromInspector.push(chunk)) this.emit("debug", message);
    });
    for (const fd of [PIPE.commands, PIPE.frames, PIPE.interrupts, PIPE.input]) {
      const pipe = this.#pipe(fd) as Duplex;
      // A write to a session that has just died; its end is reported by itself.
      pipe.on("error", () => undefined);
      pipe.on("close", () => {
        this.#onPipeClosed();
      });
    }
    this.#child.on("error", (error) => {
      // What the operating system calls a missing file may be the program, or the folder that it is to start in.
      const missing = !existsSync(options.folder);
      this.#lastWords += missing ? `the notebook's folder ${options.folder} does not exist any more` : String(error);
      this.#end(null, null);
    });
    // `close` comes after `exit`, when all pipes have been read to their end: never, while a process that the session
    // started, and that left its group, holds one of them.
    this.#child.on("close", (code, signal) => {
      this.#end(code, signal);
    });
    this.#child.on("exit", (code, signal) => {
      this.#killGroup();
      const drained = setInterval(() => {
        if (this.#paused) return;
        clearInterval(drained);
        this.#end(code, signal);
      }, DRAIN_MS).unref();
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(command: Command): void {
    const needed = "modules" in command ? this.#withoutSentModules(command) : command;
    (this.#pipe(PIPE.commands) as Writable).write(encodePacket(needed));
  }

  #withoutSentModules<C extends RunCommand | ImportReply>(command: C): C {
    const modules = command.modules.filter(({ path, version }) => this.#sentModules.get(path) !== version);
    for (const { path, version } of modules) this.#sentModules.set(path, version);
    return { ...command, modules };
  }

  /** Answers a question. */
  answer({ serial, sync }: InputFrame, answer: InputAnswer): void {
    const reply: InputReply = { type: "input-reply", serial, answer };
    if (sync) (this.#pipe(PIPE.input) as Writable).write(`${JSON.stringify(reply)}\n`);
    else this.send(reply);
  }

  /** Interrupts the cells, and the handling of comm messages, of these ids. */
  interrupt(ids: readonly number[]): void {
    (this.#pipe(PIPE.interrupts) as Writable).write(encodePacket({ type: "interrupt", ids }));
  }

  /** Calls a method of V8's inspector. */
  debug(request: DebugRequest): void {
    (this.#pipe(PIPE.interrupts) as Writable).write(encodePacket(request));
  }

  /** Ends the process, and those that it has started, at once; `end` follows. */
  kill(): void {
    this.#child.kill("SIGKILL");
    this.#killGroup();
  }

  #killGroup(): void {
    if (!GROUPS || this.pid === undefined) return;
    try {
      process.kill(-this.pid, "SIGKILL");
    } catch {
      // Nobody is left in it.
    }
  }

  /** User code may close any descriptor. A session without one of the pipes would seem to work for ever. */
  #onPipeClosed(): void {
    setTimeout(() => {
      if (this.#ended || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
      this.#cutOff = true;
      this.kill();
    }, CUT_OFF_MS).unref();
  }

  #pipe(fd: number): unknown {
    // Node's types know of five descriptors.
    return (this.#child.stdio as readonly unknown[])[fd];
  }

  #readFrames(pipe: Readable): void {
    pipe.on("data", (chunk: Buffer) => {
      for (const frame of this.#reader.push(chunk)) this.#handle(frame);
    });
  }

  #handle(frame: Frame): void {
    if (frame.type === "ready") this.#nonce = frame.nonce;
    if (frame.type === "exit") this.#exited = true;
    if (this.#waiting !== undefined) this.#waiting.push(frame);
    else if (frame.type === "done") void this.#handleAfterFences(frame);
    else this.emit("frame", frame);
  }

  async #handleAfterFences(frame: Frame & { type: "done" }): Promise<void> {
    this.#waiting = [];
    const mark = fence(this.#nonce, frame.cell);
    await Promise.all([this.#raw.stdout.passed(mark), this.#raw.stderr.passed(mark)]);
    this.emit("frame", frame);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    for (const next of waiting) this.#handle(next);
    if (this.#waiting === undefined) this.#afterWait?.();
  }

  #end(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#ended) return;
    this.#ended = true;
    // A fence that has not come by now never will.
    for (const stream of Object.values(this.#raw)) stream.close();
    this.#afterWait = () => {
      this.emit("end", { code, signal, exited: this.#exited, lastWords: this.#lastWords, cutOff: this.#cutOff });
    };
    if (this.#waiting === undefined) this.#afterWait();
  }

  /** Stops reading what the session writes, so that it waits at its next output; or reads on. */
  hold(held: boolean): void {
    this.#paused = held;
    for (const pipe of [this.#pipe(PIPE.frames), this.#child.stdout, this.#child.stderr] as Readable[]) {
      if (held) pipe.pause();
      else pipe.resume();
    }
    for (const name of ["stdout", "stderr"] as const) this.#raw[name].held = held;
  }
}

/** The real stdout or stderr of the session, with fences taken out. */
class RawStream {
  onText: (text: string) => void = () => undefined;
  readonly #decoder = new TextDecoder();
  /** Start of a fence at the end of what was read, kept until the rest has come. */
  #held = "";
  readonly #passed = new Set<string>();
  readonly #waiting = new Map<string, () => void>();
  #closed = false;
  /** Whether reading has been stopped for a while: a fence that does not come is then no sign of anything. */
  held = false;
  #chunks = 0;

  constructor(pipe: Readable) {
    pipe.on("data", (chunk: Buffer) => {
      this.#chunks++;
      this.#read(this.#decoder.decode(chunk, { stream: true }));
    });
    pipe.on("close", () => {
      this.close();
    });
  }

  /** Nobody waits for a fence any longer. */
  close(): void {
    this.#closed = true;
    for (const resolve of this.#waiting.values()) resolve();
  }

  /** Resolves when the fence has been read: all that was written before it has been handed on. */
  passed(mark: string): Promise<void> {
    if (this.#closed || this.#passed.delete(mark)) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearInterval(timer);
        this.#waiting.delete(mark);
        this.#passed.delete(mark);
        resolve();
      };
      // User code may have closed the descriptor: the cell's reply does not wait for ever.
      let seen = this.#chunks;
      const timer = setInterval(() => {
        if (!this.held && seen === this.#chunks) done();
        seen = this.#chunks;
      }, FENCE_MS);
      this.#waiting.set(mark, done);
    });
  }

  #read(chunk: string): void {
    const parts = (this.#held + chunk).split(FENCE);
    this.#held = "";
    for (const [i, part] of parts.entries()) {
      if (i % 2 === 1) {
        this.#pass(part);
        continue;
      }
      let text = part;
      const open = i === parts.length - 1 ? text.lastIndexOf("\u0000") : -1;
      if (open >= 0 && FENCE_START.test(text.slice(open))) {
        this.#held = text.slice(open);
        text = text.slice(0, open);
      }
      if (text !== "") this.onText(text);
    }
  }

  #pass(mark: string): void {
    this.#passed.add(mark);
    this.#waiting.get(mark)?.();
  }
}

/* eslint-disable no-control-regex -- fences are made of control characters, so that no text is like them */
const FENCE = /(\u0000\u001b\[fence [0-9a-f-]{36} \d+\]\u0000)/;
const FENCE_START = /^\u0000(\u001b(\[[fence]{0,5}( [0-9a-f-]{0,36}( \d*\]?)?)?)?)?$/;
/* eslint-enable no-control-regex */
