/** How far two states are from each other. */
import { jupyterDisplay, Shown, tableForms, type MimeBundle } from "../display.js";
import { tensorNamesOf, valuesOf, type LayerState, type StateTensorName } from "./state-layers.js";

/** How far two tensors are from each other. */
export interface Difference {
  /** the largest |a − b| */
  readonly largest: number;
  /** ‖a − b‖ divided by the larger of ‖a‖ and ‖b‖; 0 when both are zero */
  readonly relative: number;
}

/** The difference in one tensor of one layer. */
export interface StateDifference extends Difference {
  readonly layer: number;
  readonly part: StateTensorName;
}

/** Two states compared, whole and by part; norms are over all elements. */
export class StateDistance extends Shown implements Difference {
  constructor(
    readonly largest: number,
    readonly relative: number,
    readonly parts: readonly StateDifference[],
  ) {
    super();
  }

  [jupyterDisplay](): MimeBundle {
    const line = (where: string[], { largest, relative }: Difference): string[] => [
      ...where,
      largest.toExponential(2),
      relative.toExponential(2),
    ];
    const rows = [
      ["layer", "part", "largest difference", "relative"],
      ...this.parts.map((part) => line([String(part.layer), part.part], part)),
      line(["all", ""], this),
    ];
    return tableForms(rows);
  }
}

/** Compares layers of the same shapes. */
export function layersDistance(mine: readonly LayerState[], others: readonly LayerState[]): StateDistance {
  const total = new Sums();
  const parts = mine.flatMap((layer, i) =>
    tensorNamesOf(layer).map((part): StateDifference => {
      const sums = new Sums();
      sums.add(valuesOf(layer[part]!), valuesOf(others[i]![part]!));
      total.join(sums);
      return { layer: i, part, ...sums.difference };
    }),
  );
  const { largest, relative } = total.difference;
  return new StateDistance(largest, relative, parts);
}

/** The difference of two lists of numbers of the same length. */
export function differenceOf(a: Float32Array, b: Float32Array): Difference {
  const sums = new Sums();
  sums.add(a, b);
  return sums.difference;
}

/** In float64; NaN anywhere makes the results NaN. */
class Sums {
  private largest = 0;
  private difference2 = 0;
  private a2 = 0;
  private b2 = 0;

  add(a: Float32Array, b: Float32Array): void {
    for (let i = 0; i < a.length; i++) {
      const d = a[i]! - b[i]!;
      this.largest = Math.max(this.largest, Math.abs(d));
      this.difference2 += d * d;
      this.a2 += a[i]! ** 2;
      this.b2 += b[i]! ** 2;
    }
  }

  join(other: Sums): void {
    this.largest = Math.max(this.largest, other.largest);
    this.difference2 += other.difference2;
    this.a2 += other.a2;
    this.b2 += other.b2;
  }

  get difference(): Difference {
    const norm = Math.sqrt(Math.max(this.a2, this.b2));
    return { largest: this.largest, relative: norm === 0 ? 0 : Math.sqrt(this.difference2) / norm };
  }
}
