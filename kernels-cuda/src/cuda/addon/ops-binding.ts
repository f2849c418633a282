import type { BaselineOps } from "../../addon/baseline-ops.js";
import type { LibraryOps, TokenOps } from "../../addon/binding.js";
import type { Address, AddressList } from "./core-binding.js";

/** An argument of the native addon as the CUDA addon takes it: addresses in place of arrays. */
type OnDevice<T> = T extends Float32Array | Int32Array
  ? Address
  : T extends readonly (infer Element)[]
    ? readonly OnDevice<Element>[]
    : T;

type DeviceOp<Op> = Op extends (...values: infer Values) => void
  ? (...values: { [Place in keyof Values]: OnDevice<Values[Place]> }) => void
  : never;

type NativeOps = LibraryOps & TokenOps & BaselineOps;

/** The ops that the native addon has too, under its names and with its arguments. */
type SharedOps = { [Name in keyof NativeOps]: DeviceOp<NativeOps[Name]> };

/**
 * The declaration of `cuda/node/ops_binding.cpp` and `cuda/node/token_binding.cpp`. All are queued and return at once.
 * Targets and tokens out of range cannot be refused without waiting: they give NaN.
 */
export interface OpsBinding extends SharedOps {
  /** A step of AdamW for all parameters, in one launch. Lists have one length; an output may be its own input. */
  adamWAll(
    beta1: number,
    beta2: number,
    epsilon: number,
    step: number,
    clip: number,
    learningRates: readonly number[],
    weightDecays: readonly number[],
    norm: Address,
    parameters: AddressList,
    gradients: AddressList,
    moments1: AddressList,
    moments2: AddressList,
    nextParameters: AddressList,
    nextMoments1: AddressList,
    nextMoments2: AddressList,
  ): void;
}
