/** Sends frames to the front, at once and in order, also while a cell blocks the event loop. */
import { writeSync } from "node:fs";
import { encodePacket, PIPE, type Frame } from "../session-protocol.js";

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

/** Writes all of a buffer to a file descriptor, unless it is closed. */
export function writeAll(fd: number, buffer: Buffer): void {
  let written = 0;
  while (written < buffer.length) {
    try {
      written += writeSync(fd, buffer, written);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      // A pipe that something has made non-blocking says "again" when it is full.
      if (code === "EAGAIN") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      // The front is gone, and so will this process be, as soon as it reads its closed pipes; or user code has closed the
      // descriptor, and the front does not wait for it for long.
      else if (code === "EPIPE" || code === "EBADF") return;
      else throw error;
    }
  }
}
