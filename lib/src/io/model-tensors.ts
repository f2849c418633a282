/** A file's tensors under the names of the model's parameters, whichever naming the file has. */
import { ModelFileError } from "../errors.js";
import { fromFla } from "./huggingface/names.js";
import { elementCount, toFloat32, type FileTensor, type ReadOptions, type TensorFile } from "./tensor-file.js";

/** A parameter's values in a file. */
export interface ModelTensor {
  /** the tensor that holds them */
  readonly tensor: FileTensor;
  /** the shape they have as a parameter, up to axes of size 1 */
  readonly shape: readonly number[];
  /** whether the tensor is the transpose */
  readonly transposed: boolean;
  /** which of the tensor's first axis, where it holds several parameters */
  readonly row?: number;
}

/** How a file names its tensors: as RWKV-7 checkpoints (ours), or as flash-linear-attention. */
export type Naming = "rwkv" | "fla";

/** A file as a model's. */
export interface ModelTensors {
  readonly naming: Naming;
  /** by the parameter's name */
  readonly tensors: ReadonlyMap<string, ModelTensor>;
}

/** Early files of flash-linear-attention hold the six mixes of token shift in one tensor, in this order. */
const mixesInOne = ["x_r", "x_w", "x_k", "x_v", "x_a", "x_g"];

/**
 * Brings a file's tensors under our names.
 *
 * @param tied whether the head is the embedding, when the file has no head
 * @throws ModelFileError when the names are not those of RWKV-7
 */
export function modelTensors(file: TensorFile, { tied = false } = {}): ModelTensors {
  const naming: Naming = file.tensors.has("model.embeddings.weight") ? "fla" : "rwkv";
  const tensors = new Map<string, ModelTensor>();
  for (const tensor of file.tensors.values()) {
    if (naming === "rwkv") tensors.set(tensor.name, { tensor, shape: tensor.shape, transposed: false });
    else for (const [name, value] of renamed(file, tensor)) tensors.set(name, value);
  }
  const embedding = tensors.get("emb.weight");
  if (!embedding) {
    const names = [...file.tensors.keys()].slice(0, 3).join(", ");
    throw new ModelFileError(
      file.path,
      null,
      `holds no RWKV-7 or Meta-State model: there is no emb.weight and no model.embeddings.weight, but ${names || "nothing"}`,
      "ms.inspectFile(path) lists what it holds.",
    );
  }
  if (tied && !tensors.has("head.weight")) tensors.set("head.weight", embedding);
  return { naming, tensors };
}

function renamed(file: TensorFile, tensor: FileTensor): [string, ModelTensor][] {
  const { name, shape } = tensor;
  const layer = /^model\.layers\.(\d+)\.attn\.x_x$/.exec(name)?.[1];
  if (layer !== undefined && shape[0] === mixesInOne.length) {
    const each = shape.slice(1);
    return mixesInOne.map((mix, row) => [
      `blocks.${layer}.att.${mix}`,
      { tensor, shape: each, transposed: false, row },
    ]);
  }
  const ours = fromFla(name);
  if (!ours) throw unknownTensor(file.path, name);
  if (!ours.transposed) return [[ours.name, { tensor, shape, transposed: false }]];
  if (shape.length !== 2) {
    throw new ModelFileError(file.path, name, `has ${shape.length} axes, wanted a matrix`, damaged);
  }
  return [[ours.name, { tensor, shape: [shape[1]!, shape[0]!], transposed: true }]];
}

const damaged = "The file is not of a model that the library knows: ms.inspectFile(path) lists what it holds.";

/** The error for a tensor that RWKV-7 does not have. */
export function unknownTensor(path: string, name: string): ModelFileError {
  return new ModelFileError(
    path,
    name,
    "is no parameter of RWKV-7 or of a Meta-State model",
    "The file is of another kind of model (or of another version of RWKV), which the library cannot run exactly.",
  );
}

/** The values of a parameter, row-major in the parameter's shape. */
export async function readParameter(
  file: TensorFile,
  { tensor, shape, transposed, row }: ModelTensor,
  options?: ReadOptions,
): Promise<Float32Array<ArrayBuffer>> {
  const values = toFloat32(file, tensor.name, await file.read(tensor.name, options));
  if (row !== undefined) {
    const count = elementCount(shape)!;
    return values.slice(row * count, (row + 1) * count);
  }
  return transposed ? transpose(values, shape[0]!, shape[1]!) : values;
}

/**
 * A matrix turned.
 *
 * @param values of a matrix `[columns, rows]`
 * @returns those of `[rows, columns]`
 */
export function transpose(values: Float32Array<ArrayBuffer>, rows: number, columns: number): Float32Array<ArrayBuffer> {
  // As integers, so that no NaN changes its payload on the way.
  const from = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const to = new Uint32Array(values.length);
  for (let j = 0; j < columns; j++) {
    for (let i = 0; i < rows; i++) to[i * columns + j] = from[j * rows + i]!;
  }
  return new Float32Array(to.buffer);
}
