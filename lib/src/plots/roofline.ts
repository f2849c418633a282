/** What a machine could do, and what ops do of it. */
import type { Data } from "plotly.js";

import { ConfigurationError } from "../errors.js";
import { Figure, rounded } from "./figure.js";
import { currentTheme } from "./theme.js";

/** The limits of a machine, measured or from its data sheet. */
export interface MachineLimits {
  /** arithmetic, GFLOP/s */
  readonly gflops: number;
  /** memory, GB/s */
  readonly bandwidth: number;
  /** what they are of, e.g. the device's name */
  readonly name?: string;
}

/** An op as it was measured. */
export interface RooflinePoint {
  readonly name: string;
  /** arithmetic done, GFLOP/s */
  readonly gflops: number;
  /** floating-point operations for each byte that memory must move */
  readonly intensity: number;
}

/**
 * The roofline of Williams, Waterman and Patterson (2009): an op of low intensity can be no faster than memory lets it, one
 * of high intensity no faster than arithmetic. Both axes are logarithmic.
 *
 * @throws ConfigurationError when a limit or a point is not positive
 */
export function roofline(
  machine: MachineLimits,
  points: readonly RooflinePoint[],
  { title = "Roofline" }: { title?: string } = {},
): Figure {
  const { series, faint } = currentTheme();
  const { gflops, bandwidth, name = "machine" } = machine;
  const numbers = { gflops, bandwidth };
  for (const [what, value] of [
    ...Object.entries(numbers),
    ...points.map(({ name, gflops }) => [name, gflops] as const),
  ]) {
    if (!(value > 0)) throw new ConfigurationError(`roofline: ${what} is ${value}, wanted a positive number`);
  }
  const ridge = gflops / bandwidth;
  const low = Math.min(ridge / 30, ...points.map(({ intensity }) => intensity / 2));
  const high = Math.max(ridge * 30, ...points.map(({ intensity }) => intensity * 2));
  const portion = ({ gflops: done, intensity }: RooflinePoint): number =>
    done / Math.min(gflops, bandwidth * intensity);
  const data: Partial<Data>[] = [
    {
      type: "scatter",
      mode: "lines",
      name: `${name}: ${rounded(bandwidth, 3)} GB/s, ${rounded(gflops, 3)} GFLOP/s`,
      x: [low, ridge, high].map((value) => rounded(value)),
      y: [low * bandwidth, gflops, gflops].map((value) => rounded(value)),
      line: { color: faint, width: 2 },
      hoverinfo: "skip",
    },
    ...points.map((point, i): Partial<Data> => ({
      type: "scatter",
      mode: "markers",
      name: `${point.name} (${(100 * portion(point)).toFixed(0)} %)`,
      x: [rounded(point.intensity)],
      y: [rounded(point.gflops)],
      marker: { color: series[i % series.length]!, size: 11 },
      hovertemplate: `${point.name}<br>%{y} GFLOP/s<br>%{x} FLOP/byte<extra></extra>`,
    })),
  ];
  return new Figure(
    data,
    {
      title: { text: title },
      xaxis: { title: { text: "arithmetic intensity (FLOP/byte)" }, type: "log", exponentformat: "power" },
      yaxis: { title: { text: "speed (GFLOP/s)" }, type: "log", exponentformat: "power" },
      height: 420,
    },
    `${title}\n${points.map((point) => `${point.name}: ${(100 * portion(point)).toFixed(0)} % of the limit`).join("\n")}`,
  );
}
