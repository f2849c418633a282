/** An activation as plain data: numbers with named axes. */
import { jupyterDisplay, Shown, tableForms, type MimeBundle } from "../display.js";

/**
 * What an axis counts: texts of the batch, tokens, heads, channels; of a state's matrix the rows are value channels, the
 * columns key channels; of a state that grows, `token` counts what it holds.
 */
export type AxisName = "row" | "position" | "head" | "channel" | "value" | "key" | "token" | `axis${number}`;

/** One index of each of some axes. */
export type AxisChoice = Partial<Record<AxisName, number>>;

/** The values of one activation, float32, row-major. */
export class ActivationValues extends Shown {
  /**
   * @param name e.g. `blocks.0.att.wkv`
   * @param axes what each axis of the shape counts
   * @param data as many values as the shape says
   * @param positions the tokens that the axis `position` holds, by their number in the traced text; a choice names these
   */
  constructor(
    readonly name: string,
    readonly axes: readonly AxisName[],
    readonly shape: readonly number[],
    readonly data: Float32Array,
    readonly positions: readonly number[] = [],
  ) {
    super();
  }

  /**
   * The part at one index of some axes, e.g. `select({ row: 0, head: 2 })`; these axes are gone from it.
   *
   * @throws RangeError naming the axis and what it holds
   */
  select(choice: AxisChoice): ActivationValues {
    const chosen = this.indices(choice);
    const strides = this.shape.map((_, axis) => this.shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    const free = this.axes.map((_, axis) => axis).filter((axis) => !chosen.has(axis));
    let start = 0;
    for (const [axis, index] of chosen) start += index * strides[axis]!;
    const shape = free.map((axis) => this.shape[axis]!);
    const size = shape.reduce((a, b) => a * b, 1);
    const data = new Float32Array(size);
    const place = new Array<number>(free.length).fill(0);
    let from = start;
    for (let i = 0; i < size; i++) {
      data[i] = this.data[from]!;
      for (let axis = free.length - 1; axis >= 0; axis--) {
        const stride = strides[free[axis]!]!;
        from += stride;
        if (++place[axis]! < shape[axis]!) break;
        from -= stride * shape[axis]!;
        place[axis] = 0;
      }
    }
    const keepsPositions = free.some((axis) => this.axes[axis] === "position");
    const axes = free.map((axis) => this.axes[axis]!);
    return new ActivationValues(this.name, axes, shape, data, keepsPositions ? this.positions : []);
  }

  /**
   * One number; every axis with more than one index must be chosen.
   *
   * @throws RangeError when one is missing or out of range
   */
  value(choice: AxisChoice = {}): number {
    const { data, axes, shape } = this.select(choice);
    if (data.length === 1) return data[0]!;
    const open = axes.filter((_, axis) => shape[axis]! > 1);
    throw new RangeError(
      `${this.name}: one value is wanted, but there are several along ${open.join(", ")}: choose one`,
    );
  }

  /**
   * Rows of numbers, of what has two axes after the choice (others of length 1 are left out).
   *
   * @throws RangeError when there are more or fewer axes
   */
  matrix(choice: AxisChoice = {}): number[][] {
    const part = this.select(choice);
    const long = part.axes.map((_, axis) => axis).filter((axis) => part.shape[axis]! > 1);
    const two = long.length === 2 ? long : part.axes.map((_, axis) => axis).slice(-2);
    if (long.length > 2 || two.length < 2) {
      throw new RangeError(
        `${this.name}: a matrix is wanted, but the axes are ${part.axes.join(", ") || "none"}: ` +
          `choose an index of all but two, e.g. matrix({ ${part.axes[0] ?? "row"}: 0 })`,
      );
    }
    const columns = part.shape[two[1]!]!;
    return Array.from({ length: part.shape[two[0]!]! }, (_, i) =>
      Array.from(part.data.subarray(i * columns, (i + 1) * columns)),
    );
  }

  [jupyterDisplay](): MimeBundle {
    const rows = [activationHead, activationRow(this)];
    return tableForms(rows);
  }

  private indices(choice: AxisChoice): Map<number, number> {
    const chosen = new Map<number, number>();
    for (const [name, wanted = NaN] of Object.entries(choice)) {
      const axis = this.axes.indexOf(name as AxisName);
      if (axis < 0) {
        throw new RangeError(`${this.name} has no axis "${name}": its axes are ${this.axes.join(", ") || "none"}`);
      }
      const isPosition = name === "position";
      const index = isPosition ? this.positions.indexOf(wanted) : wanted;
      if (!(Number.isInteger(index) && index >= 0 && index < this.shape[axis]!)) {
        const there = isPosition ? few(this.positions) : `0 to ${this.shape[axis]! - 1}`;
        throw new RangeError(`${this.name}: ${name} is ${wanted}, wanted ${there}`);
      }
      chosen.set(axis, index);
    }
    return chosen;
  }
}

function few(numbers: readonly number[]): string {
  return numbers.length <= 12 ? numbers.join(", ") : `one of ${numbers[0]} to ${numbers.at(-1)}`;
}

/** The heading over {@link activationRow}. */
export const activationHead: readonly string[] = ["activation", "axes", "mean", "deviation", "least", "most"];

/** An activation in a line: name, axes with their lengths, and how its values are spread. */
export function activationRow({ name, axes, shape, data }: ActivationValues): string[] {
  let sum = 0;
  let least = Infinity;
  let most = -Infinity;
  for (const x of data) {
    sum += x;
    if (x < least) least = x;
    if (x > most) most = x;
  }
  const mean = sum / data.length;
  let square = 0;
  for (const x of data) square += (x - mean) ** 2;
  const short = (x: number): string => (Number.isFinite(x) ? String(Number(x.toPrecision(3))) : String(x));
  const lengths = axes.map((axis, i) => `${axis} ${shape[i]}`).join(" × ");
  return [name, lengths || "number", short(mean), short(Math.sqrt(square / data.length)), short(least), short(most)];
}

/**
 * The axes of an activation as a trace holds it, `[B, P, …]`; matrices of heads (three more axes) are states.
 *
 * @param rank of all axes
 * @param grows whether it is a state that holds more with every token
 */
export function axesOf(rank: number, grows: boolean): AxisName[] {
  if (grows && rank === 5) return ["row", "position", "token", "head", "channel"];
  const rest: Record<number, AxisName[]> = {
    0: [],
    1: ["channel"],
    2: ["head", "channel"],
    3: ["head", "value", "key"],
  };
  const own = rest[rank - 2] ?? Array.from({ length: rank - 2 }, (_, i): AxisName => `axis${i + 2}`);
  return ["row", "position", ...own];
}

/** Parts of one activation, one after the other along the positions. */
export function joinPositions(parts: readonly ActivationValues[]): ActivationValues {
  const first = parts[0]!;
  if (parts.length === 1) return first;
  const [rows, , ...rest] = first.shape as [number, number, ...number[]];
  const block = rest.reduce((a, b) => a * b, 1);
  const positions = parts.flatMap((part) => part.positions);
  const data = new Float32Array(rows * positions.length * block);
  for (let row = 0, to = 0; row < rows; row++) {
    for (const { data: values, positions: held } of parts) {
      const size = held.length * block;
      data.set(values.subarray(row * size, (row + 1) * size), to);
      to += size;
    }
  }
  return new ActivationValues(first.name, first.axes, [rows, positions.length, ...rest], data, positions);
}
