/** Python's string and bytes literals, as `repr` writes them, read as bytes. Reads text; evaluates nothing. */

const simpleEscapes: Readonly<Record<string, number>> = {
  "\\": 0x5c,
  "'": 0x27,
  '"': 0x22,
  a: 0x07,
  b: 0x08,
  f: 0x0c,
  n: 0x0a,
  r: 0x0d,
  t: 0x09,
  v: 0x0b,
};

/** Hexadecimal escapes: how many digits follow the letter. */
const hexEscapes: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/**
 * The bytes of `'…'`, `"…"` (UTF-8 of the text), `b'…'` or `b"…"`.
 *
 * @throws SyntaxError saying what is wrong with the literal
 */
export function pythonLiteralBytes(literal: string): Uint8Array {
  const isBytes = literal.startsWith("b");
  const start = isBytes ? 1 : 0;
  const quote = literal[start];
  if ((quote !== "'" && quote !== '"') || literal.length < start + 2 || !literal.endsWith(quote)) {
    throw new SyntaxError(`${shorten(literal)} is no Python string or bytes literal`);
  }
  const codes: number[] = [];
  const end = literal.length - 1;
  for (let at = start + 1; at < end;) {
    const code = literal.codePointAt(at)!;
    if (literal[at] === quote) throw new SyntaxError(`${shorten(literal)} has a quote inside that is not escaped`);
    if (literal[at] !== "\\") {
      codes.push(code);
      at += code > 0xffff ? 2 : 1;
      continue;
    }
    const escape = readEscape(literal, at + 1, end, isBytes);
    codes.push(escape.code);
    at = escape.next;
  }
  if (isBytes) {
    if (codes.some((code) => code > 0xff)) throw new SyntaxError(`${shorten(literal)} has a character above \\xff`);
    return Uint8Array.from(codes);
  }
  let text = "";
  for (const code of codes) text += String.fromCodePoint(code);
  if (!text.isWellFormed()) throw new SyntaxError(`${shorten(literal)} has half of a surrogate pair`);
  return new TextEncoder().encode(text);
}

function readEscape(literal: string, at: number, end: number, isBytes: boolean): { code: number; next: number } {
  const letter = at < end ? literal[at]! : "";
  const simple = simpleEscapes[letter];
  if (simple !== undefined) return { code: simple, next: at + 1 };
  const octal = /^[0-7]{1,3}/.exec(literal.slice(at, Math.min(end, at + 3)))?.[0];
  if (octal) return { code: Number.parseInt(octal, 8), next: at + octal.length };
  const digits = isBytes && letter !== "x" ? undefined : hexEscapes[letter];
  const hex = digits === undefined ? "" : literal.slice(at + 1, Math.min(end, at + 1 + digits));
  if (digits === undefined || hex.length < digits || !/^[0-9a-fA-F]+$/.test(hex)) {
    throw new SyntaxError(`${shorten(literal)} has the unknown escape \\${letter}`);
  }
  const code = Number.parseInt(hex, 16);
  if (code > 0x10ffff) throw new SyntaxError(`${shorten(literal)} has a character above \\U0010ffff`);
  return { code, next: at + 1 + digits };
}

function shorten(literal: string): string {
  return literal.length > 60 ? `${literal.slice(0, 60)}…` : literal;
}
