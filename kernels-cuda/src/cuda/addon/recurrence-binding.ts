import type { RecurrenceCalls } from "../../addon/recurrence-calls.js";
import type { Address } from "./core-binding.js";

/** How `wkv7` and `wkv7Grad` are computed: `auto`, the default, is what is quicker for the shape. */
export type RecurrenceForm = "auto" | "recurrent" | "chunked";

/**
 * The declaration of `cuda/node/wkv7_binding.cpp` and `cuda/node/meta_pass_binding.cpp`. The head size N is 16, 32, 64 or 128; the
 * chunked form throws RangeError for an interval other than 0 or 16. `channels` of the Meta-State pass: how many of a head's are not
 * padding (`../kernels/padded-heads.ts`).
 */
export type RecurrenceBinding = RecurrenceCalls<
  Address,
  readonly [form?: RecurrenceForm],
  readonly [channels?: number]
>;
