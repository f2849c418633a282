/** The tutorials as a person meets them: opened in a real JupyterLab, their plots drawn, their slider dragged. */
import assert from "node:assert/strict";
import { copyFileSync, cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "playwright-core";
import { results, root } from "../environment.js";
import { assertAllCellsRan } from "../notebook/first-light-checks.js";
import { readNotebook } from "../notebook/notebook-file.js";
import { assertReadable } from "../notebook/readable.js";
import { skip, startChromium } from "./chromium.js";
import { startJupyterLab } from "./jupyterlab.js";
import {
  cellsWithFigures,
  drawnCharts,
  endKernel,
  notebookIsOpen,
  openNotebook,
  runAllCells,
  saveNotebook,
  showCell,
  state,
} from "./notebook-page.js";

const notebooks = join(root, "notebooks");
const names = readdirSync(notebooks)
  .filter((file) => /^\d\d-.*\.ipynb$/.test(file))
  .sort();
/** What a run with short trainings may take on a slow machine, in milliseconds. */
const PATIENCE = 480_000;

/** What is asked of plotly's own objects; it runs in the page. */
interface PageGlobals {
  document: { querySelector(selector: string): { closest(selector: string): { data: { z: number[][] }[] } } | null };
}

test(
  "tutorials in JupyterLab: every plot is drawn and fits, no cell shows an error",
  { skip, timeout: 2_400_000 },
  async (t) => {
    const folder = join(results, "tutorials-in-jupyterlab");
    const pictures = join(results, "tutorials");
    for (const place of [folder, pictures]) {
      rmSync(place, { recursive: true, force: true });
      mkdirSync(place, { recursive: true });
    }
    for (const name of names) copyFileSync(join(notebooks, name), join(folder, name));
    cpSync(join(notebooks, "images"), join(folder, "images"), { recursive: true });
    const lab = await startJupyterLab(folder, { METASTATE_QUICK: "1" });
    t.after(() => lab.stop());
    const browser = await startChromium();
    t.after(() => browser.close());
    const page = await browser.newPage({ viewport: { width: 1440, height: 1000 } });
    page.setDefaultTimeout(120_000);
    page.on("dialog", (dialog) => void dialog.accept());

    await page.goto(lab.address(names[0]!));
    for (const name of names) {
      await t.test(`${name} runs from end to end`, async () => {
        await openNotebook(page, name);
        assert.equal(await notebookIsOpen(page, name), "TypeScript (metastate)");
        await look(name, "kept");
        if (name.startsWith("06")) await moveTheState(page);
        await runAllCells(page);
        await ended(name);
        await look(name, "run");
        if (name.startsWith("06")) await moveTheState(page);
        await saveNotebook(page);
        const notebook = readNotebook(join(folder, name));
        assertAllCellsRan(notebook);
        assertReadable(notebook);
      });
      await endKernel(page);
    }

    /** Scrolls from plot to plot, takes a picture of each, and holds it to what a reader needs. */
    async function look(name: string, which: "kept" | "run"): Promise<void> {
      assert.deepEqual((await state(page)).errors, [], name);
      const cells = await cellsWithFigures(page);
      assert.ok(cells.length > 0, `${name} has plots`);
      for (const cell of cells) {
        await showCell(page, cell);
        if (which === "kept") await wake(page, cell);
        const charts = await drawnCharts(page, cell, 90_000);
        await picture(cell, `${name.slice(0, 2)}-cell-${cell}-${which}`);
        assert.ok(charts, `the figure of cell ${cell} of ${name} is not drawn`);
        for (const chart of charts) {
          const told = `${name}, cell ${cell}: ${JSON.stringify(chart)}`;
          assert.ok(chart.width >= 300 && chart.height >= 120, told);
          // A border or the rounding of a width is no overflow.
          assert.ok(chart.overflow <= 2, told);
        }
      }
    }

    /** What a cell shows, or the window where that cannot be had. */
    async function picture(cell: number, file: string): Promise<void> {
      const path = join(pictures, `${file}.png`);
      const outputs = page.locator(`.jp-Cell[data-windowed-list-index="${cell}"] .jp-Cell-outputArea`);
      await outputs.screenshot({ path, timeout: 20_000 }).catch(() => page.screenshot({ path }));
    }

    async function ended(name: string): Promise<void> {
      for (const giveUp = Date.now() + PATIENCE; ; await sleep(300)) {
        const { status, ran, cells, errors } = await state(page);
        assert.deepEqual(errors, [], name);
        if (ran === cells && status === "idle") return;
        assert.ok(
          Date.now() < giveUp,
          `${name}: ${ran} of ${cells} cells ran, the kernel is ${status}\n${lab.log().slice(-2000)}`,
        );
      }
    }
  },
);

/**
 * Tells the plots of a cell that the mouse has come. Those that a file has are shown by plotly as the pictures that lie beside them, and
 * come to life then; those of a run live at once.
 */
async function wake(page: Page, cell: number): Promise<void> {
  const places = page.locator(`.jp-Cell[data-windowed-list-index="${cell}"] .jp-RenderedPlotly`);
  await places.first().waitFor();
  const asleep = places.filter({ hasNot: page.locator(".plot-container") });
  for (const giveUp = Date.now() + 90_000; (await asleep.count()) > 0; await sleep(200)) {
    const kept = asleep.first().locator(".plot-img:visible");
    // It may have come to life since it was counted.
    if ((await kept.count()) > 0) await kept.dispatchEvent("mouseenter", {}, { timeout: 2000 }).catch(() => undefined);
    assert.ok(Date.now() < giveUp, `a plot of cell ${cell} stays a picture`);
  }
}

/** Drags the slider of the state's evolution, and plays the animation: each must change what the heatmap shows. */
async function moveTheState(page: Page): Promise<void> {
  for (const cell of await cellsWithFigures(page)) {
    await showCell(page, cell);
    await wake(page, cell);
    await drawnCharts(page, cell);
    if ((await page.locator(".slider-container").count()) > 0) break;
  }
  const shown = () =>
    page.evaluate(() => {
      const { document } = globalThis as unknown as PageGlobals;
      return JSON.stringify(document.querySelector(".slider-container")!.closest(".js-plotly-plot").data[0]!.z);
    });
  const changes = async (from: string): Promise<void> => {
    for (const giveUp = Date.now() + 20_000; (await shown()) === from; await sleep(100)) {
      assert.ok(Date.now() < giveUp, "the heatmap still shows the same state");
    }
  };
  // The mouse reaches only what is in the window.
  await page.locator(".slider-container").first().scrollIntoViewIfNeeded();
  const rail = await page.locator(".slider-rail-touch-rect").first().boundingBox();
  const grip = await page.locator(".slider-grip-rect").first().boundingBox();
  assert.ok(rail && grip, "there is a slider");
  const first = await shown();
  await page.mouse.move(grip.x + grip.width / 2, grip.y + grip.height / 2);
  await page.mouse.down();
  await page.mouse.move(rail.x + rail.width * 0.6, grip.y + grip.height / 2, { steps: 5 });
  await page.mouse.up();
  await changes(first);
  const dragged = await shown();
  await page.locator(".updatemenu-button").first().click();
  await changes(dragged);
  await changes(await shown());
}
