/** The five ZeroMQ sockets of a kernel. */
import * as zmq from "zeromq";
import { address, type ConnectionInfo } from "./connection.js";
import { makeHeader, type Header, type Json, type Message } from "./message.js";
import { GreetingSocket, Publisher, SUBSCRIBER_QUEUE } from "./publisher.js";
import { Wire, WireError } from "./wire.js";

export type RequestChannel = "shell" | "control";

/** Bound sockets, with signing and parsing. */
export class Sockets {
  readonly #wire: Wire;
  readonly #routers: Record<RequestChannel | "stdin", zmq.Router>;
  readonly #iopub: GreetingSocket;
  readonly #publisher: Publisher;
  readonly #heartbeat: zmq.Reply;
  /** Sends on one socket must not overlap: each waits for the one before. */
  readonly #lastSend = new Map<zmq.Writable<never>, Promise<boolean>>();
  readonly #log: (line: string) => void;

  private constructor(info: ConnectionInfo, log: (line: string) => void) {
    this.#wire = new Wire(info.key, info.signature_scheme);
    this.#log = log;
    const { curve_secretkey: curveSecretKey } = info;
    const common = { linger: 1000, ...(curveSecretKey !== undefined && { curveServer: true, curveSecretKey }) };
    // A high-water mark of 0 means no limit: a router drops what goes over it.
    const router = { ...common, sendHighWaterMark: 0, receiveHighWaterMark: 0 };
    this.#routers = {
      shell: new zmq.Router(router),
      control: new zmq.Router(router),
      // Who is asked for input must be there; a reply to a client that has gone may get lost.
      stdin: new zmq.Router({ ...router, mandatory: true }),
    };
    this.#iopub = new GreetingSocket({ ...common, sendHighWaterMark: SUBSCRIBER_QUEUE });
    this.#iopub.noDrop = true;
    this.#publisher = new Publisher(this.#iopub, { log });
    this.#heartbeat = new zmq.Reply({ ...common, linger: 0 });
  }

  /** Binds all five sockets. */
  static async bind(info: ConnectionInfo, log: (line: string) => void): Promise<Sockets> {
    const sockets = new Sockets(info, log);
    await Promise.all([
      sockets.#routers.shell.bind(address(info, "shell_port")),
      sockets.#routers.control.bind(address(info, "control_port")),
      sockets.#routers.stdin.bind(address(info, "stdin_port")),
      sockets.#iopub.bind(address(info, "iopub_port")),
      sockets.#heartbeat.bind(address(info, "hb_port")),
    ]);
    void sockets.#echoHeartbeat();
    void sockets.#welcomeSubscribers();
    return sockets;
  }

  async #echoHeartbeat(): Promise<void> {
    try {
      for await (const frames of this.#heartbeat) await this.#heartbeat.send(frames);
    } catch (error) {
      if (!this.#heartbeat.closed) this.#log(`heartbeat: ${String(error)}`);
    }
  }

  /** Tells each new iopub subscriber that its subscription stands (JEP 65), so that it can wait before it asks. */
  async #welcomeSubscribers(): Promise<void> {
    try {
      for await (const [frame] of this.#iopub) {
        if (frame === undefined) continue;
        const subscription = frame.subarray(1);
        if (frame[0] === 0) this.#iopub.end(subscription);
        if (frame[0] !== 1) continue;
        await this.publish(
          "iopub_welcome",
          { subscription: subscription.toString("utf8") },
          {},
          { topic: subscription, before: () => this.#iopub.accept(subscription) },
        );
      }
    } catch (error) {
      if (!this.#iopub.closed) this.#log(`iopub: ${String(error)}`);
    }
  }

  /** Well-formed messages that arrive on a channel, one after the other; the others are dropped with a log line. */
  async *requests(channel: RequestChannel | "stdin"): AsyncGenerator<Message> {
    const socket = this.#routers[channel];
    try {
      for await (const frames of socket) {
        try {
          yield this.#wire.parse(frames);
        } catch (error) {
          if (!(error instanceof WireError)) throw error;
          this.#log(`a message on ${channel} was dropped: ${error.message}`);
        }
      }
    } catch (error) {
      if (!socket.closed) throw error;
    }
  }

  /** Sends a reply to the sender of `request`. */
  async reply(
    channel: RequestChannel,
    msgType: string,
    content: Json,
    request: Message,
    metadata: Json = {},
  ): Promise<void> {
    await this.#send(this.#routers[channel], {
      identities: request.identities,
      header: makeHeader(msgType),
      parent_header: request.header,
      metadata,
      content,
      buffers: [],
    });
  }

  /**
   * Asks a client on its stdin socket.
   * @returns the `msg_id` of the request, and whether the client has a stdin socket that takes it
   */
  ask(
    msgType: string,
    content: Json,
    parent: Header,
    identities: readonly Buffer[],
  ): { id: string; sent: Promise<boolean> } {
    const header = makeHeader(msgType);
    const message = { identities, header, parent_header: parent, metadata: {}, content, buffers: [] };
    return { id: header.msg_id, sent: this.#send(this.#routers.stdin, message) };
  }

  /** Publishes on iopub; resolves when there is room for it in the queue of every client, see publisher.ts. */
  publish(
    msgType: string,
    content: Json,
    parent: Header | Json,
    options: { topic?: Buffer; metadata?: Json; buffers?: readonly Uint8Array[]; before?: () => void } = {},
  ): Promise<void> {
    const frames = this.#wire.serialise({
      identities: [options.topic ?? Buffer.from(msgType)],
      header: makeHeader(msgType),
      parent_header: parent,
      metadata: options.metadata ?? {},
      content,
      buffers: options.buffers ?? [],
    });
    return this.#publisher.send(frames, options.before);
  }

  /** Whether it could be sent. */
  #send(socket: zmq.Router, message: Message): Promise<boolean> {
    const frames = this.#wire.serialise(message);
    const key = socket as unknown as zmq.Writable<never>;
    const sent = (this.#lastSend.get(key) ?? Promise.resolve(true)).then(async () => {
      try {
        if (!socket.closed) await socket.send(frames);
        return true;
      } catch (error) {
        // A client that has gone away is no reason to stop serving the others.
        this.#log(`a ${message.header.msg_type} could not be sent: ${String(error)}`);
        return false;
      }
    });
    this.#lastSend.set(key, sent);
    return sent;
  }

  /** Waits for what is being sent, then closes all sockets. */
  async close(): Promise<void> {
    await Promise.all([...this.#lastSend.values(), this.#publisher.close()]);
    for (const socket of [...Object.values(this.#routers), this.#iopub, this.#heartbeat]) socket.close();
  }
}
