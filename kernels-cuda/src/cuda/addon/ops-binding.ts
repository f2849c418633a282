import type { LibraryOp } from "../../addon/binding.js";
import type { Address, AddressList } from "./core-binding.js";

/** How `wkv7` and `wkv7Grad` are computed: `auto`, the default, is what is quicker for the shape. */
export type RecurrenceForm = "auto" | "recurrent" | "chunked";

/** An argument of an op: addresses in place of arrays. */
type DeviceOpArgument = number | boolean | AddressList | null | RecurrenceForm | undefined;

/**
 * The ops that the native addon has too, under its names and with its arguments. All are queued and return at once. Targets and tokens out of range cannot be
 * refused without waiting: they give NaN. Of the recurrences, the head size is 16, 32, 64 or 128. `wkv7` and `wkv7Grad` take a form
 * too, of which the chunked throws RangeError for an interval other than 0 or 16; `metaPass` and `metaPassGrad`, how many of a head's
 * channels are not padding (`../kernels/padded-heads.ts`).
 */
type SharedOps = Readonly<Record<LibraryOp, (...call: readonly DeviceOpArgument[]) => void>>;

/** The declaration of `cuda/node/ops_binding.cpp`, `token_binding.cpp`, `wkv7_binding.cpp` and `meta_pass_binding.cpp`. */
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
