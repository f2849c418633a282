/** State matrices as heatmaps: one head, all heads, all layers; and what has changed between two states. */
import type { ModelState } from "../model/state.js";
import { Figure } from "./figure.js";
import { blanks, heatmapGrid, largestMagnitude } from "./heatmap-grid.js";
import { cellName, choiceName, stateMatrices, type HeadMatrix, type StateChoice } from "./state-matrices.js";

/** Options of `ms.plots.stateHeatmap` and `ms.plots.stateDifference`. */
export interface StateHeatmapOptions extends StateChoice {
  /** what stands above the figure; default what is chosen of the state */
  title?: string;
  /** the magnitude at the ends of the colour scale, so that several plots can share it; default the largest there is */
  limit?: number;
}

/** The axes of every state. */
export const stateLabels = { xLabel: "key channel", yLabel: "value channel" } as const;

/**
 * N×N states: value channels down, from 0 on top, key channels across. The colour scale is symmetric around zero and is the
 * same for all heads shown.
 *
 * @throws ConfigurationError naming the index that is out of range, or that the model has no Meta-State
 *
 * @example
 * ```ts
 * const { state } = model.forward([tokens.slice(0, 64)]);
 * display(ms.plots.stateHeatmap(state, { layer: 1, head: "all" }));
 * ```
 */
export function stateHeatmap(state: ModelState, options: StateHeatmapOptions = {}): Figure {
  const matrices = stateMatrices("stateHeatmap", state, options);
  return grid(matrices, options, { title: choiceName(options), valueLabel: "state value" });
}

/**
 * What `after` has that `before` had not: their difference, as heatmaps.
 *
 * @throws ConfigurationError when an index is out of range, or the states are of different models
 */
export function stateDifference(before: ModelState, after: ModelState, options: StateHeatmapOptions = {}): Figure {
  const old = stateMatrices("stateDifference", before, options);
  const changed = stateMatrices("stateDifference", after, options).map((line, i) =>
    line.map(({ layer, head, matrix }, j): HeadMatrix => ({
      layer,
      head,
      matrix: matrix.map((row, y) => row.map((value, x) => value - old[i]![j]!.matrix[y]![x]!)),
    })),
  );
  return grid(changed, options, { title: `Change of ${choiceName(options)}`, valueLabel: "change of the state" });
}

function grid(
  matrices: readonly (readonly HeadMatrix[])[],
  options: StateHeatmapOptions,
  { title, valueLabel }: { title: string; valueLabel: string },
): Figure {
  const cells = matrices.map((line) => line.map((head) => ({ title: cellName(head, options), matrix: head.matrix })));
  const all = cells.flat().map(({ matrix }) => matrix);
  const largest = largestMagnitude(all);
  const { data, layout } = heatmapGrid(cells, { ...stateLabels, valueLabel, limit: options.limit ?? largest });
  const heading = (options.title ?? title) + blanks(all);
  const size = `${all[0]!.length}×${all[0]![0]!.length}`;
  const count = all.length > 1 ? `${all.length} matrices of ${size}` : size;
  return new Figure(
    data,
    { title: { text: heading }, ...layout },
    `${heading}: ${count}, largest magnitude ${largest}`,
  );
}
