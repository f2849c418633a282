/**
 * Bytes by position: what every reader of model files works on, so that a file of any size is read by range and tests
 * can use memory instead of a disk.
 */
import { open, stat, type FileHandle } from "node:fs/promises";

import { ModelFileError } from "../errors.js";

/** Something that has a size and can be read anywhere. */
export interface RandomAccess {
  /** the file as the caller named it, for messages */
  readonly path: string;
  /** in bytes */
  readonly size: number;
  /**
   * Fills `target` with the bytes from `position` on.
   *
   * @throws ModelFileError when the file ends before
   */
  read(target: Uint8Array, position: number): Promise<void>;
  close(): Promise<void>;
}

/** One system call reads at most this much: Node's limit is 2 GiB, and others want their turn. */
const largestRead = 64 * 1024 * 1024;

/**
 * Opens a file for reading by range.
 *
 * @throws ModelFileError when there is none, or it is no plain file
 */
export async function openFile(path: string): Promise<RandomAccess> {
  const info = await stat(path).catch((error: unknown) => {
    throw new ModelFileError(path, null, "cannot be opened", `${message(error)}; check the path`, { cause: error });
  });
  // Not opened before this is known: opening a pipe would wait for a writer.
  if (!info.isFile()) throw new ModelFileError(path, null, "is not a plain file", "Give the path of a model's file.");
  const handle = await open(path, "r").catch((error: unknown) => {
    throw new ModelFileError(path, null, "cannot be opened", `${message(error)}; check its permissions`, {
      cause: error,
    });
  });
  return new DiskFile(path, info.size, handle);
}

/** Bytes in memory as a file. */
export function memoryFile(bytes: Uint8Array, path = "memory"): RandomAccess {
  return {
    path,
    size: bytes.length,
    // A promise is rejected, nothing is thrown at once: as with a file on disk.
    // eslint-disable-next-line @typescript-eslint/require-await
    async read(target, position) {
      checkRange(path, bytes.length, position, target.length);
      target.set(bytes.subarray(position, position + target.length));
    },
    close: () => Promise.resolve(),
  };
}

class DiskFile implements RandomAccess {
  constructor(
    readonly path: string,
    readonly size: number,
    private readonly handle: FileHandle,
  ) {}

  async read(target: Uint8Array, position: number): Promise<void> {
    checkRange(this.path, this.size, position, target.length);
    let done = 0;
    while (done < target.length) {
      const length = Math.min(largestRead, target.length - done);
      const { bytesRead } = await this.handle.read(target, done, length, position + done);
      if (bytesRead === 0) {
        throw new ModelFileError(this.path, null, `became shorter while it was read`, "Load it when it is complete.");
      }
      done += bytesRead;
    }
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

function checkRange(path: string, size: number, position: number, length: number): void {
  if (position >= 0 && position + length <= size) return;
  throw new ModelFileError(
    path,
    null,
    `is cut short: bytes ${position} to ${position + length} are wanted of ${size}`,
    "Copy or download it again.",
  );
}

/** The bytes of a range, in an array of their own. The range is checked before anything is allocated. */
export async function readBytes(
  file: RandomAccess,
  position: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  checkRange(file.path, file.size, position, length);
  const bytes = new Uint8Array(length);
  await file.read(bytes, position);
  return bytes;
}

/** What an error says. */
export function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A value out of JSON, for a message: short, and whatever its depth. */
export function show(value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value) ?? "nothing";
  } catch {
    text = "nested too deeply to be shown";
  }
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
