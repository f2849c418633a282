import assert from "node:assert/strict";
import test from "node:test";

import { schedulePlot } from "../plots/schedule.js";
import { chosenSchedule, scheduleFactor, schedules, type ScheduleName } from "./schedules.js";

const factors = (schedule: Parameters<typeof scheduleFactor>[0], steps = 100): number[] =>
  Array.from({ length: steps }, (_, i) => scheduleFactor(schedule, i + 1, steps));

test("schedules warm up, then fall to the floor at the last step", () => {
  for (const name of Object.keys(schedules) as ScheduleName[]) {
    const values = factors(chosenSchedule({ schedule: name, warmup: 10, floor: 0.1 }));
    assert.ok(values[0]! > 0 && values[0]! < 0.1);
    assert.ok(values.slice(0, 10).every((factor, i) => factor < values[i + 1]!));
    assert.equal(values[10], 1);
    assert.ok(Math.abs(values[99]! - (name === "constant" ? 1 : 0.1)) < 1e-12, name);
    assert.ok(values.slice(11).every((factor, i) => factor <= values[i + 10]!));
  }
  assert.equal(scheduleFactor(schedules.cosine({ warmup: 0, floor: 0 }), 1, 1), 0);
});

test("wsd is stable until its last portion, then falls in a line or by a root", () => {
  const line = factors(schedules.wsd({ warmup: 10, floor: 0.2, decay: 0.25 }));
  assert.ok(line.slice(10, 75).every((factor) => factor === 1));
  // 25 steps from 1 to 0.2: 0.032 each.
  line.slice(75).forEach((factor, i) => assert.ok(Math.abs(factor - (1 - 0.032 * (i + 1))) < 1e-12, `step ${76 + i}`));
  const root = factors(schedules.wsd({ warmup: 0, floor: 0, decay: 0.25, shape: "sqrt" }));
  assert.ok(Math.abs(root[80]! - (1 - Math.sqrt(6 / 25))) < 1e-12);
  assert.equal(root[99], 0);
  assert.throws(() => schedules.wsd({ decay: 0 }), /decay is 0, wanted a portion/);
  assert.throws(() => schedules.wsd({ shape: "cubic" as "sqrt" }), /shape is "cubic", wanted "linear" or "sqrt"/);
});

test("without a warm-up given, it is a twentieth of the steps and at most 100", () => {
  const rising = (steps: number): number => factors(schedules.constant(), steps).filter((factor) => factor < 1).length;
  assert.deepEqual([rising(40), rising(1000), rising(10_000)], [2, 50, 100]);
});

test("a schedule of one's own says it all", () => {
  const own = (step: number, steps: number): number => 1 - step / steps;
  assert.equal(chosenSchedule({ schedule: own }), own);
  assert.throws(() => chosenSchedule({ schedule: own, warmup: 5 }), /warmup is 5, but schedule is a function/);
  assert.throws(() => chosenSchedule({ schedule: "cosin" as "cosine" }), /wanted constant, linear, cosine, wsd, or/);
  assert.throws(() => scheduleFactor(() => NaN, 3, 9), /gives NaN at step 3 of 9/);
  assert.throws(() => schedules.linear({ floor: -1 }), /schedules.linear: floor is -1/);
});

test("schedules are plotted by name, thinned", () => {
  const figure = schedulePlot(
    { cosine: "cosine", own: (step, steps) => step / steps },
    { steps: 2000, learningRate: 6e-3 },
  );
  const { data } = figure.toJSON() as { data: { name: string; x: number[]; y: number[] }[] };
  assert.deepEqual(
    data.map(({ name }) => name),
    ["cosine", "own"],
  );
  assert.ok(data.every(({ x, y }) => x.length <= 501 && x.length === y.length && x.at(-1) === 2000));
  assert.equal(data[0]!.y.at(-1), 3e-4);
  assert.equal(data[1]!.y.at(-1), 6e-3);
  assert.match(String(figure), /own: 0.006 at most, 0.006 at step 2000/);
  assert.equal(schedulePlot("wsd").toJSON().data.length, 1);
  assert.throws(() => schedulePlot("wsd", { steps: 0 }), /steps is 0/);
});
