/** The session process as the front sees it: starts it, sends it cells, reads what it says, notices how it dies. */
import { spawn, type ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { existsSync } from "node:fs";
import type { Duplex, Readable, Writable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { program } from "../program.js";
import {
  encodePacket,
  PacketReader,
  PIPE,
  type Command,
  type DeafNotice,
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
import { bundleOf } from "./preload-bundle.js";

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
  /** What was interrupted, and does not end. */
  deaf: [ids: readonly number[]];
}

/** More than fits into the pipes of stdout and stderr, in bytes. */
const MOST_IN_PIPES = 1_000_000;
/** Time after a session's end in which what is still in its pipes is read, in milliseconds. */
const DRAIN_MS = 1000;
/** Time between the close of a pipe and the end of the process that goes with it, where it ends by itself. */
const CUT_OFF_MS = 500;
/** Elsewhere a process group is no more than a console of its own. */
const GROUPS = process.platform !== "win32";
const LAST_WORDS = 4000;

/**
 * Where Node's inspector would listen when SIGUSR1 starts it: an address for documentation (RFC 5737), on which nobody can.
 * That signal is how the session ends a wait in native code (`session/native-waits.ts`), and is not to open a port.
 */
const NO_INSPECTOR = "192.0.2.1:1024";
/**
 * What Node says to a user to whom it means nothing: that an inspector cannot listen there, and, as it exits, that the interrupt
 * thread is connected to the inspector.
 */
const DEBUGGER_NOTES =
  /Waiting for the debugger to disconnect\.\.\.\n|Starting inspector on 192\.0\.2\.1:1024 failed.*\n/g;

export class SessionProcess extends EventEmitter<SessionEvents> {
  readonly #child: ChildProcess;
  readonly #reader = new PacketReader<Frame>();
  /** Bytes that were read of stdout and stderr. */
  #rawBytes = 0;
  /** Frames that came while the rest of a cell's output was read; they are handed on in order after it. */
  #waiting: Frame[] | undefined;
  #afterWait: (() => void) | undefined;
  /** Versions of the notebook's own files that the session has, by path. */
  readonly #sentModules = new Map<string, string>();
  #paused = false;
  /** What waits for the session to be read on. */
  #afterPause: (() => void) | undefined;
  #exited = false;
  #ended = false;
  #cutOff = false;
  #lastWords = "";

  constructor(options: SessionOptions) {
    super();
    const main = fileURLToPath(program("session/main"));
    // What is experimental in Node is the kernel's concern, not the reader's of a notebook.
    // For the other flag see session/async-context.ts.
    const flags = ["--disable-warning=ExperimentalWarning", "--no-force-async-hooks-checks"];
    // Who wants to debug the session with other tools is not hindered.
    if (!process.env["NODE_OPTIONS"]?.includes("--inspect")) flags.push(`--inspect-port=${NO_INSPECTOR}`);
    const preloads = options.preloads.map(bundleOf);
    for (const { condition } of preloads) if (condition !== undefined) flags.push(`--conditions=${condition}`);
    this.#child = spawn(process.execPath, [...flags, main, ...preloads.map(({ path }) => path)], {
      cwd: options.folder,
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe", "pipe", "pipe"],
      // A process group of its own: what cells start ends with the session, and a cell's kill(0) does not reach Jupyter.
      detached: GROUPS,
      // Colours are asked for by a terminal, and this is none.
      env: process.env["FORCE_COLOR"] === undefined ? { NO_COLOR: "1", ...process.env } : process.env,
    });
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error("the session process has no pipes");
    this.#readRaw("stdout", stdout);
    this.#readRaw("stderr", stderr);
    this.#readFrames(this.#pipe(PIPE.frames) as Readable);
    const fromThread = new PacketReader<DebugMessage | DeafNotice>();
    (this.#pipe(PIPE.interrupts) as Readable).on("data", (chunk: Buffer) => {
      for (const message of fromThread.push(chunk)) {
        if (message.type === "deaf") this.emit("deaf", message.ids);
        else this.emit("debug", message);
      }
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
  interrupt(ids: readonly number[], { givesUpPreload = false } = {}): void {
    (this.#pipe(PIPE.interrupts) as Writable).write(encodePacket({ type: "interrupt", ids, givesUpPreload }));
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

  /** What native code and child processes write. */
  #readRaw(name: StreamName, pipe: Readable): void {
    const decoder = new TextDecoder();
    pipe.on("data", (chunk: Buffer) => {
      this.#rawBytes += chunk.length;
      const text = decoder.decode(chunk, { stream: true }).replace(DEBUGGER_NOTES, "");
      if (text === "") return;
      if (name === "stderr") this.#lastWords = (this.#lastWords + text).slice(-LAST_WORDS);
      this.emit("raw", name, text);
    });
  }

  #readFrames(pipe: Readable): void {
    pipe.on("data", (chunk: Buffer) => {
      for (const frame of this.#reader.push(chunk)) this.#handle(frame);
    });
  }

  #handle(frame: Frame): void {
    if (frame.type === "exit") this.#exited = true;
    if (this.#waiting !== undefined) this.#waiting.push(frame);
    else if (frame.type === "done") void this.#handleAfterOutput(frame);
    else this.emit("frame", frame);
  }

  async #handleAfterOutput(frame: Frame & { type: "done" }): Promise<void> {
    this.#waiting = [];
    await this.#readRest();
    this.emit("frame", frame);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    for (const next of waiting) this.#handle(next);
    if (this.#waiting === undefined) this.#afterWait?.();
  }

  /**
   * Resolves when all has been handed on that lies in the pipes of stdout and stderr by now. Between two turns of the event loop each
   * pipe is read that can be, so when nothing has come nothing was there; a child that goes on writing is not waited for.
   */
  async #readRest(): Promise<void> {
    const begin = this.#rawBytes;
    let before: number;
    do {
      before = this.#rawBytes;
      if (this.#paused) await new Promise<void>((resolve) => (this.#afterPause = resolve));
      await nextTurn();
      await nextTurn();
    } while (this.#paused || (this.#rawBytes > before && this.#rawBytes - begin < MOST_IN_PIPES));
  }

  #end(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#ended) return;
    this.#ended = true;
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
    if (!held) this.#afterPause?.();
  }
}
