/**
 * The tokenizer of the RWKV World and RWKV-7 models: at each place of the text's UTF-8 bytes the longest token that
 * matches. Its vocabulary is a text file (`rwkv_vocab_v20230424.txt`, in the models' repositories) that the user brings.
 */
import { DataError, TokenError } from "../errors.js";
import { linesOf } from "../io/lines.js";
import { pythonLiteralBytes } from "./python-literal.js";
import {
  BytesDecoder,
  expectText,
  tokenIds,
  ShownTokenizer,
  unknownToken,
  type TokenDecoder,
  type TokenIds,
  type Tokenizer,
} from "./tokenizer.js";

/** Ids above this are taken for a damaged file: the published vocabulary ends at 65,529. */
const largestId = 2 ** 22;

/** What id 0 is in every World model; it has no line in the file. */
const endOfText = 0;

/** Greedy longest match over a vocabulary of byte strings. */
export class WorldTokenizer extends ShownTokenizer implements Tokenizer {
  readonly name = "rwkv world";
  readonly vocabSize: number;
  readonly endOfText = endOfText;
  private readonly trie = new ByteTrie();

  /** @param vocabulary bytes by id; id 0 is the end of a text and none of them */
  constructor(private readonly vocabulary: ReadonlyMap<number, Uint8Array>) {
    super();
    let largest = 0;
    for (const [id, bytes] of vocabulary) {
      this.trie.add(bytes, id);
      largest = Math.max(largest, id);
    }
    this.vocabSize = largest + 1;
  }

  /** @throws TokenError when no token begins with a byte of the text; the published vocabulary has all bytes */
  encode(text: string): TokenIds {
    expectText("rwkvWorld", text);
    const bytes = new TextEncoder().encode(text);
    const ids: number[] = [];
    for (let at = 0; at < bytes.length;) {
      const match = this.trie.longest(bytes, at);
      if (match === undefined) {
        const byte = bytes[at]!.toString(16).padStart(2, "0");
        throw new TokenError(
          `rwkvWorld: no token matches byte 0x${byte} at ${at} of the text's UTF-8; ` +
            `the published vocabulary has all 256 bytes: load the whole file`,
        );
      }
      ids.push(match.id);
      at += match.length;
    }
    return tokenIds(ids, this.vocabSize);
  }

  /** The text; the end of text (0) is none. */
  decode(tokens: ArrayLike<number>): string {
    return BytesDecoder.decode(tokens, (token) => this.bytes(token));
  }

  decoder(): TokenDecoder {
    return new BytesDecoder((token) => this.bytes(token));
  }

  /**
   * The bytes that a token stands for.
   *
   * @throws TokenError when there is no such token
   */
  bytes(token: number): Uint8Array {
    if (token === endOfText) return new Uint8Array();
    const bytes = this.vocabulary.get(token);
    if (!bytes) throw unknownToken("rwkvWorld", token, `one of its ids from 0 to ${this.vocabSize - 1}`);
    return bytes;
  }
}

/** A tree of bytes, in one map: a node is a number, an edge the key `256 · node + byte`. */
class ByteTrie {
  private readonly edges = new Map<number, number>();
  private readonly ids: (number | undefined)[] = [undefined];

  add(bytes: Uint8Array, id: number): void {
    let node = 0;
    for (const byte of bytes) {
      const key = node * 256 + byte;
      let next = this.edges.get(key);
      if (next === undefined) {
        next = this.ids.push(undefined) - 1;
        this.edges.set(key, next);
      }
      node = next;
    }
    this.ids[node] = id;
  }

  longest(bytes: Uint8Array, start: number): { id: number; length: number } | undefined {
    let node: number | undefined = 0;
    let id: number | undefined;
    let length = 0;
    for (let at = start; at < bytes.length; at++) {
      node = this.edges.get(node * 256 + bytes[at]!);
      if (node === undefined) break;
      if (this.ids[node] === undefined) continue;
      id = this.ids[node];
      length = at + 1 - start;
    }
    return id === undefined ? undefined : { id, length };
  }
}

/**
 * Reads a World vocabulary: lines `id literal length`, where the literal is Python's for a string or bytes and the length
 * counts its bytes.
 *
 * @param path of the vocabulary file
 * @throws DataError naming the line that is not of that form, or repeats an id or a token
 */
export async function rwkvWorldTokenizer(path: string): Promise<WorldTokenizer> {
  const vocabulary = new Map<number, Uint8Array>();
  const seen = new Set<string>();
  for await (const { number, text: line } of linesOf(path)) {
    if (line === "") continue;
    const wrong = (detail: string): DataError => new DataError(path, number, detail);
    const parts = /^(\d{1,15}) (.*) (\d{1,15})$/su.exec(line);
    if (!parts) throw wrong(`wanted "id literal length" as in rwkv_vocab_v20230424.txt`);
    const [id, length] = [Number(parts[1]), Number(parts[3])];
    let bytes: Uint8Array;
    try {
      bytes = pythonLiteralBytes(parts[2]!);
    } catch (cause) {
      throw new DataError(path, number, (cause as Error).message, { cause });
    }
    if (bytes.length !== length) throw wrong(`the token has ${bytes.length} bytes, the line says ${length}`);
    if (length === 0) throw wrong("the token is empty");
    if (id === endOfText || id > largestId) throw wrong(`the id is ${id}, wanted 1 to ${largestId}`);
    if (vocabulary.has(id)) throw wrong(`the id ${id} is there twice`);
    const key = Buffer.from(bytes).toString("latin1");
    if (seen.has(key)) throw wrong(`the token of id ${id} is there twice`);
    seen.add(key);
    vocabulary.set(id, bytes);
  }
  if (vocabulary.size === 0) throw new DataError(path, null, "the file is empty, wanted a vocabulary");
  return new WorldTokenizer(vocabulary);
}
