/** A notebook in a browser that tests write cell by cell: JupyterLab, page and kernel are started once for all of them. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { kernelName, results } from "../environment.js";
import { findChromium, startChromium } from "./chromium.js";
import { startJupyterLab, type JupyterLab } from "./jupyterlab.js";
import { notebookIsOpen } from "./notebook-page.js";

/** What is used of JupyterLab's own objects in the page; see notebook-page.ts. */
interface PageGlobals {
  jupyterapp: {
    readonly commands: { execute(id: string, args?: object): Promise<unknown> };
    readonly shell: {
      readonly currentWidget: {
        readonly content: {
          readonly widgets: readonly unknown[];
          activeCellIndex: number;
          readonly activeCell: { readonly model: { readonly sharedModel: { setSource(source: string): void } } };
          scrollToItem(index: number, align: string): Promise<void>;
        };
      };
    };
  };
}

const FILE = "live.ipynb";
/** Where pictures are put: into docs/ only by `npm run screenshots`. */
const pictures = join(process.env["METASTATE_PICTURES"] ?? results, "kernel");

export class LiveNotebook {
  readonly page: Page;
  /** In a folder of its own. */
  readonly file: string;
  readonly #browser: Browser;
  readonly #lab: JupyterLab;

  private constructor(page: Page, file: string, browser: Browser, lab: JupyterLab) {
    this.page = page;
    this.file = file;
    this.#browser = browser;
    this.#lab = lab;
  }

  /** Starts JupyterLab, and a browser on an empty notebook in it. */
  static async open(): Promise<LiveNotebook> {
    const program = findChromium();
    assert.ok(program, "no Chromium or Chrome is installed, and CI must have one: see .ci/run");
    mkdirSync(results, { recursive: true });
    mkdirSync(pictures, { recursive: true });
    // Inside the checkout, so that a package that a cell imports is found.
    const folder = mkdtempSync(join(results, "live-"));
    const file = join(folder, FILE);
    writeFileSync(file, JSON.stringify(emptyNotebook()));
    const lab = await startJupyterLab(folder);
    const browser = await startChromium(program).catch(async (error: unknown) => {
      await lab.stop();
      throw error;
    });
    const page = await browser.newPage({ viewport: { width: 920, height: 900 }, deviceScaleFactor: 1.5 });
    const notebook = new LiveNotebook(page, file, browser, lab);
    try {
      page.setDefaultTimeout(60_000);
      page.on("dialog", (dialog) => void dialog.accept());
      await page.goto(lab.address(FILE));
      await notebookIsOpen(page, FILE);
      // Pictures show the notebook, not the list of files and the buttons around it.
      await notebook.command("application:toggle-left-area");
    } catch (error) {
      await notebook.close();
      throw error;
    }
    return notebook;
  }

  async close(): Promise<void> {
    await this.#browser.close();
    await this.#lab.stop();
    rmSync(dirname(this.file), { recursive: true, force: true });
  }

  /** Runs a command of JupyterLab's. */
  async command(id: string): Promise<void> {
    await this.page.evaluate(async (name) => {
      await (globalThis as unknown as PageGlobals).jupyterapp.commands.execute(name);
    }, id);
  }

  /** Gives the lab another theme. */
  async theme(name: string): Promise<void> {
    await this.page.evaluate(async (theme) => {
      const { commands } = (globalThis as unknown as PageGlobals).jupyterapp;
      await commands.execute("apputils:change-theme", { theme });
    }, name);
  }

  /** Adds a cell with this text at the end of the notebook, and gives what holds its input and output. */
  async write(source: string): Promise<Locator> {
    const index = await this.page.evaluate(async (text) => {
      const { commands, shell } = (globalThis as unknown as PageGlobals).jupyterapp;
      const { content } = shell.currentWidget;
      content.activeCellIndex = content.widgets.length - 1;
      await commands.execute("notebook:insert-cell-below");
      content.activeCell.model.sharedModel.setSource(text);
      await content.scrollToItem(content.activeCellIndex, "start");
      return content.activeCellIndex;
    }, source);
    return this.page.locator(`.jp-Notebook .jp-Cell[data-windowed-list-index="${index}"]`);
  }

  /** Adds a cell and runs it, to its end. */
  async run(source: string): Promise<Locator> {
    const cell = await this.write(source);
    await this.command("notebook:run-cell");
    return cell;
  }

  /** Adds a cell and starts it. */
  async start(source: string): Promise<Locator> {
    const cell = await this.write(source);
    await this.page.evaluate(() => {
      void (globalThis as unknown as PageGlobals).jupyterapp.commands.execute("notebook:run-cell");
    });
    return cell;
  }

  /** What is below a cell, as text. */
  async output(cell: Locator): Promise<string> {
    return (await cell.locator(".jp-Cell-outputArea").innerText()).trim();
  }

  /** Loads the page anew, with the notebook as it is. */
  async reload(): Promise<void> {
    await this.command("docmanager:save");
    await this.page.reload();
    await notebookIsOpen(this.page, FILE);
  }

  /** Saves and closes the notebook, and opens it again; the page and the kernel live on. */
  async reopen(): Promise<void> {
    await this.command("docmanager:save");
    await this.page.evaluate(async (path) => {
      const { commands } = (globalThis as unknown as PageGlobals).jupyterapp;
      await commands.execute("application:close");
      await commands.execute("docmanager:open", { path });
    }, FILE);
    await notebookIsOpen(this.page, FILE);
  }

  /** Where a picture of this name is put. */
  picturePath(name: string): string {
    return join(pictures, `${name}.png`);
  }

  /** Takes a picture of all that the window shows. */
  async pictureOfPage(name: string): Promise<void> {
    await this.page.screenshot({ path: this.picturePath(name) });
  }

  /** Takes a picture of some elements, cut to what they fill. */
  async picture(name: string, ...elements: readonly Locator[]): Promise<void> {
    await this.page.mouse.move(0, 0);
    const boxes = (await Promise.all(elements.map((element) => element.boundingBox()))).filter((box) => box !== null);
    const left = Math.min(...boxes.map(({ x }) => x)) - 8;
    const top = Math.min(...boxes.map(({ y }) => y)) - 4;
    const right = Math.max(...boxes.map(({ x, width }) => x + width)) + 8;
    const bottom = Math.max(...boxes.map(({ y, height }) => y + height)) + 4;
    await this.page.screenshot({
      path: join(pictures, `${name}.png`),
      clip: { x: Math.max(0, left), y: Math.max(0, top), width: right - left, height: bottom - top },
      caret: "hide",
      style: withoutCellTools,
    });
  }
}

/** A cell's own buttons, and the bar that marks it, are not what a picture is about. */
export const withoutCellTools =
  ".jp-cell-toolbar, .jp-Collapser, .jp-Cell::after { visibility: hidden; border: none !important }";

function emptyNotebook(): object {
  return {
    cells: [{ cell_type: "code", id: "first", metadata: {}, outputs: [], execution_count: null, source: "" }],
    metadata: { kernelspec: { name: kernelName, display_name: "TypeScript (metastate)", language: "typescript" } },
    nbformat: 4,
    nbformat_minor: 5,
  };
}
