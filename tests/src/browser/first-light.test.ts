/** 01-first-light.ipynb as a person sees it: in a real JupyterLab, in a real browser. */
import assert from "node:assert/strict";
import { copyFileSync, cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { firstLight, results, root } from "../environment.js";
import { skip, startChromium } from "./chromium.js";
import { startJupyterLab } from "./jupyterlab.js";
import { withoutCellTools } from "./live-notebook.js";
import {
  cellsWithFigures,
  codeIsColoured,
  drawnCharts,
  notebookEnd,
  notebookIsOpen,
  runAllCells,
  showCell,
  state,
  type Chart,
} from "./notebook-page.js";

/** Training takes at most three minutes on two cores; a machine may be twice as slow. */
const PATIENCE = 480_000;

/** The end of a log, without lines that are whole programs. */
function lastLines(log: string): string {
  const lines = log.trimEnd().split("\n").slice(-30);
  return lines.map((line) => line.slice(0, 300)).join("\n");
}

test("first light in JupyterLab: every cell runs, and its charts are drawn", { skip, timeout: 900_000 }, async (t) => {
  // Inside the checkout, so that a package that a cell imports is found; test-results is not under version control.
  const folder = join(results, "browser");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  copyFileSync(firstLight, join(folder, "first-light.ipynb"));
  cpSync(join(root, "notebooks", "images"), join(folder, "images"), { recursive: true });
  const lab = await startJupyterLab(folder);
  t.after(() => lab.stop());
  const browser = await startChromium();
  t.after(() => browser.close());
  const page = await browser.newPage({ viewport: { width: 1440, height: 1000 } });
  page.setDefaultTimeout(120_000);
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.stack ?? error.message));
  const told = () => `\nthe page complained:\n${complaints.join("\n")}\nthe server logged:\n${lastLines(lab.log())}`;

  await page.goto(lab.address("first-light.ipynb"));
  assert.equal(await notebookIsOpen(page, "first-light.ipynb"), "TypeScript (metastate)");

  await runAllCells(page);
  for (const giveUp = Date.now() + PATIENCE; ; await sleep(500)) {
    const { status, ran, cells, errors } = await state(page);
    if (errors.length) await page.screenshot({ path: join(results, "first-light-error.png") });
    assert.deepEqual(errors, [], told());
    if (ran === cells && status === "idle") break;
    assert.ok(Date.now() < giveUp, `${ran} of ${cells} cells ran, the kernel is ${status}${told()}`);
  }

  const withFigures = await cellsWithFigures(page);
  assert.ok(withFigures.length >= 2, `${withFigures.length} cells have figures; the loss and the state are two`);
  const charts: Chart[] = [];
  for (const cell of withFigures) {
    await showCell(page, cell);
    const drawn = await drawnCharts(page, cell);
    if (!drawn) await page.screenshot({ path: join(results, "first-light-error.png") });
    assert.ok(drawn, `the figure of cell ${cell} is not drawn${told()}`);
    charts.push(...drawn);
    await page.screenshot({ path: join(results, `first-light-chart-${charts.length}.png`) });
    if (cell !== withFigures[0]) continue;
    // The README's picture; put into docs/ only by `npm run screenshots`.
    await page.mouse.move(0, 0);
    const training = join(process.env["METASTATE_PICTURES"] ?? results, "training.png");
    await page.locator(".jp-Cell.jp-mod-active").screenshot({ path: training, style: withoutCellTools, caret: "hide" });
  }
  for (const chart of charts) {
    assert.ok(chart.width >= 300 && chart.height >= 200, `a chart has the size of one: ${JSON.stringify(chart)}`);
  }
  assert.ok(
    charts.some(({ paths }) => paths > 0),
    `a chart of the loss has lines: ${JSON.stringify(charts)}`,
  );
  assert.ok(
    charts.some(({ images }) => images > 0),
    `a chart of the state has its image: ${JSON.stringify(charts)}`,
  );

  // The whole notebook on one picture: in a window that is high enough JupyterLab renders every cell.
  await page.setViewportSize({ width: 1440, height: 10_000 });
  await showCell(page, 0);
  await sleep(2000);
  await page.setViewportSize({ width: 1440, height: Math.ceil(await notebookEnd(page)) + 60 });
  await sleep(1000);
  await page.screenshot({ path: join(results, "first-light-whole.png") });

  assert.ok(await codeIsColoured(page), "JupyterLab does not know the language of the cells by what kernel_info says");
});
