/** The lines of a file, streamed, with their numbers. */
import { createReadStream } from "node:fs";

import { DataError } from "../errors.js";

/** A line longer than this is refused: the file is not made of lines. */
const longestLine = 2 ** 28;

/**
 * The file's lines without their ends (`\n` or `\r\n`), from line 1. Only a line at a time is held. Node's readline is
 * not used: it takes U+2028, which JSON strings and vocabularies hold, for the end of a line, and damaged UTF-8 for text.
 *
 * @throws DataError naming the line that is not UTF-8, or the file that cannot be read
 */
export async function* linesOf(path: string): AsyncGenerator<{ number: number; text: string }, void, undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let number = 0;
  const finish = (parts: readonly Buffer[]): { number: number; text: string } => {
    number++;
    let text: string;
    try {
      text = decoder.decode(parts.length === 1 ? parts[0] : Buffer.concat(parts));
    } catch (cause) {
      throw new DataError(path, number, "the line is not UTF-8; convert the file to UTF-8", { cause });
    }
    if (number === 1 && text.startsWith("\ufeff")) text = text.slice(1);
    return { number, text: text.endsWith("\r") ? text.slice(0, -1) : text };
  };
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const chunk of chunksOf(path)) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      yield finish([...held, chunk.subarray(start, end)]);
      held = [];
      heldBytes = 0;
      start = end + 1;
    }
    if (start === chunk.length) continue;
    held.push(chunk.subarray(start));
    heldBytes += chunk.length - start;
    if (heldBytes > longestLine) {
      throw new DataError(path, number + 1, `the line is longer than ${longestLine} bytes; is this a file of lines?`);
    }
  }
  if (held.length > 0) yield finish(held);
}

async function* chunksOf(path: string): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 18 })) yield chunk as Buffer;
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** The error for a file that the system does not give, in words. */
export function unreadable(path: string, cause: unknown): DataError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const reason =
    code === "ENOENT"
      ? `there is no such file (looked for from ${process.cwd()})`
      : code === "EISDIR"
        ? "this is a folder, wanted a file"
        : code === "EACCES"
          ? "no permission to read it"
          : message;
  return new DataError(path, null, reason, { cause });
}
