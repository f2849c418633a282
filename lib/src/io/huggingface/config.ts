/** `config.json` of a model's folder: what it says of the model, checked, and what is written into ours. */
import { ModelFileError } from "../../errors.js";
import type { ModelConfiguration } from "../../model/configuration.js";
import { attentionWidth, isPublishedRwkv7 } from "../../model/configuration.js";
import { readBytes, show, type RandomAccess } from "../random-access.js";
import { parseObject } from "../safetensors/header.js";

/** The file's name in a model's folder. */
export const configName = "config.json";

const largestConfig = 1024 * 1024;

/** What of a `config.json` concerns reading. */
export interface HuggingFaceConfig {
  /** whether the head is the embedding */
  readonly tied: boolean;
  /** our configuration, where the folder is of this library */
  readonly metastate: unknown;
}

/**
 * What would make the model another one than RWKV-7 as published: by key, the value that is right. A key that is missing
 * has fla's default, which is right.
 */
const required: readonly (readonly [key: string, right: unknown, meaning: string])[] = [
  ["hidden_act", "sqrelu", "the squared ReLU"],
  ["norm_first", true, "a norm after the embedding"],
  ["norm_bias", true, "norms with a bias"],
  ["norm_eps", 1e-5, "RWKV-7's epsilon"],
  ["attn", null, "no softmax attention among the layers"],
];

/**
 * Reads `config.json`.
 *
 * @throws ModelFileError when it describes another kind of model
 */
export async function readConfig(file: RandomAccess): Promise<HuggingFaceConfig> {
  if (file.size > largestConfig) {
    throw new ModelFileError(file.path, null, `is ${file.size} bytes long`, "Give the folder of a model.");
  }
  const json = parseObject(file.path, new TextDecoder().decode(await readBytes(file, 0, file.size)));
  const kind = json.model_type;
  if (kind !== undefined && kind !== "rwkv7" && kind !== "metastate") {
    throw new ModelFileError(
      file.path,
      null,
      `describes a model of type ${show(kind)}`,
      'Models of type "rwkv7" (flash-linear-attention) and "metastate" can be loaded.',
    );
  }
  for (const [key, right, meaning] of required) {
    const value = json[key];
    if (value === undefined || value === right) continue;
    // Ours may have another activation, which the configuration beside it repeats.
    if (kind === "metastate" && key === "hidden_act" && value === "geluL2") continue;
    throw new ModelFileError(
      file.path,
      null,
      `has ${key} ${show(value)}, wanted ${show(right)} (${meaning})`,
      "Such a model is not RWKV-7 as published, and the library has no layer for it.",
    );
  }
  return {
    tied: json.tie_word_embeddings === true,
    metastate: json.metastate,
  };
}

/** Whether fla's RWKV7ForCausalLM computes what the model computes. */
function isFlaRwkv7(configuration: ModelConfiguration): boolean {
  return isPublishedRwkv7(configuration) && attentionWidth(configuration) === configuration.width;
}

/**
 * The `config.json` of a model. A model that flash-linear-attention's RWKV-7 would compute differently is given a type
 * of its own, so that nothing loads it and silently leaves out the Meta-State.
 *
 * @param torchDtype `float32`, `float16` or `bfloat16`
 */
export function makeConfig(configuration: ModelConfiguration, torchDtype: string): string {
  const { vocabSize, width, layers, headSize, heads, parameterTokens, lowRank } = configuration;
  const plain = isFlaRwkv7(configuration);
  const config = {
    architectures: [plain ? "RWKV7ForCausalLM" : "MetaStateForCausalLM"],
    model_type: plain ? "rwkv7" : "metastate",
    vocab_size: vocabSize,
    hidden_size: width,
    hidden_ratio: parameterTokens / width,
    intermediate_size: parameterTokens,
    num_hidden_layers: layers,
    head_dim: headSize,
    num_heads: heads,
    value_dim: new Array<number>(layers).fill(attentionWidth(configuration)),
    decay_low_rank_dim: lowRank.decay,
    a_low_rank_dim: lowRank.rate,
    v_low_rank_dim: lowRank.value,
    gate_low_rank_dim: lowRank.gate,
    hidden_act: configuration.activation === "squaredRelu" ? "sqrelu" : configuration.activation,
    norm_first: true,
    norm_bias: true,
    norm_eps: 1e-5,
    attn: null,
    attn_mode: "chunk",
    tie_word_embeddings: false,
    use_cache: true,
    torch_dtype: torchDtype,
    metastate: configuration,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
