/** What became of every parameter, from the plan of growth where there is one, and from the values themselves. */
import type { Tensor } from "@tensorflow/tfjs-core";

import type { LanguageModel } from "../model/language-model.js";
import { Model } from "../model/model.js";
import { valuesOf } from "../model/state-layers.js";
import type { ParameterChange } from "./growth-report.js";
import { keptPart } from "./extend.js";
import { growthPlan, valuesBefore, type ParameterGrowth } from "./plan.js";

/** The parameters of the larger model, in checkpoint order. */
export function parameterChanges(before: LanguageModel, after: LanguageModel): ParameterChange[] {
  if (before instanceof Model && after instanceof Model) {
    return growthPlan(before.configuration, after.configuration).map((plan) => plannedChange(plan, before, after));
  }
  return [...after.parameters].map(([name, tensor]) => foundChange(name, before.parameters.get(name), tensor));
}

function plannedChange(plan: ParameterGrowth, before: Model, after: Model): ParameterChange {
  const { name, before: old, after: shape, steps, filling } = plan;
  const common = { name, before: old, after: shape };
  if (!old) return { ...common, filled: filling.description, kept: true };
  const was = valuesOf(before.parameters.get(name)!);
  const is = valuesBefore(plan, valuesOf(after.parameters.get(name)!));
  const filled = [...new Set(steps.map((step) => step.filling.description))].join(", ");
  return { ...common, filled, kept: was.every((value, i) => Object.is(value, is[i])) };
}

/** Of a model whose growth is not planned here: old values are looked for where each axis begins. */
function foundChange(name: string, before: Tensor | undefined, after: Tensor): ParameterChange {
  const values = valuesOf(after);
  const described = (isZero: boolean): string => (isZero ? "zero" : "new values");
  if (!before) {
    return { name, before: null, after: after.shape, filled: described(values.every((x) => x === 0)), kept: true };
  }
  const shape = [...after.shape];
  let corner = values;
  before.shape.forEach((size, axis) => {
    const kept = Array.from({ length: size }, (_, i) => i);
    corner = keptPart(corner, shape, { axis, size: shape[axis]!, kept });
    shape[axis] = size;
  });
  const old = valuesOf(before);
  const nonZero = (list: Float32Array): number => list.reduce((count, x) => count + Number(x !== 0), 0);
  const isLonger = before.shape.join() !== after.shape.join();
  return {
    ...{ name, before: before.shape, after: after.shape },
    filled: isLonger ? described(nonZero(values) === nonZero(corner)) : "",
    kept: old.every((value, i) => Object.is(value, corner[i])),
  };
}
