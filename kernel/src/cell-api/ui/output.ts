/** A widget to print and display into. */
import { captureOutput } from "../../session/capture.js";
import { currentCell } from "../../session/current-cell.js";
import { UpdateLimiter } from "../update-limiter.js";
import { OutputList } from "./output-list.js";
import { Layout, Widget } from "./widget.js";

/** Options of `ui.output`. */
export interface OutputOptions {
  /** In units of CSS: `"200px"`. What is longer is scrolled. */
  readonly height?: string;
  /** In units of CSS: `"100%"`. */
  readonly width?: string;
}

/**
 * A place for what code prints and displays.
 *
 * The page could capture messages by itself, by the id of the request that they answer; but then all that a cell does at one
 * time goes to one place. Here the session sorts them, and the page gets the list of what there is to be seen.
 */
export class OutputWidget extends Widget {
  readonly #list = new OutputList(() => {
    this.#limiter.run(() => {
      this.set({ outputs: [...this.#list.outputs] });
    });
  });
  readonly #limiter = new UpdateLimiter(currentCell());

  /** @internal Made by `ui.output`. */
  constructor({ height, width }: OutputOptions = {}) {
    const layout =
      height === undefined && width === undefined
        ? null
        : new Layout({
            ...(width !== undefined && { width }),
            ...(height !== undefined && { height, overflow: "auto" }),
          });
    super({ model: "OutputModel", view: "OutputView", module: "output" }, { msg_id: "", outputs: [], layout });
  }

  /**
   * Runs `body` and gives what it returns. What it prints and displays goes here, also that of the timers, promises and
   * listeners that it starts.
   *
   * @example
   * button.onClick(() => out.capture(() => console.log("clicked")));
   */
  capture<T>(body: () => T): T {
    return captureOutput(this.#list, body);
  }

  /** Empties it; with `wait`, only when the next output comes, so that nothing flickers. */
  clear(options: { readonly wait?: boolean } = {}): void {
    this.#list.clear(options);
  }

  override toString(): string {
    return `[output: ${this.#list.outputs.length} ${this.#list.outputs.length === 1 ? "part" : "parts"}]`;
  }
}
