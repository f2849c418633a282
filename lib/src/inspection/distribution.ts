/** How values are spread: of gates, decays, rates, anything. In float64. */
import { ActivationValues } from "./activation-values.js";

/** A histogram and what describes it in numbers. */
export interface Distribution {
  readonly count: number;
  readonly mean: number;
  /** of the values themselves, divided by their count */
  readonly deviation: number;
  readonly least: number;
  readonly most: number;
  /** the values that 5, 25, 50, 75 and 95 % are not above, between neighbours by straight line */
  readonly quantiles: {
    readonly 5: number;
    readonly 25: number;
    readonly 50: number;
    readonly 75: number;
    readonly 95: number;
  };
  /** borders of the bins, one more than there are bins */
  readonly edges: readonly number[];
  /** values a bin; a bin has its lower border, the last one both */
  readonly counts: readonly number[];
}

/** Options of `ms.statistics.distribution`. */
export interface HistogramOptions {
  /** default 32 */
  bins?: number;
  /** borders of the first and last bin; default the least and the largest value. Values outside count in no bin */
  range?: readonly [number, number];
}

/**
 * The distribution of values: `distribution(trace.get("blocks.0.att.w").select({ head: 1 }))`.
 *
 * @throws RangeError when there is none, or one is not finite; when bins or range make no sense
 */
export function distribution(
  values: ArrayLike<number> | ActivationValues,
  { bins = 32, range }: HistogramOptions = {},
): Distribution {
  const sorted = Float64Array.from(values instanceof ActivationValues ? values.data : values).sort();
  if (sorted.length === 0) throw new RangeError("distribution: there are no values, wanted at least one");
  if (!sorted.every(Number.isFinite)) {
    throw new RangeError("distribution: a value is not finite, wanted finite numbers: leave the others out");
  }
  if (!(Number.isInteger(bins) && bins >= 1)) throw new RangeError(`distribution: bins is ${bins}, wanted 1 or more`);
  const [low, high] = range ?? [sorted[0]!, sorted.at(-1)!];
  if (!(low <= high)) throw new RangeError(`distribution: range is [${low}, ${high}], wanted the lower border first`);
  // All values alike: a bin around them.
  const [from, to] = low === high ? [low - 0.5, high + 0.5] : [low, high];
  const edges = Array.from({ length: bins + 1 }, (_, i) => from + ((to - from) * i) / bins);
  const counts = new Array<number>(bins).fill(0);
  let sum = 0;
  for (const x of sorted) {
    sum += x;
    if (x < from || x > to) continue;
    counts[Math.min(bins - 1, Math.floor(((x - from) / (to - from)) * bins))]!++;
  }
  const mean = sum / sorted.length;
  let square = 0;
  for (const x of sorted) square += (x - mean) ** 2;
  const quantile = (portion: number): number => {
    const place = portion * (sorted.length - 1);
    const below = sorted[Math.floor(place)]!;
    const above = sorted[Math.ceil(place)]!;
    return below + (above - below) * (place - Math.floor(place));
  };
  return {
    count: sorted.length,
    mean,
    deviation: Math.sqrt(square / sorted.length),
    least: sorted[0]!,
    most: sorted.at(-1)!,
    quantiles: { 5: quantile(0.05), 25: quantile(0.25), 50: quantile(0.5), 75: quantile(0.75), 95: quantile(0.95) },
    edges,
    counts,
  };
}
