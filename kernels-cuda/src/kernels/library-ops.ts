/**
 * The ops of the Meta-State library, by the names under which it declares them. Their mathematics stands with the C++ in
 * `cpp/ops/`, their inputs and outputs with the library; what is here hands arrays over and never looks into one: the `cuda`
 * backend runs these bodies too, with addresses on the GPU for arrays.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { type Inputs, type NativeBodies, type NativeBody, type KernelMemory } from "./native-kernel.js";
import { sizeOf } from "./shapes.js";

/** The named inputs' values, in the order of the names. */
function values(backend: KernelMemory, inputs: Inputs, names: readonly string[]): Float32Array[] {
  return names.map((name) => backend.floats(inputs[name]!));
}

/** A new output for each shape. */
function outputs(
  backend: KernelMemory,
  shapes: readonly (readonly number[])[],
): { infos: TensorInfo[]; arrays: Float32Array[] } {
  const made = shapes.map((shape) => backend.makeFloats(shape));
  return { infos: made.map(({ info }) => info), arrays: made.map(({ floats }) => floats) };
}

function rowsOf(x: TensorInfo, width: number): number {
  return sizeOf(x.shape) / width;
}

/** `TokenShift{n}` and `TokenShift{n}Grad`. */
function tokenShift(count: number): NativeBodies<KernelMemory> {
  const numbers = Array.from({ length: count }, (_, i) => i);
  const mixNames = numbers.map((i) => `mix${i}`);
  const dyNames = numbers.map((i) => `dy${i}`);
  const forward: NativeBody<KernelMemory> = (binding, backend, inputs) => {
    const [batch, time, width] = inputs["x"]!.shape as [number, number, number];
    const made = outputs(
      backend,
      numbers.map(() => inputs["x"]!.shape),
    );
    const [x, previous] = values(backend, inputs, ["x", "previous"]);
    const mixes = values(backend, inputs, mixNames);
    binding.tokenShift(batch, time, width, count, x!, previous!, mixes, made.arrays);
    return made.infos;
  };
  const backward: NativeBody<KernelMemory> = (binding, backend, inputs) => {
    const [batch, time, width] = inputs["x"]!.shape as [number, number, number];
    const made = outputs(
      backend,
      ["x", "previous", ...mixNames].map((name) => inputs[name]!.shape),
    );
    const [x, previous] = values(backend, inputs, ["x", "previous"]);
    const mixes = values(backend, inputs, mixNames);
    const dys = values(backend, inputs, dyNames);
    const [dx, dprevious, ...dmixes] = made.arrays;
    binding.tokenShiftGrad(batch, time, width, count, x!, previous!, mixes, dys, dx!, dprevious!, dmixes);
    return made.infos;
  };
  return { [`TokenShift${count}`]: forward, [`TokenShift${count}Grad`]: backward };
}

const normalisation: NativeBodies<KernelMemory> = {
  GroupNorm(binding, backend, inputs, attributes) {
    const width = sizeOf(inputs["weight"]!.shape);
    const made = outputs(backend, [inputs["x"]!.shape]);
    const [x, weight, bias] = values(backend, inputs, ["x", "weight", "bias"]);
    const { groups, epsilon } = attributes as { groups: number; epsilon: number };
    binding.groupNorm(rowsOf(inputs["x"]!, width), width, groups, epsilon, x!, weight!, bias!, made.arrays[0]!);
    return made.infos;
  },

  GroupNormGrad(binding, backend, inputs, attributes) {
    const weightShape = inputs["weight"]!.shape;
    const width = sizeOf(weightShape);
    const made = outputs(backend, [inputs["x"]!.shape, weightShape, weightShape]);
    const [x, weight, dy] = values(backend, inputs, ["x", "weight", "dy"]);
    const { groups, epsilon } = attributes as { groups: number; epsilon: number };
    const [dx, dweight, dbias] = made.arrays;
    const rows = rowsOf(inputs["x"]!, width);
    binding.groupNormGrad(rows, width, groups, epsilon, x!, weight!, dy!, dx!, dweight!, dbias!);
    return made.infos;
  },
};

const keyNames = ["k", "kk", "rate", "ka"] as const;
const keys: NativeBodies<KernelMemory> = {
  KeyPreparation(binding, backend, inputs, attributes) {
    const shape = inputs["k"]!.shape;
    const width = sizeOf(inputs["kk"]!.shape);
    const made = outputs(backend, [shape, shape, shape]);
    const [k, kk, rate, ka] = values(backend, inputs, keyNames);
    const [key, alpha, beta] = made.arrays;
    const heads = attributes["heads"] as number;
    binding.keyPreparation(rowsOf(inputs["k"]!, width), width, heads, k!, kk!, rate!, ka!, key!, alpha!, beta!);
    return made.infos;
  },

  KeyPreparationGrad(binding, backend, inputs, attributes) {
    const width = sizeOf(inputs["kk"]!.shape);
    const made = outputs(
      backend,
      keyNames.map((name) => inputs[name]!.shape),
    );
    const [k, kk, rate, ka] = values(backend, inputs, keyNames);
    const [dkey, dalpha, dbeta] = values(backend, inputs, ["dkey", "dalpha", "dbeta"]);
    const [dk, dkk, drate, dka] = made.arrays;
    const rows = rowsOf(inputs["k"]!, width);
    const operands = [k!, kk!, rate!, ka!, dkey!, dalpha!, dbeta!] as const;
    binding.keyPreparationGrad(rows, width, attributes["heads"] as number, ...operands, dk!, dkk!, drate!, dka!);
    return made.infos;
  },
};

const gates: NativeBodies<KernelMemory> = {
  Decay(binding, backend, inputs) {
    const width = sizeOf(inputs["bias"]!.shape);
    const made = outputs(backend, [inputs["x"]!.shape, inputs["x"]!.shape]);
    const [x, bias] = values(backend, inputs, ["x", "bias"]);
    binding.decay(rowsOf(inputs["x"]!, width), width, x!, bias!, made.arrays[0]!, made.arrays[1]!);
    return made.infos;
  },

  DecayGrad(binding, backend, inputs) {
    const width = sizeOf(inputs["bias"]!.shape);
    const made = outputs(backend, [inputs["w"]!.shape, inputs["bias"]!.shape]);
    const [w, sigmoid, dy] = values(backend, inputs, ["w", "sigmoid", "dy"]);
    binding.decayGrad(rowsOf(inputs["w"]!, width), width, w!, sigmoid!, dy!, made.arrays[0]!, made.arrays[1]!);
    return made.infos;
  },

  BiasedSigmoid(binding, backend, inputs) {
    const width = sizeOf(inputs["bias"]!.shape);
    const made = outputs(backend, [inputs["x"]!.shape]);
    const [x, bias] = values(backend, inputs, ["x", "bias"]);
    binding.biasedSigmoid(rowsOf(inputs["x"]!, width), width, x!, bias!, made.arrays[0]!);
    return made.infos;
  },

  BiasedSigmoidGrad(binding, backend, inputs) {
    const width = sizeOf(inputs["bias"]!.shape);
    const made = outputs(backend, [inputs["y"]!.shape, inputs["bias"]!.shape]);
    const [y, dy] = values(backend, inputs, ["y", "dy"]);
    binding.biasedSigmoidGrad(rowsOf(inputs["y"]!, width), width, y!, dy!, made.arrays[0]!, made.arrays[1]!);
    return made.infos;
  },

  Interpolate(binding, backend, inputs) {
    const made = outputs(backend, [inputs["from"]!.shape]);
    const [from, to, gate] = values(backend, inputs, ["from", "to", "gate"]);
    binding.interpolate(sizeOf(inputs["from"]!.shape), from!, to!, gate!, made.arrays[0]!);
    return made.infos;
  },

  InterpolateGrad(binding, backend, inputs) {
    const { shape } = inputs["from"]!;
    const made = outputs(backend, [shape, shape, shape]);
    const [from, to, gate, dy] = values(backend, inputs, ["from", "to", "gate", "dy"]);
    const [dfrom, dto, dgate] = made.arrays;
    binding.interpolateGrad(sizeOf(shape), from!, to!, gate!, dy!, dfrom!, dto!, dgate!);
    return made.infos;
  },

  SquaredRelu(binding, backend, inputs) {
    const made = outputs(backend, [inputs["x"]!.shape]);
    const x = backend.floats(inputs["x"]!);
    binding.squaredRelu(sizeOf(inputs["x"]!.shape), x, made.arrays[0]!);
    return made.infos;
  },

  SquaredReluGrad(binding, backend, inputs) {
    const made = outputs(backend, [inputs["x"]!.shape]);
    const x = backend.floats(inputs["x"]!);
    const dy = backend.floats(inputs["dy"]!);
    binding.squaredReluGrad(sizeOf(inputs["x"]!.shape), x, dy, made.arrays[0]!);
    return made.infos;
  },
};

const bonusNames = ["x", "r", "k", "v", "gate", "rk"] as const;
const bonus: NativeBodies<KernelMemory> = {
  BonusGate(binding, backend, inputs) {
    const width = sizeOf(inputs["rk"]!.shape);
    const made = outputs(backend, [inputs["x"]!.shape]);
    const [x, r, k, v, gate, rk] = values(backend, inputs, bonusNames);
    const heads = inputs["rk"]!.shape[0]!;
    binding.bonusGate(rowsOf(inputs["x"]!, width), width, heads, x!, r!, k!, v!, gate!, rk!, made.arrays[0]!);
    return made.infos;
  },

  BonusGateGrad(binding, backend, inputs) {
    const width = sizeOf(inputs["rk"]!.shape);
    const made = outputs(
      backend,
      bonusNames.map((name) => inputs[name]!.shape),
    );
    const [x, r, k, v, gate, rk] = values(backend, inputs, bonusNames);
    const [dx, dr, dk, dv, dgate, drk] = made.arrays;
    const sizes = [rowsOf(inputs["x"]!, width), width, inputs["rk"]!.shape[0]!] as const;
    const dy = backend.floats(inputs["dy"]!);
    binding.bonusGateGrad(...sizes, x!, r!, k!, v!, gate!, rk!, dy, dx!, dr!, dk!, dv!, dgate!, drk!);
    return made.infos;
  },
};

const tokens: NativeBodies<KernelMemory> = {
  CrossEntropy(binding, backend, inputs) {
    const { shape } = inputs["logits"]!;
    const made = outputs(backend, [[], shape]);
    const vocabulary = shape.at(-1)!;
    const targets = backend.integers(inputs["targets"]!);
    const logits = backend.floats(inputs["logits"]!);
    binding.crossEntropy(
      sizeOf(inputs["targets"]!.shape),
      vocabulary,
      logits,
      targets,
      made.arrays[0]!,
      made.arrays[1]!,
    );
    return made.infos;
  },

  CrossEntropyGrad(binding, backend, inputs) {
    const { shape } = inputs["probabilities"]!;
    const made = outputs(backend, [shape]);
    const targets = backend.integers(inputs["targets"]!);
    const [probabilities, dloss] = values(backend, inputs, ["probabilities", "dloss"]);
    const rows = sizeOf(inputs["targets"]!.shape);
    binding.crossEntropyGrad(rows, shape.at(-1)!, probabilities!, targets, dloss!, made.arrays[0]!);
    return made.infos;
  },

  Embedding(binding, backend, inputs) {
    const [rows, width] = inputs["weight"]!.shape as [number, number];
    const made = outputs(backend, [[...inputs["tokens"]!.shape, width]]);
    const list = backend.integers(inputs["tokens"]!);
    const count = sizeOf(inputs["tokens"]!.shape);
    binding.embedding(count, rows, width, backend.floats(inputs["weight"]!), list, made.arrays[0]!);
    return made.infos;
  },

  EmbeddingGrad(binding, backend, inputs) {
    const [rows, width] = inputs["weight"]!.shape as [number, number];
    const made = outputs(backend, [[rows, width]]);
    const list = backend.integers(inputs["tokens"]!);
    const count = sizeOf(inputs["tokens"]!.shape);
    binding.embeddingGrad(count, rows, width, list, backend.floats(inputs["dy"]!), made.arrays[0]!);
    return made.infos;
  },
};

const optimiser: NativeBodies<KernelMemory> = {
  AdamW(binding, backend, inputs, attributes) {
    const { shape } = inputs["parameter"]!;
    const made = outputs(backend, [shape, shape, shape]);
    const names = ["parameter", "gradient", "moment1", "moment2"] as const;
    const [parameter, gradient, moment1, moment2] = values(backend, inputs, names);
    const numbers = attributes as Record<string, number>;
    binding.adamW(
      sizeOf(shape),
      numbers["learningRate"]!,
      numbers["beta1"]!,
      numbers["beta2"]!,
      numbers["epsilon"]!,
      numbers["weightDecay"]!,
      numbers["step"]!,
      numbers["clip"]!,
      backend.floats(inputs["norm"]!),
      parameter!,
      gradient!,
      moment1!,
      moment2!,
      made.arrays[0]!,
      made.arrays[1]!,
      made.arrays[2]!,
    );
    return made.infos;
  },

  GlobalNorm(binding, backend, inputs) {
    const made = outputs(backend, [[]]);
    binding.globalNorm(
      Object.values(inputs).map((input) => backend.floats(input)),
      made.arrays[0]!,
    );
    return made.infos;
  },

  TransposeMatrix(binding, backend, inputs) {
    const [rows, columns] = inputs["x"]!.shape as [number, number];
    const made = outputs(backend, [[columns, rows]]);
    binding.transposeMatrix(rows, columns, backend.floats(inputs["x"]!), made.arrays[0]!);
    return made.infos;
  },
};

export const libraryKernels: NativeBodies<KernelMemory> = {
  ...tokenShift(1),
  ...tokenShift(6),
  ...normalisation,
  ...keys,
  ...gates,
  ...bonus,
  ...tokens,
  ...optimiser,
};
