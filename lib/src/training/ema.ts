/** The exponential moving average of a model's parameters: often a better model than the last step's. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { jupyterDisplay, tableForms, type MimeBundle } from "../display.js";
import { ConfigurationError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import { Snapshot } from "../model/parameter-snapshot.js";
import type { Parameters } from "../model/parameters.js";
import { expectShape } from "../ops/shape.js";
import { ParameterMemory } from "./parameter-memory.js";
import { trainedParts, type Trainable } from "./trainable.js";

/** Options of {@link ema}. */
export interface EmaOptions {
  /** how much of the average stays at each step; default 0.999, a memory of some 1,000 steps */
  decay?: number;
  /** the parameters averaged; default all. Those that do not change need none */
  trainable?: Trainable;
}

/**
 * An average over the steps of a training, given to it as its option `ema`. Step t has the decay
 * min(decay, (1 + t) / (10 + t)), so that the first values, which are far off, are soon forgotten.
 */
export class ExponentialMovingAverage extends ParameterMemory<Tensor> {
  private count = 0;

  /** Starts as the parameters are. */
  constructor(
    parameters: Parameters,
    names: readonly string[],
    readonly decay: number,
  ) {
    super(parameters);
    if (!(decay > 0 && decay < 1)) throw new ConfigurationError(`ema: decay is ${decay}, wanted a number in (0, 1)`);
    this.held = new Map(Snapshot.take(parameters, names).values);
  }

  /** How many steps were averaged. */
  get steps(): number {
    return this.count;
  }

  /** The averages by parameter name; they change with every step. */
  get values(): ReadonlyMap<string, Tensor> {
    return this.held;
  }

  /** Takes a step's parameters in. */
  update(): void {
    this.count++;
    const decay = Math.min(this.decay, (1 + this.count) / (10 + this.count));
    for (const [name, average] of this.held) {
      const next = tf.tidy(() =>
        tf.keep(tf.add(tf.mul(average, decay), tf.mul(this.parameters.get(name)!, 1 - decay))),
      );
      average.dispose();
      this.held.set(name, next);
    }
  }

  /** Exchanges the model's parameters and the averages; a second time, all is as before. */
  swap(): void {
    const current = Snapshot.take(this.parameters, this.held.keys());
    Snapshot.of(this.held).restore(this.parameters);
    tf.dispose([...this.held.values()]);
    this.held = new Map(current.values);
  }

  /** Runs something with the averages in the model's parameters, and puts the parameters back, also when it fails. */
  async use<T>(run: () => Promise<T> | T): Promise<T> {
    this.swap();
    try {
      return await run();
    } finally {
      this.swap();
    }
  }

  /**
   * Goes on from a checkpoint's average.
   *
   * @param values one for each parameter that is averaged; owned from here on
   * @throws ShapeError when one has not its parameter's shape; RangeError when one is missing
   */
  restore(steps: number, values: ReadonlyMap<string, Tensor>): void {
    for (const [name, { shape }] of this.held) {
      const value = values.get(name);
      if (!value) throw new RangeError(`ema.restore: there is no average of "${name}"`);
      expectShape("ema.restore", name, value, shape);
    }
    tf.dispose([...this.held.values()]);
    this.held = new Map([...this.held.keys()].map((name) => [name, tf.keep(values.get(name)!)]));
    this.count = steps;
  }

  [jupyterDisplay](): MimeBundle {
    const rows = [
      ["moving average", `of ${this.held.size} parameters${this.isDisposed ? ", disposed of" : ""}`],
      ["steps", this.count.toLocaleString("en")],
      ["decay", `${this.decay}`],
    ];
    return tableForms(rows);
  }
}

/**
 * An average of a model's parameters for `ms.train(…, {ema})`, which goes on over several trainings. `ema.use(run)` runs
 * something with the averages as the model's parameters; `ema.swap()` leaves them there. Dispose of it after.
 *
 * @throws ConfigurationError when decay is not in (0, 1)
 */
export function ema(
  model: Pick<LanguageModel, "parameters">,
  { decay = 0.999, trainable }: EmaOptions = {},
): ExponentialMovingAverage {
  return new ExponentialMovingAverage(model.parameters, trainedParts(model.parameters, trainable).names, decay);
}
