/** A variant of one's own, from a notebook's cell. */
import { ConfigurationError } from "../errors.js";
import { isShipped, registerSse } from "./registry.js";
import { SseVariant, type SseDefinition } from "./variant.js";

/**
 * Defines an SSE variant: `createModel({sse: "mine"})` then makes models with it. To define a name again, as when a cell
 * is run again, replaces it for new models; models made before keep theirs.
 *
 * ```ts
 * ms.defineSse({
 *   name: "mine",
 *   parameters: { alpha: { shape: "headChannels", initial: 0.5 } },
 *   apply: ({ parameters, queries, readState, normalise, combine }) =>
 *     combine(normalise(readState(queries), parameters.alpha)),
 * });
 * (await ms.checkSse("mine")).assert();
 * ```
 *
 * @param definition see {@link SseDefinition}; the names of its parameters are those that `context.parameters` has, the names
 *   of its states those that `context.before` has
 * @returns the variant, which shows itself
 * @throws ConfigurationError when the definition does not do, or the name is that of a variant of the library
 */
export function defineSse<Name extends string = never, State extends string = never>(
  definition: SseDefinition<Name, State>,
): SseVariant {
  if (isShipped(definition.name)) {
    throw new ConfigurationError(
      `defineSse: "${definition.name}" is a variant of the library, whose meaning must not change: choose another name`,
    );
  }
  // The context has every parameter that the definition names, whatever type they were given by name.
  const variant = new SseVariant(definition);
  registerSse(variant);
  return variant;
}
