/** Shows data below a cell, and changes them in place. */
import { randomUUID } from "node:crypto";
import { currentCell } from "../../session/current-cell.js";
import { sendFrame } from "../../session/frames.js";
import { DISPLAY_HOOK, mimeBundle, type Displayable } from "../../session/mime-bundle.js";
import { reportLateError } from "../../session/uncaught-errors.js";
import { LIVE_FIGURES } from "../../live-figures.js";
import type { DisplayFrame, KeptDisplay, MimeBundle } from "../../session-protocol.js";
import { UpdateLimiter } from "../update-limiter.js";

/** What goes with a display. */
export interface DisplayOptions {
  /** `value` is data by MIME type already, and shown as such. */
  readonly raw?: boolean;
  /** Metadata by MIME type, as the front end wants them: `{ "image/png": { width: 300 } }`, `{ "text/html": { isolated: true } }`. */
  readonly metadata?: MimeBundle;
}

/** Data that were chosen by hand rather than found from a value. */
export class Mime implements Displayable {
  readonly #data: MimeBundle;
  readonly metadata: MimeBundle | undefined;
  constructor(data: MimeBundle, metadata?: MimeBundle) {
    this.#data = data;
    this.metadata = metadata;
  }
  [DISPLAY_HOOK](): MimeBundle {
    return this.#data;
  }
  /** The metadata of a value that is one. `instanceof` would run the traps of a proxy, and those may throw. */
  static metadataOf(value: unknown): MimeBundle | undefined {
    return value !== null && typeof value === "object" && #data in value ? value.metadata : undefined;
  }
}

/** What was displayed, to be changed in place. */
export class DisplayHandle implements Displayable {
  readonly id: string;
  readonly #cell: number;
  readonly #kept: KeptDisplay | undefined;
  readonly #limiter: UpdateLimiter;
  /** What it means that it is updated with: a text is HTML, where that was shown; a list is traces of a figure. */
  readonly #read: Read | undefined;

  /** @internal Cells get handles from `display`. */
  constructor(id: string, cell: number, kept?: KeptDisplay, read?: Read) {
    this.id = id;
    this.#read = read;
    this.#cell = cell;
    this.#kept = kept;
    this.#limiter = new UpdateLimiter(cell);
  }

  /**
   * Shows `value` in the place of what was shown. It is what `display.html`, `display.table`, … take, where one of these has
   * made the handle; for `display.plotly` traces, or `{ data, layout }`. Updates that come faster than ten a second are merged:
   * the latest is shown, at the latest when the cell ends.
   */
  update(given: unknown, options: DisplayOptions = {}): void {
    const value = this.#read === undefined || options.raw === true ? given : this.#read(given);
    this.#limiter.run(() => {
      const place = { cell: this.#cell, displayId: this.id, update: true, ...(this.#kept && { kept: this.#kept }) };
      send(value, options, place, (data) => {
        // A front end that draws a figure anew is seen to do so.
        if (!liveFigures && plotlyHeight(data) !== undefined) this.#limiter.interval = FIGURE_INTERVAL_MS;
      });
    });
  }

  /** A handle at the end of a cell shows nothing: what it stands for is on the screen already. */
  [DISPLAY_HOOK](): MimeBundle {
    return {};
  }
}

/** Shows a value below the running cell. */
export function show(value: unknown, options: DisplayOptions = {}): DisplayHandle {
  return showIn({ cell: currentCell(), displayId: randomUUID(), update: false }, value, options);
}

/** What a value stands for that a handle is updated with: data chosen by hand, or the value itself. */
export type Read = (given: unknown) => unknown;

/** Shows a value; what its handle is updated with is read first. */
export function showRead(value: unknown, read: Read): DisplayHandle {
  return showIn({ cell: currentCell(), displayId: randomUUID(), update: false }, value, {}, read);
}

/** Shows a value that will be updated, also in a page that is loaded anew meanwhile. */
export function showKept(value: unknown, options: DisplayOptions = {}, kept: KeptDisplay = {}): DisplayHandle {
  return showIn({ cell: currentCell(), displayId: randomUUID(), update: false, kept }, value, options);
}

/** What is shown where. */
type Place = Omit<DisplayFrame, "type" | "data" | "metadata">;

function showIn(place: Place, value: unknown, options: DisplayOptions, read?: Read): DisplayHandle {
  send(value, options, place);
  return new DisplayHandle(place.displayId, place.cell, place.kept, read);
}

function send(
  value: unknown,
  { raw = false, metadata: given }: DisplayOptions,
  place: Place,
  sent: (data: MimeBundle) => void = () => undefined,
): void {
  const metadata = given ?? Mime.metadataOf(value);
  const sendData = (data: MimeBundle): void => {
    sendFrame({ type: "display", ...place, data, ...(metadata !== undefined && { metadata }) });
  };
  const sendBundle = (data: MimeBundle): void => {
    const height = place.update && !liveFigures ? plotlyHeight(data) : undefined;
    if (height !== undefined) sendData({ "text/html": `<div style="height: ${height}px"></div>` });
    sendData(data);
    sent(data);
  };
  const data = mimeBundle(raw ? new Mime(value as MimeBundle) : value);
  if (!(data instanceof Promise)) {
    sendBundle(data);
    return;
  }
  data.then(sendBundle).catch((error: unknown) => {
    reportLateError(error, place.cell);
  });
}

/** Whether JupyterLab has the extension by which figures change in place. */
const liveFigures = process.env[LIVE_FIGURES] === "1";

/** Least time between two updates of a figure that is drawn anew each time, in milliseconds. */
const FIGURE_INTERVAL_MS = 400;

/** Height of a plotly figure where it says none, in pixels, as JupyterLab's renderer has it. */
const PLOTLY_HEIGHT = 360;

/**
 * The height of a plotly figure, undefined where the data are none. Without our extension JupyterLab's renderer of plotly
 * figures draws the first and never looks at another; something else shown in between, of the same height, makes JupyterLab
 * take a new renderer.
 */
function plotlyHeight(data: MimeBundle): number | undefined {
  const figure = data["application/vnd.plotly.v1+json"] as { layout?: { height?: number } } | undefined;
  return figure === undefined ? undefined : (figure.layout?.height ?? PLOTLY_HEIGHT);
}
