/**
 * The library's ops of the models that Meta-State is compared with, and of parameter tokens, by the names under which it
 * declares them. Their mathematics stands with the C++ in `cpp/ops/`, `cpp/attention/` and `cpp/wkv4/`. No body looks into an
 * array: `cuda` runs them too, with addresses.
 */
import { type Inputs, type KernelMemory, type NativeBodies, type NativeBody } from "./native-kernel.js";
import { sizeOf } from "./shapes.js";

/** Rows of a tensor's last axis, and its length. */
function rowsAndWidth(x: { readonly shape: readonly number[] }): readonly [rows: number, width: number] {
  const width = x.shape.at(-1)!;
  return [sizeOf(x.shape) / width, width];
}

/** An activation of rows with a scale, and its gradient. */
function activation(name: "l2Gelu" | "geluL2", kernelName: string): NativeBodies<KernelMemory> {
  return {
    [kernelName](binding, backend, { x }, { scale }) {
      const y = backend.makeFloats(x!.shape);
      binding[name](...rowsAndWidth(x!), scale as number, backend.floats(x!), y.floats);
      return [y.info];
    },
    [`${kernelName}Grad`](binding, backend, { x, dy }, { scale }) {
      const dx = backend.makeFloats(x!.shape);
      const operands = [backend.floats(x!), backend.floats(dy!)] as const;
      binding[`${name}Grad`](...rowsAndWidth(x!), scale as number, ...operands, dx.floats);
      return [dx.info];
    },
  };
}

const normalisation: NativeBodies<KernelMemory> = {
  RmsNorm(binding, backend, { x, weight }, { epsilon }) {
    const y = backend.makeFloats(x!.shape);
    binding.rmsNorm(...rowsAndWidth(x!), epsilon as number, backend.floats(x!), backend.floats(weight!), y.floats);
    return [y.info];
  },

  RmsNormGrad(binding, backend, { x, weight, dy }, { epsilon }) {
    const dx = backend.makeFloats(x!.shape);
    const dweight = backend.makeFloats(weight!.shape);
    const operands = [backend.floats(x!), backend.floats(weight!), backend.floats(dy!)] as const;
    binding.rmsNormGrad(...rowsAndWidth(x!), epsilon as number, ...operands, dx.floats, dweight.floats);
    return [dx.info, dweight.info];
  },
};

const elements: NativeBodies<KernelMemory> = {
  Rotary(binding, backend, { x, cosines, sines }, { direction }) {
    const [batch, time, heads, size] = x!.shape as [number, number, number, number];
    const y = backend.makeFloats(x!.shape);
    const operands = [backend.floats(x!), backend.floats(cosines!), backend.floats(sines!)] as const;
    binding.rotary(batch * time, heads, size, direction as number, ...operands, y.floats);
    return [y.info];
  },

  SwiGlu(binding, backend, { gate, x }) {
    const y = backend.makeFloats(x!.shape);
    binding.swiGlu(sizeOf(x!.shape), backend.floats(gate!), backend.floats(x!), y.floats);
    return [y.info];
  },

  SwiGluGrad(binding, backend, { gate, x, dy }) {
    const dgate = backend.makeFloats(x!.shape);
    const dx = backend.makeFloats(x!.shape);
    const operands = [backend.floats(gate!), backend.floats(x!), backend.floats(dy!)] as const;
    binding.swiGluGrad(sizeOf(x!.shape), ...operands, dgate.floats, dx.floats);
    return [dgate.info, dx.info];
  },

  GroupWeights(binding, backend, { x }, { topK }) {
    const y = backend.makeFloats(x!.shape);
    binding.groupWeights(...rowsAndWidth(x!), topK as number, backend.floats(x!), y.floats);
    return [y.info];
  },
};

const wkv4Names = ["w", "u", "k", "v", "numerator", "denominator", "exponent"] as const;
type Wkv4Operands = [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];

function wkv4Operands(backend: KernelMemory, inputs: Inputs): Wkv4Operands {
  return wkv4Names.map((name) => backend.floats(inputs[name]!)) as Wkv4Operands;
}

const averages: NativeBodies<KernelMemory> = {
  Wkv4(binding, backend, inputs) {
    const shape = inputs["k"]!.shape as [number, number, number];
    const made = ["k", "numerator", "denominator", "exponent"].map((name) => backend.makeFloats(inputs[name]!.shape));
    const [y, a, b, p] = made.map(({ floats }) => floats) as [Float32Array, Float32Array, Float32Array, Float32Array];
    binding.wkv4(...shape, ...wkv4Operands(backend, inputs), y, a, b, p);
    return made.map(({ info }) => info);
  },

  Wkv4Grad(binding, backend, inputs) {
    const shape = inputs["k"]!.shape as [number, number, number];
    const made = wkv4Names.map((name) => backend.makeFloats(inputs[name]!.shape));
    const gradients = made.map(({ floats }) => floats) as Wkv4Operands;
    const adjoints = ["dy", "dNumerator", "dDenominator", "dExponent"].map((name) => backend.floats(inputs[name]!));
    const [dy, da, db, dp] = adjoints as [Float32Array, Float32Array, Float32Array, Float32Array];
    binding.wkv4Grad(...shape, ...wkv4Operands(backend, inputs), dy, da, db, dp, ...gradients);
    return made.map(({ info }) => info);
  },
};

/** B, T, S, H, N of a call. */
function attentionSizes({ q, k }: Inputs): readonly [number, number, number, number, number] {
  const [batch, time, heads, size] = q!.shape as [number, number, number, number];
  return [batch, time, k!.shape[1]!, heads, size];
}

const causalAttention: NativeBody<KernelMemory> = (binding, backend, inputs) => {
  const sizes = attentionSizes(inputs);
  const [batch, time, , heads] = sizes;
  const y = backend.makeFloats(inputs["q"]!.shape);
  const logSums = backend.makeFloats([batch, time, heads]);
  const operands = [backend.floats(inputs["q"]!), backend.floats(inputs["k"]!), backend.floats(inputs["v"]!)] as const;
  binding.attention(...sizes, ...operands, backend.integers(inputs["starts"]!), y.floats, logSums.floats);
  return [y.info, logSums.info];
};

const causalAttentionGrad: NativeBody<KernelMemory> = (binding, backend, inputs) => {
  const made = ["q", "k", "v"].map((name) => backend.makeFloats(inputs[name]!.shape));
  const [dq, dk, dv] = made.map(({ floats }) => floats) as [Float32Array, Float32Array, Float32Array];
  const [q, k, v, y, logSums, dy] = ["q", "k", "v", "y", "logSums", "dy"].map((name) =>
    backend.floats(inputs[name]!),
  ) as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
  const starts = backend.integers(inputs["starts"]!);
  binding.attentionGrad(...attentionSizes(inputs), q, k, v, starts, y, logSums, dy, dq, dk, dv);
  return made.map(({ info }) => info);
};

export const baselineKernels: NativeBodies<KernelMemory> = {
  ...normalisation,
  ...elements,
  ...activation("l2Gelu", "L2Gelu"),
  ...activation("geluL2", "GeluL2"),
  ...averages,
  CausalAttention: causalAttention,
  CausalAttentionGrad: causalAttentionGrad,
};
