/**
 * The ops of the Meta-State library, by the names under which it declares them. Their mathematics stands with the C++ in
 * `cpp/ops/` and with the CUDA code in `cuda/ops/`, their inputs and outputs with the library.
 */
import { addonOp, rowsLike } from "./addon-op.js";
import type { KernelMemory, NativeBodies } from "./native-kernel.js";
import { sizeOf } from "./shapes.js";

type Sizes = Parameters<typeof addonOp>[1];

/** `TokenShift{n}` and `TokenShift{n}Grad`. */
function tokenShift(count: number): NativeBodies<KernelMemory> {
  const [mixes, dys] = ["mix", "dy"].map((name) => Array.from({ length: count }, (_, i) => `${name}${i}`));
  const operands = ["x", "previous", mixes!];
  const sizes: Sizes = ({ x }) => [...x!.shape, count];
  return {
    [`TokenShift${count}`]: addonOp("tokenShift", sizes, operands, [mixes!.map(() => "x")]),
    [`TokenShift${count}Grad`]: addonOp("tokenShiftGrad", sizes, [...operands, dys!], operands),
  };
}

const groupNorm: Sizes = ({ x, weight }, { groups, epsilon }) => [
  ...rowsLike(x!, weight!),
  groups as number,
  epsilon as number,
];

const keys = ["k", "kk", "rate", "ka"];
const keyPreparation: Sizes = ({ k, kk }, { heads }) => [...rowsLike(k!, kk!), heads as number];

const bonus = ["x", "r", "k", "v", "gate", "rk"];
const bonusGate: Sizes = ({ x, rk }) => [...rowsLike(x!, rk!), rk!.shape[0]!];

const gates = ["from", "to", "gate"];
const interpolate: Sizes = ({ from }) => [sizeOf(from!.shape)];

const lengthOfX: Sizes = ({ x }) => [sizeOf(x!.shape)];

/** Count, rows and width of an embedding; rows and width of its weight. */
const embedding: Sizes = ({ tokens, weight }) => [sizeOf(tokens!.shape), ...weight!.shape];

const adamW: Sizes = ({ parameter }, attributes) => {
  const { learningRate, beta1, beta2, epsilon, weightDecay, step, clip } = attributes as Record<string, number>;
  return [sizeOf(parameter!.shape), learningRate!, beta1!, beta2!, epsilon!, weightDecay!, step!, clip!];
};

export const libraryKernels: NativeBodies<KernelMemory> = {
  ...tokenShift(1),
  ...tokenShift(6),
  GroupNorm: addonOp("groupNorm", groupNorm, ["x", "weight", "bias"], ["x"]),
  GroupNormGrad: addonOp("groupNormGrad", groupNorm, ["x", "weight", "dy"], ["x", "weight", "weight"]),
  KeyPreparation: addonOp("keyPreparation", keyPreparation, keys, ["k", "k", "k"]),
  KeyPreparationGrad: addonOp("keyPreparationGrad", keyPreparation, [...keys, "dkey", "dalpha", "dbeta"], keys),
  Decay: addonOp("decay", ({ x, bias }) => rowsLike(x!, bias!), ["x", "bias"], ["x", "x"]),
  DecayGrad: addonOp("decayGrad", ({ w, bias }) => rowsLike(w!, bias!), ["w", "sigmoid", "dy"], ["w", "bias"]),
  BiasedSigmoid: addonOp("biasedSigmoid", ({ x, bias }) => rowsLike(x!, bias!), ["x", "bias"], ["x"]),
  BiasedSigmoidGrad: addonOp("biasedSigmoidGrad", ({ y, bias }) => rowsLike(y!, bias!), ["y", "dy"], ["y", "bias"]),
  Interpolate: addonOp("interpolate", interpolate, gates, ["from"]),
  InterpolateGrad: addonOp("interpolateGrad", interpolate, [...gates, "dy"], gates),
  SquaredRelu: addonOp("squaredRelu", lengthOfX, ["x"], ["x"]),
  SquaredReluGrad: addonOp("squaredReluGrad", lengthOfX, ["x", "dy"], ["x"]),
  BonusGate: addonOp("bonusGate", bonusGate, bonus, ["x"]),
  BonusGateGrad: addonOp("bonusGateGrad", bonusGate, [...bonus, "dy"], bonus),
  CrossEntropy: addonOp(
    "crossEntropy",
    ({ logits, targets }) => [sizeOf(targets!.shape), logits!.shape.at(-1)!],
    ["logits", "targets"],
    ({ logits }) => [[], logits!.shape],
  ),
  CrossEntropyGrad: addonOp(
    "crossEntropyGrad",
    ({ probabilities, targets }) => [sizeOf(targets!.shape), probabilities!.shape.at(-1)!],
    ["probabilities", "targets", "dloss"],
    ["probabilities"],
  ),
  Embedding: addonOp("embedding", embedding, ["weight", "tokens"], ({ tokens, weight }) => [
    [...tokens!.shape, weight!.shape[1]!],
  ]),
  EmbeddingGrad: addonOp("embeddingGrad", embedding, ["tokens", "dy"], ["weight"]),
  AdamW: addonOp(
    "adamW",
    adamW,
    ["norm", "parameter", "gradient", "moment1", "moment2"],
    ["parameter", "parameter", "parameter"],
  ),
  /** of as many inputs as there are */
  GlobalNorm(binding, memory, inputs) {
    const norm = memory.makeFloats([]);
    const arrays = Object.values(inputs).map((input) => memory.floats(input));
    binding.globalNorm(arrays, norm.floats);
    return [norm.info];
  },
  TransposeMatrix: addonOp(
    "transposeMatrix",
    ({ x }) => [...x!.shape],
    ["x"],
    ({ x }) => [[x!.shape[1]!, x!.shape[0]!]],
  ),
};
