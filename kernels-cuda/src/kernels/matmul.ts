/** Matrix products: tfjs's `BatchMatMul` and `_FusedMatMul`. */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { NativeBinding } from "../addon/binding.js";
import type { NativeBackend } from "../backend/native-backend.js";
import { areFloats, type Attributes, type Inputs, type NativeBodies } from "./native-kernel.js";
import { broadcastShape, sizeOf } from "./shapes.js";

/** Activations that are computed with the product, by their number in both addons. */
const activations: Readonly<Record<string, number>> = {
  linear: 0,
  relu: 1,
  relu6: 2,
  elu: 3,
  leakyrelu: 4,
  sigmoid: 5,
};

/** What follows a product. */
export interface Epilogue {
  readonly bias: TensorInfo | undefined;
  readonly activation: number;
  readonly alpha: number;
}

/** What follows the product of `_FusedMatMul`; undefined for what only tfjs's kernel knows. */
export function epilogueOf({ b, bias }: Inputs, attributes: Attributes): Epilogue | undefined {
  const activation = activations[(attributes["activation"] as string | undefined) ?? "linear"];
  if (activation === undefined) return undefined;
  const columns = b!.shape.at(attributes["transposeB"] ? -2 : -1)!;
  if (bias && (!areFloats(bias) || sizeOf(bias.shape) !== columns || bias.shape.at(-1) !== columns)) return undefined;
  return { bias, activation, alpha: (attributes["leakyreluAlpha"] as number | undefined) ?? 0.2 };
}

export const matMulKernels: NativeBodies = {
  BatchMatMul: (binding, backend, inputs, attributes) => product(binding, backend, inputs, attributes)?.info,

  _FusedMatMul(binding, backend, inputs, attributes) {
    const epilogue = epilogueOf(inputs, attributes);
    const result = epilogue && product(binding, backend, inputs, attributes);
    if (!result) return undefined;
    const { bias, activation, alpha } = epilogue;
    if (bias || activation !== 0) {
      const columns = result.info.shape.at(-1)!;
      binding.addBias(result.floats, columns, bias ? backend.floats(bias) : null, activation, alpha);
    }
    return result.info;
  },
};

/** a b of two float32 tensors with at least two axes, the others broadcast. */
function product(
  binding: NativeBinding,
  backend: NativeBackend,
  { a, b }: Inputs,
  attributes: Attributes,
): { info: TensorInfo; floats: Float32Array } | undefined {
  if (!a || !b || !areFloats(a, b) || a.shape.length < 2 || b.shape.length < 2) return undefined;
  const transposeA = Boolean(attributes["transposeA"]);
  const transposeB = Boolean(attributes["transposeB"]);
  const [m, k] = matrix(a, transposeA);
  const [depth, n] = matrix(b, transposeB);
  // tfjs's kernel has the message for shapes that do not fit; of nothing it makes zeros.
  if (depth !== k || m * n * k === 0) return undefined;
  const aBatch = a.shape.slice(0, -2);
  const bBatch = b.shape.slice(0, -2);
  const outer = broadcastShape(aBatch, bBatch);
  const batch = sizeOf(outer);
  if (batch === 0) return undefined;
  const result = backend.makeFloats([...outer, m, n]);
  const [left, right, floats] = [backend.floats(a), backend.floats(b), result.floats];
  if (sizeOf(aBatch) === batch && sizeOf(bBatch) === batch) {
    binding.matMul(batch, m, n, k, transposeA, transposeB, left, right, floats);
  } else {
    const [aPlaces, bPlaces] = [broadcastPlaces(aBatch, outer), broadcastPlaces(bBatch, outer)];
    binding.matMul(batch, m, n, k, transposeA, transposeB, left, right, floats, aPlaces, bPlaces);
  }
  return result;
}

/** Rows and columns of a tensor's matrices, after transposition. */
export function matrix({ shape }: TensorInfo, transposed: boolean): [number, number] {
  const rows = shape.at(-2)!;
  const columns = shape.at(-1)!;
  return transposed ? [columns, rows] : [rows, columns];
}

/** For each entry of the broadcast shape, in order, the number of the entry of `shape` that it takes. */
function broadcastPlaces(shape: readonly number[], outer: readonly number[]): number[] {
  let places = [0];
  const offset = outer.length - shape.length;
  outer.forEach((length, axis) => {
    const own = axis < offset ? 1 : shape[axis - offset]!;
    places = places.flatMap((place) => Array.from({ length }, (_, index) => place * own + (own === 1 ? 0 : index)));
  });
  return places;
}
