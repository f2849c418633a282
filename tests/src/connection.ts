/**
 * A client's end of the wire: the five sockets, signing, and the parts of messages. It shares no code with the kernel, so
 * that a mistake in the kernel's signing or framing is not made twice.
 */
import assert from "node:assert/strict";
import { createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import * as zmq from "zeromq";
import { problemsIn, type KernelChannel } from "./protocol/message-schemas.js";

/** A JSON object off the wire. */
export type Json = Readonly<Record<string, unknown>>;

/** A message as it came, its signature checked. */
export interface Message {
  readonly channel: KernelChannel;
  readonly type: string;
  /** `msg_id` of the request that it answers or belongs to. */
  readonly parent: string | undefined;
  readonly header: Json;
  readonly metadata: Json;
  readonly content: Json;
  readonly buffers: readonly Buffer[];
}

export interface ConnectionOptions {
  readonly transport?: "tcp" | "ipc";
  /** Whether the sockets are encrypted by CurveZMQ. */
  readonly encrypted?: boolean;
  /** Whether messages are signed. */
  readonly signed?: boolean;
  /** Whether each message is held against the protocol's schemas; not so for other people's kernels. */
  readonly validate?: boolean;
}

/** What a message to the kernel may have besides type and content. */
export interface Outgoing {
  readonly id?: string;
  /** The header of what it answers. */
  readonly parent?: Json;
  readonly metadata?: Json;
  readonly buffers?: readonly Uint8Array[];
  readonly header?: Json;
}

/** The channels on which a client sends. */
export type ClientChannel = "shell" | "control" | "stdin";

const DELIMITER = "<IDS|MSG>";
/** ZeroMQ would try ten times a second to reach a kernel that starts; that is too coarse to tell how long it took. */
const RECONNECT = { linger: 0, reconnectInterval: 10 };

export class Connection {
  /** The connection file, for the kernel. */
  readonly file: string;
  readonly heartbeat: zmq.Request;
  /** What was wrong with messages of the kernel, by the protocol. */
  readonly problems: string[] = [];
  readonly #key: string;
  readonly #session = randomUUID();
  readonly #dealers: Readonly<Record<ClientChannel, zmq.Dealer>>;
  readonly #iopub: zmq.Subscriber;
  readonly #validate: boolean;
  #lastSend: Promise<void> = Promise.resolve();
  readonly #shellAddress: string;
  readonly #iopubAddress: string;

  /** Writes the connection file into `folder`, and connects to a kernel that is yet to listen. */
  static async open(folder: string, options: ConnectionOptions = {}): Promise<Connection> {
    return new Connection(folder, options.transport === "ipc" ? [1, 2, 3, 4, 5] : await freePorts(5), options);
  }

  private constructor(
    folder: string,
    [shell_port, iopub_port, stdin_port, control_port, hb_port]: readonly number[],
    { transport = "tcp", encrypted = false, signed = true, validate = true }: ConnectionOptions,
  ) {
    this.#key = signed ? randomUUID() : "";
    this.#validate = validate;
    const ip = transport === "tcp" ? "127.0.0.1" : join(folder, "kernel");
    const server = encrypted ? zmq.curveKeyPair() : undefined;
    this.file = join(folder, "connection.json");
    writeFileSync(
      this.file,
      JSON.stringify({
        ...{ shell_port, iopub_port, stdin_port, control_port, hb_port },
        ...{ transport, ip, signature_scheme: "hmac-sha256", key: this.#key, kernel_name: "metastate" },
        ...(server && { curve_publickey: server.publicKey, curve_secretkey: server.secretKey }),
      }),
    );
    const address = (port?: number) => (transport === "tcp" ? `tcp://${ip}:${port}` : `ipc://${ip}-${port}`);
    this.#shellAddress = address(shell_port);
    this.#iopubAddress = address(iopub_port);
    const own = encrypted ? zmq.curveKeyPair() : undefined;
    const curve = {
      ...(own && { curvePublicKey: own.publicKey, curveSecretKey: own.secretKey }),
      ...(server && { curveServerKey: server.publicKey }),
    };
    // The kernel asks on stdin whom it knows from shell: both have the same identity.
    const dealer = () =>
      new zmq.Dealer({
        ...RECONNECT,
        ...curve,
        sendHighWaterMark: 0,
        receiveHighWaterMark: 0,
        routingId: this.#session,
      });
    this.#dealers = { shell: dealer(), control: dealer(), stdin: dealer() };
    this.#iopub = new zmq.Subscriber({ ...RECONNECT, ...curve, receiveHighWaterMark: 0 });
    this.heartbeat = new zmq.Request({ linger: 0, ...curve });
    this.#dealers.shell.connect(address(shell_port));
    this.#dealers.control.connect(address(control_port));
    this.#dealers.stdin.connect(address(stdin_port));
    this.#iopub.connect(address(iopub_port));
    this.#iopub.subscribe();
    this.heartbeat.connect(address(hb_port));
  }

  /** Calls `take` for every message of the kernel. */
  listen(take: (message: Message) => void): void {
    for (const [channel, socket] of [...Object.entries(this.#dealers), ["iopub", this.#iopub] as const]) {
      void this.#receive(channel as KernelChannel, socket, take);
    }
  }

  /** Sends a message; resolves to its `msg_id`. */
  async send(channel: ClientChannel, type: string, content: Json, outgoing: Outgoing = {}): Promise<string> {
    const { id = randomUUID() } = outgoing;
    await this.sendFrames(channel, this.frames(type, content, { ...outgoing, id }));
    return id;
  }

  /** Sends frames as they are, be they a message or not. */
  async sendFrames(channel: ClientChannel, frames: readonly (string | Uint8Array)[]): Promise<void> {
    // Two sends on a socket must not overlap.
    this.#lastSend = this.#lastSend.then(() => this.#dealers[channel].send([...frames] as (string | Buffer)[]));
    await this.#lastSend;
  }

  /** The frames of a message: delimiter, signature, four parts, buffers. */
  frames(type: string, content: unknown, outgoing: Outgoing = {}): (string | Uint8Array)[] {
    const { id = randomUUID(), parent = {}, metadata = {}, buffers = [] } = outgoing;
    const header = {
      ...{ msg_id: id, msg_type: type, session: this.#session, username: "test" },
      ...{ date: new Date().toISOString(), version: "5.4", ...outgoing.header },
    };
    const parts = [header, parent, metadata, content].map((part) => JSON.stringify(part));
    return [DELIMITER, this.sign(parts), ...parts, ...buffers];
  }

  /** The signature of a message's four parts. */
  sign(parts: readonly (string | Uint8Array)[]): string {
    if (this.#key === "") return "";
    const hmac = createHmac("sha256", this.#key);
    for (const part of parts) hmac.update(part);
    return hmac.digest("hex");
  }

  /** Another subscriber. */
  subscriber(topic: string): zmq.Subscriber {
    const subscriber = new zmq.Subscriber({ linger: 0, receiveTimeout: 30_000 });
    subscriber.connect(this.#iopubAddress);
    subscriber.subscribe(topic);
    return subscriber;
  }

  /** A client without keys, on the kernel's shell. */
  stranger(): zmq.Dealer {
    const dealer = new zmq.Dealer({ linger: 0 });
    dealer.connect(this.#shellAddress);
    return dealer;
  }

  close(): void {
    for (const socket of [...Object.values(this.#dealers), this.#iopub, this.heartbeat]) socket.close();
  }

  async #receive(
    channel: KernelChannel,
    socket: zmq.Dealer | zmq.Subscriber,
    take: (message: Message) => void,
  ): Promise<void> {
    try {
      for await (const frames of socket as AsyncIterable<Buffer[]>) take(this.#parse(channel, frames));
    } catch (error) {
      this.problems.push(String(error));
    }
  }

  #parse(channel: KernelChannel, frames: readonly Buffer[]): Message {
    const at = frames.findIndex((frame) => frame.toString("utf8") === DELIMITER);
    const [signature, ...parts] = frames.slice(at + 1, at + 6).map((frame) => frame.toString("utf8"));
    assert.ok(at >= 0 && parts.length === 4, "a message has its delimiter, its signature and four parts");
    assert.equal(signature, this.sign(parts), "a message is signed with the connection's key");
    const [header, parent_header, metadata, content] = parts.map((part) => JSON.parse(part) as Json);
    assert.ok(header && parent_header && metadata && content);
    if (this.#validate) {
      const problems = problemsIn(channel, { header, parent_header, metadata, content });
      const text = parts[3]?.slice(0, 1000) ?? "";
      this.problems.push(...problems.map((problem) => `${String(header["msg_type"])}: ${problem}, in ${text}`));
    }
    return {
      ...{ channel, header, metadata, content, buffers: frames.slice(at + 6) },
      type: header["msg_type"] as string,
      parent: parent_header["msg_id"] as string | undefined,
    };
  }
}

/**
 * Where this process looks for ports. Between the moment in which a port is found to be free and that in which a kernel listens
 * there, the system might give it to another test file that runs at the same time: these are below those that systems give.
 */
const first = 10_000 + (process.pid % 200) * 100;
let tried = 0;

/** Ports that nobody listens on. */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  while (found.length < count) {
    const port = first + (tried++ % 100);
    const server = createServer().listen(port, "127.0.0.1");
    try {
      await once(server, "listening");
    } catch {
      assert.ok(tried < 10_000, `one of the ports ${first} to ${first + 99} is free`);
      continue;
    }
    await once(server.close(), "close");
    found.push(port);
  }
  return found;
}
