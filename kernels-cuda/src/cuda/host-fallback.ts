/**
 * Kernels that have no CUDA code: copies of their tensors go to the host, the kernel of the `native` backend runs there, or
 * else tfjs's own of `cpu`, and what it makes comes back. Each is told once.
 */
import { getKernel } from "@tensorflow/tfjs-core";
import type { DataId, KernelFunc, NamedAttrMap, NamedTensorInfoMap, TensorInfo } from "@tensorflow/tfjs-core";
import { NativeBackend } from "../backend/native-backend.js";
import { nativeBackendName } from "../backend/name.js";
import type { CudaBackend } from "./cuda-backend.js";
import { isDeviceType, typed } from "./tensor-entry.js";

/** Kernels that ran on the CPU since the start, with how often: what CUDA code is missing. */
export const hostFallbacks = new Map<string, number>();

/** Runs kernels on the CPU for a backend of the GPU. */
export class HostFallback {
  /** Not registered with tfjs: it holds tensors for the time of one call. */
  readonly #host = new NativeBackend();

  constructor(private readonly backend: CudaBackend) {}

  /**
   * Runs the kernel on the CPU.
   *
   * @throws Error when the CPU has none either
   */
  run(kernelName: string, inputs: NamedTensorInfoMap, attrs?: NamedAttrMap): TensorInfo | TensorInfo[] {
    const kernel = getKernel(kernelName, nativeBackendName) ?? getKernel(kernelName, "cpu");
    if (!kernel)
      throw new Error(`${kernelName}: there is neither a CUDA kernel for ${told(inputs)}, nor one of the CPU`);
    this.#count(kernelName, inputs);
    return new HostCall(this.backend, this.#host).run(kernel.kernelFunc, inputs, attrs);
  }

  #count(kernelName: string, inputs: NamedTensorInfoMap): void {
    const before = hostFallbacks.get(kernelName) ?? 0;
    hostFallbacks.set(kernelName, before + 1);
    // Complex tensors and strings are of the host anyway.
    if (before > 0 || !tensorsOf(inputs).every(({ dtype }) => isDeviceType(dtype))) return;
    console.warn(
      `cuda: no CUDA kernel for ${kernelName} of ${told(inputs)}: it runs on the CPU, and its tensors are copied there and ` +
        `back. Told once a session.`,
    );
  }
}

/** One call on copies. */
class HostCall {
  readonly #copies = new Map<DataId, TensorInfo>();
  /** Which tensor of the GPU a copy is of. */
  readonly #originals = new Map<DataId, TensorInfo>();
  readonly #results = new Map<DataId, TensorInfo>();

  constructor(
    private readonly backend: CudaBackend,
    private readonly host: NativeBackend,
  ) {}

  run(kernel: KernelFunc, inputs: NamedTensorInfoMap, attrs?: NamedAttrMap): TensorInfo | TensorInfo[] {
    let made: TensorInfo[] = [];
    try {
      const result = kernel({ inputs: this.#copyAll(inputs), backend: this.host, ...(attrs && { attrs }) });
      made = Array.isArray(result) ? result : [result];
      const results = made.map((info) => this.#back(info));
      return Array.isArray(result) ? results : results[0]!;
    } finally {
      for (const { dataId } of [...made, ...this.#copies.values()]) this.host.disposeData(dataId, true);
    }
  }

  /** Of the same form: tfjs gives some kernels an array, and some an array among the values. */
  #copyAll(inputs: NamedTensorInfoMap): NamedTensorInfoMap {
    const copy = (value: unknown): unknown =>
      Array.isArray(value) ? value.map(copy) : value ? this.#copy(value as TensorInfo) : value;
    if (Array.isArray(inputs)) return copy(inputs) as NamedTensorInfoMap;
    return Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, copy(value)])) as NamedTensorInfoMap;
  }

  #copy(tensor: TensorInfo): TensorInfo {
    const known = this.#copies.get(tensor.dataId);
    if (known) return { ...known, shape: tensor.shape, rank: tensor.shape.length } as TensorInfo;
    const { parts, dtype } = this.backend.data.get(tensor.dataId);
    const copy = this.host.makeTensorInfo(
      tensor.shape,
      dtype,
      parts ? undefined : this.backend.readSync(tensor.dataId),
    );
    if (parts) {
      this.host.data.get(copy.dataId).complexTensorInfos = {
        real: this.host.makeTensorInfo(tensor.shape, "float32", this.backend.readSync(parts.real.dataId)),
        imag: this.host.makeTensorInfo(tensor.shape, "float32", this.backend.readSync(parts.imag.dataId)),
      };
    }
    // Some of tfjs's kernels ask for the rank: they think that they are given tensors.
    const withRank: TensorInfo & { rank: number } = { ...copy, rank: tensor.shape.length };
    this.#copies.set(tensor.dataId, withRank);
    this.#originals.set(copy.dataId, tensor);
    return withRank;
  }

  /** What the kernel gave, as a tensor of the GPU: it goes there when a kernel of the GPU wants it. */
  #back(info: TensorInfo): TensorInfo {
    const same = this.#originals.get(info.dataId) ?? this.#results.get(info.dataId);
    if (same?.dtype === info.dtype) return this.backend.view(same, info.shape);
    const data = this.host.data.get(info.dataId);
    const parts = data.complexTensorInfos;
    let result: TensorInfo;
    if (parts) {
      const real = this.#part(parts.real);
      const imag = this.#part(parts.imag);
      result = { ...this.backend.makeComplex(real, imag), shape: info.shape };
      for (const part of [real, imag]) this.backend.disposeData(part.dataId); // the complex tensor holds them
    } else {
      // Read by `values`: the host does not use the array again.
      const own = isDeviceType(info.dtype) ? typed(data.values, info.dtype) : data.values;
      result = this.backend.makeTensorInfo(info.shape, info.dtype, own);
    }
    this.#results.set(info.dataId, result);
    return result;
  }

  #part(info: TensorInfo): TensorInfo {
    return this.backend.makeTensorInfo(info.shape, "float32", typed(this.host.data.get(info.dataId).values, "float32"));
  }
}

function tensorsOf(inputs: NamedTensorInfoMap): TensorInfo[] {
  const all: (TensorInfo | undefined)[] = Object.values(inputs).flat();
  return all.filter((tensor) => tensor !== undefined);
}

function told(inputs: NamedTensorInfoMap): string {
  const all = tensorsOf(inputs);
  const tensors = all.slice(0, 4).map(({ dtype, shape }) => `${dtype} [${shape.join(", ")}]`);
  if (all.length > 4) tensors.push(`${all.length - 4} more`);
  return tensors.length > 0 ? tensors.join(", ") : "no tensors";
}
