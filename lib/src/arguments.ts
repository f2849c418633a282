/** What a caller without TypeScript's help gets wrong, told by name before something else fails on it. */
import { ConfigurationError, quoted, ShapeError } from "./errors.js";
import type { LanguageModel, SequenceState } from "./model/language-model.js";

type KeysOf<T> = T extends unknown ? keyof T & string : never;

/** The names of all options, of each member where the options are a union: an object, so that none can be forgotten. */
export type OptionNames<T> = Readonly<Record<KeysOf<T>, true>>;

/**
 * Throws unless the options are an object whose names all mean something. A name that means nothing would be passed over in
 * silence, and TypeScript sees it only where the object is written out in the call.
 *
 * @param op what was called, e.g. `train`
 * @throws ConfigurationError naming the option, and those that were meant
 */
export function expectOptions<T extends object>(op: string, options: T, names: OptionNames<T>): void {
  if (typeof options !== "object" || (options as T | null) === null) {
    const given = options === undefined ? "missing" : JSON.stringify(options);
    const example = Object.keys(names).slice(0, 3).join(", ");
    throw new ConfigurationError(`${op}: the options are ${given}, wanted an object with some of ${example}, …`);
  }
  const unknown = Object.keys(options).find(
    (name) => !Object.hasOwn(names, name) && options[name as keyof T] !== undefined,
  );
  if (unknown === undefined) return;
  const known = Object.keys(names);
  const meant = known.filter((name) => resembles(unknown, name));
  throw new ConfigurationError(
    `${op}: there is no option ${quoted(unknown)}` +
      (meant.length > 0 ? `: did you mean ${meant.join(" or ")}?` : `, wanted some of ${known.join(", ")}`),
  );
}

/** `learning_rate` and `lr` for `learningRate`, `batch` for `batchSize`, `layer` for `layers`. */
function resembles(given: string, name: string): boolean {
  const letters = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, "");
  const [a, b] = [letters(given), letters(name)];
  const initials = letters(name.replace(/([A-Z])|(?<!^)[a-z]/g, "$1"));
  return (
    a === b || (a.length > 1 && a === initials) || (a.length > 3 && b.length > 3 && (a.includes(b) || b.includes(a)))
  );
}

/**
 * Throws unless it is a model that can still be used.
 *
 * @param op what was called, e.g. `generate`
 * @throws ConfigurationError when it is none; Error when it was disposed of
 */
export function expectModel(op: string, model: LanguageModel): void {
  const given = model as Partial<LanguageModel> | PromiseLike<unknown> | null | undefined;
  if (typeof given !== "object" || given === null || !("forward" in given) || !("parameters" in given)) {
    const isPromise = typeof given === "object" && given !== null && "then" in given;
    const what = isPromise ? "a promise" : given === undefined ? "missing" : `no model (${typeof given})`;
    const remedy = isPromise ? "await what makes it, as in await ms.loadModel(path)" : "ms.createModel makes one";
    throw new ConfigurationError(`${op}: the model is ${what}: ${remedy}`);
  }
  expectInUse(op, model);
}

/**
 * Throws when the model was disposed of.
 *
 * @throws Error that says so
 */
export function expectInUse(op: string, { parameters }: Pick<LanguageModel, "parameters">): void {
  const [first] = parameters.values();
  if (first?.isDisposed) throw new Error(`${op}: the model was disposed of; make it, or load it, again`);
}

/**
 * Throws unless the state is of this class.
 *
 * @throws ShapeError that says where the state is to be had
 */
export function expectKindOfState(op: string, state: unknown, kind: new (...args: never[]) => SequenceState): void {
  if (state instanceof kind) return;
  const isResult = typeof state === "object" && state !== null && "state" in state;
  throw isResult
    ? new ShapeError(op, "state", "the whole result of forward", "the state in it: result.state")
    : new ShapeError(op, "state", "none of this kind of model", "one that its forward or initialState has given");
}
