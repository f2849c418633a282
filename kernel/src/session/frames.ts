/** Sends frames to the front, at once and in order, also while a cell blocks the event loop. */
import { encodePacket, PIPE, type Frame } from "../session-protocol.js";
import { writeAll } from "../write-all.js";

let divert: ((frame: Frame) => boolean) | undefined;

/** Offers every frame to `to` first; those of which it says true are not sent. */
export function divertFrames(to: (frame: Frame) => boolean): void {
  divert = to;
}

/** Writes a frame; blocks while the front is behind, which is what keeps memory bounded. */
export function sendFrame(frame: Frame): void {
  if (divert?.(frame) === true) return;
  writeAll(PIPE.frames, encodePacket(frame));
}
