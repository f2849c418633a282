/** How values are spread: decays, gates, in-context learning rates, activations. */
import type { Data } from "plotly.js";

import { ConfigurationError } from "../errors.js";
import { Figure, rounded } from "./figure.js";
import { currentTheme } from "./theme.js";

/** Options of `ms.plots.distribution`. */
export interface DistributionOptions {
  title?: string;
  /** what the values are, at the horizontal axis; default `value` */
  label?: string;
  /** bins over the whole range; default 60 */
  bins?: number;
  /** the range shown; default from the least to the largest value */
  range?: readonly [low: number, high: number];
}

/**
 * A histogram for each name, as lines over one range, so that many can be compared: for instance the decays of each layer.
 * The counts are made here: a figure holds the bins, not the values.
 *
 * @param values by name
 * @throws ConfigurationError when there are no values, or one is not finite
 */
export function distribution(
  values: Readonly<Record<string, ArrayLike<number>>>,
  { title = "Distribution", label = "value", bins = 60, range }: DistributionOptions = {},
): Figure {
  const series = currentTheme().series;
  const entries = Object.entries(values).filter(([, all]) => all.length > 0);
  if (entries.length === 0) throw new ConfigurationError("distribution: there are no values");
  const [low, high] = range ?? reach(entries);
  const width = (high - low) / bins || 1;
  const data = entries.map(([name, all], i): Partial<Data> => {
    const counts = new Array<number>(bins).fill(0);
    for (let j = 0; j < all.length; j++) {
      const bin = Math.min(bins - 1, Math.floor((all[j]! - low) / width));
      if (bin >= 0) counts[bin]!++;
    }
    return {
      type: "scatter",
      mode: "lines",
      name,
      x: counts.map((_, bin) => rounded(low + (bin + 0.5) * width)),
      y: counts.map((count) => rounded((100 * count) / all.length, 3)),
      line: { color: series[i % series.length]!, width: 2, shape: "hvh" },
      hovertemplate: `${name}: %{y}% around %{x}<extra></extra>`,
    };
  });
  const lines = entries.map(([name, all]) => `${name}: median ${rounded(median(all), 3)} of ${all.length}`);
  return new Figure(
    data,
    {
      title: { text: title },
      xaxis: { title: { text: label }, range: [low, high] },
      yaxis: { title: { text: "portion of values (%)" }, rangemode: "tozero" },
      showlegend: entries.length > 1,
    },
    `${title}\n${lines.join("\n")}`,
  );
}

function reach(entries: readonly (readonly [string, ArrayLike<number>])[]): [low: number, high: number] {
  let low = Infinity;
  let high = -Infinity;
  for (const [name, all] of entries) {
    for (let i = 0; i < all.length; i++) {
      const value = all[i]!;
      if (!Number.isFinite(value)) throw new ConfigurationError(`distribution: "${name}" has the value ${value}`);
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return [low, high];
}

function median(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort();
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
