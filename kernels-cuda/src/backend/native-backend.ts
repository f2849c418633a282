/**
 * The tfjs backend `native`: tensors are typed arrays of this process. It has the members that the kernels of tfjs's `cpu`
 * backend use, so that those run on it where there is no native kernel.
 */
import { backend_util, engine, kernel_impls, util } from "@tensorflow/tfjs-core";
import type {
  BackendTimingInfo,
  DataId,
  DataType,
  Tensor,
  Tensor2D,
  TensorInfo,
  TypedArray,
} from "@tensorflow/tfjs-core";
import type { Cells } from "../addon/binding.js";
import { BufferPool, leastLarge, type LargeArrays } from "./buffer-pool.js";
import { expectAll } from "./expect-all.js";
import { encoded, TableBackend } from "./table-backend.js";
import { TensorData } from "./tensor-data.js";
import { TensorId } from "./tensor-id.js";

type BackendValues = backend_util.BackendValues;

/** What holds the values of each type that native kernels move and compare. */
const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

/** A type of tensors that native kernels move and compare. */
export type CellType = keyof typeof arrays;

/** Whether native kernels move and compare tensors of this type. */
export function isCellType(dtype: DataType): dtype is CellType {
  return dtype in arrays;
}

/** The backend. One is made by tfjs when `native` is chosen. */
export class NativeBackend extends TableBackend<TensorData> {
  /** Block of the fallback's matrix product. */
  readonly blockSize = 48;
  readonly pool: BufferPool;
  #made = 0;

  /** @param large where large arrays come from; JavaScript's own otherwise */
  constructor(private readonly large?: LargeArrays) {
    super();
    this.pool = new BufferPool(large);
  }

  /** Large matrices are copied into memory that is read faster: they are most often weights, which each token reads. */
  override write(values: BackendValues, shape: number[], dtype: DataType): DataId {
    expectAll(values, shape, dtype);
    if (!this.large || dtype !== "float32" || !(values instanceof Float32Array) || values.length < leastLarge) {
      return this.#hold(new TensorData(values, dtype));
    }
    const floats = this.pool.take(values.length);
    floats.set(values);
    return this.#hold(new TensorData(floats, dtype, { ours: true }));
  }

  #hold(data: TensorData): DataId {
    const dataId = new TensorId();
    data.serial = ++this.#made;
    this.data.set(dataId, data);
    return dataId;
  }

  mark(): number {
    return this.#made;
  }

  endSince(mark: number): void {
    for (const [dataId, { serial }] of this.data.entries()) if (serial > mark) this.disposeData(dataId, true);
  }

  override move(dataId: DataId, values: BackendValues, _shape: number[], dtype: DataType, refCount: number): void {
    this.data.set(dataId, new TensorData(values, dtype, { refCount }));
  }

  /** A tensor that is not on tfjs's tape yet, of these values. */
  makeTensorInfo(shape: number[], dtype: DataType, values?: BackendValues | string[]): TensorInfo {
    return { dataId: this.#hold(new TensorData(encoded(values, dtype), dtype)), shape, dtype };
  }

  /** A float32 tensor whose values are whatever they were: a kernel that makes one writes all of it. */
  makeFloats(shape: readonly number[]): { info: TensorInfo; floats: Float32Array } {
    const own = shape as number[]; // not written to here, and tfjs copies it for the tensor
    const floats = this.pool.take(util.sizeFromShape(own));
    const dataId = this.#hold(new TensorData(floats, "float32", { ours: true }));
    return { info: { dataId, shape: own, dtype: "float32" }, floats };
  }

  /**
   * Where a float32 tensor's next values go, all of which are written: its own place when nobody else can hold that, a new
   * one otherwise. For kernels that read each value before they write the one at its place.
   */
  successor(tensor: TensorInfo): { info: TensorInfo; floats: Float32Array } {
    const data = this.data.get(tensor.dataId);
    const own = data.refCount === 1 ? data.release() : undefined;
    if (!own) return this.makeFloats(tensor.shape);
    data.refCount++;
    return { info: { dataId: tensor.dataId, shape: [...tensor.shape], dtype: "float32" }, floats: own };
  }

  /** A float32, int32 or bool tensor whose values are whatever they were. */
  makeCells(shape: readonly number[], dtype: CellType): { info: TensorInfo; cells: Cells } {
    if (dtype === "float32") {
      const { info, floats } = this.makeFloats(shape);
      return { info, cells: floats };
    }
    const cells = new arrays[dtype](util.sizeFromShape([...shape]));
    return { info: this.makeTensorInfo([...shape], dtype, cells), cells };
  }

  /**
   * The values of a float32 tensor, for a kernel that keeps nothing and writes only to what it has made.
   *
   * @throws TypeError for a tensor of another type
   */
  floats(tensor: TensorInfo): Float32Array {
    if (tensor.dtype !== "float32") throw wrongType("float32", tensor);
    const values = this.data.get(tensor.dataId).peek();
    if (values instanceof Float32Array) return values;
    // tfjs takes a plain array of numbers as it is.
    return Float32Array.from(values as ArrayLike<number>);
  }

  /**
   * The values of an int32 tensor, under the same conditions.
   *
   * @throws TypeError for a tensor of another type
   */
  integers(tensor: TensorInfo): Int32Array {
    if (tensor.dtype !== "int32") throw wrongType("int32", tensor);
    const values = this.data.get(tensor.dataId).peek();
    if (values instanceof Int32Array) return values;
    return Int32Array.from(values as ArrayLike<number>);
  }

  /**
   * The values of a float32, int32 or bool tensor, under the same conditions.
   *
   * @throws TypeError for a tensor of another type
   */
  cells(tensor: TensorInfo): Cells {
    if (!isCellType(tensor.dtype)) throw wrongType("float32, int32 or bool", tensor);
    const values = this.data.get(tensor.dataId).peek();
    const Wanted = arrays[tensor.dtype];
    return values instanceof Wanted ? values : Wanted.from(values as ArrayLike<number>);
  }

  override disposeData(dataId: DataId, force = false): boolean {
    if (!this.data.has(dataId)) return true;
    const data = this.data.get(dataId);
    data.refCount--;
    if (!force && data.refCount > 0) return false;
    if (data.complexTensorInfos) {
      this.disposeData(data.complexTensorInfos.real.dataId, true);
      this.disposeData(data.complexTensorInfos.imag.dataId, true);
    }
    this.data.delete(dataId);
    const free = data.release();
    if (free) this.pool.give(free);
    return true;
  }

  override readSync(dataId: DataId): BackendValues {
    const data = this.data.get(dataId);
    if (data.dtype !== "complex64") {
      return util.convertBackendValuesAndArrayBuffer(data.handedOut(leastLarge), data.dtype);
    }
    const { real, imag } = data.complexTensorInfos!;
    return backend_util.mergeRealAndImagArrays(
      this.readSync(real.dataId) as Float32Array,
      this.readSync(imag.dataId) as Float32Array,
    );
  }

  override read(dataId: DataId): Promise<BackendValues> {
    return new Promise((resolve) => resolve(this.readSync(dataId)));
  }

  /** A tensor of these values. */
  makeOutput<T extends Tensor>(values: BackendValues, shape: number[], dtype: DataType): T {
    return engine().makeTensorFromTensorInfo(this.makeTensorInfo(shape, dtype, values), this) as T;
  }

  /** The places where a condition holds. */
  where(condition: Tensor): Tensor2D {
    if (condition.dtype === "complex64") throw new TypeError("where: complex64 tensors are not supported");
    return kernel_impls.whereImpl(condition.shape, this.readSync(condition.dataId) as TypedArray);
  }

  override time(run: () => void): Promise<BackendTimingInfo> {
    const begin = util.now();
    run();
    return Promise.resolve({ kernelMs: util.now() - begin });
  }

  override memory(): { unreliable: boolean; reasons: string[]; bytesWaiting: number } {
    return {
      unreliable: true,
      reasons: ["What was released is freed by the garbage collector, some time later."],
      bytesWaiting: this.pool.bytes,
    };
  }

  override dispose(): void {
    // Typed arrays need no one to free them.
  }
}

function wrongType(wanted: string, { dtype, shape }: TensorInfo): TypeError {
  return new TypeError(`a native kernel takes ${wanted} tensors here, not ${dtype} [${shape.join(", ")}]: cast it`);
}
