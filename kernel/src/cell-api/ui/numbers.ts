/** Controls for numbers. */
import { Control, type CommonOptions } from "./control.js";

/** Options of `ui.slider`. */
export interface SliderOptions extends CommonOptions {
  /** @defaultValue 0 */
  readonly min?: number;
  /** @defaultValue 100, or 1 where `min`, `value` or `step` have decimals */
  readonly max?: number;
  /** Distance between two values; in logarithmic scale, between their decimal logarithms. */
  readonly step?: number;
  /** @defaultValue the lowest */
  readonly value?: number;
  /** `log` for values of different magnitude, such as a learning rate. */
  readonly scale?: "linear" | "log";
  /** False where the value shall change only when the mouse is released. */
  readonly live?: boolean;
}

/** Options of `ui.rangeSlider`. */
export interface RangeSliderOptions extends Omit<SliderOptions, "value" | "scale"> {
  /** Its two ends; all of the range where it is left out. */
  readonly value?: readonly [low: number, high: number];
}

/** Options of `ui.number`. */
export interface NumberOptions extends CommonOptions {
  readonly value?: number;
  readonly min?: number;
  readonly max?: number;
  readonly step?: number;
}

interface Range {
  readonly min: number;
  readonly max: number;
  readonly step: number;
  /** Whether all values are integers. */
  readonly whole: boolean;
}

export function slider(options: SliderOptions = {}): Control<number> {
  if (options.scale === "log") return logSlider(options);
  const range = rangeOf("ui.slider", options, ...(options.value === undefined ? [] : [options.value]));
  const { min, max, step, whole } = range;
  return new Control<number>(
    whole ? { model: "IntSliderModel", view: "IntSliderView" } : { model: "FloatSliderModel", view: "FloatSliderView" },
    {
      key: "value",
      name: "slider",
      encode: (value) => within(range, "ui.slider", value),
      decode: (state) => state as number,
    },
    options.value ?? min,
    options,
    { min, max, step, ...readout(range), ...live(options) },
  );
}

function logSlider(options: SliderOptions): Control<number> {
  const { min = 1e-4, max = 1, step = 0.05, value = min } = options;
  checkNumbers("ui.slider", { min, max, step, value });
  if (!(min > 0)) throw new RangeError(`ui.slider: a logarithmic scale starts above 0, not at ${min}`);
  checkOrder("ui.slider", min, max);
  return new Control<number>(
    { model: "FloatLogSliderModel", view: "FloatLogSliderView" },
    {
      key: "value",
      name: "slider",
      encode: (given) => within({ min, max, step, whole: false }, "ui.slider", given),
      decode: (state) => state as number,
    },
    value,
    options,
    {
      base: 10,
      min: Math.log10(min),
      max: Math.log10(max),
      step,
      readout_format: ".3g",
      readout: true,
      ...live(options),
    },
  );
}

export function rangeSlider(options: RangeSliderOptions = {}): Control<readonly [low: number, high: number]> {
  const range = rangeOf("ui.rangeSlider", options, ...(options.value ?? []));
  const { min, max, step, whole } = range;
  return new Control<readonly [low: number, high: number]>(
    whole
      ? { model: "IntRangeSliderModel", view: "IntRangeSliderView" }
      : { model: "FloatRangeSliderModel", view: "FloatRangeSliderView" },
    {
      key: "value",
      name: "range",
      encode: ([low, high]) => [low, high].map((end) => within(range, "ui.rangeSlider", end)).sort((a, b) => a - b),
      decode: (state) => state as readonly [number, number],
    },
    options.value ?? [min, max],
    options,
    { min, max, step, ...readout(range), ...live(options) },
  );
}

export function number(options: NumberOptions = {}): Control<number> {
  const { value = 0, min, max, step } = options;
  checkNumbers("ui.number", { value, min, max, step });
  if (min !== undefined && max !== undefined) checkOrder("ui.number", min, max);
  const range = { min: min ?? -Number.MAX_VALUE, max: max ?? Number.MAX_VALUE, step: step ?? 0, whole: false };
  const bounded = min !== undefined || max !== undefined;
  return new Control<number>(
    { model: bounded ? "BoundedFloatTextModel" : "FloatTextModel", view: "FloatTextView" },
    {
      key: "value",
      name: "number",
      encode: (given) => within(range, "ui.number", given),
      decode: (state) => state as number,
    },
    value,
    options,
    { step: step ?? null, ...(bounded && { min: range.min, max: range.max }) },
  );
}

function live({ live: continuous = true }: { readonly live?: boolean }): { continuous_update: boolean } {
  return { continuous_update: continuous };
}

function rangeOf(
  name: string,
  { min = 0, max, step }: { readonly min?: number; readonly max?: number; readonly step?: number },
  ...values: readonly number[]
): Range {
  checkNumbers(name, { min, max, step, value: values[0], "second value": values[1] });
  const whole = [min, max ?? min, step ?? 1, ...values].every(Number.isInteger);
  const top = max ?? (whole ? Math.max(100, min) : Math.max(1, Math.ceil(min)));
  checkOrder(name, min, top);
  if (step !== undefined && !(step > 0))
    throw new RangeError(`${name}: step is the distance of two values, not ${step}`);
  if (step !== undefined) return { min, max: top, step, whole };
  return { min, max: top, step: whole ? 1 : hundredth(top - min), whole };
}

/** About a hundredth of a width, as a power of ten. */
function hundredth(width: number): number {
  return width === 0 ? 0.01 : Number(`1e${Math.floor(Math.log10(width)) - 2}`);
}

/** How the page writes the value: with as many decimals as the step has. */
function readout({ step, whole }: Range): { readout: true; readout_format: string } {
  const [digits = "", exponent = "0"] = step.toString().split("e");
  const decimals = Math.max(0, (digits.split(".")[1]?.length ?? 0) - Number(exponent));
  return { readout: true, readout_format: whole ? "d" : decimals > 6 ? ".3g" : `.${decimals}f` };
}

/** The value of the range that is nearest. */
function within({ min, max, whole }: Range, name: string, value: number): number {
  checkNumbers(name, { value });
  if (whole && !Number.isInteger(value)) {
    throw new TypeError(`${name}: this control is for integers, not for ${value}: give it a step of 0.1, say`);
  }
  return Math.min(max, Math.max(min, value));
}

function checkNumbers(name: string, numbers: Readonly<Record<string, number | undefined>>): void {
  for (const [key, value] of Object.entries(numbers)) {
    if (value !== undefined && !Number.isFinite(value)) {
      throw new TypeError(`${name}: ${key} must be a finite number, not ${String(value)}`);
    }
  }
}

function checkOrder(name: string, min: number, max: number): void {
  if (min > max) throw new RangeError(`${name}: min (${min}) is more than max (${max})`);
}
