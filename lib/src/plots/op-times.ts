/** The time of a computation, by op. */
import type { Profile } from "../profile/report.js";
import { Figure, rounded } from "./figure.js";
import { currentTheme } from "./theme.js";

/** Bars that are shown; the others are one. */
const SHOWN = 14;

/** A profile's time by op as bars, the longest on top; what the kernels leave, and the profile itself took, comes last. */
export function opTimes(
  {
    rows,
    outside,
    overhead,
    milliseconds,
    engine,
  }: Pick<Profile, "rows" | "outside" | "overhead" | "milliseconds" | "engine">,
  { title = `${rounded(milliseconds, 3)} ms on ${engine}, by op` }: { title?: string } = {},
): Figure {
  const { series, faint, text } = currentTheme();
  const shown = rows.slice(0, SHOWN);
  const rest = rows.slice(SHOWN);
  const bars = shown.map((row) => ({
    name: row.within === null ? row.op : `${row.op} (in ${row.within})`,
    milliseconds: row.milliseconds,
    calls: row.calls,
    note: [
      ...(row.gflops === undefined ? [] : [`${rounded(row.gflops, 3)} GFLOP/s`]),
      ...(row.gigabytesPerSecond === undefined ? [] : [`${rounded(row.gigabytesPerSecond, 3)} GB/s`]),
    ].join("<br>"),
    colour: series[0]!,
  }));
  if (rest.length > 0) {
    const sum = (of: (row: (typeof rows)[number]) => number): number => rest.reduce((total, row) => total + of(row), 0);
    bars.push({
      name: `${rest.length} others`,
      milliseconds: sum((row) => row.milliseconds),
      calls: sum((row) => row.calls),
      note: "",
      colour: series[0]!,
    });
  }
  bars.push({ name: "outside kernels", milliseconds: outside, calls: 0, note: "", colour: faint });
  bars.push({ name: "the profile itself", milliseconds: overhead, calls: 0, note: "", colour: faint });
  const portion = (value: number): string => `${((100 * value) / milliseconds).toFixed(1)} %`;
  return new Figure(
    [
      {
        type: "bar",
        orientation: "h",
        x: bars.map((bar) => rounded(bar.milliseconds)),
        y: bars.map((bar) => bar.name),
        marker: { color: bars.map((bar) => bar.colour) },
        text: bars.map((bar) => portion(bar.milliseconds)),
        textposition: "outside",
        textfont: { color: text },
        cliponaxis: false,
        customdata: bars.map(({ calls, note }) => `${calls > 0 ? `${calls} calls` : ""}${note ? `<br>${note}` : ""}`),
        hovertemplate: "%{y}<br>%{x} ms<br>%{customdata}<extra></extra>",
      },
    ],
    {
      title: { text: title },
      xaxis: { title: { text: "time (ms)" }, rangemode: "tozero" },
      yaxis: { title: { text: "op", standoff: 12 }, autorange: "reversed", automargin: true, showgrid: false },
      margin: { l: 120, r: 56, t: 48, b: 52 },
      height: 130 + 24 * bars.length,
      showlegend: false,
    },
    bars.map((bar) => `${bar.name}: ${rounded(bar.milliseconds, 3)} ms (${portion(bar.milliseconds)})`).join("\n"),
  );
}
