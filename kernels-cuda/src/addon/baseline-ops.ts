/**
 * The part of the addon's declaration for the ops of the models that Meta-State is compared with, and of parameter tokens.
 * Arguments are sizes, numbers, inputs, outputs, in the order of `cpp/node/baseline_ops.h`; all of the outputs are
 * written. Each throws TypeError or RangeError naming the argument that does not fit.
 */
export interface BaselineOps {
  rmsNorm(rows: number, width: number, epsilon: number, x: Float32Array, weight: Float32Array, y: Float32Array): void;
  rmsNormGrad(
    rows: number,
    width: number,
    epsilon: number,
    x: Float32Array,
    weight: Float32Array,
    dy: Float32Array,
    dx: Float32Array,
    dweight: Float32Array,
  ): void;
  /** x `[rows, heads, size]`, cosines and sines `[rows, size / 2]`; direction 1, or −1 to turn back. */
  rotary(
    rows: number,
    heads: number,
    size: number,
    direction: number,
    x: Float32Array,
    cosines: Float32Array,
    sines: Float32Array,
    y: Float32Array,
  ): void;
  swiGlu(length: number, gate: Float32Array, x: Float32Array, y: Float32Array): void;
  swiGluGrad(
    length: number,
    gate: Float32Array,
    x: Float32Array,
    dy: Float32Array,
    dgate: Float32Array,
    dx: Float32Array,
  ): void;
  l2Gelu(rows: number, width: number, scale: number, x: Float32Array, y: Float32Array): void;
  l2GeluGrad(rows: number, width: number, scale: number, x: Float32Array, dy: Float32Array, dx: Float32Array): void;
  geluL2(rows: number, width: number, scale: number, x: Float32Array, y: Float32Array): void;
  geluL2Grad(rows: number, width: number, scale: number, x: Float32Array, dy: Float32Array, dx: Float32Array): void;
  groupWeights(rows: number, groups: number, topK: number, x: Float32Array, y: Float32Array): void;
  /** w, u `[C]`; k, v, y `[B, T, C]`; the state's three `[B, C]`. */
  wkv4(
    batch: number,
    time: number,
    width: number,
    w: Float32Array,
    u: Float32Array,
    k: Float32Array,
    v: Float32Array,
    numerator: Float32Array,
    denominator: Float32Array,
    exponent: Float32Array,
    y: Float32Array,
    lastNumerator: Float32Array,
    lastDenominator: Float32Array,
    lastExponent: Float32Array,
  ): void;
  wkv4Grad(
    batch: number,
    time: number,
    width: number,
    w: Float32Array,
    u: Float32Array,
    k: Float32Array,
    v: Float32Array,
    numerator: Float32Array,
    denominator: Float32Array,
    exponent: Float32Array,
    dy: Float32Array,
    dLastNumerator: Float32Array,
    dLastDenominator: Float32Array,
    dLastExponent: Float32Array,
    dw: Float32Array,
    du: Float32Array,
    dk: Float32Array,
    dv: Float32Array,
    dnumerator: Float32Array,
    ddenominator: Float32Array,
    dexponent: Float32Array,
  ): void;
  /** q, y `[B, T, H, N]`; k, v `[B, S, H, N]`; starts `[B]` from 0 to S − T; logSums `[B, T, H]`. */
  attention(
    batch: number,
    time: number,
    keys: number,
    heads: number,
    size: number,
    q: Float32Array,
    k: Float32Array,
    v: Float32Array,
    starts: Int32Array,
    y: Float32Array,
    logSums: Float32Array,
  ): void;
  attentionGrad(
    batch: number,
    time: number,
    keys: number,
    heads: number,
    size: number,
    q: Float32Array,
    k: Float32Array,
    v: Float32Array,
    starts: Int32Array,
    y: Float32Array,
    logSums: Float32Array,
    dy: Float32Array,
    dq: Float32Array,
    dk: Float32Array,
    dv: Float32Array,
  ): void;
}
