/**
 * Declarations of which each character takes one byte.
 *
 * V8 writes a text in two bytes a character where a single one is beyond Latin-1, be it a dash in a comment, and so all names in it.
 * In comments such characters are written as Markdown has them, by their number.
 */

const COMMENT = /\/\*[^]*?\*\/|\/\/.*/g;
const WIDE = /[^\0-\xff]/gu;
const NUMBERED = /&#(\d+);/g;

/** A text of declarations with no wide character in its comments; as it is where others are left. */
export function oneByte(declarations: string): string {
  if (declarations.search(WIDE) < 0) return declarations;
  const narrow = declarations.replace(COMMENT, (comment) =>
    comment.replace(WIDE, (character) => `&#${character.codePointAt(0) ?? 0};`),
  );
  // What is put together of parts of a wide text is wide itself.
  return narrow.search(WIDE) < 0 ? Buffer.from(narrow, "latin1").toString("latin1") : declarations;
}

/** What was written in such comments. */
export function asWritten(documentation: string): string {
  return documentation.replace(NUMBERED, (_, code: string) => String.fromCodePoint(Number(code)));
}
