/** The SSE variants by name. */
import { ConfigurationError } from "../errors.js";
import type { SseVariant } from "./context.js";
import { meta } from "./meta.js";
import { none } from "./none.js";
import { readout } from "./readout.js";
import { sse } from "./sse.js";

const variants = new Map<string, SseVariant>([sse, meta, readout, none].map((variant) => [variant.name, variant]));

/** All variants, in order of registration. */
export function sseVariants(): readonly SseVariant[] {
  return [...variants.values()];
}

/**
 * The variant of this name.
 *
 * @throws ConfigurationError listing the names there are
 */
export function sseVariant(name: string): SseVariant {
  const variant = variants.get(name);
  if (variant) return variant;
  throw new ConfigurationError(`sse is "${name}", wanted one of ${[...variants.keys()].join(", ")}`);
}

/** Adds a variant, or replaces one of the same name; models made before keep theirs. */
export function registerSse(variant: SseVariant): void {
  variants.set(variant.name, variant);
}
