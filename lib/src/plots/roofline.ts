/** What a machine could do, and what ops do of it. */
import type { Annotations, Data } from "plotly.js";

import type { EnginePeak } from "../engine/controls.js";
import { ConfigurationError } from "../errors.js";
import type { Profile } from "../profile/report.js";
import { Figure, rounded } from "./figure.js";
import { logarithmicAxis } from "./logarithmic-axis.js";
import { currentTheme } from "./theme.js";

/** An op as it was measured. */
export interface RooflinePoint {
  readonly name: string;
  /** arithmetic done, GFLOP/s */
  readonly gflops: number;
  /** floating-point operations for each byte that memory must move */
  readonly intensity: number;
}

/** Options of `ms.plots.roofline`. */
export interface RooflineOptions {
  /** what stands above the figure; default "Roofline", and of which engine */
  title?: string;
}

/** Told apart without colours too. */
const symbols = ["circle", "square", "diamond", "triangle-up", "cross", "star", "x", "triangle-down", "pentagon"];

/**
 * The roofline of Williams, Waterman and Patterson (2009): an op of low intensity can be no faster than memory lets it, one
 * of high intensity no faster than arithmetic. Both axes are logarithmic.
 *
 * @param measured a profile with its peak; or points
 * @param peak what the machine can do; left out, the profile's. Points stand above it when what they read lies in caches
 * @throws ConfigurationError when there is no peak; when a limit or a point is not positive
 */
export function roofline(
  measured: Pick<Profile, "rows" | "peak" | "engine"> | readonly RooflinePoint[],
  peak: EnginePeak | undefined = "rows" in measured ? measured.peak : undefined,
  { title = "rows" in measured ? `Roofline of ${measured.engine}` : "Roofline" }: RooflineOptions = {},
): Figure {
  if (!peak) {
    throw new ConfigurationError(
      "roofline: there is no peak, wanted { gflops, gigabytesPerSecond }: give one, or profile without peak: false",
    );
  }
  const points = "rows" in measured ? rooflinePoints(measured) : measured;
  const { gflops, gigabytesPerSecond } = peak;
  for (const [what, value] of [
    ...Object.entries({ gflops, gigabytesPerSecond }),
    ...points.flatMap((point) => [[point.name, point.gflops] as const, [point.name, point.intensity] as const]),
  ]) {
    if (!(value > 0)) throw new ConfigurationError(`roofline: ${what} is ${value}, wanted a positive number`);
  }
  const { series, faint, text } = currentTheme();
  const ridge = gflops / gigabytesPerSecond;
  const low = Math.min(ridge / 30, ...points.map(({ intensity }) => intensity / 3));
  const high = Math.max(ridge * 30, ...points.map(({ intensity }) => intensity * 3));
  const slope = Math.sqrt(low * ridge);
  const slowest = Math.min(low * gigabytesPerSecond, ...points.map(({ gflops: done }) => done));
  const fastest = Math.max(gflops, ...points.map(({ gflops: done }) => done));
  const portion = ({ gflops: done, intensity }: RooflinePoint): string =>
    `${((100 * done) / Math.min(gflops, gigabytesPerSecond * intensity)).toFixed(0)} %`;
  const data: Partial<Data>[] = [
    {
      type: "scatter",
      mode: "lines",
      name: "the machine's limit",
      x: [low, ridge, high].map((value) => rounded(value)),
      y: [low * gigabytesPerSecond, gflops, gflops].map((value) => rounded(value)),
      line: { color: faint, width: 2 },
      hoverinfo: "skip",
      showlegend: false,
    },
    ...points.map((point, i): Partial<Data> => ({
      type: "scatter",
      mode: "markers",
      name: `${point.name} (${portion(point)})`,
      x: [rounded(point.intensity)],
      y: [rounded(point.gflops)],
      marker: { color: series[i % series.length]!, symbol: symbols[i % symbols.length]!, size: 11 },
      hovertemplate: `${point.name}<br>%{y} GFLOP/s<br>%{x} FLOP/byte<br>${portion(point)} of the limit<extra></extra>`,
    })),
  ];
  // Plotly places annotations on logarithmic axes by the logarithm.
  const note = (label: string, x: number, y: number, more: Partial<Annotations>): Partial<Annotations> => ({
    text: label,
    x: rounded(Math.log10(x)),
    y: rounded(Math.log10(y)),
    showarrow: false,
    font: { color: text, size: 12 },
    ...more,
  });
  return new Figure(
    data,
    {
      title: { text: title },
      xaxis: { title: { text: "arithmetic intensity (FLOP/byte)" }, ...logarithmicAxis([low, high]) },
      yaxis: {
        title: { text: "speed (GFLOP/s)" },
        ...logarithmicAxis([slowest, fastest]),
        dtick: 1,
        // Room for what is written above the roof.
        range: [slowest / 1.5, fastest * 2].map((value) => rounded(Math.log10(value))),
      },
      annotations: [
        note(`${rounded(gflops, 3)} GFLOP/s`, Math.sqrt(ridge * high), gflops, {
          xanchor: "center",
          yanchor: "bottom",
        }),
        // To the left of the slope there is nothing.
        note(`${rounded(gigabytesPerSecond, 3)} GB/s`, slope, slope * gigabytesPerSecond, {
          xanchor: "right",
          yanchor: "bottom",
          xshift: -4,
        }),
      ],
      height: 460,
    },
    `${title}\n${points.map((point) => `${point.name}: ${portion(point)} of the limit`).join("\n")}`,
  );
}

/** The points of a profile's roofline: what does arithmetic and takes at least a hundredth of the time. */
function rooflinePoints({ rows }: Pick<Profile, "rows">): RooflinePoint[] {
  return rows.flatMap(({ op, within, gflops, flops, bytes, share }) => {
    if (gflops === undefined || bytes === 0 || share < 0.01) return [];
    return [{ name: within === null ? op : `${op} in ${within}`, gflops, intensity: flops! / bytes }];
  });
}
