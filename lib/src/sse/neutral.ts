/** Whether an RWKV-7 model can take on a variant without a change of its outputs. */
import { ConfigurationError } from "../errors.js";
import type { SseVariant } from "./variant.js";

/**
 * Throws unless the variant says that it adds nothing when its parameters are zero.
 *
 * @throws ConfigurationError with what to do
 */
export function expectNeutral(what: string, { name, neutralAtZero }: SseVariant): void {
  if (neutralAtZero) return;
  throw new ConfigurationError(
    `${what}: an RWKV-7 model takes on a variant with all its parameters zero, and "${name}" does not say that it adds ` +
      `nothing then, so that the outputs would change. If it does, say neutralAtZero: true in its definition, and ` +
      `checkSse("${name}") will hold it to that`,
  );
}
