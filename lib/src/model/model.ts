/** The model: a configuration, parameters, and a function from tokens and state to logits and state. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";

import { expectInUse, expectOptions } from "../arguments.js";
import { jupyterDisplay, Shown, tableForms, type MimeBundle } from "../display.js";
import { embedding } from "../ops/embedding/embedding.js";
import { linear } from "../ops/linear/linear.js";
import { tidyValue } from "../ops/tidy.js";
import { variantOf } from "../sse/registry.js";
import type { SseVariant } from "../sse/variant.js";
import { activationNames, type ActivationNames } from "./activation-names.js";
import { layerNorm } from "./block-norm.js";
import { block } from "./block.js";
import { blocksOfToken } from "./blocks-token.js";
import {
  completeConfiguration,
  modelOptionNames,
  sseHeads,
  type ModelConfiguration,
  type ModelOptions,
} from "./configuration.js";
import type { ForwardOptions, ForwardResult, LanguageModel } from "./language-model.js";
import { createParameters, parameter, type Parameters } from "./parameters.js";
import { expectState, initialState, ModelState, type LayerState } from "./state.js";
import { LayerRun, tapped } from "./tap.js";
import { tokenTensor, type Tokens } from "./tokens.js";

/** A Meta-State model (RWKV-7 when its SSE is `none`). Make one with {@link createModel}. */
export class Model extends Shown implements LanguageModel<ModelState> {
  /** its use of the WKV state; a variant that is defined anew under the name does not change the model */
  readonly sse: SseVariant;

  /** @param parameters all parameters of the configuration, by name; the model owns them from here on */
  constructor(
    readonly configuration: ModelConfiguration,
    readonly parameters: Parameters,
  ) {
    super();
    this.sse = variantOf(configuration);
  }

  /** The number of parameters, elements of all variables; what several names share counts once. */
  get parameterCount(): number {
    let count = 0;
    for (const variable of new Set(this.parameters.values())) count += variable.size;
    return count;
  }

  /** What a tap gets to see: names, shapes, and what each is. */
  get activationNames(): ActivationNames {
    return activationNames(this.configuration);
  }

  /** The state before any token: zeros, or what was learned (`learnedState`). */
  initialState(batchSize = 1): ModelState {
    return initialState(this.configuration, this.parameters, batchSize);
  }

  /**
   * Runs the model. A sequence at once, token by token, or cut anywhere gives the same logits and states, to rounding.
   * The state passed in is not changed. Differentiable in parameters and state.
   *
   * @param tokens `[B, T]`, T ≥ 1: rows of numbers, an int32 tensor, or plain data of a batch
   * @param state the state before the first token; left out, the beginning of a text
   * @param options which positions' logits are wanted; a `tap` that sees, and may replace, {@link activationNames}
   * @returns logits `[B, T, V]` and the state after the last token; both hold tensors of the caller's
   * @throws TokenError when a token is outside the vocabulary; ShapeError when shapes do not fit, a tap's replacement's too;
   *   Error after {@link dispose}
   */
  forward(
    tokens: Tokens,
    state?: ModelState,
    { logits: wanted = "all", tap, addLoss }: ForwardOptions = {},
  ): ForwardResult<ModelState> {
    const { configuration, parameters } = this;
    expectInUse("forward", this);
    return tidyValue(() => {
      const ids: Tensor2D = tokenTensor("forward", tokens, configuration.vocabSize);
      const batchSize = ids.shape[0];
      if (state) expectState(configuration, batchSize, state);
      const before = state ?? this.initialState(batchSize);
      const normalised = (name: string, stream: Tensor3D): Tensor3D =>
        tapped(
          tap,
          name,
          layerNorm((part) => parameter(parameters, part), name, stream),
        );
      const embedded = tapped(tap, "emb", embedding(parameter(parameters, "emb.weight"), ids));
      const stream = normalised("blocks.0.ln0", embedded);
      const { x, layers } =
        blocksOfToken(configuration, parameters, stream, before.layers, tap !== undefined) ??
        this.oneByOne(stream, before.layers, { tap, addLoss });
      const last = wanted === "last" ? tf.slice(x, [0, x.shape[1] - 1, 0], [-1, 1, -1]) : x;
      const logits = tapped(tap, "logits", linear(normalised("ln_out", last), parameter(parameters, "head.weight")));
      const positions = before.positions.map((position) => position + ids.shape[1]);
      return { logits, state: new ModelState(layers, positions) };
    });
  }

  /** The blocks on the residual stream that the first one takes. */
  private oneByOne(
    stream: Tensor3D,
    given: readonly LayerState[],
    { tap, addLoss }: ForwardOptions,
  ): { x: Tensor3D; layers: LayerState[] } {
    let x = stream;
    let firstValue: Tensor3D | undefined;
    const layers = given.map((before, layer) => {
      const run = new LayerRun(this.parameters, layer, tap, addLoss);
      const result = block(this.configuration, run, x, before, firstValue);
      ({ x, firstValue } = result);
      return result.state;
    });
    return { x, layers };
  }

  /** Whether {@link dispose} was called. */
  get isDisposed(): boolean {
    return this.parameters.get("emb.weight")?.isDisposed ?? false;
  }

  /** Frees the parameters; the model cannot be used afterwards. */
  dispose(): void {
    for (const variable of this.parameters.values()) variable.dispose();
  }

  [jupyterDisplay](): MimeBundle {
    const { configuration } = this;
    const { sse, layers, width, heads, headSize, parameterTokens, vocabSize, learnedState } = configuration;
    const rows = [
      [
        sse === "none" ? "RWKV-7" : `Meta-State (${sse})`,
        `${this.parameterCount.toLocaleString("en")} parameters${this.isDisposed ? ", disposed of" : ""}`,
      ],
      ...(sse === "none" ? [] : [["SSE", this.sse.describe(configuration)]]),
      ["layers", `${layers}`],
      ["width", `${width}`],
      ["heads", `${heads} of ${headSize} channels`],
      ["parameter tokens", `${parameterTokens} a layer`],
      ...optionRows(configuration),
      ["vocabulary", `${vocabSize}`],
      ...(learnedState ? [["initial state", "learned"]] : []),
    ];
    return tableForms(rows);
  }
}

/** The options that are not at their defaults. */
function optionRows(configuration: ModelConfiguration): string[][] {
  const { sse, rho, heads, mixture, mul, aScale, activation } = configuration;
  const rows: string[][] = [];
  if (sse !== "none" && rho < 1)
    rows.push(["rho", `${rho}: ${sseHeads(configuration)} of ${heads} heads carry the SSE`]);
  if (mixture) {
    const { groups, topK } = mixture;
    rows.push(["mixture", `${groups} groups of parameter tokens, ${topK < groups ? `at most ${topK}` : "all"} in use`]);
  }
  if (mul) rows.push(["mul", "what the SSE adds multiplies the token"]);
  if (aScale !== 1) rows.push(["aScale", `${aScale}: the in-context learning rate's factor in the transition`]);
  if (activation !== "squaredRelu") rows.push(["activation", activation]);
  return rows;
}

/**
 * A model with fresh parameters.
 *
 * @param options sizes and SSE variant, see {@link ModelOptions}
 * @param settings `seed`: the same seed gives the same parameters on every machine
 * @throws ConfigurationError naming what does not fit
 *
 * @example
 * ```ts
 * const model = ms.createModel({ vocabSize: 256, width: 64, layers: 2, headSize: 32, sse: "sse" }, { seed: 1 });
 * const { logits, state } = model.forward([[72, 101, 108, 108, 111]]); // logits [1, 5, 256]
 * ```
 */
export function createModel(options: ModelOptions, settings: { seed?: number } = {}): Model {
  expectOptions("createModel", options, modelOptionNames);
  expectOptions("createModel's second argument", settings, { seed: true });
  const { seed = 0 } = settings;
  const configuration = completeConfiguration(options);
  return new Model(configuration, createParameters(configuration, seed));
}
