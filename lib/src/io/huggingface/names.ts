/**
 * The names of flash-linear-attention's RWKV7ForCausalLM (fla/models/rwkv7, utils/convert_from_rwkv7.py) and RWKV-7's
 * own, which are ours. The matrices of the low-rank parts are transposed between the two; vectors differ in axes of
 * size 1 only. What the Meta-State layer adds has the same place in both: `model.layers.3.meta.alpha_g`.
 */

/** A name in the other naming, and whether its matrix is the transpose. */
export interface Renamed {
  readonly name: string;
  readonly transposed: boolean;
}

const outer: readonly (readonly [ours: string, fla: string])[] = [
  ["emb.weight", "model.embeddings.weight"],
  ["ln_out.weight", "model.norm.weight"],
  ["ln_out.bias", "model.norm.bias"],
  ["head.weight", "lm_head.weight"],
];

/** Inside a block; the part before the dots of a low-rank part is its letter. */
const inner: readonly (readonly [ours: string, fla: string, transposed?: "transposed"])[] = [
  ...(["weight", "bias"] as const).flatMap((part): [string, string][] => [
    [`ln0.${part}`, `pre_norm.${part}`],
    [`ln1.${part}`, `attn_norm.${part}`],
    [`ln2.${part}`, `ffn_norm.${part}`],
    [`att.ln_x.${part}`, `attn.g_norm.${part}`],
  ]),
  ...["x_r", "x_w", "x_k", "x_v", "x_a", "x_g", "k_k", "k_a", "r_k"].map((name): [string, string] => [
    `att.${name}`,
    `attn.${name}`,
  ]),
  ...["w", "a", "v", "g"].flatMap((letter): [string, string, "transposed"?][] => [
    [`att.${letter}0`, `attn.${letter}_lora.lora.2.bias`],
    [`att.${letter}1`, `attn.${letter}_lora.lora.0.weight`, "transposed"],
    [`att.${letter}2`, `attn.${letter}_lora.lora.2.weight`, "transposed"],
  ]),
  ["att.receptance.weight", "attn.r_proj.weight"],
  ["att.key.weight", "attn.k_proj.weight"],
  ["att.value.weight", "attn.v_proj.weight"],
  ["att.output.weight", "attn.o_proj.weight"],
  // Not fla's: ours for the learned initial state, so that our folders hold it.
  ["att.time_state", "attn.time_state"],
  ["ffn.x_k", "ffn.x_k"],
  ["ffn.key.weight", "ffn.key.weight"],
  ["ffn.value.weight", "ffn.value.weight"],
];

type Table = ReadonlyMap<string, Renamed>;

const renamed = (name: string, transposed = false): Renamed => ({ name, transposed });
const outerToFla: Table = new Map(outer.map(([ours, fla]) => [ours, renamed(fla)]));
const outerFromFla: Table = new Map(outer.map(([ours, fla]) => [fla, renamed(ours)]));
const innerToFla: Table = new Map(inner.map(([ours, fla, turned]) => [ours, renamed(fla, turned !== undefined)]));
const innerFromFla: Table = new Map(inner.map(([ours, fla, turned]) => [fla, renamed(ours, turned !== undefined)]));

/** fla's name for a parameter of ours. */
export function toFla(name: string): Renamed {
  const found = translate(name, /^blocks\.(\d+)\.(.+)$/, "model.layers", outerToFla, innerToFla);
  if (!found) throw new RangeError(`"${name}" is no parameter of a Meta-State model`);
  return found;
}

/** Our name for one of fla's; undefined when it is not a name of RWKV7ForCausalLM. */
export function fromFla(name: string): Renamed | undefined {
  return translate(name, /^model\.layers\.(\d+)\.(.+)$/, "blocks", outerFromFla, innerFromFla);
}

function translate(name: string, block: RegExp, prefix: string, top: Table, inside: Table): Renamed | undefined {
  const parts = block.exec(name);
  if (!parts) return top.get(name);
  const [, layer, rest] = parts as unknown as [string, string, string];
  const found = rest.startsWith("meta.") ? renamed(rest) : inside.get(rest);
  return found && { ...found, name: `${prefix}.${layer}.${found.name}` };
}
