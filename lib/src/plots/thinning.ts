/** Which of many points a figure keeps. */

/** More points than this are not seen in a cell, only stored. */
const mostPoints = 500;

/**
 * The places, of `count` in a row, that are shown: at most {@link mostPoints} at equal distances from the first on, and the
 * last one.
 */
export function thinned(count: number): number[] {
  const every = Math.ceil(count / mostPoints);
  return Array.from({ length: count }, (_, i) => i).filter((i) => i % every === 0 || i === count - 1);
}
