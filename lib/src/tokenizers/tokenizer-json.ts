/** The part of Hugging Face's `tokenizer.json` that a byte-level BPE needs. */
import type { BpeTokenizer } from "./bpe-tokenizer.js";
import { bytesToCharacters } from "./byte-level.js";

/** The parts of the file that say what a text goes through; the same for every tokenizer that the library trains. */
const pipeline = {
  version: "1.0",
  truncation: null,
  padding: null,
  normalizer: null,
  pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
  post_processor: null,
  decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
};

const modelOptions = {
  type: "BPE",
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: false,
  byte_fallback: false,
  ignore_merges: false,
};

/** The file's content. */
export function tokenizerJson(tokenizer: BpeTokenizer): object {
  const { specialTokens, merges, vocabSize } = tokenizer;
  const symbol = (id: number): string => specialTokens[id] ?? bytesToCharacters(tokenizer.bytes(id));
  const added = specialTokens.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  return {
    ...pipeline,
    added_tokens: added,
    model: {
      ...modelOptions,
      vocab: Object.fromEntries(Array.from({ length: vocabSize }, (_, id) => [symbol(id), id])),
      merges: merges.map((pair) => pair.map(symbol).join(" ")),
    },
  };
}

/** Whether a value is an object with keys. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
