/** `console`, `process.stdout` and `process.stderr` of a session: their text goes to the cell that wrote it. */
import { Console } from "node:console";
import { Writable } from "node:stream";
import type { StreamName } from "../session-protocol.js";
import { currentCell } from "./current-cell.js";
import { sendFrame } from "./frames.js";
import { hideAsyncIds } from "./plain-text.js";

/** Width that tables and wrapped text assume. */
const COLUMNS = 100;
/** Spaces by which a group is indented. */
const INDENT = "  ";

/** Redirects what JavaScript writes. What native code writes is read by the front from the real pipes. */
export function captureConsole(): void {
  redirect(process.stdout, "stdout");
  redirect(process.stderr, "stderr");
  hideAsyncIds();
  const original = globalThis.console;
  // Node's own console has kept the old stream's properties; a new one reads those of now.
  const console = new Console({
    stdout: streamTo("stdout"),
    stderr: streamTo("stderr"),
    inspectOptions: { breakLength: COLUMNS, colors: false },
  });
  // Those that only a debugger hears: console.profile, timeStamp and so on.
  for (const [name, method] of Object.entries(original) as [string, unknown][])
    if (!(name in console)) Object.assign(console, { [name]: method });
  globalThis.console = Object.assign(console, groups(console), {
    clear: () => {
      sendFrame({ type: "clear", cell: currentCell(), wait: false });
    },
  });
}

/** The indentation of each cell that is within a group. A cell that fails there does not indent the next one. */
const indents = new Map<number, string>();

function groups(console: Console): Pick<Console, "group" | "groupCollapsed" | "groupEnd"> {
  const group = (...label: unknown[]): void => {
    if (label.length > 0) console.log(...label);
    indents.set(currentCell(), indent() + INDENT);
  };
  const groupEnd = (): void => {
    const outer = indent().slice(INDENT.length);
    if (outer === "") indents.delete(currentCell());
    else indents.set(currentCell(), outer);
  };
  return { group, groupCollapsed: group, groupEnd };
}

function indent(): string {
  return indents.size === 0 ? "" : (indents.get(currentCell()) ?? "");
}

function redirect(stream: NodeJS.WriteStream, name: StreamName): void {
  const write = (
    chunk: string | Uint8Array,
    encoding?: BufferEncoding | ((error?: Error | null) => void),
    callback?: (error?: Error | null) => void,
  ): boolean => {
    send(name, chunk, typeof encoding === "string" ? encoding : "utf8");
    const done = typeof encoding === "function" ? encoding : callback;
    if (done !== undefined) process.nextTick(done);
    return true;
  };
  stream.write = write;
  // It goes on for the cells to come.
  stream.end = (...given: Parameters<typeof write> | [(() => void)?]) => {
    const [first] = given;
    if (typeof first === "function") process.nextTick(first);
    else if (first !== undefined) write(...(given as Parameters<typeof write>));
    return stream;
  };
  stream.columns = COLUMNS;
}

/** A stream whose writes are done when they return: console.log is then seen while a loop still runs. */
function streamTo(name: StreamName): Writable {
  const stream = new Writable();
  stream.write = ((text: string) => {
    const spaces = indent();
    send(name, spaces === "" ? text : text.replace(/^(?=.)/gm, spaces), "utf8");
    return true;
  }) as typeof stream.write;
  return stream;
}

/** Bytes of a character that a write has cut in two wait here for the rest. */
const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };

function send(name: StreamName, chunk: string | Uint8Array, encoding: BufferEncoding): void {
  let text: string;
  if (typeof chunk !== "string") text = decoders[name].decode(chunk, { stream: true });
  else text = encoding === "utf8" || encoding === "utf-8" ? chunk : Buffer.from(chunk, encoding).toString("utf8");
  if (text !== "") sendFrame({ type: "stream", cell: currentCell(), name, text });
}
