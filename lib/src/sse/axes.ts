/** What the axes of an SSE's parameters follow: sizes of a model by name, so that growth knows what to extend. */
import { ConfigurationError } from "../errors.js";
import type { ModelConfiguration } from "../model/configuration.js";
import { sseHeads } from "../model/sizes.js";

/**
 * What gives an axis its size: the channels of all heads that carry the SSE (Hs·N, head after head), those heads (Hs), a
 * head's channels (N), the width (C), the parameter tokens (n), the groups of the mixture (G), a fixed number, or one that
 * follows from the configuration, `({ headSize }) => headSize / 2`, which does not grow.
 */
export type SseAxis =
  | "headChannels"
  | "heads"
  | "headSize"
  | "width"
  | "parameterTokens"
  | "groups"
  | number
  | ((configuration: ModelConfiguration) => number);

/** The size of an axis in a model. */
export function axisSize(axis: SseAxis, configuration: ModelConfiguration): number {
  switch (axis) {
    case "headChannels":
      return sseHeads(configuration) * configuration.headSize;
    case "heads":
      return sseHeads(configuration);
    case "headSize":
    case "width":
    case "parameterTokens":
      return configuration[axis];
    case "groups":
      if (configuration.mixture) return configuration.mixture.groups;
      throw new ConfigurationError('a parameter follows "groups", but the model has no mixture: {groups: …}');
    default:
      return typeof axis === "function" ? axis(configuration) : axis;
  }
}
