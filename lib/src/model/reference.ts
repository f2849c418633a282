/**
 * The whole model in float64, one token after the other, written from the equations (META_STATE.md; RWKV-7,
 * arXiv 2503.14456) with plain arrays and no op of this library: what the model is tested against.
 */
import { attentionWidth, sseHeads, type ModelConfiguration } from "./configuration.js";

/** Parameters by checkpoint name, row-major. */
export type ReferenceParameters = ReadonlyMap<string, Float64Array>;

/** The state of one layer of one sequence. */
interface ReferenceLayer {
  attShift: Float64Array;
  ffnShift: Float64Array;
  /** S of each head, N×N */
  wkv: Float64Array[];
  /** M of each SSE head, N×N */
  meta: Float64Array[];
}

/** Runs one sequence from the beginning: the logits after each token, and all layers' states after the last. */
export function referenceForward(
  configuration: ModelConfiguration,
  parameters: ReferenceParameters,
  tokens: readonly number[],
): { logits: Float64Array[]; layers: readonly ReferenceLayer[] } {
  const { layers: count, width, heads, headSize } = configuration;
  const size = headSize * headSize;
  const matrices = (n: number, name: string): Float64Array[] => {
    // Absent where the initial state is not learned: then it is zero.
    const learned = parameters.get(name);
    return Array.from({ length: n }, (_, h) => learned?.slice(h * size, (h + 1) * size) ?? new Float64Array(size));
  };
  const layers = Array.from({ length: count }, (_, layer): ReferenceLayer => ({
    attShift: new Float64Array(width),
    ffnShift: new Float64Array(width),
    wkv: matrices(heads, `blocks.${layer}.att.time_state`),
    meta: matrices(sseHeads(configuration), `blocks.${layer}.meta.time_state`),
  }));
  const get = (name: string): Float64Array => parameters.get(name)!;
  const norm = (x: Float64Array, name: string): Float64Array =>
    groupNorm(x, 1, 1e-5, get(`${name}.weight`), get(`${name}.bias`));
  const logits = tokens.map((token) => {
    let x = norm(get("emb.weight").slice(token * width, (token + 1) * width), "blocks.0.ln0");
    let firstValue: Float64Array | undefined;
    layers.forEach((state, layer) => {
      const p = (name: string): Float64Array => get(`blocks.${layer}.${name}`);
      const x1 = norm(x, `blocks.${layer}.ln1`);
      const mixed = timeMix(configuration, p, state, x1, firstValue);
      firstValue = mixed.firstValue;
      x = zip(x, mixed.output, (a, b) => a + b);
      const x2 = norm(x, `blocks.${layer}.ln2`);
      const output = metaState(configuration, p, state, x2, mixed.heads);
      x = zip(x, output, (a, b) => a + b);
    });
    return times(get("head.weight"), norm(x, "ln_out"));
  });
  return { logits, layers };
}

type Get = (name: string) => Float64Array;

/** A head's coefficients at one token, each of N values. */
interface Head {
  r: Float64Array;
  w: Float64Array;
  k: Float64Array;
  v: Float64Array;
  /** in-context learning rate times the configuration's aScale */
  rate: Float64Array;
  removal: Float64Array;
}

function timeMix(
  configuration: ModelConfiguration,
  p: Get,
  state: ReferenceLayer,
  x: Float64Array,
  firstValue: Float64Array | undefined,
): { output: Float64Array; firstValue: Float64Array; heads: Head[] } {
  const { heads: count, headSize: n } = configuration;
  const mix = (name: string): Float64Array => x.map((value, c) => value + p(name)[c]! * (state.attShift[c]! - value));
  const lowRank = (input: Float64Array, name: string, inner: (h: number) => number): Float64Array =>
    timesTransposed(p(`att.${name}2`), timesTransposed(p(`att.${name}1`), input).map(inner));
  const xv = mix("att.x_v");
  const r = times(p("att.receptance.weight"), mix("att.x_r"));
  const k = times(p("att.key.weight"), mix("att.x_k"));
  let v = times(p("att.value.weight"), xv);
  const w = zip(p("att.w0"), lowRank(mix("att.x_w"), "w", Math.tanh), (a, b) =>
    Math.exp(-Math.exp(-0.5) * sigmoid(a + b)),
  );
  const rate = zip(
    p("att.a0"),
    lowRank(mix("att.x_a"), "a", (h) => h),
    (a, b) => sigmoid(a + b),
  );
  const gate = lowRank(mix("att.x_g"), "g", sigmoid);
  if (firstValue) {
    const share = zip(
      p("att.v0"),
      lowRank(xv, "v", (h) => h),
      (a, b) => sigmoid(a + b),
    );
    v = v.map((value, c) => value + (firstValue[c]! - value) * share[c]!);
  }
  state.attShift = x;

  const heads: Head[] = [];
  const reads = new Float64Array(attentionWidth(configuration));
  for (let h = 0; h < count; h++) {
    const part = (y: Float64Array): Float64Array => y.slice(h * n, (h + 1) * n);
    const scaled = part(zip(k, p("att.k_k"), (a, b) => a * b));
    const length = Math.max(1e-12, Math.sqrt(dot(scaled, scaled)));
    const head: Head = {
      r: part(r),
      w: part(w),
      v: part(v),
      rate: part(rate).map((value) => value * configuration.aScale),
      removal: scaled.map((value) => value / length),
      k: part(k.map((value, c) => value * (1 + (rate[c]! - 1) * p("att.k_a")[c]!))),
    };
    heads.push(head);
    state.wkv[h] = advance(state.wkv[h]!, head, head.v);
    reads.set(times(state.wkv[h]!, head.r), h * n);
  }
  const normalised = groupNorm(reads, count, n * 1e-5, p("att.ln_x.weight"), p("att.ln_x.bias"));
  const gated = normalised.map((value, c) => {
    const h = Math.floor(c / n);
    const { r: hr, k: hk, v: hv } = heads[h]!;
    const bonus = hr.reduce((sum, value, j) => sum + value * hk[j]! * p("att.r_k")[h * n + j]!, 0);
    return (value + bonus * hv[c % n]!) * gate[c]!;
  });
  return { output: times(p("att.output.weight"), gated), firstValue: firstValue ?? v, heads };
}

/** S (diag(w) − κ̂ᵀ (a ⊙ κ̂)) + vᵀ k, as matrices: entry ij of the transition is w_i δ_ij − κ̂_i a_j κ̂_j. */
function advance(before: Float64Array, { w, k, rate, removal }: Head, v: Float64Array): Float64Array {
  const n = v.length;
  return before.map((_, at) => {
    const i = Math.floor(at / n);
    const j = at % n;
    let sum = v[i]! * k[j]!;
    for (let m = 0; m < n; m++) {
      const transition = (m === j ? w[j]! : 0) - removal[m]! * rate[j]! * removal[j]!;
      sum += before[i * n + m]! * transition;
    }
    return sum;
  });
}

function metaState(
  configuration: ModelConfiguration,
  p: Get,
  state: ReferenceLayer,
  x: Float64Array,
  heads: readonly Head[],
): Float64Array {
  const { headSize: n, width, sse, mul } = configuration;
  const shifted = x.map((value, c) => value + p("ffn.x_k")[c]! * (state.ffnShift[c]! - value));
  state.ffnShift = x;
  const added = new Float64Array(width);
  for (let h = 0; h < sseHeads(configuration) && sse !== "none"; h++) {
    const slice = (h % (width / n)) * n;
    const query = shifted.slice(slice, slice + n);
    const seen = (gain: string): Float64Array => {
      const read = groupNorm(times(state.wkv[h]!, query), 1, n * 1e-5);
      return read.map((value, j) => value * p(`meta.${gain}`)[h * n + j]!);
    };
    const written = x.slice(slice, slice + n);
    const add = (y: Float64Array): void => y.forEach((value, j) => (added[slice + j]! += value));
    if (sse === "readout") add(seen("alpha_g"));
    if (sse === "sse") {
      const u = seen("beta_g");
      u.forEach((value, j) => (written[j]! += value));
      add(u);
    }
    if (sse === "sse" || sse === "meta") {
      state.meta[h] = advance(state.meta[h]!, heads[h]!, written);
      const read = groupNorm(times(state.meta[h]!, heads[h]!.r), 1, n * 1e-5);
      add(read.map((value, j) => value * p("meta.alpha_g")[h * n + j]!));
    }
  }
  const z = zip(shifted, added, (a, b) => (mul ? a * (1 + b) : a + b));
  return parameterTokens(configuration, p, shifted, z);
}

/** V_Pᵀ (weights ⊙ activation(K_P z)). */
function parameterTokens(
  { width, activation, mixture }: ModelConfiguration,
  p: Get,
  shifted: Float64Array,
  z: Float64Array,
): Float64Array {
  let hidden = times(p("ffn.key.weight"), z);
  if (activation === "squaredRelu") hidden = hidden.map((value) => Math.max(value, 0) ** 2);
  else {
    const gelu = hidden.map((value) => value * normalProbability(value));
    const length = Math.sqrt(dot(gelu, gelu) + 1e-6);
    hidden = gelu.map((value) => (value * 2 * Math.sqrt(width)) / length);
  }
  if (mixture) {
    const logits = times(
      p("meta.router.weight"),
      zip(z, shifted, (a, b) => a - b),
    );
    const weights = logits.map((logit) => {
      const larger = logits.filter((other) => other > logit).length;
      return larger < mixture.topK ? 2 * sigmoid(logit) : 0;
    });
    hidden = hidden.map((value, token) => value * weights[token % mixture.groups]!);
  }
  return times(p("ffn.value.weight"), hidden);
}

/** Φ(x) = ½ + φ(x) (x + x³/3 + x⁵/(3·5) + …), whose terms all have one sign. */
function normalProbability(x: number): number {
  let term = x;
  let sum = 0;
  for (let odd = 3; sum + term !== sum; odd += 2) {
    sum += term;
    term *= (x * x) / odd;
  }
  return 0.5 + (sum * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI);
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

function zip(a: Float64Array, b: Float64Array, f: (a: number, b: number) => number): Float64Array {
  return a.map((value, i) => f(value, b[i]!));
}

/** W x for a row-major W of x's length in columns. */
function times(matrix: Float64Array, x: Float64Array): Float64Array {
  const n = x.length;
  return Float64Array.from({ length: matrix.length / n }, (_, i) => dot(matrix.subarray(i * n, (i + 1) * n), x));
}

/** Wᵀ x for a row-major W of x's length in rows. */
function timesTransposed(matrix: Float64Array, x: Float64Array): Float64Array {
  const columns = matrix.length / x.length;
  return Float64Array.from({ length: columns }, (_, j) =>
    x.reduce((sum, value, i) => sum + value * matrix[i * columns + j]!, 0),
  );
}

function groupNorm(
  x: Float64Array,
  groups: number,
  epsilon: number,
  weight?: Float64Array,
  bias?: Float64Array,
): Float64Array {
  const size = x.length / groups;
  return x.map((value, c) => {
    const start = Math.floor(c / size) * size;
    const group = x.subarray(start, start + size);
    const mean = group.reduce((a, b) => a + b, 0) / size;
    const variance = group.reduce((sum, y) => sum + (y - mean) ** 2, 0) / size;
    return ((value - mean) / Math.sqrt(variance + epsilon)) * (weight?.[c] ?? 1) + (bias?.[c] ?? 0);
  });
}

/** Mean cross-entropy in nats of predicting `targets[i]` from `logits[i]`. */
export function referenceLoss(logits: readonly Float64Array[], targets: readonly number[]): number {
  const losses = logits.map((row, i) => {
    const largest = row.reduce((a, b) => Math.max(a, b));
    return Math.log(row.reduce((sum, x) => sum + Math.exp(x - largest), 0)) + largest - row[targets[i]!]!;
  });
  return losses.reduce((a, b) => a + b, 0) / losses.length;
}
