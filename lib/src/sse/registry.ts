/** The SSE variants by name, and which variant a configuration means. */
import { ConfigurationError } from "../errors.js";
import type { ModelConfiguration } from "../model/configuration.js";
import { meta } from "./meta.js";
import { none } from "./none.js";
import { readout } from "./readout.js";
import { sse } from "./sse.js";
import type { SseVariant } from "./variant.js";

const shipped: readonly SseVariant[] = [sse, meta, readout, none];
const variants = new Map(shipped.map((variant) => [variant.name, variant]));

/** The library's variants and those defined since, in this order. */
export function sseVariants(): readonly SseVariant[] {
  return [...variants.values()];
}

/** Whether the name is one of the library's own. */
export function isShipped(name: string): boolean {
  return shipped.some((variant) => variant.name === name);
}

/** Whether there is a variant of the name. */
export function hasSse(name: string): boolean {
  return variants.has(name);
}

/**
 * The variant that has the name now.
 *
 * @throws ConfigurationError listing the names there are
 */
export function sseVariant(name: string): SseVariant {
  const variant = variants.get(name);
  if (variant) return variant;
  throw new ConfigurationError(
    `sse is "${name}", wanted one of ${[...variants.keys()].join(", ")}, or define it first: ` +
      `ms.defineSse({name: "${name}", …})`,
  );
}

/** Adds a variant, or replaces one of the same name; configurations made before keep theirs. */
export function registerSse(variant: SseVariant): void {
  variants.set(variant.name, variant);
}

/**
 * The variant of each configuration. A configuration is plain JSON and names its variant; which one of that name is meant
 * is settled when the configuration is made, so that a model keeps its function when a cell defines the name anew.
 */
const meant = new WeakMap<ModelConfiguration, SseVariant>();

/** Settles which variant a configuration means. */
export function bindVariant(configuration: ModelConfiguration, variant: SseVariant): void {
  meant.set(configuration, variant);
}

/**
 * The variant that a configuration means; for one that was not completed by the library, the one that has the name at the
 * first call.
 *
 * @throws ConfigurationError when there is no variant of the name
 */
export function variantOf(configuration: ModelConfiguration): SseVariant {
  const known = meant.get(configuration);
  if (known) return known;
  const variant = sseVariant(configuration.sse);
  meant.set(configuration, variant);
  return variant;
}
