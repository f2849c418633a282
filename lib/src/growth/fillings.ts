/**
 * What the new part of a parameter is filled with. One of the two factors of whatever is added is zero, so that the function
 * stays; the other is not, so that a gradient reaches the zero.
 */
import * as initial from "../model/initial-values.js";
import type { Axis } from "./parameter-axes.js";
import { nameInBlock } from "./parameter-axes.js";

/** Values for a new part, and what they are, in words. */
export interface Filling {
  readonly fill: initial.Filler;
  readonly description: string;
}

/** Zero. */
export const zero: Filling = { fill: initial.constant(0), description: "zero" };

/** As the parameter would start in a new model. */
export function asAtStart(fill: initial.Filler): Filling {
  return { fill, description: "as at the start" };
}

/**
 * The filling of a parameter's new part along an axis.
 *
 * @param atStart how a new model fills the parameter
 * @param width C, which sets the scale of random values
 * @param normalisesTokens whether the activation's norm runs over all parameter tokens (`geluL2`)
 */
export function fillingAlong(
  name: string,
  axis: Axis,
  atStart: initial.Filler,
  { width, normalisesTokens }: { width: number; normalisesTokens: boolean },
): Filling {
  const inBlock = nameInBlock(name);
  const random: Filling = {
    fill: initial.uniform(0.5 / Math.sqrt(width)),
    description: `uniform ±${(0.5 / Math.sqrt(width)).toPrecision(2)}`,
  };
  switch (axis) {
    case "parameterTokens":
      // Under a norm over all tokens a new one must not answer: K_P zero, and V_P not, or neither would ever learn. Else
      // V_P zero and K_P not: with both factors zero, and with a zero K_P under a squared ReLU, nothing ever wakes.
      if (normalisesTokens) return inBlock === "ffn.key.weight" ? zero : random;
      return inBlock === "ffn.value.weight" ? zero : asAtStart(atStart);
    case "inner":
      return inBlock === "att.output.weight" ? zero : asAtStart(atStart);
    case "heads":
    case "sseHeads":
      return inBlock.endsWith("time_state") ? zero : asAtStart(atStart);
    case "decay":
    case "rate":
    case "value":
      // tanh(0) = 0, and the others have no non-linearity: a zero first factor adds nothing.
      return inBlock.endsWith("1") ? zero : asAtStart(atStart);
    case "gate":
      // σ(0) is not 0: here the second factor is zero. Were the first zero too, all new ranks would stay the same as each other.
      return inBlock.endsWith("2") ? zero : random;
    default:
      return inBlock.endsWith("time_state") ? zero : asAtStart(atStart);
  }
}
