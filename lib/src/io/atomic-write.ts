/**
 * Files that are there whole or not at all: written beside their place under another name, forced to the disk, and
 * renamed. Whatever happens in between, the name holds the old file or the new one.
 */
import { open, readdir, realpath, rename, rm, type FileHandle } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { threadId } from "node:worker_threads";

import { ModelFileError } from "../errors.js";

/** Where a file's bytes go. */
export interface FileSink {
  /** bytes written so far */
  readonly position: number;
  /** Adds bytes at the end. */
  write(bytes: Uint8Array): Promise<void>;
  /** Replaces bytes that were written before. */
  overwrite(bytes: Uint8Array, position: number): Promise<void>;
}

let count = 0;
/** The names of the temporary files that are being written here now. */
const underWay = new Set<string>();

/**
 * Writes a file atomically. When `write` throws, or the process ends at any moment, the old file is untouched.
 *
 * @param path a symbolic link is followed: the file it names is replaced
 * @throws ModelFileError when the system refuses; what `write` throws of its own
 */
export async function writeAtomically(path: string, write: (sink: FileSink) => Promise<void>): Promise<void> {
  try {
    await replace(await realpath(path).catch(() => path), write);
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error;
    const remedy = "Check that its folder exists and may be written to, and that the disk has room.";
    throw new ModelFileError(path, null, `cannot be written (${error.message})`, remedy, { cause: error });
  }
}

async function replace(target: string, write: (sink: FileSink) => Promise<void>): Promise<void> {
  const folder = dirname(target);
  await removeLeftovers(folder);
  const name = `.${basename(target)}.${hostname()}.${process.pid}.${threadId}.${++count}.tmp`;
  const temporary = join(folder, name);
  underWay.add(name);
  try {
    const handle = await open(temporary, "wx");
    try {
      await write(new DiskSink(handle));
      // Without this a crash of the machine could leave the new name with nothing behind it.
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    underWay.delete(name);
  }
  await syncFolder(folder);
}

/** Files that processes of this machine were writing here when they were killed; what they were to be called does not matter. */
async function removeLeftovers(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [] as string[]);
  const ofHost = `.${hostname()}.`;
  for (const name of names) {
    const at = name.startsWith(".") ? name.lastIndexOf(ofHost) : -1;
    const [, ...numbers] = /^(\d+)\.(\d+)\.\d+\.tmp$/.exec(name.slice(at + ofHost.length)) ?? [];
    if (at < 1 || numbers.length === 0) continue;
    const [id, thread] = numbers.map(Number);
    // In a container every process may have the same number, so that a file of this one's may be its predecessor's.
    const isWritten = id === process.pid ? thread !== threadId || underWay.has(name) : isRunning(id!);
    if (!isWritten) await rm(join(folder, name), { force: true });
  }
}

function isRunning(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    // Not permitted: it runs, as somebody else's.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** So that the rename itself outlives a crash of the machine. Not every system can: then the system decides. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, "r");
    await handle.sync().finally(() => handle.close());
  } catch {
    // Windows and some network file systems.
  }
}

class DiskSink implements FileSink {
  position = 0;

  constructor(private readonly handle: FileHandle) {}

  async write(bytes: Uint8Array): Promise<void> {
    await this.overwrite(bytes, this.position);
    this.position += bytes.length;
  }

  async overwrite(bytes: Uint8Array, position: number): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await this.handle.write(bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
  }
}
