/** How long a channel of the state remembers, from its decay. */
import { ActivationValues } from "./activation-values.js";

/**
 * The number of tokens after which a decay w a token has halved what was written: ln ½ / ln w. RWKV-7's w lies in (0.545, 1), so
 * that half-lives begin at 1.14 tokens; 1 keeps for ever (∞), 0 keeps nothing (0).
 *
 * @throws RangeError when w is not in 0 … 1
 */
export function halfLife(w: number): number {
  if (!(w >= 0 && w <= 1)) throw new RangeError(`halfLife: the decay is ${w}, wanted a factor from 0 to 1`);
  if (w === 1) return Infinity;
  return Math.LN2 / -Math.log(w);
}

/**
 * The half-life of each key channel over a text, from traced decays: that of their geometric mean over the positions, which is
 * how they multiply. Removal (κ̂) forgets besides, and is not part of it.
 *
 * @param decays `trace.get("blocks.0.att.w")`, or a part of it that still has positions
 * @returns the axes without the positions, in tokens
 * @throws RangeError when there are no positions, or a value is no decay
 */
export function halfLives(decays: ActivationValues): ActivationValues {
  const axis = decays.axes.indexOf("position");
  if (axis < 0) throw new RangeError(`halfLives: ${decays.name} has no axis of positions: keep them in select`);
  const [first, ...others] = decays.positions.map((position) => decays.select({ position }));
  const logs = Float64Array.from(first!.data, Math.log);
  for (const { data } of others) data.forEach((w, i) => (logs[i]! += Math.log(w)));
  const data = Float32Array.from(logs, (sum) => halfLife(Math.min(1, Math.exp(sum / decays.positions.length))));
  return new ActivationValues(decays.name, first!.axes, first!.shape, data);
}
