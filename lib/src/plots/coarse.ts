/** Large matrices made as small as a figure can show: a notebook's file would grow by tens of megabytes. */
import type { Places } from "./heatmap-grid.js";

/** Rows, or columns, at most: a figure has no pixels for more. */
export const mostEntries = 640;

/** A matrix, or the means of its neighbours. */
export interface Coarse {
  readonly matrix: readonly (readonly number[])[];
  /** how many rows and columns a mean is of, and where it lies among the entries; left out where there are none */
  readonly places?: Places;
}

/** The matrix itself, or the means of as few entries as leave no more than `most` in a row and in a column. */
export function coarse(matrix: readonly (readonly number[])[], most: number): Coarse {
  const [rows, columns] = [matrix.length, matrix[0]?.length ?? 0];
  const [down, across] = [rows, columns].map((count) => Math.max(1, Math.ceil(count / most))) as [number, number];
  if (down * across === 1) return { matrix };
  const means = Array.from({ length: Math.ceil(rows / down) }, (_, i) => {
    const lines = matrix.slice(i * down, (i + 1) * down);
    return Array.from({ length: Math.ceil(columns / across) }, (_, j) => {
      const values = lines.flatMap((line) => line.slice(j * across, (j + 1) * across)).filter(Number.isFinite);
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    });
  });
  // The axes count the entries, not their means.
  return { matrix: means, places: { x0: (across - 1) / 2, dx: across, y0: (down - 1) / 2, dy: down } };
}

/** What a title adds where means are shown. */
export function meansOf(shown: readonly Coarse[]): string {
  const sizes = new Set(shown.flatMap(({ places }) => (places ? [`${places.dy} × ${places.dx}`] : [])));
  if (sizes.size === 0) return "";
  return sizes.size === 1 ? ` (means of ${[...sizes][0]} entries)` : " (means of neighbouring entries)";
}
