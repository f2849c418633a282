/** Options that are a mixer's own: plain JSON, kept with the model. */
import { ConfigurationError } from "../errors.js";

/** Options of mixers by name. */
export type MixerOptions = Readonly<Record<string, number | string | boolean>>;

/**
 * A number among a mixer's options.
 *
 * @throws ConfigurationError when it is none, or not of the wanted kind
 */
export function numberOption(
  options: MixerOptions,
  name: string,
  fallback: number,
  { integer = false, positive = true } = {},
): number {
  const value = options[name] ?? fallback;
  if (typeof value === "number" && (!integer || Number.isSafeInteger(value)) && (!positive || value > 0)) return value;
  throw new ConfigurationError(
    `${name} is ${JSON.stringify(value)}, wanted ${positive ? "a positive " : "an "}${integer ? "integer" : "number"}`,
  );
}
