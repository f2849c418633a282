/** Answers the `execute_request`s of a shell, one after the other. */
import { codeOf, type Json, type Message } from "../protocol/message.js";
import type { RequestChannel, Sockets } from "../protocol/sockets.js";
import type { MimeBundle, Outcome } from "../session-protocol.js";
import type { Editing } from "./editing.js";
import type { Execution, ExecutionRequest } from "./execution.js";
import type { History } from "./history.js";
import { pagePayload } from "./inspect-reply.js";
import { askedName } from "./question.js";

export interface ExecuteOptions {
  readonly sockets: Sockets;
  readonly editing: Editing;
  readonly execution: Execution;
  readonly history: History;
  /** Numbers the inputs, those of all shells in one row. */
  readonly counter: { count: number };
  /** The subshell whose requests these are; the kernel's own shell where it is left out. */
  readonly subshell?: string;
}

/** A request, and where its reply goes. */
export interface Request {
  readonly message: Message;
  readonly channel: RequestChannel;
}

export class Execute {
  readonly #options: ExecuteOptions;
  readonly #queue: Request[] = [];
  readonly #handle: (request: Request) => Promise<void>;
  #draining = false;
  /** Settles when the latest cell has been given to the session, or has ended without; and what settles it. */
  #given = Promise.resolve();
  #giveUp: () => void = () => undefined;

  /** @param handle Answers a request by {@link answer}, between `busy` and `idle`. */
  constructor(options: ExecuteOptions, handle: (request: Request) => Promise<void>) {
    this.#options = options;
    this.#handle = handle;
  }

  /**
   * Settles when no cell is about to start: a comm message that has come after a request to define what handles it then
   * finds that defined.
   */
  get given(): Promise<void> {
    return this.#given;
  }

  /** Has a request answered when those before it have been. */
  push(request: Request): void {
    this.#queue.push(request);
    void this.#drain();
  }

  async #drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      this.#given = new Promise((resolve) => (this.#giveUp = resolve));
      await this.#handle(next);
      this.#giveUp();
    }
    this.#draining = false;
  }

  /** Runs a cell, evaluates the `user_expressions`, and replies. */
  async answer({ message, channel }: Request): Promise<void> {
    const { sockets, execution, history, counter, subshell } = this.#options;
    const { header: parent, content } = message;
    const source = codeOf(message);
    const silent = content["silent"] === true;
    const empty = source.trim() === "";
    const stored = !silent && !empty && content["store_history"] !== false;
    const executionCount = stored ? ++counter.count : counter.count;
    const started = new Date().toISOString();
    const request: ExecutionRequest = {
      ...{ source, silent, executionCount, parent, subshell, given: this.#giveUp },
      client: { identities: message.identities, allowStdin: content["allow_stdin"] === true },
    };
    const onResult = ({ "text/plain": text }: MimeBundle): void => {
      if (stored && typeof text === "string") history.addOutput(executionCount, text);
    };
    const question = askedName(source);
    // The cell is being compiled while it is announced and written down.
    const running: Promise<Outcome> | Outcome =
      question !== undefined
        ? this.#page(question)
        : empty
          ? { status: "ok" }
          : execution.execute({ ...request, onResult });
    const announced = silent
      ? undefined
      : sockets.publish("execute_input", { code: source, execution_count: executionCount }, parent);
    if (stored) history.add(executionCount, source);
    const outcome = await running;
    // A client that is behind holds up cells that show nothing, too.
    await announced;
    const user_expressions = outcome.status === "ok" ? await this.#evaluate(request, content["user_expressions"]) : {};
    const payload = outcome.status === "ok" ? (outcome.payload ?? []) : [];
    const reply = { ...outcome, execution_count: executionCount, user_expressions, payload };
    await sockets.reply(channel, "execute_reply", reply, message, { started });
    if (outcome.status === "error" && !silent && content["stop_on_error"] !== false) this.abort();
  }

  /** Requests that wait behind a failed cell are not run: they were sent in the belief that it would succeed. */
  abort(): void {
    const { sockets } = this.#options;
    for (const { message, channel } of this.#queue.splice(0)) {
      void sockets.publish("status", { execution_state: "busy" }, message.header);
      void sockets.reply(channel, "execute_reply", { status: "aborted" }, message);
      void sockets.publish("status", { execution_state: "idle" }, message.header);
    }
  }

  async #page(name: string): Promise<Outcome> {
    const inspection = await this.#options.editing.inspect(name, name.length);
    return { status: "ok", payload: pagePayload(name, inspection) };
  }

  async #evaluate(request: ExecutionRequest, expressions: unknown): Promise<Json> {
    const values: Json = {};
    if (expressions === null || typeof expressions !== "object") return values;
    for (const [name, expression] of Object.entries(expressions)) {
      values[name] = await this.#options.execution.evaluate(request, name, String(expression));
    }
    return values;
  }
}
