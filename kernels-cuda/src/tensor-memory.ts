/**
 * Where tensors of the tfjs backends that run in this process live, seen as Float32Arrays that a native kernel may
 * read and write in place.
 */
import { engine } from "@tensorflow/tfjs-core";
import type { DataId, TensorInfo } from "@tensorflow/tfjs-core";
import type { NativeBackend } from "./backend/native-backend.js";

/** Reads inputs and makes outputs in the memory of one backend. */
export interface TensorMemory {
  /** A new float32 tensor, its values not set. */
  make(shape: number[]): TensorInfo;
  /** The values of float32 tensors, shared. In the `wasm` backend a view dies when its memory grows: make first. */
  views<T extends Tensors<T>>(tensors: T): { [K in keyof T]: Float32Array };
}

/** Tensors by name; one that is optional may be left out. */
type Tensors<T> = { readonly [K in keyof T]?: TensorInfo };

/** How one backend makes a float32 tensor, and where it keeps the values of one. */
interface BackendMemory {
  readonly make: (shape: number[]) => TensorInfo;
  readonly view: (tensor: TensorInfo) => Float32Array;
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

function requireFloat32(tensor: TensorInfo): void {
  if (tensor.dtype !== "float32") {
    throw new TypeError(
      `a native kernel takes float32 tensors, not ${tensor.dtype} [${tensor.shape.join(", ")}]: cast it`,
    );
  }
}

const memories: Record<string, (backend: unknown) => BackendMemory> = {
  native(backend) {
    const native = backend as NativeBackend;
    return { make: (shape) => native.makeFloats(shape).info, view: (tensor) => native.floats(tensor) };
  },
  wasm(backend) {
    const wasm = backend as WasmBackend;
    return {
      make: (shape) => wasm.makeOutput(shape, "float32"),
      view: (tensor) => wasm.typedArrayFromHeap(tensor) as Float32Array,
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
    };
  },
};

/** Names of the tfjs backends whose tensors native kernels can reach. */
export const reachableBackends: readonly string[] = Object.keys(memories);

/** The memory of `backend`, an instance of the tfjs backend called `name`; throws on a name not in `reachableBackends`. */
export function tensorMemory(name: string, backend: unknown): TensorMemory {
  const open = memories[name];
  if (!open) throw new RangeError(`no native access to tensors of the "${name}" backend`);
  const { make, view } = open(backend);
  return {
    make,
    views<T extends Tensors<T>>(tensors: T) {
      const views = Object.entries<TensorInfo>(tensors as Record<string, TensorInfo>).map(([name, tensor]) => {
        requireFloat32(tensor);
        return [name, view(tensor)];
      });
      return Object.fromEntries(views) as { [K in keyof T]: Float32Array };
    },
  };
}
