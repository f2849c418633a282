/**
 * Byte-level BPE's conventions, as GPT-2 set them and Hugging Face's `ByteLevel` keeps them: how a text is cut before
 * merging, and how bytes are written as printable characters in `tokenizer.json`.
 */

/**
 * A word with the space before it, a number, a run of other signs, a contraction, or white space but its last, which goes
 * with the word that follows. White space is Unicode's, as in the Rust implementation; JavaScript's `\s` differs by U+0085
 * and U+FEFF.
 */
const piece =
  /'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** The pieces of a text; together they are the text. No token reaches over a border between them. */
export function* piecesOf(text: string): Generator<string, void, undefined> {
  for (const match of text.matchAll(piece)) yield match[0];
}

/** The character that stands for each byte: itself where it prints, else one from U+0100 on. */
const byteCharacters: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte).map(
  ((shifted) => (byte: number) => {
    const prints = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(prints ? byte : 0x100 + shifted++);
  })(0),
);

const characterBytes = new Map(byteCharacters.map((character, byte) => [character, byte]));

/** All bytes, in the order of their characters: the first ids of a vocabulary. */
export const byteAlphabet: readonly number[] = [...characterBytes]
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([, byte]) => byte);

/** Bytes as printable characters. */
export function bytesToCharacters(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byteCharacters[byte]!;
  return text;
}

/** The bytes of such characters; `undefined` when one stands for no byte. */
export function charactersToBytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const byte = characterBytes.get(text[i]!);
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}
