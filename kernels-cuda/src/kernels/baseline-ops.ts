/**
 * The library's ops of the models that Meta-State is compared with, and of parameter tokens, by the names under which it
 * declares them. Their mathematics stands with the C++ in `cpp/ops/`, `cpp/attention/` and `cpp/wkv4/`.
 */
import { addonOp, rowsOf } from "./addon-op.js";
import type { KernelMemory, NativeBodies } from "./native-kernel.js";
import { sizeOf } from "./shapes.js";

type Sizes = Parameters<typeof addonOp>[1];

const rmsNorm: Sizes = ({ x }, { epsilon }) => [...rowsOf(x!), epsilon as number];
const lengthOfX: Sizes = ({ x }) => [sizeOf(x!.shape)];
/** of an activation of rows with a scale */
const scaled: Sizes = ({ x }, { scale }) => [...rowsOf(x!), scale as number];

const rotary: Sizes = ({ x }, { direction }) => {
  const [batch, time, heads, size] = x!.shape as [number, number, number, number];
  return [batch * time, heads, size, direction as number];
};

const wkv4 = ["w", "u", "k", "v", "numerator", "denominator", "exponent"];
const shapeOfK: Sizes = ({ k }) => [...k!.shape];

/** B, T, S, H, N */
const attention: Sizes = ({ q, k }) => {
  const [batch, time, heads, size] = q!.shape as [number, number, number, number];
  return [batch, time, k!.shape[1]!, heads, size];
};
const attended = ["q", "k", "v", "starts"];

export const baselineKernels: NativeBodies<KernelMemory> = {
  RmsNorm: addonOp("rmsNorm", rmsNorm, ["x", "weight"], ["x"]),
  RmsNormGrad: addonOp("rmsNormGrad", rmsNorm, ["x", "weight", "dy"], ["x", "weight"]),
  Rotary: addonOp("rotary", rotary, ["x", "cosines", "sines"], ["x"]),
  SwiGlu: addonOp("swiGlu", lengthOfX, ["gate", "x"], ["x"]),
  SwiGluGrad: addonOp("swiGluGrad", lengthOfX, ["gate", "x", "dy"], ["x", "x"]),
  L2Gelu: addonOp("l2Gelu", scaled, ["x"], ["x"]),
  L2GeluGrad: addonOp("l2GeluGrad", scaled, ["x", "dy"], ["x"]),
  GeluL2: addonOp("geluL2", scaled, ["x"], ["x"]),
  GeluL2Grad: addonOp("geluL2Grad", scaled, ["x", "dy"], ["x"]),
  GroupWeights: addonOp("groupWeights", ({ x }, { topK }) => [...rowsOf(x!), topK as number], ["x"], ["x"]),
  Wkv4: addonOp("wkv4", shapeOfK, wkv4, ["k", "numerator", "denominator", "exponent"]),
  Wkv4Grad: addonOp("wkv4Grad", shapeOfK, [...wkv4, "dy", "dNumerator", "dDenominator", "dExponent"], wkv4),
  CausalAttention: addonOp("attention", attention, attended, ({ q }) => [q!.shape, q!.shape.slice(0, 3)]),
  CausalAttentionGrad: addonOp("attentionGrad", attention, [...attended, "y", "logSums", "dy"], ["q", "k", "v"]),
};
