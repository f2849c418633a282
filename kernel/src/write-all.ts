import { writeSync } from "node:fs";

/** Writes all of a buffer to a file descriptor, unless it is closed; waits while it takes no more. */
export function writeAll(fd: number, buffer: Uint8Array): void {
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
