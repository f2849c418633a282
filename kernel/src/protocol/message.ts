/** Jupyter messages as values. The wire form is in wire.ts. */
import { randomUUID } from "node:crypto";
import { userInfo } from "node:os";

/** The version of the messaging protocol that the kernel speaks. */
export const PROTOCOL_VERSION = "5.5";

/** A JSON object. */
export type Json = Record<string, unknown>;

/** Header of a message; a reply carries its request's header as `parent_header`. */
export interface Header {
  readonly msg_id: string;
  readonly session: string;
  readonly username: string;
  readonly date: string;
  readonly msg_type: string;
  readonly version: string;
  /** The subshell that a request is for; the kernel's own shell where it is left out. */
  readonly subshell_id?: string | null;
}

/** One message, either way. */
export interface Message {
  /** Routing identities (requests and replies) or the topic (iopub). */
  readonly identities: readonly Buffer[];
  readonly header: Header;
  readonly parent_header: Header | Json;
  readonly metadata: Json;
  readonly content: Json;
  readonly buffers: readonly Uint8Array[];
}

/** This kernel's session id, in the header of all that it sends. */
const SESSION_ID = randomUUID();

let messageCount = 0;

function username(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a user id that has no entry in the password file.
    return "kernel";
  }
}

const USERNAME = username();

/** A fresh header for a message of the given type. */
export function makeHeader(msgType: string): Header {
  return {
    msg_id: `${SESSION_ID}_${process.pid}_${messageCount++}`,
    session: SESSION_ID,
    username: USERNAME,
    date: new Date().toISOString(),
    msg_type: msgType,
    version: PROTOCOL_VERSION,
  };
}

/** The text that a request is about. */
export function codeOf({ content }: Message): string {
  return typeof content["code"] === "string" ? content["code"] : "";
}
