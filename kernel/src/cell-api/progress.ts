/** `progress`: a bar around any loop. */
import { Bar, type BarOptions } from "./progress/bar.js";

/** Options of {@link progress}. */
export interface ProgressOptions<T> extends BarOptions {
  /** Number of rounds, where the iterable does not tell it by a `length` or `size`. */
  readonly total?: number;
  /** How far the loop is with an item, where items do not count from 1: `(m) => m.step`, of a training that goes on. */
  readonly at?: (item: T) => number;
  /** Text shown behind the bar for the latest item: `(m) => "loss " + m.loss.toFixed(3)`. */
  readonly describe?: (item: T) => string;
}

/** A bar that is moved by hand. */
export type ProgressBar = Pick<Bar, "advance" | "done" | "total" | "end" | typeof Symbol.dispose>;

/** `progress` and `progress.bar`. */
export interface Progress {
  /**
   * Goes through `iterable` and shows a bar with the share done, the rate and the time left, ten times a second at most. The bar
   * of a loop within such a loop is gone when the outer one ends.
   *
   * @param options `total`: rounds, where the iterable does not tell; `label`: text before the bar; `describe`: text behind it,
   * for the latest item; `at`: how far the loop is with an item, where items do not count from 1
   *
   * @example
   * for (const x of progress([1, 2, 3], { label: "three" })) await work(x);
   * for await (const m of progress(ms.train(model, batches, { steps }), { total: steps })) …
   */
  <T>(iterable: AsyncIterable<T>, options?: ProgressOptions<T>): AsyncIterable<T>;
  <T>(iterable: Iterable<T>, options?: ProgressOptions<T>): Iterable<T>;
  /**
   * A bar to move by hand.
   *
   * @example
   * const bar = progress.bar({ total: bytes, label: "download" });
   * for await (const chunk of response.body) bar.advance(chunk.length);
   * bar.end();
   */
  bar(options?: BarOptions): ProgressBar;
}

function overLoop<T>(iterable: AsyncIterable<T>, options?: ProgressOptions<T>): AsyncIterable<T>;
function overLoop<T>(iterable: Iterable<T>, options?: ProgressOptions<T>): Iterable<T>;
function overLoop<T>(
  iterable: Iterable<T> | AsyncIterable<T>,
  options: ProgressOptions<T> = {},
): Iterable<T> | AsyncIterable<T> {
  return Symbol.asyncIterator in iterable ? throughAsync(iterable, options) : through(iterable, options);
}

/**
 * Goes through an iterable and shows a bar with the share done, the rate and the time left, ten times a second at most.
 *
 * @param options `total`: rounds, where the iterable does not tell; `label`: text before the bar; `describe`: text behind it,
 * for the latest item; `at`: how far the loop is with an item, where items do not count from 1
 *
 * @example
 * for (const x of progress([1, 2, 3], { label: "three" })) await work(x);
 * for await (const m of progress(ms.train(model, batches, { steps }), { total: steps })) …
 */
export const progress: Progress = Object.assign(overLoop, {
  bar: (options: BarOptions = {}): ProgressBar => new Bar(options),
});

function* through<T>(iterable: Iterable<T>, options: ProgressOptions<T>): Generator<T> {
  const bar = barFor(iterable, options);
  let whole = false;
  try {
    for (const item of iterable) {
      yield item;
      move(bar, item, options);
    }
    whole = true;
  } finally {
    bar.end(whole);
  }
}

async function* throughAsync<T>(iterable: AsyncIterable<T>, options: ProgressOptions<T>): AsyncGenerator<T> {
  const bar = barFor(iterable, options);
  let whole = false;
  try {
    for await (const item of iterable) {
      yield item;
      move(bar, item, options);
    }
    whole = true;
  } finally {
    bar.end(whole);
  }
}

function move<T>(bar: Bar, item: T, { at, describe }: ProgressOptions<T>): void {
  const place = at?.(item);
  if (place !== undefined && bar.done === 0) bar.startFrom(place - 1);
  bar.advance(place === undefined ? 1 : place - bar.done, describe?.(item));
}

function barFor(iterable: object, options: ProgressOptions<never>): Bar {
  const total = options.total ?? sizeOf(iterable);
  return new Bar({ ...options, ...(total !== undefined && { total }) });
}

function sizeOf(iterable: object): number | undefined {
  const { length, size } = iterable as { length?: unknown; size?: unknown };
  return typeof length === "number" ? length : typeof size === "number" ? size : undefined;
}
