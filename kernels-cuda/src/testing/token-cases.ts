/**
 * For tests: inputs of the kernels of one token, and what the library's ops one by one make of them, on the tfjs backend that is
 * chosen.
 */
import * as tf from "@tensorflow/tfjs-core";
import { randomNumbers } from "./wkv7-reference.js";

export interface TokenSizes {
  readonly batch: number;
  readonly width: number;
  readonly heads: number;
  readonly headSize: number;
  /** ranks of the low-rank parts w, a, v, g */
  readonly ranks: readonly [number, number, number, number];
  readonly parameterTokens: number;
}

/** Nothing that vectors of four divide. */
export const smallToken: TokenSizes = {
  ...{ batch: 1, width: 12, heads: 3, headSize: 5, ranks: [3, 2, 4, 7], parameterTokens: 19 },
};

/** The same with heads that share out the width, as the pass over both states has them. */
export const inSlices = (sizes: TokenSizes): TokenSizes => ({ ...sizes, width: sizes.heads * sizes.headSize });

export type Tensors = Record<string, tf.Tensor>;

export const tokenNormEpsilon = 1e-5;

/** The attributes of both kernels. */
export const tokenAttributes = ({ heads, headSize }: TokenSizes) => ({
  ...{ heads, headSize, normEpsilon: tokenNormEpsilon, readEpsilon: headSize * 1e-5 },
});

/** Tensors of values from −scale to scale, new ones for each call. */
function randomTensors(seed: number): (shape: readonly number[], scale?: number) => tf.Tensor {
  const random = randomNumbers(seed);
  return (shape, scale = 1) => {
    const values = Float32Array.from({ length: tf.util.sizeFromShape([...shape]) }, () => scale * (2 * random() - 1));
    return tf.tensor(values, [...shape]);
  };
}

/** A matrix's values are as large as keep what it makes as large as what it is given. */
export function timeMixingInputs(sizes: TokenSizes, isFirstLayer: boolean, seed = 11): Tensors {
  const { batch, width, heads, headSize, ranks } = sizes;
  const tensor = randomTensors(seed);
  const inner = heads * headSize;
  const [w, a, v, g] = ranks;
  const vector = (): tf.Tensor => tensor([1, 1, inner]);
  const matrix = (rows: number, columns: number, sum: number): tf.Tensor => tensor([rows, columns], Math.sqrt(3 / sum));
  const lowRank = (name: string, rank: number): Tensors => ({
    [`${name}0`]: vector(),
    [`${name}1`]: matrix(width, rank, width),
    [`${name}2`]: matrix(rank, inner, rank),
  });
  const mixes = ["x_r", "x_w", "x_k", "x_v", "x_a", "x_g"].map((name) => [name, tensor([1, 1, width])] as const);
  const { g0: _, ...gate } = lowRank("g", g);
  return {
    ...{ stream: tensor([batch, 1, width]), "ln1.weight": tensor([width]), "ln1.bias": tensor([width]) },
    ...{ shift: tensor([batch, width]), wkv: tensor([batch, heads, headSize, headSize]) },
    ...Object.fromEntries(mixes),
    ...{ ...lowRank("w", w), ...lowRank("a", a), ...gate },
    ...{ k_k: vector(), k_a: vector(), r_k: tensor([heads, headSize]) },
    "receptance.weight": matrix(inner, width, width),
    "key.weight": matrix(inner, width, width),
    "value.weight": matrix(inner, width, width),
    "output.weight": matrix(width, inner, inner),
    "ln_x.weight": tensor([inner]),
    "ln_x.bias": tensor([inner]),
    ...(isFirstLayer ? {} : { firstValue: tensor([batch, 1, inner]), ...lowRank("v", v) }),
  };
}

function layerInputs(sizes: TokenSizes, hasPass: boolean, seed = 12): Tensors {
  const { batch, width, heads, headSize, parameterTokens } = sizes;
  const tensor = randomTensors(seed);
  const coefficients = ["r", "w", "k", "v", "alpha", "beta"].map(
    (name) => [name, tensor([batch, 1, heads, headSize], /[wk]/.test(name) ? 1 : 1 / Math.sqrt(headSize))] as const,
  );
  const state = (): tf.Tensor => tensor([batch, heads, headSize, headSize]);
  return {
    ...{ stream: tensor([batch, 1, width]), "ln2.weight": tensor([width]), "ln2.bias": tensor([width]) },
    ...{ shift: tensor([batch, width]), x_k: tensor([1, 1, width]) },
    "key.weight": tensor([parameterTokens, width], Math.sqrt(3 / width)),
    "value.weight": tensor([width, parameterTokens], Math.sqrt(3 / parameterTokens)),
    ...(hasPass && {
      ...Object.fromEntries(coefficients),
      ...{ wkv: state(), meta: state(), alpha_g: tensor([width]), beta_g: tensor([width]) },
    }),
  };
}

/** What a half is given of a block, by the names of `BlocksToken`; the rest comes from the halves before. */
function ofBlock(inputs: Tensors, layer: number, part: "att" | "ffn"): Tensors {
  const made = new Set([
    "stream",
    "firstValue",
    "r",
    "w",
    "k",
    "v",
    "alpha",
    "beta",
    ...(part === "ffn" ? ["wkv"] : []),
  ]);
  const named = Object.entries(inputs).filter(([name]) => !made.has(name));
  return Object.fromEntries(
    named.map(([name, tensor]) => {
      const own = /^(ln[12]\.|wkv$|meta$)/.test(name);
      const place = own
        ? name
        : name === "shift"
          ? `${part}Shift`
          : `${/_g$/.test(name) && part === "ffn" ? "meta" : part}.${name}`;
      return [`blocks.${layer}.${place}`, tensor];
    }),
  );
}

export function blocksInputs(sizes: TokenSizes, layers: number, hasPass: boolean): Tensors {
  const inputs: Tensors = { stream: timeMixingInputs(sizes, true)["stream"]! };
  for (let layer = 0; layer < layers; layer++) {
    Object.assign(inputs, ofBlock(timeMixingInputs(sizes, layer === 0, 31 + layer), layer, "att"));
    Object.assign(inputs, ofBlock(layerInputs(sizes, hasPass, 61 + layer), layer, "ffn"));
  }
  return inputs;
}

/** Half a block: what it takes by name, and gives, of tensors or of their values. */
type Half<T> = (inputs: Record<string, T>) => T[];

/**
 * `BlocksToken` by these halves.
 *
 * @param inOneRow makes `[B, 1, H N]` of `[B, 1, H, N]`
 */
export function blocksByHalves<T>(
  inputs: Readonly<Record<string, T>>,
  layers: number,
  mixing: Half<T>,
  layerHalf: Half<T>,
  inOneRow: (value: T) => T,
): T[] {
  let stream = inputs["stream"]!;
  let firstValue: T | undefined;
  const states: T[] = [];
  for (let layer = 0; layer < layers; layer++) {
    const prefix = `blocks.${layer}.`;
    const own = Object.entries(inputs).filter(([name]) => name.startsWith(prefix));
    const short = (name: string): string => name.slice(prefix.length).replace(/^(att|ffn|meta)\./, "");
    const of = (part: RegExp): Record<string, T> =>
      Object.fromEntries(
        own.filter(([name]) => part.test(name.slice(prefix.length))).map(([name, x]) => [short(name), x]),
      );
    const { attShift, ...ofMixing } = of(/^(ln1|att|wkv$)/);
    const ofFirst = { ...ofMixing, shift: attShift!, stream, ...(firstValue && { firstValue }) };
    const [middle, attAfter, wkvAfter, r, w, k, v, alpha, beta] = mixing(ofFirst);
    firstValue ??= inOneRow(v!);
    const { ffnShift, ...ofLayer } = of(/^(ln2|ffn|meta)/);
    const pass = { r: r!, w: w!, k: k!, v: v!, alpha: alpha!, beta: beta!, wkv: ofMixing["wkv"]! };
    const [after, ffnAfter, ...meta] = layerHalf({
      ...{ ...ofLayer, shift: ffnShift!, stream: middle! },
      ...(ofLayer["meta"] && pass),
    });
    states.push(attAfter!, ffnAfter!, wkvAfter!, ...meta);
    stream = after!;
  }
  return [stream, ...states];
}

/** `BlocksToken` in the order of the library's blocks. */
export function blocksOpByOp(inputs: Tensors, sizes: TokenSizes, layers: number, aScale: number): tf.Tensor[] {
  const { batch, heads, headSize } = sizes;
  return blocksByHalves(
    inputs,
    layers,
    (half) => timeMixingOpByOp(half, sizes, aScale),
    (half) => layerOpByOp(half, sizes),
    (v) => tf.reshape(v, [batch, 1, heads * headSize]),
  );
}

const all = (name: string, inputs: Tensors, attributes: tf.NamedAttrMap = {}): tf.Tensor[] =>
  [tf.engine().runKernel<tf.Tensor | tf.Tensor[]>(name, inputs, attributes)].flat();
const one = (...call: Parameters<typeof all>): tf.Tensor => all(...call)[0]!;
const linear = (x: tf.Tensor, weight: tf.Tensor, layout = "outIn"): tf.Tensor =>
  one("Linear", { x, weight }, { layout });
const norm = (i: Tensors, name: string): tf.Tensor => {
  const inputs = { x: i["stream"]!, weight: i[`${name}.weight`]!, bias: i[`${name}.bias`]! };
  return one("GroupNorm", inputs, { groups: 1, epsilon: tokenNormEpsilon });
};
const flat = (x: tf.Tensor): tf.Tensor => tf.reshape(x, [x.shape[0], x.shape[2]!]);

/** `TimeMixingToken` in the order of the library's `timeMixing`, with its normalisation before and the sum after it. */
export function timeMixingOpByOp(i: Tensors, { batch, heads, headSize }: TokenSizes, aScale: number): tf.Tensor[] {
  const lowRank = (x: tf.Tensor, name: string, inner = (h: tf.Tensor): tf.Tensor => h): tf.Tensor =>
    linear(inner(linear(x, i[`${name}1`]!, "inOut")), i[`${name}2`]!, "inOut");
  const perHead = (y: tf.Tensor): tf.Tensor => tf.reshape(y, [batch, 1, heads, headSize]);
  const mixes = Object.fromEntries(["x_r", "x_w", "x_k", "x_v", "x_a", "x_g"].map((name, n) => [`mix${n}`, i[name]!]));
  const x = norm(i, "ln1");
  const [xr, xw, xk, xv, xa, xg] = all("TokenShift6", { x, previous: i["shift"]!, ...mixes });
  const r = linear(xr!, i["receptance.weight"]!);
  const rawKey = linear(xk!, i["key.weight"]!);
  const own = linear(xv!, i["value.weight"]!);
  const w = one("Decay", { x: lowRank(xw!, "w", tf.tanh), bias: i["w0"]! });
  const rate = one("BiasedSigmoid", { x: lowRank(xa!, "a"), bias: i["a0"]! });
  const gate = lowRank(xg!, "g", tf.sigmoid);
  const v = i["firstValue"]
    ? one("Interpolate", {
        from: own,
        to: i["firstValue"],
        gate: one("BiasedSigmoid", { x: lowRank(xv!, "v"), bias: i["v0"]! }),
      })
    : own;
  const [k, alpha, rawBeta] = all("KeyPreparation", { k: rawKey, kk: i["k_k"]!, rate, ka: i["k_a"]! }, { heads });
  const beta = aScale === 1 ? rawBeta! : tf.mul(rawBeta!, aScale);
  const transition = { r, w, k: k!, v, a: alpha!, b: beta };
  const steps = Object.fromEntries(Object.entries(transition).map(([name, y]) => [name, perHead(y)]));
  const [y, after] = all("Wkv7", { ...steps, state: i["wkv"]! }, { checkpointInterval: 0 });
  const read = tf.reshape(y!, r.shape);
  const ofRead = { x: read, weight: i["ln_x.weight"]!, bias: i["ln_x.bias"]! };
  const normalised = one("GroupNorm", ofRead, { groups: heads, epsilon: headSize * 1e-5 });
  const gated = one("BonusGate", { x: normalised, r, k: k!, v, gate, rk: i["r_k"]! });
  const output = linear(gated, i["output.weight"]!);
  return [tf.add(i["stream"]!, output), flat(x), after!, ...Object.values(steps)];
}

/** The Meta-State layer in the order of the library's `metaStateLayer`. */
function layerOpByOp(i: Tensors, { headSize }: TokenSizes): tf.Tensor[] {
  const x = norm(i, "ln2");
  const shifted = one("TokenShift1", { x, previous: i["shift"]!, mix0: i["x_k"]! });
  const results = [flat(x)];
  let z = shifted;
  if (i["meta"]) {
    const { r, w, k, v, alpha, beta, wkv, meta } = i as Record<string, tf.Tensor>;
    const perHead = (y: tf.Tensor): tf.Tensor => tf.reshape(y, r!.shape);
    const transition = { r: r!, w: w!, k: k!, v: v!, a: alpha!, b: beta! };
    const operands = {
      ...transition,
      x: perHead(x),
      q: perHead(shifted),
      readGain: i["beta_g"]!,
      memoryGain: i["alpha_g"]!,
    };
    const attributes = { epsilon: headSize * 1e-5, checkpointInterval: 0 };
    const [added, after] = all("MetaPass", { ...operands, wkv: wkv!, meta: meta! }, attributes);
    z = tf.add(shifted, tf.reshape(added!, x.shape));
    results.push(after!);
  }
  const hidden = one("SquaredRelu", { x: linear(z, i["key.weight"]!) });
  return [tf.add(i["stream"]!, linear(hidden, i["value.weight"]!)), ...results];
}
