// @ts-check
// A model whose values are of no matter, only its shapes: to make a hundred million parameters as `createModel` does, orthogonal
// ones among them, takes several seconds.

import * as tf from "@tensorflow/tfjs-core";
import { Model } from "metastate";
import { completeConfiguration } from "../../lib/dist/model/configuration.js";
import { parameterSpecifications } from "../../lib/dist/model/parameters.js";

/**
 * @param {import("metastate").ModelOptions} options
 * @returns {Model} of values between −0.17 and 0.17, as widely spread as the peer's in PyTorch
 */
export function timedModel(options) {
  const configuration = completeConfiguration(options);
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return 0.34 * (state / 2 ** 32 - 0.5);
  };
  const parameters = parameterSpecifications(configuration).map(({ name, shape }) => {
    const values = new Float32Array(tf.util.sizeFromShape([...shape]));
    for (let i = 0; i < values.length; ++i) values[i] = uniform();
    const tensor = tf.tensor(values, [...shape]);
    const variable = tf.variable(tensor);
    tensor.dispose(); // the optimiser writes in place where nobody else has the values
    return /** @type {const} */ ([name, variable]);
  });
  return new Model(configuration, new Map(parameters));
}
