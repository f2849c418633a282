/**
 * The baselines in float64, one token after the other, written from the published equations with plain arrays and no op of
 * this library: what they are tested against.
 */
import type { ReferenceParameters } from "../model/reference.js";
import type { BaselineConfiguration } from "./configuration.js";

type Vector = Float64Array<ArrayBuffer>;
type Get = (name: string) => Vector;

/** What a layer remembers of one sequence; each mixer uses its part. */
interface ReferenceLayer {
  readonly keys: Vector[];
  readonly values: Vector[];
  /** the last token as each half saw it */
  att?: Vector;
  ffn?: Vector;
}

/** Runs one sequence from the beginning: the logits after each token. */
export function referenceBaseline(
  configuration: BaselineConfiguration,
  parameters: ReferenceParameters,
  tokens: readonly number[],
): Vector[] {
  const { width, layers: count, embeddingNorm } = configuration;
  const get: Get = (name) => parameters.get(name) as Vector;
  const layers = Array.from({ length: count }, (): ReferenceLayer => ({ keys: [], values: [] }));
  return tokens.map((token, position) => {
    let x = get("emb.weight").slice(token * width, (token + 1) * width);
    if (embeddingNorm) x = norm(configuration, x, (part) => get(`blocks.0.ln0.${part}`));
    layers.forEach((state, layer) => {
      const p: Get = (name) => get(`blocks.${layer}.${name}`);
      const x1 = norm(configuration, x, (part) => p(`ln1.${part}`));
      x = plus(
        x,
        tokenMix(configuration, (name) => p(`att.${name}`), state, x1, position),
      );
      const x2 = norm(configuration, x, (part) => p(`ln2.${part}`));
      x = plus(
        x,
        channelMix(configuration, (name) => p(`ffn.${name}`), state, x2),
      );
    });
    return times(
      get("head.weight"),
      norm(configuration, x, (part) => get(`ln_out.${part}`)),
    );
  });
}

function tokenMix(
  configuration: BaselineConfiguration,
  p: Get,
  state: ReferenceLayer,
  x: Vector,
  position: number,
): Vector {
  const { heads, headSize, mixerOptions, tokenMixer } = configuration;
  if (tokenMixer === "rwkv4TimeMixing") return rwkv4TimeMix(p, state, x);
  const project = (name: string, input: Vector): Vector =>
    tokenMixer === "tokenAttention"
      ? pattention((part) => p(`${name}.${part}`), input, mixerOptions.attentionScale as number)
      : times(p(`${name}.weight`), input);
  const base = mixerOptions.ropeBase as number;
  const query = rotate(project("query", x), headSize, position, base);
  state.keys.push(rotate(project("key", x), headSize, position, base));
  state.values.push(project("value", x));
  return project("output", attend(query, state, heads, headSize));
}

/** Softmax attention of one token to all so far. */
function attend(query: Vector, { keys, values }: ReferenceLayer, heads: number, size: number): Vector {
  const read = new Float64Array(query.length);
  for (let h = 0; h < heads; h++) {
    const at = h * size;
    const part = (y: Vector): Vector => y.slice(at, at + size);
    const scores = keys.map((key) => dot(part(query), part(key)) / Math.sqrt(size));
    const largest = Math.max(...scores);
    const weights = scores.map((score) => Math.exp(score - largest));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    values.forEach((value, j) => {
      for (let i = 0; i < size; i++) read[at + i]! += (weights[j]! / total) * value[at + i]!;
    });
  }
  return read;
}

/** The pairs (x_i, x_{i+N/2}) of each head, as complex numbers times e^{i position θ}. */
function rotate(x: Vector, size: number, position: number, base: number): Vector {
  const turned = Float64Array.from(x);
  const half = size / 2;
  for (let start = 0; start < x.length; start += size) {
    for (let i = 0; i < half; i++) {
      const angle = position / base ** ((2 * i) / size);
      const [a, b] = [x[start + i]!, x[start + half + i]!];
      turned[start + i] = a * Math.cos(angle) - b * Math.sin(angle);
      turned[start + half + i] = a * Math.sin(angle) + b * Math.cos(angle);
    }
  }
  return turned;
}

/** The token mixed with the one before: m x_t + (1 − m) x_{t−1}. */
function mixed(p: Get, name: string, x: Vector, previous: Vector | undefined): Vector {
  return x.map(
    (value, c) => p(`time_mix_${name}`)[c]! * value + (1 - p(`time_mix_${name}`)[c]!) * (previous?.[c] ?? 0),
  );
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** The average as a sum over all tokens so far: Σ_i e^{−(t−1−i) e^d + k_i} v_i + e^{u + k_t} v_t, over the same without v. */
function rwkv4TimeMix(p: Get, state: ReferenceLayer, x: Vector): Vector {
  const r = times(p("receptance.weight"), mixed(p, "r", x, state.att)).map(sigmoid);
  const k = times(p("key.weight"), mixed(p, "k", x, state.att));
  const v = times(p("value.weight"), mixed(p, "v", x, state.att));
  const before = state.keys.length;
  const average = x.map((_, c) => {
    const now = Math.exp(p("time_first")[c]! + k[c]!);
    let [top, bottom] = [now * v[c]!, now];
    for (let i = 0; i < before; i++) {
      const weight = Math.exp(-(before - 1 - i) * Math.exp(p("time_decay")[c]!) + state.keys[i]![c]!);
      top += weight * state.values[i]![c]!;
      bottom += weight;
    }
    return top / bottom;
  });
  state.keys.push(k);
  state.values.push(v);
  state.att = x;
  return times(
    p("output.weight"),
    average.map((value, c) => value * r[c]!),
  );
}

function rwkv4ChannelMix(p: Get, state: ReferenceLayer, x: Vector): Vector {
  const r = times(p("receptance.weight"), mixed(p, "r", x, state.ffn)).map(sigmoid);
  const k = times(p("key.weight"), mixed(p, "k", x, state.ffn)).map((key) => Math.max(0, key) ** 2);
  state.ffn = x;
  return times(p("value.weight"), k).map((value, c) => value * r[c]!);
}

/** Vᵀ GeLU(τ K x / ‖K x‖₂). */
function pattention(p: Get, x: Vector, scale: number): Vector {
  const scores = times(p("keys.weight"), x);
  const length = Math.sqrt(dot(scores, scores));
  const values = p("values.weight");
  const y = new Float64Array(values.length / scores.length);
  scores.forEach((score, token) => {
    const z = (scale * score) / length;
    const weight = (z / 2) * (1 + erf(z * Math.SQRT1_2));
    for (let c = 0; c < y.length; c++) y[c]! += weight * values[token * y.length + c]!;
  });
  return y;
}

/** erf(x) = 2/√π e^{−x²} Σ_n 2ⁿ x^{2n+1} / (2n+1)!!, whose terms have one sign; for |x| up to some 10. */
function erf(x: number): number {
  let sum = 0;
  for (let n = 0, term = x; Math.abs(term) > 1e-18 * Math.abs(sum); n++, term *= (2 * x * x) / (2 * n + 1)) sum += term;
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

function channelMix(
  { channelMixer, mixerOptions }: BaselineConfiguration,
  p: Get,
  state: ReferenceLayer,
  x: Vector,
): Vector {
  if (channelMixer === "rwkv4ChannelMixing") return rwkv4ChannelMix(p, state, x);
  if (channelMixer === "tokenFeedForward") return pattention(p, x, mixerOptions.feedForwardScale as number);
  const key = times(p("key.weight"), x);
  if (channelMixer === "squaredRelu") {
    return times(
      p("value.weight"),
      key.map((k) => Math.max(0, k) ** 2),
    );
  }
  const gate = times(p("gate.weight"), x);
  return times(
    p("value.weight"),
    key.map((k, i) => (k * gate[i]!) / (1 + Math.exp(-gate[i]!))),
  );
}

function norm({ norm: kind }: BaselineConfiguration, x: Vector, p: Get): Vector {
  const mean = kind === "rms" ? 0 : x.reduce((sum, value) => sum + value, 0) / x.length;
  const square = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
  const weight = kind === "plain" ? undefined : p("weight");
  const bias = kind === "layer" ? p("bias") : undefined;
  return x.map((value, c) => ((value - mean) / Math.sqrt(square + 1e-5)) * (weight?.[c] ?? 1) + (bias?.[c] ?? 0));
}

function dot(a: Vector, b: Vector): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

function plus(a: Vector, b: Vector): Vector {
  return a.map((value, i) => value + b[i]!);
}

/** Matrix `[out, in]` times a vector. */
function times(matrix: Vector, x: Vector): Vector {
  const y = new Float64Array(matrix.length / x.length);
  for (let i = 0; i < y.length; i++) y[i] = dot(matrix.subarray(i * x.length, (i + 1) * x.length), x);
  return y;
}
