/** The skeleton that all baselines share: embedding, pre-norm residual blocks of two mixers, head. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";

import { expectInUse } from "../arguments.js";
import { jupyterDisplay, Shown, tableForms, type MimeBundle } from "../display.js";
import { ActivationNames, type ActivationDescription } from "../model/activation-names.js";
import type { ForwardOptions, ForwardResult, LanguageModel } from "../model/language-model.js";
import { parameter, type Parameters } from "../model/parameters.js";
import { LayerRun, tapped } from "../model/tap.js";
import { tokenTensor, type Tokens } from "../model/tokens.js";
import { embedding } from "../ops/embedding/embedding.js";
import { linear } from "../ops/linear/linear.js";
import { rotations, type Rotations } from "../ops/rotary/rotary.js";
import { tidyValue } from "../ops/tidy.js";
import {
  BaselineState,
  expectBaselineState,
  initialBaselineState,
  stateOf,
  stateParts,
  type BaselineLayerState,
} from "./baseline-state.js";
import { baselineTitles, type BaselineConfiguration } from "./configuration.js";
import type { MixerHalf } from "./mixer.js";
import { norms } from "./norms.js";
import { mixer } from "./registry.js";

/** A baseline. Make one with {@link createBaseline}. */
export class BaselineModel extends Shown implements LanguageModel<BaselineState> {
  /** @param parameters all parameters of the configuration, by name; the model owns them from here on */
  constructor(
    readonly configuration: BaselineConfiguration,
    readonly parameters: Parameters,
  ) {
    super();
  }

  /** The number of parameters, elements of all variables. */
  get parameterCount(): number {
    let count = 0;
    for (const variable of this.parameters.values()) count += variable.size;
    return count;
  }

  /** What a tap gets to see: names, shapes, and what each is. */
  get activationNames(): ActivationNames {
    return new ActivationNames(activations(this.configuration));
  }

  /** The state before any token. */
  initialState(batchSize = 1): BaselineState {
    return initialBaselineState(this.configuration, batchSize);
  }

  /**
   * Runs the model. A sequence at once, token by token, or cut anywhere gives the same logits and states, to rounding.
   * The state passed in is not changed. Differentiable in parameters and state.
   *
   * @param tokens `[B, T]`, T ≥ 1: rows of numbers, an int32 tensor, or plain data of a batch
   * @param state the state before the first token; left out, the beginning of a text
   * @param options which positions' logits are wanted; a `tap` that sees, and may replace, {@link activationNames}
   * @returns logits `[B, T, V]` and the state after the last token; both hold tensors of the caller's
   * @throws TokenError when a token is outside the vocabulary; ShapeError when shapes do not fit; ConfigurationError when the
   *   state is of another model, or a row would see more than `maximumContext` tokens; Error after {@link dispose}
   */
  forward(
    tokens: Tokens,
    state?: BaselineState,
    { logits: wanted = "all", tap }: ForwardOptions = {},
  ): ForwardResult<BaselineState> {
    const { configuration, parameters } = this;
    expectInUse("forward", this);
    return tidyValue(() => {
      const ids: Tensor2D = tokenTensor("forward", tokens, configuration.vocabSize);
      const [batchSize, time] = ids.shape;
      if (state) expectBaselineState(configuration, batchSize, state);
      const before = state ?? initialBaselineState(configuration, batchSize);
      const norm = (name: string, x: Tensor3D): Tensor3D =>
        norms[configuration.norm].apply(x, (part) => parameter(parameters, `${name}.${part}`));
      let x = tapped(tap, "emb", embedding(parameter(parameters, "emb.weight"), ids));
      const sequence = new Sequence(before, time);
      const layers: BaselineLayerState[] = [];
      for (let layer = 0; layer < configuration.layers; layer++) {
        const run = new LayerRun(parameters, layer, tap);
        if (layer === 0 && configuration.embeddingNorm) x = run.tap("ln0", norm("blocks.0.ln0", x));
        const held = tapState(run, "before", before.layers[layer]!);
        const half = (name: MixerHalf, input: Tensor3D) => runMixer(configuration, run, name, input, held, sequence);
        const mixed = half("att", run.tap("ln1", norm(`blocks.${layer}.ln1`, x)));
        x = run.tap("mid", tf.add(x, mixed.output));
        const fed = half("ffn", run.tap("ln2", norm(`blocks.${layer}.ln2`, x)));
        x = run.tap("out", tf.add(x, fed.output));
        layers.push(tapState(run, "state", { ...mixed.state, ...fed.state }));
      }
      if (wanted === "last") x = tf.slice(x, [0, time - 1, 0], [-1, 1, -1]);
      const normalised = tapped(tap, "ln_out", norm("ln_out", x));
      const logits = tapped(tap, "logits", linear(normalised, parameter(parameters, "head.weight")));
      const positions = before.positions.map((position) => position + time);
      return { logits, state: new BaselineState(layers, positions, before.growing) };
    });
  }

  /** Frees the parameters; the model cannot be used afterwards. */
  dispose(): void {
    for (const variable of this.parameters.values()) variable.dispose();
  }

  [jupyterDisplay](): MimeBundle {
    const { kind, width, layers, heads, headSize, hidden, norm, vocabSize, tokenMixer, channelMixer, mixerOptions } =
      this.configuration;
    const rows = [
      [baselineTitles[kind], `${this.parameterCount.toLocaleString("en")} parameters`],
      ["layers", `${layers}`],
      ["width", `${width}`],
      ["token mixer", tokenMixer + (headSize > 1 ? `, ${heads} heads of ${headSize} channels` : "")],
      ["channel mixer", `${channelMixer}, ${hidden} wide`],
      ["norm", norm],
      ...Object.entries(mixerOptions).map(([name, value]) => [name, String(value)]),
      ["vocabulary", `${vocabSize}`],
    ];
    return tableForms(rows);
  }
}

/** What all layers share of a pass. */
class Sequence {
  readonly positions: readonly number[];
  private first: Tensor1D | undefined;
  private readonly turns = new Map<string, Rotations>();

  constructor(
    private readonly before: BaselineState,
    private readonly time: number,
  ) {
    this.positions = before.positions;
  }

  get starts(): Tensor1D {
    const { cached } = this.before;
    return (this.first ??= tf.tensor1d(
      this.positions.map((seen) => cached - seen),
      "int32",
    ));
  }

  rotations(size: number, base: number): Rotations {
    const name = `${size} ${base}`;
    const known = this.turns.get(name) ?? rotations(this.positions, this.time, size, base);
    this.turns.set(name, known);
    return known;
  }
}

function runMixer(
  configuration: BaselineConfiguration,
  run: LayerRun,
  half: MixerHalf,
  x: Tensor3D,
  held: BaselineLayerState,
  sequence: Sequence,
): { output: Tensor3D; state: BaselineLayerState } {
  const runs = mixer(half, half === "att" ? configuration.tokenMixer : configuration.channelMixer);
  const parts = stateOf(configuration, half).map((part) => part.name);
  const { output, state = {} } = runs.apply({
    configuration,
    layer: run.layer,
    x,
    state: Object.fromEntries(parts.map((part) => [part, held[part]!])),
    parameter: (parameterName) => run.parameter(`${half}.${parameterName}`),
    tap: (activation, value) => run.tap(`${half}.${activation}`, value),
    positions: sequence.positions,
    get starts() {
      return sequence.starts;
    },
    append: (part, entries) => (held[part]!.shape[1] === 0 ? entries : tf.concat([held[part]!, entries], 1)),
    rotations: (size, base) => sequence.rotations(size, base),
  });
  const missing = parts.find((part) => !state[part]);
  if (missing !== undefined) {
    throw new RangeError(
      `mixer "${runs.name}" declares the state "${missing}" but apply gave none: return {output, state}`,
    );
  }
  return {
    output: run.tap(`${half}.out`, output),
    state: Object.fromEntries(parts.map((part) => [part, state[part]!])),
  };
}

/** The parts of a layer's state, each by its name: `before.keys`, `state.keys`, … */
function tapState(run: LayerRun, when: "before" | "state", layer: BaselineLayerState): BaselineLayerState {
  if (!run.isTapped) return layer;
  return Object.fromEntries(
    Object.entries(layer).map(([part, tensor]): [string, Tensor] => [part, run.tap(`${when}.${part}`, tensor)]),
  );
}

function activations(configuration: BaselineConfiguration): ActivationDescription[] {
  const { layers, embeddingNorm, tokenMixer, channelMixer } = configuration;
  const stream = (name: string, description: string): ActivationDescription => ({
    name,
    shape: "[B, T, C]",
    description,
  });
  const states = (when: "before" | "state", description: string): ActivationDescription[] =>
    stateParts(configuration).map(({ name, shape, grows }) => ({
      name: `${when}.${name}`,
      shape: `[${["B", ...(grows ? ["S"] : []), ...shape].join(", ")}]`,
      description: `the state's ${name} ${description}`,
    }));
  const half = (of: MixerHalf, name: string): ActivationDescription[] => {
    const { activations: own = [], description } = mixer(of, name);
    return [
      ...own.map((activation) => ({ ...activation, name: `${of}.${activation.name}` })),
      stream(`${of}.out`, `what is added to the residual stream: ${description}`),
    ];
  };
  const block = (layer: number): ActivationDescription[] =>
    [
      ...(layer === 0 && embeddingNorm ? [stream("ln0", "the embedding, normalised")] : []),
      ...states("before", "before the pass's first token"),
      stream("ln1", "the residual stream as the token mixer sees it"),
      ...half("att", tokenMixer),
      stream("mid", "the residual stream between the mixers"),
      stream("ln2", "the residual stream as the channel mixer sees it"),
      ...half("ffn", channelMixer),
      stream("out", "the residual stream after the block"),
      ...states("state", "after the pass's last token"),
    ].map((activation) => ({ ...activation, name: `blocks.${layer}.${activation.name}` }));
  return [
    stream("emb", "the tokens' embeddings"),
    ...Array.from({ length: layers }, (_, layer) => block(layer)).flat(),
    stream("ln_out", "the residual stream as the head sees it"),
    { name: "logits", shape: "[B, T, V]", description: "the logits of the next token" },
  ];
}
