/**
 * Matrix products: tfjs's `BatchMatMul` and `_FusedMatMul`, and `Linear` and `LinearGrad`, products with a parameter:
 * y = x Wᵀ for layout `outIn`, W `[out, in]`; y = x W for `inOut`, W `[in, out]`; x `[…, in]`.
 */
import { broadcast_util, type TensorInfo } from "@tensorflow/tfjs-core";
import { linearSizes } from "../../kernels/linear.js";
import { epilogueOf, matrix, type Epilogue } from "../../kernels/matmul.js";
import type { Attributes, Inputs } from "../../kernels/native-kernel.js";
import { broadcastStrides, packedAxes, sizeOf } from "../../kernels/shapes.js";
import type { CudaBinding } from "../addon/binding.js";
import type { CudaBackend, Made } from "../cuda-backend.js";
import type { CudaBodies } from "../cuda-kernel.js";
import { precisionNumber } from "../precision.js";
import { addressOf, areAll, filled } from "./device-tensors.js";

/** Launches a product. */
function launch(binding: CudaBinding, ...product: Parameters<CudaBinding["matMul"]>): void {
  const refused = binding.matMul(...product);
  if (refused)
    console.warn(`cuda: ${refused}: it runs on a slower kernel of the addon, as will others. Told once a session.`);
}

/** a b of two float32 tensors with at least two axes, the others broadcast. */
function product(
  binding: CudaBinding,
  backend: CudaBackend,
  { a, b }: Inputs,
  attributes: Attributes,
  { bias, activation = 0, alpha = 0 }: Partial<Epilogue> = {},
): TensorInfo | undefined {
  if (!a || !b || !areAll("float32", a, b) || a.shape.length < 2 || b.shape.length < 2) return undefined;
  const transposeA = Boolean(attributes["transposeA"]);
  const transposeB = Boolean(attributes["transposeB"]);
  const [m, k] = matrix(a, transposeA);
  const [depth, n] = matrix(b, transposeB);
  // tfjs's kernel has the message for shapes that do not fit.
  if (depth !== k) return undefined;
  const outer = broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const shape = [...outer, m, n];
  if (sizeOf(shape) === 0) return backend.make(shape, "float32").info;
  if (k === 0) return bias || activation !== 0 ? undefined : filled(binding, backend, shape, "float32", 0).info;
  const c = backend.make(shape, "float32");
  const batch = packedAxes(
    outer,
    broadcastStrides(a.shape.slice(0, -2), outer),
    broadcastStrides(b.shape.slice(0, -2), outer),
  );
  launch(
    binding,
    precisionNumber(),
    m,
    n,
    k,
    transposeA,
    transposeB,
    batch,
    addressOf(backend, a),
    addressOf(backend, b),
    c.address,
    bias ? addressOf(backend, bias) : null,
    activation,
    alpha,
  );
  return c.info;
}

/** One matrix; no axes of a batch. */
const single = Int32Array.of(1, 1, 1);

/** c = op(a) op(b) of single matrices, which may have no rows or columns. */
function multiply(
  binding: CudaBinding,
  [m, n, k]: readonly [number, number, number],
  [transposeA, transposeB]: readonly [boolean, boolean],
  a: number,
  b: number,
  c: Made,
): void {
  if (m * n === 0) return;
  if (k === 0) binding.fill(0, m * n, 0, c.address);
  else launch(binding, precisionNumber(), m, n, k, transposeA, transposeB, single, a, b, c.address, null, 0, 0);
}

export const matMulKernels: CudaBodies = {
  BatchMatMul: (binding, backend, inputs, attributes) => product(binding, backend, inputs, attributes),

  _FusedMatMul(binding, backend, inputs, attributes) {
    const epilogue = epilogueOf(inputs, attributes);
    return epilogue && product(binding, backend, inputs, attributes, epilogue);
  },

  Linear(binding, backend, { x, weight }, { layout }) {
    const { rows, from, to } = linearSizes(x!, weight!, layout);
    const y = backend.makeFloats([...x!.shape.slice(0, -1), to]);
    const operands = [backend.floats(x!), backend.floats(weight!)] as const;
    multiply(binding, [rows, to, from], [false, layout === "outIn"], ...operands, y);
    return [y.info];
  },

  LinearGrad(binding, backend, { x, weight, dy }, { layout }) {
    const { rows, from, to } = linearSizes(x!, weight!, layout);
    const outIn = layout === "outIn";
    const dx = backend.makeFloats(x!.shape);
    const dweight = backend.makeFloats(weight!.shape);
    const values = backend.floats(x!);
    const gradient = backend.floats(dy!);
    multiply(binding, [rows, from, to], [false, !outIn], gradient, backend.floats(weight!), dx);
    const [left, right] = outIn ? [gradient, values] : [values, gradient];
    const [high, wide] = outIn ? [to, from] : [from, to];
    multiply(binding, [high, wide, rows], [true, false], left, right, dweight);
    return [dx.info, dweight.info];
  },
};
