/** The tokenizers as `ms.tokenizers` names them. */
import { trainBpe } from "./bpe-training.js";
import { characterTokenizer } from "./character-tokenizer.js";
import { loadTokenizer } from "./hugging-face-tokenizer.js";
import { rwkvWorldTokenizer } from "./world-tokenizer.js";

/**
 * Text to tokens and back, by a vocabulary. Without one there is `ms.byteTokenizer()`, whose tokens are the bytes of UTF-8.
 *
 * @namespace
 */
export const tokenizers = {
  /** A token is a character that a text holds. */
  characters: characterTokenizer,
  /** Learns a byte-level BPE vocabulary from a text. */
  trainBpe,
  /** A `tokenizer.json`: one that was trained here, or any other of Hugging Face's. */
  load: loadTokenizer,
  /** The tokenizer of RWKV World and RWKV-7 models, from its vocabulary file. */
  rwkvWorld: rwkvWorldTokenizer,
};
