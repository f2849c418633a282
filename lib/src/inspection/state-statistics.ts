/** The statistics of every head's state, in a table. */
import { jupyterDisplay, Shown, tableForms, type MimeBundle } from "../display.js";
import { ConfigurationError } from "../errors.js";
import { tensorsOf } from "../model/state-layers.js";
import { hasHeadAxis } from "../model/state-place.js";
import { ModelState } from "../model/state.js";
import { ActivationValues } from "./activation-values.js";
import { effectiveRankOf, lengthOf, matrixOfValues, singularValues, stableRankOf } from "./spectrum.js";

/** One head's matrix in numbers. */
export interface HeadStatistics {
  /** e.g. `blocks.0.state.wkv` */
  readonly name: string;
  /** of the batch */
  readonly row: number;
  /** the token that the state is after; absent of a state by itself */
  readonly position?: number;
  readonly head: number;
  /** ‖S‖_F */
  readonly norm: number;
  /** the largest |element| */
  readonly largest: number;
  /** see `ms.statistics.stableRank` */
  readonly stableRank: number;
  /** see `ms.statistics.effectiveRank` */
  readonly effectiveRank: number;
  /** the largest first */
  readonly singularValues: readonly number[];
}

/** Statistics of several heads. Shows itself as a table. */
export class StateStatistics extends Shown implements Iterable<HeadStatistics> {
  /** @param all in the order of name, row, position, head */
  constructor(readonly all: readonly HeadStatistics[]) {
    super();
  }

  /** Those that agree with what is given: `of({ name: "blocks.0.state.wkv", head: 1 })`. */
  of(place: Partial<Pick<HeadStatistics, "name" | "row" | "position" | "head">>): HeadStatistics[] {
    const wanted = Object.entries(place) as [keyof HeadStatistics, unknown][];
    return this.all.filter((one) => wanted.every(([key, value]) => one[key] === value));
  }

  /** In the order of {@link all}. */
  [Symbol.iterator](): Iterator<HeadStatistics> {
    return this.all[Symbol.iterator]();
  }

  [jupyterDisplay](): MimeBundle {
    const positions = this.all.some(({ position }) => position !== undefined);
    const rows = [
      ["state", "row", ...(positions ? ["token"] : []), "head", "norm", "largest", "stable rank", "effective rank"],
      ...this.all.map((one) => [
        one.name,
        String(one.row),
        ...(positions ? [String(one.position ?? "")] : []),
        String(one.head),
        ...[one.norm, one.largest, one.stableRank, one.effectiveRank].map((x) => x.toPrecision(4)),
      ]),
    ];
    return tableForms(rows);
  }
}

/**
 * The statistics of every head's matrix: of a state, or of traced states (at each of their positions).
 *
 * @param states a `ModelState`, a trace or some of its activations; what is no state's matrix is left out
 * @throws ConfigurationError when there is none; RangeError when an element is not finite
 */
export async function stateStatistics(
  states: ModelState | ActivationValues | Iterable<ActivationValues>,
): Promise<StateStatistics> {
  const list =
    states instanceof ModelState ? await ofState(states) : states instanceof ActivationValues ? [states] : [...states];
  const all = list.flatMap(ofValues);
  if (all.length > 0) return new StateStatistics(all);
  throw new ConfigurationError(
    'stateStatistics: there is no state among these: trace names such as "blocks.*.state.{wkv,meta}"',
  );
}

async function ofState({ layers }: ModelState): Promise<ActivationValues[]> {
  const parts = layers.flatMap((layer, i) =>
    tensorsOf(layer).map(async ([part, tensor]): Promise<ActivationValues[]> => {
      if (!hasHeadAxis(tensor)) return [];
      const data = new Float32Array(await tensor.data<"float32">());
      return [new ActivationValues(`blocks.${i}.state.${part}`, ["row", "head", "value", "key"], tensor.shape, data)];
    }),
  );
  return (await Promise.all(parts)).flat();
}

function ofValues(values: ActivationValues): HeadStatistics[] {
  const { name, axes, shape, data, positions } = values;
  if (!(axes.at(-3) === "head" && axes.at(-2) === "value" && axes.at(-1) === "key")) return [];
  const [heads, rows, columns] = shape.slice(-3) as [number, number, number];
  const size = rows * columns;
  const hasPositions = axes.includes("position");
  const perRow = (hasPositions ? positions.length : 1) * heads;
  return Array.from({ length: data.length / size }, (_, i): HeadStatistics => {
    const matrix = data.subarray(i * size, (i + 1) * size);
    const position = hasPositions ? { position: positions[Math.floor((i % perRow) / heads)]! } : {};
    return {
      name,
      row: Math.floor(i / perRow),
      ...position,
      head: i % heads,
      ...headStatistics(matrix, rows, columns),
    };
  });
}

function headStatistics(matrix: Float32Array, rows: number, columns: number) {
  const singular = singularValues(matrixOfValues(rows, columns, matrix));
  return {
    norm: lengthOf(matrix),
    largest: matrix.reduce((most, x) => Math.max(most, Math.abs(x)), 0),
    stableRank: stableRankOf(singular),
    effectiveRank: effectiveRankOf(singular),
    singularValues: singular,
  };
}
