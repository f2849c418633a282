/** The sizes of a model that has a wanted number of parameters. */
import { ConfigurationError } from "../errors.js";

/** The two sizes that are free: of the residual stream, and of the channel mixer inside. */
export interface FreeSizes {
  readonly width: number;
  /** hidden channels, or parameter tokens */
  readonly hidden: number;
}

/** What to look for. */
export interface SizeSearch {
  /** the number of parameters wanted */
  readonly parameterCount: number;
  /** the parameters that a model of these sizes has; grows with both, in a straight line with `hidden` */
  readonly count: (sizes: FreeSizes) => number;
  /** widths are multiples of this */
  readonly step: number;
  /** the usual hidden / width, which decides between widths */
  readonly ratio: number;
  /** the width, when it is given */
  readonly width?: number | undefined;
  /** the inner size, when it is given */
  readonly hidden?: number | undefined;
}

/** The most that the count may be off, as a portion. */
const tolerance = 0.03;

/**
 * Sizes whose count comes nearest to the wanted one. With neither given, the width is the one at which the inner size has
 * most nearly its usual ratio to it, and the inner size makes up the rest; with the width given, the inner size alone is
 * chosen; with the inner size given, the width.
 *
 * @throws ConfigurationError when none comes within 3 %
 */
export function fitSizes(search: SizeSearch): FreeSizes {
  const { parameterCount, count, width, hidden } = search;
  if (!(Number.isSafeInteger(parameterCount) && parameterCount > 0)) {
    throw new ConfigurationError(`parameterCount is ${String(parameterCount)}, wanted a positive integer`);
  }
  const off = (sizes: FreeSizes): number => Math.abs(count(sizes) - parameterCount) / parameterCount;
  const candidates = (width === undefined ? widths(search) : [width]).map((candidate) =>
    hidden === undefined ? bestHidden(search, candidate) : { width: candidate, hidden },
  );
  const unusual = ({ width: w, hidden: h }: FreeSizes): number => Math.abs(Math.log(h / w / search.ratio));
  const near = candidates.filter((sizes) => off(sizes) <= tolerance);
  const rank = hidden === undefined ? unusual : off;
  const [best] = near.sort((a, b) => rank(a) - rank(b));
  if (best) return best;
  const closest = candidates.sort((a, b) => off(a) - off(b))[0]!;
  throw new ConfigurationError(
    `parameterCount is ${parameterCount}, but the nearest that the other sizes allow is ${count(closest)} ` +
      `(width ${closest.width}, ${closest.hidden} inside): leave width or the inner size to be chosen, ` +
      `or change parameterCount, layers or headSize`,
  );
}

/** The multiples of the step at which a model with the smallest inner size is not too large; at least one. */
function widths({ parameterCount, count, step, hidden = 1 }: SizeSearch): number[] {
  const found = [step];
  for (let width = 2 * step; count({ width, hidden }) <= parameterCount * (1 + tolerance); width += step) {
    found.push(width);
  }
  return found;
}

/** The count is a straight line in the inner size: two points give it. */
function bestHidden({ parameterCount, count }: SizeSearch, width: number): FreeSizes {
  const one = count({ width, hidden: 1 });
  const each = count({ width, hidden: 2 }) - one;
  return { width, hidden: Math.max(1, 1 + Math.round((parameterCount - one) / each)) };
}
