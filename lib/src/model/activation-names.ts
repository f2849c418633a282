/** The names of what a forward pass shows to a tap: one scheme for traces, interventions and plots. */
import { jupyterDisplay, Shown, tableForms, type MimeBundle } from "../display.js";
import { variantOf } from "../sse/registry.js";
import type { ModelConfiguration } from "./configuration.js";

/** What is known of an activation before a pass. */
export interface ActivationDescription {
  /** e.g. `blocks.3.att.wkv`; an SSE variant names its own without the layer, e.g. `read` */
  readonly name: string;
  /** in the letters of docs/model.md, e.g. `[B, T, H, N]` */
  readonly shape: string;
  /** one line for a person */
  readonly description: string;
}

/** All activations of a model, in the order in which a pass makes them. Shows itself as a table. */
export class ActivationNames extends Shown implements Iterable<ActivationDescription> {
  /** @param all in the order in which a pass makes them */
  constructor(readonly all: readonly ActivationDescription[]) {
    super();
  }

  /** The names alone. */
  get names(): string[] {
    return this.all.map(({ name }) => name);
  }

  /** In the order of a pass. */
  [Symbol.iterator](): Iterator<ActivationDescription> {
    return this.all[Symbol.iterator]();
  }

  [jupyterDisplay](): MimeBundle {
    const rows = [
      ["activation", "shape", "what it is"],
      ...this.all.map(({ name, shape, description }) => [name, shape, description]),
    ];
    return tableForms(rows);
  }
}

/** The activations of a Meta-State model. */
export function activationNames(configuration: ModelConfiguration): ActivationNames {
  const variant = variantOf(configuration);
  const perLayer = (layer: number): ActivationDescription[] => {
    const meta = variant.metaState;
    const named = ([name, shape, description]: Row): ActivationDescription => ({
      name: `blocks.${layer}.${name}`,
      shape,
      description,
    });
    const own = (when: "before" | "state"): ActivationDescription[] =>
      variant.states.map(({ name, shape }) =>
        named([
          `${when}.${name}`,
          `[B, ${shape(configuration).join(", ")}]`,
          `the variant's ${name} ${when === "before" ? "before the pass's first" : "after the pass's last"} token`,
        ]),
      );
    return [
      ...(layer === 0
        ? [named(["ln0", "[B, T, C]", "the embedding, normalised: the residual stream's beginning"])]
        : []),
      ...statesBefore.map(named),
      ...(meta ? [named(["before.meta", "[B, Hs, N, N]", "the Meta-State M before the pass's first token"])] : []),
      ...own("before"),
      ...timeMixing.map(named),
      ...layerBefore.map(named),
      ...variant.activations.map(({ name, shape, description }) => named([`meta.${name}`, shape, description])),
      named(["meta.z", "[B, T, C]", "z: what meets the parameter tokens"]),
      ...(configuration.mixture
        ? [named(["meta.groups", "[B, T, G]", "the weight of each group of parameter tokens, 0 to 2"])]
        : []),
      ...layerAfter.map(named),
      ...statesAfter.map(named),
      ...(meta ? [named(["state.meta", "[B, Hs, N, N]", "the Meta-State M after the pass's last token"])] : []),
      ...own("state"),
    ];
  };
  return new ActivationNames([
    { name: "emb", shape: "[B, T, C]", description: "the tokens' embeddings" },
    ...Array.from({ length: configuration.layers }, (_, layer) => perLayer(layer)).flat(),
    { name: "ln_out", shape: "[B, T, C]", description: "the residual stream as the head sees it" },
    { name: "logits", shape: "[B, T, V]", description: "the logits of the next token" },
  ]);
}

type Row = readonly [name: string, shape: string, description: string];

const statesBefore: readonly Row[] = [
  ["before.attShift", "[B, C]", "the token before the pass's first as time mixing saw it"],
  ["before.ffnShift", "[B, C]", "the token before the pass's first as the Meta-State layer saw it"],
  ["before.wkv", "[B, H, N, N]", "the WKV state S before the pass's first token"],
];

const timeMixing: readonly Row[] = [
  ["ln1", "[B, T, C]", "the residual stream as time mixing sees it"],
  ["att.r", "[B, T, H, N]", "receptance: what is read from S"],
  ["att.w", "[B, T, H, N]", "decay: the factor by which a key channel of S fades"],
  ["att.a", "[B, T, H, N]", "in-context learning rate, 0 to 1"],
  ["att.g", "[B, T, A]", "output gate"],
  ["att.v", "[B, T, H, N]", "value: what is written"],
  ["att.k", "[B, T, H, N]", "replacement key: where in S the value is written"],
  ["att.kappa", "[B, T, H, N]", "removal key κ̂, of unit length: what S holds under it is removed"],
  ["att.wkv", "[B, T, H, N]", "y = S r: the read of the WKV state"],
  ["att.ln_x", "[B, T, A]", "the read, normalised per head"],
  ["att.out", "[B, T, C]", "what time mixing adds to the residual stream"],
  ["mid", "[B, T, C]", "the residual stream between time mixing and the Meta-State layer"],
];

const layerBefore: readonly Row[] = [
  ["ln2", "[B, T, C]", "x: the residual stream as the Meta-State layer sees it"],
  ["meta.shifted", "[B, T, C]", "x̂: x after the token shift"],
];

const layerAfter: readonly Row[] = [
  ["ffn.hidden", "[B, T, n]", "how strongly each parameter token responds, after the activation"],
  ["ffn.out", "[B, T, C]", "what the Meta-State layer adds to the residual stream"],
  ["out", "[B, T, C]", "the residual stream after the block"],
];

const statesAfter: readonly Row[] = [
  ["state.attShift", "[B, C]", "the pass's last token as time mixing saw it"],
  ["state.ffnShift", "[B, C]", "the pass's last token as the Meta-State layer saw it"],
  ["state.wkv", "[B, H, N, N]", "the WKV state S after the pass's last token"],
];
