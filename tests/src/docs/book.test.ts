/** The documentation as a site, made as `npm run docs` makes it, and read in a browser without a network. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before, describe } from "node:test";
import { pathToFileURL } from "node:url";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { skip, startChromium } from "../browser/chromium.js";
import { phone, tooWide } from "../browser/fits.js";
import { until } from "../browser/until.js";
import { root, surroundings } from "../environment.js";
import { run } from "../program.js";

describe("the book", { timeout: 900_000 }, () => {
  const site = mkdtempSync(join(tmpdir(), "metastate-book-"));
  after(() => rmSync(site, { recursive: true }));

  test("holds guides, reference and tutorials, and no link or find of its search leads nowhere", async () => {
    const typedoc = join(root, "node_modules", "typedoc", "bin", "typedoc");
    for (const args of [
      [typedoc, "--out", site],
      [join(root, "scripts", "docs", "book.mjs"), site],
    ]) {
      const { status, stdout, stderr } = await run(process.execPath, args, { cwd: root, env: surroundings() });
      assert.equal(status, 0, `${stdout}\n${stderr}`);
    }
    assert.match(readFileSync(join(site, "index.html"), "utf8"), /href="tutorials\/02-the-wkv-state-by-hand\.html"/);
    for (const { file, text } of tutorials()) {
      const notebook = readFileSync(join(root, "notebooks", file.replace(".html", ".ipynb")), "utf8");
      const { cells } = JSON.parse(notebook) as { cells: { outputs?: unknown[] }[] };
      const shown = cells.flatMap(({ outputs = [] }) => outputs).length;
      assert.equal([...text.matchAll(/<div class="(output|figure)"/g)].length, shown, `${file} shows all outputs`);
      assert.ok(!text.includes("data-output="), `${file} has places that are empty`);
      const prose = text.replace(/<(pre|script|code|annotation)\b.*?<\/\1>/gs, "");
      assert.deepEqual(prose.match(/\$[^$\s][^$\n]{0,80}\$/g), null, `${file} sets its formulas`);
    }
  });

  test("has a title of its own and a description on each page", () => {
    const titles = new Map<string, string>();
    for (const file of pages()) {
      const text = readFileSync(join(site, file), "utf8");
      const title = /<title>([^<]+)<\/title>/.exec(text)?.[1];
      assert.ok(title, `${file} has no title`);
      const first = /^(tutorials|guides|project)/.test(file) ? titles.get(title) : undefined;
      assert.equal(first, undefined, `${file} is called "${title}", as another page is`);
      titles.set(title, file);
      const description = /<meta name="description" content="([^"]*)"/.exec(text)?.[1] ?? "";
      assert.ok(description.length >= 5 && !description.startsWith("Documentation for"), `${file}: ${description}`);
      for (const [image] of text.matchAll(/<img [^>]*>/g)) assert.match(image, /alt="[^"]+"/, `${file}: ${image}`);
    }
  });

  describe("in a browser", { skip }, () => {
    let browser: Browser;
    before(async () => (browser = await startChromium()));
    after(() => browser.close());

    /** A page that may ask for nothing but files, and what it complained of. */
    async function open(options: BrowserContextOptions, file: string): Promise<{ page: Page; complaints: string[] }> {
      const page = await (await browser.newContext({ offline: true, ...options })).newPage();
      page.setDefaultTimeout(60_000);
      const complaints: string[] = [];
      page.on("pageerror", ({ message }) => complaints.push(message));
      page.on("request", (request) => {
        if (!/^(file|data|blob):/.test(request.url())) complaints.push(`asks for ${request.url()}`);
      });
      page.on("requestfailed", (request) => {
        // Which no browser reads from a page of a file: another script of TypeDoc's draws its icons there.
        if (!request.url().endsWith("/icons.svg")) complaints.push(`not there: ${request.url()}`);
      });
      await page.goto(pathToFileURL(join(site, file)).href);
      return { page, complaints };
    }

    test("fits phones, tablets and screens, with all figures drawn, light and dark", async () => {
      for (const { file, text } of tutorials()) {
        const { page, complaints } = await open({ viewport: phone, colorScheme: "light" }, join("tutorials", file));
        const figures = [...text.matchAll(/<div class="figure"/g)].length;
        await drawn(page, figures);
        for (const width of [phone.width, 768, 1280]) {
          await page.setViewportSize({ width, height: 900 });
          await until(async () =>
            assert.deepEqual(await tooWide(page), [], `${file} scrolls sideways at ${width} pixels`),
          );
          assert.deepEqual(await wrappedColumns(page), [], `${file} breaks lines of columns at ${width} pixels`);
        }
        await page.emulateMedia({ colorScheme: "dark" });
        await until(async () => assert.deepEqual(await papers(page), ["#16191d", "rgb(22, 25, 29)"]));
        assert.deepEqual(complaints, []);
        await page.context().close();
      }
      const { page, complaints } = await open({ viewport: phone }, "index.html");
      const others = pages().filter((file) => /^(guides|project)/.test(file));
      const reference = [
        "modules.html",
        join("functions", "metastate.wkv7.html"),
        join("functions", "metastate.train.html"),
      ];
      for (const file of ["index.html", "tutorials/index.html", ...others, ...reference]) {
        await page.goto(pathToFileURL(join(site, file)).href);
        assert.deepEqual(await tooWide(page), [], `${file} scrolls sideways on a phone`);
      }
      assert.deepEqual(complaints, []);
    });

    test("finds what stands in tutorials and guides, and leads to the place", async () => {
      const { page, complaints } = await open(
        { viewport: { width: 1280, height: 900 } },
        "tutorials/01-first-light.html",
      );
      for (const [words, found, place] of [
        [
          "surprise",
          "Sixty bytes, one by one · 6. State evolution during generation",
          "06-state-evolution-during-generation.html#sixty-bytes-one-by-one",
        ],
        ["permutation", "The task · 9. State tracking", "09-state-tracking.html#the-task"],
        [
          "in-context",
          "Why it is a learning rate · 2. The WKV state, by hand",
          "02-the-wkv-state-by-hand.html#why-it-is-a-learning-rate",
        ],
        ["divergence", "When it goes wrong · Training", "guides/training.html#when-it-goes-wrong"],
      ] as const) {
        // Its index is there. From here on without a mouse.
        await until(async () => assert.equal((await page.locator("#tsd-search-status").textContent())?.trim(), ""));
        await page.keyboard.press("/");
        await page.keyboard.type(words);
        const results = page.locator("#tsd-search-results li");
        await results.first().waitFor();
        await until(async () =>
          assert.ok((await results.allTextContents()).includes(found), (await results.allTextContents()).join("\n")),
        );
        const at = (await results.allTextContents()).indexOf(found);
        for (let i = 0; i <= at; i++) await page.keyboard.press("ArrowDown");
        await page.keyboard.press("Enter");
        await page.waitForURL((url) => url.href.endsWith(place));
        const heading = page.locator(`[id="${place.split("#")[1]}"]`);
        await until(async () => assert.ok(isInView(await heading.boundingBox()), `${place} is not in view`));
      }
      assert.deepEqual(complaints, []);
    });

    test("follows the theme that is chosen, figures too", async () => {
      const { page } = await open(
        { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
        "tutorials/01-first-light.html",
      );
      await drawn(page, 1);
      await until(async () => assert.deepEqual(await papers(page), ["#16191d", "rgb(22, 25, 29)"]));
      await page.locator(".tsd-navigation.settings summary").click();
      await page.locator("#tsd-theme").selectOption("light");
      await until(async () => assert.deepEqual(await papers(page), ["#ffffff", "rgb(255, 255, 255)"]));
    });

    test("can be read: its text stands out from what is behind it", async () => {
      for (const colorScheme of ["light", "dark"] as const) {
        const { page } = await open({ viewport: { width: 1280, height: 900 }, colorScheme }, "index.html");
        for (const file of [
          "index.html",
          "tutorials/02-the-wkv-state-by-hand.html",
          "guides/training.html",
          "functions/metastate.train.html",
        ]) {
          await page.goto(pathToFileURL(join(site, file)).href);
          await page.locator("#tsd-nav-container a").first().waitFor({ state: "attached" });
          assert.deepEqual(await faintTexts(page), [], `${file}, ${colorScheme}`);
        }
      }
    });
  });

  /** The site's pages. */
  function pages(): string[] {
    return readdirSync(site, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".html"));
  }

  function tutorials(): { file: string; text: string }[] {
    const files = readdirSync(join(site, "tutorials")).filter((file) => /^\d\d-/.test(file));
    assert.equal(files.length, 10);
    return files.map((file) => ({ file, text: readFileSync(join(site, "tutorials", file), "utf8") }));
  }
});

/** In a window 900 pixels high. The last sections of a page cannot be at its top. */
function isInView(box: { y: number; height: number } | null): boolean {
  return box !== null && box.y >= 0 && box.y + box.height <= 900;
}

async function drawn(page: Page, figures: number): Promise<void> {
  await until(async () => {
    assert.equal(await page.locator(".figure .main-svg .xy, .figure .table").first().count(), 1);
    assert.ok((await page.locator(".figure.js-plotly-plot").count()) >= figures);
  });
}

/** What is used of the page's own objects; it runs there. */
interface PageElement {
  readonly textContent: string | null;
  readonly parentElement: PageElement | null;
  readonly childNodes: Iterable<{ readonly nodeType: number; readonly textContent: string | null }>;
  readonly layout?: { readonly paper_bgcolor: string };
  querySelector(selector: string): PageElement | null;
  checkVisibility(): boolean;
  closest(selector: string): PageElement | null;
}
interface PageGlobals {
  document: { readonly body: PageElement; querySelectorAll(selector: string): Iterable<PageElement> };
  getComputedStyle(
    this: void,
    element: PageElement,
  ): Record<"backgroundColor" | "color" | "whiteSpace" | "fontSize" | "fontWeight", string>;
}

/** The colours behind the figures and the page, each once. */
function papers(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { document, getComputedStyle } = globalThis as unknown as PageGlobals;
    const figures = [...document.querySelectorAll(".figure")].map(({ layout }) => layout?.paper_bgcolor ?? "not drawn");
    return [...new Set([...figures, getComputedStyle(document.body).backgroundColor])];
  });
}

/** Printed columns whose lines go on in the next one. */
function wrappedColumns(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { document, getComputedStyle } = globalThis as unknown as PageGlobals;
    return [...document.querySelectorAll("pre.printed")]
      .filter((text) => / {3}/.test(text.textContent ?? "") && getComputedStyle(text).whiteSpace !== "pre")
      .map(({ textContent }) => textContent ?? "");
  });
}

/** Texts whose contrast with what is behind them is below 4.5, or 3 where they are large: WCAG's bounds. */
function faintTexts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { document, getComputedStyle } = globalThis as unknown as PageGlobals;
    const numbers = (colour: string): number[] => (colour.match(/[\d.]+/g) ?? []).map(Number);
    const behind = (element: PageElement | null): number[] => {
      if (element === null) return [255, 255, 255];
      const colour = numbers(getComputedStyle(element).backgroundColor);
      return colour[3] === 0 ? behind(element.parentElement) : colour;
    };
    const luminance = (colour: number[]): number => {
      const [r, g, b] = colour.map((value) => (value <= 10 ? value / 3294 : ((value / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
    };
    const found = new Map<string, string>();
    for (const element of document.querySelectorAll("body *:not(script):not(style)")) {
      const own = [...element.childNodes]
        .filter(({ nodeType }) => nodeType === 3)
        .map(({ textContent }) => textContent);
      if (own.join("").trim() === "" || !element.checkVisibility() || element.closest("svg, math, .figure")) continue;
      const { color, fontSize, fontWeight } = getComputedStyle(element);
      const [dark, bright] = [luminance(numbers(color)), luminance(behind(element))].sort((a, b) => a - b);
      const contrast = (bright! + 0.05) / (dark! + 0.05);
      const size = Number.parseFloat(fontSize);
      const enough = size >= 24 || (size >= 18.66 && Number(fontWeight) >= 700) ? 3 : 4.5;
      if (contrast < enough)
        found.set(
          `${color} on ${behind(element).join(", ")}`,
          `${contrast.toFixed(2)}: ${own.join("").trim().slice(0, 40)}`,
        );
    }
    return [...found].map(([colours, what]) => `${colours}, ${what}`);
  });
}
