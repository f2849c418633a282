/** Comms: messages between a cell and the page that shows the notebook, or any other client of the kernel. */
import { randomUUID } from "node:crypto";
import { currentCell, currentTask } from "../session/current-cell.js";
import { sendFrame } from "../session/frames.js";
import type { CommContent } from "../session-protocol.js";

/** A JSON object. */
type Json = Record<string, unknown>;

/** What a client has sent. */
export interface CommMessage {
  readonly data: Json;
  readonly metadata: Json;
  /** Binary data that came with it; each has memory of its own. */
  readonly buffers: readonly Uint8Array[];
}

/** What else than data a message may carry. */
export interface CommOptions {
  readonly metadata?: Json;
  /** Binary data, sent as it is. */
  readonly buffers?: readonly Uint8Array[];
}

type Handler<Arguments extends readonly unknown[]> = (...args: Arguments) => unknown;

/** A handler, and the cell on which appears what it prints and throws. */
interface Registered<Arguments extends readonly unknown[]> {
  readonly handler: Handler<Arguments>;
  readonly cell: number;
}

/** A call of a handler, to be made as part of its cell. */
export interface HandlerCall {
  readonly cell: number;
  readonly call: () => unknown;
}

type Handlers = Set<Registered<[message: CommMessage]>>;

const open = new Map<string, Comm>();
const targets = new Map<string, Registered<[comm: Comm, message: CommMessage]>>();
/** The handlers of a comm, which are no business of cells. */
let handlersOf: (comm: Comm, action: "comm_msg" | "comm_close") => Handlers;

/**
 * One line to a client, by which both send messages. Cells get them from {@link comms}.
 */
export class Comm {
  readonly id: string;
  /** The name by which the two ends agreed what the comm is for. */
  readonly target: string;
  readonly #messageHandlers: Handlers = new Set();
  readonly #closeHandlers: Handlers = new Set();

  static {
    handlersOf = (comm, action) => (action === "comm_msg" ? comm.#messageHandlers : comm.#closeHandlers);
  }

  /** @internal Cells get comms from `comms`. */
  constructor(id: string, target: string) {
    this.id = id;
    this.target = target;
  }

  /** Whether either end has closed it. */
  get closed(): boolean {
    return open.get(this.id) !== this;
  }

  /**
   * Sends a message.
   * @throws {Error} when the comm is closed.
   */
  send(data: Json, options: CommOptions = {}): void {
    if (this.closed) {
      throw new Error(`The comm ${this.id} (${this.target}) is closed: open another with comms.open("${this.target}")`);
    }
    send("comm_msg", this, data, options);
  }

  /** Closes the comm; does nothing where it is closed already. The close handlers are for the client's closing. */
  close(data: Json = {}): void {
    if (this.closed) return;
    open.delete(this.id);
    send("comm_close", this, data, {});
  }

  /**
   * Calls `handler` for each message of the client, in the order in which they come, also while a cell awaits. What it
   * prints and throws appears on the cell that has called `onMessage`.
   * @returns a function that ends this
   */
  onMessage(handler: (message: CommMessage) => void | Promise<void>): () => void {
    return register(this.#messageHandlers, handler);
  }

  /**
   * Calls `handler` when the client closes the comm.
   * @returns a function that ends this
   */
  onClose(handler: (message: CommMessage) => void): () => void {
    return register(this.#closeHandlers, handler);
  }
}

/** Opens comms, and answers the clients that open some. */
export const comms = {
  /** Opens a comm to the clients that know `target`; one that does not know it closes it at once. */
  open(target: string, data: Json = {}, options: CommOptions & { readonly id?: string } = {}): Comm {
    const comm = new Comm(options.id ?? randomUUID(), target);
    if (open.has(comm.id))
      throw new Error(`A comm with the id ${comm.id} is open: close it first, or leave the id out`);
    send("comm_open", comm, data, options);
    open.set(comm.id, comm);
    return comm;
  },

  /**
   * Calls `handler` when a client opens a comm of this target; it replaces the target's handler before it.
   * @returns a function that ends this
   */
  onOpen(target: string, handler: (comm: Comm, message: CommMessage) => void): () => void {
    const registered = { handler, cell: currentCell() };
    targets.set(target, registered);
    return () => {
      if (targets.get(target) === registered) targets.delete(target);
    };
  },

  /** The comms that are open. */
  list(): readonly Comm[] {
    return [...open.values()];
  },
};

/**
 * Takes a client's message, and says which handlers are to be called for it.
 * @internal
 */
export function receive({ action, comm: id, target, data, metadata, buffers }: CommContent): HandlerCall[] {
  const message: CommMessage = { data, metadata, buffers };
  if (action === "comm_open") return opened(new Comm(id, target), message);
  const comm = open.get(id);
  if (comm === undefined) return [];
  if (action === "comm_close") open.delete(id);
  return [...handlersOf(comm, action)].map(({ handler, cell }) => ({ cell, call: () => handler(message) }));
}

function opened(comm: Comm, message: CommMessage): HandlerCall[] {
  const registered = targets.get(comm.target);
  open.set(comm.id, comm);
  if (registered === undefined) {
    comm.close();
    return [];
  }
  const call = async (): Promise<void> => {
    try {
      await registered.handler(comm, message);
    } catch (error) {
      comm.close();
      throw error;
    }
  };
  return [{ cell: registered.cell, call }];
}

function register(handlers: Handlers, handler: Handler<[message: CommMessage]>): () => void {
  const registered = { handler, cell: currentCell() };
  handlers.add(registered);
  return () => handlers.delete(registered);
}

function send(
  action: CommContent["action"],
  comm: Comm,
  data: Json,
  { metadata = {}, buffers = [] }: CommOptions,
): void {
  const [cell, task] = [currentCell(), currentTask()];
  const content = { action, comm: comm.id, target: comm.target, data, metadata, buffers };
  sendFrame({ type: "comm", cell, ...(task === cell ? {} : { message: task }), ...content });
}
