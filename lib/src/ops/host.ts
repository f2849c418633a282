/**
 * Direct access to tensor memory on backends that keep it in this process: tfjs's `wasm` (a heap) and `cpu` (typed
 * arrays), and any backend built like them. A kernel that loops over plain arrays there beats a chain of small tfjs ops.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";

/** Reads and makes tensors as typed arrays, without a copy. */
export interface HostMemory {
  /**
   * The float32 values of a tensor, not a copy: never write to an input. A view of the wasm heap dies when the heap
   * grows, so make all outputs before the first view.
   */
  floats(tensor: TensorInfo): Float32Array;
  /** The int32 values of a tensor, under the same conditions. */
  integers(tensor: TensorInfo): Int32Array;
  /** A new float32 tensor; its values are undefined until written. */
  make(shape: readonly number[]): TensorInfo;
}

interface HeapBackend {
  typedArrayFromHeap(tensor: TensorInfo): ArrayLike<number>;
  makeOutput(shape: number[], dtype: "float32"): TensorInfo;
}

interface ArrayBackend {
  data: { get(dataId: object): { values?: ArrayLike<number> | null } };
  makeTensorInfo(shape: number[], dtype: "float32", values: Float32Array): TensorInfo;
}

function isHeapBackend(backend: object): backend is HeapBackend {
  return "typedArrayFromHeap" in backend && "makeOutput" in backend;
}

function isArrayBackend(backend: object): backend is ArrayBackend {
  return "data" in backend && "makeTensorInfo" in backend && "blockSize" in backend;
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

const known = new WeakMap<object, HostMemory | null>();

/** Host access to a backend's memory, or `undefined` when its tensors live elsewhere (a GPU, another library). */
export function hostMemory(backend: object): HostMemory | undefined {
  let memory = known.get(backend);
  if (memory === undefined) {
    memory = isHeapBackend(backend) ? heapMemory(backend) : isArrayBackend(backend) ? arrayMemory(backend) : null;
    known.set(backend, memory);
  }
  return memory ?? undefined;
}

function heapMemory(backend: HeapBackend): HostMemory {
  return {
    floats: (tensor) => backend.typedArrayFromHeap(tensor) as Float32Array,
    integers: (tensor) => backend.typedArrayFromHeap(tensor) as Int32Array,
    make: (shape) => backend.makeOutput([...shape], "float32"),
  };
}

function arrayMemory(backend: ArrayBackend): HostMemory {
  const values = (tensor: TensorInfo): ArrayLike<number> => {
    const held = backend.data.get(tensor.dataId).values;
    if (!held) throw new Error("a tensor's values are not in host memory");
    return held;
  };
  return {
    floats: (tensor) => {
      const held = values(tensor);
      return held instanceof Float32Array ? held : Float32Array.from(held);
    },
    integers: (tensor) => {
      const held = values(tensor);
      return held instanceof Int32Array ? held : Int32Array.from(held);
    },
    make: (shape) => backend.makeTensorInfo([...shape], "float32", new Float32Array(elements(shape))),
  };
}
