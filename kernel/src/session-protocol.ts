/**
 * What the front and the session say to each other.
 *
 * Four pipes beside the session's own stdin, stdout and stderr: commands (front to session), frames (session to front,
 * written synchronously so that they leave while a cell runs), interrupts (read by a thread of the session's own, so that
 * they arrive while a cell runs, and what that thread has to say of them; what the debugger says and is told goes the same way), and answers to a `prompt()`, which blocks the session until it can read one. Each of the
 * first three carries packets: a 32-bit little-endian length, a type byte, the payload. Answers are lines of JSON: a reader
 * that was terminated in the midst of one finds the next.
 */

/** File descriptors of the pipes in the session process. */
export const PIPE = { stdin: 0, stdout: 1, stderr: 2, commands: 3, frames: 4, interrupts: 5, input: 6 } as const;

export type StreamName = "stdout" | "stderr";

/** Data by MIME type, as Jupyter's `display_data` carries it. */
export type MimeBundle = Record<string, unknown>;

/** A cell compiled to JavaScript, ready to run. */
export interface CompiledCell {
  /** Number of the cell within the kernel's life; also tells which output belongs to it. */
  readonly id: number;
  /** What the user sees: `In [3]`. */
  readonly label: string;
  /** The TypeScript as written. */
  readonly source: string;
  readonly javascript: string;
  /** Source map (version 3, JSON) from the JavaScript to the TypeScript. */
  readonly sourceMap: string;
  /** Paths of the notebook's own files that it imports, by specifier. */
  readonly imports: Readonly<Record<string, string>>;
  /** Names that it declares, but for those of types. */
  readonly variables: readonly string[];
}

/** The URL by which V8 knows the script of the cell of this id. */
export function cellUrl(id: number): string {
  return `cell-${id}.ts`;
}

/** A file of the notebook's own, compiled: a module as a `System.register` call, JSON as it is. */
export interface CompiledModule {
  /** Absolute path of the file. */
  readonly path: string;
  /** What the user sees: the path from the notebook's folder. */
  readonly label: string;
  readonly kind: "module" | "json";
  /** Differs where text, compiler options, or the files that its imports mean differ. */
  readonly version: string;
  readonly source: string;
  readonly javascript: string;
  readonly sourceMap: string;
  /** Paths of the notebook's own files that it imports, by specifier. */
  readonly imports: Readonly<Record<string, string>>;
}

/** Runs a cell. */
export interface RunCommand {
  readonly type: "run";
  readonly cell: CompiledCell;
  /** The notebook's own files that the cell imports, and what these import, as far as the session lacks them. */
  readonly modules: readonly CompiledModule[];
  /** A silent cell shows no result. */
  readonly silent: boolean;
  /** The subshell whose cell it is; of one shell, cells run one after the other. */
  readonly subshell?: string | undefined;
}

/** What a comm message says, either way. `buffers` travel as they are, beside the JSON. */
export interface CommContent {
  readonly action: "comm_open" | "comm_msg" | "comm_close";
  readonly comm: string;
  /** The target's name; empty where it does not open a comm. */
  readonly target: string;
  readonly data: Record<string, unknown>;
  readonly metadata: Record<string, unknown>;
  readonly buffers: readonly Uint8Array[];
}

/** A client's comm message. It is answered by a `done` frame of this id, which shares its numbers with those of cells. */
export interface CommCommand extends CommContent {
  readonly type: "comm";
  readonly id: number;
}

/** What became of a question. */
export type InputAnswer =
  | { readonly status: "ok"; readonly value: string }
  /** The client takes no questions, or is not there. */
  | { readonly status: "not-allowed" }
  | { readonly status: "interrupted" };

/** The answer to a question: as a command, or, where the session is blocked until it comes, as a line of the input pipe. */
export interface InputReply {
  readonly type: "input-reply";
  readonly serial: number;
  readonly answer: InputAnswer;
}

/** The answer to an {@link ImportFrame}: the path of the notebook's own file that is meant, if one is, or what is wrong with it. */
export interface ImportReply {
  readonly type: "import-reply";
  readonly serial: number;
  readonly path?: string | undefined;
  /** The file, and those that it imports, as far as the session lacks them. */
  readonly modules: readonly CompiledModule[];
  readonly error?: ErrorReport;
}

/** Asks what a value is, without running anything. */
export interface LookCommand {
  readonly type: "look";
  readonly serial: number;
  /** The name of a variable, and of members behind it. */
  readonly path: readonly string[];
  readonly wants: keyof Looked;
}

/** What a value is, as far as it was asked for and can be seen. */
export interface Looked {
  /** The value as text, cut. */
  readonly text?: string | undefined;
  /** Names of its members, and whether each is a function. */
  readonly members?: readonly { readonly name: string; readonly isFunction: boolean }[];
}

/** The answer to a {@link LookCommand}. */
export interface LookedFrame extends Looked {
  readonly type: "looked";
  readonly serial: number;
}

/** Front to session. */
export type Command = RunCommand | CommCommand | InputReply | ImportReply | LookCommand;

/** A question to the client of a cell. */
export interface InputFrame {
  readonly type: "input";
  readonly cell: number;
  /** What an interrupt of the question is an interrupt of: the cell, or a comm message that a handler of it handles. */
  readonly task: number;
  /** Number of the question within the session. */
  readonly serial: number;
  readonly prompt: string;
  readonly password: boolean;
  /** Whether the session is blocked until it has the answer. */
  readonly sync: boolean;
}

/** Asks what a specifier means that a cell, or a file of the notebook's own, has computed: `import(`./${name}.ts`)`. */
export interface ImportFrame {
  readonly type: "import";
  readonly cell: number;
  readonly serial: number;
  /** As in a cell: a path from the notebook's folder, or an absolute one. */
  readonly specifier: string;
}

/** A comm message of a cell, or, where `message` is given, of the handler of that client's message. */
export interface CommFrame extends CommContent {
  readonly type: "comm";
  readonly cell: number;
  readonly message?: number;
}

/** A message to all clients, of any type. */
export interface PublishFrame {
  readonly type: "publish";
  readonly cell: number;
  readonly msgType: string;
  readonly content: Record<string, unknown>;
  readonly metadata: Record<string, unknown>;
  readonly buffers: readonly Uint8Array[];
}

/** An error as a notebook shows it. */
export interface ErrorReport {
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: readonly string[];
}

/** How a cell ended. */
export type Outcome =
  /** `payload` is what the protocol's `execute_reply` has under that name. */
  | { readonly status: "ok"; readonly payload?: readonly Readonly<Record<string, unknown>>[] }
  | ({ readonly status: "error" } & ErrorReport);

/** What is saved with an output that is updated, beside its display id. */
export interface KeptDisplay {
  /** The display id of something that was shown before on the same cell: where it stands, this belongs. */
  readonly beside?: string;
}

/** Data that are shown below a cell, or replace what was shown under their display id. */
export interface DisplayFrame {
  readonly type: "display";
  readonly cell: number;
  readonly data: MimeBundle;
  /** By MIME type: the width of an image, say. */
  readonly metadata?: MimeBundle;
  readonly displayId: string;
  readonly update: boolean;
  /** It will be updated: a page that was loaded anew is to find it by what is saved with the notebook. */
  readonly kept?: KeptDisplay;
}

/** Session to front. `cell` is the id of the cell that made the output. */
export type Frame =
  /** The session can run cells. */
  | { readonly type: "ready" }
  | { readonly type: "preload-failed"; readonly error: ErrorReport }
  | { readonly type: "stream"; readonly cell: number; readonly name: StreamName; readonly text: string }
  | DisplayFrame
  | { readonly type: "result"; readonly cell: number; readonly data: MimeBundle }
  | { readonly type: "clear"; readonly cell: number; readonly wait: boolean }
  | { readonly type: "late-error"; readonly cell: number; readonly error: ErrorReport }
  | CommFrame
  | PublishFrame
  | InputFrame
  | ImportFrame
  | LookedFrame
  | { readonly type: "exit" }
  /** A cell, or the handling of a client's message, has ended. */
  | { readonly type: "done"; readonly cell: number; readonly outcome: Outcome };

const JSON_PACKET = 0;
/** Text of a stream, not as JSON: a line of 20 MB is then copied once, not escaped. */
const STREAM_PACKET = 1;
/** JSON, and binary buffers behind it as they are. */
const BUFFERS_PACKET = 2;
const HEADER_BYTES = 5;

/** What travels in a packet. */
type Packet = Command | Frame | InterruptRequest | DeafNotice | DebugRequest | DebugMessage;

/** The packet of a command or a frame. */
export function encodePacket(message: Packet): Buffer {
  if (message.type === "stream") {
    const bytes = Buffer.byteLength(message.text);
    const packet = Buffer.allocUnsafe(HEADER_BYTES + 5 + bytes);
    packet.writeUInt32LE(5 + bytes, 0);
    packet.writeUInt8(STREAM_PACKET, 4);
    packet.writeUInt32LE(message.cell, 5);
    packet.writeUInt8(message.name === "stdout" ? 1 : 2, 9);
    packet.write(message.text, 10, "utf8");
    return packet;
  }
  if ((message.type === "comm" || message.type === "publish") && message.buffers.length > 0)
    return encodeWithBuffers(message);
  const json = JSON.stringify(message);
  const bytes = Buffer.byteLength(json);
  const packet = Buffer.allocUnsafe(HEADER_BYTES + bytes);
  packet.writeUInt32LE(bytes, 0);
  packet.writeUInt8(JSON_PACKET, 4);
  packet.write(json, HEADER_BYTES, "utf8");
  return packet;
}

/** Length of the JSON, the JSON with the lengths of the buffers in their place, the buffers. */
function encodeWithBuffers({ buffers, ...message }: CommCommand | CommFrame | PublishFrame): Buffer {
  const json = Buffer.from(JSON.stringify({ ...message, buffers: buffers.map(({ byteLength }) => byteLength) }));
  const header = Buffer.allocUnsafe(HEADER_BYTES + 4);
  const size = buffers.reduce((sum, { byteLength }) => sum + byteLength, 4 + json.length);
  header.writeUInt32LE(size, 0);
  header.writeUInt8(BUFFERS_PACKET, 4);
  header.writeUInt32LE(json.length, HEADER_BYTES);
  return Buffer.concat([header, json, ...buffers]);
}

/** Asks the session to stop the cells, and the handling of client's messages, of these ids, where they still run. */
export interface InterruptRequest {
  readonly type: "interrupt";
  readonly ids: readonly number[];
  /** Whether a preload module that is being loaded is given up; it is spared where not. */
  readonly givesUpPreload: boolean;
}

/** Interrupted tasks of these ids do not end, though the main thread has had the time to; none where a preload module does not. */
export interface DeafNotice {
  readonly type: "deaf";
  readonly ids: readonly number[];
}

/** Calls a method of V8's inspector; answered by a {@link DebugMessage} of this id. Goes by the pipe of interrupts, as its answers do. */
export interface DebugRequest {
  readonly type: "debug";
  readonly id: number;
  readonly method: string;
  readonly params: object;
}

/** What the inspector answers, or, without an id, tells. */
export interface DebugMessage {
  readonly type: "debug";
  readonly id?: number;
  readonly result?: object | undefined;
  readonly error?: string;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

/** Cuts a byte stream into packets, without copying a large packet more than once. */
export class PacketReader<T extends Packet> {
  #chunks: Buffer[] = [];
  #length = 0;

  /** Messages that are complete with this chunk. */
  push(chunk: Buffer): T[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const messages: T[] = [];
    for (;;) {
      if (this.#length < HEADER_BYTES) return messages;
      if (this.#first().length < HEADER_BYTES) this.#join();
      const size = this.#first().readUInt32LE(0);
      if (this.#length < HEADER_BYTES + size) return messages;
      if (this.#first().length < HEADER_BYTES + size) this.#join();
      const buffer = this.#first();
      messages.push(decode(buffer.readUInt8(4), buffer.subarray(HEADER_BYTES, HEADER_BYTES + size)) as T);
      const rest = buffer.subarray(HEADER_BYTES + size);
      this.#length -= HEADER_BYTES + size;
      if (rest.length > 0) this.#chunks[0] = rest;
      else this.#chunks.shift();
    }
  }

  #first(): Buffer {
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  #join(): void {
    this.#chunks = [Buffer.concat(this.#chunks)];
  }
}

function decode(type: number, payload: Buffer): unknown {
  if (type === STREAM_PACKET) {
    return {
      type: "stream",
      cell: payload.readUInt32LE(0),
      name: payload.readUInt8(4) === 1 ? "stdout" : "stderr",
      text: payload.toString("utf8", 5),
    };
  }
  if (type === BUFFERS_PACKET) {
    let at = 4 + payload.readUInt32LE(0);
    const message = JSON.parse(payload.toString("utf8", 4, at)) as { buffers: readonly number[] };
    // Each gets memory of its own, so that it is aligned for arrays of any type.
    return { ...message, buffers: message.buffers.map((size) => new Uint8Array(payload.subarray(at, (at += size)))) };
  }
  return JSON.parse(payload.toString("utf8"));
}
