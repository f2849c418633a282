/** A bar with the share done, the rate and the time left: as HTML, and as text. */
import { DISPLAY_HOOK, type Displayable } from "../../session/mime-bundle.js";
import { currentCell } from "../../session/current-cell.js";
import type { MimeBundle } from "../../session-protocol.js";
import { showKept, type DisplayHandle } from "../display/handle.js";
import { escapeHtml } from "../display/html.js";
import { formatRate, formatSeconds, Pace } from "./pace.js";

/** Options of a bar. */
export interface BarOptions {
  /** What is done, shown before the bar. */
  readonly label?: string;
  /** Number of steps. */
  readonly total?: number;
  /** Shows the bar as text on stderr, for front ends that do not change what they have shown, as `jupyter console`. */
  readonly text?: boolean;
}

/** Least time between two updates, in milliseconds. */
const INTERVAL_MS = 100;
/** Width of the bar as text, in characters. */
const WIDTH = 24;

/** The bars of a cell that are not at their end, outermost first. */
const running = new Map<number, Bar[]>();
/** What inner bars were shown by, by cell and depth: an inner loop that starts again has its bar in the same place. */
const places = new Map<number, (DisplayHandle | undefined)[]>();

export class Bar implements Displayable {
  readonly #label: string | undefined;
  readonly #asText: boolean;
  readonly #cell = currentCell();
  readonly #pace = new Pace(performance.now());
  readonly #depth: number;
  readonly #handle: DisplayHandle | undefined;
  #total: number | undefined;
  #done = 0;
  /** Steps that were done before. */
  #before = 0;
  #note = "";
  #state: "running" | "done" | "stopped" = "running";
  #due = 0;
  /** Whether what the bar has become is still to be shown. */
  #changed = false;
  #written = 0;

  /** @internal Cells make bars by `progress`. */
  constructor({ label, total, text = false }: BarOptions) {
    this.#label = label;
    this.#total = total;
    this.#asText = text;
    const outer = running.get(this.#cell) ?? [];
    this.#depth = outer.length;
    running.set(this.#cell, [...outer, this]);
    if (this.#asText) {
      this.#write();
      return;
    }
    const handles = places.get(this.#cell) ?? [];
    places.set(this.#cell, handles);
    this.#handle = this.#depth > 0 ? handles[this.#depth] : undefined;
    if (this.#handle !== undefined) this.#handle.update(this);
    else this.#handle = showKept(this);
    if (this.#depth > 0) handles[this.#depth] = this.#handle;
  }

  /** Number of steps; may become known, or change, while it runs. */
  get total(): number | undefined {
    return this.#total;
  }
  set total(total: number | undefined) {
    this.#total = total;
    this.#change();
  }

  /** Steps done. */
  get done(): number {
    return this.#done;
  }

  /** @internal So many steps were done before: no time was spent on them. */
  startFrom(steps: number): void {
    this.#before = this.#done = steps;
  }

  /** `steps` more are done; `note` is shown behind the bar. */
  advance(steps = 1, note?: string): void {
    this.#done += steps;
    if (note !== undefined) this.#note = note;
    this.#change();
  }

  /** The bar is at its end: whole, or stopped before. */
  end(whole = true): void {
    if (this.#state !== "running") return;
    this.#state = whole ? "done" : "stopped";
    const others = (running.get(this.#cell) ?? []).filter((bar) => bar !== this);
    if (others.length > 0) running.set(this.#cell, others);
    else running.delete(this.#cell);
    this.#show();
    if (this.#asText) process.stderr.write("\n");
    // Inner bars are gone when the outermost ends: they are of its last round.
    if (others.length > 0) return;
    for (const handle of places.get(this.#cell) ?? []) {
      if (handle !== undefined && handle !== this.#handle && whole) handle.update({ [DISPLAY_HOOK]: () => NOTHING });
    }
    places.delete(this.#cell);
  }

  /** Ends the bar at the end of a `using` declaration's block. */
  [Symbol.dispose](): void {
    this.end(this.#total === undefined || this.#done >= this.#total);
  }

  #change(): void {
    // An endless loop lets no timer run: what is due is looked for here too.
    if (this.#changed && performance.now() < this.#due) return;
    this.#changed = true;
    if (!this.#asText || performance.now() >= this.#due) this.#show();
  }

  #show(): void {
    if (this.#asText) this.#write();
    else this.#handle?.update(this);
  }

  #write(): void {
    const text = this[DISPLAY_HOOK]()["text/plain"] as string;
    process.stderr.write(`\r${text.padEnd(this.#written)}`);
    this.#written = text.length;
  }

  [DISPLAY_HOOK](): MimeBundle {
    const now = performance.now();
    this.#due = now + INTERVAL_MS;
    this.#changed = false;
    this.#pace.sample(this.#done - this.#before, now);
    const total = this.#total ?? (this.#state === "done" ? this.#done : undefined);
    const share = total === undefined ? undefined : total === 0 ? 1 : Math.min(1, this.#done / total);
    const figures = this.#figures(total, share, now);
    const label = this.#label === undefined ? "" : `${this.#label}: `;
    return {
      "text/html": this.#html(share, figures),
      "text/plain": `${label}${share === undefined ? "" : `${textBar(share)} `}${figures}`,
    };
  }

  #figures(total: number | undefined, share: number | undefined, now: number): string {
    const seconds = this.#pace.seconds(now);
    const count = this.#done.toLocaleString("en");
    const parts =
      share === undefined || total === undefined
        ? [count]
        : [`${Math.floor(share * 100)} %`, `${count}/${total.toLocaleString("en")}`];
    const isRunning = this.#state === "running";
    const rate = isRunning ? this.#pace.rate : (this.#done - this.#before) / seconds;
    if (rate !== undefined && rate > 0 && Number.isFinite(rate)) parts.push(formatRate(rate));
    if (isRunning && total !== undefined && rate !== undefined) {
      parts.push(`${formatSeconds(Math.max(0, total - this.#done) / rate)} left`);
    } else parts.push(`${formatSeconds(seconds)}${this.#state === "stopped" ? ", stopped" : ""}`);
    if (this.#note !== "") parts.push(this.#note);
    return parts.join(" · ");
  }

  #html(share: number | undefined, figures: string): string {
    const label = this.#label === undefined ? "" : `<span>${escapeHtml(this.#label)}</span>`;
    const value =
      share === undefined ? "" : ` aria-valuenow="${Math.floor(share * 100)}" aria-valuemin="0" aria-valuemax="100"`;
    const fill = share === undefined ? `width: 100%; opacity: 0.35` : `width: ${(100 * share).toFixed(1)}%`;
    return (
      `<div style="${ROW}">${label}<span role="progressbar"${value} style="${TRACK}">` +
      `<span style="display: block; height: 100%; ${fill}; background: ${COLOURS[this.#state]}"></span></span>` +
      `<span style="white-space: nowrap">${escapeHtml(figures)}</span></div>`
    );
  }
}

/** The cell has failed: its bars are at their end, also where the interrupt ran no `finally`. */
export function stopBars(cell: number): void {
  for (const bar of [...(running.get(cell) ?? [])].reverse()) bar.end(false);
}

const NOTHING: MimeBundle = { "text/html": "", "text/plain": "" };

/** Colours of JupyterLab's theme, light or dark; of VS Code's; else such as are seen on both. */
const COLOURS = {
  running: "var(--jp-brand-color1, var(--vscode-progressBar-background, #1976d2))",
  done: "var(--jp-success-color1, var(--vscode-charts-green, #388e3c))",
  stopped: "var(--jp-warn-color1, var(--vscode-charts-orange, #f57c00))",
} as const;
const ROW =
  "display: flex; align-items: center; gap: 0.75em; font-variant-numeric: tabular-nums; " +
  "font-family: var(--jp-code-font-family, monospace); font-size: var(--jp-code-font-size, 13px)";
const TRACK =
  "flex: 0 1 16em; min-width: 4em; height: 0.6em; border-radius: 0.3em; overflow: hidden; background: rgba(128, 128, 128, 0.3)";

function textBar(share: number): string {
  const halves = Math.floor(share * WIDTH * 2);
  return `${"━".repeat(Math.floor(halves / 2))}${halves % 2 === 1 ? "╸" : ""}`.padEnd(WIDTH);
}
