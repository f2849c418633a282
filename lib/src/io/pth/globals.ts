/**
 * The classes and functions that a pickle in a model's file may name. The list is closed; each is a name for something
 * done here, in a few lines, on plain data. Nothing is looked up anywhere else.
 */
import { quoted } from "../../errors.js";
import type { FileDtype } from "../float-formats.js";
import { elementCount } from "../tensor-file.js";
import { PickleError, type PickleWorld } from "./pickle.js";
import { Dictionary, GlobalName, StorageReference, TensorReference, Tuple, type PickleValue } from "./pickle-values.js";

/** torch's classes of storages, by the format of their elements. */
const storages: ReadonlyMap<string, FileDtype> = new Map([
  ["torch.FloatStorage", "F32"],
  ["torch.HalfStorage", "F16"],
  ["torch.BFloat16Storage", "BF16"],
  ["torch.DoubleStorage", "F64"],
  ["torch.LongStorage", "I64"],
  ["torch.IntStorage", "I32"],
  ["torch.ShortStorage", "I16"],
  ["torch.CharStorage", "I8"],
  ["torch.ByteStorage", "U8"],
  ["torch.BoolStorage", "BOOL"],
  ["torch.Float8_e4m3fnStorage", "F8_E4M3"],
  ["torch.Float8_e5m2Storage", "F8_E5M2"],
] as const);

/** torch's own limit. */
const mostAxes = 64;

/** Names that are kept as values and cannot be called: torch's dtypes. */
const inert = /^torch\.(float|bfloat|int|uint|double|half|long|short|bool)\d*(_e[0-9a-z]+)?$/;

/** What can be called, and what becomes of it. */
const functions: ReadonlyMap<string, (args: readonly PickleValue[]) => PickleValue> = new Map([
  ["collections.OrderedDict", orderedDict],
  ["torch._utils._rebuild_tensor_v2", rebuildTensor],
  ["torch._utils._rebuild_tensor", rebuildTensor],
  ["torch._utils._rebuild_parameter", ([tensor]) => wanted(tensor, TensorReference, "a parameter's tensor")],
  ["torch.Size", ([sizes]) => wanted(sizes, Tuple, "a size's tuple")],
  ["torch.device", ([name]) => name ?? null],
] as [string, (args: readonly PickleValue[]) => PickleValue][]);

/** What pickles of PyTorch's files may ask for. */
export const torchWorld: PickleWorld = {
  global(name) {
    if (!functions.has(name) && !storages.has(name) && !inert.test(name)) refuse(name);
    return new GlobalName(name);
  },

  call({ name }, args) {
    const apply = functions.get(name);
    if (!apply) throw new PickleError(`has a pickle that calls ${name}, which is no function`);
    return apply(args);
  },

  persistent(id) {
    if (!(id instanceof Tuple)) throw new PickleError("has a pickle with a persistent id that is no tuple");
    const [kind, type, key, , count] = id.items;
    const dtype = type instanceof GlobalName ? storages.get(type.name) : undefined;
    if (kind !== "storage" || !dtype || typeof key !== "string" || !isCount(count)) {
      throw new PickleError("has a pickle with a persistent id that names no storage");
    }
    return new StorageReference(key, dtype, count);
  },
};

function refuse(name: string): never {
  throw new PickleError(
    `has a pickle that asks for ${quoted(name)}, which a file of tensors has no need of; nothing of it was executed`,
    "If you trust where it comes from, load it in PyTorch and save the tensors alone: " +
      "torch.save(model.state_dict(), path), or use .safetensors.",
  );
}

function orderedDict([pairs]: readonly PickleValue[]): Dictionary {
  const dictionary = new Dictionary();
  if (pairs === undefined) return dictionary;
  for (const pair of Array.isArray(pairs) ? pairs : []) {
    const [key, value] = Array.isArray(pair) ? pair : wanted(pair, Tuple, "an item").items;
    if (typeof key !== "string" || value === undefined || dictionary.items.has(key)) {
      throw new PickleError("has a pickle with an OrderedDict whose items are no pairs, or not of different names");
    }
    dictionary.items.set(key, value);
  }
  return dictionary;
}

/** `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks, metadata)`; the first four count. */
function rebuildTensor(args: readonly PickleValue[]): TensorReference {
  const [storage, offset, size, stride] = args;
  const numbers =
    storage instanceof StorageReference && isCount(offset) && size instanceof Tuple && stride instanceof Tuple;
  if (!numbers) throw new PickleError("has a pickle with a tensor that is described in another way than torch's");
  const shape = size.items;
  const strides = stride.items;
  const axes = shape.length;
  if (elementCount(shape) === undefined || axes > mostAxes || axes !== strides.length || !strides.every(isCount)) {
    throw new PickleError("has a pickle with a tensor whose shape or strides are no counts");
  }
  return new TensorReference(storage, offset, shape as number[], strides);
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function wanted<T>(value: PickleValue | undefined, kind: abstract new (...args: never[]) => T, what: string): T {
  if (value instanceof kind) return value;
  throw new PickleError(`has a pickle in which ${what} is missing`);
}
