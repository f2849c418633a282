/** Figures as a browser draws them: no words lie over others or beyond the edge, no legend over what is plotted. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import test from "node:test";

import type { Layout } from "plotly.js";
import { chromium } from "playwright-core";

import { createModel } from "../model/model.js";
import { useBackend } from "../testing.js";
import { distribution } from "./distributions.js";
import type { Figure } from "./figure.js";
import { growthDiagram } from "./growth-diagram.js";
import { matricesPlot, matrixPlot } from "./matrix.js";
import { overTokens } from "./over-tokens.js";
import { roofline } from "./roofline.js";
import { findBrowser, pictureSize } from "./save-figure.js";
import { schedulePlot } from "./schedule.js";
import { spectrum } from "./spectrum.js";
import { stateEvolution } from "./state-evolution.js";
import { stateHeatmap } from "./state-heatmap.js";
import { withoutBrowser } from "./testing.js";
import { tokenStrip } from "./token-strip.js";
import { lossPlot, metricPlot, seedsPlot } from "./training-curves.js";
import { trajectory } from "./trajectory.js";

/** Where something is, in pixels from the figure's left and top edge. */
interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly text: string;
}

/** What is looked at in a figure. */
interface Drawn {
  /** all words and numbers beside the plot, the title too */
  readonly words: Box[];
  /** of each colour bar, its title and its numbers */
  readonly bars: { title: Box[]; numbers: Box[] }[];
  /** legends, and the plots themselves */
  readonly legends: Box[];
  readonly plots: Box[];
}

/** As much of the page as is used; the function that uses it runs there. */
interface Element {
  getBoundingClientRect(): { left: number; right: number; top: number; bottom: number; width: number };
  querySelectorAll(selector: string): Iterable<Element>;
  readonly textContent: string | null;
}
interface PageGlobals {
  readonly Plotly: { newPlot(element: Element, data: unknown, layout: unknown): Promise<unknown> };
  readonly document: { getElementById(id: string): Element };
}

const tokens = (count: number) => Array.from({ length: count }, (_, i) => (i % 2 ? `v${i + 3}` : `k${i + 9}`));
const values = (count: number, scale = 1) => Array.from({ length: count }, (_, i) => scale * Math.sin(1 + i));
const matrix = (rows: number, columns: number, scale = 1) =>
  Array.from({ length: rows }, (_, row) => values(columns, scale * (1 + row / rows)));
const names = ["grown", "small, never grown", "large, second half only", "large from the start"];
const history = Array.from({ length: 20 }, (_, i) => ({
  step: i + 1,
  loss: 5 / (i + 1),
  validationLoss: 6 / (i + 1),
  norm: 900 / (i + 1),
}));

test(
  "no words of a figure lie over others or beyond its edge, no legend over what is plotted",
  { skip: withoutBrowser },
  async () => {
    await useBackend("cpu");
    const model = createModel({ vocabSize: 8, width: 16, layers: 2, headSize: 4, sse: "sse" }, { seed: 1 });
    const larger = createModel({ vocabSize: 8, width: 16, layers: 3, headSize: 4, sse: "sse" }, { seed: 1 });
    const { state } = model.forward([[1, 2, 3]]);
    const line = values(23).map(Math.abs);
    const portions = matrix(15, 6).map((row) => row.map(Math.abs));
    const figures: Record<string, Figure> = {
      loss: lossPlot({ "Meta-State": history, "RWKV-7": history }),
      metric: metricPlot(history, { metric: "norm", log: true }),
      marked: metricPlot(history, { metric: "loss", levels: { guessing: 1 }, places: { "grows here": 9 } }),
      "powers of ten": overTokens({ error: [2e-3, 2.5e-7] }, { log: true, label: "relative error", x: [7, 23] }),
      seeds: seedsPlot(Object.fromEntries(names.map((name) => [name, [history, history]])), { metric: "loss" }),
      state: stateHeatmap(state, { layer: 1, head: 0 }),
      states: stateHeatmap(state, { layer: "all", head: "all" }),
      evolution: stateEvolution(tokens(23).map((label, i) => ({ label, matrix: matrix(16, 16, i / 5) }))),
      "evolution, one digit": stateEvolution([{ label: "", matrix: matrix(4, 4) }]),
      strip: tokenStrip(tokens(60), values(60).map(Math.abs), { label: "surprise (nats)" }),
      "strip, a line": tokenStrip(tokens(23), line, { label: "surprise (nats)", perLine: 12 }),
      "strip of both signs": tokenStrip(tokens(24), values(24), { label: "factor", range: [-1, 1] }),
      "strip of one line": tokenStrip(Array<string>(24).fill("213"), values(24), { label: "factor" }),
      "strip of bytes": tokenStrip(
        tokens(72).map(([byte]) => byte!),
        values(72),
        { label: "nats", perLine: 36 },
      ),
      trajectory: trajectory({ calm: { points: [[1, 2], [3, 4]] }, "storm, alike again": { points: [[3, 1]] } }), // prettier-ignore
      tokens: overTokens({ "layer 0, head 0": line, "layer 0, head 1": line }, { tokens: tokens(23) }),
      bytes: overTokens(
        { "layer 0": values(60), "layer 1": values(60) },
        { tokens: tokens(60).map(([byte]) => byte!) },
      ),
      "tokens, long names": overTokens({ "writing, one token a text": line, b: line }, { tokens: tokens(40) }),
      throughput: overTokens({ "writing, one token": [1400, 17500], b: [21000, 6e4] }, { log: true, x: [1, 32] }),
      decays: distribution({ "layer 0": line, "layer 1": line }, { range: [0.5, 1] }),
      similarity: matrixPlot(matrix(23, 23).map((row) => row.map(Math.abs)), { label: "cosine", x: tokens(23), y: tokens(23) }), // prettier-ignore
      taken: matrixPlot(portions, { label: "probability", y: tokens(15).map((name) => `M of layer 1, ${name}`), x: tokens(6) }), // prettier-ignore
      parts: matricesPlot({ before: matrix(4, 4), decayed: matrix(4, 4), "− removed": matrix(4, 4), "+ written": matrix(4, 4), after: matrix(4, 4) }, { label: "state value", xLabel: "key channel" }), // prettier-ignore
      two: matricesPlot({ "a = 1: removal": matrix(3, 3), "a = 2: reflection": matrix(3, 3) }, { label: "factor" }),
      spectrum: spectrum({ "after 1 pair": [10, 1, 0.01], "after 3 pairs": [10, 9, 8], "after 6 pairs": [9] }),
      growth: growthDiagram({ before: model, after: larger }),
      roofline: roofline([{ name: "MetaPassGrad", intensity: 1, gflops: 1 }], { gflops: 207, gigabytesPerSecond: 41 }),
      schedule: schedulePlot({ cosine: "cosine", WSD: "linear" }, { steps: 10, learningRate: 1 }),
    };
    const wrong: string[] = [];
    const browser = await chromium.launch({
      executablePath: findBrowser(),
      args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
    });
    try {
      const page = await browser.newPage();
      await page.setContent('<div id="figure"></div>');
      await page.addScriptTag({ path: createRequire(import.meta.url).resolve("plotly.js-dist-min/plotly.min.js") });
      for (const [name, figure] of Object.entries(figures)) {
        const { data, layout } = figure.toJSON();
        const legendTops = new Set<number>();
        for (const room of rooms) {
          const sized = inRoom(layout, room);
          const drawn = await page.evaluate(draw, { data, layout: sized });
          wrong.push(...faults(drawn, pictureSize(sized)).map((fault) => `${name}, ${room} wide: ${fault}`));
          for (const { top } of drawn.legends) legendTops.add(Math.round(top));
        }
        // A page that becomes wider does not move it.
        if (legendTops.size > 1) wrong.push(`${name}: the legend begins at ${[...legendTops].join(" or ")}`);
      }
    } finally {
      await browser.close();
    }
    assert.deepEqual(wrong, []);
  },
);

/** Widths of a cell of JupyterLab, of a narrower one, and of one on half a page; pixels. */
const rooms = [860, 560, 480];

/** A figure's layout as pages draw it in a place of some width: what has a fixed size is drawn smaller, with its edges as they are. */
function inRoom(layout: Partial<Layout>, room: number): Partial<Layout> {
  const { width, height, margin } = layout;
  if (width === undefined) return { ...layout, width: room };
  if (width <= room) return layout;
  const [beside, above] = [margin!.l! + margin!.r!, margin!.t! + margin!.b!];
  return { ...layout, width: room, height: above + ((height! - above) * (room - beside)) / (width - beside) };
}

/** Runs in the page. */
async function draw({ data, layout }: { data: unknown; layout: unknown }): Promise<Drawn> {
  const { Plotly, document } = globalThis as unknown as PageGlobals;
  const figure = document.getElementById("figure");
  await Plotly.newPlot(figure, data, layout);
  const origin = figure.getBoundingClientRect();
  const boxes = (selector: string, within: Element = figure): Box[] =>
    [...within.querySelectorAll(selector)]
      .map((element) => ({ ...sides(element), text: element.textContent ?? "" }))
      .filter(({ left, right }) => right > left);
  const sides = (element: Element) => {
    const { left, right, top, bottom } = element.getBoundingClientRect();
    return {
      left: left - origin.left,
      right: right - origin.left,
      top: top - origin.top,
      bottom: bottom - origin.top,
    };
  };
  return {
    words: boxes("text").filter(({ text }) => text.trim() !== ""),
    bars: [...figure.querySelectorAll("g.colorbar")].map((bar) => ({
      title: boxes(".cbtitle text", bar),
      numbers: boxes(".cbaxis text", bar),
    })),
    legends: boxes("g.legend"),
    plots: boxes(".plot"),
  };
}

function faults(
  { words, bars, legends, plots }: Drawn,
  { width, height }: { width: number; height: number },
): string[] {
  const found: string[] = [];
  const overlap = (a: Box, b: Box, by: number): boolean =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > by &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > by;
  words.forEach((word, i) => {
    if (word.left < -1 || word.top < -1 || word.right > width + 1 || word.bottom > height + 1) {
      found.push(`"${word.text}" reaches beyond the edge: ${JSON.stringify(word)}, ${width} × ${height}`);
    }
    for (const other of words.slice(i + 1)) {
      if (overlap(word, other, 1)) found.push(`"${word.text}" lies over "${other.text}"`);
    }
  });
  for (const { title, numbers } of bars) {
    const widest = Math.max(...numbers.map(({ right }) => right));
    if (title.length === 0 || !(Math.min(...title.map(({ left }) => left)) >= widest - 1)) {
      found.push(`the colour bar's title does not stand beside its numbers`);
    }
  }
  for (const legend of legends) {
    const beside = words.filter(({ left, right, top, bottom }) => {
      return left < legend.left || right > legend.right || top < legend.top || bottom > legend.bottom;
    });
    for (const other of [...plots, ...beside]) {
      if (overlap(legend, other, 1)) found.push(`the legend lies over "${other.text || "the plot"}"`);
    }
  }
  return found;
}
