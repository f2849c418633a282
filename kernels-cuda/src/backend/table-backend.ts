/** What the backends `native` and `cuda` share: a table of tensors that counts who holds each. */
import { buffer, engine, KernelBackend, util } from "@tensorflow/tfjs-core";
import type {
  backend_util,
  DataId,
  DataType,
  Rank,
  ShapeMap,
  TensorBuffer,
  TensorInfo,
  TypedArray,
} from "@tensorflow/tfjs-core";
import { TensorTable } from "./tensor-data.js";

/** The values of a tensor as tfjs keeps them, where strings may be given as they are. */
export function encoded(
  values: backend_util.BackendValues | string[] | undefined,
  dtype: DataType,
): backend_util.BackendValues {
  const areTexts = dtype === "string" && typeof values?.[0] === "string";
  return areTexts
    ? (values as string[]).map((text) => util.encodeString(text))
    : (values as backend_util.BackendValues);
}

/** A backend whose tensors are entries of a table, shared by all that are views of one (`reshape`, `clone`). */
export abstract class TableBackend<Data extends { refCount: number }> extends KernelBackend {
  readonly data = new TensorTable<Data>((dataId) => {
    // One that lies in another backend is moved here; one that lies nowhere stays unknown.
    const tfjs = engine();
    if (tfjs.state.tensorInfo.has(dataId)) tfjs.moveData(this, dataId);
  });

  override refCount(dataId: DataId): number {
    return this.data.has(dataId) ? this.data.get(dataId).refCount : 0;
  }

  override incRef(dataId: DataId): void {
    this.data.get(dataId).refCount++;
  }

  decRef(dataId: DataId): void {
    if (this.data.has(dataId)) this.data.get(dataId).refCount--;
  }

  disposeIntermediateTensorInfo(tensor: TensorInfo): void {
    this.disposeData(tensor.dataId);
  }

  /** The tensor's values with access by place; waits for them. */
  bufferSync<R extends Rank, D extends DataType>(tensor: TensorInfo): TensorBuffer<R, D> {
    const values = this.readSync(tensor.dataId);
    const shape = tensor.shape as ShapeMap[R];
    if (tensor.dtype !== "string") {
      return buffer(shape, tensor.dtype, values as TypedArray) as unknown as TensorBuffer<R, D>;
    }
    const strings = (values as Uint8Array[]).map((bytes) => util.decodeString(bytes));
    return buffer(shape, "string", strings) as unknown as TensorBuffer<R, D>;
  }

  override numDataIds(): number {
    return this.data.numDataIds();
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }
}
