/** Output that goes elsewhere than below the cell: what a piece of code prints and displays, with all that it starts. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Frame } from "../session-protocol.js";
import { divertFrames } from "./frames.js";

/** What a sink is given. */
export type OutputFrame = Extract<Frame, { type: "stream" | "display" | "clear" | "late-error" }>;

/** Takes output in the cell's place. */
export interface OutputSink {
  take(frame: OutputFrame): void;
}

const sinks = new AsyncLocalStorage<OutputSink | undefined>();
/** The sink that has what was displayed under an id: an update goes there, wherever it comes from. */
const owners = new Map<string, OutputSink>();
/** A session that captures nothing does not pay for it, frame by frame. */
let capturing = false;

/** Runs `body`; its output, and that of the timers, promises and listeners that it starts, goes to `sink`. */
export function captureOutput<T>(sink: OutputSink | undefined, body: () => T): T {
  if (!capturing && sink === undefined) return body();
  if (!capturing) divertFrames(toSink);
  capturing = true;
  return sinks.run(sink, body);
}

/** Where the output of the running code goes; undefined where that is the cell. */
export function currentSink(): OutputSink | undefined {
  return capturing ? sinks.getStore() : undefined;
}

/** To be called when a sink no longer shows these displays. */
export function forgetDisplays(ids: Iterable<string>): void {
  for (const id of ids) owners.delete(id);
}

/** Whether a frame went to a sink. */
function toSink(frame: Frame): boolean {
  if (frame.type === "display" && frame.update) {
    const owner = owners.get(frame.displayId);
    owner?.take(frame);
    return owner !== undefined;
  }
  if (frame.type !== "stream" && frame.type !== "display" && frame.type !== "clear" && frame.type !== "late-error") {
    return false;
  }
  const sink = sinks.getStore();
  if (sink === undefined) return false;
  if (frame.type === "display") owners.set(frame.displayId, sink);
  sink.take(frame);
  return true;
}
