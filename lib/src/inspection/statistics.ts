/** Statistics of states and activations as pure functions, in float64 on the host. */
import { distribution } from "./distribution.js";
import { halfLife, halfLives } from "./half-life.js";
import { principalComponents } from "./principal-components.js";
import { probe, retrievedTokens } from "./probe.js";
import { cosine, similarity, updateNorm, updateNorms } from "./similarity.js";
import { effectiveRank, frobeniusNorm, singularValues, stableRank } from "./spectrum.js";

/** What can be said of a state or an activation in numbers; each is a pure function of data. */
export const statistics = {
  /** √Σ m_ij². */
  frobeniusNorm,
  /** All singular values, the largest first. */
  singularValues,
  /** ‖M‖²_F / σ₁². */
  stableRank,
  /** The exponential of the entropy of σ / Σσ. */
  effectiveRank,
  /** After how many tokens a decay has halved what was written. */
  halfLife,
  /** The same of each channel, from traced decays. */
  halfLives,
  /** The size of a step from one matrix to another. */
  updateNorm,
  /** The size of each step of an activation from one position to the next. */
  updateNorms,
  /** The cosine of two lists of numbers. */
  cosine,
  /** The cosine of an activation between each two of its positions. */
  similarity,
  /** What a state answers to a key, and which written value that is. */
  probe,
  /** Which tokens a retrieved value speaks for. */
  retrievedTokens,
  /** Histogram, mean, deviation and quantiles. */
  distribution,
  /** The coordinates in which vectors differ most. */
  principalComponents,
};
