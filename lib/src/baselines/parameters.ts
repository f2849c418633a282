/** A baseline's parameters: names, shapes and initial values, in the order of files. */
import { constant, orthogonal, uniform } from "../model/initial-values.js";
import type { ParameterSpecification } from "../model/parameters.js";
import { sizeOf } from "../ops/shape.js";
import type { BaselineConfiguration } from "./configuration.js";
import type { MixerHalf } from "./mixer.js";
import { norms } from "./norms.js";
import { mixer } from "./registry.js";

/** All parameters of a configuration. */
export function baselineParameters(configuration: BaselineConfiguration): ParameterSpecification[] {
  const { vocabSize, width, layers, norm, embeddingNorm, embeddingScale, tokenMixer, channelMixer } = configuration;
  const normParameters = (name: string): ParameterSpecification[] =>
    norms[norm].parameters.map(([part, initial]) => ({
      name: `${name}.${part}`,
      shape: [width],
      fill: constant(initial),
    }));
  const mixerParameters = (half: MixerHalf, name: string, layer: number): ParameterSpecification[] =>
    mixer(half, name)
      .parameters(configuration, layer)
      .map((parameter) => ({
        name: `blocks.${layer}.${half}.${parameter.name}`,
        shape: parameter.shape,
        fill: typeof parameter.initial === "number" ? constant(parameter.initial) : parameter.initial,
      }));
  return [
    { name: "emb.weight", shape: [vocabSize, width], fill: uniform(embeddingScale) },
    ...Array.from({ length: layers }, (_, layer) => [
      ...(layer === 0 && embeddingNorm ? normParameters("blocks.0.ln0") : []),
      ...normParameters(`blocks.${layer}.ln1`),
      ...normParameters(`blocks.${layer}.ln2`),
      ...mixerParameters("att", tokenMixer, layer),
      ...mixerParameters("ffn", channelMixer, layer),
    ]).flat(),
    ...normParameters("ln_out"),
    { name: "head.weight", shape: [vocabSize, width], fill: orthogonal(0.5) },
  ];
}

/** The number of parameters of a configuration, without making them. */
export function countParameters(specifications: readonly ParameterSpecification[]): number {
  return specifications.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}
