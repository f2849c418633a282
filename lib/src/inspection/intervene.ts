/** A model whose insides are edited as it runs. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";

import { jupyterDisplay, Shown, tableForms, type MimeBundle } from "../display.js";
import { expectModel, expectOptions } from "../arguments.js";
import { ConfigurationError } from "../errors.js";
import type { ActivationNames } from "../model/activation-names.js";
import type { ForwardOptions, ForwardResult, LanguageModel, SequenceState, Tap } from "../model/language-model.js";
import type { Parameters } from "../model/parameters.js";
import { tapped } from "../model/tap.js";
import { tokenTensor, type Tokens } from "../model/tokens.js";
import { tidyValue } from "../ops/tidy.js";
import { activationShapes, momentOf, rememberShapes, type ActivationShape } from "./activation-places.js";
import { applyEdit, headAxis, listOf, type CheckedEdit, type Edit, type PositionChoice } from "./edits.js";
import { matchingNames } from "./name-patterns.js";

/**
 * A model that runs with edits; see {@link intervene}. Its parameters and states are the model's: it trains, generates, is
 * evaluated and traced as the model is, and there is nothing of its own to free.
 */
export class IntervenedModel<S extends SequenceState = SequenceState> extends Shown implements LanguageModel<S> {
  private readonly checked: readonly CheckedEdit[];

  /** @param edits in the order in which they are made */
  constructor(
    readonly model: LanguageModel<S>,
    readonly edits: readonly Edit[],
  ) {
    super();
    const shapes = activationShapes("intervene", model);
    rememberShapes(this, shapes);
    this.checked = edits.map((edit, i) => checkEdit(`intervene: edits[${i}]`, edit, shapes));
  }

  /** The model's own. */
  get configuration(): LanguageModel<S>["configuration"] {
    return this.model.configuration;
  }

  /** The model's own. */
  get parameters(): Parameters {
    return this.model.parameters;
  }

  /** The model's own. */
  get activationNames(): ActivationNames | undefined {
    return this.model.activationNames;
  }

  /** The model's own. */
  initialState(batchSize = 1): S {
    return this.model.initialState(batchSize);
  }

  /**
   * Runs the model with the edits. Positions are counted from the beginning of the text: by `state.positions`, which the
   * model's states carry along, so that a text cut anywhere is edited as the whole would be.
   *
   * @throws as the model does; ConfigurationError when values do not fit the activation they are to change
   */
  forward(tokens: Tokens, state?: S, { tap, logits = "all", addLoss }: ForwardOptions = {}): ForwardResult<S> {
    return tidyValue(() => {
      const ids: Tensor2D = tokenTensor("forward", tokens, this.configuration.vocabSize);
      const [batch, time] = ids.shape;
      const starts = state?.positions ?? new Array<number>(batch).fill(0);
      const pieces: Tensor3D[] = [];
      let current = state;
      let from = 0;
      for (const to of this.pieceEnds(starts, time)) {
        const result: ForwardResult<S> = this.model.forward(tf.slice(ids, [0, from], [batch, to - from]), current, {
          ...{ logits, addLoss },
          tap: this.editing(
            starts.map((start) => start + from),
            to - from,
            tap,
          ),
        });
        if (logits === "all" || to === time) pieces.push(result.logits);
        current = result.state;
        from = to;
      }
      return { logits: pieces.length > 1 ? tf.concat(pieces, 1) : pieces[0]!, state: current! };
    });
  }

  /** Nothing: the parameters are the model's. */
  dispose(): void {
    // Whoever made the model frees it.
  }

  [jupyterDisplay](): MimeBundle {
    const rows = [
      ["edit of", "what", "tokens", "rows", "heads"],
      ...this.edits.map(({ at, edit, positions, rows: ofRows, heads }) => [
        typeof at === "string" ? at : at.join(", "),
        typeof edit === "string"
          ? edit
          : typeof edit === "function"
            ? edit.name || "a function"
            : Object.keys(edit).join(),
        describePositions(positions),
        ofRows === undefined ? "all" : listOf(ofRows).join(", "),
        heads === undefined ? "all" : listOf(heads).join(", "),
      ]),
    ];
    return tableForms(rows);
  }

  /** Where a piece of the text must end, so that a state can be edited there. */
  private pieceEnds(starts: readonly number[], time: number): number[] {
    const ends = new Set([time]);
    for (const { names, isChosen } of this.checked) {
      const moments = new Set([...names].map(momentOf));
      for (let t = 0; t < time; t++) {
        if (!starts.some((start) => isChosen(start + t))) continue;
        if (moments.has("after")) ends.add(t + 1);
        if (moments.has("before") && t > 0) ends.add(t);
      }
    }
    return [...ends].sort((a, b) => a - b);
  }

  /** @param starts the number of each row's first token; `time` tokens follow */
  private editing(starts: readonly number[], time: number, outer: Tap | undefined): Tap {
    return (name, value) => {
      let edited: Tensor = value;
      for (const one of this.checked) {
        if (!one.names.has(name)) continue;
        const positions = starts.map((start) => positionsOf(name, value, start, time));
        edited = tapped((_, given) => applyEdit(one, given, { name, positions }), name, edited);
      }
      return tapped(outer, name, edited);
    };
  }
}

/**
 * A model that runs with some of its activations or states edited: zeroed, scaled, set, swapped, or changed by a function.
 * It is a `LanguageModel` like any other: `forward`, `ms.generate`, `ms.evaluate`, `ms.trace` and `ms.evolution` run it.
 *
 * Positions count from the beginning of the text. A state knows how many tokens it has seen (`state.positions`), so that
 * generation and texts in pieces are edited at the right places; one that does not say is taken for the beginning.
 *
 * An edit of a state goes on with the text: what comes after sees the edited state. One of all positions makes the model
 * run token by token.
 *
 * @param model it is not changed; its parameters are used, not copied
 * @param edits in the order in which they are made
 * @throws ConfigurationError when a name fits nothing (with the near ones), or heads are asked for where there are none
 */
export function intervene<S extends SequenceState>(
  model: LanguageModel<S>,
  edits: Edit | readonly Edit[],
): IntervenedModel<S> {
  expectModel("intervene", model);
  const list = Array.isArray(edits) ? (edits as readonly Edit[]) : [edits as Edit];
  // One model cuts a text once, and its taps see it in order.
  if (model instanceof IntervenedModel) {
    const inner = model as IntervenedModel<S>;
    return new IntervenedModel(inner.model, [...inner.edits, ...list]);
  }
  return new IntervenedModel(model, list);
}

function positionsOf(name: string, value: Tensor, start: number, time: number): number[] {
  const moment = momentOf(name);
  if (moment === "before") return [start];
  if (moment === "after") return [start + time - 1];
  const shown = value.shape[1] ?? 0;
  // Of logits, only the last token's may have been wanted.
  if (shown === 1) return [start + time - 1];
  if (shown === time) return Array.from({ length: time }, (_, t) => start + t);
  throw new ConfigurationError(
    `intervene: ${name} is [${value.shape.join(", ")}] in a pass of ${time} tokens, wanted [B, T, …]: it cannot be edited`,
  );
}

function checkEdit(caller: string, edit: Edit, shapes: ReadonlyMap<string, ActivationShape>): CheckedEdit {
  expectOptions(caller, edit, { at: true, positions: true, rows: true, heads: true, edit: true });
  const names = matchingNames(caller, edit.at, [...shapes.keys()]);
  const { edit: action } = edit;
  const swap = typeof action === "object" && "swapHeads" in action ? action.swapHeads : [];
  const heads = [...(edit.heads === undefined ? [] : listOf(edit.heads)), ...swap];
  const growing = new Set<string>();
  for (const name of names) {
    const { shape, grows } = shapes.get(name)!;
    if (grows) growing.add(name);
    const axis = headAxis(name, shape.length, grows);
    if (heads.length > 0 && axis < 0) {
      throw new ConfigurationError(`${caller}: ${name} has no axis of heads: it is [${shape.join(", ")}] a token`);
    }
    const wrong = heads.find((head) => !(Number.isInteger(head) && head >= 0 && head < shape[axis]!));
    if (wrong === undefined) continue;
    throw new ConfigurationError(`${caller}: heads has ${wrong}, but ${name} has the heads 0 to ${shape[axis]! - 1}`);
  }
  return { edit, names: new Set(names), growing, isChosen: positionRule(caller, edit.positions) };
}

function positionRule(caller: string, choice: PositionChoice | undefined): (position: number) => boolean {
  if (choice === undefined) return () => true;
  if (typeof choice === "function") return choice;
  if (typeof choice === "number" || Array.isArray(choice)) {
    const list = listOf(choice as number | readonly number[]);
    const wrong = list.find((position) => !(Number.isInteger(position) && position >= 0));
    if (wrong !== undefined) {
      throw new ConfigurationError(
        `${caller}: positions has ${wrong}, wanted numbers of tokens from the beginning of the text, from 0`,
      );
    }
    const chosen = new Set(list);
    return (position) => chosen.has(position);
  }
  const { from = 0, to = Infinity } = choice as { from?: number; to?: number };
  return (position) => position >= from && position < to;
}

function describePositions(choice: PositionChoice | undefined): string {
  if (choice === undefined) return "all";
  if (typeof choice === "function") return "by a rule";
  if (typeof choice === "number" || Array.isArray(choice))
    return listOf(choice as number | readonly number[]).join(", ");
  const { from = 0, to } = choice as { from?: number; to?: number };
  return to === undefined ? `from ${from}` : `${from} to ${to - 1}`;
}
