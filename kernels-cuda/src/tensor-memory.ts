/**
 * Where tensors of the tfjs backends that run in this process live, seen as Float32Arrays that a native kernel may
 * read and write in place.
 */
import { engine } from "@tensorflow/tfjs-core";
import type { DataId, KernelBackend, TensorInfo } from "@tensorflow/tfjs-core";
import type { KernelMemory } from "./kernels/native-kernel.js";

/** How one backend makes a float32 tensor, and where it keeps the values of one. */
interface BackendMemory {
  readonly make: (shape: number[]) => TensorInfo;
  /** In the `wasm` backend a view dies when its memory grows. */
  readonly view: (tensor: TensorInfo) => Float32Array;
  /** The values of an int32 tensor. */
  readonly integers: (tensor: TensorInfo) => ArrayLike<number>;
}

/** The part of tfjs-backend-wasm that is used. */
interface WasmBackend {
  makeOutput(shape: number[], dtype: "float32"): TensorInfo;
  typedArrayFromHeap(tensor: TensorInfo): Float32Array | Int32Array | Uint8Array;
}

/** The part of tfjs-backend-cpu that is used. */
interface CpuBackend {
  makeTensorInfo(shape: number[], dtype: "float32", values: Float32Array): TensorInfo;
  readonly data: { get(dataId: DataId): { values?: unknown } };
}

/** The part of tfjs-node's backend that is used. */
interface TensorflowBackend {
  write(values: Float32Array, shape: number[], dtype: "float32"): DataId;
  readSync(dataId: DataId): unknown;
  /** values are there until TensorFlow first asks for the tensor */
  readonly tensorMap: { has(dataId: DataId): boolean; get(dataId: DataId): { values?: unknown } };
}

function size(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

function requireType(dtype: "float32" | "int32", tensor: TensorInfo): void {
  if (tensor.dtype !== dtype) {
    throw new TypeError(
      `a native kernel takes ${dtype} tensors, not ${tensor.dtype} [${tensor.shape.join(", ")}]: cast it`,
    );
  }
}

const memories: Record<string, (backend: unknown) => BackendMemory> = {
  wasm(backend) {
    const wasm = backend as WasmBackend;
    return {
      make: (shape) => wasm.makeOutput(shape, "float32"),
      view: (tensor) => wasm.typedArrayFromHeap(tensor) as Float32Array,
      integers: (tensor) => wasm.typedArrayFromHeap(tensor),
    };
  },
  cpu(backend) {
    const cpu = backend as CpuBackend;
    return {
      make: (shape) => cpu.makeTensorInfo(shape, "float32", new Float32Array(size(shape))),
      view(tensor) {
        const { values } = cpu.data.get(tensor.dataId);
        return values instanceof Float32Array ? values : Float32Array.from(values as ArrayLike<number>);
      },
      integers: ({ dataId }) => cpu.data.get(dataId).values as ArrayLike<number>,
    };
  },
  tensorflow(backend) {
    const tensorflow = backend as TensorflowBackend;
    return {
      // What is written to the array before TensorFlow asks for the tensor is what it gets.
      make: (shape) => ({
        dataId: tensorflow.write(new Float32Array(size(shape)), shape, "float32"),
        shape,
        dtype: "float32",
      }),
      view: ({ dataId }) => {
        // What lies in another backend is brought over by the first use; what lies nowhere would be an obscure error.
        if (!tensorflow.tensorMap.has(dataId) && !engine().state.tensorInfo.has(dataId)) {
          throw new Error("a tensor was used after its end: it is disposed, or left its tidy()");
        }
        const values = tensorflow.tensorMap.get(dataId).values ?? tensorflow.readSync(dataId);
        return values instanceof Float32Array ? values : Float32Array.from(values as ArrayLike<number>);
      },
      integers: ({ dataId }) => tensorflow.readSync(dataId) as ArrayLike<number>,
    };
  },
};

/** Names of the tfjs backends, beside `native`, whose tensors native kernels can reach. */
export const reachableBackends: readonly string[] = Object.keys(memories);

const known = new WeakMap<object, KernelMemory>();

/** The memory of `backend`, an instance of the tfjs backend called `name`; throws on a name not in `reachableBackends`. */
export function tensorMemory(name: string, backend: object): KernelMemory {
  let memory = known.get(backend);
  if (!memory) {
    const open = memories[name];
    if (!open) throw new RangeError(`no native access to tensors of the "${name}" backend`);
    const { make, view, integers } = open(backend);
    const made: TensorInfo[] = [];
    memory = {
      makeFloats(shape) {
        const info = make([...shape]);
        made.push(info);
        return {
          info,
          get floats() {
            return view(info);
          },
        };
      },
      floats(tensor) {
        requireType("float32", tensor);
        return view(tensor);
      },
      integers(tensor) {
        requireType("int32", tensor);
        return Int32Array.from(integers(tensor));
      },
      // One kernel runs at a time.
      mark: () => (made.length = 0),
      endSince() {
        for (const { dataId } of made) (backend as KernelBackend).disposeData(dataId);
      },
    };
    known.set(backend, memory);
  }
  return memory;
}
