/** `progress`: a bar around any loop. */
import { display, escapeHtml, type DisplayHandle } from "./display.js";

/** Options of {@link progress}. */
export interface ProgressOptions<T> {
  /** What the loop does, shown before the bar. */
  readonly label?: string;
  /** Number of rounds, where the iterable does not tell it by a `length` or `size`. */
  readonly total?: number;
  /** Text shown behind the bar for the latest item: `(m) => "loss " + m.loss.toFixed(3)`. */
  readonly describe?: (item: T) => string;
}

/**
 * Goes through `iterable` and shows a bar with the share done, the rate and the time left, ten times a second at most.
 *
 * @example
 * for (const x of progress([1, 2, 3], { label: "three" })) await work(x);
 * for await (const m of progress(ms.train(model, batches, { steps }), { total: steps })) …
 */
export function progress<T>(iterable: AsyncIterable<T>, options?: ProgressOptions<T>): AsyncIterable<T>;
export function progress<T>(iterable: Iterable<T>, options?: ProgressOptions<T>): Iterable<T>;
export function progress<T>(
  iterable: Iterable<T> | AsyncIterable<T>,
  options: ProgressOptions<T> = {},
): Iterable<T> | AsyncIterable<T> {
  return Symbol.asyncIterator in iterable ? throughAsync(iterable, options) : through(iterable, options);
}

function* through<T>(iterable: Iterable<T>, options: ProgressOptions<T>): Generator<T> {
  const bar = new Bar(options, options.total ?? sizeOf(iterable));
  let whole = false;
  try {
    for (const item of iterable) {
      yield item;
      bar.advance(item);
    }
    whole = true;
  } finally {
    bar.end(whole);
  }
}

async function* throughAsync<T>(iterable: AsyncIterable<T>, options: ProgressOptions<T>): AsyncGenerator<T> {
  const bar = new Bar(options, options.total ?? sizeOf(iterable));
  let whole = false;
  try {
    for await (const item of iterable) {
      yield item;
      bar.advance(item);
    }
    whole = true;
  } finally {
    bar.end(whole);
  }
}

function sizeOf(iterable: object): number | undefined {
  const { length, size } = iterable as { length?: unknown; size?: unknown };
  return typeof length === "number" ? length : typeof size === "number" ? size : undefined;
}

class Bar<T> {
  readonly #options: ProgressOptions<T>;
  readonly #total: number | undefined;
  readonly #start = performance.now();
  readonly #handle: DisplayHandle;
  #done = 0;
  #note = "";
  #state: "running" | "done" | "stopped" = "running";

  constructor(options: ProgressOptions<T>, total: number | undefined) {
    this.#options = options;
    this.#total = total;
    this.#handle = display(this);
  }

  advance(item: T): void {
    this.#done++;
    if (this.#options.describe !== undefined) this.#note = this.#options.describe(item);
    this.#handle.update(this);
  }

  end(whole: boolean): void {
    this.#state = whole ? "done" : "stopped";
    this.#handle.update(this);
  }

  [Symbol.for("Jupyter.display")](): Record<string, string> {
    const { label } = this.#options;
    const total = this.#total ?? (this.#state === "done" ? this.#done : undefined);
    const share = total === undefined || total === 0 ? undefined : Math.min(1, this.#done / total);
    const bar =
      share === undefined
        ? this.#state === "running"
          ? "<progress></progress>"
          : ""
        : `<progress value="${this.#done}" max="${total}"></progress>`;
    const text = this.#text(total, share);
    const title = label === undefined ? "" : `<b>${escapeHtml(label)}</b> `;
    return {
      "text/html": `<div style="font-variant-numeric: tabular-nums">${title}${bar} ${escapeHtml(text)}</div>`,
      "text/plain": `${label === undefined ? "" : `${label}: `}${text}`,
    };
  }

  #text(total: number | undefined, share: number | undefined): string {
    const seconds = (performance.now() - this.#start) / 1000;
    const rate = this.#done / seconds;
    const count = total === undefined ? String(this.#done) : `${this.#done}/${total}`;
    const parts = [share === undefined ? count : `${Math.round(share * 100)} % · ${count}`];
    if (this.#done > 0) parts.push(formatRate(rate));
    if (this.#state === "running" && total !== undefined && this.#done > 0) {
      parts.push(`${formatSeconds((total - this.#done) / rate)} left`);
    } else parts.push(`${formatSeconds(seconds)}${this.#state === "stopped" ? ", stopped" : ""}`);
    if (this.#note !== "") parts.push(this.#note);
    return parts.join(" · ");
  }
}

function formatRate(perSecond: number): string {
  return perSecond >= 1 ? `${perSecond.toPrecision(3)}/s` : `${(1 / perSecond).toPrecision(3)} s each`;
}

function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const whole = Math.round(seconds);
  const two = (n: number): string => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)} h` : `${minutes}:${two(whole % 60)} min`;
}
