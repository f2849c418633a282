/** Sends frames to the front, at once and in order, also while a cell blocks the event loop. */
import { chunks, LONGEST_CHUNK } from "../chunks.js";
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
  if (frame.type !== "stream" || frame.text.length <= LONGEST_CHUNK) writeAll(PIPE.frames, encodePacket(frame));
  else for (const text of chunks(frame.text)) writeAll(PIPE.frames, encodePacket({ ...frame, text }));
}
