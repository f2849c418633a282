/**
 * The comms that are open, as the front knows them: it says which there are, and closes them when their session ends. What
 * they carry is between the session and the clients.
 */
import type { Header, Json, Message } from "../protocol/message.js";
import type { CommContent } from "../session-protocol.js";
import type { Publish } from "./outputs.js";

export class Comms {
  readonly #publish: Publish;
  /** The target of each comm by its id. */
  readonly #targets = new Map<string, string>();

  constructor(publish: Publish) {
    this.#publish = publish;
  }

  /** Content of a `comm_info_reply`: all comms, or those of a target. */
  info(target: unknown): Json {
    const wanted = [...this.#targets].filter(([, name]) => typeof target !== "string" || name === target);
    return { status: "ok", comms: Object.fromEntries(wanted.map(([id, name]) => [id, { target_name: name }])) };
  }

  /** What a client's message says to the session; undefined where it is about a comm that is not open. */
  fromClient({ header, content, metadata, buffers }: Message): CommContent | undefined {
    const action = header.msg_type as CommContent["action"];
    const comm = content["comm_id"];
    if (typeof comm !== "string") return undefined;
    const target = action === "comm_open" ? content["target_name"] : this.#targets.get(comm);
    if (typeof target !== "string") return undefined;
    if (action === "comm_open") this.#targets.set(comm, target);
    if (action === "comm_close") this.#targets.delete(comm);
    return { action, comm, target, data: objectIn(content["data"]), metadata, buffers };
  }

  /** Publishes what the session says. */
  fromSession({ action, comm, target, data, metadata, buffers }: CommContent, parent: Header): void {
    if (action === "comm_open") this.#targets.set(comm, target);
    if (action === "comm_close") this.#targets.delete(comm);
    const content = { comm_id: comm, data, ...(action === "comm_open" ? { target_name: target } : {}) };
    void this.#publish(action, content, parent, { metadata, buffers });
  }

  /** Tells the clients that all comms are gone, with the session whose they were. */
  closeAll(parent: Header): void {
    for (const comm of this.#targets.keys()) void this.#publish("comm_close", { comm_id: comm, data: {} }, parent);
    this.#targets.clear();
  }
}

function objectIn(value: unknown): Json {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Json) : {};
}
