/** The extension of JupyterLab by which figures change in place, with a renderer that only notes what it is to draw. */
import assert from "node:assert/strict";
import test from "node:test";

const MIME = "application/vnd.plotly.v1+json";

/** Extensions of JupyterLab by name, as the page has them. */
interface Page {
  _JUPYTERLAB: Record<string, { get(module: string): unknown }>;
}

test("of figures that come faster than they are drawn the last is, and the page has as much time for others", async () => {
  const cost = 20;
  const drawn: { y: number; began: number; ended: number }[] = [];
  class Renderer {
    static readonly Plotly = {
      react(_: unknown, { data }: { data: readonly [{ y: number }] }): Promise<void> {
        const began = performance.now();
        while (performance.now() < began + cost);
        drawn.push({ y: data[0].y, began, ended: performance.now() });
        return Promise.resolve();
      },
    };
    readonly node = {
      style: {},
      offsetWidth: 0,
      querySelector: (selector: string) => (selector === ".plot-container" ? {} : null),
    };
    renderModel(_: object): Promise<void> {
      return Promise.resolve();
    }
  }
  const rendererFactory = { mimeTypes: [MIME], createRenderer: () => new Renderer() };
  const page = globalThis as unknown as Page;
  page._JUPYTERLAB = { "jupyterlab-plotly": { get: () => Promise.resolve(() => ({ default: { rendererFactory } })) } };
  await import(new URL("../labextension/static/remoteEntry.js", import.meta.url).href);
  await page._JUPYTERLAB["metastate-live-figures"]!.get("./mimeExtension");

  const renderers = [rendererFactory.createRenderer(), rendererFactory.createRenderer()];
  const show = (y: number) =>
    Promise.all(renderers.map((renderer) => renderer.renderModel({ data: { [MIME]: { data: [{ y }] } } })));
  await Promise.all(Array.from({ length: 50 }, (_, y) => show(y)));
  await show(50);
  assert.deepEqual(
    drawn.map(({ y }) => y),
    [49, 49, 50, 50],
  );
  for (const [i, { began }] of drawn.entries()) {
    const before = drawn[i - 1];
    if (before) assert.ok(began - before.ended >= before.ended - before.began, `figure ${i} came too early`);
  }
});
