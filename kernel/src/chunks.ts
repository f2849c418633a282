/** Long text in parts: each is a message of its own, and whoever reads goes to work on the first while the others are written. */

/** Longest part, in UTF-16 units: longer text is cut, at the end of a line where there is one. */
export const LONGEST_CHUNK = 262_144;

/** Cuts long text: at the end of a line if there is one in the chunk's second half, never within a character. */
export function* chunks(text: string): Generator<string> {
  let start = 0;
  while (text.length - start > LONGEST_CHUNK) {
    const chunk = text.slice(start, start + LONGEST_CHUNK);
    const lines = chunk.lastIndexOf("\n") + 1;
    let length = chunk.length;
    if (lines > LONGEST_CHUNK / 2) length = lines;
    else if (isHighSurrogate(chunk.charCodeAt(length - 1))) length--;
    yield chunk.slice(0, length);
    start += length;
  }
  yield text.slice(start);
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}
