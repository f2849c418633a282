/** A notebook in JupyterLab, driven through the application object that JupyterLab exposes to the page. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "playwright-core";

/** What the tests use of JupyterLab's own objects in the page; the functions below run there. */
interface Lab {
  readonly commands: { execute(id: string, args?: object): Promise<unknown> };
  readonly shell: { readonly currentWidget: NotebookPanel | null };
  readonly restored: Promise<unknown>;
}

interface NotebookPanel {
  readonly sessionContext: {
    readonly ready: Promise<void>;
    readonly kernelDisplayName: string;
    readonly session: { readonly kernel: { readonly status: string } | null } | null;
    shutdown(): Promise<void>;
  };
  readonly content: {
    readonly widgets: readonly CellWidget[];
    readonly model: unknown;
    activeCellIndex: number;
    scrollToItem(index: number, align: string): Promise<void>;
  };
  readonly context: { readonly ready: Promise<void>; readonly path: string };
  dispose(): void;
}

interface CellWidget {
  readonly node: PageElement;
  readonly model: {
    readonly type: string;
    readonly executionCount?: number | null;
    readonly outputs?: { toJSON(): readonly PageOutput[] };
    readonly sharedModel: { readonly source: string };
  };
}

interface PageOutput {
  readonly output_type: string;
  readonly ename?: string;
  readonly evalue?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** As much of a DOM element as is used; the tests are compiled for Node.js, without the DOM's types. */
interface PageElement {
  querySelectorAll(selector: string): Iterable<PageElement>;
  getBoundingClientRect(): { readonly width: number; readonly height: number; readonly bottom: number };
  getAttribute(name: string): string | null;
  closest(selector: string): PageElement | null;
  readonly scrollWidth: number;
  readonly clientWidth: number;
  readonly textContent: string | null;
}

interface PageGlobals {
  jupyterapp?: Lab;
}

/** How far the notebook is. */
export interface State {
  readonly status: string;
  readonly ran: number;
  readonly cells: number;
  readonly errors: readonly string[];
}

/** A plotly chart as it is seen. */
export interface Chart {
  /** Index of its cell in the notebook. */
  readonly cell: number;
  readonly width: number;
  readonly height: number;
  /** Lines and markers that have a path with a course. */
  readonly paths: number;
  /** Heatmaps that have an image. */
  readonly images: number;
  /** Tables that have cells. */
  readonly tables: number;
  /** Pixels by which it is wider than the place that its cell has for it. */
  readonly overflow: number;
  readonly title: string;
}

/** Waits until the notebook is open with its kernel; gives the kernel's name as JupyterLab shows it. */
export async function notebookIsOpen(page: Page, path: string, timeout = 120_000): Promise<string> {
  await page.waitForFunction(
    (wanted) => (globalThis as PageGlobals).jupyterapp?.shell.currentWidget?.context?.path === wanted,
    path,
    { timeout },
  );
  await page.locator(".jp-Notebook .jp-Cell").first().waitFor({ timeout });
  return page.evaluate(async () => {
    const panel = (globalThis as PageGlobals).jupyterapp!.shell.currentWidget!;
    await panel.context.ready;
    await panel.sessionContext.ready;
    return panel.sessionContext.kernelDisplayName;
  });
}

/**
 * Opens a notebook in place of the one that is open, whose cells would lie hidden in the page, and without JupyterLab's start. What
 * was changed there is not saved.
 */
export async function openNotebook(page: Page, path: string): Promise<void> {
  await page.waitForFunction(() => (globalThis as PageGlobals).jupyterapp !== undefined);
  await page.evaluate(async (wanted) => {
    const { commands, restored, shell } = (globalThis as PageGlobals).jupyterapp!;
    await restored;
    shell.currentWidget?.dispose();
    await commands.execute("docmanager:open", { path: wanted });
  }, path);
}

/** Writes the notebook that is open to its file. */
export async function saveNotebook(page: Page): Promise<void> {
  await page.evaluate(() => (globalThis as PageGlobals).jupyterapp!.commands.execute("docmanager:save"));
}

/** Whether JupyterLab has found a mode for the kernel's language: then the words of the code have classes for colours. */
export function codeIsColoured(page: Page): Promise<boolean> {
  return page
    .locator(".jp-CodeCell .cm-line span[class]")
    .first()
    .waitFor({ timeout: 10_000 })
    .then(
      () => true,
      () => false,
    );
}

/** Removes the outputs that the file came with, and runs every cell, without waiting for the end. */
export async function runAllCells(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const { commands } = (globalThis as PageGlobals).jupyterapp!;
    await commands.execute("notebook:clear-all-cell-outputs");
    void commands.execute("notebook:run-all-cells");
  });
}

/** How far the run is. */
export function state(page: Page): Promise<State> {
  return page.evaluate(() => {
    const panel = (globalThis as PageGlobals).jupyterapp!.shell.currentWidget!;
    const code = panel.content.widgets
      .map(({ model }) => model)
      .filter(({ type, sharedModel }) => type === "code" && sharedModel.source.trim() !== "");
    return {
      status: panel.sessionContext.session?.kernel?.status ?? "none",
      cells: code.length,
      ran: code.filter(({ executionCount }) => typeof executionCount === "number").length,
      errors: code
        .flatMap(({ outputs }) => outputs?.toJSON() ?? [])
        .filter(({ output_type }) => output_type === "error")
        .map(({ ename, evalue }) => `${ename}: ${evalue}`),
    };
  });
}

/** The cells that have a plotly figure among their outputs. */
export function cellsWithFigures(page: Page): Promise<number[]> {
  return page.evaluate(() => {
    const { widgets } = (globalThis as PageGlobals).jupyterapp!.shell.currentWidget!.content;
    return widgets.flatMap(({ model }, index) =>
      (model.outputs?.toJSON() ?? []).some(({ data }) => data?.["application/vnd.plotly.v1+json"] !== undefined)
        ? [index]
        : [],
    );
  });
}

/** Brings a cell into view: JupyterLab does not render what is far from it. */
export async function showCell(page: Page, cell: number): Promise<void> {
  await page.evaluate(async (index) => {
    const { content } = (globalThis as PageGlobals).jupyterapp!.shell.currentWidget!;
    content.activeCellIndex = index;
    await content.scrollToItem(index, "center");
  }, cell);
}

/** Where the notebook ends on the page, in pixels from its top. */
export function notebookEnd(page: Page): Promise<number> {
  return page.evaluate(() => {
    const { widgets } = (globalThis as PageGlobals).jupyterapp!.shell.currentWidget!.content;
    return widgets.at(-1)!.node.getBoundingClientRect().bottom;
  });
}

/** The charts that plotly has drawn in a cell. */
export function chartsIn(page: Page, cell: number): Promise<Chart[]> {
  return page.evaluate((index) => {
    const { widgets } = (globalThis as PageGlobals).jupyterapp!.shell.currentWidget!.content;
    const within = (element: PageElement, selector: string) => [...element.querySelectorAll(selector)];
    return within(widgets[index]!.node, ".js-plotly-plot").map((plot) => {
      const { width, height } = plot.getBoundingClientRect();
      const place = plot.closest(".jp-OutputArea-output");
      return {
        ...{ cell: index, width, height },
        paths: within(plot, ".trace path").filter((path) => (path.getAttribute("d") ?? "").length > 4).length,
        images: within(plot, ".heatmaplayer image").filter((image) => {
          const href = image.getAttribute("href") ?? image.getAttribute("xlink:href") ?? "";
          return href.startsWith("data:image") && href.length > 100;
        }).length,
        tables: within(plot, ".table .column-cell").length,
        overflow: place ? place.scrollWidth - place.clientWidth : 0,
        title: within(plot, ".gtitle")[0]?.textContent ?? "",
      };
    });
  }, cell);
}

/** The charts of a cell, once plotly has drawn them all; undefined when it has not by then. */
export async function drawnCharts(page: Page, cell: number, timeout = 30_000): Promise<Chart[] | undefined> {
  for (const giveUp = Date.now() + timeout; Date.now() < giveUp; await sleep(200)) {
    const charts = await chartsIn(page, cell);
    if (charts.length > 0 && charts.every(({ paths, images, tables }) => paths + images + tables > 0)) return charts;
  }
  return undefined;
}

/** Ends the kernel of the notebook that is open: what is only looked at needs none. */
export function endKernel(page: Page): Promise<void> {
  return page.evaluate(() => (globalThis as PageGlobals).jupyterapp!.shell.currentWidget!.sessionContext.shutdown());
}
