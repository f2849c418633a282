/** The kernel: answers Jupyter's messages. What each does stands in the table of handlers. */
import type { LanguageClient } from "../language/client.js";
import type { ConnectionInfo } from "../protocol/connection.js";
import { codeOf, type Header, type Message } from "../protocol/message.js";
import { Sockets, type RequestChannel } from "../protocol/sockets.js";
import type { Execute, Request } from "./execute.js";
import { Debugger } from "./debugger/debugger.js";
import { DebugPort } from "./debugger/port.js";
import { Sources } from "./debugger/sources.js";
import { Editing } from "./editing.js";
import { Execution } from "./execution.js";
import { History } from "./history.js";
import { inspectReply } from "./inspect-reply.js";
import { kernelInfo } from "./kernel-info.js";
import { askedName } from "./question.js";
import { Subshells } from "./subshells.js";
import { toCodePoints, toCodeUnits } from "./offsets.js";

export interface KernelOptions {
  readonly connection: ConnectionInfo;
  /** The notebook's folder. */
  readonly folder: string;
  /** The language of the notebook: its process is started first, since it takes longest. */
  readonly language: LanguageClient;
  /** Absolute paths of preload modules. */
  readonly preloads: readonly string[];
  /** Diagnostics for whoever runs the server; never shown in a notebook. */
  readonly log: (line: string) => void;
}

/** How often is looked whether the parent lives, in milliseconds. */
const PARENT_POLL_MS = 1000;

/**
 * A Jupyter server that crashes tells its kernels nothing: they would run for ever. Its process id is in the environment
 * when it started the kernel itself and means it to end with it.
 */
function whenParentIsGone(end: () => void): void {
  const { ppid } = process;
  if (Number(process.env["JPY_PARENT_PID"]) !== ppid) return;
  setInterval(() => {
    if (process.ppid !== ppid) end();
  }, PARENT_POLL_MS).unref();
}

type Handler = (message: Message, channel: RequestChannel) => Promise<void> | void;

export class Kernel {
  readonly #sockets: Sockets;
  readonly #language: LanguageClient;
  readonly #execution: Execution;
  readonly #editing: Editing;
  readonly #history: History;
  readonly #log: (line: string) => void;
  readonly #shells: Subshells;
  readonly #debugger: Debugger;
  /** Header of the last request to the debugger: its events name it as their parent. */
  #debugging: Header | Record<string, never> = {};
  #closed: (() => void) | undefined;

  private constructor(sockets: Sockets, options: KernelOptions) {
    this.#sockets = sockets;
    this.#log = options.log;
    this.#language = options.language;
    this.#history = new History(options.folder, options.log);
    const debugPort = new DebugPort();
    this.#debugger = new Debugger({
      ...{ port: debugPort, sources: new Sources() },
      publish: (event) => void this.#sockets.publish("debug_event", event, this.#debugging),
      declare: (name) => this.#language.ask("declare", name),
    });
    this.#execution = new Execution({
      ...{ debugPort, beforeRun: (...args) => this.#debugger.beforeRun(...args) },
      session: { folder: options.folder, preloads: options.preloads },
      language: this.#language,
      publish: (msgType, content, parent, more) => this.#sockets.publish(msgType, content, parent, more),
      ask: (content, parent, { identities }) => this.#sockets.ask("input_request", content, parent, identities),
      log: options.log,
    });
    this.#editing = new Editing(this.#language, this.#execution);
    const parts = { sockets, editing: this.#editing, execution: this.#execution, history: this.#history };
    this.#shells = new Subshells({ ...parts, counter: { count: 0 } }, (request) => this.#handle(request));
  }

  /** Serves a connection until a client asks for shutdown. */
  static async serve(options: KernelOptions): Promise<void> {
    const sockets = await Sockets.bind(options.connection, options.log);
    const kernel = new Kernel(sockets, options);
    process.on("SIGINT", () => {
      kernel.#execution.interrupt();
    });
    process.on("SIGTERM", () => void kernel.#close());
    whenParentIsGone(() => void kernel.#close());
    await sockets.publish("status", { execution_state: "starting" }, {});
    const closed = new Promise<void>((resolve) => (kernel.#closed = resolve));
    void kernel.#serve("shell");
    void kernel.#serve("control");
    void kernel.#takeInput();
    await closed;
  }

  async #serve(channel: RequestChannel): Promise<void> {
    for await (const message of this.#sockets.requests(channel)) this.#dispatch(message, channel);
  }

  async #takeInput(): Promise<void> {
    for await (const message of this.#sockets.requests("stdin")) {
      if (message.header.msg_type === "input_reply") this.#execution.input.reply(message);
      else this.#log(`a message of unknown type ${message.header.msg_type} on stdin was not answered`);
    }
  }

  /** Cells queue; all else is answered at once, also while a cell runs. */
  #dispatch(message: Message, channel: RequestChannel): void {
    const request = { message, channel };
    if (message.header.msg_type !== "execute_request") void this.#handle(request);
    else this.#shellOf(request)?.push(request);
  }

  /** Undefined where it is for a subshell that there is not: `execute_request` is then answered with the error. */
  #shellOf(request: Request): Execute | undefined {
    try {
      return this.#shells.of(request.message);
    } catch {
      void this.#handle(request);
      return undefined;
    }
  }

  /** The cell that has come before it and is being compiled may define what answers the message. */
  async #comm(message: Message): Promise<void> {
    await this.#shells.given();
    await this.#execution.deliver(message);
  }

  async #handle({ message, channel }: Request): Promise<void> {
    const type = message.header.msg_type;
    const handler = Object.hasOwn(this.#handlers, type) ? this.#handlers[type] : undefined;
    if (handler === undefined) {
      this.#log(`a message of unknown type ${type} was not answered`);
      return;
    }
    void this.#status("busy", message.header);
    try {
      await handler(message, channel);
    } catch (error) {
      const reply = type.replace(/_request$/, "_reply");
      this.#log(`${type} failed: ${error instanceof Error ? (error.stack ?? "") : String(error)}`);
      const evalue = error instanceof Error ? error.message : String(error);
      await this.#sockets.reply(
        channel,
        reply,
        {
          ...{ status: "error", ename: "KernelError", evalue, traceback: [evalue] },
          ...(type === "execute_request" && { execution_count: 0 }),
        },
        message,
      );
    }
    void this.#status("idle", message.header);
    // Front ends show the last state they were told: while a cell still runs, that is busy.
    const busyWith = this.#execution.busyWith;
    if (busyWith !== undefined && busyWith !== message.header) void this.#status("busy", busyWith);
  }

  #status(state: "busy" | "idle", parent: Header): Promise<void> {
    return this.#sockets.publish("status", { execution_state: state }, parent);
  }

  readonly #handlers: Readonly<Record<string, Handler>> = {
    kernel_info_request: (message, channel) => this.#sockets.reply(channel, "kernel_info_reply", kernelInfo(), message),
    // Without `async` a message for a subshell that there is not would throw where nobody looks.
    execute_request: async (message, channel) => this.#shells.of(message).answer({ message, channel }),
    create_subshell_request: (message, channel) => {
      const content = { status: "ok", subshell_id: this.#shells.create() };
      return this.#sockets.reply(channel, "create_subshell_reply", content, message);
    },
    delete_subshell_request: (message, channel) => {
      this.#shells.delete(message.content["subshell_id"]);
      return this.#sockets.reply(channel, "delete_subshell_reply", { status: "ok" }, message);
    },
    list_subshell_request: (message, channel) => {
      const content = { status: "ok", subshell_id: this.#shells.list() };
      return this.#sockets.reply(channel, "list_subshell_reply", content, message);
    },
    complete_request: (message, channel) => this.#complete(message, channel),
    inspect_request: (message, channel) => this.#inspect(message, channel),
    is_complete_request: async (message, channel) => {
      const code = codeOf(message);
      const asks = askedName(code) !== undefined;
      const content = asks ? { status: "complete" } : await this.#language.ask("completeness", code);
      await this.#sockets.reply(channel, "is_complete_reply", { ...content }, message);
    },
    history_request: (message, channel) => {
      const history = this.#history.answer(message.content);
      return this.#sockets.reply(channel, "history_reply", { status: "ok", history }, message);
    },
    comm_info_request: (message, channel) => {
      const content = this.#execution.comms.info(message.content["target_name"]);
      return this.#sockets.reply(channel, "comm_info_reply", content, message);
    },
    comm_open: (message) => this.#comm(message),
    comm_msg: (message) => this.#comm(message),
    comm_close: (message) => this.#comm(message),
    interrupt_request: (message, channel) => {
      this.#shells.abort();
      this.#execution.interrupt();
      return this.#sockets.reply(channel, "interrupt_reply", { status: "ok" }, message);
    },
    debug_request: async (message, channel) => {
      this.#debugging = message.header;
      const content = await this.#debugger.answer(message.content);
      await this.#sockets.reply(channel, "debug_reply", content, message);
    },
    shutdown_request: async (message, channel) => {
      const content = { status: "ok", restart: message.content["restart"] === true };
      await this.#sockets.reply(channel, "shutdown_reply", content, message);
      await this.#sockets.publish("shutdown_reply", content, message.header);
      await this.#status("idle", message.header);
      await this.#close();
    },
  };

  async #complete(message: Message, channel: RequestChannel): Promise<void> {
    const code = codeOf(message);
    const cursor = toCodeUnits(code, Number(message.content["cursor_pos"] ?? Infinity));
    const { items, start, end } = await this.#editing.complete(code, cursor);
    const points = (offset: number): number => toCodePoints(code, offset);
    const content = {
      status: "ok",
      matches: items.map(({ text }) => text),
      cursor_start: points(start),
      cursor_end: points(end),
      metadata: {
        _jupyter_types_experimental: items.map((item) => ({
          ...item,
          start: points(item.start),
          end: points(item.end),
        })),
      },
    };
    await this.#sockets.reply(channel, "complete_reply", content, message);
  }

  async #inspect(message: Message, channel: RequestChannel): Promise<void> {
    const code = codeOf(message);
    const cursor = toCodeUnits(code, Number(message.content["cursor_pos"] ?? Infinity));
    const found = await this.#editing.inspect(code, cursor);
    await this.#sockets.reply(channel, "inspect_reply", inspectReply(found), message);
  }

  async #close(): Promise<void> {
    this.#execution.close();
    await Promise.all([this.#sockets.close(), this.#language.close()]);
    this.#closed?.();
  }
}
