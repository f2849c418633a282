/**
 * The wire form of a message: identities, delimiter, HMAC signature, four JSON frames, raw buffers.
 * Jupyter messaging specification, "The Wire Protocol".
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Header, Json, Message } from "./message.js";

const DELIMITER = Buffer.from("<IDS|MSG>");

/** Signatures that are remembered, as many as jupyter_client does: a message that comes a second time is not from its sender. */
const MOST_REMEMBERED = 65_536;

/** A message that is dropped: unsigned, wrongly signed, sent a second time, or malformed. */
export class WireError extends Error {
  override name = "WireError";
}

/** Signs, serialises and parses messages with one connection's key. */
export class Wire {
  readonly #key: string;
  readonly #algorithm: string;
  /** Signatures of the latest messages. */
  readonly #seen = new Set<string>();

  constructor(key: string, signatureScheme: string) {
    this.#key = key;
    this.#algorithm = signatureScheme.replace(/^hmac-/, "");
  }

  #sign(frames: readonly (Buffer | string)[]): string {
    if (this.#key === "") return "";
    const hmac = createHmac(this.#algorithm, this.#key);
    for (const frame of frames) hmac.update(frame);
    return hmac.digest("hex");
  }

  #remember(signature: string): void {
    if (this.#seen.has(signature)) throw new WireError("it has come before");
    this.#seen.add(signature);
    if (this.#seen.size <= MOST_REMEMBERED) return;
    const [oldest = ""] = this.#seen;
    this.#seen.delete(oldest);
  }

  /** Frames to send. */
  serialise(message: Message): (Uint8Array | string)[] {
    const json = [message.header, message.parent_header, message.metadata, message.content].map((part) =>
      Buffer.from(JSON.stringify(part)),
    );
    return [...message.identities, DELIMITER, this.#sign(json), ...json, ...message.buffers];
  }

  /**
   * Parses received frames.
   * @throws {WireError} when the signature does not match (compared in constant time) or has come before, or when the frames
   *   are no message.
   */
  parse(frames: readonly Buffer[]): Message {
    const at = frames.findIndex((frame) => frame.equals(DELIMITER));
    if (at < 0) throw new WireError("no <IDS|MSG> delimiter");
    if (frames.length < at + 6)
      throw new WireError(`${frames.length - at - 1} frames after the delimiter, at least 5 wanted`);
    const json = frames.slice(at + 2, at + 6);
    if (this.#key !== "") {
      const given = frames[at + 1] ?? Buffer.alloc(0);
      const wanted = Buffer.from(this.#sign(json));
      if (given.length !== wanted.length || !timingSafeEqual(given, wanted))
        throw new WireError("the signature does not match");
      this.#remember(wanted.toString("latin1"));
    }
    const [header, parent, metadata, content] = json.map(parseObject);
    if (typeof header?.["msg_type"] !== "string" || typeof header["msg_id"] !== "string") {
      throw new WireError("the header has no msg_type or no msg_id");
    }
    return {
      identities: frames.slice(0, at),
      header: header as unknown as Header,
      parent_header: parent ?? {},
      metadata: metadata ?? {},
      content: content ?? {},
      buffers: frames.slice(at + 6),
    };
  }
}

function parseObject(frame: Buffer): Json {
  let value: unknown;
  try {
    value = JSON.parse(frame.toString("utf8"));
  } catch {
    throw new WireError("a frame is not JSON");
  }
  if (value === null || typeof value !== "object" || Array.isArray(value))
    throw new WireError("a frame is not a JSON object");
  return value as Json;
}
