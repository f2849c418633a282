/** The user's own texts: files of text and of JSON lines. */
import { readFile } from "node:fs/promises";

import { DataError } from "../errors.js";
import { linesOf, unreadable } from "../io/lines.js";

/**
 * A whole text file.
 *
 * @throws DataError when it cannot be read, or naming the line that is not UTF-8
 */
export async function textFile(path: string): Promise<string> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // Going through the lines finds the one that is wrong.
    for await (const _ of linesOf(path));
    throw new DataError(path, null, "the file is not UTF-8; convert it to UTF-8");
  }
}

/**
 * The lines of a text file, streamed, for files larger than memory.
 *
 * @throws DataError when it cannot be read, or naming the line that is not UTF-8
 */
export async function* lines(path: string): AsyncGenerator<string, void, undefined> {
  for await (const { text } of linesOf(path)) yield text;
}

/**
 * The texts of a file with a JSON value a line (JSONL), streamed. Empty lines are passed over.
 *
 * @param options `field`: which field of each object is the text; default `text`. Lines that are JSON strings are texts
 *   themselves
 * @throws DataError naming the line that is no JSON, or has no such text, and the fields it has
 */
export async function* jsonLines(
  path: string,
  { field = "text" }: { field?: string } = {},
): AsyncGenerator<string, void, undefined> {
  for await (const { number, text } of linesOf(path)) {
    if (text.trim() === "") continue;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw new DataError(path, number, `this is no JSON: ${(cause as Error).message}`, { cause });
    }
    yield textOf(value, field, path, number);
  }
}

function textOf(value: unknown, field: string, path: string, number: number): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const kind = value === null ? "null" : Array.isArray(value) ? "an array" : typeof value;
    throw new DataError(path, number, `the line is ${kind}, wanted an object with the field "${field}"`);
  }
  const text: unknown = Object.hasOwn(value, field) ? (value as Record<string, unknown>)[field] : undefined;
  if (typeof text === "string") return text;
  const has = Object.keys(value)
    .slice(0, 20)
    .map((key) => JSON.stringify(key));
  throw new DataError(
    path,
    number,
    text === undefined
      ? `there is no field "${field}"; the line has ${has.join(", ") || "none"}: pass field`
      : `the field "${field}" is no text but ${text === null ? "null" : typeof text}`,
  );
}
