/** Which parameters a training changes. */
import { ConfigurationError } from "../errors.js";
import { expressionOf } from "../inspection/name-patterns.js";
import type { Parameters } from "../model/parameters.js";

/**
 * Parameters of which all, or a part, is trained, by name or pattern. `{ frozen: [192, 64] }` keeps the first 192 × 64 values
 * of a matrix as they are: those whose place along each axis is below the number. `ms.onlyNew` makes it of a model that grew.
 */
export type TrainableParts = Readonly<Record<string, "all" | { readonly frozen: readonly number[] }>>;

/**
 * Parameters to train: a name, a pattern, a list of these, a test of the name, or {@link TrainableParts}. In a pattern `*`
 * stands for any characters, dots too (`blocks.*.att.*`), `{a,b}` for a or b, and a `!` in front takes away what the ones
 * before gave (`["*", "!emb.*"]`).
 */
export type Trainable = string | readonly string[] | ((name: string) => boolean) | TrainableParts;

/** What is trained: the parameters' names in the model's order, and the sizes of what stays frozen of some of them. */
export interface TrainedParts {
  readonly names: readonly string[];
  readonly frozen: ReadonlyMap<string, readonly number[]>;
}

/**
 * What of a model is trained.
 *
 * @throws ConfigurationError when a pattern fits no parameter, a frozen part does not fit, or nothing is left
 */
export function trainedParts(parameters: Parameters, trainable: Trainable = "*"): TrainedParts {
  const all = [...parameters.keys()];
  const frozen = new Map<string, readonly number[]>();
  let names: string[];
  if (typeof trainable === "function") names = all.filter((name) => trainable(name));
  else if (typeof trainable === "string" || isList(trainable)) names = select(all, trainable);
  else {
    names = select(all, Object.keys(trainable));
    for (const [pattern, part] of Object.entries(trainable)) {
      if (part === "all") continue;
      for (const name of select(all, pattern)) {
        const sizes = frozenSizes(name, parameters.get(name)!.shape, part);
        if (sizes) frozen.set(name, sizes);
      }
    }
  }
  names = eachOnce(names, parameters);
  if (names.length > 0) return { names, frozen };
  throw new ConfigurationError("train: trainable leaves no parameter to train");
}

/** Of names that share a variable the first: it would be updated for each of them. */
function eachOnce(names: readonly string[], parameters: Parameters): string[] {
  const seen = new Set<unknown>();
  return names.filter((name) => seen.size < seen.add(parameters.get(name)).size);
}

function isList(trainable: readonly string[] | TrainableParts): trainable is readonly string[] {
  return Array.isArray(trainable);
}

/** The sizes, where they freeze anything. */
function frozenSizes(
  name: string,
  shape: readonly number[],
  part: { readonly frozen?: readonly number[] },
): readonly number[] | undefined {
  const sizes: unknown = part.frozen;
  const fits =
    Array.isArray(sizes) &&
    sizes.length === shape.length &&
    shape.every((size, i) => Number.isInteger(sizes[i]) && sizes[i] >= 0 && sizes[i] <= size);
  if (!fits) {
    throw new ConfigurationError(
      `train: trainable: of ${name} is to be trained ${JSON.stringify(part)}, wanted "all", or { frozen: […] } with ` +
        `${shape.length} sizes up to those of its shape, [${shape.join(", ")}]`,
    );
  }
  if (shape.every((size, i) => size === sizes[i])) {
    throw new ConfigurationError(`train: trainable: all of ${name} is frozen: leave it out`);
  }
  return sizes.includes(0) ? undefined : (sizes as number[]);
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
