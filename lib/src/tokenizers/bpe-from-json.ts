/** A `tokenizer.json` of the library's own byte-level BPE, recognised when it comes back. */
import { BpeTokenizer } from "./bpe-tokenizer.js";
import { byteAlphabet, charactersToBytes } from "./byte-level.js";
import { isRecord, tokenizerJson } from "./tokenizer-json.js";

/**
 * The tokenizer of such a content, when it is one that the library writes: the same pipeline, and ids in the library's
 * order. Anything else gives `undefined` and is for Hugging Face's own implementation.
 */
export function bpeFromJson(content: unknown): BpeTokenizer | undefined {
  if (!isRecord(content) || !isRecord(content.model) || !Array.isArray(content.added_tokens)) return undefined;
  const specialTokens = content.added_tokens.map((token) => (isRecord(token) ? token.content : undefined));
  if (!specialTokens.every((token) => typeof token === "string")) return undefined;
  const { vocab, merges } = content.model;
  if (!isRecord(vocab) || !Array.isArray(merges)) return undefined;
  const firstMerged = specialTokens.length + byteAlphabet.length;
  if (Object.keys(vocab).length !== firstMerged + merges.length) return undefined;
  const pairs: [number, number][] = [];
  for (const merge of merges as unknown[]) {
    // Newer files hold a pair where older ones hold it joined by a space.
    const pair: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    if (!Array.isArray(pair) || pair.length !== 2) return undefined;
    const [left, right] = pair.map((side) =>
      typeof side === "string" && charactersToBytes(side) ? vocab[side] : null,
    );
    if (typeof left !== "number" || typeof right !== "number") return undefined;
    pairs.push([left, right]);
  }
  let tokenizer: BpeTokenizer;
  try {
    tokenizer = new BpeTokenizer(pairs, specialTokens);
  } catch {
    return undefined;
  }
  // The one comparison that counts: what the library would write is what is there.
  const own = tokenizerJson(tokenizer) as { model: { vocab: unknown } } & Record<string, unknown>;
  const theirs = { ...content, model: { ...own.model, ...content.model, merges: undefined } };
  const ours = { ...own, model: { ...own.model, merges: undefined } };
  return sorted(theirs) === sorted(ours) ? tokenizer : undefined;
}

/** JSON with the keys of every object in order. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    isRecord(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}
