/** Kernels that are one call of the addon: sizes, numbers, inputs and outputs by place, as the addon reads them. */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { LibraryOp } from "../addon/binding.js";
import type { Attributes, Inputs, KernelMemory, NativeBody } from "./native-kernel.js";
import { sizeOf } from "./shapes.js";

/** The inputs of the library's ops that are int32. */
const integerInputs: ReadonlySet<string> = new Set(["targets", "tokens", "starts"]);

/** An input by its name, or several as one list. */
type Names = string | readonly string[];

/** One output for each: of its shape, or null where it is not wanted. */
type Shapes = readonly (readonly number[] | null)[];

/**
 * The body of such a kernel. It never looks into an array: the `cuda` backend runs it too, with addresses on the GPU for arrays.
 *
 * @param call the addon's function
 * @param sizes sizes and numbers, which come first
 * @param inputs what follows, in the addon's order
 * @param outputs what comes last, in the addon's order: inputs whose shapes they have, or the shapes
 */
export function addonOp(
  call: LibraryOp,
  sizes: (inputs: Inputs, attributes: Attributes) => readonly number[],
  inputs: readonly Names[],
  outputs: readonly Names[] | ((inputs: Inputs, attributes: Attributes) => Shapes),
): NativeBody<KernelMemory> {
  return (binding, memory, given, attributes) => {
    const numbers = sizes(given, attributes);
    const make = (shape: readonly number[]): TensorInfo => memory.makeFloats(shape).info;
    // All outputs before any values are asked for: in another package's backend, making one may move the memory of the others.
    const made =
      typeof outputs === "function"
        ? outputs(given, attributes).map((shape) => shape && make(shape))
        : outputs.map((names) => ofEach(names, (name) => make(given[name]!.shape)));
    const values = (name: string): Float32Array | Int32Array =>
      integerInputs.has(name) ? memory.integers(given[name]!) : memory.floats(given[name]!);
    binding[call](
      ...numbers,
      ...inputs.map((names) => ofEach(names, values)),
      ...made.map((info) => info && ofEach(info, (one) => memory.floats(one))),
    );
    return made.flat().filter((info) => info !== null);
  };
}

function ofEach<T extends string | TensorInfo, Result>(
  one: T | readonly T[],
  of: (one: T) => Result,
): Result | Result[] {
  return Array.isArray(one) ? (one as readonly T[]).map(of) : of(one as T);
}

/** Rows of a tensor that are as long as a vector, and how long that is. */
export function rowsLike(x: TensorInfo, vector: TensorInfo): [rows: number, width: number] {
  const width = sizeOf(vector.shape);
  return [sizeOf(x.shape) / width, width];
}

/** Rows of a tensor's last axis, and its length. */
export function rowsOf({ shape }: TensorInfo): [rows: number, width: number] {
  const width = shape.at(-1)!;
  return [sizeOf(shape) / width, width];
}
