/**
 * The library against PyTorch: logits, loss, states and all gradients of each fixture in `tests/parity/fixtures`, on the
 * engine that runs. `tests/parity/README.md` says what the fixtures are and how they are made.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import test from "node:test";
import { fileURLToPath } from "node:url";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor3D, Variable } from "@tensorflow/tfjs-core";
import * as ms from "metastate";

import { readFixture, type FixtureTensor } from "./safetensors.js";

const folder = fileURLToPath(new URL("../../parity/fixtures/", import.meta.url));

/** The names of the cases, from their files. */
export const cases: readonly string[] = readdirSync(folder)
  .filter((file) => file.endsWith(".expected.safetensors"))
  .map((file) => file.replace(".expected.safetensors", ""))
  .sort();

/**
 * Float32 against float64, relative to a tensor's largest value. Measured over all cases and engines: logits and states at
 * most 7e−7, against the published code too (a rounding is 6e−8), the loss 2e−7, gradients 5e−5 (those of token-shift
 * mixes are small sums of terms that cancel).
 */
const tolerance = { logits: 3e-6, states: 3e-6, loss: 1e-6, gradients: 1e-4 };

/**
 * Where the decay is saturated its derivative is σ(1 − σ) = 1.7e−5 at σ(11), whose rounding, 6e−8, is 0.4 % of it. Measured
 * 1.6e−4.
 */
const saturated = { of: /extreme-decays/, gradients: /att\.(w[012]|x_w)$/, tolerance: 4e-3 };

/** One case, opened. */
class Case {
  readonly expected: ReadonlyMap<string, FixtureTensor>;

  constructor(readonly name: string) {
    this.expected = readFixture(`${folder}${name}.expected.safetensors`);
  }

  get(name: string): FixtureTensor {
    const found = this.expected.get(name);
    assert.ok(found, `the fixture has ${name}`);
    return found;
  }

  model(ending = "safetensors"): Promise<ms.Model> {
    return ms.loadModel(`${folder}${this.name}.${ending}`);
  }

  /** The state before the first token; a model that has learned its own has none. */
  async state(): Promise<ms.ModelState | undefined> {
    const path = `${folder}${this.name}.state.safetensors`;
    return existsSync(path) ? ms.loadState(path) : undefined;
  }

  /** Int32 tokens or targets, as rows. */
  tokens(name: "tokens" | "targets"): ms.TokenMatrix {
    const { values, shape } = this.get(name);
    return { data: values as Int32Array, shape: shape as [number, number] };
  }
}

/** Defines the tests, for the engine that {@link start} makes ready. */
export function parityTests(engine: string, start: () => Promise<void>): void {
  test.before(start);

  void test("there are fixtures of every variant", () => {
    for (const { name } of ms.sseVariants()) assert.ok(cases.includes(name === "none" ? "rwkv7" : name), name);
  });

  for (const name of cases) {
    void test(`${name} on ${engine}: logits, loss and states are PyTorch's`, async () => {
      const fixture = new Case(name);
      const [model, state] = await Promise.all([fixture.model(), fixture.state()]);
      const result = model.forward(fixture.tokens("tokens"), state);
      compare("logits", result.logits, fixture.get("logits"), tolerance.logits);
      forEachPart(result.state, (part, tensor) =>
        compare(part, tensor, fixture.get(`state.${part}`), tolerance.states),
      );
      const loss = crossEntropy(result.logits, fixture);
      compare("loss", loss, fixture.get("loss"), tolerance.loss);
      tf.dispose([result.logits, loss]);
      for (const held of [result.state, state, model]) held?.dispose();
    });

    void test(`${name} on ${engine}: the gradients of all parameters and of the first state are PyTorch's`, async () => {
      const fixture = new Case(name);
      const [model, state] = await Promise.all([fixture.model(), fixture.state()]);
      const variables = [...model.parameters];
      const parts: [name: string, tensor: Tensor][] = [];
      if (state) forEachPart(state, (part, tensor) => parts.push([`state.${part}`, tensor]));
      const gradients = tf.grads(() => crossEntropy(model.forward(fixture.tokens("tokens"), state).logits, fixture))([
        ...variables.map(([, variable]) => variable),
        ...parts.map(([, tensor]) => tensor),
      ]);
      const names = [...variables, ...parts].map(([of]) => `gradient.${of}`);
      names.forEach((of, i) => {
        const isSaturated = saturated.of.test(name) && saturated.gradients.test(of);
        const allowed = isSaturated ? saturated.tolerance : tolerance.gradients;
        compare(of, gradients[i]!, fixture.get(of), allowed);
      });
      const wanted = [...fixture.expected.keys()].filter((of) => of.startsWith("gradient."));
      assert.deepEqual(names.sort(), wanted.sort(), "every gradient of the fixture is compared");
      tf.dispose(gradients);
      state?.dispose();
      model.dispose();
    });
  }

  void test(`a published-style .pth on ${engine}: logits and states are those of the published code`, async () => {
    const expected = readFixture(`${folder}published/rwkv7.expected.safetensors`);
    const model = await ms.loadModel(`${folder}published/rwkv7.pth`);
    const tokens = expected.get("tokens")!;
    const { logits, state } = model.forward({
      data: tokens.values as Int32Array,
      shape: tokens.shape as [number, number],
    });
    const compared = new Set(["tokens", "logits"]);
    compare("logits", logits, expected.get("logits")!, tolerance.states);
    forEachPart(state, (part, tensor) => {
      compare(part, tensor, expected.get(`state.${part}`)!, tolerance.states);
      compared.add(`state.${part}`);
    });
    assert.deepEqual(compared, new Set(expected.keys()), "all of the fixture is compared");
    logits.dispose();
    state.dispose();
    model.dispose();
  });

  void test(`a .pth written by PyTorch on ${engine}: the same logits as the same parameters in .safetensors`, async () => {
    const fixture = new Case("sse");
    const [model, pickled] = await Promise.all([fixture.model(), fixture.model("pth")]);
    assert.deepEqual(pickled.configuration, model.configuration);
    const [one, other] = [model, pickled].map((of) => of.forward(fixture.tokens("tokens")).logits.dataSync());
    assert.deepEqual(other, one);
    model.dispose();
    pickled.dispose();
  });
}

/** Mean cross-entropy in nats, of tfjs's own ops. */
function crossEntropy(logits: Tensor3D, fixture: Case): tf.Scalar {
  return tf.tidy(() => {
    const { data, shape } = fixture.tokens("targets");
    const targets = tf.oneHot(tf.tensor2d(data, [shape[0], shape[1]], "int32"), logits.shape[2]);
    return tf.neg(tf.mean(tf.sum(tf.mul(targets, tf.logSoftmax(logits)), -1)));
  });
}

function forEachPart(state: ms.ModelState, use: (name: string, tensor: Tensor) => void): void {
  state.layers.forEach((layer, i) => {
    for (const [part, tensor] of Object.entries(layer) as [string, Tensor][]) use(`layers.${i}.${part}`, tensor);
  });
}

/** Fails unless shapes are equal and no value is further off than `allowed` times the largest. */
function compare(what: string, actual: Tensor | Variable, { shape, values: expected }: FixtureTensor, allowed: number) {
  assert.deepEqual(actual.shape, shape, `the shape of ${what}`);
  const values = actual.dataSync();
  const largest = Math.max(1e-6, ...Array.from(expected, Math.abs));
  values.forEach((value, i) => {
    const error = Math.abs(value - expected[i]!) / largest;
    assert.ok(
      error <= allowed,
      `${what}[${i}] is ${value}, PyTorch has ${expected[i]}: off by ${error} of the largest`,
    );
  });
}
