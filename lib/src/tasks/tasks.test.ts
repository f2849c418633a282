import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import type { Batch } from "../data/batch.js";
import { createModel } from "../model/model.js";
import { useBackend } from "../testing.js";
import { evaluate } from "../training/evaluate.js";
import { train } from "../training/train.js";
import { defineTask, type Task, type TaskExample } from "./task.js";
import { tasks } from "./tasks.js";

interface Row {
  readonly inputs: number[];
  readonly targets: number[];
  readonly mask: number[];
}

function rowsOf({ inputs, targets, mask }: Batch): Row[] {
  const [count, length] = inputs.shape;
  const row = (data: ArrayLike<number>, i: number): number[] => Array.from(data).slice(i * length, (i + 1) * length);
  return Array.from({ length: count }, (_, i) => ({
    inputs: row(inputs.data, i),
    targets: row(targets.data, i),
    mask: row(mask!.data, i),
  }));
}

/**
 * Checks a task's answers against a plain solver, which sees the inputs up to a position and says the answer, or
 * `undefined` where none is asked for.
 */
function checkTask(task: Task, solve: (before: readonly number[]) => number | undefined): void {
  const loader = task.batches({ batchSize: 20, seed: 7 });
  for (let i = 0; i < 5; i++) {
    const batch = loader.next().value;
    assert.deepEqual(batch.inputs.shape, [20, task.length]);
    for (const { inputs, targets, mask } of rowsOf(batch)) {
      assert.ok([...inputs, ...targets].every((token) => token >= 0 && token < task.vocabSize));
      inputs.forEach((_, t) => {
        const answer = solve(inputs.slice(0, t + 1));
        assert.equal(mask[t], answer === undefined ? 0 : 1, `position ${t} of ${task.decode(inputs)}`);
        if (answer !== undefined) assert.equal(targets[t], answer, `position ${t} of ${task.decode(inputs)}`);
      });
    }
  }
}

test("associative recall: the answer is the value that came with the key", () => {
  for (const options of [
    {},
    { pairs: 4, keys: 5, values: 3, queries: 10 },
    { pairs: 1, keys: 1, values: 1, queries: 1 },
  ]) {
    const { pairs, keys } = { pairs: 6, keys: 24, ...options };
    const task = tasks.associativeRecall(options);
    checkTask(task, (before) => {
      const position = before.length - 1;
      if (position < 2 * pairs || position % 2 === 1) return undefined;
      const shown = before.slice(0, 2 * pairs);
      const places = shown.flatMap((token, i) => (i % 2 === 0 && token === before.at(-1) ? [i] : []));
      assert.equal(places.length, 1, "a key is shown once");
      assert.ok(before.at(-1)! < keys);
      return shown[places[0]! + 1];
    });
  }
  const task = tasks.associativeRecall({ pairs: 2, keys: 4, values: 4 });
  assert.match(task.decode(task.batches({ batchSize: 1 }).next().value.inputs.data), /^(k\d v\d ){3}k\d$/);
  assert.equal(task.vocabSize, 8);
  assert.equal(task.length, 7);
});

test("permutations: the answer is where all moves so far put each thing", () => {
  for (const options of [{ degree: 3 }, { degree: 5, length: 12 }, { degree: 4, moves: "swaps" }] as const) {
    const task = tasks.permutations(options);
    const size = options.degree;
    const apply = (moves: readonly number[]): string => {
      // Things on places: each move says, of each place, where what is there goes.
      let things = Array.from({ length: size }, (_, i) => i);
      for (const move of moves) {
        const to = [...task.decode([move])].map((digit) => Number(digit) - 1);
        const next: number[] = [];
        things.forEach((thing, place) => (next[to[place]!] = thing));
        things = next;
      }
      return Array.from({ length: size }, (_, thing) => things.indexOf(thing) + 1).join("");
    };
    checkTask(task, (before) => {
      const wanted = apply(before);
      for (let token = 0; token < task.vocabSize; token++) if (task.decode([token]) === wanted) return token;
      return undefined;
    });
  }
  assert.equal(tasks.permutations({ degree: 5 }).vocabSize, 120);
  assert.equal(tasks.permutations({ degree: 3 }).decode([0, 1, 5]), "123 132 321");
  const swaps = tasks.permutations({ degree: 3, moves: "swaps" });
  const moves = new Set(swaps.batches({ batchSize: 20 }).next().value.inputs.data);
  assert.deepEqual(
    [...moves].sort().map((move) => swaps.decode([move])),
    ["132", "213"],
  );
});

test("copying: the answers are the symbols before the sign, in their order", () => {
  const solver =
    (isBlank: (token: number) => boolean) =>
    (before: readonly number[]): number | undefined => {
      const sign = before.indexOf(0);
      if (sign < 0) return undefined;
      return before.slice(0, sign).filter((token) => !isBlank(token))[before.length - 1 - sign];
    };
  checkTask(
    tasks.copying({ symbols: 5, count: 9 }),
    solver(() => false),
  );
  checkTask(
    tasks.selectiveCopying({ symbols: 3, count: 4, places: 11 }),
    solver((token) => token === 1),
  );
  const task = tasks.selectiveCopying({ count: 4 });
  for (const { inputs } of rowsOf(task.batches({ batchSize: 10 }).next().value)) {
    assert.equal(inputs.indexOf(0), 16);
    assert.equal(inputs.slice(0, 16).filter((token) => token > 1).length, 4);
  }
});

test("induction: the answer is what followed the sign the first time", () => {
  for (const length of [3, 10, 32]) {
    const task = tasks.induction({ symbols: 4, length });
    checkTask(task, (before) => {
      const signs = before.flatMap((token, i) => (token === 0 ? [i] : []));
      return signs.length === 2 ? before[signs[0]! + 1] : undefined;
    });
  }
});

test("regression: one w explains every answer of a sequence, and the bins are their numbers'", () => {
  for (const [dimensions, examples, bins] of [
    [1, 12, 16],
    [2, 8, 10],
  ] as const) {
    const task = tasks.regression({ dimensions, examples, bins });
    for (const { inputs, targets, mask } of rowsOf(task.batches({ batchSize: 10, seed: 2 }).next().value)) {
      const sequence = [...inputs, targets.at(-1)!];
      const pairs: { x: number[]; y: number }[] = [];
      for (let i = 0; i < sequence.length; i += dimensions + 1) {
        const x = sequence.slice(i, i + dimensions).map((bin) => -1 + (bin + 0.5) * (2 / bins));
        pairs.push({ x, y: sequence[i + dimensions]! - bins });
      }
      const scale = Math.sqrt(dimensions);
      const fits = (w: number[]): boolean =>
        pairs.every(({ x, y }) => {
          const value = x.reduce((sum, one, i) => sum + one * w[i]!, 0);
          const low = -scale + (y * 2 * scale) / bins;
          const high = low + (2 * scale) / bins;
          return (value >= low - 0.004 || y === 0) && (value < high + 0.004 || y === bins - 1);
        });
      // Every w on a grid, fine against the bins: one must fit all.
      const grid = Array.from({ length: 801 }, (_, i) => -1 + i / 400);
      const found = dimensions === 1 ? grid.some((w) => fits([w])) : grid.some((a) => grid.some((b) => fits([a, b])));
      assert.ok(found, task.decode(sequence));
      mask.forEach((counts, t) => {
        const isAnswer = (t + 1) % (dimensions + 1) === dimensions;
        const example = Math.floor((t + 1) / (dimensions + 1));
        assert.equal(counts, isAnswer && example >= dimensions ? 1 : 0);
      });
    }
  }
});

test("the same seed gives the same batches, also from the middle; another seed others", () => {
  for (const task of [
    tasks.associativeRecall(),
    tasks.permutations(),
    tasks.copying(),
    tasks.induction(),
    tasks.regression(),
  ]) {
    const first = task.batches({ batchSize: 3, seed: 1 });
    const all = [0, 1, 2, 3].map(() => first.next().value);
    assert.deepEqual(task.batches({ batchSize: 3, seed: 1, start: 3 }).next().value, all[3]);
    assert.notDeepEqual(task.batches({ batchSize: 3, seed: 2 }).next().value, all[0]);
    assert.notDeepEqual(all[0], all[1]);
  }
});

test("accuracy counts the answers only, from tokens or from logits", async () => {
  await useBackend("cpu");
  const task = tasks.associativeRecall({ pairs: 2, keys: 4, values: 4 });
  const batch = task.batches({ batchSize: 4 }).next().value;
  assert.equal(task.accuracy(batch.targets, batch), 1);
  assert.equal(task.accuracy(batch.inputs.data, batch), 0);
  const half = batch.targets.data.map((token, i) => (batch.mask.data[i] && i < 14 ? token : 7 - token));
  assert.equal(task.accuracy(half, batch), 0.5);
  const logits = tf.oneHot(tf.tensor2d(batch.targets.data, [4, 7], "int32"), 8);
  assert.equal(task.accuracy(logits, batch), 1);
  assert.throws(() => task.accuracy([1, 2], batch), { name: "ShapeError", message: /2 tokens, wanted \[4, 7\]/ });
});

test("accuracy by position tells where in a sequence the answers are right, and NaN where none is asked for", () => {
  const tracking = tasks.permutations({ degree: 3, length: 5 });
  const batch = tracking.batches({ batchSize: 4, seed: 1 }).next().value;
  // Right at the first two positions, and in one row of four at the third.
  const said = batch.targets.data.map((target, i) => (i % 5 < 2 || i === 2 ? target : target + 1));
  assert.deepEqual(tracking.accuracyByPosition(said, batch), [1, 1, 0.25, 0, 0]);
  const recall = tasks.associativeRecall({ pairs: 2 });
  const asked = recall.batches({ batchSize: 3, seed: 1 }).next().value;
  const byPosition = recall.accuracyByPosition(asked.targets, asked);
  assert.deepEqual(
    byPosition,
    Array.from(asked.mask.data.subarray(0, recall.length), (counts) => (counts === 1 ? 1 : NaN)),
  );
});

test("sizes that make no sense are refused by name", () => {
  const refused = (make: () => Task, message: RegExp): void =>
    assert.throws(make, { name: "ConfigurationError", message });
  refused(() => tasks.associativeRecall({ pairs: 5, keys: 4 }), /keys is 4, wanted at least pairs, 5/);
  refused(() => tasks.associativeRecall({ values: 0 }), /values is 0/);
  refused(() => tasks.permutations({ degree: 7 as never }), /degree is 7, wanted 2 to 6/);
  refused(() => tasks.copying({ count: 1.5 }), /count is 1.5/);
  refused(() => tasks.selectiveCopying({ count: 8, places: 7 }), /places is 7/);
  refused(() => tasks.induction({ length: 2 }), /length is 2/);
  refused(() => tasks.regression({ examples: 2, warmup: 2 }), /warmup is 2/);
  assert.throws(() => tasks.copying().batches({ batchSize: 0 }), /batchSize is 0/);
});

test("a model learns a task from its answers alone, and evaluation measures them", async () => {
  await useBackend("wasm");
  const task = tasks.copying({ symbols: 4, count: 2 });
  const model = createModel({ vocabSize: task.vocabSize, width: 16, layers: 1, headSize: 8 }, { seed: 1 });
  const heldOut = (): Iterable<Batch> => task.batches({ batchSize: 16, seed: 99 });
  const before = await evaluate(model, heldOut(), { batches: 4 });
  const options = { steps: 150, learningRate: 1e-2, evaluate: { data: heldOut(), every: 150, batches: 4 } };
  let validationLoss: number | undefined;
  for await (const step of train(model, task.batches({ batchSize: 16, seed: 1 }), options)) ({ validationLoss } = step);
  const after = await evaluate(model, heldOut(), { batches: 4 });
  assert.equal(after.tokens, 4 * 16 * 2);
  assert.ok(before.accuracy < 0.6, `before: ${before.accuracy}`);
  assert.ok(after.accuracy > 0.9, `after: ${after.accuracy}`);
  assert.ok(Math.abs(validationLoss! - after.loss) < 1e-6);
  model.dispose();
});

test("a task of one's own whose example is not what the task says is told which part, and what it should be", () => {
  const good = { inputs: Int32Array.of(0, 1), targets: Int32Array.of(1, 2), mask: Uint8Array.of(0, 1) };
  const batchOf = (change: Partial<TaskExample>) => {
    const example = (): TaskExample => ({ ...good, ...change });
    const task = defineTask({ name: "mine", vocabSize: 3, length: 2, chance: 1 / 3, word: String, example });
    return task.batches({ batchSize: 2 }).next().value;
  };
  assert.deepEqual([...batchOf({}).targets.data], [1, 2, 1, 2]);
  const short = { name: "ShapeError", message: "mine: example's targets is of 1, wanted of length, 2" };
  assert.throws(() => batchOf({ targets: Int32Array.of(1) }), short);
  const missing = { name: "ShapeError", message: "mine: example's mask is missing, wanted of length, 2" };
  assert.throws(() => batchOf({ mask: undefined }), missing);
  const outside = {
    name: "TokenError",
    message: /mine: example's inputs have the token 3, wanted 0 to vocabSize − 1, 2/,
  };
  assert.throws(() => batchOf({ inputs: Int32Array.of(0, 3) }), outside);
});
