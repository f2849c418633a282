/** The precision of the `native` engine's matrix products: float32, or bfloat16 operands with float32 sums by choice. */
import type { NativeBinding } from "./addon/binding.js";
import { findOneDnn } from "./addon/find-onednn.js";
import type { EngineControls, Precision } from "./engine-controls.js";

/**
 * The choice of precision. bfloat16 is taken where it is faster: on a CPU with AVX-512 BF16, in code of the addon's own, or
 * AMX, which oneDNN knows. Elsewhere it is refused with the reason; `METASTATE_BFLOAT16=force` computes it all the same, so
 * that what bfloat16 does to a model can be seen on any machine.
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
 * @throws Error saying why they would be slower than float32, or why the oneDNN that is there cannot be used, and what to do
 */
export function bfloat16Products(
  binding: NativeBinding,
  environment: NodeJS.ProcessEnv,
): "bfloat16" | "bfloat16 by oneDNN" {
  const { bfloat16, simd } = binding.info();
  if (environment["METASTATE_BFLOAT16"] === "force") return "bfloat16";
  const slower = !bfloat16
    ? "this CPU has neither AVX-512 BF16 nor AMX"
    : simd !== "avx512" && `the addon was told to use ${simd}, not avx512`;
  if (slower) {
    throw new Error(
      `precision "bfloat16" would be slower than float32: ${slower}. METASTATE_BFLOAT16=force computes it all the same`,
    );
  }
  return bfloat16 === "AMX" && loadOneDnn(binding, environment) ? "bfloat16 by oneDNN" : "bfloat16";
}

/** Loads oneDNN unless it is; whether it is there. */
function loadOneDnn(binding: NativeBinding, environment: NodeJS.ProcessEnv): boolean {
  if (binding.info().oneDnn) return true;
  const path = findOneDnn(environment);
  if (!path) return false;
  try {
    binding.loadOneDnn(path);
    return true;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`oneDNN at ${path} cannot be used (${why}): METASTATE_ONEDNN names another one`, { cause: error });
  }
}
