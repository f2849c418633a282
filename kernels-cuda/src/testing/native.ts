/**
 * For tests: the addon, or the reason for which tests of it are skipped. Where `CI` or `METASTATE_REQUIRE_NATIVE` is set
 * an addon that is missing is a failure: a test that is always skipped proves nothing.
 */
import { loadAddon } from "../addon/load.js";
import type { NativeBinding } from "../addon/binding.js";

const addon = loadAddon();

/** The options of a test that needs the addon: `test(name, needsNative, () => ...)`. */
export const needsNative: { skip: string | false } = {
  skip:
    "binding" in addon || process.env["CI"] || process.env["METASTATE_REQUIRE_NATIVE"]
      ? false
      : `${addon.reason}; ${addon.remedy}`,
};

/** The addon; throws why it is not there, when a test that needs it runs all the same. */
export function native(): NativeBinding {
  if ("binding" in addon) return addon.binding;
  throw new Error(`${addon.reason}; ${addon.remedy}`);
}

/** Runs body with threads and instruction set set, and sets them back. */
export function configured<T>(options: { threads?: number; simd?: string }, body: (binding: NativeBinding) => T): T {
  const binding = native();
  const { threads, simd } = binding.info();
  binding.configure(options);
  try {
    return body(binding);
  } finally {
    binding.configure({ threads, simd });
  }
}

/**
 * The instruction sets that tests go through: all that this CPU can run, or those of them that `METASTATE_TEST_SIMD` names, for
 * where others cost time and prove nothing new. None without the addon.
 */
export function testedInstructionSets(): string[] {
  if (needsNative.skip) return [];
  const wanted = process.env["METASTATE_TEST_SIMD"]?.split(",");
  return native()
    .info()
    .simdAvailable.filter((simd) => wanted?.includes(simd) ?? true);
}
