/**
 * Float32Arrays that wait to be used again. A fresh array costs a system call, a page fault for every 4 KiB and the zeroing
 * of all of it; a training step asks for the same few hundred lengths again and again.
 */
import { totalmem } from "node:os";
import type { NativeBinding } from "../addon/binding.js";

/** From so many floats on an array lies in the addon's memory: 2 MiB, a large page. */
export const leastLarge = 2 ** 19;

/** Where large arrays come from: the addon, or nowhere. */
export type LargeArrays = Pick<NativeBinding, "largeArray" | "dropArray">;

/** Native kernels count by 32 bits. */
const mostFloats = 2 ** 31 - 1;

/** Arrays shorter than this are made as quickly as they are found. */
const shortest = 64;

/** A bounded store of arrays by length. What is given must not be used by anyone else. */
export class BufferPool {
  readonly #free = new Map<number, Float32Array[]>();
  #bytes = 0;

  /**
   * @param large makes large arrays; without it they are JavaScript's own
   * @param limit bytes that may wait at most; default: an eighth of the machine's memory, 4 GiB at most
   */
  constructor(
    private readonly large?: LargeArrays,
    readonly limit = Math.min(2 ** 32, totalmem() / 8),
  ) {}

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * An array of `length` floats, whose values are whatever they were.
   *
   * @throws RangeError for more than native kernels count
   */
  take(length: number): Float32Array {
    if (length > mostFloats) {
      throw new RangeError(
        `a tensor of ${length.toLocaleString("en")} values is too large: 2,147,483,647 are the most`,
      );
    }
    const array = length < shortest ? undefined : this.#free.get(length)?.pop();
    if (!array) return this.large && length >= leastLarge ? this.large.largeArray(length) : new Float32Array(length);
    this.#bytes -= array.byteLength;
    return array;
  }

  /** Hands an array back; above the limit, arrays of the lengths that were not asked for longest are let go. */
  give(array: Float32Array): void {
    if (array.length < shortest || array.byteLength > this.limit) return;
    const found = this.#free.get(array.length) ?? [];
    // The lengths stand in the order of their last use.
    this.#free.delete(array.length);
    this.#free.set(array.length, found);
    found.push(array);
    this.#bytes += array.byteLength;
    while (this.#bytes > this.limit) this.#dropOne();
  }

  #dropOne(): void {
    for (const [length, arrays] of this.#free) {
      const dropped = arrays.pop();
      if (!arrays.length) this.#free.delete(length);
      if (!dropped) continue;
      this.#bytes -= dropped.byteLength;
      // At once: a loop that never lets the event loop turn would collect such arrays and keep their memory.
      if (dropped.length >= leastLarge) this.large?.dropArray(dropped);
      return;
    }
  }
}
