import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import { jupyterDisplay } from "../display.js";
import { createModel } from "../model/model.js";
import { useBackend } from "../testing.js";
import { lossPlot } from "./loss.js";
import { stateHeatmap } from "./state-heatmap.js";

interface Trace {
  name?: string;
  x?: number[];
  y?: number[];
  z?: number[][];
  zmin?: number;
  zmax?: number;
}
interface PlotlyJson {
  data: Trace[];
  layout: { xaxis: { title: { text: string } }; yaxis: { title: { text: string } }; title: { text: string } };
}

/** What a notebook file would hold. */
function stored(figure: { [jupyterDisplay](): Record<string, unknown> }): PlotlyJson {
  const bundle = figure[jupyterDisplay]();
  assert.equal(typeof bundle["text/plain"], "string");
  return JSON.parse(JSON.stringify(bundle["application/vnd.plotly.v1+json"])) as PlotlyJson;
}

const history = Array.from({ length: 2000 }, (_, i) => ({
  step: i + 1,
  loss: 5 / (i + 1) + 1 / 3,
  ...((i + 1) % 500 === 0 && { validationLoss: 1 / 3 + 0.1 }),
}));

test("the loss plot holds training, smoothed and held-out loss, rounded and thinned", () => {
  const figure = lossPlot(history, { title: "A run" });
  const { data, layout } = stored(figure);
  assert.deepEqual(
    data.map(({ name }) => name),
    ["each step", "training", "held out"],
  );
  assert.deepEqual(data[2]!.x, [500, 1000, 1500, 2000]);
  assert.equal(data[0]!.x!.at(-1), 2000);
  assert.equal(data[0]!.x!.length, data[1]!.y!.length);
  assert.ok(data[0]!.x!.length <= 501);
  assert.equal(layout.title.text, "A run");
  assert.equal(layout.xaxis.title.text, "step");
  assert.equal(layout.yaxis.title.text, "loss (nats per byte)");
  assert.ok(JSON.stringify(stored(figure)).length < 20000);
  assert.match(String(figure), /A run: loss 0\.336 nats per byte at step 2000, held out 0\.433/);
});

test("several runs share a loss plot by name, and an empty history is no error", () => {
  const { data } = stored(lossPlot({ sse: history.slice(0, 3), "RWKV-7": history.slice(0, 2) }));
  assert.deepEqual(
    data.map(({ name }) => name),
    ["sse, each step", "sse, training", "RWKV-7, each step", "RWKV-7, training"],
  );
  assert.deepEqual(stored(lossPlot([])).data[0]!.x, []);
  assert.match(String(lossPlot([])), /no steps yet/);
});

test("the heatmap shows the head asked for, symmetric around zero, in a few kilobytes", async () => {
  await useBackend("cpu");
  const model = createModel({ vocabSize: 16, width: 64, layers: 2, headSize: 32 }, { seed: 1 });
  const { state } = model.forward([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  const figure = stateHeatmap(state, { layer: 1, head: 1, part: "meta", batch: 1 });
  const json = stored(figure);
  const [trace] = json.data;
  const expected = tf.slice(state.layers[1]!.meta!, [1, 1, 0, 0], [1, 1, 32, 32]).dataSync();
  trace!.z!.flat().forEach((value, i) => assert.ok(Math.abs(value - expected[i]!) <= 0.006 * Math.abs(expected[i]!)));
  assert.equal(trace!.z!.length, 32);
  assert.equal(trace!.zmin, -trace!.zmax!);
  assert.ok(Math.abs(trace!.zmax! / Math.max(...expected.map(Math.abs)) - 1) < 0.01);
  assert.equal(json.layout.xaxis.title.text, "key channel");
  assert.equal(json.layout.yaxis.title.text, "value channel");
  assert.ok(JSON.stringify(json).length < 12000, `${JSON.stringify(json).length} characters`);
  assert.match(String(figure), /Meta-State, layer 1, head 1: 32×32/);
});

test("an index out of range and a missing Meta-State are named", async () => {
  await useBackend("cpu");
  const model = createModel({ vocabSize: 16, width: 8, layers: 1, headSize: 4, sse: "none" });
  const state = model.initialState();
  assert.throws(() => stateHeatmap(state, { layer: 1 }), {
    name: "ConfigurationError",
    message: /layer is 1, wanted 0 to 0/,
  });
  assert.throws(() => stateHeatmap(state, { head: 2 }), /head is 2, wanted 0 to 1/);
  assert.throws(() => stateHeatmap(state, { batch: -1 }), /batch is -1/);
  assert.throws(() => stateHeatmap(state, { part: "meta" }), /carries no Meta-State; use part "wkv"/);
  // A state of zeros has no largest magnitude to scale by.
  assert.equal(stored(stateHeatmap(state)).data[0]!.zmax, 1);
});
