/**
 * A Jupyter client of our own, for tests from the outside: starts a kernel from its kernelspec as Jupyter would, and
 * speaks the messaging protocol (version 5.4) with it over ZeroMQ. It shares no code with the kernel, so that a mistake
 * in the kernel's signing or framing is not made twice.
 */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as zmq from "zeromq";
import { kernelspec, surroundings, type Kernelspec } from "./environment.js";

/** A JSON object off the wire. */
export type Json = Readonly<Record<string, unknown>>;

/** A message as it came, its signature checked. */
export interface Message {
  readonly type: string;
  /** `msg_id` of the request that it answers or belongs to. */
  readonly parent: string | undefined;
  readonly content: Json;
}

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
  /** Called with every output as it comes. */
  readonly onOutput?: (message: Message) => void;
  /** Milliseconds until the test fails; 30,000 unless told. */
  readonly timeout?: number;
}

export interface StartOptions {
  /** Folder in which the kernel is started: the notebook's. A new one unless told. */
  readonly cwd?: string;
  /** What is started; the kernelspec of the environment unless told. */
  readonly spec?: Kernelspec;
  /** Environment variables; undefined removes one. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

type Channel = "shell" | "control";

const DELIMITER = "<IDS|MSG>";
const PATIENCE = 30_000;
const { pid: ownPid } = process;

/** A kernel that runs, and the line to it. */
export class KernelClient {
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly #key: string;
  readonly #session = randomUUID();
  readonly #dealers: Record<Channel, zmq.Dealer>;
  readonly #iopub: zmq.Subscriber;
  readonly #heartbeat: zmq.Request;
  readonly #waiting = new Map<string, (message: Message) => void>();
  readonly #listeners = new Set<(message: Message) => void>();
  /** What the kernel's process wrote to its standard error: for the message of a test that fails. */
  log = "";
  /** From the start of the process to its first answer, in milliseconds. */
  readyAfter = NaN;

  private constructor(process: ChildProcess, folder: string, key: string, ports: readonly number[]) {
    this.#process = process;
    this.#folder = folder;
    this.#key = key;
    const [shell, iopub, , control, heartbeat] = ports;
    // ZeroMQ would try ten times a second to reach a kernel that starts; that is too coarse to tell how long it took.
    const dealer = () => new zmq.Dealer({ linger: 0, reconnectInterval: 10 });
    this.#dealers = { shell: dealer(), control: dealer() };
    this.#iopub = new zmq.Subscriber({ linger: 0, receiveHighWaterMark: 0, reconnectInterval: 10 });
    this.#dealers.shell.connect(`tcp://127.0.0.1:${shell}`);
    this.#dealers.control.connect(`tcp://127.0.0.1:${control}`);
    this.#iopub.connect(`tcp://127.0.0.1:${iopub}`);
    this.#iopub.subscribe();
    this.#heartbeat = new zmq.Request({ linger: 0, receiveTimeout: PATIENCE, sendTimeout: PATIENCE });
    this.#heartbeat.connect(`tcp://127.0.0.1:${heartbeat}`);
    process.setMaxListeners(0); // each request listens for its end
    process.stderr?.setEncoding("utf8").on("data", (text: string) => (this.log += text));
    void this.#receive(this.#dealers.shell, (message) => this.#answer(message));
    void this.#receive(this.#dealers.control, (message) => this.#answer(message));
    void this.#receive(this.#iopub, (message) => {
      for (const listener of this.#listeners) listener(message);
    });
  }

  /** Starts the kernel in `cwd` and waits until it answers on both shell and iopub. */
  static async start({ cwd, spec = kernelspec(), env: extra = {} }: StartOptions = {}): Promise<KernelClient> {
    const folder = mkdtempSync(join(tmpdir(), "metastate-client-"));
    const connectionFile = join(folder, "connection.json");
    const key = randomUUID();
    const ports = await freePorts(5);
    const [shell_port, iopub_port, stdin_port, control_port, hb_port] = ports;
    writeFileSync(
      connectionFile,
      JSON.stringify({
        ...{ shell_port, iopub_port, stdin_port, control_port, hb_port },
        ...{ transport: "tcp", ip: "127.0.0.1", signature_scheme: "hmac-sha256", key, kernel_name: "metastate" },
      }),
    );
    const { argv, env } = spec;
    const [command, ...args] = argv.map((part) => part.replace("{connection_file}", connectionFile));
    assert.ok(command, "the kernelspec has no argv");
    const process = spawn(command, args, {
      cwd: cwd ?? folder,
      // With the parent's id, as Jupyter gives it, the kernel ends even when the test is killed.
      env: surroundings({ ...env, JPY_PARENT_PID: String(ownPid), ...extra }),
      stdio: ["ignore", "ignore", "pipe"],
    });
    const started = performance.now();
    const client = new KernelClient(process, folder, key, ports);
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
    await this.#heartbeat.send("beat");
    await this.#heartbeat.receive();
  }

  /** Asks and waits for the reply. */
  request(channel: Channel, type: string, content: Json = {}, timeout = PATIENCE): Promise<Message> {
    const id = randomUUID();
    const reply = this.#reply(id, type, timeout);
    void this.#send(channel, type, id, content);
    return reply;
  }

  /** Runs a cell, and waits for its reply and for `idle`. */
  async execute(code: string, options: ExecuteOptions = {}): Promise<Execution> {
    const { silent = false, storeHistory = true, stopOnError = true, onOutput, timeout = PATIENCE } = options;
    const id = randomUUID();
    const outputs: Message[] = [];
    const { promise: idle, resolve } = withResolvers<void>();
    const listener = (message: Message) => {
      if (message.parent !== id) return;
      if (message.type === "status") {
        if (message.content["execution_state"] === "idle") resolve();
        return;
      }
      outputs.push(message);
      onOutput?.(message);
    };
    this.#listeners.add(listener);
    const started = performance.now();
    try {
      const reply = this.#reply(id, "execute_request", timeout);
      await this.#send("shell", "execute_request", id, {
        ...{ code, silent, store_history: storeHistory, user_expressions: {} },
        ...{ allow_stdin: false, stop_on_error: stopOnError },
      });
      const { content } = await reply;
      await this.#within(idle, timeout, "status idle");
      const duration = performance.now() - started;
      return {
        ...{ reply: content, outputs, duration, error: errorIn(outputs) },
        ...{ stdout: streamIn(outputs, "stdout"), stderr: streamIn(outputs, "stderr") },
      };
    } finally {
      this.#listeners.delete(listener);
    }
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
      for (const socket of [...Object.values(this.#dealers), this.#iopub, this.#heartbeat]) socket.close();
      rmSync(this.#folder, { recursive: true, force: true });
    }
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

  #answer(message: Message): void {
    if (message.parent !== undefined) this.#waiting.get(message.parent)?.(message);
  }

  /** Waits, but not for a kernel that has ended: what it had sent has then come a second later. */
  async #within<T>(promise: Promise<T>, timeout: number, what: string): Promise<T> {
    const { promise: late, reject } = withResolvers<never>();
    const giveUp = (why: string) => reject(new Error(`the kernel did not send ${what}: ${why}; its log:\n${this.log}`));
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

  async #send(channel: Channel, type: string, id: string, content: Json): Promise<void> {
    const header = {
      ...{ msg_id: id, msg_type: type, session: this.#session, username: "test" },
      ...{ date: new Date().toISOString(), version: "5.4" },
    };
    const frames = [header, {}, {}, content].map((part) => JSON.stringify(part));
    await this.#dealers[channel].send([DELIMITER, this.#sign(frames), ...frames]);
  }

  async #receive(socket: zmq.Dealer | zmq.Subscriber, take: (message: Message) => void): Promise<void> {
    for await (const frames of socket as AsyncIterable<Buffer[]>) take(this.#parse(frames));
  }

  #parse(frames: readonly Buffer[]): Message {
    const at = frames.findIndex((frame) => frame.toString("utf8") === DELIMITER);
    const [signature, ...parts] = frames.slice(at + 1).map((frame) => frame.toString("utf8"));
    const [header, parent, , content] = parts;
    assert.ok(at >= 0 && header && parent && content, "a message has its delimiter and four parts");
    assert.equal(signature, this.#sign(parts.slice(0, 4)), "a message is signed with the connection's key");
    return {
      type: (JSON.parse(header) as { msg_type: string }).msg_type,
      parent: (JSON.parse(parent) as { msg_id?: string }).msg_id,
      content: JSON.parse(content) as Json,
    };
  }

  #sign(frames: readonly string[]): string {
    const hmac = createHmac("sha256", this.#key);
    for (const frame of frames) hmac.update(frame);
    return hmac.digest("hex");
  }
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

/** Ports that nobody listens on. They are held until all are found, so that they differ. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
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
