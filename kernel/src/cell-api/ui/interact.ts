/** `ui.interact`: a function that runs anew whenever one of its controls changes. */
import { setTimeout as sleep } from "node:timers/promises";
import { captureOutput, currentSink } from "../../session/capture.js";
import { currentCell, currentTask, runAsHandler } from "../../session/current-cell.js";
import { interruptible, isThenable, KeyboardInterrupt, wasInterrupted } from "../../session/interrupts.js";
import { DISPLAY_HOOK, mimeBundle, type Displayable } from "../../session/mime-bundle.js";
import { errorReport } from "../../session/traceback.js";
import type { MimeBundle } from "../../session-protocol.js";
import { showKept, type DisplayHandle, type DisplayOptions } from "../display/handle.js";
import { Box } from "./box.js";
import { Control } from "./control.js";
import { OutputList, type Output } from "./output-list.js";
import { onPageLoad } from "./widget.js";

/** Controls by the names under which a function gets their values. */
export type Controls = Readonly<Record<string, Control<unknown>>>;

/** The values of controls. */
export type ValuesOf<C extends Controls> = { readonly [K in keyof C]: C[K] extends Control<infer T> ? T : never };

/** Least time between the starts of two runs, in milliseconds. */
const INTERVAL_MS = 50;

/** What `ui.interact` returns. */
export class Interaction<C extends Controls> implements Displayable {
  /** The controls, as they were given. */
  readonly controls: C;
  /** Resolves when the first run has ended. */
  readonly ready: Promise<void>;
  readonly #body: (values: ValuesOf<C>) => unknown;
  readonly #box: Box;
  readonly #results: Results;
  readonly #stops: readonly (() => void)[];
  #lastStart = -Infinity;
  /** Whether the function runs, or is about to. */
  #busy = false;
  /** What it runs as a part of. */
  #task = 0;
  #running: Promise<void> | undefined;
  /** Whether a control has changed since the run began. */
  #again = false;
  #closed = false;

  /** @internal Made by `ui.interact`. */
  constructor(controls: C, body: (values: ValuesOf<C>) => unknown) {
    this.controls = controls;
    this.#body = body;
    for (const [name, control] of Object.entries<unknown>(controls)) {
      if (control instanceof Control) continue;
      throw new TypeError(`ui.interact: ${name} is no control; as in ui.interact({ ${name}: ui.slider() }, …)`);
    }
    const list = Object.entries(controls);
    for (const [name, control] of list) if (control.label === "") control.label = name;
    const width = Math.max(8, ...list.map(([, control]) => control.label.length)) + 1;
    for (const [, control] of list) control.alignLabel(width);
    this.#box = new Box(
      "VBox",
      list.map(([, control]) => control),
    );
    const results = new Results(showKept(this.#box));
    this.#results = results;
    this.#stops = [
      ...list.map(([, control]) => control.onChange(() => this.update())),
      onPageLoad(() => {
        results.showAgain();
      }),
    ];
    this.ready = this.update();
  }

  /** The values of the controls. */
  get values(): ValuesOf<C> {
    const entries = Object.entries(this.controls).map(([name, control]) => [name, control.value]);
    return Object.fromEntries(entries) as ValuesOf<C>;
  }

  /** Runs the function again, with the values of now. Resolves when their result is shown. */
  async update(): Promise<void> {
    if (this.#closed) return;
    // What an interrupt has dropped never comes to its end.
    if (this.#busy && !wasInterrupted(this.#task)) {
      this.#again = true;
    } else {
      this.#busy = true;
      this.#task = currentTask();
      this.#running = this.#runUntilCurrent();
    }
    await interruptible(this.#running);
  }

  /** Ends it and removes the controls; the result stays. */
  close(): void {
    this.#closed = true;
    for (const stop of this.#stops) stop();
    this.#box.close();
  }

  /** At the end of a cell: controls and result are on the screen already, once the first run has ended. */
  async [DISPLAY_HOOK](): Promise<MimeBundle> {
    await this.ready;
    return {};
  }

  /**
   * Runs until no control has changed meanwhile. A synchronous function has run, and its result is shown, on return, unless
   * the run before was a moment ago. The wait is part of what handles the change: an interrupt reaches the function.
   */
  async #runUntilCurrent(): Promise<void> {
    do {
      const wait = this.#lastStart + INTERVAL_MS - performance.now();
      if (wait > 0) await sleep(wait);
      this.#again = false;
      this.#lastStart = performance.now();
      await this.#run();
    } while (this.#again && !this.#closed);
    this.#busy = false;
  }

  #run(): Promise<void> | undefined {
    const list: OutputList = new OutputList(() => {
      this.#results.show(list.outputs);
    });
    const end = (): void => {
      this.#results.show(list.outputs, true);
    };
    const fail = (error: unknown): void => {
      // The interrupted cell, or handler, says so itself.
      if (KeyboardInterrupt.is(error)) throw error;
      list.error(errorReport(error));
      end();
    };
    const show = (value: unknown): Promise<void> | undefined => {
      const data = value === undefined ? {} : mimeBundle(value);
      if (data instanceof Promise)
        return data
          .then((later) => {
            list.show(later);
          })
          .then(end, fail);
      list.show(data);
      end();
    };
    try {
      const result = captureOutput(list, () => this.#body(this.values));
      return isThenable(result) ? Promise.resolve(result).then(show).catch(fail) : show(result);
    } catch (error) {
      fail(error);
    }
  }
}

/** The outputs of the latest run, each in the place of the one before it: below the controls, on the cell they are on. */
class Results {
  readonly #cell = currentCell();
  readonly #sink = currentSink();
  readonly #controls: DisplayHandle;
  readonly #places: { readonly handle: DisplayHandle; shown: Output | undefined }[] = [];

  /** @param controls what the results are shown beside */
  constructor(controls: DisplayHandle) {
    this.#controls = controls;
  }

  /** @param whole whether nothing more comes: places of earlier runs that are left over are then emptied */
  show(outputs: readonly Output[], whole = false): void {
    for (const [i, output] of outputs.entries()) {
      const place = this.#places[i];
      if (place === undefined) this.#places.push({ handle: this.#display(output), shown: output });
      else if (place.shown !== output) {
        place.shown = output;
        place.handle.update(new Shown(output), metadataOf(output));
      }
    }
    if (!whole) return;
    for (const place of this.#places.slice(outputs.length)) {
      if (place.shown !== undefined) place.handle.update(new Shown(undefined));
      place.shown = undefined;
    }
  }

  /** For a page that was loaded anew: what it has is as old as the notebook's file. */
  showAgain(): void {
    for (const { handle, shown } of this.#places) handle.update(new Shown(shown), metadataOf(shown));
  }

  #display(output: Output): DisplayHandle {
    return runAsHandler(this.#cell, currentTask(), () =>
      captureOutput(this.#sink, () => showKept(new Shown(output), metadataOf(output), { beside: this.#controls.id })),
    );
  }
}

/** An output as data by MIME type. */
class Shown implements Displayable {
  readonly #output: Output | undefined;
  constructor(output: Output | undefined) {
    this.#output = output;
  }

  [DISPLAY_HOOK](): MimeBundle {
    const output = this.#output;
    if (output === undefined) return { "text/html": "" };
    if (output.output_type === "stream") return { "text/plain": output.text };
    if (output.output_type === "error") return { "text/plain": output.traceback.join("\n") };
    return output.data;
  }
}

/** What goes with an output, as the width of an image does. */
function metadataOf(output: Output | undefined): DisplayOptions {
  return output?.output_type === "display_data" ? { metadata: output.metadata } : {};
}
