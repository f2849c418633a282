/** What a training remembers of each parameter beside its value: an optimiser's moments, an average. */
import * as tf from "@tensorflow/tfjs-core";
import type { TensorContainer } from "@tensorflow/tfjs-core";

import { Shown } from "../display.js";
import type { Parameters } from "../model/parameters.js";

/**
 * Tensors by parameter name, and the model whose parameters they belong to.
 *
 * @typeParam T what is remembered of a parameter: a tensor, or an object of tensors
 */
export abstract class ParameterMemory<T extends object> extends Shown {
  /** @hidden Empty once disposed of. */
  protected held = new Map<string, T>();

  /** @hidden Made by `ms.adamW` and `ms.ema`. */
  constructor(
    /** @hidden The model's. */
    protected readonly parameters: Parameters,
  ) {
    super();
  }

  /** Whether {@link dispose} was called. */
  get isDisposed(): boolean {
    return this.held.size === 0;
  }

  /** Whether what it remembers is of these parameters, and not of others of the same names. */
  isOf(parameters: Parameters): boolean {
    return [...this.held.keys()].every((name) => this.parameters.get(name) === parameters.get(name));
  }

  /** Frees the tensors; it cannot be used afterwards. */
  dispose(): void {
    tf.dispose([...this.held.values()] as TensorContainer);
    this.held.clear();
  }
}
