/** What a model with the variant must do, whatever the variant computes. */
import * as tf from "@tensorflow/tfjs-core";

import type { Model } from "../../model/model.js";
import { createModel } from "../../model/model.js";
import { tokenMatrix } from "../../model/tokens.js";
import { grow } from "../../growth/grow.js";
import { disposeGradients, lossGradients } from "../../training/gradients.js";
import type { SseCheck } from "./report.js";
import { difference, figure, outcomeDifference, randomModel, randomTokens, run, type CheckSubject } from "./subject.js";

/**
 * Two ways of computing the same in float32 differ by some 1e−6 in these models (measured 2e−7 to 4e−6 over the shipped
 * variants); what is computed differently shows at 1e−2 and more.
 */
const rounding = 1e-4;

const rows = 2;
const time = 6;

/** A check's answer before it has its name. */
type Answer = Omit<SseCheck, "name">;

/** Models of other sizes and calls of other lengths: the shapes that come back are the right ones. */
export function checkShapes(subject: CheckSubject): Answer {
  const { width, headSize, heads } = subject.configuration;
  const slices = width / headSize;
  const cases: [what: string, changes: Parameters<typeof randomModel>[1], rows: number, time: number][] = [
    [`${rows} rows of ${time} tokens`, {}, rows, time],
    ["one row of one token", {}, 1, 1],
    ["more heads than channel slices", { heads: slices + 1 }, 1, 3],
    ["one head", { heads: 1 }, 1, 3],
    ["half the heads (rho 0.5)", { heads: Math.max(2, heads), rho: 0.5 }, 1, 3],
  ];
  for (const [i, [what, changes, batch, length]] of cases.entries()) {
    try {
      const model = randomModel(subject, changes);
      try {
        run(model, randomTokens(subject, batch, length));
      } finally {
        model.dispose();
      }
    } catch (error) {
      const message = messageOf(error);
      return failed(`with ${what}: ${message}`, shapeAdvice(message, i === 0));
    }
  }
  return passed(`${cases.length} sizes`, "z and the state have the right shapes in models and calls of any size");
}

function shapeAdvice(message: string, atFirst: boolean): string {
  if (/\b(int32|bool)\b/.test(message)) {
    return 'What the context gives is float32: of what is compared or counted make it by tf.cast(x, "float32")';
  }
  const sizes = atFirst ? "" : "Take sizes from the context (the shapes of x and queries), not as fixed numbers. ";
  return (
    `${sizes}What meets the heads is [B, T, Hs, N], a parameter for it ["heads", "headSize"]; what meets the channels is [B, T, C], ` +
    'a parameter for it "width"; z must be [B, T, C]'
  );
}

/**
 * No NaN or infinity, from the empty state on and over many tokens: with random parameters, and as a new model has them, whose
 * gradients are to be finite as well.
 */
export function checkFinite(subject: CheckSubject): Answer {
  for (const noise of [undefined, 0]) {
    const model = randomModel(subject, {}, noise);
    const where = noise === 0 ? ", with the parameters of a new model" : "";
    try {
      for (const length of [time, 48]) {
        const first = firstNotFinite(model, randomTokens(subject, 1, length));
        if (first === undefined) continue;
        return failed(
          `NaN or infinity first in ${first}, ${length} tokens${where}`,
          noise === 0
            ? "What is divided by, or has a root or a logarithm taken, must not be zero for what initial says"
            : "Before the first token all states are zero: guard divisions, logarithms and roots with an epsilon, or use normalise",
        );
      }
      const steep = noise === 0 ? gradientNotFinite(model, subject) : undefined;
      if (steep !== undefined) {
        return failed(
          `NaN or infinity in the gradient of ${steep}${where}`,
          "The first step of a training would end there: roots, logarithms and powers have no slope at zero; choose another initial, or add an epsilon",
        );
      }
    } finally {
      model.dispose();
    }
  }
  return passed("48 tokens from an empty state", "no NaN or infinity");
}

/** The first activation with a value that is not finite. */
function firstNotFinite(model: Model, tokens: readonly (readonly number[])[]): string | undefined {
  let first: string | undefined;
  tf.tidy(() => {
    model.forward(tokens, undefined, {
      tap(name, value) {
        if (first === undefined && !value.dataSync().every(Number.isFinite)) first = name;
        return value;
      },
    });
  });
  return first;
}

/** The first parameter of the variant whose gradient is not finite; where there are no gradients another check says so. */
function gradientNotFinite(model: Model, subject: CheckSubject): string | undefined {
  let result: ReturnType<typeof lossGradients>;
  try {
    const [inputs, targets] = [subject, { ...subject, seed: subject.seed + 1 }].map((of) =>
      tokenMatrix("checkSse", randomTokens(of, rows, time)),
    );
    result = lossGradients(model, { inputs: inputs!, targets: targets! });
  } catch {
    return undefined;
  }
  try {
    for (const [name, gradient] of result.gradients) {
      if (name.includes(".meta.") && !gradient.dataSync().every(Number.isFinite)) return name;
    }
    return undefined;
  } finally {
    disposeGradients(result);
  }
}

/** The same call gives the same result. */
export function checkRepeatable(subject: CheckSubject): Answer {
  return withModel(subject, (model) => {
    const tokens = randomTokens(subject, rows, time);
    const apart = outcomeDifference(run(model, tokens), run(model, tokens));
    return apart === 0
      ? passed("difference 0", "the same tokens give the same logits, bit by bit")
      : failed(
          `difference ${figure(apart)}`,
          "Two calls differ: take randomness out of apply, and keep nothing between calls but the state it returns",
        );
  });
}

/** No token changes what came before it. */
export function checkCausality(subject: CheckSubject): Answer {
  return withModel(subject, (model) => {
    const { vocabSize } = subject.configuration;
    const [row] = randomTokens(subject, 1, time) as [number[]];
    const original = run(model, [row]).logits;
    let worst = { apart: 0, token: 0 };
    for (let token = 1; token < time; token++) {
      const changed = run(model, [row.with(token, (row[token]! + 1) % vocabSize)]).logits;
      const before = token * vocabSize;
      const apart = difference(changed.subarray(0, before), original.subarray(0, before));
      if (apart > worst.apart) worst = { apart, token };
    }
    return worst.apart <= 1e-6
      ? passed(`difference ${figure(worst.apart)}`, "a token changes nothing that comes before it")
      : failed(
          `token ${worst.token} changes logits before it by ${figure(worst.apart)}`,
          "The variant looks into the future: axis 1 is time; do not reverse, shift back, average or normalise over it",
        );
  });
}

/** A whole sequence, one token at a time, and cut in between agree. */
export function checkRecurrence(subject: CheckSubject): Answer {
  return withModel(subject, (model) => {
    const tokens = randomTokens(subject, rows, time);
    const whole = run(model, tokens);
    const ones = outcomeDifference(run(model, tokens, new Array<number>(time).fill(1)), whole);
    const cut = outcomeDifference(run(model, tokens, [2, time - 2]), whole);
    const apart = Math.max(ones, cut);
    return apart <= rounding
      ? passed(`difference ${figure(apart)}`, "a text at once, token by token, or cut anywhere: equal to rounding")
      : failed(
          `difference ${figure(apart)}`,
          "A text at once and token by token differ, so generation would not do what training learned: what a token needs of " +
            "earlier ones must come through readState, runMetaState or a state that the definition declares (states), not over axis 1",
        );
  });
}

/** A row of a batch is what it is alone. */
export function checkBatch(subject: CheckSubject): Answer {
  return withModel(subject, (model) => {
    const tokens = randomTokens(subject, rows, time);
    // In two calls: what mixes rows in a state shows only in what comes after.
    const pieces = [2, time - 2];
    const together = run(model, tokens, pieces).logits;
    // run joins pieces along time, so that a row's logits lie together.
    const size = together.length / rows;
    const alone = tokens.map((row) => run(model, [row], pieces).logits);
    const apart = Math.max(
      ...alone.map((logits, b) => difference(together.subarray(b * size, (b + 1) * size), logits)),
    );
    return apart <= rounding
      ? passed(`difference ${figure(apart)}`, "a row of a batch gives what it gives alone")
      : failed(
          `difference ${figure(apart)}`,
          "Rows of a batch reach one another: axis 0 is the batch; do not mix over it",
        );
  });
}

/** Calls leave nothing in memory but what they return. */
export function checkMemory(subject: CheckSubject): Answer {
  return withModel(subject, (model) => {
    const tokens = randomTokens(subject, 1, time);
    run(model, tokens);
    const before = tf.memory().numTensors;
    const calls = 3;
    for (let i = 0; i < calls; i++) run(model, tokens);
    const left = (tf.memory().numTensors - before) / calls;
    return left <= 0
      ? passed("0 tensors a call", "memory stays constant however long it runs")
      : failed(
          `${left} tensors a call stay in memory`,
          "apply must not tf.keep tensors or make tf.variables: everything it makes is freed after the call by itself",
        );
  });
}

/** With all its parameters zero the layer is RWKV-7's, where the variant says so. */
export function checkNeutral(subject: CheckSubject): Answer {
  return withModel(subject, (model) => {
    const { neutralAtZero, parameters } = model.sse;
    const layers = Array.from({ length: subject.configuration.layers }, (_, layer) => layer);
    for (const layer of layers) {
      for (const name of [...parameters.map((parameter) => parameter.name), "router.weight"]) {
        const variable = model.parameters.get(`blocks.${layer}.meta.${name}`);
        if (variable) tf.tidy(() => variable.assign(tf.zerosLike(variable)));
      }
    }
    const plain = createModel({ ...model.configuration, sse: "none", mixture: null, mul: false });
    for (const [name, variable] of plain.parameters) variable.assign(model.parameters.get(name)!);
    const tokens = randomTokens(subject, rows, time);
    const apart = difference(run(model, tokens).logits, run(plain, tokens).logits);
    plain.dispose();
    if (apart <= 1e-6) {
      const meaning = "with all its parameters zero it is RWKV-7: ms.fromRwkv7 keeps the outputs";
      return neutralAtZero
        ? passed(`difference ${figure(apart)}`, meaning)
        : passed(`difference ${figure(apart)}`, `${meaning} once the definition says neutralAtZero: true`);
    }
    if (neutralAtZero) {
      return failed(
        `difference ${figure(apart)} to RWKV-7`,
        "The definition says neutralAtZero, but with all parameters zero it still adds something: multiply what it adds by a " +
          "parameter, or take neutralAtZero out",
      );
    }
    return {
      result: "skipped",
      measured: `difference ${figure(apart)} to RWKV-7`,
      meaning: "not claimed: ms.fromRwkv7 refuses the variant, since outputs would change",
    };
  });
}

/** A model with more heads and parameter tokens computes the same, which `ms.grow` promises where the variant says so. */
export function checkGrowth(subject: CheckSubject): Answer {
  return withModel(subject, (model) => {
    const { heads, parameterTokens } = model.configuration;
    const refused = "not claimed: ms.grow refuses more heads, since outputs could change";
    if (!model.sse.neutralAtZero) return { result: "skipped", measured: "no neutralAtZero", meaning: refused };
    let larger: Model;
    try {
      larger = grow(model, { heads: heads + 1, parameterTokens: 2 * parameterTokens });
    } catch (error) {
      return { result: "skipped", measured: messageOf(error), meaning: "ms.grow refuses the variant" };
    }
    try {
      const tokens = randomTokens(subject, rows, time);
      const apart = difference(run(larger, tokens).logits, run(model, tokens).logits);
      return apart <= rounding
        ? passed(`difference ${figure(apart)}`, "with more heads and parameter tokens ms.grow keeps the outputs")
        : failed(
            `difference ${figure(apart)} with one more head and twice the parameter tokens`,
            "By neutralAtZero ms.grow takes it that new parts add nothing: multiply what each head adds by a parameter that has its " +
              'own numbers for it ("headChannels", zero when it grows), or take neutralAtZero out',
          );
    } finally {
      larger.dispose();
    }
  });
}

function withModel(subject: CheckSubject, check: (model: Model) => Answer): Answer {
  const model = randomModel(subject);
  try {
    return check(model);
  } finally {
    model.dispose();
  }
}

function passed(measured: string, meaning: string): Answer {
  return { result: "passed", measured, meaning };
}

function failed(measured: string, meaning: string): Answer {
  return { result: "failed", measured, meaning };
}

/** What an error says, without the point at its end; a cell may throw anything. */
export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\.+$/, "");
}
