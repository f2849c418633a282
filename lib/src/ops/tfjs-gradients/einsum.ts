/** The gradient of Einstein's sums: sums themselves, of the result's gradient and the other operand. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import type { GradientRule } from "./register.js";

/** Σ over what the operand does not have; along axes that it has alone, which were summed away, the same everywhere. */
function ofOperand(
  dy: Tensor,
  operands: readonly Tensor[],
  terms: readonly string[],
  result: string,
  at: number,
): Tensor {
  const others = operands.filter((_, i) => i !== at);
  const otherTerms = terms.filter((_, i) => i !== at);
  const [own, { shape }] = [terms[at]!, operands[at]!];
  const shared = [...own]
    .filter((axis) => result.includes(axis) || otherTerms.some((term) => term.includes(axis)))
    .join("");
  const sum =
    others.length === 0 && shared === result
      ? dy
      : tf.einsum(`${[result, ...otherTerms].join(",")}->${shared}`, dy, ...others);
  if (shared === own) return sum;
  const single = [...own].map((axis, i) => (shared.includes(axis) ? shape[i]! : 1));
  return tf.mul(tf.reshape(sum, single), tf.ones(shape));
}

export const einsumRule: GradientRule = {
  kernel: "Einsum",
  save: "all",
  gradient(dy, operands, { equation }) {
    const [left = "", result = ""] = (equation as string).replaceAll(/\s/g, "").split("->");
    const terms = left.split(",");
    return Object.fromEntries(operands.map((_, i) => [String(i), () => ofOperand(dy, operands, terms, result, i)]));
  },
};
