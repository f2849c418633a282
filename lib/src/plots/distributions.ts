/** How values are spread: decays, gates, in-context learning rates, activations. */
import type { Data } from "plotly.js";

import { ConfigurationError } from "../errors.js";
import { distribution as histogramOf } from "../inspection/distribution.js";
import { Figure, rounded } from "./figure.js";
import { currentTheme } from "./theme.js";

/** Options of `ms.plots.distribution`. */
export interface DistributionOptions {
  /** what stands above the figure; default "Distribution" */
  title?: string;
  /** what the values are, at the horizontal axis; default `value` */
  label?: string;
  /** bins over the whole range; default 60 */
  bins?: number;
  /** the range shown; default from the least to the largest value. Values outside are in no bin, but count in the whole */
  range?: readonly [low: number, high: number];
}

/**
 * A histogram for each name, as lines over one range, so that many can be compared: for instance the decays of each layer.
 * A figure holds the bins (of `ms.statistics.distribution`), not the values.
 *
 * @param values by name
 * @throws ConfigurationError when there are no values, or one is not finite; RangeError when bins or range make no sense
 */
export function distribution(
  values: Readonly<Record<string, ArrayLike<number>>>,
  { title = "Distribution", label = "value", bins = 60, range }: DistributionOptions = {},
): Figure {
  const series = currentTheme().series;
  const entries = Object.entries(values).filter(([, all]) => all.length > 0);
  if (entries.length === 0) throw new ConfigurationError("distribution: there are no values, wanted at least one");
  const whole = reach(entries);
  const [low, high] = range ?? whole;
  const found = entries.map(([name, all]) => [name, histogramOf(all, { bins, range: [low, high] })] as const);
  const data = found.map(([name, { edges, counts, count }], i): Partial<Data> => ({
    type: "scatter",
    mode: "lines",
    name,
    x: counts.map((_, bin) => rounded((edges[bin]! + edges[bin + 1]!) / 2)),
    y: counts.map((inBin) => rounded((100 * inBin) / count, 3)),
    line: { color: series[i % series.length]!, width: 2, shape: "hvh" },
    hovertemplate: `${name}: %{y} % around %{x}<extra></extra>`,
  }));
  const lines = found.map(([name, { counts, count, quantiles }]) => {
    const outside = count - counts.reduce((sum, inBin) => sum + inBin, 0);
    const beyond = outside > 0 ? `, ${outside} outside the range` : "";
    return `${name}: median ${rounded(quantiles[50], 3)} of ${count}${beyond}`;
  });
  return new Figure(
    data,
    {
      title: { text: title },
      xaxis: { title: { text: label }, range: [found[0]![1].edges[0]!, found[0]![1].edges.at(-1)!] },
      yaxis: { title: { text: "values in a bin (% of all)" }, rangemode: "tozero" },
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
      if (!Number.isFinite(value)) {
        throw new ConfigurationError(`distribution: "${name}" has the value ${value}, wanted finite numbers`);
      }
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return [low, high];
}
