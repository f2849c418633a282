/**
 * Float32Arrays that wait to be used again. A fresh array costs a system call, a page fault for every 4 KiB and the zeroing
 * of all of it; a short one has its values moved out of JavaScript's heap when the addon first sees it, which takes as long as a
 * small op. A training step asks for the same few hundred lengths again and again.
 */
import { totalmem } from "node:os";
import type { NativeBinding } from "../addon/binding.js";

/** From so many floats on an array lies in the addon's memory: 2 MiB, a large page. */
export const leastLarge = 2 ** 19;

/** Where large arrays come from: the addon, or nowhere. */
export type LargeArrays = Pick<NativeBinding, "largeArray" | "dropArray">;

/** Native kernels count by 32 bits. */
const mostFloats = 2 ** 31 - 1;

/** What waits of one length, and when that was given last. */
interface Shelf {
  readonly length: number;
  readonly arrays: Float32Array[];
  given: number;
}

/** A bounded store of arrays by length. What is given must not be used by anyone else. */
export class BufferPool {
  readonly #shelves = new Map<number, Shelf>();
  #gifts = 0;
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
    const array = this.#shelves.get(length)?.arrays.pop();
    if (!array) return this.large && length >= leastLarge ? this.large.largeArray(length) : new Float32Array(length);
    this.#bytes -= array.byteLength;
    return array;
  }

  /** Hands an array back; above the limit, arrays of the lengths that were not given for longest are let go. */
  give(array: Float32Array): void {
    const { length, byteLength } = array;
    if (byteLength > this.limit) return;
    let shelf = this.#shelves.get(length);
    if (!shelf) this.#shelves.set(length, (shelf = { length, arrays: [], given: 0 }));
    shelf.given = ++this.#gifts;
    shelf.arrays.push(array);
    this.#bytes += byteLength;
    while (this.#bytes > this.limit) this.#dropOne();
  }

  #dropOne(): void {
    let oldest: Shelf | undefined;
    for (const shelf of this.#shelves.values()) if (!oldest || shelf.given < oldest.given) oldest = shelf;
    if (!oldest) return;
    const dropped = oldest.arrays.pop();
    if (!oldest.arrays.length) this.#shelves.delete(oldest.length);
    if (!dropped) return;
    this.#bytes -= dropped.byteLength;
    // At once: a loop that never lets the event loop turn would collect such arrays and keep their memory.
    if (dropped.length >= leastLarge) this.large?.dropArray(dropped);
  }
}
