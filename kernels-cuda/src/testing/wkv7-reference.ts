/**
 * For tests: the WKV-7 recurrence and its gradients in float64, written as the equations stand, and random cases.
 *
 *     S_t = S_{t-1} diag(w_t) + sa_t b_t^T + v_t k_t^T,   sa_t = S_{t-1} a_t,   y_t = S_t r_t
 */

export const stepNames = ["r", "w", "k", "v", "a", "b"] as const;
export const gradientNames = ["dr", "dw", "dk", "dv", "da", "db", "dState"] as const;

/** Sizes of a call: B, T, H, N, each at least 1; an interval of 0 for no checkpoints. */
export interface Wkv7Shape {
  batch: number;
  time: number;
  heads: number;
  headSize: number;
  checkpointInterval: number;
}

/** Operands of the recurrence and adjoints of its results, float64. */
export type Wkv7Case = Record<(typeof stepNames)[number] | "state" | "dy" | "dFinalState", Float64Array>;
export type Wkv7CaseGradients = Record<(typeof gradientNames)[number], Float64Array>;

/** A generator of numbers in [0, 1): mulberry32, so that a failing case can be seen again. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * A case as the model makes them: a = -kappaHat of unit length, b = kappaHat times a rate in (0, 1), so that no
 * transition grows the state; decays in [low, high]. Values are float32 numbers, so that rounding them is no error.
 */
export function randomCase(shape: Wkv7Shape, seed: number, [low, high]: readonly [number, number]): Wkv7Case {
  const random = randomNumbers(seed);
  const { batch, time, heads, headSize } = shape;
  const steps = batch * time * heads * headSize;
  const states = batch * heads * headSize ** 2;
  const uniform = (length: number, scale: number) =>
    Float64Array.from({ length }, () => Math.fround(scale * (2 * random() - 1)));
  const a = uniform(steps, 1);
  const b = new Float64Array(steps);
  for (let at = 0; at < steps; at += headSize) {
    const norm = Math.hypot(...a.subarray(at, at + headSize));
    for (let j = at; j < at + headSize; ++j) {
      const kappa = a[j]! / norm;
      a[j] = Math.fround(-kappa);
      b[j] = Math.fround(kappa * random());
    }
  }
  return {
    r: uniform(steps, 1),
    w: Float64Array.from({ length: steps }, () => Math.fround(low + (high - low) * random())),
    k: uniform(steps, 1),
    v: uniform(steps, 1),
    a,
    b,
    state: uniform(states, 1),
    dy: uniform(steps, 1),
    dFinalState: uniform(states, 1),
  };
}

/** Position of element 0 of step t of a head, and of the head's state. */
function places({ time, heads, headSize }: Wkv7Shape) {
  return {
    step: (batch: number, t: number, head: number) => ((batch * time + t) * heads + head) * headSize,
    state: (batch: number, head: number) => (batch * heads + head) * headSize ** 2,
  };
}

/** One step in place; returns sa. */
function advance(state: Float64Array, c: Wkv7Case, at: number, n: number): Float64Array {
  const removed = new Float64Array(n);
  for (let i = 0; i < n; ++i) {
    for (let j = 0; j < n; ++j) removed[i]! += state[i * n + j]! * c.a[at + j]!;
    for (let j = 0; j < n; ++j) {
      state[i * n + j] = state[i * n + j]! * c.w[at + j]! + removed[i]! * c.b[at + j]! + c.v[at + i]! * c.k[at + j]!;
    }
  }
  return removed;
}

/** y, the final state, and the states before steps 0, interval, 2 interval, ... (none when the interval is 0). */
export function referenceForward(shape: Wkv7Shape, c: Wkv7Case) {
  const { batch, time, heads, headSize: n, checkpointInterval: interval } = shape;
  const at = places(shape);
  const chunks = interval > 0 ? Math.ceil(time / interval) : 0;
  const y = new Float64Array(c.r.length);
  const finalState = new Float64Array(c.state.length);
  const checkpoints = new Float64Array(c.state.length * chunks);
  for (let bi = 0; bi < batch; ++bi) {
    for (let h = 0; h < heads; ++h) {
      const state = c.state.slice(at.state(bi, h), at.state(bi, h) + n * n);
      for (let t = 0; t < time; ++t) {
        if (interval > 0 && t % interval === 0) {
          checkpoints.set(state, ((bi * heads + h) * chunks + t / interval) * n * n);
        }
        const step = at.step(bi, t, h);
        advance(state, c, step, n);
        for (let i = 0; i < n; ++i) {
          for (let j = 0; j < n; ++j) y[step + i]! += state[i * n + j]! * c.r[step + j]!;
        }
      }
      finalState.set(state, at.state(bi, h));
    }
  }
  return { y, finalState, checkpoints };
}

/** Gradients of sum(y dy) + sum(finalState dFinalState), by the adjoint of the equations; every state is kept. */
export function referenceBackward(shape: Wkv7Shape, c: Wkv7Case): Wkv7CaseGradients {
  const { batch, time, heads, headSize: n } = shape;
  const at = places(shape);
  const zeros = () => new Float64Array(c.r.length);
  const g = { dr: zeros(), dw: zeros(), dk: zeros(), dv: zeros(), da: zeros(), db: zeros(), dState: c.state.slice() };
  for (let bi = 0; bi < batch; ++bi) {
    for (let h = 0; h < heads; ++h) {
      const first = at.state(bi, h);
      const states = [c.state.slice(first, first + n * n)];
      const removed: Float64Array[] = [];
      for (let t = 0; t < time; ++t) {
        const next = states[t]!.slice();
        removed.push(advance(next, c, at.step(bi, t, h), n));
        states.push(next);
      }
      let adjoint: Float64Array = c.dFinalState.slice(first, first + n * n);
      for (let t = time - 1; t >= 0; --t) {
        adjoint = stepBack(adjoint, states[t]!, states[t + 1]!, removed[t]!, c, g, at.step(bi, t, h), n);
      }
      g.dState.set(adjoint, first);
    }
  }
  return g;
}

/** Adds one step's gradients and returns the adjoint of the state before it. */
function stepBack(
  after: Float64Array,
  before: Float64Array,
  state: Float64Array,
  removed: Float64Array,
  c: Wkv7Case,
  g: Wkv7CaseGradients,
  s: number,
  n: number,
): Float64Array {
  const result = new Float64Array(n * n);
  for (let i = 0; i < n; ++i) {
    let dRemoved = 0;
    for (let j = 0; j < n; ++j) {
      const ij = i * n + j;
      const adjoint = after[ij]! + c.dy[s + i]! * c.r[s + j]!;
      g.dr[s + j]! += state[ij]! * c.dy[s + i]!;
      g.dv[s + i]! += adjoint * c.k[s + j]!;
      g.dk[s + j]! += adjoint * c.v[s + i]!;
      g.db[s + j]! += adjoint * removed[i]!;
      g.dw[s + j]! += adjoint * before[ij]!;
      dRemoved += adjoint * c.b[s + j]!;
      result[ij] = adjoint * c.w[s + j]!;
    }
    for (let j = 0; j < n; ++j) {
      g.da[s + j]! += before[i * n + j]! * dRemoved;
      result[i * n + j]! += dRemoved * c.a[s + j]!;
    }
  }
  return result;
}
