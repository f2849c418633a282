/** Registers the gradients of tfjs's own ops; importing this file is enough. */
import { arrangementRules } from "./arrangement.js";
import { einsumRule } from "./einsum.js";
import { elementwiseRules } from "./elementwise.js";
import { reductionRules } from "./reductions.js";
import { registerGradients } from "./register.js";

/** All rules, for tests. */
export const tfjsGradientRules = [...elementwiseRules, ...reductionRules, ...arrangementRules, einsumRule];

registerGradients(tfjsGradientRules);
