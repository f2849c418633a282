/** Widgets that only show something. */
import { Labelled, type CommonOptions } from "./control.js";

/** Options of `ui.progress`. */
export interface ProgressWidgetOptions extends Omit<CommonOptions, "disabled"> {
  /** The value of a bar that is full. @defaultValue 1 */
  readonly max?: number;
  /** @defaultValue 0 */
  readonly value?: number;
}

/** A bar, from 0 to `max`. */
export class ProgressBar extends Labelled {
  /** @internal Made by `ui.progress`. */
  constructor({ max = 1, value = 0, ...options }: ProgressWidgetOptions) {
    super({ model: "FloatProgressModel", view: "ProgressView" }, options, {
      min: 0,
      max,
      value,
      bar_style: "",
      orientation: "horizontal",
    });
  }

  /** How far it is. Set it as often as you like: the page is told at most twenty times a second. */
  get value(): number {
    return this.get("value") as number;
  }
  set value(value: number) {
    this.set({ value, bar_style: value >= this.max ? "success" : "" });
  }

  /** The value of a bar that is full. */
  get max(): number {
    return this.get("max") as number;
  }
  set max(max: number) {
    this.set({ max, bar_style: this.value >= max ? "success" : "" });
  }

  override toString(): string {
    return `[progress${this.label === "" ? "" : ` ${this.label}`}: ${this.value} of ${this.max}]`;
  }
}

/** A text that the program may change: plain, or HTML. */
export class TextWidget extends Labelled {
  readonly #name: string;

  /** @internal Made by `ui.label` and `ui.html`. */
  constructor(kind: "Label" | "HTML", value: string, options: Omit<CommonOptions, "disabled"> = {}) {
    super({ model: `${kind}Model`, view: `${kind}View` }, options, { value, placeholder: "\u200b" });
    this.#name = kind.toLowerCase();
  }

  /** What it shows. */
  get value(): string {
    return this.get("value") as string;
  }
  set value(value: string) {
    this.set({ value: String(value) });
  }

  override toString(): string {
    return `[${this.#name}: ${this.value}]`;
  }
}
