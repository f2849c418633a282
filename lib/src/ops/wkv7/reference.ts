/**
 * `Wkv7` and its gradient in float64, as the equations stand, with every state kept: slow, easy to check by eye, and
 * what the kernels are tested against. It shares no code with them.
 */

/** The sizes of a call: batch, time, heads, head size. */
export interface Wkv7Sizes {
  readonly batch: number;
  readonly time: number;
  readonly heads: number;
  readonly size: number;
}

/** Operands as flat row-major arrays: `r … b` of `[B, T, H, N]`, `state` of `[B, H, N, N]`. */
export interface Wkv7Operands {
  readonly r: ArrayLike<number>;
  readonly w: ArrayLike<number>;
  readonly k: ArrayLike<number>;
  readonly v: ArrayLike<number>;
  readonly a: ArrayLike<number>;
  readonly b: ArrayLike<number>;
  readonly state: ArrayLike<number>;
}

/** The names of the operands, in the order of the kernel's inputs. */
export const wkv7OperandNames = ["r", "w", "k", "v", "a", "b", "state"] as const;

/** `y` of `[B, T, H, N]` and the state after the last step. */
export interface Wkv7Result {
  readonly y: Float64Array;
  readonly finalState: Float64Array;
}

/** Gradients with the shapes of the operands. */
export type Wkv7Gradients = Readonly<Record<(typeof wkv7OperandNames)[number], Float64Array>>;

/** S_t = S_{t−1} diag(w_t) + (S_{t−1} a_t) b_tᵀ + v_t k_tᵀ ; y_t = S_t r_t. */
export function wkv7Reference(sizes: Wkv7Sizes, operands: Wkv7Operands): Wkv7Result {
  const { batch, time, heads, size } = sizes;
  const y = new Float64Array(batch * time * heads * size);
  const finalState = new Float64Array(batch * heads * size * size);
  for (let bh = 0; bh < batch * heads; bh++) {
    const states = run(sizes, operands, bh, y);
    finalState.set(states.at(-1)!, bh * size * size);
  }
  return { y, finalState };
}

/** The gradient of Σ dy ⊙ y + Σ dFinalState ⊙ finalState (META_STATE.md, "Gradients"). */
export function wkv7GradientReference(
  sizes: Wkv7Sizes,
  operands: Wkv7Operands,
  dy: ArrayLike<number>,
  dFinalState: ArrayLike<number>,
): Wkv7Gradients {
  const { batch, time, heads, size: n } = sizes;
  const zeros = (length: number): Float64Array => new Float64Array(length);
  const length = batch * time * heads * n;
  const d = { r: zeros(length), w: zeros(length), k: zeros(length), v: zeros(length), a: zeros(length) };
  const db = zeros(length);
  const dState = zeros(batch * heads * n * n);
  for (let bh = 0; bh < batch * heads; bh++) {
    const states = run(sizes, operands, bh, zeros(length));
    const g = Float64Array.from({ length: n * n }, (_, i) => dFinalState[bh * n * n + i]!);
    for (let t = time - 1; t >= 0; t--) {
      const at = offset(sizes, bh, t);
      const before = states[t]!;
      const after = states[t + 1]!;
      const dsa = zeros(n);
      for (let i = 0; i < n; i++) {
        let sa = 0;
        for (let j = 0; j < n; j++) sa += before[i * n + j]! * operands.a[at + j]!;
        for (let j = 0; j < n; j++) {
          g[i * n + j]! += dy[at + i]! * operands.r[at + j]!;
          const adjoint = g[i * n + j]!;
          d.r[at + j]! += after[i * n + j]! * dy[at + i]!;
          d.v[at + i]! += adjoint * operands.k[at + j]!;
          d.k[at + j]! += adjoint * operands.v[at + i]!;
          d.w[at + j]! += adjoint * before[i * n + j]!;
          db[at + j]! += adjoint * sa;
          dsa[i]! += adjoint * operands.b[at + j]!;
        }
      }
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          d.a[at + j]! += before[i * n + j]! * dsa[i]!;
          g[i * n + j] = g[i * n + j]! * operands.w[at + j]! + dsa[i]! * operands.a[at + j]!;
        }
      }
    }
    dState.set(g, bh * n * n);
  }
  return { ...d, b: db, state: dState };
}

/** The flat offset of a head's vector at a time. */
function offset({ time, heads, size }: Wkv7Sizes, bh: number, t: number): number {
  const batch = Math.floor(bh / heads);
  return ((batch * time + t) * heads + (bh % heads)) * size;
}

/** All states of one head, before the first step to after the last; fills its part of `y`. */
function run(sizes: Wkv7Sizes, operands: Wkv7Operands, bh: number, y: Float64Array): Float64Array[] {
  const n = sizes.size;
  const { r, w, k, v, a, b } = operands;
  const states = [Float64Array.from({ length: n * n }, (_, i) => operands.state[bh * n * n + i]!)];
  for (let t = 0; t < sizes.time; t++) {
    const at = offset(sizes, bh, t);
    const before = states[t]!;
    const after = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      let sa = 0;
      for (let j = 0; j < n; j++) sa += before[i * n + j]! * a[at + j]!;
      for (let j = 0; j < n; j++) {
        const value = before[i * n + j]! * w[at + j]! + sa * b[at + j]! + v[at + i]! * k[at + j]!;
        after[i * n + j] = value;
        y[at + i]! += value * r[at + j]!;
      }
    }
    states.push(after);
  }
  return states;
}
