// @ts-check
// Notebooks as pages: their text, cells and outputs, with plots that live, for a browser without a network.

import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { root } from "./checkout.mjs";
import { Failure } from "./failure.mjs";
import { writeWhole } from "./tutorials.mjs";

/** The folder, beside the pages, of what they all load. */
const ASSETS = "assets";
const require = createRequire(join(root, "lib", "package.json"));

/**
 * Writes a page for each notebook, and what the pages load.
 *
 * @param {string} python an interpreter with nbconvert
 * @param {readonly import("./tutorials.mjs").Tutorial[]} notebooks
 * @param {string} folder made where it is missing
 * @returns {Promise<string[]>} the pages' paths
 * @throws {Failure} when nbconvert cannot convert them
 */
export async function writePages(python, notebooks, folder) {
  mkdirSync(join(folder, ASSETS), { recursive: true });
  const templates = join(root, "scripts", "notebook-page");
  for (const file of [
    require.resolve("plotly.js-dist-min/plotly.min.js"),
    require.resolve("katex/dist/katex.min.js"),
    require.resolve("katex/dist/contrib/auto-render.min.js"),
    join(templates, "page.css"),
    join(templates, "outputs.js"),
    join(templates, "formulas.js"),
  ]) {
    copyFileSync(file, join(folder, ASSETS, /** @type {string} */ (file.split(/[\\/]/).at(-1))));
  }
  const pages = notebooks.map(({ name, path, title }) => ({
    ...{ source: path, title, target: join(folder, `${name}.html`) },
  }));
  await convert(python, JSON.stringify({ pages, assets: ASSETS }));
  const names = new Set(notebooks.map(({ name }) => name));
  for (const { target } of pages) {
    // A link to another notebook leads to that one's page.
    const text = readFileSync(target, "utf8").replace(
      /(<a [^>]*href=")([^"/]+)\.ipynb(?=[#"])/g,
      (link, start, name) => (names.has(name) ? `${start}${name}.html` : link),
    );
    writeWhole(target, text);
  }
  return pages.map(({ target }) => target);
}

/**
 * @param {string} python
 * @param {string} order
 * @returns {Promise<void>}
 */
function convert(python, order) {
  return new Promise((resolve, reject) => {
    const child = spawn(python, [join(root, "scripts", "notebook_pages.py")], { stdio: ["pipe", "inherit", "pipe"] });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text) => (said += text));
    child.on("error", (error) => reject(new Failure(`${python} cannot be started: ${error.message}`, "run npm start")));
    child.on("close", (code) => {
      if (code === 0) resolve();
      else reject(new Failure("nbconvert could not make the pages", "see what it says", { output: said }));
    });
    child.stdin.on("error", () => {}).end(order);
  });
}
