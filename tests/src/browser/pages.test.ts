/** Tutorials as pages: what `npm run notebooks -- --html` and nbconvert alone make of them shows its plots without a network. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import type { Page } from "playwright-core";
import { python, results, root, surroundings } from "../environment.js";
import { plots, readNotebook } from "../notebook/notebook-file.js";
import { run } from "../program.js";
import { skip, startChromium } from "./chromium.js";
import { phone, tooWide } from "./fits.js";
import { until } from "./until.js";

const name = "06-state-evolution-during-generation";
const notebook = join(root, "notebooks", `${name}.ipynb`);
const figures = plots(readNotebook(notebook)).length;
const folder = join(results, "pages");

/** What the test asks of a page; it runs in the browser. */
interface PageGlobals {
  document: {
    querySelectorAll(selector: string): Iterable<{ textContent: string; layout?: { paper_bgcolor: string } }> & {
      length: number;
    };
    readonly body: object;
  };
  getComputedStyle(this: void, element: object): { backgroundColor: string };
}

/** What lies behind the text of a page, and behind each of its plots. */
function backgrounds(page: Page): Promise<{ page: string; plots: (string | undefined)[] }> {
  return page.evaluate(() => {
    const { document, getComputedStyle } = globalThis as unknown as PageGlobals;
    return {
      page: getComputedStyle(document.body).backgroundColor,
      plots: [...document.querySelectorAll(".js-plotly-plot")].map(({ layout }) => layout?.paper_bgcolor),
    };
  });
}

test(
  "a tutorial as a page draws its plots and formulas with the network cut off",
  { skip, timeout: 300_000 },
  async (t) => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const script = join(root, "scripts", "notebooks.mjs");
    const only = ["--only", "02,03,06", "--html", folder];
    const { status, stdout, stderr } = await run(process.execPath, [script, ...only], {
      env: surroundings({ METASTATE_PYTHON: python }),
    });
    assert.equal(status, 0, `${stdout}\n${stderr}`);

    const browser = await startChromium();
    t.after(() => browser.close());
    const page = await (await browser.newContext({ offline: true, viewport: { width: 1280, height: 900 } })).newPage();
    page.setDefaultTimeout(120_000);
    const complaints: string[] = [];
    page.on("pageerror", ({ message }) => complaints.push(message));
    page.on("requestfailed", (request) => complaints.push(`not there: ${request.url()}`));
    await page.goto(pathToFileURL(join(folder, `${name}.html`)).href);
    await page.waitForFunction(
      (count) =>
        (globalThis as unknown as PageGlobals).document.querySelectorAll(".js-plotly-plot .main-svg .xy, .table")
          .length >= count,
      figures,
      { timeout: 60_000 },
    );
    await page.screenshot({ path: join(results, "page-06.png"), fullPage: true });
    assert.equal(await page.locator(".figure .js-plotly-plot, .figure.js-plotly-plot").count(), figures);
    assert.equal(await page.locator(".figure .slider-container").count(), 1);

    assert.deepEqual(await tooWide(page), []);

    // A dark system: the page and all its plots are dark, and light again when it is.
    const isLight = { page: "rgb(255, 255, 255)", plots: Array<string>(figures).fill("#ffffff") };
    assert.deepEqual(await backgrounds(page), isLight);
    await page.emulateMedia({ colorScheme: "dark" });
    const isDark = { page: "rgb(22, 25, 29)", plots: Array<string>(figures).fill("#16191d") };
    await until(async () => assert.deepEqual(await backgrounds(page), isDark));
    await page.screenshot({ path: join(results, "page-06-dark.png"), fullPage: true });
    assert.equal(await page.locator(".figure .slider-container").count(), 1);

    // On a phone nothing but a plot, a table or code of its own scrolls sideways.
    await page.setViewportSize(phone);
    await until(async () => assert.deepEqual(await tooWide(page), []));
    await page.screenshot({ path: join(results, "page-06-phone.png"), fullPage: true });
    await page.emulateMedia({ colorScheme: "light" });
    await until(async () => assert.deepEqual(await backgrounds(page), isLight));
    await page.setViewportSize({ width: 1280, height: 900 });

    // The page before it, by its link; it has formulas.
    await page.getByRole("link", { name: "The WKV state, by hand" }).first().click();
    await page.locator("math").first().waitFor({ timeout: 60_000 });
    assert.equal(basename(page.url()), "02-the-wkv-state-by-hand.html");
    assert.ok((await page.locator("math").count()) > 20);
    await page.setViewportSize(phone);
    await until(async () => assert.deepEqual(await tooWide(page), []));
    // Hints are shown to those who ask for them.
    const hints = page.locator("details", { has: page.getByText("Hints", { exact: true }) });
    assert.equal(await hints.locator("li").first().isVisible(), false);
    await hints.locator("summary").click();
    assert.equal(await hints.locator("li").first().isVisible(), true);
    await hints.locator("summary").click();

    // On paper hints are open, figures are light, and nothing is wider than it; on screen all is as before.
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.emulateMedia({ colorScheme: "dark" });
    const count = (await backgrounds(page)).plots.length;
    await until(async () => assert.deepEqual((await backgrounds(page)).plots, Array(count).fill("#16191d")));
    await page.evaluate('dispatchEvent(new Event("beforeprint"))');
    assert.deepEqual((await backgrounds(page)).plots, Array(count).fill("#ffffff"));
    await page.emulateMedia({ media: "print" });
    await page.setViewportSize({ width: 680, height: 960 });
    assert.deepEqual(await tooWide(page), []);
    assert.equal(await hints.locator("li").first().isVisible(), true);
    await page.emulateMedia({ media: "screen" });
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.evaluate('dispatchEvent(new Event("afterprint"))');
    await until(async () => assert.deepEqual((await backgrounds(page)).plots, Array(count).fill("#16191d")));
    assert.equal(await hints.locator("li").first().isVisible(), false);

    // The page after it; its text shows a picture, which lies beside the notebook.
    await page.getByRole("link", { name: "From RWKV-7 to Meta-State" }).first().click();
    const picture = page.getByRole("img", { name: /^One block of a Meta-State model/ });
    await picture.waitFor({ timeout: 60_000 });
    assert.ok(await picture.evaluate((image) => (image as unknown as { naturalWidth: number }).naturalWidth > 100));
    assert.deepEqual(complaints, []);
  },
);

test("nbconvert alone makes a page with a picture of each plot", { timeout: 300_000 }, async () => {
  mkdirSync(folder, { recursive: true });
  const args = ["-m", "nbconvert", "--to", "html", "--output-dir", folder, "--output", "plain", notebook];
  const { status, stderr } = await run(python, args, { env: surroundings() });
  assert.equal(status, 0, stderr);
  const page = readFileSync(join(folder, "plain.html"), "utf8");
  assert.equal([...page.matchAll(/<img [^>]*src="data:image\/png;base64,/g)].length, figures);
});
