/**
 * What a tensor of the `native` backend holds, and the table of all of them. The fallback kernels and tfjs itself see the
 * values through `values`, and may keep them (tfjs's slice keeps a part): such an array is not used again. Whoever reads a tensor
 * gets them through `handedOut`. Native kernels see them through `floats`, and keep nothing.
 */
import type { backend_util, DataId, DataType, TensorInfo } from "@tensorflow/tfjs-core";
import { TensorId } from "./tensor-id.js";

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

/** A tensor in the table, between the one that was entered before it and the next. */
interface Entry<Data> {
  readonly dataId: DataId;
  data: Data;
  older: Entry<Data> | undefined;
  newer: Entry<Data> | undefined;
}

/** The table of all tensors of a backend, as tfjs's kernels expect it. */
export class TensorTable<Data = TensorData> {
  #newest: Entry<Data> | undefined;
  #size = 0;
  /** Entries of tensors whose ids are another backend's. */
  readonly #others = new Map<DataId, Entry<Data>>();

  constructor(private readonly mover: Mover) {}

  /** @throws Error when the tensor was disposed */
  get(dataId: DataId): Data {
    let found = this.#entry(dataId);
    if (!found) {
      this.mover(dataId);
      found = this.#entry(dataId);
    }
    if (!found) throw new Error("a tensor was used after its end: it is disposed, or left its tidy()");
    return found.data;
  }

  set(dataId: DataId, data: Data): void {
    const there = this.#entry(dataId);
    if (there) {
      there.data = data;
      return;
    }
    const entry: Entry<Data> = { dataId, data, older: this.#newest, newer: undefined };
    if (!TensorId.set(dataId, this, entry)) this.#others.set(dataId, entry);
    if (this.#newest) this.#newest.newer = entry;
    this.#newest = entry;
    this.#size++;
  }

  has(dataId: DataId): boolean {
    return this.#entry(dataId) !== undefined;
  }

  delete(dataId: DataId): boolean {
    const entry = this.#entry(dataId);
    if (!entry) return false;
    if (!TensorId.delete(dataId, this)) this.#others.delete(dataId);
    const { older, newer } = entry;
    if (newer) newer.older = older;
    else this.#newest = older;
    if (older) older.newer = newer;
    entry.older = entry.newer = undefined;
    this.#size--;
    return true;
  }

  numDataIds(): number {
    return this.#size;
  }

  /** All that are there now, the newest first. */
  entries(): Iterable<[DataId, Data]> {
    const all: [DataId, Data][] = [];
    for (let entry = this.#newest; entry; entry = entry.older) all.push([entry.dataId, entry.data]);
    return all;
  }

  clear(): void {
    for (const [dataId] of this.entries()) this.delete(dataId);
  }

  #entry(dataId: DataId): Entry<Data> | undefined {
    return (TensorId.get(dataId, this) as Entry<Data> | undefined) ?? this.#others.get(dataId);
  }
}
