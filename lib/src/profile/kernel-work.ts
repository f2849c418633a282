/**
 * How much work a kernel has to do, from its name and the shapes of what goes in and comes out: floating-point operations
 * and bytes that memory must move at least, each input read and each output written once.
 *
 * An addition and a multiplication count one each, and so does a function of an element (`exp`, `tanh`, a square root): an
 * op's time, not this count, tells what such a function costs.
 */
import type { KernelCall } from "../engine/wrap-kernels.js";

/** Work of one call of a kernel. */
export interface KernelWork {
  /** floating-point operations; undefined when the count is not known */
  readonly flops: number | undefined;
  /** bytes that memory must move at least; 0 for a kernel that only renames */
  readonly bytes: number;
}

interface Shaped {
  readonly shape: readonly number[];
  readonly dtype: string;
}

type Call = Pick<KernelCall, "attributes"> & { readonly inputs: Readonly<Record<string, Shaped | undefined>> };
type Count = (call: Call, outputs: readonly Shaped[]) => number;

/** The work of a kernel that gave these outputs. */
export function kernelWork(call: Call & { readonly name: string }, outputs: readonly Shaped[]): KernelWork {
  const flops = flopsOf.get(call.name)?.(call, outputs);
  const bytes = bytesOf.get(call.name)?.(call, outputs);
  return { flops: known(flops), bytes: known(bytes) ?? everything(call, outputs) };
}

/** A kernel of another package may bear a name of this list and have other inputs: its count is then not known. */
function known(count: number | undefined): number | undefined {
  return count === undefined || Number.isNaN(count) ? undefined : count;
}

const absent: Shaped = { shape: [NaN], dtype: "float32" };

function size({ shape }: Shaped): number {
  let count = 1;
  for (const length of shape) count *= length;
  return count;
}

function bytes(tensor: Shaped): number {
  const width = { bool: 1, complex64: 8, string: 0 }[tensor.dtype] ?? 4;
  return width * size(tensor);
}

function total(tensors: readonly Shaped[], of: (tensor: Shaped) => number): number {
  return tensors.reduce((sum, tensor) => sum + of(tensor), 0);
}

function input(call: Call, name: string): Shaped {
  return call.inputs[name] ?? absent;
}

function inputsOf(call: Call): Shaped[] {
  return [...new Set(Object.values(call.inputs))].filter((tensor) => tensor !== undefined);
}

/** `count` operations for each element of all outputs. */
const perOutput =
  (count: number): Count =>
  (_, outputs) =>
    count * size(outputs[0]!);

/** `count` operations for each element of the input of this name. */
const perInput =
  (name: string, count = 1): Count =>
  (call) =>
    count * size(input(call, name));

/** A product of matrices: a multiplication and an addition for each element of the result and each of the inner axis. */
const product: Count = (call, [result]) => {
  const a = input(call, "a");
  const inner = a.shape.at(call.attributes["transposeA"] ? -2 : -1)!;
  return 2 * size(result!) * inner;
};

const convolution: Count = (call, [result]) => {
  const [height, width, channels] = input(call, "filter").shape as [number, number, number];
  return 2 * size(result!) * height * width * channels;
};

/** The parameters of a step of all of them: `parameter0`, `parameter1`, … */
function parametersOf(call: Call): Shaped[] {
  return Object.keys(call.inputs)
    .filter((name) => name.startsWith("parameter"))
    .map((name) => input(call, name));
}

/** `count` operations for each element of the state at each step: inputs `[B, T, H, N]`, states `[B, H, N, N]`. */
const recurrence =
  (count: number): Count =>
  (call) =>
    count * size(input(call, "r")) * input(call, "r").shape.at(-1)!;

/** A token's product with each matrix of half a block. With its steps of recurrences that is almost all there is to do. */
function tokenProducts(call: Call): number {
  const { shift: _, r_k: __, ...others } = call.inputs;
  const matrices = inputsOf({ ...call, inputs: others }).filter(({ shape }) => shape.length === 2);
  return 2 * input(call, "stream").shape[0]! * total(matrices, size);
}

/** The halves of each block: products with all matrices, a step of S, and with a Meta-State one of both states. */
function blocksToken(call: Call): number {
  const named = Object.entries(call.inputs).filter((entry): entry is [string, Shaped] => entry[1] !== undefined);
  const sizes = (wanted: (name: string, tensor: Shaped) => boolean): number =>
    named.reduce((sum, [name, tensor]) => sum + (wanted(name, tensor) ? size(tensor) : 0), 0);
  const matrices = sizes((name, { shape }) => shape.length === 2 && !/Shift$|r_k$/.test(name));
  const states = 9 * sizes((name) => name.endsWith(".wkv")) + 18 * sizes((name) => name.endsWith(".meta"));
  return 2 * input(call, "stream").shape[0]! * matrices + states;
}

const flopsOf = new Map<string, Count>([
  ...each(
    ["Reshape", "Identity", "ExpandDims", "Transpose", "TransposeMatrix", "Slice", "StridedSlice", "Concat", "Pack"],
    () => 0,
  ),
  ...each(["Unpack", "SplitV", "GatherV2", "GatherNd", "Embedding", "OneHot", "Cast", "Fill", "ZerosLike"], () => 0),
  ...each(["OnesLike", "Range", "Tile", "PadV2", "Reverse", "Select", "BroadcastTo"], () => 0),
  ...each(["Abs", "Neg", "Exp", "Expm1", "Log", "Log1p", "Sqrt", "Rsqrt", "Square", "Reciprocal"], perOutput(1)),
  ...each(["Sin", "Cos", "Tan", "Tanh", "Sigmoid", "Erf", "Relu", "Relu6", "LeakyRelu", "Elu", "Step"], perOutput(1)),
  ...each(["Softplus", "Sign", "Floor", "Ceil", "Round", "ClipByValue"], perOutput(1)),
  ...each(["Add", "Sub", "Multiply", "RealDiv", "Maximum", "Minimum", "Pow", "Mod", "FloorDiv"], perOutput(1)),
  ...each(["SquaredDifference", "SquaredRelu"], perOutput(2)),
  ["AddN", (call, [result]) => (inputsOf(call).length - 1) * size(result!)],
  ...each(["Sum", "Mean", "Max", "Min", "Prod", "ArgMax", "ArgMin", "Cumsum"], perInput("x")),
  ["UnsortedSegmentSum", perInput("x")],
  // The largest, a difference, its exponential, their sum, a quotient (or its logarithm and a difference).
  ["Softmax", perInput("logits", 5)],
  ["BatchMatMul", product],
  ["_FusedMatMul", product],
  ["Conv2D", convolution],
  ["FusedConv2D", convolution],
  ["Linear", (call, [y]) => 2 * size(y!) * input(call, "x").shape.at(-1)!],
  // The gradients of x and of the weight are a product each, of as many operations as the op's own.
  ["LinearGrad", (call) => 4 * size(input(call, "dy")) * input(call, "x").shape.at(-1)!],
  // S diag(w) is 1 an element, S a is 2, adding S a bᵀ is 2, adding v kᵀ is 2, S r is 2.
  ["Wkv7", recurrence(9)],
  // The states again from the checkpoints (7), and their adjoint: its sums with each operand, and its own step back.
  ["Wkv7Grad", recurrence(26)],
  ["BlocksToken", blocksToken],
  ["TimeMixingToken", (call) => tokenProducts(call) + 9 * size(input(call, "wkv"))],
  // The same recurrence for S and for M.
  ["MetaPass", recurrence(18)],
  ["MetaPassGrad", recurrence(52)],
  // Two moments (3 and 4), a root, an addition, a quotient, the decay's and the step's multiply-add.
  ["AdamW", perInput("parameter", 13)],
  ["AdamWAll", (call) => 13 * total(parametersOf(call), size)],
  ["GlobalNorm", (call) => 2 * total(inputsOf(call), size)],
]);

/** The sum of all inputs and outputs. */
const everything: Count = (call, outputs) => total(inputsOf(call), bytes) + total(outputs, bytes);

/** What is picked out of a large tensor: as much is read as is written. */
const picked =
  (indices?: string): Count =>
  (call, outputs) =>
    2 * total(outputs, bytes) + (indices ? bytes(input(call, indices)) : 0);

const bytesOf = new Map<string, Count>([
  ...each(["Reshape", "Identity", "ExpandDims"], () => 0),
  ...each(["Slice", "StridedSlice", "Unpack", "SplitV"], picked()),
  ["GatherV2", picked("indices")],
  ["GatherNd", picked("indices")],
  ["Embedding", picked("tokens")],
  ...each(["ZerosLike", "OnesLike"], (_, outputs) => total(outputs, bytes)),
]);

function each(names: readonly string[], count: Count): [string, Count][] {
  return names.map((name) => [name, count]);
}
