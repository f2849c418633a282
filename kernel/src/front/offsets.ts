/** Offsets in a text: Jupyter counts Unicode code points, JavaScript UTF-16 code units. */

/** Offset in code units of the given number of code points; at most the text's length. */
export function toCodeUnits(text: string, codePoints: number): number {
  let units = 0;
  for (let points = 0; points < codePoints && units < text.length; points++) {
    units += (text.codePointAt(units) ?? 0) > 0xffff ? 2 : 1;
  }
  return units;
}

/** Number of code points in the first `codeUnits` of the text. */
export function toCodePoints(text: string, codeUnits: number): number {
  let points = 0;
  for (let units = 0; units < codeUnits; points++) units += (text.codePointAt(units) ?? 0) > 0xffff ? 2 : 1;
  return points;
}
