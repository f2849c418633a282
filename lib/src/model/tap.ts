/** Taps: where a forward pass shows its named activations, and goes on with what it is given back. */
import type { Tensor } from "@tensorflow/tfjs-core";

import { nameTensor } from "../engine/numerics-context.js";
import { ShapeError } from "../errors.js";
import { describeTensor } from "../ops/shape.js";
import type { ForwardOptions, Tap } from "./language-model.js";
import { parameter, type Parameters } from "./parameters.js";

/**
 * Shows an activation to a tap, where there is one.
 *
 * @returns what the pass goes on with
 * @throws ShapeError when the tap gave a tensor of another shape or dtype
 */
export function tapped<T extends Tensor>(tap: Tap | undefined, name: string, value: T): T {
  nameTensor(value, "activation", "", name);
  if (!tap) return value;
  const given = tap(name, value);
  if (given === value) return value;
  const fits =
    given.dtype === value.dtype &&
    given.shape.length === value.shape.length &&
    given.shape.every((size, axis) => size === value.shape[axis]);
  if (fits) return given as T;
  throw new ShapeError(
    "tap",
    `the replacement of ${name}`,
    describeTensor(given),
    `${describeTensor(value)}, as the value`,
  );
}

/** For each layer, the whole names of its parameters by those within it: a token asks for hundreds, and would join each anew. */
const wholeNames: Map<string, string>[] = [];

/** What the parts of one layer share during a pass: the layer's parameters by name, and the tap. */
export class LayerRun {
  /** of all names of this layer: `blocks.3.` */
  private readonly prefix: string;
  private readonly names: Map<string, string>;

  /**
   * @param layer its number, from 0
   * @param addLoss takes what the layer adds to the loss, where anybody asks for it
   */
  constructor(
    private readonly parameters: Parameters,
    readonly layer: number,
    private readonly tapOfPass?: Tap,
    readonly addLoss?: ForwardOptions["addLoss"],
  ) {
    this.prefix = `blocks.${layer}.`;
    this.names = wholeNames[layer] ??= new Map();
  }

  /** Whether anybody looks: what only a tap needs is made when it is so. */
  get isTapped(): boolean {
    return this.tapOfPass !== undefined;
  }

  /** The layer's parameter of this name, e.g. `att.r_k`. */
  parameter(name: string): Tensor {
    let whole = this.names.get(name);
    if (whole === undefined) this.names.set(name, (whole = this.prefix + name));
    return parameter(this.parameters, whole);
  }

  /** Shows an activation of the layer to the tap, e.g. `att.wkv`; see {@link tapped}. */
  tap<T extends Tensor>(name: string, value: T): T {
    if (this.tapOfPass) return tapped(this.tapOfPass, this.prefix + name, value);
    nameTensor(value, "activation", this.prefix, name);
    return value;
  }
}
