/** The entries of a zip as ranges of its file. Torch stores entries uncompressed, so that a range is all one needs. */
import { fromRandomAccessReaderPromise, RandomAccessReader, type Entry, type ZipFile } from "yauzl";

import { ModelFileError, quoted } from "../../errors.js";
import { message, type RandomAccess } from "../random-access.js";

/** An entry: its bytes' place in the file, and their CRC-32 as the zip states it. */
export interface ZipEntry {
  readonly name: string;
  readonly size: number;
  readonly crc32: number;
  /** Where its bytes begin. Reads the entry's own header: the directory does not say how long that is. */
  position(): Promise<number>;
}

/** A model of a hundred layers has some 3,000. */
const mostEntries = 100_000;

const again = "Copy or download it again.";

/**
 * Reads a zip's directory.
 *
 * @returns entries by name
 * @throws ModelFileError when the zip is damaged, or an entry is compressed, encrypted, or there twice
 */
export async function readZip(file: RandomAccess): Promise<ReadonlyMap<string, ZipEntry>> {
  const reader = new Reader(file);
  const entries = new Map<string, ZipEntry>();
  try {
    const options = { lazyEntries: true, autoClose: false, validateEntrySizes: false };
    const zip = await reader.guard(fromRandomAccessReaderPromise(reader, file.size, options));
    if (zip.entryCount > mostEntries || 46 * zip.entryCount > file.size) {
      throw new Error(`${zip.entryCount} entries are claimed`);
    }
    const listed = zip.eachEntry();
    for (let next = await reader.guard(listed.next()); !next.done; next = await reader.guard(listed.next())) {
      const entry = next.value;
      if (entries.has(entry.fileName)) throw new Error(`the entry ${quoted(entry.fileName)} is there twice`);
      entries.set(entry.fileName, describe(file, reader, zip, entry));
    }
    return entries;
  } catch (error) {
    if (error instanceof ModelFileError) throw error;
    throw new ModelFileError(file.path, null, `is a damaged zip: ${message(error)}`, again, { cause: error });
  }
}

function describe(file: RandomAccess, reader: Reader, zip: ZipFile, entry: Entry): ZipEntry {
  const fail = (problem: string, remedy: string): never => {
    throw new ModelFileError(file.path, null, `has the entry ${quoted(entry.fileName)}, which ${problem}`, remedy);
  };
  const resave = "Save it again with torch.save, which neither compresses nor encrypts.";
  if (entry.isEncrypted()) fail("is encrypted", resave);
  if (entry.compressionMethod !== 0) fail("is compressed", resave);
  const { compressedSize: size, uncompressedSize, crc32 } = entry;
  if (size !== uncompressedSize) fail(`claims to be ${size} and ${uncompressedSize} bytes long`, again);
  if (!(size <= file.size)) fail(`claims ${size} bytes of a file of ${file.size}`, again);
  return {
    name: entry.fileName,
    size,
    crc32,
    async position() {
      try {
        return (await reader.guard(zip.readLocalFileHeaderPromise(entry, { minimal: true }))).fileDataStart;
      } catch (error) {
        if (error instanceof ModelFileError) throw error;
        return fail(`is damaged: ${message(error)}`, again);
      }
    },
  };
}

/** Directory entries are read in pieces of 46 bytes and some: so much is fetched at a time. */
const windowSize = 64 * 1024;

/** What the zip library reads through. */
class Reader extends RandomAccessReader {
  private window = new Uint8Array(0);
  private windowStart = 0;
  private fail: (error: unknown) => void = () => {};

  constructor(private readonly file: RandomAccess) {
    super();
  }

  /**
   * The promise, or the first error that the library threw where it should have called back: such an error, on damaged
   * headers, would otherwise end the process.
   */
  guard<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, new Promise<never>((_, reject) => (this.fail = reject))]);
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    this.copy(buffer.subarray(offset, offset + length), position)
      .then(
        () => callback(null, length),
        (error: unknown) => callback(error instanceof Error ? error : new Error(String(error))),
      )
      .catch((error: unknown) => this.fail(error));
  }

  private async copy(target: Uint8Array, position: number): Promise<void> {
    let at = position - this.windowStart;
    if (!(at >= 0 && at + target.length <= this.window.length)) {
      if (!(position >= 0 && position + target.length <= this.file.size) || target.length > windowSize) {
        return this.file.read(target, position);
      }
      const window = new Uint8Array(Math.min(windowSize, this.file.size - position));
      await this.file.read(window, position);
      this.window = window;
      this.windowStart = position;
      at = 0;
    }
    target.set(this.window.subarray(at, at + target.length));
  }
}
