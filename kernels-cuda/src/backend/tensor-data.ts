/**
 * What a tensor of the `native` backend holds, and the table of all of them. The fallback kernels and tfjs itself see the
 * values through `values`, and may keep them (tfjs's slice keeps a part): such an array is not used again. Whoever reads a tensor
 * gets them through `handedOut`. Native kernels see them through `floats`, and keep nothing.
 */
import type { backend_util, DataId, DataType, TensorInfo } from "@tensorflow/tfjs-core";

type BackendValues = backend_util.BackendValues;

/** The values of a tensor, shared by all tensors that are views of it (`reshape`, `clone`). */
export class TensorData {
  refCount: number;
  /** Counts those that the backend has made; 0 for one that was brought over from another. */
  serial = 0;
  /** Real and imaginary part of a complex64 tensor, whose own values are absent. */
  complexTensorInfos?: { real: TensorInfo; imag: TensorInfo };
  #values: BackendValues;
  #ours: boolean;

  /** @param ours whether nobody else holds the values, so that they may be used again at the end */
  constructor(
    values: BackendValues,
    readonly dtype: DataType,
    { refCount = 1, ours = false } = {},
  ) {
    this.#values = values;
    this.#ours = ours;
    this.refCount = refCount;
  }

  /** The values, for whoever may keep them. */
  get values(): BackendValues {
    this.#ours = false;
    return this.#values;
  }

  set values(values: BackendValues) {
    this.#ours = false;
    this.#values = values;
  }

  /**
   * The values, for whoever reads the tensor and may keep them. From `large` values on a copy: an array that is used again, as
   * that of a parameter which a checkpoint has been written of, saves the next step a new one.
   */
  handedOut(large: number): BackendValues {
    const own = this.release();
    return own && own.length >= large ? own.slice() : this.values;
  }

  /** The values, for a kernel that keeps nothing. */
  peek(): BackendValues {
    return this.#values;
  }

  /** The array that may be used again, when nobody else can hold it. */
  release(): Float32Array | undefined {
    return this.#ours && this.#values instanceof Float32Array ? this.#values : undefined;
  }
}

/** Brings a tensor over that lies in another backend. */
type Mover = (dataId: DataId) => void;

/** The table of all tensors of a backend, as tfjs's kernels expect it. */
export class TensorTable<Data = TensorData> {
  readonly #entries = new Map<DataId, Data>();

  constructor(private readonly mover: Mover) {}

  /** @throws Error when the tensor was disposed */
  get(dataId: DataId): Data {
    let found = this.#entries.get(dataId);
    if (!found) {
      this.mover(dataId);
      found = this.#entries.get(dataId);
    }
    if (!found) throw new Error("a tensor was used after its end: it is disposed, or left its tidy()");
    return found;
  }

  set(dataId: DataId, data: Data): void {
    this.#entries.set(dataId, data);
  }

  has(dataId: DataId): boolean {
    return this.#entries.has(dataId);
  }

  delete(dataId: DataId): boolean {
    return this.#entries.delete(dataId);
  }

  numDataIds(): number {
    return this.#entries.size;
  }

  entries(): Iterable<[DataId, Data]> {
    return this.#entries.entries();
  }

  clear(): void {
    this.#entries.clear();
  }
}
