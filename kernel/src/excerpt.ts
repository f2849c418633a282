/** Lines of code as errors show them. */

/** Characters shown of a line, before and after the place that it is about. Generated code may be one line of a megabyte. */
const BEFORE = 100;
const AFTER = 300;

/** A line, or of a long one the part around a column, which counts from 0; and the column in that. */
export function excerpt(line: string, column: number): { readonly text: string; readonly column: number } {
  if (line.length <= BEFORE + AFTER) return { text: line, column };
  const from = Math.max(0, column - BEFORE);
  const before = from > 0 ? "…" : "";
  const after = from + BEFORE + AFTER < line.length ? "…" : "";
  return {
    text: `${before}${line.slice(from, from + BEFORE + AFTER)}${after}`,
    column: column - from + before.length,
  };
}
