/**
 * The tfjs backend `cuda`: tensors in the memory of the GPU, kernels launched without waiting, reads that wait. Kernels that
 * it has no code for run on the CPU (`HostFallback`).
 */
import { backend_util, util } from "@tensorflow/tfjs-core";
import type { BackendTimingInfo, DataId, DataType, TensorInfo } from "@tensorflow/tfjs-core";
import { expectAll } from "../backend/expect-all.js";
import { encoded, TableBackend } from "../backend/table-backend.js";
import { TensorId } from "../backend/tensor-id.js";
import type { CudaBinding } from "./addon/binding.js";
import type { Address } from "./addon/core-binding.js";
import { HostFallback } from "./host-fallback.js";
import { arrayOf, byteLength, typed, type DeviceType, type TensorEntry } from "./tensor-entry.js";

type BackendValues = backend_util.BackendValues;

/** A new tensor whose values a kernel is to write. */
export interface Made {
  readonly info: TensorInfo;
  readonly address: Address;
}

/** What `tf.memory()` tells on this backend, in bytes of the GPU. */
export interface CudaMemoryInfo {
  readonly unreliable: boolean;
  readonly bytesUsed: number;
  readonly bytesPeak: number;
  readonly bytesWaiting: number;
  readonly bytesFree: number;
  readonly bytesTotal: number;
}

/** The backend. One is made by tfjs when `cuda` is chosen. */
export class CudaBackend extends TableBackend<TensorEntry> {
  readonly fallback = new HostFallback(this);
  /** Tensors made by the kernel that runs, and those it has taken views of: when it fails, nobody else knows them. */
  #running: { readonly made: DataId[]; readonly viewed: DataId[] } | undefined;

  constructor(readonly binding: CudaBinding) {
    super();
  }

  override write(values: BackendValues, shape: number[], dtype: DataType): DataId {
    expectAll(values, shape, dtype);
    const dataId = new TensorId();
    this.move(dataId, values, shape, dtype, 1);
    return dataId;
  }

  override move(dataId: DataId, values: BackendValues, shape: number[], dtype: DataType, refCount: number): void {
    const entry: TensorEntry = { dtype, size: util.sizeFromShape(shape), refCount };
    if (dtype === "complex64" && values) {
      const { real, imag } = backend_util.splitRealAndImagArrays(values as Float32Array);
      entry.parts = {
        real: this.makeTensorInfo(shape, "float32", real),
        imag: this.makeTensorInfo(shape, "float32", imag),
      };
    } else if (values) entry.values = values;
    this.#add(dataId, entry);
  }

  /** A tensor that is not on tfjs's tape yet, of these values of the host. */
  makeTensorInfo(shape: readonly number[], dtype: DataType, values: BackendValues | string[]): TensorInfo {
    return { dataId: this.write(encoded(values, dtype), [...shape], dtype), shape: [...shape], dtype };
  }

  /** A complex64 tensor of these two, which it holds on to. */
  makeComplex(real: TensorInfo, imag: TensorInfo): TensorInfo {
    const dataId = new TensorId();
    for (const part of [real, imag]) this.incRef(part.dataId);
    this.#add(dataId, { dtype: "complex64", size: util.sizeFromShape(real.shape), refCount: 1, parts: { real, imag } });
    return { dataId, shape: real.shape, dtype: "complex64" };
  }

  /**
   * A tensor on the GPU whose values are whatever they were: a kernel that makes one writes all of it.
   *
   * @throws Error when the GPU's memory is exhausted
   */
  make(shape: readonly number[], dtype: DeviceType): Made {
    const size = util.sizeFromShape([...shape]);
    const address = this.binding.allocate(byteLength(dtype, size));
    const dataId = new TensorId();
    this.#add(dataId, { dtype, size, refCount: 1, address });
    return { info: { dataId, shape: [...shape], dtype }, address };
  }

  /** The same, float32. */
  makeFloats(shape: readonly number[]): Made {
    return this.make(shape, "float32");
  }

  /** Another tensor of the same values, with this shape and of the same size. */
  view(tensor: TensorInfo, shape: readonly number[]): TensorInfo {
    this.incRef(tensor.dataId);
    this.#running?.viewed.push(tensor.dataId);
    return { dataId: tensor.dataId, shape: [...shape], dtype: tensor.dtype };
  }

  /**
   * Where a float32 tensor's values are on the GPU, for a kernel that writes only to what it has made.
   *
   * @throws TypeError for a tensor of another type
   */
  floats(tensor: TensorInfo): Address {
    return this.address(tensor, "float32");
  }

  /** The same of an int32 tensor. */
  integers(tensor: TensorInfo): Address {
    return this.address(tensor, "int32");
  }

  /** The same of a tensor of this type. */
  address(tensor: TensorInfo, wanted: DeviceType): Address {
    const { dtype, shape } = tensor;
    if (dtype !== wanted) {
      throw new TypeError(`a CUDA kernel takes ${wanted} tensors here, not ${dtype} [${shape.join(", ")}]: cast it`);
    }
    const entry = this.data.get(tensor.dataId);
    if (entry.address === undefined) {
      const address = this.binding.allocate(byteLength(wanted, entry.size));
      try {
        if (entry.size > 0) this.binding.upload(address, typed(entry.values!, wanted));
      } catch (error) {
        this.binding.free(address);
        throw error;
      }
      entry.address = address;
      delete entry.values;
    }
    return entry.address;
  }

  /** Whether the values are still on the host, so that a kernel of the CPU has them at no cost. */
  isOnHost(tensor: TensorInfo): boolean {
    return this.data.get(tensor.dataId).address === undefined;
  }

  /** Runs a kernel; when it throws, the tensors and views that it has made until then end. */
  runKernel<T>(kernel: () => T): T {
    const outer = this.#running;
    const { made, viewed } = (this.#running = { made: [] as DataId[], viewed: [] as DataId[] });
    try {
      return kernel();
    } catch (error) {
      for (const dataId of viewed.splice(0)) this.disposeData(dataId);
      for (const dataId of made) this.disposeData(dataId, true);
      throw error;
    } finally {
      this.#running = outer;
    }
  }

  #add(dataId: DataId, entry: TensorEntry): void {
    this.data.set(dataId, entry);
    this.#running?.made.push(dataId);
  }

  override disposeData(dataId: DataId, force = false): boolean {
    if (!this.data.has(dataId)) return true;
    const entry = this.data.get(dataId);
    entry.refCount--;
    const view = this.#running?.viewed.lastIndexOf(dataId) ?? -1;
    if (view >= 0) this.#running!.viewed.splice(view, 1);
    if (!force && entry.refCount > 0) return false;
    this.data.delete(dataId);
    if (entry.parts) {
      this.disposeData(entry.parts.real.dataId);
      this.disposeData(entry.parts.imag.dataId);
    }
    if (entry.address !== undefined) this.binding.free(entry.address);
    return true;
  }

  override readSync(dataId: DataId): BackendValues {
    const { dtype, size, parts, values, address } = this.data.get(dataId);
    if (parts) {
      return backend_util.mergeRealAndImagArrays(
        this.readSync(parts.real.dataId) as Float32Array,
        this.readSync(parts.imag.dataId) as Float32Array,
      );
    }
    if (address === undefined) return util.convertBackendValuesAndArrayBuffer(values!, dtype);
    const result = arrayOf(dtype as DeviceType, size);
    this.binding.download(address, result);
    return result;
  }

  /** The values, when the GPU has come to them: the event loop goes on meanwhile, and the tensor may end. */
  override async read(dataId: DataId): Promise<BackendValues> {
    const { dtype, size, parts, address } = this.data.get(dataId);
    if (parts) {
      const [real, imag] = await Promise.all([this.read(parts.real.dataId), this.read(parts.imag.dataId)]);
      return backend_util.mergeRealAndImagArrays(real as Float32Array, imag as Float32Array);
    }
    if (address === undefined) return this.readSync(dataId);
    const result = arrayOf(dtype as DeviceType, size);
    await this.binding.read(address, result);
    return result;
  }

  /** Milliseconds between two events of the stream. */
  override async time(run: () => void): Promise<BackendTimingInfo> {
    const stop = this.binding.startTimer();
    run();
    return { kernelMs: await stop() };
  }

  override memory(): CudaMemoryInfo {
    const { used, peak, waiting, free, total } = this.binding.memory();
    return {
      unreliable: false,
      bytesUsed: used,
      bytesPeak: peak,
      bytesWaiting: waiting,
      bytesFree: free,
      bytesTotal: total,
    };
  }

  /** Frees what is left on the GPU. */
  override dispose(): void {
    for (const [, { address }] of this.data.entries()) {
      if (address !== undefined) this.binding.free(address);
    }
    this.data.clear();
  }
}
