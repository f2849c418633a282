/** A logarithmic axis whose numbers can be read. */
import type { LayoutAxis } from "plotly.js";

/** Beyond these a number is written as a power of ten. */
const [shortest, longest] = [1e-3, 1e5];

/** Plotly writes powers of ten a quarter larger than the font says: as large as other numbers. */
const powers = { exponentformat: "power", tickfont: { size: 10.4 } } as const;

/**
 * Over more than two decades only powers of ten have a number, eight of them at most; else 1, 2 and 5 have one.
 *
 * @param values what the axis shows; only positive ones count
 */
export function logarithmicAxis(values: Iterable<number>): Partial<LayoutAxis> {
  let [low, high] = [Infinity, 0];
  for (const value of values) {
    if (!(value > 0)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const decades = Math.log10(high / low);
  const isPlain = low >= shortest && high <= longest;
  return {
    type: "log",
    dtick: decades > 2 ? Math.ceil(decades / 8) : "D2",
    // Without a format of its own plotly writes 2 for 2,000 where only 10,000 is a power of ten.
    ...(isPlain ? { tickformat: ",~g" } : decades > 2 ? powers : { tickformat: "~e" }),
  };
}
