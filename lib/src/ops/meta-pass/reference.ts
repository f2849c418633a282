/**
 * `MetaPass` and its gradient in float64, as META_STATE's equations stand, with every state of one head kept: slow, easy to
 * check by eye, and what the kernels are tested against. It shares no code with them.
 */

/** The sizes of a call: batch, time, heads, head size. */
export interface MetaPassSizes {
  readonly batch: number;
  readonly time: number;
  readonly heads: number;
  readonly size: number;
}

/** The names of the operands, in the order of the kernel's inputs and of the gradient kernel's outputs. */
export const metaPassOperandNames = [
  ...(["r", "w", "k", "v", "a", "b", "x", "q"] as const),
  ...(["readGain", "memoryGain", "wkv", "meta"] as const),
] as const;

type Name = (typeof metaPassOperandNames)[number];

/** Operands, flat and row-major: of `[B, T, H, N]`, gains of H·N, states of `[B, H, N, N]`. */
export type MetaPassValues = Readonly<Record<Name, ArrayLike<number>>>;

/** The number of values of an operand. */
export function metaPassLength({ batch, time, heads, size }: MetaPassSizes, name: Name): number {
  if (name === "readGain" || name === "memoryGain") return heads * size;
  return batch * heads * size * (name === "wkv" || name === "meta" ? size : time);
}

/** What the pass gives, and its reads. */
export interface MetaPassResult {
  readonly added: Float64Array;
  readonly metaAfter: Float64Array;
  readonly u: Float64Array;
  readonly o: Float64Array;
}

/** A matrix of N rows. */
type Matrix = readonly Float64Array[];

/** One head of one batch entry, all of its steps. */
class HeadPass {
  readonly states: Matrix[];
  readonly memories: Matrix[];
  private readonly at: (t: number) => number;
  private readonly gainAt: number;

  constructor(
    readonly sizes: MetaPassSizes,
    readonly o: MetaPassValues,
    readonly bh: number,
    readonly epsilon: number,
  ) {
    const { time, heads, size } = sizes;
    this.at = (t) => ((Math.floor(bh / heads) * time + t) * heads + (bh % heads)) * size;
    this.gainAt = (bh % heads) * size;
    this.states = [this.matrix(o.wkv)];
    this.memories = [this.matrix(o.meta)];
  }

  private matrix(from: ArrayLike<number>): Matrix {
    const n = this.sizes.size;
    const row = (i: number): Float64Array =>
      Float64Array.from({ length: n }, (_, j) => from[(this.bh * n + i) * n + j]!);
    return Array.from({ length: n }, (_, i) => row(i));
  }

  /** A step's values of one operand. */
  vector(name: Name, t: number): Float64Array {
    const start = name === "readGain" || name === "memoryGain" ? this.gainAt : this.at(t);
    return Float64Array.from({ length: this.sizes.size }, (_, i) => this.o[name][start + i]!);
  }

  put(to: Float64Array, t: number, values: ArrayLike<number>): void {
    to.set(values, this.at(t));
  }

  addGain(to: Float64Array, values: Float64Array): void {
    values.forEach((value, i) => (to[this.gainAt + i]! += value));
  }

  putState(to: Float64Array, state: Matrix): void {
    state.forEach((row, i) => to.set(row, (this.bh * state.length + i) * state.length));
  }

  /** Runs both states through time; gives each step's reads and sum. */
  forward(): { u: Float64Array; seen: Float64Array; m: Float64Array; o: Float64Array; added: Float64Array }[] {
    return Array.from({ length: this.sizes.time }, (_, t) => {
      const state = this.step(this.states[t]!, t, this.vector("v", t));
      const u = times(state, this.vector("q", t));
      const seen = product(this.vector("readGain", t), normal(u, this.epsilon).n);
      const m = sumOf(this.vector("x", t), seen);
      const memory = this.step(this.memories[t]!, t, m);
      const o = times(memory, this.vector("r", t));
      this.states.push(state);
      this.memories.push(memory);
      const added = sumOf(seen, product(this.vector("memoryGain", t), normal(o, this.epsilon).n));
      return { u, seen, m, o, added };
    });
  }

  /** X (diag(w) + a bᵀ) + value kᵀ. */
  private step(before: Matrix, t: number, value: Float64Array): Matrix {
    const [w, k, a, b] = (["w", "k", "a", "b"] as const).map((name) => this.vector(name, t)) as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    const removed = times(before, a);
    return before.map((row, i) => row.map((x, j) => x * w[j]! + removed[i]! * b[j]! + value[i]! * k[j]!));
  }

  /** Back through one step of one state: adds to d's w, k, a, b; gives the adjoints of value, of query, and of the state. */
  back(
    before: Matrix,
    after: Matrix,
    adjoint: Matrix,
    t: number,
    value: Float64Array,
    query: Float64Array,
    dread: Float64Array,
    d: Record<"w" | "k" | "a" | "b", Float64Array>,
  ): { dvalue: Float64Array; dquery: Float64Array; adjoint: Matrix } {
    const [w, k, a, b] = (["w", "k", "a", "b"] as const).map((name) => this.vector(name, t)) as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    const g = adjoint.map((row, i) => row.map((x, j) => x + dread[i]! * query[j]!));
    const removed = times(before, a);
    const dremoved = times(g, b);
    const start = this.at(t);
    const add = (name: "w" | "k" | "a" | "b", values: Float64Array): void =>
      values.forEach((x, j) => (d[name][start + j]! += x));
    add(
      "w",
      w.map((_, j) => total(before.length, (i) => g[i]![j]! * before[i]![j]!)),
    );
    add("k", transposedTimes(g, value));
    add("a", transposedTimes(before, dremoved));
    add("b", transposedTimes(g, removed));
    return {
      dvalue: times(g, k),
      dquery: transposedTimes(after, dread),
      adjoint: g.map((row, i) => row.map((x, j) => x * w[j]! + dremoved[i]! * a[j]!)),
    };
  }
}

/** The op, as its equations stand. */
export function metaPassReference(
  sizes: MetaPassSizes,
  operands: MetaPassValues,
  epsilon = sizes.size * 1e-5,
): MetaPassResult {
  const steps = (): Float64Array => new Float64Array(metaPassLength(sizes, "r"));
  const result = { added: steps(), metaAfter: new Float64Array(metaPassLength(sizes, "meta")), u: steps(), o: steps() };
  for (let bh = 0; bh < sizes.batch * sizes.heads; bh++) {
    const head = new HeadPass(sizes, operands, bh, epsilon);
    head.forward().forEach(({ u, o, added }, t) => {
      head.put(result.u, t, u);
      head.put(result.o, t, o);
      head.put(result.added, t, added);
    });
    head.putState(result.metaAfter, head.memories.at(-1)!);
  }
  return result;
}

/** The gradient of Σ dAdded ⊙ added + Σ dMetaAfter ⊙ metaAfter in every operand. */
export function metaPassGradientReference(
  sizes: MetaPassSizes,
  operands: MetaPassValues,
  dAdded: ArrayLike<number>,
  dMetaAfter: ArrayLike<number>,
  epsilon = sizes.size * 1e-5,
): Record<Name, Float64Array> {
  const d = Object.fromEntries(
    metaPassOperandNames.map((name) => [name, new Float64Array(metaPassLength(sizes, name))]),
  ) as Record<Name, Float64Array>;
  for (let bh = 0; bh < sizes.batch * sizes.heads; bh++) {
    const head = new HeadPass(sizes, operands, bh, epsilon);
    const adjoints = new HeadPass(sizes, { ...operands, x: dAdded, meta: dMetaAfter }, bh, epsilon);
    const steps = head.forward();
    let gMeta = adjoints.memories[0]!;
    let gWkv: Matrix = gMeta.map((row) => row.map(() => 0));
    for (let t = sizes.time - 1; t >= 0; t--) {
      const { u, m, o } = steps[t]!;
      const dadded = adjoints.vector("x", t);
      const memory = normalGrad(o, head.vector("memoryGain", t), dadded, epsilon);
      head.addGain(d.memoryGain, memory.dgain);
      const [before, after] = [head.memories[t]!, head.memories[t + 1]!];
      const ofM = head.back(before, after, gMeta, t, m, head.vector("r", t), memory.dx, d);
      head.put(d.r, t, ofM.dquery);
      head.put(d.x, t, ofM.dvalue);
      gMeta = ofM.adjoint;
      const read = normalGrad(u, head.vector("readGain", t), sumOf(dadded, ofM.dvalue), epsilon);
      head.addGain(d.readGain, read.dgain);
      const [s0, s1] = [head.states[t]!, head.states[t + 1]!];
      const ofS = head.back(s0, s1, gWkv, t, head.vector("v", t), head.vector("q", t), read.dx, d);
      head.put(d.q, t, ofS.dquery);
      head.put(d.v, t, ofS.dvalue);
      gWkv = ofS.adjoint;
    }
    head.putState(d.meta, gMeta);
    head.putState(d.wkv, gWkv);
  }
  return d;
}

function total(count: number, term: (i: number) => number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += term(i);
  return sum;
}

const times = (matrix: Matrix, x: Float64Array): Float64Array =>
  Float64Array.from(matrix, (row) => total(x.length, (j) => row[j]! * x[j]!));

const transposedTimes = (matrix: Matrix, x: Float64Array): Float64Array =>
  x.map((_, j) => total(x.length, (i) => matrix[i]![j]! * x[i]!));

const sumOf = (x: Float64Array, y: Float64Array): Float64Array => x.map((value, i) => value + y[i]!);

const product = (x: Float64Array, y: Float64Array): Float64Array => x.map((value, i) => value * y[i]!);

/** n = (x − mean) / √(variance + ε), and 1 / √(variance + ε). */
function normal(x: Float64Array, epsilon: number): { n: Float64Array; inverse: number } {
  const mean = total(x.length, (i) => x[i]!) / x.length;
  const variance = total(x.length, (i) => (x[i]! - mean) ** 2) / x.length;
  const inverse = 1 / Math.sqrt(variance + epsilon);
  return { n: x.map((value) => (value - mean) * inverse), inverse };
}

function normalGrad(
  x: Float64Array,
  gain: Float64Array,
  dy: Float64Array,
  epsilon: number,
): { dx: Float64Array; dgain: Float64Array } {
  const { n, inverse } = normal(x, epsilon);
  const dn = product(dy, gain);
  const mean = total(dn.length, (i) => dn[i]!) / dn.length;
  const along = total(dn.length, (i) => dn[i]! * n[i]!) / dn.length;
  return { dx: dn.map((value, i) => inverse * (value - mean - n[i]! * along)), dgain: product(dy, n) };
}
