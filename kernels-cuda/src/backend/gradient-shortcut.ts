/**
 * Gradients by tfjs's tape, as its engine has them, in one walk. Its own keeps what depends on what in objects with tensors' numbers as
 * keys, looks at the tape three times, asks each input that depends on nothing once for every parameter, and copies each op.
 */
import { Tensor, util } from "@tensorflow/tfjs-core";
import type { Engine, TapeNode } from "./engine-internals.js";

/** `engine.gradients`, from tfjs's own. Arguments and errors are that one's. */
export function gradientShortcut(own: Engine["gradients"]): Engine["gradients"] {
  return function <T extends Tensor>(this: Engine, f: () => T, xs: Tensor[], dy?: T | null, allowNoGradients = false) {
    // tfjs has the words.
    if (xs.length === 0 || (dy != null && dy.dtype !== "float32")) {
      return own.call(this, f, xs, dy, allowNoGradients) as { value: T; grads: Tensor[] };
    }
    this.startTape();
    let y: T;
    try {
      y = this.tidy("forward", f);
    } finally {
      this.endTape();
    }
    util.assert(y instanceof Tensor, () => "The result y returned by f() must be a tensor.");
    const { nodes, fromXs } = dependents(this.state.activeTape!, xs);
    if (!allowNoGradients && !nodes.some(({ outputs }) => outputs.some(({ id }) => id === y.id))) {
      throw new Error(
        "Cannot compute gradient of y=f(x) with respect to x. Make sure that the f you passed encloses all operations that " +
          "lead from x to y.",
      );
    }
    return this.tidy("backward", () => {
      const gradients = new Map<number, Tensor>([[y.id, dy ?? onesLike(this, y)]]);
      for (let i = nodes.length - 1; i >= 0; i--) propagate(this, nodes[i]!, fromXs, gradients);
      const grads = xs.map(({ id }) => gradients.get(id)!);
      if (this.state.gradientDepth === 0) {
        // No gradient of this gradient is wanted.
        for (const { saved } of this.state.activeTape!) for (const tensor of saved) tensor.dispose();
        this.state.activeTape = null;
      }
      return { value: y, grads };
    });
  };
}

/** The ops of a tape that depend on any of the xs, in order, and the numbers of those and of all tensors that do. */
function dependents(tape: readonly TapeNode[], xs: readonly Tensor[]): { nodes: TapeNode[]; fromXs: Set<number> } {
  const fromXs = new Set(xs.map(({ id }) => id));
  const nodes = tape.filter(({ inputs, outputs }) => {
    for (const name in inputs) {
      if (!fromXs.has(inputs[name]!.id)) continue;
      for (const { id } of outputs) fromXs.add(id);
      return true;
    }
    return false;
  });
  return { nodes, fromXs };
}

/** Adds an op's part to the gradients of its inputs; none where y does not depend on it: then none of its outputs has a gradient. */
function propagate(
  tfjs: Engine,
  { kernelName, inputs, outputs, gradient }: TapeNode,
  fromXs: ReadonlySet<number>,
  gradients: Map<number, Tensor>,
): void {
  const dys = outputs.map(({ id }) => gradients.get(id) ?? null);
  if (dys.every((dy) => dy === null)) return;
  if (!gradient) throw new Error(`Cannot compute gradient: gradient function not found for ${kernelName}.`);
  const parts = gradient(dys);
  for (const name in inputs) {
    const x = inputs[name]!;
    if (!fromXs.has(x.id)) continue;
    const part = parts[name];
    if (!part) {
      const found = Object.keys(parts).join(",");
      throw new Error(`Cannot backprop through input ${name}. Available gradients found: ${found}.`);
    }
    const dx = tfjs.tidy(part);
    const told = `Error in gradient for op ${kernelName}. The gradient of input`;
    if (dx.dtype !== "float32") throw new Error(`${told} ${name} must have 'float32' dtype, but has '${dx.dtype}'`);
    if (!util.arraysEqual(dx.shape, x.shape)) {
      throw new Error(
        `${told} '${name}' has shape '${dx.shape.join(",")}', which does not match the shape of the input '${x.shape.join(",")}'`,
      );
    }
    const before = gradients.get(x.id);
    gradients.set(x.id, before ? (tfjs.runKernel("Add", { a: before, b: dx }) as Tensor) : dx);
    before?.dispose();
  }
}

function onesLike(tfjs: Engine, { shape, size }: Tensor): Tensor {
  return tfjs.makeTensor(new Float32Array(size).fill(1), shape, "float32");
}
