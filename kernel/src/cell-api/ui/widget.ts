/**
 * What all widgets are: a model whose state the page mirrors, by the messages of Jupyter's widget protocol, version 2.1.
 * The page has the model's code, named by `_model_name`; here is only the state.
 */
import { inspect } from "node:util";
import { currentCell } from "../../session/current-cell.js";
import { DISPLAY_HOOK, type Displayable } from "../../session/mime-bundle.js";
import type { MimeBundle } from "../../session-protocol.js";
import { comms, type Comm } from "../comm.js";
import { UpdateLimiter } from "../update-limiter.js";

/** What of a widget the page knows, by the names of the protocol. A widget as a value stands for its model. */
export type WidgetState = Readonly<Record<string, unknown>>;

/** Which model and view of the page's a widget is made of. */
export interface WidgetKind {
  readonly model: string;
  readonly view: string;
  /** The package that has them. */
  readonly module?: keyof typeof MODULES;
  /** The package that has the view, where it is another. */
  readonly viewModule?: keyof typeof MODULES;
}

const MODULES = {
  base: ["@jupyter-widgets/base", "2.0.0"],
  controls: ["@jupyter-widgets/controls", "2.0.0"],
  output: ["@jupyter-widgets/output", "1.0.0"],
} as const;

const TARGET = "jupyter.widget";
const CONTROL_TARGET = "jupyter.widget.control";
const PROTOCOL_VERSION = "2.1.0";
const VIEW_MIME = "application/vnd.jupyter.widget-view+json";

/** Least time between two messages about a widget's state, in milliseconds: a loop may set a value a million times. */
const INTERVAL_MS = 50;

const HINT =
  "(To see and use it, Jupyter needs its widgets: pip install ipywidgets, then reload the page. " +
  "In a saved notebook: run the cell.)";

/** The widgets that the page knows, by the ids of their models. */
const known = new Map<string, Widget>();

const pageLoads = new Set<() => void>();

/**
 * Calls `listener` when a page has asked for the widgets' states: it was loaded anew, and knows of all else only what the
 * notebook's file has.
 * @returns a function that ends this
 */
export function onPageLoad(listener: () => void): () => void {
  pageLoads.add(listener);
  return () => pageLoads.delete(listener);
}

/** Something to see and use in the page. Made by the functions of `ui`. */
export abstract class Widget implements Displayable {
  readonly #state: Record<string, unknown>;
  readonly #unsent = new Set<string>();
  #limiter: UpdateLimiter | undefined;
  #comm: Comm | undefined;
  #closed = false;

  /** @internal */
  constructor({ model, view, module = "controls", viewModule = module }: WidgetKind, state: WidgetState) {
    this.#state = {
      _model_name: model,
      _model_module: MODULES[module][0],
      _model_module_version: MODULES[module][1],
      _view_name: view,
      _view_module: MODULES[viewModule][0],
      _view_module_version: MODULES[viewModule][1],
      ...state,
    };
  }

  /** Removes the widget from the page. */
  close(): void {
    this.#closed = true;
    if (this.#comm === undefined) return;
    known.delete(this.#comm.id);
    this.#comm.close();
    this.#comm = undefined;
  }

  /** Shows the widget: as the last expression of a cell, or by `display(widget)`. */
  [DISPLAY_HOOK](): MimeBundle {
    if (this.#closed) return { "text/plain": `${this.toString()} (closed)` };
    return {
      [VIEW_MIME]: { version_major: 2, version_minor: 0, model_id: this.#open() },
      "text/plain": `${this.toString()}\n${HINT}`,
    };
  }

  /** The widget as text, as where widgets cannot be shown. */
  abstract toString(): string;

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }

  /** @internal */
  protected get(key: string): unknown {
    return this.#state[key];
  }

  /** Changes the state, here and in the page. @internal */
  protected set(changes: WidgetState): void {
    for (const [key, value] of Object.entries(changes)) {
      if (Object.is(this.#state[key], value)) continue;
      this.#state[key] = value;
      if (this.#comm !== undefined) this.#unsent.add(key);
    }
    if (this.#unsent.size === 0) return;
    if (this.#limiter === undefined) {
      this.#limiter = new UpdateLimiter(currentCell());
      this.#limiter.interval = INTERVAL_MS;
    }
    this.#limiter.run(this.#sendUnsent);
  }

  /** Whether the page may change this part of the state. @internal */
  protected accepts(_key: string): boolean {
    return false;
  }

  /** Takes changes that were made in the page. @internal */
  protected received(changes: WidgetState): void | Promise<void> {
    Object.assign(this.#state, changes);
  }

  /** Takes a message of the model's own kind, such as a button's click. @internal */
  protected receivedCustom(_content: WidgetState): void | Promise<void> {
    // Most have none.
  }

  /**
   * Opens the comm, unless it is open, and gives the model's id. A widget does so when it is first shown: one that is not
   * costs nothing.
   */
  #open(): string {
    if (this.#comm !== undefined) return this.#comm.id;
    const comm = comms.open(
      TARGET,
      { state: this.#json(), buffer_paths: [] },
      { metadata: { version: PROTOCOL_VERSION } },
    );
    this.#comm = comm;
    known.set(comm.id, this);
    comm.onMessage(({ data }) => this.#message(comm, data));
    comm.onClose(() => {
      known.delete(comm.id);
      if (this.#comm === comm) this.#comm = undefined;
    });
    return comm.id;
  }

  #message(comm: Comm, { method, state, content }: WidgetState): void | Promise<void> {
    if (method === "request_state") {
      this.#unsent.clear();
      comm.send({ method: "update", state: this.#json(), buffer_paths: [] });
    } else if (method === "custom" && isObject(content)) {
      return this.receivedCustom(content);
    } else if (method === "update" && isObject(state)) {
      const changes = Object.fromEntries(Object.entries(state).filter(([key]) => this.accepts(key)));
      for (const key of Object.keys(changes)) this.#unsent.delete(key);
      // Other pages that show the notebook learn of the change in this way.
      comm.send({ method: "echo_update", state: changes, buffer_paths: [] });
      return this.received(changes);
    }
  }

  readonly #sendUnsent = (): void => {
    const keys = [...this.#unsent];
    this.#unsent.clear();
    if (keys.length > 0) this.#comm?.send({ method: "update", state: this.#json(keys), buffer_paths: [] });
  };

  /** The state, or a part of it, as it travels. */
  #json(keys: readonly string[] = Object.keys(this.#state)): WidgetState {
    return Object.fromEntries(keys.map((key) => [key, Widget.#toJson(this.#state[key])]));
  }

  static #toJson(value: unknown): unknown {
    if (value instanceof Widget) return `IPY_MODEL_${value.#open()}`;
    return Array.isArray(value) ? value.map((item) => Widget.#toJson(item)) : value;
  }

  /** The states of all widgets, by the ids of their models: what a page needs that was loaded anew. */
  static #all(): WidgetState {
    return Object.fromEntries(
      [...known].map(([id, widget]) => {
        const state = widget.#json();
        const { _model_name, _model_module, _model_module_version } = state;
        return [
          id,
          { model_name: _model_name, model_module: _model_module, model_module_version: _model_module_version, state },
        ];
      }),
    );
  }

  static {
    comms.onOpen(CONTROL_TARGET, (comm) => {
      comm.onMessage(({ data }) => {
        if (data["method"] !== "request_states") return;
        comm.send({ method: "update_states", states: Widget.#all(), buffer_paths: [] });
        for (const listener of pageLoads) listener();
      });
    });
  }
}

/** How a widget lies in the page. */
export class Layout extends Widget {
  constructor(state: WidgetState) {
    super({ model: "LayoutModel", view: "LayoutView", module: "base" }, state);
  }

  toString(): string {
    return "layout";
  }
}

/** How a widget's label looks. */
export class LabelStyle extends Widget {
  /** @param width a width of CSS: `initial` for the label's own */
  constructor(width: string) {
    super(
      { model: "DescriptionStyleModel", view: "StyleView", module: "controls", viewModule: "base" },
      { description_width: width },
    );
  }

  toString(): string {
    return "style";
  }
}

function isObject(value: unknown): value is WidgetState {
  return typeof value === "object" && value !== null;
}
