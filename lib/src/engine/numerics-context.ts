/**
 * What an error about numbers can say of where it happened: the names of tensors, and the step of training. Names are kept
 * only while somebody looks for such errors; otherwise naming does nothing.
 */
import type { DataId, TensorInfo } from "@tensorflow/tfjs-core";

import { closeAfterTermination } from "./termination.js";

/** What a tensor is called. */
export interface TensorName {
  /** e.g. `blocks.1.att.w1` */
  readonly name: string;
  /** what it is: a model's parameter, an activation, or something computed from the one of that name */
  readonly kind: "parameter" | "activation" | "from";
}

let names: WeakMap<DataId, TensorName> | undefined;
let step: number | undefined;
closeAfterTermination(() => (step = undefined));

/** Begins or ends to keep names. */
export function keepNames(on: boolean): void {
  names = on ? (names ?? new WeakMap()) : undefined;
}

/** Whether names are kept: each op then runs by itself, so that an error tells which one it was. */
export function keepsNames(): boolean {
  return names !== undefined;
}

/** Notes what a tensor is called; views of it are called so too. */
export function nameTensor({ dataId }: TensorInfo, kind: TensorName["kind"], prefix: string, name: string): void {
  names?.set(dataId, { name: prefix + name, kind });
}

/** What a tensor is called, when that is known. */
export function nameOf({ dataId }: TensorInfo): TensorName | undefined {
  return names?.get(dataId);
}

/** Notes the step of training, from 1, or that none is being done. */
export function noteStep(current: number | undefined): void {
  step = current;
}

/** The step of training that is being done. */
export function stepNow(): number | undefined {
  return step;
}
