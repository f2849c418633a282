/** Kernels that are one call of the addon: sizes, numbers, inputs and outputs by place, as the addon reads them. */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { LibraryOp, OpArgument } from "../addon/binding.js";
import type { Attributes, Inputs, KernelMemory, NativeBody } from "./native-kernel.js";
import { sizeOf } from "./shapes.js";

/** The inputs of the library's ops that are int32. */
const integerInputs: ReadonlySet<string> = new Set(["targets", "tokens", "starts"]);

/** An input by its name, or several as one list. */
type Names = string | readonly string[];

type Made = ReturnType<KernelMemory["makeFloats"]>;

/** One output for each: of its shape, or null where it is not wanted. */
type Shapes = readonly (readonly number[] | null)[];

/**
 * The body of such a kernel. It never looks into an array: the `cuda` backend runs it too, with addresses on the GPU for arrays.
 *
 * @param call the addon's function
 * @param sizes sizes and numbers, which come first: a list of its own for each call
 * @param inputs what follows, in the addon's order
 * @param outputs what comes last, in the addon's order: inputs whose shapes they have, or the shapes
 */
export function addonOp(
  call: LibraryOp,
  sizes: (inputs: Inputs, attributes: Attributes) => number[],
  inputs: readonly Names[],
  outputs: readonly Names[] | ((inputs: Inputs, attributes: Attributes) => Shapes),
): NativeBody<KernelMemory> {
  // Plain loops: a small op is called thousands of times a second, and all ops share this code.
  return (binding, memory, given, attributes) => {
    const values: OpArgument[] = sizes(given, attributes);
    const infos: TensorInfo[] = [];
    const make = (shape: readonly number[]): Made => {
      const one = memory.makeFloats(shape);
      infos.push(one.info);
      return one;
    };
    // All are made before any values are asked for: in another package's backend, making one may move the memory of the others.
    const made: (Made | Made[] | null)[] = [];
    if (typeof outputs === "function") {
      for (const shape of outputs(given, attributes)) made.push(shape && make(shape));
    } else {
      for (const names of outputs) {
        made.push(
          typeof names === "string" ? make(given[names]!.shape) : names.map((name) => make(given[name]!.shape)),
        );
      }
    }
    for (const names of inputs) {
      if (typeof names !== "string") values.push(names.map((name) => memory.floats(given[name]!)));
      else if (integerInputs.has(names)) values.push(memory.integers(given[names]!));
      else values.push(memory.floats(given[names]!));
    }
    for (const one of made) {
      if (one === null) values.push(null);
      else values.push(Array.isArray(one) ? one.map(({ floats }) => floats) : one.floats);
    }
    binding[call](...values);
    return infos;
  };
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
