/** A training's checkpoint for the model that grew out of it: the training goes on with the larger model. */
import { dirname, resolve } from "node:path";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { ConfigurationError, ModelFileError } from "../errors.js";
import { findCheckpoint, readOrNameEarlier } from "../io/checkpoints.js";
import { loadModel } from "../io/load-model.js";
import { makeFolder } from "../io/make-folder.js";
import { message } from "../io/random-access.js";
import { Model } from "../model/model.js";
import { disposeCheckpoint, readCheckpoint, writeCheckpoint } from "../training/checkpoint-file.js";
import { grow, type GrowOptions } from "./grow.js";
import { grownMoments } from "./grow-optimizer.js";
import { growState } from "./grow-state.js";
import type { Growth } from "./grown-configuration.js";
import { grownTensor, growthPlan, growthRandom } from "./plan.js";

/**
 * Grows the model in a checkpoint, and all that the checkpoint holds of its training with it: the optimiser's moments (zeros for
 * what is new), averages, the best parameters, a state that is carried over; steps, schedule, batches and generator stay. The
 * training goes on from it as from any: `ms.train(larger, batches, {…, resume: to})`.
 *
 * @param from a checkpoint that `ms.train` wrote, or a folder, whose last one is taken; stays as it is
 * @param to where the larger one goes, in a folder that is made when there is none; written whole or not at all
 * @returns the larger model
 * @throws ModelFileError when `from` is no checkpoint or damaged, or `to` cannot be written; ConfigurationError as {@link grow}
 */
export async function growCheckpoint(
  from: string,
  to: string,
  growth: Growth,
  options: GrowOptions = {},
): Promise<Model> {
  const path = await findCheckpoint(from);
  if (resolve(path) === resolve(to)) {
    throw new ConfigurationError(`growCheckpoint: ${to} is the smaller model's checkpoint: give another path`);
  }
  const saved = await readOrNameEarlier(path, readCheckpoint);
  const made: Tensor[] = [];
  const keep = (tensors: Map<string, Tensor>): Map<string, Tensor> => {
    made.push(...tensors.values());
    return tensors;
  };
  let before: Model | undefined;
  let after: Model | undefined;
  try {
    const loaded = await loadModel(path, { kind: "any" });
    if (!(loaded instanceof Model)) {
      loaded.dispose();
      throw new ConfigurationError(
        `growCheckpoint: ${path} holds a baseline's training: grow the baseline, ms.growBaseline, and begin a training with it`,
      );
    }
    before = loaded;
    after = grow(before, growth, options);
    const plan = growthPlan(before.configuration, after.configuration);
    // The seed of grow: an average has the same new values as the parameter that it averages.
    const grown = (tensors: ReadonlyMap<string, Tensor>): Map<string, Tensor> =>
      keep(
        new Map(
          plan.flatMap((parameter, i): [string, Tensor][] => {
            const held = tensors.get(parameter.name);
            if (!held && parameter.before) return [];
            return [[parameter.name, grownTensor(parameter, held, growthRandom(options.seed ?? 0, parameter, i))]];
          }),
        ),
      );
    const moments = grownMoments(plan, saved.moments);
    for (const { first, second } of moments.values()) made.push(first, second);
    const state = saved.state && carried(before, after, saved.state, saved.record.positions ?? []);
    made.push(...(state ?? []));
    await makeFolder(dirname(to)).catch((error: unknown) => {
      const problem = `cannot be written, its folder cannot be made (${message(error)})`;
      throw new ModelFileError(to, null, problem, "Give a path at which a folder can be made.", { cause: error });
    });
    await writeCheckpoint(to, after, saved.record, {
      moments,
      ...(saved.ema && { ema: grown(saved.ema) }),
      ...(saved.best && { best: grown(saved.best) }),
      ...(state && { state }),
      history: saved.history,
    });
    return after;
  } catch (error) {
    after?.dispose();
    throw error;
  } finally {
    before?.dispose();
    tf.dispose(made);
    disposeCheckpoint(saved);
  }
}

/** The tensors of a state that is carried over, for the larger model. */
function carried(before: Model, after: Model, tensors: readonly Tensor[], positions: readonly number[]): Tensor[] {
  const fresh = before.initialState(positions.length);
  const state = growState(fresh.withTensors(tensors, positions), after);
  fresh.dispose();
  return state.tensors();
}
