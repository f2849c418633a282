/**
 * Gradients by tfjs's tape, as its engine has them, in one walk. Its own keeps what depends on what in objects with tensors' numbers as
 * keys, looks at the tape three times, asks each input that depends on nothing once for every parameter, and copies each op.
 */
import { Tensor, util } from "@tensorflow/tfjs-core";
import type { Engine, TapeNode } from "./engine-internals.js";

/** `engine.gradients` for an engine. Arguments and errors are tfjs's. */
export function gradientShortcut(tfjs: Engine): Engine["gradients"] {
  const own = tfjs.gradients.bind(tfjs);
  return <T extends Tensor>(f: () => T, xs: Tensor[], dy?: T | null, allowNoGradients = false) => {
    // tfjs has the words.
    if (xs.length === 0 || (dy != null && dy.dtype !== "float32")) return own(f, xs, dy, allowNoGradients);
    tfjs.startTape();
    let y: T;
    try {
      y = tfjs.tidy("forward", f);
    } finally {
      tfjs.endTape();
    }
    util.assert(y instanceof Tensor, () => "The result y returned by f() must be a tensor.");
    const { nodes, fromXs } = dependents(tfjs.state.activeTape!, xs);
    if (!allowNoGradients && !nodes.some(({ outputs }) => outputs.some(({ id }) => id === y.id))) {
      throw new Error(
        "Cannot compute gradient of y=f(x) with respect to x. Make sure that the f you passed encloses all operations that " +
          "lead from x to y.",
      );
    }
    return tfjs.tidy("backward", () => {
      const gradients = new Map<number, Tensor>([[y.id, dy ?? onesLike(tfjs, y)]]);
      for (let i = nodes.length - 1; i >= 0; i--) propagate(tfjs, nodes[i]!, fromXs, gradients);
      const grads = xs.map(({ id }) => gradients.get(id)!);
      if (tfjs.state.gradientDepth === 0) {
        // No gradient of this gradient is wanted.
        for (const { saved } of tfjs.state.activeTape!) for (const tensor of saved) tensor.dispose();
        tfjs.state.activeTape = null;
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
