/** How the learning rate goes. */
import { ConfigurationError } from "../errors.js";
import { chosenSchedule, scheduleFactor, type Schedule, type ScheduleName } from "../training/schedules.js";
import { Figure, rounded } from "./figure.js";
import { currentTheme } from "./theme.js";
import { thinned } from "./thinning.js";

/** Options of `ms.plots.schedule`. */
export interface SchedulePlotOptions {
  /** how many steps the training has; default 1,000 */
  steps?: number;
  /** the highest rate; default 1: the factors themselves */
  learningRate?: number;
  /** what stands above the figure; default "Schedule" */
  title?: string;
}

/**
 * The learning rate of each step.
 *
 * @param schedules one schedule, or several by name: functions of `ms.schedules`, your own, or names
 */
export function schedulePlot(
  schedules: ScheduleName | Schedule | Readonly<Record<string, ScheduleName | Schedule>>,
  { steps = 1000, learningRate = 1, title = "Schedule" }: SchedulePlotOptions = {},
): Figure {
  if (!(Number.isSafeInteger(steps) && steps >= 1)) {
    throw new ConfigurationError(`plots.schedule: steps is ${steps}, wanted an integer of 1 or more`);
  }
  const one = typeof schedules === "function" || typeof schedules === "string";
  const named = one ? { [typeof schedules === "string" ? schedules : title]: schedules } : schedules;
  const at = thinned(steps).map((place) => place + 1);
  const { series } = currentTheme();
  const data = Object.entries(named).map(([name, schedule], i) => {
    const factor = chosenSchedule({ schedule });
    return {
      type: "scatter" as const,
      mode: "lines" as const,
      name,
      x: at,
      y: at.map((step) => rounded(learningRate * scheduleFactor(factor, step, steps))),
      line: { color: series[i % series.length]!, width: 2 },
    };
  });
  return new Figure(
    data,
    {
      title: { text: title },
      xaxis: { title: { text: "step" }, rangemode: "tozero" },
      yaxis: {
        title: { text: learningRate === 1 ? "factor" : "learning rate", standoff: 12 },
        automargin: true,
        rangemode: "tozero",
      },
      hovermode: "x unified",
    },
    data.map(({ name, y }) => `${name}: ${Math.max(...y)} at most, ${y.at(-1)} at step ${steps}`).join("\n"),
  );
}
