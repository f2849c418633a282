/**
 * A Jupyter client of our own, for tests from the outside: starts a kernel from its kernelspec as Jupyter would, and
 * speaks the messaging protocol with it. Every message of the kernel is held against the protocol's schemas: a test that
 * uses this client fails, when it stops it, if one was wrong.
 */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Connection, type ConnectionOptions, type Json, type Message, type Outgoing } from "./connection.js";
import { kernelspec, surroundings, type Kernelspec } from "./environment.js";

export { freePorts, type Json, type Message } from "./connection.js";

/** What a cell left behind. */
export interface Execution {
  /** Content of the `execute_reply`. */
  readonly reply: Json;
  /** What came on iopub from `busy` to `idle`, without the two. */
  readonly outputs: readonly Message[];
  /** The text of the streams, joined. */
  readonly stdout: string;
  readonly stderr: string;
  /** The iopub `error`, if there was one. */
  readonly error: CellError | undefined;
  /** From the request to both reply and `idle`, in milliseconds. */
  readonly duration: number;
}

/** Content of an iopub `error`. */
export interface CellError {
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: readonly string[];
  /** The traceback as one text without colours. */
  readonly text: string;
}

export interface ExecuteOptions {
  readonly silent?: boolean;
  readonly storeHistory?: boolean;
  readonly stopOnError?: boolean;
  readonly userExpressions?: Json;
  /** Answers an `input_request`; left out, the request says that there is nobody to ask. */
  readonly onInput?: (request: Message) => void;
  /** Called with every output as it comes. */
  readonly onOutput?: (message: Message) => void;
  /** Milliseconds until the test fails; 30,000 unless told. */
  readonly timeout?: number;
  /** Id of the subshell that runs it. */
  readonly subshell?: string;
}

export interface StartOptions extends ConnectionOptions {
  /** Folder in which the kernel is started: the notebook's. A new one unless told. */
  readonly cwd?: string;
  /** What is started; the kernelspec of the environment unless told. */
  readonly spec?: Kernelspec;
  /** Environment variables; undefined removes one. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

type Channel = "shell" | "control";

const PATIENCE = 30_000;
const { pid: ownPid } = process;

/** A kernel that runs, and the line to it. */
export class KernelClient {
  readonly #process: ChildProcess;
  readonly #folder: string;
  /** The sockets, for tests that send what a client would not. */
  readonly connection: Connection;
  readonly #waiting = new Map<string, (message: Message) => void>();
  readonly #listeners = new Set<(message: Message) => void>();
  /** What the kernel's process wrote to its standard error: for the message of a test that fails. */
  log = "";
  /** From the start of the process to its first answer, in milliseconds. */
  readyAfter = NaN;

  private constructor(process: ChildProcess, folder: string, connection: Connection) {
    this.#process = process;
    this.#folder = folder;
    this.connection = connection;
    process.setMaxListeners(0); // each request listens for its end
    process.stderr?.setEncoding("utf8").on("data", (text: string) => (this.log += text));
    connection.listen((message) => {
      if (message.channel === "iopub" || message.channel === "stdin") {
        for (const listener of this.#listeners) listener(message);
      } else if (message.parent !== undefined) {
        this.#waiting.get(message.parent)?.(message);
      }
    });
  }

  /** Starts the kernel in `cwd` and waits until it answers on both shell and iopub. */
  static async start(options: StartOptions = {}): Promise<KernelClient> {
    const { cwd, spec = kernelspec(), env: extra = {}, ...connectionOptions } = options;
    const folder = mkdtempSync(join(tmpdir(), "metastate-client-"));
    const connection = await Connection.open(folder, connectionOptions);
    const { argv, env } = spec;
    const [command, ...args] = argv.map((part) => part.replace("{connection_file}", connection.file));
    assert.ok(command, "the kernelspec has no argv");
    const process = spawn(command, args, {
      cwd: cwd ?? folder,
      // With the parent's id, as Jupyter gives it, the kernel ends even when the test is killed.
      env: surroundings({ ...env, JPY_PARENT_PID: String(ownPid), ...extra }),
      stdio: ["ignore", "ignore", "pipe"],
    });
    const started = performance.now();
    const client = new KernelClient(process, folder, connection);
    try {
      await client.#untilReady();
      client.readyAfter -= started;
    } catch (error) {
      await client.stop();
      throw error;
    }
    return client;
  }

  /** Process id of the front. */
  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Resolves when the front's process has ended. */
  async ended(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) await once(this.#process, "exit");
  }

  /** Ends the front as the kernel of the operating system would. */
  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Resolves when the heartbeat has come back. */
  async heartbeat(): Promise<void> {
    await this.connection.heartbeat.send("beat");
    await this.#within(this.connection.heartbeat.receive(), PATIENCE, "a heartbeat");
  }

  /** Asks and waits for the reply. */
  request(channel: Channel, type: string, content: Json = {}, timeout = PATIENCE): Promise<Message> {
    const id = randomUUID();
    const reply = this.#reply(id, type, timeout);
    void this.connection.send(channel, type, content, { id });
    return reply;
  }

  /** Sends a message that has no reply, and waits for `idle`; resolves to what iopub brought for it, without the states. */
  async tell(type: string, content: Json, outgoing: Outgoing = {}): Promise<readonly Message[]> {
    const { id = randomUUID() } = outgoing;
    const outputs: Message[] = [];
    await this.#untilIdle(
      id,
      PATIENCE,
      (message) => outputs.push(message),
      async () => {
        await this.connection.send("shell", type, content, { ...outgoing, id });
      },
    );
    return outputs;
  }

  /** Answers an `input_request`. */
  async answer(request: Message, value: string): Promise<void> {
    await this.connection.send("stdin", "input_reply", { value }, { parent: request.header });
  }

  /** Runs a cell, and waits for its reply and for `idle`. */
  async execute(code: string, options: ExecuteOptions = {}): Promise<Execution> {
    const { silent = false, storeHistory = true, stopOnError = true, timeout = PATIENCE } = options;
    const id = randomUUID();
    const outputs: Message[] = [];
    const take = (message: Message) => {
      if (message.channel === "stdin") return options.onInput?.(message);
      outputs.push(message);
      options.onOutput?.(message);
    };
    const started = performance.now();
    const content = await this.#untilIdle(id, timeout, take, async () => {
      const reply = this.#reply(id, "execute_request", timeout);
      const request = {
        ...{ code, silent, store_history: storeHistory, user_expressions: options.userExpressions ?? {} },
        ...{ allow_stdin: options.onInput !== undefined, stop_on_error: stopOnError },
      };
      await this.connection.send("shell", "execute_request", request, { id, ...inSubshell(options.subshell) });
      return (await reply).content;
    });
    const duration = performance.now() - started;
    return {
      ...{ reply: content, outputs, duration, error: errorIn(outputs) },
      ...{ stdout: streamIn(outputs, "stdout"), stderr: streamIn(outputs, "stderr") },
    };
  }

  /** Hands on what the kernel says for a message on iopub and stdin, until it is idle again; `send` sends the message. */
  async #untilIdle<T>(
    id: string,
    timeout: number,
    take: (message: Message) => void,
    send: () => Promise<T>,
  ): Promise<T> {
    const { promise: idle, resolve } = withResolvers<void>();
    const listener = (message: Message) => {
      if (message.parent !== id) return;
      if (message.type !== "status") take(message);
      else if (message.content["execution_state"] === "idle") resolve();
    };
    this.#listeners.add(listener);
    try {
      const sent = await send();
      await this.#within(idle, timeout, "status idle");
      return sent;
    } finally {
      this.#listeners.delete(listener);
    }
  }

  /** Calls `listener` with all that iopub and stdin bring, until the function that is returned is called. */
  listen(listener: (message: Message) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** All that iopub brings while `body` runs, whatever it belongs to. */
  async whileListening(body: () => Promise<unknown>): Promise<readonly Message[]> {
    const messages: Message[] = [];
    const listener = (message: Message) => messages.push(message);
    this.#listeners.add(listener);
    try {
      await body();
    } finally {
      this.#listeners.delete(listener);
    }
    return messages;
  }

  /** Interrupts the cell that runs, as Jupyter does for a kernelspec with `interrupt_mode: message`. */
  async interrupt(): Promise<void> {
    await this.request("control", "interrupt_request");
  }

  /** Shuts the kernel down, and ends it by force when it does not end. */
  async stop(): Promise<void> {
    try {
      if (this.#process.exitCode === null && this.#process.signalCode === null) {
        const ended = once(this.#process, "exit");
        await this.request("control", "shutdown_request", { restart: false }, 5_000).catch(() => undefined);
        const force = setTimeout(() => this.#process.kill("SIGKILL"), 5_000);
        await ended;
        clearTimeout(force);
      }
    } finally {
      this.connection.close();
      rmSync(this.#folder, { recursive: true, force: true });
    }
    assert.deepEqual(this.connection.problems, [], "every message is as the protocol has it");
  }

  /** A subscription stands only some time after it was asked for, so what the first cells print could be missed. */
  async #untilReady(): Promise<void> {
    const { promise: heard, resolve } = withResolvers<void>();
    this.#listeners.add(() => resolve());
    const ask = setInterval(() => void this.request("shell", "kernel_info_request").catch(() => undefined), 200);
    try {
      await this.request("shell", "kernel_info_request");
      this.readyAfter = performance.now();
      await this.#within(heard, PATIENCE, "a first message on iopub");
    } finally {
      clearInterval(ask);
      this.#listeners.clear();
    }
  }

  #reply(id: string, type: string, timeout: number): Promise<Message> {
    const { promise, resolve } = withResolvers<Message>();
    this.#waiting.set(id, resolve);
    return this.#within(promise, timeout, `a reply to ${type}`).finally(() => this.#waiting.delete(id));
  }

  /** Waits, but not for a kernel that has ended: what it had sent has then come a second later. */
  async #within<T>(promise: Promise<T>, timeout: number, what: string): Promise<T> {
    const { promise: late, reject } = withResolvers<never>();
    const giveUp = (why: string) =>
      reject(
        new Error(
          `the kernel did not send ${what}: ${why}; its log:\n${this.log}\n${this.connection.problems.join("\n")}`,
        ),
      );
    const timer = setTimeout(() => giveUp(`${timeout} ms have passed, and it runs`), timeout);
    const onExit = (code: number | null, signal: string | null) =>
      setTimeout(() => giveUp(`it ended with status ${code ?? signal}`), 1_000);
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.once("exit", onExit);
    else onExit(this.#process.exitCode, this.#process.signalCode);
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
      this.#process.off("exit", onExit);
    }
  }
}

/** What a message has beside its content that is for a subshell. */
function inSubshell(subshell: string | undefined): Outgoing {
  return subshell === undefined ? {} : { header: { subshell_id: subshell } };
}

function streamIn(outputs: readonly Message[], name: "stdout" | "stderr"): string {
  return outputs
    .filter(({ type, content }) => type === "stream" && content["name"] === name)
    .map(({ content }) => String(content["text"]))
    .join("");
}

function errorIn(outputs: readonly Message[]): CellError | undefined {
  const message = outputs.find(({ type }) => type === "error");
  if (message === undefined) return undefined;
  const { ename, evalue, traceback } = message.content as unknown as Omit<CellError, "text">;
  return { ename, evalue, traceback, text: withoutColours(traceback.join("\n")) };
}

/** Text without the control sequences that colour it in a terminal. */
export function withoutColours(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\x1b\[[\d;]*m/g, "");
}

// Promise.withResolvers came with Node.js 22.
function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (reason: Error) => void } {
  let resolve!: (value: T) => void;
  let reject!: (reason: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
