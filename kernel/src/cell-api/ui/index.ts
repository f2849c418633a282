/** `ui`: controls in the notebook, by the widgets that Jupyter's front ends have. */
import { Box, type BoxOptions } from "./box.js";
import { Button, type ButtonOptions } from "./button.js";
import { chooser, type ChoiceOptions } from "./choices.js";
import type { Control } from "./control.js";
import { checkbox, text, textarea, type CheckboxOptions, type TextareaOptions, type TextOptions } from "./fields.js";
import { Interaction, type Controls, type ValuesOf } from "./interact.js";
import {
  number,
  rangeSlider,
  slider,
  type NumberOptions,
  type RangeSliderOptions,
  type SliderOptions,
} from "./numbers.js";
import { OutputWidget, type OutputOptions } from "./output.js";
import { ProgressBar, TextWidget, type ProgressWidgetOptions } from "./shown.js";
import type { Widget } from "./widget.js";

export type { Box, Button, Control, Controls, Interaction, OutputWidget, ProgressBar, TextWidget, ValuesOf, Widget };

/**
 * Makes widgets. A widget is shown where it is the last expression of a cell, or by `display(widget)`.
 *
 * @example
 * ui.interact({ frequency: ui.slider({ min: 1, max: 10 }) }, ({ frequency }) =>
 *   display.plotly([{ y: Float64Array.from({ length: 200 }, (_, i) => Math.sin(i * frequency * 0.02)) }]),
 * );
 */
export interface Ui {
  /** A number on a line: `ui.slider({ min: 0, max: 1, step: 0.01 })`. Integers where all that is given are integers. */
  slider(options?: SliderOptions): Control<number>;
  /** Two numbers on a line. */
  rangeSlider(options?: RangeSliderOptions): Control<readonly [low: number, high: number]>;
  /** A field for a number. */
  number(options?: NumberOptions): Control<number>;
  /** A field for a line of text. */
  text(options?: TextOptions): Control<string>;
  /** A field for text of several lines. */
  textarea(options?: TextareaOptions): Control<string>;
  /** Yes or no. */
  checkbox(options?: CheckboxOptions): Control<boolean>;
  /** One of several values: `ui.dropdown({ options: ["adam", "sgd"] })`, or `{ options: { small: 64, large: 512 } }`. */
  dropdown<const T>(options: ChoiceOptions<T>): Control<T>;
  /** One of several values, all to be seen, one below the other. */
  radio<const T>(options: ChoiceOptions<T>): Control<T>;
  /** One of several values, all to be seen, as buttons. */
  toggles<const T>(options: ChoiceOptions<T>): Control<T>;
  /** A button: `ui.button({ label: "Train", onClick: () => train() })`. */
  button(options?: ButtonOptions): Button;
  /** A bar whose `value` the program sets. For a loop, `progress` is simpler. */
  progress(options?: ProgressWidgetOptions): ProgressBar;
  /** A line of text whose `value` the program may change. */
  label(value?: string): TextWidget;
  /** HTML whose `value` the program may change. */
  html(value?: string): TextWidget;
  /** A place for what code prints and displays, see {@link OutputWidget.capture}. */
  output(options?: OutputOptions): OutputWidget;
  /** Widgets side by side. */
  hbox(children: readonly Widget[], options?: BoxOptions): Box;
  /** Widgets one below the other. */
  vbox(children: readonly Widget[], options?: BoxOptions): Box;
  /**
   * Shows controls, runs `body` with their values, and again whenever one of them changes. What it returns, displays, prints
   * or throws is shown below the controls, each time in the same place. `body` may be asynchronous; values that change while
   * it runs are merged, and the last is always shown.
   */
  interact<C extends Controls>(controls: C, body: (values: ValuesOf<C>) => unknown): Interaction<C>;
}

/** Controls in the notebook, see {@link Ui}. */
export const ui: Ui = {
  slider,
  rangeSlider,
  number,
  text,
  textarea,
  checkbox,
  dropdown: chooser("Dropdown", "dropdown"),
  radio: chooser("RadioButtons", "radio"),
  toggles: chooser("ToggleButtons", "toggles"),
  button: (options = {}) => new Button(options),
  progress: (options = {}) => new ProgressBar(options),
  label: (value = "") => new TextWidget("Label", value),
  html: (value = "") => new TextWidget("HTML", value),
  output: (options = {}) => new OutputWidget(options),
  hbox: (children, options) => new Box("HBox", children, options),
  vbox: (children, options) => new Box("VBox", children, options),
  interact: (controls, body) => new Interaction(controls, body),
};
