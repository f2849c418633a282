/** Plots follow the page that they are on, its theme and its width; what is saved stays as it was. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Locator, Page } from "playwright-core";
import { skip } from "./chromium.js";
import { LiveNotebook } from "./live-notebook.js";

interface Plot {
  readonly layout?: { readonly paper_bgcolor?: string; readonly width?: number; readonly height?: number };
  readonly data?: readonly { readonly line?: { readonly color?: string } }[];
}

interface StyledElement {
  readonly style: { readonly fontSize: string };
}

const cell = 'const chart = display(ms.plots.overTokens({ norm: [1, 3, 2] }, { title: "A line" }));';

/** Its lines have room on a narrow page: the marks in it, which make it long, are not seen. */
const marked =
  "const line = '<br><span style=\"font-size:12px\">and a line below it</span>';" +
  'display(ms.plots.overTokens({ norm: [1, 3] }, { title: "A title" + line }));';

/** Two heatmaps of 330 × 330 pixels, 680 with what is between them, and 180 and 130 for what is around them. */
const heatmaps = 'display(ms.plots.matrices({ a: [[1]], b: [[2]] }, { title: "Two" }));';
const itsSize = { width: 860, height: 460 };

test(
  "a plot follows JupyterLab's theme and the width of its cell, and the notebook keeps it as it was",
  { skip, timeout: 600_000 },
  async (t) => {
    const notebook = await LiveNotebook.open();
    t.after(() => notebook.close());
    notebook.page.setDefaultTimeout(120_000);
    const output = await notebook.run(cell);
    await looks(output, "#ffffff", "#0072b2");
    await notebook.theme("JupyterLab Dark");
    await looks(output, "#16191d", "#56b4e9");

    // It changes in place as before.
    await notebook.run('chart.update(ms.plots.overTokens({ norm: [1, 3, 2, 4] }, { title: "A longer line" }));');
    await output.getByText("A longer line").waitFor();
    await looks(output, "#16191d", "#56b4e9");

    // One that is shown for the first time in the dark.
    const dark = await notebook.run(cell.replace("chart", "other"));
    await looks(dark, "#16191d", "#56b4e9");

    // What the notebook keeps are the light figures, with a light picture of each for where they cannot be drawn.
    for (const { layout, picture } of await keptWithPictures(notebook)) {
      assert.equal(layout?.paper_bgcolor, "#ffffff");
      assert.deepEqual(await cornerOf(notebook.page, picture), [255, 255, 255, 255]);
    }

    // A kept plot is dark at once, and a light picture of it is not what is seen.
    await notebook.reload();
    const kept = notebook.page.locator(".jp-Notebook .jp-Cell", { hasText: "const chart" }).first();
    await looks(kept, "#16191d", "#56b4e9");
    await notebook.theme("JupyterLab Light");
    await looks(kept, "#ffffff", "#0072b2");

    // What is wider than a cell is drawn smaller, with squares as squares; and as wide as it is where there is room again.
    const wide = await notebook.run(heatmaps);
    for (const width of [920, 1400, 700]) {
      await notebook.page.setViewportSize({ width, height: 900 });
      await fits(wide);
    }
    const saved = (await keptWithPictures(notebook)).at(-1)!;
    assert.deepEqual({ width: saved.layout?.width, height: saved.layout?.height }, itsSize);
    assert.deepEqual(pictureSize(saved.picture), itsSize);
    const title = (await notebook.run(marked)).locator(".gtitle");
    assert.equal(await title.evaluate((element) => (element as unknown as StyledElement).style.fontSize), "18px");
    // Shown anew it is that picture until the mouse comes.
    await notebook.reload();
    const again = notebook.page.locator(".jp-Notebook .jp-Cell", { hasText: "plots.matrices" }).first();
    await again.scrollIntoViewIfNeeded();
    const picture = again.locator(".plot-img:visible");
    await picture.waitFor();
    const [seen, place] = await Promise.all([picture.boundingBox(), again.locator(".jp-RenderedPlotly").boundingBox()]);
    assert.ok(seen && place && seen.width > 300 && seen.width <= place.width, JSON.stringify({ seen, place }));
  },
);

/** Waits until a figure of {@link itsSize} is as wide as its cell lets it be, and as high as that wants. */
async function fits(cell: Locator): Promise<void> {
  const plot = cell.locator(".jp-RenderedPlotly").first();
  for (const giveUp = Date.now() + 60_000; ; await sleep(100)) {
    const { room, width, height } = await plot.evaluate((element) => {
      const { clientWidth, layout } = element as unknown as Plot & { readonly clientWidth: number };
      return { room: clientWidth, width: layout?.width ?? 0, height: layout?.height ?? 0 };
    });
    const wanted = Math.min(room, itsSize.width);
    const side = 330 * ((wanted - 180) / 680);
    if (width === wanted && Math.abs(height - 130 - side) <= 1) return;
    assert.ok(Date.now() < giveUp, `the figure has ${width} × ${height} pixels in a cell of ${room}`);
  }
}

/** Width and height of a PNG: its first chunk begins with them. */
function pictureSize(png: string): { width: number; height: number } {
  const bytes = Buffer.from(png, "base64");
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}

/** Waits until the plot of a cell has this background, and its line this colour. */
async function looks(cell: Locator, paper: string, line: string): Promise<void> {
  const plot = cell.locator(".js-plotly-plot");
  for (const giveUp = Date.now() + 60_000; ; await sleep(100)) {
    const seen = await plot
      .first()
      .evaluate((element) => {
        const { layout, data } = element as unknown as Plot;
        return [layout?.paper_bgcolor, data?.[0]?.line?.color];
      })
      .catch(() => []);
    if (seen[0] === paper && seen[1] === line) return;
    assert.ok(Date.now() < giveUp, `the plot has ${seen.join(" and ")}, wanted ${paper} and ${line}`);
  }
}

interface Kept {
  readonly layout: Plot["layout"];
  readonly picture: string;
}

/** The figures of the saved notebook, once all of them have a picture: it is made when a figure has not changed for a while. */
async function keptWithPictures(notebook: LiveNotebook): Promise<Kept[]> {
  for (const giveUp = Date.now() + 60_000; ; await sleep(200)) {
    await notebook.command("docmanager:save");
    const kept = keptFigures(notebook.file);
    const complete = kept.flatMap(({ layout, picture }) => (picture === undefined ? [] : [{ layout, picture }]));
    if (complete.length === kept.length) return complete;
    assert.ok(Date.now() < giveUp, `${complete.length} of ${kept.length} figures have a picture in the saved notebook`);
  }
}

/** The figures that a notebook file has, with their pictures. */
function keptFigures(path: string): { layout: Plot["layout"]; picture: string | undefined }[] {
  const { cells } = JSON.parse(readFileSync(path, "utf8")) as {
    cells: { outputs?: { data?: Record<string, unknown> }[] }[];
  };
  return cells
    .flatMap(({ outputs = [] }) => outputs)
    .flatMap(({ data = {} }) => {
      const figure = data["application/vnd.plotly.v1+json"] as Plot | undefined;
      const picture = data["image/png"] as string | undefined;
      return figure === undefined ? [] : [{ layout: figure.layout, picture }];
    });
}

/** As much of a page's canvas as is used. */
interface PagePicture {
  src: string;
  decode(): Promise<void>;
}
interface PageGlobals {
  readonly document: {
    createElement(name: "img"): PagePicture;
    createElement(name: "canvas"): {
      getContext(kind: "2d"): {
        drawImage(picture: PagePicture, x: number, y: number): void;
        getImageData(x: number, y: number, width: number, height: number): { readonly data: Iterable<number> };
      };
    };
  };
}

/** Red, green, blue and opacity of a picture's corner. */
function cornerOf(page: Page, png: string): Promise<number[]> {
  return page.evaluate(async (base64) => {
    const { document } = globalThis as unknown as PageGlobals;
    const picture = document.createElement("img");
    picture.src = `data:image/png;base64,${base64}`;
    await picture.decode();
    const drawing = document.createElement("canvas").getContext("2d");
    drawing.drawImage(picture, 0, 0);
    return [...drawing.getImageData(1, 1, 1, 1).data];
  }, png);
}
