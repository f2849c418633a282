/** A button. */
import { Labelled, type CommonOptions } from "./control.js";
import { Listeners } from "./listeners.js";
import { Layout, type WidgetState } from "./widget.js";

/** Options of `ui.button`. */
export interface ButtonOptions extends CommonOptions {
  /** Called for each click, see {@link Button.onClick}. */
  readonly onClick?: () => unknown;
  /** Its colour, by what it means. */
  readonly style?: "primary" | "success" | "info" | "warning" | "danger";
}

/** A button. Its label is the text on it. */
export class Button extends Labelled {
  readonly #clicked = new Listeners<[]>();

  /** @internal Buttons are made by `ui.button`. */
  constructor({ onClick, style, ...options }: ButtonOptions) {
    super({ model: "ButtonModel", view: "ButtonView" }, options, {
      style: null,
      layout: options.width === undefined ? null : new Layout({ width: options.width }),
      button_style: style ?? "",
      icon: "",
    });
    if (onClick !== undefined) this.onClick(onClick);
  }

  /** The text on it. */
  override get label(): string {
    return super.label;
  }
  override set label(label: string) {
    this.set({ description: label });
  }

  /**
   * Calls `listener` for each click. It may be asynchronous; the page goes on, so that another button can stop what this one
   * has begun.
   * @returns a function that ends this
   */
  onClick(listener: () => unknown): () => void {
    return this.#clicked.add(listener);
  }

  /** The same as {@link onClick}. */
  on(_event: "click", listener: () => unknown): () => void {
    return this.onClick(listener);
  }

  /** Does what a click in the page does. */
  click(): Promise<void> {
    return this.#clicked.call();
  }

  override close(): void {
    this.#clicked.clear();
    super.close();
  }

  override toString(): string {
    return `[button ${this.label}]`;
  }

  override alignLabel(): void {
    // The label is on the button.
  }

  protected override receivedCustom({ event }: WidgetState): void | Promise<void> {
    if (event === "click") return this.click();
  }
}
