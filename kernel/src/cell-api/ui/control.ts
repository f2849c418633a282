/** Widgets that have a value, which the user or the program may change. */
import { isDeepStrictEqual } from "node:util";
import { Listeners } from "./listeners.js";
import { LabelStyle, Layout, Widget, type WidgetKind, type WidgetState } from "./widget.js";

/** Options of every widget with a label. */
export interface CommonOptions {
  /** Text before the widget. */
  readonly label?: string;
  /** Text shown when the mouse rests on it. */
  readonly tooltip?: string;
  /** Width of the widget with its label, in units of CSS: `"500px"`, `"100%"`. */
  readonly width?: string;
  /** Shown, but not to be used. */
  readonly disabled?: boolean;
}

/** Labels of more characters than this do not fit into the space that the page gives them. */
const LONGEST_NARROW_LABEL = 10;

/** Space for what is behind a label, in pixels. */
const BESIDE_LABEL = 220;

/** Wide enough for a label of so many characters, where the widget's usual width is not. */
function besideLabel(characters: number): Layout | null {
  return characters > LONGEST_NARROW_LABEL ? new Layout({ width: `calc(${characters}ch + ${BESIDE_LABEL}px)` }) : null;
}

/** The state that {@link CommonOptions} stand for. */
function commonState({ label = "", tooltip, width, disabled = false }: CommonOptions): WidgetState {
  return {
    description: label,
    tooltip: tooltip ?? "",
    disabled,
    layout: width === undefined ? besideLabel(label.length) : new Layout({ width }),
    style: label.length > LONGEST_NARROW_LABEL ? new LabelStyle("initial") : null,
  };
}

/** A widget with a label. */
export abstract class Labelled extends Widget {
  /** Whether its width was chosen by the user. */
  readonly #wide: boolean;

  /** @internal */
  constructor(kind: WidgetKind, options: CommonOptions, state: WidgetState) {
    super(kind, { ...commonState(options), ...state });
    this.#wide = options.width !== undefined;
  }

  /** Text before the widget. */
  get label(): string {
    return this.get("description") as string;
  }
  set label(label: string) {
    const { style, layout } = commonState({ label });
    this.set({ description: label, style, layout: this.#wide ? this.get("layout") : layout });
  }

  /** Whether it is shown, but not to be used. */
  get disabled(): boolean {
    return this.get("disabled") as boolean;
  }
  set disabled(disabled: boolean) {
    this.set({ disabled });
  }

  /** Gives the label space for so many characters, so that those of several widgets end in line. @internal */
  alignLabel(characters: number): void {
    const layout = this.#wide ? this.get("layout") : besideLabel(characters);
    this.set({ style: new LabelStyle(`${characters}ch`), layout });
  }
}

/** How the value of a control stands in its state. */
interface Codec<T> {
  /** The key that has it. */
  readonly key: string;
  /** @throws when it is no value for the control */
  encode(value: T): unknown;
  decode(state: unknown): T;
  /** What the control is called in text. */
  readonly name: string;
}

/**
 * A widget with a value.
 *
 * @example
 * const n = ui.slider({ min: 1, max: 10 });
 * n.onChange((value) => console.log(value));
 * n
 */
export class Control<T> extends Labelled {
  readonly #codec: Codec<T>;
  // Not of T: a Control<number> is then a Control<unknown> as well.
  readonly #changed = new Listeners<[value: unknown, old: unknown]>();

  /** @internal Controls are made by the functions of `ui`. */
  constructor(kind: WidgetKind, codec: Codec<T>, value: T, options: CommonOptions, state: WidgetState = {}) {
    super(kind, options, { ...state, [codec.key]: codec.encode(value) });
    this.#codec = codec;
  }

  /** What is chosen or entered now. To set it changes what the page shows, and tells the listeners. */
  get value(): T {
    return this.#codec.decode(this.get(this.#codec.key));
  }
  set value(value: T) {
    const old = this.value;
    this.set({ [this.#codec.key]: this.#codec.encode(value) });
    void this.#tell(old);
  }

  /**
   * Calls `listener` whenever the value has changed, in the page or by the program. It may be asynchronous; what it prints
   * appears on the cell that has called `onChange`.
   * @returns a function that ends this
   */
  onChange(listener: (value: T, old: T) => unknown): () => void {
    return this.#changed.add((value, old) => listener(value as T, old as T));
  }

  /** The same as {@link onChange}. */
  on(_event: "change", listener: (value: T, old: T) => unknown): () => void {
    return this.onChange(listener);
  }

  override close(): void {
    this.#changed.clear();
    super.close();
  }

  override toString(): string {
    const label = this.label === "" ? "" : ` ${this.label}`;
    const value = this.value;
    return `[${this.#codec.name}${label}: ${typeof value === "string" ? value : JSON.stringify(value)}]`;
  }

  protected override accepts(key: string): boolean {
    return key === this.#codec.key;
  }

  protected override received(changes: WidgetState): Promise<void> {
    const { key } = this.#codec;
    const old = this.value;
    let value = this.get(key);
    void super.received(changes);
    // No control of the page sends what is no value of it, but any client may; the page is then told what holds.
    try {
      value = this.#codec.encode(this.value);
    } catch {
      // The value stays.
    }
    if (!isDeepStrictEqual(value, this.get(key))) this.set({ [key]: value });
    return this.#tell(old);
  }

  async #tell(old: T): Promise<void> {
    const value = this.value;
    if (!isDeepStrictEqual(value, old)) await this.#changed.call(value, old);
  }
}
