/** An SSE variant: its definition, checked and completed. */
import type { Tensor } from "@tensorflow/tfjs-core";

import { expectOptions, type OptionNames } from "../arguments.js";
import { jupyterDisplay, Shown, tableForms, type MimeBundle } from "../display.js";
import { ConfigurationError } from "../errors.js";
import type { ActivationDescription } from "../model/activation-names.js";
import type { ModelConfiguration } from "../model/configuration.js";
import { constant, type Filler } from "../model/initial-values.js";
import { stateTensorNames } from "../model/state-layers.js";
import { axisSize, type SseAxis } from "./axes.js";
import type { SseContext } from "./context.js";

const axisNames: readonly string[] = ["headChannels", "heads", "headSize", "width", "parameterTokens", "groups"];

/** The shape of a parameter: one axis, several, or a function of the configuration. Only named axes can grow. */
export type SseShape =
  Extract<SseAxis, string | number> | readonly SseAxis[] | ((configuration: ModelConfiguration) => readonly number[]);

/** A parameter as a definition has it. */
export interface SseParameterDefinition {
  /** e.g. `"headChannels"`: one value for each channel of each head that carries the SSE */
  readonly shape: SseShape;
  /** the value all its elements start with, or a function that writes them; default 0 */
  readonly initial?: number | Filler;
  /**
   * what its new part is when it grows: `"zero"` (default), or as `initial` says. Of two factors the one that writes is to be zero,
   * so that outputs stay, and the other not: with both at zero neither would ever learn
   */
  readonly grown?: "zero" | "initial";
}

const definitionNames: OptionNames<SseDefinition> = {
  ...{ name: true, description: true, parameters: true, metaState: true, states: true, neutralAtZero: true },
  ...{ activations: true, describe: true, apply: true },
};

/** States after the last token, by name: a variant's own, and `meta` where it carries a Meta-State. */
export type SseStates<State extends string = string> = Readonly<Record<State, Tensor>> & { readonly meta?: Tensor };

/**
 * What `apply` gives: z alone; or z and the state after the last token, which is that of the Meta-State, or all states by
 * name where the variant has some of its own.
 */
export type SseResult<State extends string = string> =
  Tensor | { readonly z: Tensor; readonly state?: Tensor | SseStates<State> };

/** A use of the WKV state in the Meta-State layer, as one writes it. */
export interface SseDefinition<Name extends string = string, State extends string = string> {
  /** what `createModel({sse: …})` takes */
  readonly name: string;
  /** one line for a person; default "a variant of your own" */
  readonly description?: string;
  /** by name; every layer has each of them, as `blocks.3.meta.` and the name. Default none */
  readonly parameters?: Readonly<Record<Name, SseParameterDefinition>>;
  /** whether the variant carries a Meta-State M beside the WKV state; default false */
  readonly metaState?: boolean;
  /**
   * what else it keeps of the tokens that it has seen, by name: the shape for one text, zero before the first token, e.g.
   * `{ momentum: ["heads", "headSize", "headSize"] }`. `apply` finds it in `before` and returns it in `state`; every layer
   * has its own. Default none
   */
  readonly states?: Readonly<Record<State, SseShape>>;
  /**
   * whether it adds nothing when all its parameters are zero, so that an RWKV-7 model can take it on without a change of
   * its outputs; `checkSse` holds it to that. Default false
   */
  readonly neutralAtZero?: boolean;
  /** what `apply` taps, in its order; `read` is listed as `blocks.3.meta.read` */
  readonly activations?: readonly ActivationDescription[];
  /** one line on what it is in a model of this configuration, for the model's display; default the description */
  readonly describe?: (configuration: ModelConfiguration) => string;
  /**
   * What the layer does with the state. Written in tfjs ops on what the context gives, its gradient is tfjs's own.
   *
   * @returns z `[B, T, C]`, which meets the parameter tokens; with a state `{z, state}`
   */
  readonly apply: (context: SseContext<Name, State>) => SseResult<State>;
}

/** A parameter of a variant; every layer has one. */
export interface SseParameter {
  /** its name in the layer, e.g. `alpha_g`; in the model `blocks.3.meta.alpha_g` */
  readonly name: string;
  /** what each axis follows; absent when the shape is a function */
  readonly axes?: readonly SseAxis[];
  /** its shape in a model of this configuration */
  readonly shape: (configuration: ModelConfiguration) => readonly number[];
  /** Writes the initial values. */
  readonly fill: Filler;
  /** the initial value of all elements, where it is one number */
  readonly initial?: number;
  /** what its new part is when it grows */
  readonly grown: "zero" | "initial";
}

/** A state that a variant keeps beside the library's; every layer has one. */
export interface SseState {
  /** its name in a layer's state, e.g. `momentum` */
  readonly name: string;
  /** its shape for one text, in a model of this configuration */
  readonly shape: (configuration: ModelConfiguration) => readonly number[];
}

/** A use of the WKV state in the Meta-State layer, complete. Shows itself as a table. */
export class SseVariant extends Shown {
  readonly name: string;
  readonly description: string;
  readonly parameters: readonly SseParameter[];
  readonly metaState: boolean;
  readonly states: readonly SseState[];
  readonly neutralAtZero: boolean;
  readonly activations: readonly ActivationDescription[];
  /** One line on the variant in a model of this configuration. */
  readonly describe: (configuration: ModelConfiguration) => string;
  /** What the layer does with the state; see {@link SseDefinition}. */
  readonly apply: (context: SseContext) => SseResult;

  /** @throws ConfigurationError naming what of the definition does not do */
  constructor(definition: SseDefinition) {
    super();
    expectOptions("defineSse", definition, definitionNames);
    const { name, description = "a variant of your own", metaState = false, neutralAtZero = false } = definition;
    if (typeof name !== "string" || !/^[A-Za-z][\w-]*$/.test(name)) {
      throw wrong(String(name), "its name", "letters, digits, _ and -, a letter first");
    }
    if (typeof definition.apply !== "function") throw wrong(name, "apply", "a function of the context that gives z");
    this.name = name;
    this.description = description;
    this.metaState = metaState;
    this.neutralAtZero = neutralAtZero;
    this.activations = definition.activations ?? [];
    this.describe = definition.describe ?? (() => description);
    this.apply = definition.apply;
    this.parameters = Object.entries(definition.parameters ?? {}).map(([key, parameter]) =>
      completeParameter(name, key, parameter),
    );
    this.states = Object.entries(definition.states ?? {}).map(([key, shape]) => completeState(name, key, shape));
  }

  /** A table: what it does, its state, its parameters. */
  [jupyterDisplay](): MimeBundle {
    const byConfiguration = "by configuration";
    const shape = ({ axes }: SseParameter): string =>
      axes
        ? `[${axes.map((axis) => (typeof axis === "function" ? byConfiguration : axis)).join(", ")}]`
        : byConfiguration;
    const states = [
      ...(this.metaState ? ["a Meta-State M, as large as the heads' WKV state"] : []),
      ...this.states.map(({ name }) => name),
    ];
    const rows = [
      ["SSE variant", this.name],
      ["what it does", this.description],
      ["state beside the WKV state", states.join("; ") || "none"],
      ...this.parameters.map((parameter) => {
        const { initial } = parameter;
        return [
          `parameter ${parameter.name}`,
          `${shape(parameter)}${initial === undefined ? "" : `, at first ${initial}`}`,
        ];
      }),
      ["RWKV-7 with parameters at zero", this.neutralAtZero ? "yes" : "not claimed"],
    ];
    return tableForms(rows);
  }
}

function completeParameter(variant: string, name: string, definition: SseParameterDefinition): SseParameter {
  if (!/^[A-Za-z]\w*$/.test(name)) {
    throw wrong(variant, `the name of parameter "${name}"`, "letters, digits and _, a letter first");
  }
  if (name === "time_state") throw wrong(variant, `"time_state", the learned initial state's name,`, "another name");
  expectOptions(`defineSse "${variant}", parameter "${name}"`, definition, { shape: true, initial: true, grown: true });
  const { shape, initial = 0, grown = "zero" } = definition;
  if (!["zero", "initial"].includes(grown)) {
    throw wrong(variant, `grown of parameter "${name}", "${grown}",`, '"zero" or "initial"');
  }
  const fill = typeof initial === "function" ? initial : constant(initial);
  const value = typeof initial === "number" ? { initial } : {};
  return { name, ...completeShape(variant, `parameter "${name}"`, shape), fill, grown, ...value };
}

function completeState(variant: string, name: string, shape: SseShape): SseState {
  if (!/^[A-Za-z]\w*$/.test(name) || stateTensorNames.includes(name)) {
    throw wrong(
      variant,
      `the name of state "${name}"`,
      `letters, digits and _, a letter first, and none of the library's ${stateTensorNames.join(", ")}`,
    );
  }
  return { name, ...completeShape(variant, `state "${name}"`, shape) };
}

function completeShape(variant: string, of: string, shape: SseShape): Pick<SseParameter, "axes" | "shape"> {
  if (typeof shape === "function") return { shape };
  const axes: readonly SseAxis[] = typeof shape === "object" ? shape : [shape];
  for (const axis of axes) {
    if (typeof axis === "function") continue;
    const known = typeof axis === "number" ? Number.isSafeInteger(axis) && axis > 0 : axisNames.includes(axis);
    if (known) continue;
    throw wrong(
      variant,
      `the shape of ${of}, ${JSON.stringify(shape)},`,
      `axes out of ${axisNames.join(", ")} or positive integers, or a function of the configuration`,
    );
  }
  return { axes, shape: (configuration) => axes.map((axis) => axisSize(axis, configuration)) };
}

function wrong(variant: string, what: string, wanted: string): ConfigurationError {
  return new ConfigurationError(`defineSse "${variant}": ${what} does not do, wanted ${wanted}`);
}
