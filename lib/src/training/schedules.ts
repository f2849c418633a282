/** Learning-rate schedules: the factor of each step, a function of the step and of how many there will be. */
import { ConfigurationError } from "../errors.js";

/** How the rate goes after the warm-up, by name; {@link schedules} has the same as functions, with all their options. */
export type ScheduleName = "constant" | "linear" | "cosine" | "wsd";

/**
 * The factor on the learning rate.
 *
 * @param step from 1 to `steps`
 * @param steps how many steps the whole training has
 * @returns usually from 0 to 1
 */
export type Schedule = (step: number, steps: number) => number;

/** What all schedules begin with. */
export interface WarmupOptions {
  /** steps on which the rate rises from almost 0 to 1; default a twentieth of all, at most 100 */
  warmup?: number;
}

/** What schedules that fall end with. */
export interface FallOptions extends WarmupOptions {
  /** the factor at the last step; default 0.05 */
  floor?: number;
}

/** Warm-up, stable, decay: when the fall begins and how it goes. */
export interface WsdOptions extends FallOptions {
  /** the portion of all steps, at the end, on which the rate falls; default 0.2 */
  decay?: number;
  /** a straight line (default), or 1 − √progress, steeper at first (Hägele et al., arXiv 2405.18392) */
  shape?: "linear" | "sqrt";
}

/** 1 until the end. */
function constant({ warmup }: WarmupOptions = {}): Schedule {
  return afterWarmup("constant", warmup, 0, () => 1);
}

/** A straight line from 1 to `floor`. */
function linear({ warmup, floor = 0.05 }: FallOptions = {}): Schedule {
  return afterWarmup("linear", warmup, floor, (progress) => 1 - (1 - floor) * progress);
}

/** Half a cosine from 1 to `floor` (Loshchilov and Hutter, arXiv 1608.03983). */
function cosine({ warmup, floor = 0.05 }: FallOptions = {}): Schedule {
  return afterWarmup(
    "cosine",
    warmup,
    floor,
    (progress) => floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress)),
  );
}

/**
 * Warm-up, stable, decay (Hu et al., arXiv 2404.06395): 1 until the last portion of the steps, then down to `floor`. A
 * training can be prolonged from its stable part.
 */
function wsd({ warmup, floor = 0.05, decay = 0.2, shape = "linear" }: WsdOptions = {}): Schedule {
  if (!(decay > 0 && decay <= 1)) {
    throw new ConfigurationError(`schedules.wsd: decay is ${decay}, wanted a portion of the steps in (0, 1]`);
  }
  if (shape !== "linear" && shape !== "sqrt") {
    throw new ConfigurationError(`schedules.wsd: shape is ${JSON.stringify(shape)}, wanted "linear" or "sqrt"`);
  }
  return afterWarmup("wsd", warmup, floor, (_, step, steps) => {
    const falling = Math.max(1, Math.round(decay * steps));
    const progress = Math.max(0, (step - (steps - falling)) / falling);
    return 1 - (1 - floor) * (shape === "sqrt" ? Math.sqrt(progress) : progress);
  });
}

/**
 * The schedules as functions that {@link Schedule} describes.
 *
 * @namespace
 */
export const schedules = {
  /** The same rate after the warm-up. */
  constant,
  /** A straight line down to the floor. */
  linear,
  /** Half a cosine down to the floor. */
  cosine,
  /** Warm-up, stable, decay: the same rate until the last portion of the steps, which falls. */
  wsd,
};

/** Options of the schedule of a name. */
export interface NamedScheduleOptions extends FallOptions {
  /** a name, or a function `(step, steps) => factor`; default `cosine` */
  schedule?: ScheduleName | Schedule;
}

/**
 * The schedule that a training's options ask for: of a name, with warm-up and floor; or the caller's own, which says it
 * all.
 *
 * @throws ConfigurationError when the name is unknown, or a function comes with options that it would not see
 */
export function chosenSchedule({ schedule = "cosine", warmup, floor }: NamedScheduleOptions): Schedule {
  if (typeof schedule === "function") {
    const extra = Object.entries({ warmup, floor }).find(([, value]) => value !== undefined);
    if (!extra) return schedule;
    throw new ConfigurationError(
      `train: ${extra[0]} is ${extra[1]}, but schedule is a function, which says it all: leave ${extra[0]} out, or ` +
        `give it to the function, as in schedules.cosine({${extra[0]}: ${extra[1]}})`,
    );
  }
  if (!Object.hasOwn(schedules, schedule)) {
    throw new ConfigurationError(
      `train: schedule is ${JSON.stringify(schedule)}, wanted ${Object.keys(schedules).join(", ")}, or a function ` +
        `(step, steps) => factor`,
    );
  }
  return schedules[schedule]({ warmup, floor });
}

/**
 * A schedule's factor, checked.
 *
 * @throws ConfigurationError when it is no finite number of 0 or more
 */
export function scheduleFactor(schedule: Schedule, step: number, steps: number): number {
  const factor = schedule(step, steps);
  if (Number.isFinite(factor) && factor >= 0) return factor;
  throw new ConfigurationError(
    `the schedule gives ${factor} at step ${step} of ${steps}, wanted a factor on the learning rate: 0 or more`,
  );
}

function afterWarmup(
  name: string,
  asked: number | undefined,
  floor: number,
  after: (progress: number, step: number, steps: number) => number,
): Schedule {
  for (const [option, value] of Object.entries({ warmup: asked ?? 0, floor })) {
    if (!(value >= 0)) throw new ConfigurationError(`schedules.${name}: ${option} is ${value}, wanted 0 or more`);
  }
  return (step, steps) => {
    const warmup = asked ?? Math.min(100, Math.round(steps / 20));
    if (step <= warmup) return step / (warmup + 1);
    const progress = steps > warmup + 1 ? (step - warmup - 1) / (steps - warmup - 1) : 1;
    return after(progress, step, steps);
  };
}
