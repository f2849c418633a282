/** What the property tests share: how many cases, drawn from which seed. Not exported from the package. */
/**
 * The same cases on every run, so that a failure is one of the code and not of the draw. `METASTATE_PROPERTY_SEED` draws
 * others, `METASTATE_PROPERTY_RUNS` multiplies their number; a failure names its seed and the smallest case that fast-check
 * found.
 */
export function runs(count: number): { numRuns: number; seed: number } {
  return {
    numRuns: Math.ceil(count * Number(process.env["METASTATE_PROPERTY_RUNS"] ?? 1)),
    seed: Number(process.env["METASTATE_PROPERTY_SEED"] ?? 7),
  };
}
