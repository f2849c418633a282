/** The precision of the `native` engine's matrix products: float32, or bfloat16 operands with float32 sums by choice. */
import type { NativeBinding } from "./addon/binding.js";
import { findOneDnn, oneDnnRemedy } from "./addon/find-onednn.js";
import type { EngineControls, Precision } from "./engine-controls.js";

/**
 * The choice of precision. bfloat16 is taken where it is faster: on a CPU with AVX-512 BF16 or AMX, and with oneDNN.
 * Elsewhere it is refused with the reason; `METASTATE_BFLOAT16=force` computes it all the same, rounding operands and
 * multiplying them as floats, so that what bfloat16 does to a model can be seen on any machine.
 */
export function precisionControl(
  binding: NativeBinding,
  environment: NodeJS.ProcessEnv = process.env,
): NonNullable<EngineControls["precision"]> {
  let current: Precision = "float32";
  return {
    choices: ["float32", "bfloat16"],
    get: () => current,
    set(precision) {
      binding.setPrecision(precision === "bfloat16" ? bfloat16Products(binding, environment) : "float32");
      current = precision;
    },
  };
}

/**
 * How bfloat16 products are computed here.
 *
 * @throws Error saying why they would be slower than float32, and what to do
 */
export function bfloat16Products(
  binding: NativeBinding,
  environment: NodeJS.ProcessEnv,
): "bfloat16" | "bfloat16 rounded" {
  const forced = environment["METASTATE_BFLOAT16"] === "force";
  const reason = binding.info().bfloat16 ? loadOneDnn(binding, environment) : noInstructions;
  if (reason === undefined) return "bfloat16";
  if (forced) return "bfloat16 rounded";
  throw new Error(
    `precision "bfloat16" would be slower than float32: ${reason}. METASTATE_BFLOAT16=force computes it all the same`,
  );
}

const noInstructions = "this CPU has neither AVX-512 BF16 nor AMX";

/** Loads oneDNN unless it is; gives why it cannot be. */
function loadOneDnn(binding: NativeBinding, environment: NodeJS.ProcessEnv): string | undefined {
  if (binding.info().oneDnn) return undefined;
  const path = findOneDnn(environment);
  if (!path)
    return `oneDNN, whose products would use this CPU's ${binding.info().bfloat16}, is not there; ${oneDnnRemedy}`;
  try {
    binding.loadOneDnn(path);
    return undefined;
  } catch (error) {
    return `${path} cannot be used (${error instanceof Error ? error.message : String(error)})`;
  }
}
