/** Which parameters a training changes. */
import { ConfigurationError } from "../errors.js";
import { expressionOf } from "../inspection/name-patterns.js";
import type { Parameters } from "../model/parameters.js";

/**
 * Parameters to train: a name, a pattern, a list of these, or a test of the name. In a pattern `*` stands for any
 * characters, dots too (`blocks.*.att.*`), `{a,b}` for a or b, and a `!` in front takes away what the ones before gave
 * (`["*", "!emb.*"]`).
 */
export type Trainable = string | readonly string[] | ((name: string) => boolean);

/**
 * The names of the parameters that are trained, in the model's order.
 *
 * @throws ConfigurationError when a pattern fits no parameter, or none is left
 */
export function trainableNames(parameters: Parameters, trainable: Trainable = "*"): string[] {
  const names = [...parameters.keys()];
  const chosen = typeof trainable === "function" ? names.filter((name) => trainable(name)) : select(names, trainable);
  if (chosen.length > 0) return chosen;
  throw new ConfigurationError("train: trainable leaves no parameter to train");
}

function select(names: readonly string[], patterns: string | readonly string[]): string[] {
  const list = typeof patterns === "string" ? [patterns] : patterns;
  // A list that only takes away takes away from all.
  const chosen = new Set<string>(list[0]?.startsWith("!") ? names : []);
  for (const pattern of list) {
    const takesAway = pattern.startsWith("!");
    const expression = expressionOf(takesAway ? pattern.slice(1) : pattern, ".*");
    const fitting = names.filter((name) => expression.test(name));
    if (fitting.length === 0) {
      throw new ConfigurationError(
        `train: trainable: no parameter is called "${pattern}"; there are ${names.slice(0, 4).join(", ")}, … ` +
          `([...model.parameters.keys()] lists them)`,
      );
    }
    for (const name of fitting) {
      if (takesAway) chosen.delete(name);
      else chosen.add(name);
    }
  }
  return names.filter((name) => chosen.has(name));
}
