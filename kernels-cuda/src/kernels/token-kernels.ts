/**
 * The library's optional kernels of one token: all blocks of a model, `BlocksToken`, and of a block whose other half goes op by op
 * the first, `TimeMixingToken`. Their inputs and outputs stand with the library's `blocksTokenName` and `timeMixingTokenName`. Each is
 * the ops of `library-ops.ts` one after the other, on the CPU with the same bits, in one call of the addon: JavaScript and tfjs between
 * them are what the memory that holds the weights would wait for. The `cuda` backend runs these bodies too.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { Inputs, KernelMemory, NativeBodies } from "./native-kernel.js";

/** In the addon's order; what the first layer lacks comes last. */
const timeMixingInputs = [
  ...["stream", "ln1.weight", "ln1.bias", "shift", "wkv", "x_r", "x_w", "x_k", "x_v", "x_a", "x_g"],
  ...[
    "receptance.weight",
    "key.weight",
    "value.weight",
    "output.weight",
    "w0",
    "w1",
    "w2",
    "a0",
    "a1",
    "a2",
    "g1",
    "g2",
  ],
  ...["k_k", "k_a", "r_k", "ln_x.weight", "ln_x.bias"],
];
const residualInputs = ["v0", "v1", "v2"];
const ofLaterLayers = ["firstValue", ...residualInputs];

/** What time mixing takes of a block, by the names of `BlocksToken` after `blocks.3.`; the stream comes from the block before. */
function ofBlock(names: readonly string[]): string[] {
  const others = names.filter((name) => name !== "stream");
  return others.map((name) => (name === "shift" ? "attShift" : /^(ln1\.|wkv$)/.test(name) ? name : `att.${name}`));
}

const mixingOfBlock = ofBlock(timeMixingInputs);
const residualOfBlock = ofBlock(residualInputs);
const layerOfBlock = ["ln2.weight", "ln2.bias", "ffnShift", "ffn.x_k", "ffn.key.weight", "ffn.value.weight"];
const passOfBlock = ["meta.beta_g", "meta.alpha_g", "meta"];

const namesOfBlocks = { plain: [] as string[][], withPass: [] as string[][] };

/** What `BlocksToken` takes of a layer, in the addon's order. */
function blockInputs(layer: number, hasPass: boolean): readonly string[] {
  // Kept: a token asks for hundreds of names, and a name that was never looked up before is looked up more slowly.
  return (namesOfBlocks[hasPass ? "withPass" : "plain"][layer] ??= [
    ...mixingOfBlock,
    ...(layer > 0 ? residualOfBlock : []),
    ...layerOfBlock,
    ...(hasPass ? passOfBlock : []),
  ].map((name) => `blocks.${layer}.${name}`));
}

function valuesOf(backend: KernelMemory, inputs: Inputs, names: readonly string[]): Float32Array[] {
  return listed(
    backend,
    names.map((name) => backend.floats(inputs[name]!)),
  );
}

function listed(backend: KernelMemory, values: Float32Array[]): Float32Array[] {
  return backend.list ? backend.list(values) : values;
}

/** Texts and width of the residual stream. */
function streamSizes(kernel: string, { stream }: Inputs): [batch: number, width: number] {
  const [batch, time, width] = stream!.shape as [number, number, number];
  if (time !== 1) throw new RangeError(`${kernel}: stream has ${time} tokens in a row, wanted 1`);
  return [batch, width];
}

function makeAll(
  backend: KernelMemory,
  shapes: readonly (readonly number[])[],
): { infos: TensorInfo[]; arrays: Float32Array[] } {
  const made = shapes.map((shape) => backend.makeFloats(shape));
  return {
    infos: made.map(({ info }) => info),
    arrays: listed(
      backend,
      made.map(({ floats }) => floats),
    ),
  };
}

export const tokenKernels: NativeBodies<KernelMemory> = {
  BlocksToken(binding, backend, inputs, attributes) {
    const { layers, heads, headSize, aScale, normEpsilon, readEpsilon } = attributes as Record<string, number>;
    const [batch, width] = streamSizes("BlocksToken", inputs);
    const hasPass = inputs["blocks.0.meta"] !== undefined;
    const given = [backend.floats(inputs["stream"]!)];
    const shapes: number[][] = [[batch, 1, width]];
    const state = [batch, heads!, headSize!, headSize!];
    const ofLayer = [[batch, width], [batch, width], state, ...(hasPass ? [state] : [])];
    for (let layer = 0; layer < layers!; layer++) {
      for (const name of blockInputs(layer, hasPass)) given.push(backend.floats(inputs[name]!));
      shapes.push(...ofLayer);
    }
    const { infos, arrays } = makeAll(backend, shapes);
    const sizes = [batch, width, heads!, headSize!] as const;
    binding.blocksToken(...sizes, normEpsilon!, readEpsilon!, aScale!, hasPass, listed(backend, given), arrays);
    return infos;
  },

  TimeMixingToken(binding, backend, inputs, attributes) {
    const { heads, headSize, aScale, normEpsilon, readEpsilon } = attributes as Record<string, number>;
    const [batch, width] = streamSizes("TimeMixingToken", inputs);
    const names = inputs["firstValue"] ? [...timeMixingInputs, ...ofLaterLayers] : timeMixingInputs;
    const perHead = [batch, 1, heads!, headSize!];
    const coefficients = Array<number[]>(6).fill(perHead);
    const shapes = [[batch, 1, width], [batch, width], [batch, heads!, headSize!, headSize!], ...coefficients];
    const { infos, arrays } = makeAll(backend, shapes);
    const sizes = [batch, width, heads!, headSize!] as const;
    binding.timeMixingToken(...sizes, normEpsilon!, readEpsilon!, aScale!, valuesOf(backend, inputs, names), arrays);
    return infos;
  },
};
