/** Controls for text and for yes or no. */
import { Control, type CommonOptions } from "./control.js";

/** Options of `ui.text` and `ui.textarea`. */
export interface TextOptions extends CommonOptions {
  readonly value?: string;
  /** Shown while nothing is entered. */
  readonly placeholder?: string;
  /** False where the value shall change only when Enter is pressed or the field is left. */
  readonly live?: boolean;
}

/** Options of `ui.textarea`. */
export interface TextareaOptions extends TextOptions {
  /** Height in lines. */
  readonly rows?: number;
}

/** Options of `ui.checkbox`. */
export interface CheckboxOptions extends CommonOptions {
  readonly value?: boolean;
}

const TEXT = {
  key: "value",
  name: "text",
  encode(value: string): string {
    if (typeof value !== "string") throw new TypeError(`ui.text: the value must be a string, not ${String(value)}`);
    return value;
  },
  decode: (state: unknown) => state as string,
} as const;

function textState({ placeholder, live = true }: TextOptions): { placeholder: string; continuous_update: boolean } {
  // The page's own idea of an empty placeholder, which keeps the line's height.
  return { placeholder: placeholder ?? "\u200b", continuous_update: live };
}

export function text(options: TextOptions = {}): Control<string> {
  return new Control<string>(
    { model: "TextModel", view: "TextView" },
    TEXT,
    options.value ?? "",
    options,
    textState(options),
  );
}

export function textarea(options: TextareaOptions = {}): Control<string> {
  return new Control<string>({ model: "TextareaModel", view: "TextareaView" }, TEXT, options.value ?? "", options, {
    ...textState(options),
    rows: options.rows ?? null,
  });
}

/** A checkbox. Its label is behind the box. */
class Checkbox extends Control<boolean> {
  constructor(options: CheckboxOptions) {
    const codec = {
      key: "value",
      name: "checkbox",
      encode(value: boolean): boolean {
        if (typeof value === "boolean") return value;
        throw new TypeError(`ui.checkbox: the value must be true or false, not ${String(value)}`);
      },
      decode: (state: unknown) => state as boolean,
    };
    super({ model: "CheckboxModel", view: "CheckboxView" }, codec, options.value ?? false, options, { indent: false });
  }

  override alignLabel(characters: number): void {
    super.alignLabel(characters);
    this.set({ indent: true });
  }
}

export function checkbox(options: CheckboxOptions = {}): Control<boolean> {
  return new Checkbox(options);
}
