/** What the GPU can do at most, measured: products in the precision in use, and copies within its memory. */
import type { CudaBinding } from "./addon/binding.js";
import { precisionNumber } from "./precision.js";

/** Sizes of what is measured; smaller only in tests. */
export interface PeakSizes {
  /** rows and columns of the matrices */
  readonly side?: number;
  readonly copyBytes?: number;
  readonly repeats?: number;
}

/**
 * Arithmetic and memory, by the GPU's own clock. Needs three matrices and two copies of memory for the time of it.
 *
 * @throws Error when the GPU's memory is exhausted
 */
export async function measurePeak(
  binding: CudaBinding,
  { side = 8192, copyBytes = 2 ** 29, repeats = 10 }: PeakSizes = {},
): Promise<{ gflops: number; gigabytesPerSecond: number }> {
  const made: number[] = [];
  const make = (bytes: number): number => {
    made.push(binding.allocate(bytes));
    return made.at(-1)!;
  };
  try {
    const [a, b, c] = [make(4 * side * side), make(4 * side * side), make(4 * side * side)];
    // Ones, not what memory held: arithmetic on NaNs may take another time.
    for (const matrix of [a, b]) binding.fill(0, side * side, 1, matrix);
    const batch = Int32Array.of(1, 1, 1);
    const multiply = (): void =>
      void binding.matMul(precisionNumber(), side, side, side, false, false, batch, a, b, c, null, 0, 0);
    const productSeconds = await secondsOf(binding, repeats, multiply);
    const [from, to] = [make(copyBytes), make(copyBytes)];
    binding.clear(from);
    const copySeconds = await secondsOf(binding, repeats, () => binding.copy(to, 0, from, 0, copyBytes));
    return { gflops: (2 * side ** 3) / productSeconds / 1e9, gigabytesPerSecond: (2 * copyBytes) / copySeconds / 1e9 };
  } finally {
    for (const address of made) binding.free(address);
  }
}

/** Of one call, on average; the first one is left out: it may choose algorithms and load code. */
async function secondsOf(binding: CudaBinding, repeats: number, run: () => void): Promise<number> {
  run();
  const stop = binding.startTimer();
  for (let i = 0; i < repeats; i++) run();
  return (await stop()) / 1000 / repeats;
}
