import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import { jupyterDisplay } from "../display.js";
import { Random } from "../random.js";
import { assertClose, randomTensor, useBackend } from "../testing.js";
import { createModel } from "./model.js";
import { layerOf, tensorsOf } from "./state-layers.js";
import { ModelState } from "./state.js";
import { tiny } from "./testing.js";

/** A state of two rows with every element its own. */
function randomState(
  seed = 1,
  options: { sse?: string; heads?: number; layers?: number; rows?: number } = {},
): ModelState {
  const { rows = 2, ...model } = options;
  const made = createModel({ ...tiny, ...model });
  const zeros = made.initialState(rows);
  const random = new Random(seed);
  const layers = zeros.layers.map((layer) =>
    layerOf(tensorsOf(layer).map(([name, { shape }]) => [name, randomTensor(random, shape)])),
  );
  made.dispose();
  zeros.dispose();
  return new ModelState(layers);
}

const numbers = (state: ModelState): number[][] => state.tensors().map((tensor) => Array.from(tensor.dataSync()));

for (const backend of ["cpu", "wasm"] as const) {
  test(`${backend}: interpolation is each state at its end, exactly, and the mean in the middle`, async () => {
    await useBackend(backend);
    const [a, b] = [randomState(1), randomState(2)];
    const before = tf.memory().numTensors;
    const ends = [a.interpolate(b, 0), a.interpolate(b, 1)];
    assert.ok(ends[0]!.equals(a));
    assert.ok(ends[1]!.equals(b));
    const middle = a.interpolate(b, 0.5);
    const [, , wkv] = numbers(middle);
    const [x, y] = [numbers(a)[2]!, numbers(b)[2]!];
    // Halves are exact, so one rounding is all there is.
    wkv!.forEach((value, i) => assert.equal(value, Math.fround(x[i]! / 2 + y[i]! / 2)));
    for (const made of [...ends, middle]) made.dispose();
    assert.equal(tf.memory().numTensors, before);
  });

  test(`${backend}: a slice holds the numbers of its layers, rows and heads`, async () => {
    await useBackend(backend);
    const state = randomState(3);
    const before = tf.memory().numTensors;
    for (const part of ["wkv", "meta"] as const) {
      const slice = state.slice({ part, layers: 1, rows: [1, 0], heads: 1 });
      assert.deepEqual(slice.shape, [1, 2, 1, 4, 4]);
      const tensor = state.layers[1]![part]!.arraySync();
      assert.deepEqual(slice.matrix(), tensor[1]![1]);
      assert.deepEqual(slice.matrix({ row: 0 }), tensor[0]![1]);
      assert.deepEqual(slice.matrix({ layer: 1, row: 0, head: 1 }), tensor[0]![1]);
    }
    const shifts = state.slice({ part: "ffnShift", rows: 1 });
    assert.deepEqual(shifts.shape, [2, 1, 8]);
    assert.deepEqual(shifts.vector({ layer: 1 }), state.layers[1]!.ffnShift.arraySync()[1]);
    assert.deepEqual(state.slice().shape, [2, 2, 2, 4, 4]);
    assert.equal(tf.memory().numTensors, before);
    const tensor = state.slice({ heads: [1, 0] }).tensor();
    assert.deepEqual(tensor.shape, [2, 2, 2, 4, 4]);
    assert.match(
      state.slice()[jupyterDisplay]()["text/plain"] as string,
      /wkv \[2, 2, 2, 4, 4\]\nlayer {2}row {2}head/,
    );
  });

  test(`${backend}: values put into a place are there and nowhere else`, async () => {
    await useBackend(backend);
    const state = randomState(4);
    const copy = state.clone();
    const before = tf.memory().numTensors;
    const place = { part: "meta", layers: [1], rows: 1, heads: [1] } as const;
    const matrix = Array.from({ length: 4 }, (_, i) => [i, i + 0.5, -i, 0]);
    const changed = state.with(place, matrix);
    assert.deepEqual(changed.slice(place).matrix(), matrix);
    const parts = state.distance(changed).parts.filter(({ largest }) => largest > 0);
    assert.deepEqual(
      parts.map(({ layer, part }) => [layer, part]),
      [[1, "meta"]],
    );
    for (const other of [
      { ...place, heads: 0 },
      { ...place, rows: 0 },
    ]) {
      assert.deepEqual(changed.slice(other).values, state.slice(other).values);
    }
    // The way back: the slice of the old state, put where it was.
    const restored = changed.with(place, state.slice(place));
    assert.ok(restored.equals(state));
    const cleared = state.with({ layers: 0 }, 0);
    assert.ok(cleared.slice({ layers: 0 }).values.every((x) => x === 0));
    const everywhere = state.with(
      { part: "attShift" },
      Float32Array.from({ length: 8 }, (_, c) => c),
    );
    assert.deepEqual(everywhere.slice({ part: "attShift", layers: 1, rows: 1 }).vector(), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert.ok(state.equals(copy), "the state itself is as it was");
    for (const made of [changed, restored, cleared, everywhere]) made.dispose();
    assert.equal(tf.memory().numTensors, before);
  });

  test(`${backend}: parts of another state, by layer, row and head`, async () => {
    await useBackend(backend);
    const [a, b] = [randomState(5), randomState(6)];
    const before = tf.memory().numTensors;
    const layer = a.withPartOf(b, { layers: 1 });
    const same = (x: ModelState, y: ModelState, at: number): boolean =>
      x.distance(y).parts.every(({ layer, largest }) => layer !== at || largest === 0);
    assert.ok(same(layer, b, 1) && same(layer, a, 0));
    const head = a.withPartOf(b, { heads: 1, rows: 0 });
    for (const part of ["wkv", "meta"] as const) {
      assert.deepEqual(head.slice({ part, heads: 1, rows: 0 }).values, b.slice({ part, heads: 1, rows: 0 }).values);
      assert.deepEqual(head.slice({ part, heads: 0 }).values, a.slice({ part, heads: 0 }).values);
      assert.deepEqual(head.slice({ part, heads: 1, rows: 1 }).values, a.slice({ part, heads: 1, rows: 1 }).values);
    }
    assert.deepEqual(head.slice({ part: "attShift" }).values, a.slice({ part: "attShift" }).values);
    layer.dispose();
    head.dispose();
    assert.equal(tf.memory().numTensors, before);
  });
}

test("states add, subtract and scale; distance says how far and where", async () => {
  await useBackend("wasm");
  const [a, b] = [randomState(7), randomState(8)];
  const difference = a.subtract(b);
  const back = b.add(difference);
  // Two roundings of numbers below 2.
  assert.ok(back.equals(a, 2 ** -22));
  assert.ok(!back.equals(a.scale(1.001), 2 ** -22));
  const double = a.scale(2);
  const distance = a.distance(double);
  assert.ok(Math.abs(distance.relative - 0.5) < 1e-12);
  assert.equal(distance.parts.length, 8);
  assert.equal(distance.largest, Math.max(...distance.parts.map(({ largest }) => largest)));
  assert.match(distance[jupyterDisplay]()["text/plain"] as string, /largest difference/);
  assert.equal(a.distance(a).relative, 0);
  const nan = a.with({ layers: 0, heads: 0 }, NaN);
  assert.ok(!nan.equals(nan));
});

test("edits of a state are differentiable in it", async () => {
  await useBackend("cpu");
  const [a, b] = [randomState(9), randomState(10)];
  const sum = (wkv: tf.Tensor): tf.Scalar => {
    const layers = [{ ...a.layers[0]!, wkv: wkv as tf.Tensor4D }, a.layers[1]!];
    const state = new ModelState(layers)
      .with({ layers: 0, heads: 0 }, 3)
      .withPartOf(b, { layers: 0, heads: 1, rows: 1 });
    return tf.sum(state.layers[0]!.wkv);
  };
  const gradient = tf.grad(sum)(a.layers[0]!.wkv).arraySync() as number[][][][];
  const ones = gradient.map((row) => row.map((head) => head.flat().every((x) => x === 1)));
  const zeros = gradient.map((row) => row.map((head) => head.flat().every((x) => x === 0)));
  assert.deepEqual(ones, [
    [false, true],
    [false, false],
  ]);
  assert.deepEqual(zeros, [
    [true, false],
    [true, true],
  ]);
});

test("a state cut into rows and joined again is the same, and goes on as it would have", async () => {
  await useBackend("wasm");
  const model = createModel(tiny, { seed: 2 });
  const tokens = [
    [1, 5, 2],
    [3, 3, 0],
  ];
  const { state } = model.forward(tokens);
  const [first, second] = [state.selectRows([0]), state.selectRows([1])];
  assert.equal(second.batchSize, 1);
  const joined = first.joinRows([second]);
  assert.ok(joined.equals(state));
  const kept = [joined, state.with({}, 0), state.interpolate(joined, 0.5), state.withPartOf(joined, { layers: 0 })];
  for (const { positions } of kept) assert.deepEqual(positions, [3, 3]);
  const together = model.forward([[4], [6]], state).logits.dataSync();
  const alone = model.forward([[6]], second).logits.dataSync();
  // Products of one row and of two may add in another order, and round once a term: 16 terms of 2^-24 and some layers.
  assertClose(together.slice(7), alone, 4e-6, "logits of a row on its own");
  model.dispose();
});

test("what does not fit is refused, and the message names what differs", async () => {
  await useBackend("cpu");
  const state = randomState();
  const heads = randomState(1, { heads: 3 });
  assert.throws(() => state.interpolate(heads, 0.5), {
    name: "ShapeError",
    message: "interpolate: the other state's layers[0].wkv is [2, 3, 4, 4], wanted [2, 2, 4, 4], as here",
  });
  assert.throws(() => state.add(randomState(1, { layers: 3 })), /the other state is of 3 layers, wanted of 2 layers/);
  assert.throws(
    () => state.distance(randomState(1, { sse: "none" })),
    /layers\[0\].meta is missing, wanted \[2, 2, 4, 4\]/,
  );
  assert.throws(() => state.subtract(randomState(1, { rows: 1 })), /layers\[0\].attShift is \[1, 8\], wanted \[2, 8\]/);
  assert.throws(() => state.joinRows([heads]), /joinRows: the other state's layers\[0\].wkv/);
  assert.equal(state.joinRows([randomState(1, { rows: 1 })]).batchSize, 3);
  assert.throws(() => state.interpolate(state, NaN), /t is NaN/);
  assert.throws(() => state.selectRows([2]), /selectRows: rows has 2, wanted 0 to 1/);
  assert.throws(() => state.slice({ layers: 2 }), /slice: layers has 2, wanted 0 to 1/);
  assert.throws(() => state.slice({ heads: [0, -1] }), /heads has -1, wanted 0 to 1/);
  assert.throws(() => state.slice({ layers: [] }), /layers is empty/);
  assert.throws(() => state.slice({ part: "attShift", heads: 0 }), /"attShift" has none/);
  assert.throws(
    () => state.slice({ part: "key" as "wkv" }),
    /part is "key", wanted one of attShift, ffnShift, wkv, meta/,
  );
  assert.throws(() => randomState(1, { sse: "none" }).slice({ part: "meta" }), /layer 0 of this state has no "meta"/);
  assert.throws(() => state.slice({ part: "attShift" }).matrix(), /holds vectors/);
  assert.throws(() => state.slice({ heads: 1 }).matrix({ head: 0 }), /head 0 is not in the slice, which has heads 1/);
  assert.throws(() => state.with({ heads: 0 }, [1, 2, 3]), {
    name: "ShapeError",
    message: "with: values is 3 values, wanted a number, [2, 2, 1, 4, 4] as the place, or [4, 4] for each head",
  });
  assert.throws(() => state.with({}, tf.zeros([4, 5])), /values is \[4, 5\]/);
  assert.ok(!state.equals(heads));
});
