/** The documentation as a site, made as `npm run docs` makes it. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { findChromium, startChromium } from "../browser/chromium.js";
import { phone, tooWide } from "../browser/fits.js";
import { python, root, surroundings } from "../environment.js";
import { run } from "../program.js";

test(
  "the book holds guides, reference and tutorials, and no link of it leads nowhere",
  { timeout: 600_000 },
  async (t) => {
    const site = mkdtempSync(join(tmpdir(), "metastate-book-"));
    t.after(() => rmSync(site, { recursive: true }));
    const env = surroundings({ METASTATE_PYTHON: python });
    const typedoc = join(root, "node_modules", "typedoc", "bin", "typedoc");
    for (const args of [
      [typedoc, "--out", site],
      [join(root, "scripts", "docs", "book.mjs"), site],
    ]) {
      const { status, stdout, stderr } = await run(process.execPath, args, { cwd: root, env });
      assert.equal(status, 0, `${stdout}\n${stderr}`);
    }
    assert.match(readFileSync(join(site, "index.html"), "utf8"), /href="tutorials\/02-the-wkv-state-by-hand\.html"/);
    assert.match(readFileSync(join(site, "tutorials", "01-first-light.html"), "utf8"), /class="figure"/);

    if (findChromium() === undefined && !process.env["CI"]) {
      t.diagnostic("no Chromium or Chrome is installed: how pages look on a phone and in the dark is not tested");
      return;
    }
    const browser = await startChromium();
    t.after(() => browser.close());
    const context = await browser.newContext({ offline: true, viewport: phone, colorScheme: "dark" });
    const page = await context.newPage();
    page.setDefaultTimeout(120_000);
    const pagesOf = (folder: string) =>
      readdirSync(join(site, folder))
        .filter((file) => file.endsWith(".html"))
        .map((file) => join(folder, file));
    const reference = ["modules.html", join("functions", "metastate.wkv7.html")];
    for (const file of ["index.html", ...pagesOf("documents"), ...pagesOf("tutorials"), ...reference]) {
      await page.goto(pathToFileURL(join(site, file)).href);
      assert.deepEqual(await tooWide(page), [], `${file} scrolls sideways on a phone`);
    }

    // A tutorial takes the theme that was chosen on the book's other pages.
    const paperOf = () =>
      page.evaluate(() => {
        const { document, getComputedStyle } = globalThis as unknown as PageGlobals;
        return getComputedStyle(document.body).backgroundColor;
      });
    await page.goto(pathToFileURL(join(site, "tutorials", "01-first-light.html")).href);
    assert.equal(await paperOf(), "rgb(22, 25, 29)");
    await page.evaluate(() => (globalThis as unknown as PageGlobals).localStorage.setItem("tsd-theme", "light"));
    await page.reload();
    assert.equal(await paperOf(), "rgb(255, 255, 255)");
  },
);

/** What is used of the page's own objects; it runs there. */
interface PageGlobals {
  document: { readonly body: object };
  getComputedStyle(this: void, element: object): { readonly backgroundColor: string };
  localStorage: { setItem(name: string, value: string): void };
}
