import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { LayoutAxis } from "plotly.js";

import { createBaseline } from "../baselines/create-baseline.js";
import { jupyterDisplay } from "../display.js";
import { grow } from "../growth/grow.js";
import { growthReport } from "../growth/report.js";
import { ActivationValues } from "../inspection/activation-values.js";
import { matrixOfValues } from "../inspection/spectrum.js";
import { statistics } from "../inspection/statistics.js";
import { createModel } from "../model/model.js";
import { useBackend } from "../testing.js";
import { distribution } from "./distributions.js";
import type { Figure } from "./figure.js";
import { growthDiagram } from "./growth-diagram.js";
import { heatmapGrid } from "./heatmap-grid.js";
import { logarithmicAxis } from "./logarithmic-axis.js";
import { matricesPlot, matrixPlot } from "./matrix.js";
import { overTokens } from "./over-tokens.js";
import { parameterTable } from "./parameter-table.js";
import { roofline } from "./roofline.js";
import { schedulePlot } from "./schedule.js";
import { spectrum } from "./spectrum.js";
import { stateEvolution } from "./state-evolution.js";
import { stateDifference, stateHeatmap } from "./state-heatmap.js";
import { setTheme, type PageHints } from "./theme.js";
import { tokenStrip } from "./token-strip.js";
import { lossPlot, metricPlot, seedsPlot } from "./training-curves.js";
import { trajectory } from "./trajectory.js";

interface Trace {
  name?: string;
  x?: number[];
  y?: number[];
  z?: number[][];
  zmin?: number;
  colorbar?: { title: { text: string } };
  text?: string[][];
}
interface PlotlyJson {
  data: Trace[];
  layout: {
    title: { text: string };
    xaxis: { title: { text: string }; tickangle?: number; type?: string; tickvals?: number[]; dtick?: number };
    yaxis: { title: { text: string } };
    coloraxis?: { cmin: number; cmax: number };
    annotations?: { text: string; y: number }[];
    sliders?: { active: number; steps: { label: string }[] }[];
    width: number;
    height: number;
    margin: Record<"l" | "r" | "t" | "b", number>;
    legend?: { orientation?: string };
  };
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
    ["each step", "training, smoothed over 40 steps", "held out"],
  );
  assert.deepEqual(data[2]!.x, [500, 1000, 1500, 2000]);
  assert.equal(data[0]!.x!.at(-1), 2000);
  assert.equal(data[0]!.x!.length, data[1]!.y!.length);
  assert.ok(data[0]!.x!.length <= 501);
  assert.equal(layout.title.text, "A run");
  assert.equal(layout.xaxis.title.text, "step");
  assert.equal(layout.yaxis.title.text, "loss (nats a token)");
  assert.ok(JSON.stringify(stored(figure)).length < 20000);
  assert.match(String(figure), /A run: loss 0\.336 nats a token at step 2000, held out 0\.433/);
  const ofBytes = lossPlot(history, { unit: "nats per byte" });
  assert.equal(stored(ofBytes).layout.yaxis.title.text, "loss (nats per byte)");
});

test("several runs share a loss plot by name, and an empty history is no error", () => {
  const names = (runs: Record<string, typeof history>) => stored(lossPlot(runs)).data.map(({ name }) => name);
  assert.deepEqual(names({ sse: history.slice(0, 500) }), ["sse, each step", "sse, training", "sse, held out"]);
  assert.deepEqual(names({ sse: history.slice(0, 3), "RWKV-7": history.slice(0, 2) }), [
    "sse, each step",
    "sse",
    "RWKV-7, each step",
    "RWKV-7",
  ]);
  assert.deepEqual(stored(lossPlot([])).data[0]!.x, []);
  assert.match(String(lossPlot([])), /no steps yet/);
  async function* training() {}
  const wanted = { name: "ConfigurationError", message: /plots.loss: the history is .*, wanted a list of steps/ };
  for (const wrong of [training(), Promise.resolve([]), null, { sse: training() }, 3]) {
    assert.throws(() => lossPlot(wrong as never), wanted);
    assert.throws(() => metricPlot(wrong as never, { metric: "loss" }), /plots.metric: the history is/);
  }
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
  const { cmin, cmax } = json.layout.coloraxis!;
  assert.equal(cmin, -cmax);
  assert.ok(Math.abs(cmax / Math.max(...expected.map(Math.abs)) - 1) < 0.01);
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
  assert.equal(stored(stateHeatmap(state)).layout.coloraxis!.cmax, 1);
});

test("all heads of all layers share one scale, a heatmap each, and say which they are", async () => {
  await useBackend("cpu");
  const model = createModel({ vocabSize: 16, width: 16, layers: 2, headSize: 8 }, { seed: 1 });
  const { state } = model.forward([[1, 2, 3]]);
  const { data, layout } = stored(stateHeatmap(state, { layer: "all", head: "all" }));
  assert.equal(data.length, 4);
  assert.deepEqual(
    (layout.annotations ?? []).map(({ text }) => text),
    ["layer 0, head 0", "layer 0, head 1", "layer 1, head 0", "layer 1, head 1"],
  );
  const largest = Math.max(...state.layers.flatMap(({ wkv }) => [...wkv.dataSync()].map(Math.abs)));
  assert.ok(Math.abs(layout.coloraxis!.cmax / largest - 1) < 0.006);
  assert.equal(stored(stateHeatmap(state, { limit: 7 })).layout.coloraxis!.cmax, 7);
});

test("more heads than can stand in a row go on below it, and figures of a fixed size may be drawn smaller", () => {
  const titles = Array.from({ length: 12 }, (_, head) => `head ${head}`);
  const matrix = Array.from({ length: 6 }, () => [1, 1, 1, 1, 1, 1]);
  const cells = [0, 1].map(() => titles.map((title) => ({ title, matrix })));
  const labels = { xLabel: "key", yLabel: "value", valueLabel: "state" };
  const { data, layout } = heatmapGrid(cells, labels);
  assert.equal(data.length, 24);
  assert.ok(layout.width! <= 860, `${layout.width} pixels are wider than a cell`);
  // Two rows of twelve are four lines of six.
  assert.equal(layout.annotations![6]!.x, layout.annotations![0]!.x);
  assert.ok(Number(layout.annotations![6]!.y) < Number(layout.annotations![0]!.y));
  const { layout: uneven } = heatmapGrid([cells[0]!.slice(0, 11)], labels);
  const axes = Object.entries(uneven as Record<string, LayoutAxis>).filter(([name]) => name.startsWith("xaxis"));
  const named = axes.filter(([, { showticklabels }]) => showticklabels);
  assert.deepEqual(
    named.map(([name]) => name),
    ["xaxis6", "xaxis7", "xaxis8", "xaxis9", "xaxis10", "xaxis11"],
    "every column has the numbers of its axis below its last heatmap",
  );
  const hints = (figure: Figure) => (figure.layout as { meta?: PageHints }).meta?.scales;
  assert.deepEqual([hints(matrixPlot([[1]])), hints(lossPlot([]))], [true, undefined]);
});

test("the difference of two states is what the later has more", async () => {
  await useBackend("cpu");
  const model = createModel({ vocabSize: 16, width: 8, layers: 1, headSize: 8 }, { seed: 1 });
  const before = model.forward([[1, 2]]).state;
  const after = model.forward([[3]], before).state;
  const [trace] = stored(stateDifference(before, after)).data;
  const [old, now] = [before, after].map(({ layers }) => layers[0]!.wkv.dataSync());
  trace!.z!.flat().forEach((value, i) => assert.ok(Math.abs(value - (now![i]! - old![i]!)) <= 0.006 * Math.abs(value)));
});

test("an evolution has a frame a token, one scale, and a slider that goes to each", () => {
  const frames = [1, -4, 2].map((size, i) => ({
    label: "abc"[i]!,
    matrix: [
      [size, 0],
      [0, size / 2],
    ],
  }));
  const figure = stateEvolution(frames);
  const { data, layout, frames: shown } = stored(figure) as PlotlyJson & { frames: { name: string; data: Trace[] }[] };
  assert.deepEqual(
    shown.map(({ name }) => name),
    ["0", "1", "2"],
  );
  assert.deepEqual(shown[1]!.data[0]!.z, frames[1]!.matrix);
  assert.deepEqual(data[0]!.z, frames[0]!.matrix);
  assert.equal(layout.coloraxis!.cmax, 4);
  assert.deepEqual(
    layout.sliders![0]!.steps.map(({ label }) => label),
    ['0: "a"', '1: "b"', '2: "c"'],
  );
  assert.throws(() => stateEvolution([]), /there is no frame/);
});

test("frames of every so many tokens are called by the token's number, as a recorded evolution gives it", () => {
  const frames = [0, 5, 10].map((token) => ({ label: token === 5 ? "" : "a", token, matrix: [[token]] }));
  const steps = stored(stateEvolution(frames)).layout.sliders![0]!.steps;
  assert.deepEqual(
    steps.map(({ label }) => label),
    ['0: "a"', "5", '10: "a"'],
  );
});

test("matrices are shown in any of their forms: lists, typed arrays, a tensor, what was traced", async () => {
  await useBackend("cpu");
  const rows = [
    [1, 2, 3],
    [4, 5, NaN],
  ];
  const tensor = tf.tensor2d(rows);
  const traced = new ActivationValues("a", ["row", "head", "channel"], [1, 2, 3], Float32Array.from(rows.flat()));
  const wanted = stored(matrixPlot(rows)).data;
  for (const form of [rows.map((row) => Float32Array.from(row)), tensor, traced, matrixOfValues(2, 3, rows.flat())]) {
    assert.deepEqual(stored(matrixPlot(form)).data, wanted);
  }
  assert.equal(stored(matricesPlot({ tensor, traced })).data.length, 2);
  assert.throws(() => matrixPlot([[1, 2], [3]]), /row 1 of the matrix has 1 columns, wanted 2/);
  assert.throws(() => matrixPlot(tf.ones([2, 3, 3])), /the tensor is \[2, 3, 3\]: choose two axes/);
  assert.equal(statistics.frobeniusNorm(tf.tensor2d([[3, 4]])), 5);
});

test("of a matrix with more entries than pixels, means of neighbours are shown at the entries' places, and told", () => {
  const rows = Array.from({ length: 1300 }, (_, i) => [i, i === 1 ? NaN : 2 * i]);
  const { data, layout } = stored(matrixPlot(rows));
  const [heatmap] = data as (Trace & { y0: number; dy: number; x0: number; dx: number })[];
  assert.deepEqual(heatmap!.z!.slice(0, 2), [
    [1, 2],
    [4, 8],
  ]);
  // The last row alone, with three digits.
  assert.deepEqual(heatmap!.z!.at(-1), [1300, 2600]);
  assert.equal(heatmap!.z!.length, 434);
  assert.deepEqual([heatmap!.y0, heatmap!.dy, heatmap!.x0, heatmap!.dx], [1, 3, 0, 1]);
  const small = '<span style="font-size:11px"> (blank: 1 of 2600 values, not finite)</span>';
  assert.equal(layout.title.text, `Matrix${small} (means of 3 × 1 entries)`);
  const large = Array.from({ length: 700 }, (_, i) => Float32Array.from({ length: 700 }, (_, j) => (i < j ? 1 : -1)));
  const several = matricesPlot({ a: large, b: large, c: [[1]], d: large });
  const [first, , third] = stored(several).data as (Trace & { y0?: number; dy?: number; dx?: number })[];
  assert.deepEqual([first!.z!.length, first!.z![0]!.length, first!.y0, first!.dy, first!.dx], [234, 234, 1, 3, 3]);
  assert.deepEqual([third!.z, third!.dy], [[[1]], undefined]);
  assert.match(String(several), /^Matrices \(means of 3 × 3 entries\): a 700×700, b 700×700, c 1×1, d 700×700$/);
  const two = matricesPlot({ a: large, b: [...large, ...large] });
  assert.equal(stored(two).layout.title.text, "Matrices (means of neighbouring entries)");
});

test("NaN masks what is not to be seen: the title tells of it in small letters, unless there is nothing else", () => {
  const mask = [
    [1, NaN],
    [2, 3],
  ];
  const small = /^W<span style="font-size:11px"> \(blank: 1 of 4 values, not finite\)<\/span>$/;
  assert.match(stored(matrixPlot(mask, { title: "W" })).layout.title.text, small);
  assert.match(String(matrixPlot(mask, { title: "W" })), /^W \(blank: 1 of 4 values, not finite\): 2×2/);
  assert.match(
    stored(matricesPlot({ a: mask, b: [[4]] }, { title: "W" })).layout.title.text,
    /^W<span.* 1 of 5 values/,
  );
  assert.match(stored(matrixPlot([[NaN]])).layout.title.text, /^Matrix \(blank: 1 of 1/);
});

test("a line by itself is called as its label says", () => {
  const [line] = stored(overTokens(Float32Array.of(1, 2), { label: "norm" })).data;
  assert.deepEqual([line!.name, line!.y], ["norm", [1, 2]]);
});

test("an evolution can start where much is stored, and numbers alone name its frames", () => {
  const frames = [1, 2].map((size) => ({ label: "", matrix: [[size]] }));
  const { data, layout } = stored(stateEvolution(frames, { start: 1 }));
  assert.deepEqual(data[0]!.z, [[2]]);
  assert.equal(layout.sliders![0]!.active, 1);
  assert.deepEqual(
    layout.sliders![0]!.steps.map(({ label }) => label),
    ["0", "1"],
  );
  assert.throws(() => stateEvolution(frames, { start: 2 }), /start is 2, wanted 0 to 1/);
});

test("seeds become a mean with a band of one sample standard deviation, over the steps that all have", () => {
  const runs = [1, 2, 6].map((loss) => [
    { step: 10, validationLoss: loss },
    { step: 20, validationLoss: loss + 1 },
  ]);
  runs[0]!.push({ step: 30, validationLoss: 0 });
  const [band, mean] = stored(seedsPlot({ sse: runs })).data;
  assert.deepEqual(mean!.x, [10, 20]);
  assert.deepEqual(mean!.y, [3, 4]);
  // The sample standard deviation of 1, 2, 6 is √7.
  assert.deepEqual(band!.y, [5.646, 6.646, 1.354, 0.3542]);
  assert.deepEqual(stored(seedsPlot({ sse: runs }, { band: "range" })).data[0]!.y, [6, 7, 2, 1]);
  assert.equal(stored(seedsPlot({ sse: runs }, { xLabel: "moves" })).layout.xaxis.title.text, "moves");
  const title = (...[all, options]: Parameters<typeof seedsPlot>) => stored(seedsPlot(all, options)).layout.title.text;
  assert.equal(title({ sse: runs, meta: runs }), "Held-out loss: mean ± 1 SD of 3 seeds");
  assert.equal(title({ a: runs, b: [] }, { band: "range" }), "Held-out loss: mean and range of the seeds");
  assert.equal(title({ sse: runs }, { title: "Mine" }), "Mine");
  assert.deepEqual(seedsPlot({ sse: runs }, { range: [1, 10] }).layout.yaxis?.range, [1, 10]);
  assert.deepEqual(seedsPlot({ sse: runs }, { range: [1, 10], log: true }).layout.yaxis?.range, [0, 1]);
});

test("a plot marks levels and places by lines from edge to edge, each with a name in the legend", () => {
  const marks = { levels: { guessing: 0.06 }, places: { "grows here": 2 } };
  const point = { step: 1, loss: 1, accuracy: 0.5 };
  const figures = [
    lossPlot([point], marks),
    metricPlot([point], { metric: "accuracy", ...marks }),
    seedsPlot({ sse: [[point]] }, { metric: "accuracy", ...marks }),
    overTokens({ accuracy: [0.5] }, marks),
  ];
  for (const { layout } of figures) {
    assert.equal(layout.showlegend, true);
    const found = layout.shapes!.map(({ name, showlegend, xref, x0, x1, yref, y0, y1 }) => [
      ...[name, showlegend],
      ...[xref ?? "x", x0, x1],
      ...[yref ?? "y", y0, y1],
    ]);
    assert.deepEqual(found, [
      ["guessing", true, "paper", 0, 1, "y", 0.06, 0.06],
      ["grows here", true, "x", 2, 2, "paper", 0, 1],
    ]);
    assert.notEqual(layout.shapes![0]!.line!.dash, layout.shapes![1]!.line!.dash);
  }
  assert.equal(figures[1]!.layout.yaxis!.rangemode, "tozero", "a level is no end of the axis");
  // One name alone needs no legend, and none has room.
  const { layout } = metricPlot([point], { metric: "accuracy" });
  assert.equal(layout.showlegend, false);
  assert.ok(Number(figures[1]!.layout.height) > Number(layout.height));
});

test("where colours have both signs, zero has that of the paper, whatever the range", () => {
  const ends = (figure: Figure) => {
    const { zmin, zmax, colorscale } = figure.data[0] as { zmin: number; zmax: number; colorscale: [number, string][] };
    return [zmin, zmax, colorscale.find(([at]) => at === 0.5)?.[1] === "#ffffff"];
  };
  const positive = [[0.5, 1]];
  assert.deepEqual(ends(matrixPlot(positive)), [0, 1, false]);
  assert.deepEqual(ends(matrixPlot(positive, { range: [0.5, 2] })), [0.5, 2, false]);
  assert.deepEqual(ends(matrixPlot(positive, { range: [-1, 2] })), [-2, 2, true]);
  assert.deepEqual(ends(tokenStrip(["a", "b"], positive[0]!, { range: [-1, 1] })), [-1, 1, true]);
  assert.deepEqual(ends(tokenStrip(["a", "b"], [-3, 1], { range: [-1, 0.5] })), [-1, 1, true]);
});

test("small matrices have their values written into them, a few in a row", () => {
  const text = (figure: Figure) => figure.data.map((trace) => (trace as { texttemplate?: string }).texttemplate);
  const written = (trace: object) => (trace as { text?: string[][] }).text;
  const square = (side: number) => Array.from({ length: side }, () => Array.from({ length: side }, () => 0.25));
  assert.deepEqual(text(matrixPlot(square(5))), ["%{text}"]);
  // As the axes write them, and no zero with a sign.
  assert.deepEqual(written(matrixPlot([[-1.9, -0.001, 0.125, NaN]]).data[0]!), [["−1.9", "0", "0.13", ""]]);
  assert.deepEqual(written(matrixPlot([[0.0024, -0.00031, 0]]).data[0]!), [["0.0024", "−0.0003", "0"]]);
  assert.deepEqual(written(matrixPlot([[-3e-8, 1e-9]]).data[0]!), [["−3.0e−8", "1.0e−9"]]);
  const moving = stateEvolution([-1, 2].map((value) => ({ label: "", matrix: [[value]] })));
  assert.deepEqual(
    moving.frames.map(({ data }) => written(data![0]!)),
    [[["−1"]], [["2"]]],
  );
  assert.deepEqual(text(matrixPlot(square(6))), [undefined]);
  const four = Object.fromEntries(
    ["before", "decayed", "removed", "written", "after"].map((name) => [name, square(4)]),
  );
  const figure = matricesPlot(four);
  assert.deepEqual(new Set(text(figure)), new Set(["%{text}"]));
  const { layout } = stored(figure);
  assert.deepEqual(layout.annotations!.map(({ y }) => y === layout.annotations![0]!.y), [true, true, true, false, false]); // prettier-ignore
  assert.deepEqual(new Set(text(matricesPlot({ small: square(4), large: square(6) }))), new Set([undefined]));
});

test("any metric can be plotted; steps without it are left out", () => {
  const points = [{ step: 1, gradientNorm: 2 }, { step: 2 }, { step: 3, gradientNorm: 4 }];
  const { data, layout } = stored(metricPlot(points, { metric: "gradientNorm" }));
  assert.deepEqual(
    [data[0]!.x, data[0]!.y],
    [
      [1, 3],
      [2, 4],
    ],
  );
  assert.equal(layout.yaxis.title.text, "gradient norm");
});

test("singular values come sorted, with the stable rank", () => {
  const figure = spectrum({ head: [1, 2, 0] });
  const [trace] = stored(figure).data;
  assert.deepEqual(trace!.y, [2, 1]);
  assert.match(trace!.name!, /stable rank 1\.3/);
  assert.equal(stored(figure).layout.xaxis.dtick, 1);
  assert.deepEqual(stored(spectrum({ head: [1, 2] }, { relative: true })).data[0]!.y, [1, 0.5]);
});

test("a distribution holds the portions of the bins", () => {
  const { data } = stored(distribution({ decay: [0, 0.1, 0.9, 1] }, { bins: 2 }));
  assert.deepEqual(data[0]!.y, [50, 50]);
  assert.match(String(distribution({ a: [1, 2, 4] })), /median 2 of 3/);
  assert.throws(() => distribution({ a: [] }), /no values/);
  assert.throws(() => distribution({ a: [1, NaN] }), /"a" has the value NaN/);
});

test("values outside the range of a distribution are in no bin, as ms.statistics.distribution has it", () => {
  const values = [-1, 0, 0.4, 0.6, 1, 7, 8, 9];
  const figure = distribution({ a: values }, { bins: 2, range: [0, 1] });
  const { counts } = statistics.distribution(values, { bins: 2, range: [0, 1] });
  assert.deepEqual(
    stored(figure).data[0]!.y,
    counts.map((count) => (100 * count) / values.length),
  );
  assert.match(String(figure), /median 0\.8 of 8, 4 outside the range/);
  assert.throws(() => distribution({ a: values }, { range: [1, 0] }), /range is \[1, 0\]/);
});

test("a schedule keeps its first and its last step, and few of many between", () => {
  const { x, y } = stored(schedulePlot("cosine", { steps: 10_007 })).data[0]!;
  assert.deepEqual([x!.at(0), x!.at(-1)], [1, 10_007]);
  assert.ok(x!.length <= 501 && y!.length === x!.length);
});

const smaller = { vocabSize: 16, width: 8, layers: 2, headSize: 4, parameterTokens: 12 };

test("a growth diagram tells what was there and what is new, of models and of their report", async () => {
  const before = createModel(smaller, { seed: 1 });
  const after = grow(before, { layers: 3, heads: 3, parameterTokens: 20 });
  const figure = growthDiagram({ before, after });
  const { data, layout } = stored(figure);
  // A corner more than four closes a box, and a gap ends it: (2 heads + 2 with SSE + 1 bar) · 2 layers were there.
  const boxes = ({ x }: Trace) => x!.length / 6;
  assert.deepEqual(data.slice(0, 2).map(boxes), [10, 2 * 3 + 7]);
  assert.match(
    data[1]!.name!,
    new RegExp(`^new: ${(after.parameterCount - before.parameterCount).toLocaleString("en")}`),
  );
  const labels = layout.annotations!.map(({ text }) => text);
  for (const label of ["layer 1", "layer 2 (new)", "12", "+ 8", "+ 20"]) assert.ok(labels.includes(label), label);
  assert.match(String(figure), /parameter tokens 12 → 20, heads 2 → 3, layers 2 → 3;/);
  const report = await growthReport(before, after, { length: 8 });
  assert.deepEqual(stored(growthDiagram(report)), stored(figure));
});

test("a growth diagram of many layers draws those in the middle as one, and knows models without SSE and baselines", () => {
  const before = createModel({ ...smaller, layers: 9, sse: "none" }, { seed: 1 });
  const many = stored(growthDiagram({ before, after: grow(before, { layers: 20 }) }));
  const labels = many.layout.annotations!.map(({ text }) => text);
  assert.ok(labels.includes("layers 3 – 6") && labels.includes("layers 12 – 17 (new)"), labels.join(", "));
  assert.ok(!labels.includes("heads with SSE"));
  const baseline = createBaseline({ kind: "transformer", vocabSize: 16, width: 8, layers: 1, headSize: 4 });
  assert.match(String(growthDiagram({ before: baseline, after: baseline })), /no size is different; 0 parameters/);
});

test("a token strip breaks lines, marks spaces, and leaves what is missing without a colour", () => {
  const { data } = stored(tokenStrip(["a", " ", "\n"], [1, NaN, 3], { perLine: 2 }));
  assert.deepEqual(data[0]!.z, [
    [1, null],
    [3, null],
  ]);
  assert.deepEqual(data[0]!.text, [
    ["a", "·"],
    ["⏎", " "],
  ]);
  assert.equal(data[0]!.zmin, 0);
  assert.equal(stored(tokenStrip(["a", "b"], [-1, 3])).data[0]!.zmin, -3);
  const bar = (label: string, lines: number) =>
    stored(tokenStrip(Array<string>(lines).fill("a"), Array<number>(lines).fill(1), { label, perLine: 1 })).data[0]!
      .colorbar!.title.text;
  assert.equal(
    bar("surprise (nats)", 1),
    "<br>surprise<br>(nats)",
    "the name of the values is no longer than the colour bar",
  );
  assert.equal(bar("surprise (nats)", 20), "<br>surprise (nats)");
  assert.throws(() => tokenStrip(["a"], [1, 2]), /1 tokens and 2 values/);
});

test("paths, values over tokens and matrices keep their numbers", () => {
  const path = stored(
    trajectory(
      {
        points: [
          [0, 1],
          [2, 3],
        ],
        labels: ["a", "b"],
      },
      { explained: [0.5, 0.25] },
    ),
  );
  assert.deepEqual(
    [path.data[0]!.x, path.data[0]!.y],
    [
      [0, 2],
      [1, 3],
    ],
  );
  assert.equal(path.layout.xaxis.title.text, "principal component 1 (50 % of the variance)");
  const over = stored(overTokens({ norm: [1, 2] }, { tokens: ["a", " b"], label: "update norm" }));
  assert.deepEqual([over.data[0]!.y, over.layout.yaxis.title.text], [[1, 2], "update norm"]);
  const lengths = { x: [128, 512] };
  const wide = stored(overTokens({ norm: [1, 2] }, { ...lengths, xScale: "log" }));
  assert.deepEqual(
    [wide.data[0]!.x, wide.layout.xaxis.type, wide.layout.xaxis.tickvals],
    [[128, 512], "log", [128, 512]],
  );
  assert.equal(stored(overTokens({ kept: [1, 2] }, { x: [0, 90], xTick: 15 })).layout.xaxis.dtick, 15);
  const even = stored(overTokens({ norm: [1, 2] }, { ...lengths, xScale: "even" }));
  assert.deepEqual([even.data[0]!.x, even.layout.xaxis.type], [["128", "512"], "category"]);
  assert.deepEqual(
    stored(
      matrixPlot([
        [0, -1],
        [3, 2],
      ]),
    ).data[0]!.z,
    [
      [0, -1],
      [3, 2],
    ],
  );
});

test("the entries of a matrix are squares, and names that would touch stand upright", () => {
  const sized = (rows: number, columns: number, x?: string[]) => {
    const matrix = Array.from({ length: rows }, () => Array.from({ length: columns }, () => 1));
    const { layout } = stored(matrixPlot(matrix, { title: "", ...(x && { x }) }));
    const { l, r, t, b } = layout.margin;
    return { width: layout.width - l - r, height: layout.height - t - b, angle: layout.xaxis.tickangle };
  };
  assert.deepEqual(sized(4, 4), { width: 224, height: 224, angle: undefined });
  assert.equal(sized(4, 8).width, 2 * sized(4, 8).height);
  const names = (count: number) => Array.from({ length: count }, (_, i) => `k${i + 10}`);
  assert.equal(sized(3, 3, names(3)).angle, 0);
  assert.equal(sized(30, 30, names(30)).angle, -90);
});

test("a logarithmic axis has plain numbers where they are short, and as many as can be read", () => {
  const axis = (...values: number[]) => {
    const { dtick, tickformat, exponentformat } = logarithmicAxis(values);
    return [dtick, tickformat ?? exponentformat];
  };
  assert.deepEqual(axis(1, 50), ["D2", ",~g"]);
  assert.deepEqual(axis(0.01, 5000), [1, ",~g"]);
  assert.deepEqual(axis(1e-7, 1), [1, "power"]);
  assert.deepEqual(axis(2e-7, 3e-6), ["D2", "~e"]);
  assert.deepEqual(axis(1e-12, 1e12), [3, "power"]);
  assert.deepEqual(axis(0, -1, 3), ["D2", ",~g"]);
  assert.deepEqual(axis(), ["D2", ",~g"]);
  const { yaxis } = metricPlot(
    [
      { step: 1, norm: 0.001 },
      { step: 2, norm: 900 },
    ],
    { metric: "norm", log: true },
  ).layout;
  assert.deepEqual([yaxis?.type, yaxis?.dtick], ["log", 1]);
});

test("names over tokens stand upright where they would touch, and long names of lines are below the plot", () => {
  const labels = (count: number) => Array.from({ length: count }, (_, i) => `v${i + 10}`);
  const of = (count: number, ...names: string[]) =>
    stored(
      overTokens(Object.fromEntries(names.map((name) => [name, labels(count).map(() => 1)])), {
        tokens: labels(count),
      }),
    ).layout;
  assert.equal(of(8, "a", "b").xaxis.tickangle, 0);
  const bytes = stored(overTokens({ a: Array<number>(60).fill(1) }, { tokens: Array<string>(60).fill("a") })).layout;
  assert.equal(bytes.xaxis.tickangle, 0);
  assert.equal(of(40, "a", "b").xaxis.tickangle, -90);
  assert.equal(of(8, "a", "b").legend, undefined);
  assert.equal(of(8, "blocks.0.state.wkv, head 0", "b").legend?.orientation, "h");
});

test("matrices side by side share a scale and keep their names", () => {
  const { data, layout } = stored(matricesPlot({ before: [[1]], after: [[-3]] }, { xLabel: "key" }));
  assert.deepEqual([data[0]!.z, data[1]!.z, layout.coloraxis!.cmax], [[[1]], [[-3]], 3]);
  assert.deepEqual(
    layout.annotations!.map(({ text }) => text),
    ["before", "after"],
  );
  assert.throws(() => matricesPlot({}), /there is no matrix/);
});

test("values that are not finite are left blank and told, and the others keep their scale", async () => {
  const matrix = [
    [NaN, -300],
    [Infinity, 2],
  ];
  const one = matrixPlot(matrix, { title: "W" });
  assert.match(String(one), /^W \(blank: 2 of 4 values, not finite\): 2×2, largest magnitude 300$/);
  assert.deepEqual(stored(one).data[0]!.z, [
    [null, -300],
    [null, 2],
  ]);
  assert.equal(stored(one).data[0]!.zmin, -300);
  const both = matricesPlot({ a: matrix, b: [[400]] });
  assert.equal(stored(both).layout.coloraxis?.cmax, 400);
  assert.match(stored(both).layout.title.text, /blank: 2 of 5 values/);
  await useBackend("cpu");
  tf.tidy(() => {
    const state = createModel({ vocabSize: 4, width: 8, layers: 1, headSize: 4 }).initialState();
    const bad = state.withTensors(state.tensors().map((tensor) => tf.fill(tensor.shape, NaN)));
    assert.match(String(stateHeatmap(bad)), /blank: (\d+) of \1 values, not finite/);
  });
});

test("a parameter table adds up layers and comes to the whole", () => {
  const model = createModel({ vocabSize: 16, width: 8, layers: 3, headSize: 8 }, { seed: 1 });
  const text = String(parameterTable(model));
  assert.match(text, /^blocks\.\*\.att\.r_k {2}\[1, 8\] {2}3 {2}24 {2}/m);
  assert.match(text, new RegExp(`^all .* ${model.parameterCount.toLocaleString("en")} {2}100 %$`, "m"));
  assert.match(String(parameterTable(model, { rows: "all" })), /^blocks\.2\.att\.r_k {2}/m);
});

test("a roofline says what portion of its limit an op reaches", () => {
  const peak = { gflops: 100, gigabytesPerSecond: 10 };
  const figure = roofline([{ name: "read", gflops: 5, intensity: 1 }], peak);
  assert.match(String(figure), /read: 50 % of the limit/);
  assert.deepEqual(stored(figure).data[0]!.y!.at(-1), 100);
  assert.deepEqual(
    stored(figure).layout.annotations!.map(({ text }) => text),
    ["100 GFLOP/s", "10 GB/s"],
  );
  assert.throws(() => roofline([], { ...peak, gflops: 0 }), /gflops is 0/);
  assert.throws(() => roofline([{ name: "add", gflops: 1, intensity: 0 }], peak), /add is 0/);
  assert.throws(() => roofline([]), /there is no peak/);
});

/** What `make` gives in another look. */
function inTheme<T>(name: "light" | "dark", make: () => T): T {
  setTheme(name);
  try {
    return make();
  } finally {
    setTheme("auto");
  }
}

test("a theme is the look of the figures that are made after it", () => {
  const colourOf = (figure: Figure) => figure.toJSON().layout.paper_bgcolor;
  const before = lossPlot([]);
  assert.notEqual(colourOf(inTheme("dark", () => lossPlot([]))), colourOf(before));
  assert.equal(colourOf(lossPlot([])), colourOf(before));
  assert.equal(colourOf(inTheme("light", () => lossPlot([]))), colourOf(before));
  assert.equal("meta" in inTheme("light", () => lossPlot([])).layout, false);
  assert.throws(() => setTheme("blue" as "dark"), /"blue" is no theme/);
});

test("a figure says what each of its colours is on a dark page, and is then as the dark theme makes it", () => {
  const model = createModel({ vocabSize: 8, width: 8, layers: 2, headSize: 4, sse: "sse" }, { seed: 1 });
  const larger = createModel({ vocabSize: 8, width: 8, layers: 3, headSize: 4, sse: "sse" }, { seed: 1 });
  const { state } = model.forward([[1, 2, 3]]);
  const matrix = [
    [1, -2],
    [0, 3],
  ];
  const history = [
    { step: 1, loss: 2, validationLoss: 2.1 },
    { step: 2, loss: 1 },
  ];
  const kinds: Record<string, () => Figure> = {
    loss: () => lossPlot({ a: history, b: history }),
    seeds: () => seedsPlot({ a: [history, history] }, { metric: "loss" }),
    state: () => stateHeatmap(state, { layer: "all", head: "all" }),
    evolution: () => stateEvolution([{ label: "a", matrix }]),
    strip: () => tokenStrip(["a", "b"], [1, -1]),
    surprise: () => tokenStrip(["a", "b"], [1, 2]),
    trajectory: () => trajectory({ points: matrix as [number, number][] }),
    overTokens: () => overTokens({ a: [1, 2], b: [2, 3] }),
    distribution: () => distribution({ a: [1, 2, 3] }),
    matrix: () => matrixPlot(matrix),
    portions: () => matrixPlot(matrix, { range: [0, 1] }),
    spectrum: () => spectrum({ a: [3, 2, 1] }),
    table: () => parameterTable(model),
    growth: () => growthDiagram({ before: model, after: larger }),
    roofline: () => roofline([{ name: "a", intensity: 1, gflops: 1 }], { gflops: 2, gigabytesPerSecond: 3 }),
    schedule: () => schedulePlot({ cosine: "cosine" }, { steps: 10, learningRate: 1 }),
  };
  for (const [name, make] of Object.entries(kinds)) {
    const { meta, ...layout } = make().toJSON().layout as { meta: { dark: Record<string, string>; scales?: boolean } };
    const { dark: colours, ...hints } = meta;
    const rest = { ...layout, ...(hints.scales && { meta: hints }) };
    const dark = JSON.stringify({ ...make().toJSON(), layout: rest }).replace(
      /#[\da-f]{6}/g,
      (colour) => colours[colour] ?? `${colour} is not told`,
    );
    assert.deepEqual(JSON.parse(dark), JSON.parse(JSON.stringify(inTheme("dark", make))), name);
  }
  // What is not said has plotly's own colour, which is made for light pages.
  const { sliders, updatemenus } = kinds["evolution"]!().toJSON().layout;
  for (const control of [...sliders!, ...updatemenus!]) assert.ok(control.bgcolor && control.bordercolor);
});
