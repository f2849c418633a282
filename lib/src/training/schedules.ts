/** Learning-rate schedules: the factor of a step, from 0 to 1. */

/** How the rate goes after the warm-up: unchanged, a straight line, or half a cosine, down to `floor`. */
export type ScheduleName = "constant" | "linear" | "cosine";

/** A schedule's options. */
export interface ScheduleOptions {
  readonly schedule: ScheduleName;
  /** steps on which the rate rises from almost 0 to 1 */
  readonly warmup: number;
  /** the factor at the last step */
  readonly floor: number;
}

/**
 * The factor on the learning rate.
 *
 * @param step from 1 to steps
 * @param steps how many steps the whole training has
 */
export function scheduleFactor(step: number, steps: number, { schedule, warmup, floor }: ScheduleOptions): number {
  if (step <= warmup) return step / (warmup + 1);
  const progress = steps > warmup + 1 ? (step - warmup - 1) / (steps - warmup - 1) : 1;
  switch (schedule) {
    case "constant":
      return 1;
    case "linear":
      return 1 - (1 - floor) * progress;
    case "cosine":
      return floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress));
  }
}
