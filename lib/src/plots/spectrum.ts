/** The singular values of state matrices. */
import { stableRankOf } from "../inspection/spectrum.js";
import { Figure, rounded } from "./figure.js";
import { legendByLength } from "./legend-below.js";
import { logarithmicAxis } from "./logarithmic-axis.js";
import { currentTheme } from "./theme.js";

/** Options of `ms.plots.spectrum`. */
export interface SpectrumOptions {
  /** what stands above the figure; default "Singular values of the state" */
  title?: string;
  /** whether values are divided by the largest of their matrix, so that shapes can be compared; default no */
  relative?: boolean;
}

/**
 * Singular values from the largest down, on a logarithmic scale: a steep line is a state that holds few directions. The
 * legend gives each one's stable rank, ‖S‖²_F / σ₁².
 *
 * @param spectra by name, e.g. `layer 0, head 1`; values below a ten-millionth of the largest, which is what float32 rounds
 *   to, are left out
 */
export function spectrum(
  spectra: Readonly<Record<string, ArrayLike<number>>>,
  { title = "Singular values of the state", relative = false }: SpectrumOptions = {},
): Figure {
  const { series } = currentTheme();
  const lines: string[] = [];
  const data = Object.entries(spectra).map(([name, values], i) => {
    const sorted = Array.from(values).sort((a, b) => b - a);
    const [largest = 0] = sorted;
    const rank = stableRankOf(sorted);
    lines.push(`${name}: largest ${rounded(largest, 3)}, stable rank ${rounded(rank, 3)}`);
    const shown = sorted.filter((value) => value > 1e-7 * largest);
    return {
      type: "scatter" as const,
      mode: "lines+markers" as const,
      name: `${name} (stable rank ${rank.toFixed(1)})`,
      x: shown.map((_, place) => place + 1),
      y: shown.map((value) => rounded(relative ? value / largest : value)),
      line: {
        color: series[i % series.length]!,
        width: 1.5,
        dash: i < series.length ? ("solid" as const) : ("dot" as const),
      },
      marker: { size: 4 },
    };
  });
  return new Figure(
    data,
    {
      title: { text: title },
      // There is nothing between two places.
      xaxis: { title: { text: "place, from the largest" }, ...(data.every(({ x }) => x.length <= 8) && { dtick: 1 }) },
      yaxis: {
        title: { text: relative ? "singular value / largest" : "singular value" },
        ...logarithmicAxis(data.flatMap(({ y }) => y)),
      },
      ...legendByLength(data),
    },
    `${title}\n${lines.join("\n")}`,
  );
}
