/** Figures as files: pictures drawn by an installed browser, pages that work offline, JSON. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { delimiter, extname, join } from "node:path";

import type { Browser } from "playwright-core";

import { ConfigurationError } from "../errors.js";
import { writeAtomically } from "../io/atomic-write.js";
import type { PlotlyJson, SaveFigureOptions } from "./figure.js";
import { legendAtHeight } from "./legend-below.js";

/** Writes a figure in the form that the file's name asks for; see `Figure.save`. */
export async function saveFigure(figure: PlotlyJson, path: string, options: SaveFigureOptions): Promise<void> {
  const kind = extname(path).toLowerCase();
  let bytes: Uint8Array;
  switch (kind) {
    case ".json":
      bytes = Buffer.from(JSON.stringify(figure));
      break;
    case ".html":
      bytes = Buffer.from(await page(figure));
      break;
    case ".png":
    case ".svg":
    case ".pdf":
      [bytes] = (await drawFigures([figure], { ...options, format: kind.slice(1) as PictureFormat })) as [Uint8Array];
      break;
    default:
      throw new ConfigurationError(
        `figure.save: ${path} ends with "${kind}", wanted a name that ends with .png, .svg, .pdf, .html or .json`,
      );
  }
  await writeAtomically(path, (file) => file.write(bytes));
}

async function plotlySource(): Promise<string> {
  return readFile(createRequire(import.meta.url).resolve("plotly.js-dist-min/plotly.min.js"), "utf8");
}

/** JSON that may stand in a script: no text of it ends the script. */
function scriptJson(value: unknown): string {
  return JSON.stringify(value).replace(/</g, "\\u003c");
}

/** A page with plotly in it. */
async function page(figure: PlotlyJson): Promise<string> {
  const { data, layout, config, frames = [] } = figure;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${String(layout.title?.text ?? "Figure")
    .replace(/<[a-z/][^>]*>/g, "")
    .replace(/[<&]/g, " ")}</title>
<style>body { margin: 0; background: ${String(layout.paper_bgcolor)}; }</style>
<script>${await plotlySource()}</script>
</head>
<body>
<div id="figure"></div>
<script>
Plotly.newPlot("figure", ${scriptJson(data)}, ${scriptJson(layout)}, ${scriptJson(config)})
  .then((figure) => Plotly.addFrames(figure, ${scriptJson(frames)}));
</script>
</body>
</html>
`;
}

type PictureFormat = "png" | "svg" | "pdf";

/**
 * Figures as pictures, all drawn by one browser, one after another.
 *
 * @param options as of `figure.save`, for all figures
 * @throws Error with what to install when there is no browser to draw with
 */
export async function drawFigures(
  figures: readonly PlotlyJson[],
  { width, height, scale = 2, format }: SaveFigureOptions & { format: PictureFormat },
): Promise<Uint8Array[]> {
  const { chromium } = await import("playwright-core");
  const browser = await chromium.launch({
    executablePath: findBrowser(),
    // As root, which containers run as, Chromium starts only without its sandbox; the page is our own.
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
  });
  try {
    const tab = await browser.newPage();
    await tab.addScriptTag({ content: await plotlySource() });
    const pictures: Uint8Array[] = [];
    for (const { data, layout } of figures) {
      const { drawn, size, factor } = sizes(layout, { width, height });
      const url = await tab.evaluate(
        // It runs in the browser, which has plotly by now.
        ({ data, layout, ...options }) =>
          (globalThis as unknown as { Plotly: Drawing }).Plotly.toImage({ data, layout }, options),
        {
          data,
          layout: legendAtHeight({ ...layout, ...drawn }, { ...layout, ...pictureSize(layout) }),
          format: format === "png" ? ("png" as const) : ("svg" as const),
          ...drawn,
          // A hair more: a canvas has whole pixels, and leaves a part of one out.
          scale: format === "png" ? scale * factor * (1 + 1e-9) : 1,
        },
      );
      const body = url.slice(url.indexOf(",") + 1);
      if (format === "png") {
        pictures.push(Buffer.from(body, "base64"));
        continue;
      }
      const svg = decodeURIComponent(body).replace(
        / width="[^"]*" height="[^"]*"/,
        ` width="${size.width}" height="${size.height}"`,
      );
      pictures.push(format === "svg" ? Buffer.from(svg, "utf8") : await printed(browser, svg, size));
    }
    return pictures;
  } finally {
    await browser.close();
  }
}

/** A page as large as a drawing, with the drawing on it. */
async function printed(browser: Browser, svg: string, { width, height }: Size): Promise<Uint8Array> {
  const tab = await browser.newPage();
  await tab.setContent(`<style>body { margin: 0 } svg { display: block }</style>${svg}`);
  return tab.pdf({ width: `${width}px`, height: `${height}px`, printBackground: true, pageRanges: "1" });
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** What a plot has beside its margins at least, pixels: with less, plotly's names and numbers lie over each other. */
const leastPlot = { width: 200, height: 130 };

/** How large a figure's picture is, in pixels of the figure, where no other size is asked for. */
export function pictureSize(layout: PlotlyJson["layout"]): Size {
  return { width: layout.width ?? 800, height: layout.height ?? 380 };
}

/** The size at which plotly lays a figure out, that of the picture, and the factor between them. */
function sizes(
  layout: PlotlyJson["layout"],
  { width, height }: Pick<SaveFigureOptions, "width" | "height">,
): { drawn: Size; size: Size; factor: number } {
  const own = pictureSize(layout);
  if (layout.autosize === false) {
    const fits = [width && width / own.width, height && height / own.height].filter((part) => part !== undefined);
    const factor = fits.length > 0 ? Math.min(...fits) : 1;
    const size = { width: Math.round(own.width * factor), height: Math.round(own.height * factor) };
    return { drawn: own, size, factor };
  }
  const size = { width: width ?? own.width, height: height ?? own.height };
  const { l = 64, r = 24, t = 48, b = 52 } = layout.margin ?? {};
  const factor = Math.min(1, size.width / (l + r + leastPlot.width), size.height / (t + b + leastPlot.height));
  return { drawn: { width: size.width / factor, height: size.height / factor }, size, factor };
}

interface Drawing {
  toImage(figure: { data: object[]; layout: object }, options: object): Promise<string>;
}

const browserNames = [
  "chromium",
  "chromium-browser",
  "google-chrome",
  "google-chrome-stable",
  "chrome",
  "microsoft-edge",
];
const browserPlaces = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
];

/**
 * The browser to draw with: the one that METASTATE_BROWSER names, or an installed one.
 *
 * @throws Error with what to install when there is none
 */
export function findBrowser(environment: NodeJS.ProcessEnv = process.env): string {
  const named = environment["METASTATE_BROWSER"];
  if (named) {
    if (existsSync(named)) return named;
    throw new Error(
      `figure.save: METASTATE_BROWSER is ${named}, which does not exist; give the path of a Chromium or Chrome`,
    );
  }
  const folders = (environment["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  const places = [...browserNames.flatMap((name) => folders.map((folder) => join(folder, name))), ...browserPlaces];
  const found = places.find((place) => existsSync(place));
  if (found) return found;
  throw new Error(
    "figure.save: pictures are drawn by a browser, and no Chromium, Chrome or Edge was found. Install one (Debian and Ubuntu: " +
      "apt-get install chromium), set METASTATE_BROWSER to its path, or save the figure as .html",
  );
}
