/** The language service as the front uses it: questions to its process, answers as promises. */
import { spawn, type ChildProcess } from "node:child_process";
import { createRequire } from "node:module";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { LineReader } from "../line-reader.js";
import type { LanguageOptions } from "./language.js";
import { LANGUAGE_PIPE, type LanguageReply, type LanguageRequest, type LanguageRequests } from "./questions.js";
import { NODE_FLAGS, Snapshot } from "./snapshot.js";

interface Pending {
  readonly request: LanguageRequest;
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/** Time after the start in which the machine has other things to do than to make a snapshot for the next one, in milliseconds. */
const BUILD_AFTER_MS = 5000;
/** Signals that somebody has sent; the others are what a process brings upon itself. */
const FROM_OUTSIDE: ReadonlySet<NodeJS.Signals> = new Set([
  ...(["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGXCPU", "SIGPIPE"] as const),
]);
/**
 * How glibc gives memory for a snapshot, of which Node makes two copies before V8 reads it. In large pages where Linux has them: to give
 * it in small ones takes a fifth of the start. What is freed goes back to the system, which it does not where large pieces come from the
 * heap (glibc decides on that by the size of the first), or from one of each thread: 12 MB. Other C libraries do not know the variable.
 */
const MALLOC = { GLIBC_TUNABLES: "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=131072:glibc.malloc.arena_max=1" };
/** Certificates that Node reads as it starts, with its own, which takes a fifth of the start: for a process that opens no connection. */
const NO_CERTIFICATES = { NODE_EXTRA_CA_CERTS: undefined };
const MAIN = fileURLToPath(new URL("./main.js", import.meta.url));

export class LanguageClient {
  readonly #options: LanguageOptions;
  readonly #snapshot: Snapshot;
  readonly #pending = new Map<number, Pending>();
  readonly #buildAfter: number;
  #process: ChildProcess;
  #opened = false;
  /** Whether a process was killed from outside before it was up. */
  #killed = false;
  #building: NodeJS.Timeout | undefined;
  #lastId = 0;
  #failed: Error | undefined;

  /** @param buildAfter milliseconds after which a snapshot is made where there is none */
  constructor(options: Omit<LanguageOptions, "nodeTypes">, buildAfter = BUILD_AFTER_MS) {
    this.#buildAfter = buildAfter;
    this.#options = withNodeTypes(options);
    this.#snapshot = new Snapshot(this.#options);
    const snapshot = this.#snapshot.find();
    this.#process = this.#start(snapshot);
    const opened = this.ask("open", this.#options);
    opened.then(
      (fresh) => {
        this.#opened = true;
        if (snapshot === undefined || !fresh) this.#buildLater();
      },
      () => undefined,
    );
  }

  #start(snapshot: string | undefined): ChildProcess {
    const args = snapshot === undefined ? [MAIN] : ["--snapshot-blob", snapshot];
    const child = spawn(process.execPath, [...NODE_FLAGS, ...args], {
      stdio: ["pipe", "ignore", "inherit", "pipe"],
      // In a process group of its own no Ctrl-C in the terminal reaches it; it ends when its pipe is closed.
      detached: process.platform !== "win32",
      env: { ...(snapshot !== undefined && MALLOC), ...process.env, ...NO_CERTIFICATES },
      windowsHide: true,
    });
    const reader = new LineReader();
    const answers = child.stdio[LANGUAGE_PIPE.answers] as Readable;
    answers.on("data", (chunk: Buffer) => {
      for (const line of reader.push(chunk)) this.#settle(JSON.parse(line) as LanguageReply);
    });
    // A write to a process that has just ended; its end is noticed by itself.
    child.stdin?.on("error", () => undefined);
    let ended = false;
    const end = (reason: string, signal: NodeJS.Signals | null = null): void => {
      // A kernel that is shut down ends its process itself, perhaps before it was up: nothing is wrong with the snapshot.
      if (ended || child !== this.#process || this.#failed !== undefined) return;
      ended = true;
      if (snapshot === undefined || this.#opened) this.#fail(reason);
      else this.#startAgain(snapshot, signal);
    };
    child.on("error", (error) => {
      end(error.message);
    });
    child.on("exit", (code, signal) => {
      end(signal === null ? `it ended with status ${code}` : `it was ended by ${signal}`, signal);
    });
    return child;
  }

  /**
   * A process that did not come up from its snapshot: that was made by another Node.js, say, or is damaged. One that was killed from
   * outside, for want of memory or by an administrator, says nothing of the snapshot, and is started from it once more.
   */
  #startAgain(snapshot: string, signal: NodeJS.Signals | null): void {
    const killed = signal !== null && FROM_OUTSIDE.has(signal);
    const again = killed && !this.#killed;
    this.#killed = killed;
    if (!killed) this.#snapshot.discard();
    this.#process = this.#start(again ? snapshot : undefined);
    for (const { request } of this.#pending.values()) this.#send(request);
    if (!killed) this.#buildLater();
  }

  #buildLater(): void {
    this.#building ??= setTimeout(() => {
      void this.#snapshot.build({ background: true });
    }, this.#buildAfter).unref();
  }

  /** Asks; answers come in the order of the questions. */
  ask<M extends keyof LanguageRequests>(
    method: M,
    ...args: LanguageRequests[M]["args"]
  ): Promise<LanguageRequests[M]["result"]> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    const request: LanguageRequest = { id: ++this.#lastId, method, args };
    return new Promise((resolve, reject) => {
      this.#pending.set(request.id, { request, resolve, reject });
      this.#send(request);
    });
  }

  #send(request: LanguageRequest): void {
    (this.#process.stdin as Writable).write(`${JSON.stringify(request)}\n`);
  }

  #settle(reply: LanguageReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if ("error" in reply) pending?.reject(new Error(reply.error));
    else pending?.resolve(reply.result as never);
  }

  /** Process id; another one after a process that did not come up. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  async close(): Promise<void> {
    clearTimeout(this.#building);
    this.#snapshot.close();
    const child = this.#process;
    this.#failed = new Error("The kernel is shutting down");
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      child.on("exit", () => {
        resolve();
      });
      child.kill("SIGKILL");
    });
  }

  #fail(reason: string): void {
    if (this.#failed !== undefined) return;
    this.#failed = new Error(`The TypeScript language service has stopped: ${reason}. Restart the kernel.`);
    for (const { reject } of this.#pending.values()) reject(this.#failed);
    this.#pending.clear();
  }
}

/** Makes the snapshot that a kernel with these globals starts from, where there is none; says whether there is one now. */
export async function prepareSnapshot(globals: readonly string[]): Promise<boolean> {
  const snapshot = new Snapshot(withNodeTypes({ folder: "", globals }));
  return snapshot.find() !== undefined || snapshot.build();
}

function withNodeTypes(options: Omit<LanguageOptions, "nodeTypes">): LanguageOptions {
  const nodeTypes = createRequire(import.meta.url)
    .resolve("@types/node/package.json")
    .replace("package.json", "index.d.ts");
  return { ...options, nodeTypes };
}
