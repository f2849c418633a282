/** What a person meets in a notebook cell by cell: editing help, errors, progress, interrupts, widgets. */
import assert from "node:assert/strict";
import test, { after, afterEach, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Locator } from "playwright-core";
import { findChromium } from "./chromium.js";
import { LiveNotebook } from "./live-notebook.js";

// Where CI runs, a browser that is missing is a fault of the set-up, not a reason to skip.
const skip =
  findChromium() === undefined && !process.env["CI"]
    ? "no Chromium or Chrome is installed (Debian: apt install chromium), or name one in METASTATE_CHROMIUM"
    : false;
/** What a slow machine may take for anything that is seen, in milliseconds. */
const PATIENCE = 60_000;

const options = { skip, timeout: 2 * PATIENCE };

/** What is used of JupyterLab's own objects in the page. */
interface PageCommands {
  jupyterapp: { readonly commands: { execute(id: string): Promise<unknown> } };
}

let notebook: LiveNotebook;
if (skip === false) {
  before(async () => {
    notebook = await LiveNotebook.open();
  });
  afterEach(async (context) => {
    if ("passed" in context && !context.passed) await notebook.pictureOfPage(`failed: ${context.name}`);
    // A cell that a failed test has left running would keep all others waiting.
    await notebook.command("notebook:interrupt-kernel");
  });
  after(() => notebook?.close());
}

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  for (const giveUp = Date.now() + PATIENCE; !(await condition()); await sleep(50))
    assert.ok(Date.now() < giveUp, what);
}

/** Waits until the output of a cell is like this. */
async function shows(cell: Locator, pattern: RegExp): Promise<void> {
  for (const giveUp = Date.now() + PATIENCE; ; await sleep(50)) {
    const seen = await notebook.output(cell).catch(() => "");
    if (pattern.test(seen)) return;
    assert.ok(Date.now() < giveUp, `not like ${String(pattern)}: ${seen}`);
  }
}

/** Drags the handle of a slider over a number of pixels. */
async function drag(slider: Locator, pixels: number): Promise<void> {
  const box = (await slider.locator(".noUi-handle").boundingBox())!;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const { mouse } = notebook.page;
  await mouse.move(x, y);
  await mouse.down();
  for (let i = 1; i <= 10; i++) await mouse.move(x + (pixels * i) / 10, y);
  await mouse.up();
}

test("Tab completes, with the kind of each name", options, async () => {
  await notebook.run(
    'const optimizer = { name: "adam", rate: 1e-3, /** One step. */ step(loss: number) { return loss; } };',
  );
  const cell = await notebook.write("");
  await cell.locator(".cm-content").click();
  await notebook.page.keyboard.type("optimizer.");
  await notebook.page.keyboard.press("Tab");
  const popup = notebook.page.locator(".jp-Completer");
  await popup.locator(".jp-Completer-item").first().waitFor();
  const names = await popup.locator(".jp-Completer-match").allInnerTexts();
  assert.deepEqual(names.slice().sort(), ["name", "rate", "step"]);
  const kinds = await popup.locator(".jp-Completer-typeExtended").allInnerTexts();
  assert.deepEqual([...new Set(kinds)].sort(), ["method", "property"]);
  await notebook.picture("completion", cell.locator(".jp-Cell-inputWrapper"), popup);
  await popup.locator(".jp-Completer-item", { hasText: "step" }).click();
  assert.match(await cell.locator(".cm-content").innerText(), /optimizer\.step/);
});

test("Shift+Tab shows signature and documentation", options, async () => {
  await notebook.run(
    "/**\n * The mean of some numbers.\n * @param values At least one.\n */\nfunction mean(values: readonly number[]) {\n" +
      "  return values.reduce((sum, x) => sum + x, 0) / values.length;\n}",
  );
  const cell = await notebook.write("");
  await cell.locator(".cm-content").click();
  await notebook.page.keyboard.type("mean");
  await notebook.page.keyboard.press("Shift+Tab");
  const tooltip = notebook.page.locator(".jp-Tooltip");
  await tooltip.getByText("The mean of some numbers").waitFor();
  const text = await tooltip.innerText();
  assert.match(text, /function mean\(values: readonly number\[\]\): number/);
  assert.match(text, /At least one/);
  await notebook.picture("tooltip", cell.locator(".jp-Cell-inputWrapper"), tooltip);
  await notebook.page.keyboard.press("Escape");
});

test("an error points at the line of the TypeScript, in colours", options, async () => {
  const cell = await notebook.run(
    'async function load(path: string): Promise<number[]> {\n  if (!path.endsWith(".bin"))\n' +
      '    throw new RangeError(`${path} is no tensor file`);\n  return [];\n}\n\nconst weights = await load("model.txt");',
  );
  await shows(cell, /RangeError: model\.txt is no tensor file/);
  const text = await notebook.output(cell);
  assert.match(text, /In \[\d+\]:3/);
  assert.match(text, /throw new RangeError/);
  assert.match(text, /In \[\d+\]:7/);
  assert.ok((await cell.locator(".jp-Cell-outputArea [class*='ansi-']").count()) > 0, "nothing is coloured");
  assert.doesNotMatch(text, /node:internal|kernel\/dist/);
  await notebook.picture("traceback", cell);
});

test("a progress bar moves while the cell runs", options, async () => {
  const cell = await notebook.start(
    "const batches = Array.from({ length: 1000 }, (_, i) => i);\n" +
      'for (const batch of progress(batches, { label: "training" })) {\n' +
      "  await new Promise((done) => setTimeout(done, 10));\n}",
  );
  const bar = cell.getByRole("progressbar");
  await bar.waitFor();
  const percent = async (): Promise<number> => Number((await bar.getAttribute("aria-valuenow")) ?? 0);
  await until(async () => (await percent()) > 15, "the bar moves");
  await notebook.picture("progress", cell);
  assert.ok((await percent()) < 100, "the cell still runs");
  await notebook.command("notebook:interrupt-kernel");
  await shows(cell, /stopped/);
});

test("the interrupt button stops an endless loop; variables are kept", options, async () => {
  const cell = await notebook.start('let rounds = 0;\nconsole.log("looping");\nwhile (true) rounds++;');
  // The loop has begun, not only its compilation.
  await shows(cell, /looping/);
  await notebook.page
    .locator('[data-command="notebook:interrupt-kernel"], [data-jp-item-name="interrupt"]')
    .first()
    .click();
  await shows(cell, /KeyboardInterrupt/);
  await notebook.picture("interrupt", cell);
  const next = await notebook.run("rounds > 1000");
  await shows(next, /true/);
});

test("prompt and input ask in the cell", options, async () => {
  const cell = await notebook.start(
    'const name = prompt("Name of the run?", "first");\nconst note = await input("Note: ");\n`${name}: ${note}`',
  );
  const box = cell.locator(".jp-Stdin-input");
  await box.waitFor();
  await notebook.picture("prompt", cell);
  await box.fill("baseline");
  await box.press("Enter");
  await cell.locator(".jp-Stdin-prompt", { hasText: "Note:" }).waitFor();
  await box.last().fill("two layers");
  await box.last().press("Enter");
  await shows(cell, /'baseline: two layers'/);
});

test("a slider that is dragged changes the value in the kernel and a figure on the page", options, async () => {
  const cell = await notebook.run(
    "const frequency = ui.slider({ min: 1, max: 20, value: 3 });\n" +
      "const damped = ui.checkbox();\n\n" +
      "ui.interact({ frequency, damped }, ({ frequency, damped }) => {\n" +
      "  const x = Array.from({ length: 400 }, (_, i) => i / 400);\n" +
      "  const decay = damped ? 3 : 0;\n" +
      "  const y = x.map((t) => Math.sin(2 * Math.PI * frequency * t) * Math.exp(-decay * t));\n" +
      "  display.plotly([{ x, y }], { height: 260, margin: { t: 20, b: 30, l: 40, r: 20 } });\n" +
      "});",
  );
  const curve = cell.locator(".js-plotly-plot .scatterlayer path.js-line");
  await curve.waitFor();
  const path = (): Promise<string> =>
    curve
      .getAttribute("d")
      .then((d) => d ?? "")
      .catch(() => "");
  const first = await path();
  await drag(cell.locator(".widget-slider"), 40);
  await until(async () => ![first, ""].includes(await path()), "the figure follows the slider");
  const value = await notebook.run("frequency.value > 3");
  await shows(value, /true/);
  const second = await path();
  await cell.locator("input[type=checkbox]").click();
  await until(async () => ![second, ""].includes(await path()), "the figure follows the checkbox");
  await sleep(500);
  await notebook.picture("interact", cell);
});

test("a figure that is updated changes in place, as often as it is updated", options, async () => {
  const cell = await notebook.start(
    "class Curve {\n" +
      "  constructor(readonly n: number) {}\n" +
      '  [Symbol.for("Jupyter.display")]() {\n' +
      "    const layout = { height: 200, title: { text: `step ${this.n}` } };\n" +
      '    const frames = [{ name: "only", data: [{ y: [this.n] }] }];\n' +
      '    return { "application/vnd.plotly.v1+json": { data: [{ y: [0, this.n, 1] }], layout, frames } };\n' +
      "  }\n" +
      "}\n" +
      "const live = display(new Curve(0));\n" +
      "for (let n = 1; n < 40; n++) {\n" +
      "  live.update(new Curve(n));\n" +
      "  await new Promise((done) => setTimeout(done, 50));\n" +
      "}",
  );
  const plot = cell.locator(".js-plotly-plot");
  await plot.locator(".gtitle", { hasText: "step" }).waitFor();
  // A figure that is drawn anew is another element.
  await plot.evaluate((element) => {
    (element as unknown as { marked: boolean }).marked = true;
  });
  await plot.locator(".gtitle", { hasText: "step 39" }).waitFor();
  assert.ok(
    await plot.evaluate((element) => (element as unknown as { marked?: boolean }).marked),
    "the figure was drawn anew",
  );
  // What its animation shows is of the last figure too.
  const frames = await plot.evaluate((element) => {
    const { _transitionData } = element as unknown as { _transitionData: { _frames: { data: { y: number[] }[] }[] } };
    return _transitionData._frames.map(({ data }) => data[0]?.y);
  });
  assert.deepEqual(frames, [[39]]);
});

test("a figure that is a cell's value keeps its height however often the window changes", options, async () => {
  const cell = await notebook.run(
    '({ [Symbol.for("Jupyter.display")]: () => ({\n' +
      '  "application/vnd.plotly.v1+json": {\n' +
      '    data: [{ y: [1, 3, 2] }], layout: { height: 240, title: { text: "held" } }, config: { responsive: true },\n' +
      "  },\n" +
      "}) })",
  );
  const plot = cell.locator(".js-plotly-plot");
  await plot.locator(".gtitle", { hasText: "held" }).waitFor();
  const drawn = plot.locator(".main-svg").first();
  const { page } = notebook;
  const usual = page.viewportSize()!;
  try {
    for (const narrower of [40, 80, 120, 0]) {
      const { width } = (await drawn.boundingBox())!;
      await page.setViewportSize({ ...usual, width: usual.width - narrower });
      await until(async () => (await drawn.boundingBox())!.width !== width, "the figure follows the window");
      // Plotly looks at its place 100 ms later, and the notebook's layout may make it look again.
      await sleep(400);
      const { height } = (await drawn.boundingBox())!;
      assert.ok(Math.abs(height - 240) <= 2, `${narrower} px narrower it is ${height} px high`);
    }
  } finally {
    await page.setViewportSize(usual);
  }
});

test("dropdown, text, button, output and boxes work together", options, async () => {
  const cell = await notebook.run(
    "const options = {\n" +
      '  optimizer: ui.dropdown({ options: ["adam", "sgd"], label: "optimizer" }),\n' +
      '  rate: ui.slider({ scale: "log", min: 1e-5, max: 1e-1, value: 1e-3, label: "rate" }),\n' +
      '  prompt: ui.text({ label: "prompt", placeholder: "type here" }),\n' +
      "};\n" +
      'const bar = ui.progress({ max: 20, label: "steps" });\n' +
      "const log = ui.output();\n" +
      "const train = ui.button({\n" +
      '  label: "Train",\n' +
      '  style: "primary",\n' +
      "  onClick: () =>\n" +
      "    log.capture(async () => {\n" +
      "      for (bar.value = 0; bar.value < bar.max; bar.value++)\n" +
      "        await new Promise((done) => setTimeout(done, 10));\n" +
      "      console.log(options.optimizer.value, options.prompt.value);\n" +
      "    }),\n" +
      "});\n" +
      'const stop = ui.button({ label: "Stop" });\n' +
      "ui.vbox([...Object.values(options), bar, ui.hbox([train, stop]), log])",
  );
  await cell.locator(".widget-dropdown select").selectOption("sgd");
  await cell.locator(".widget-text input").fill("hello");
  await cell.getByRole("button", { name: "Train" }).click();
  await shows(cell, /sgd hello/);
  await notebook.page.mouse.move(0, 0);
  await notebook.picture("widgets", cell);
  assert.equal(await cell.locator(".progress-bar-success").count(), 1, "the bar is full");
});

test("what the program sets is seen on the page", options, async () => {
  const cell = await notebook.run("const told = ui.slider({ max: 50, label: 'told' });\ntold");
  await notebook.run("told.value = 37;");
  await until(async () => (await cell.locator(".widget-readout").textContent()) === "37", "the new value");
});

test("a cell stops at a breakpoint, with its variables in the debugger's panel, and goes on", options, async () => {
  const { page } = notebook;
  const size = page.viewportSize()!;
  await page.setViewportSize({ width: 1280, height: 640 });
  // The button is there when the kernel has answered.
  await notebook.run("1 + 1");
  const cell = await notebook.write(
    "function mean(values: readonly number[]): number {\n" +
      "  const sum = values.reduce((total, value) => total + value, 0);\n" +
      "  return sum / values.length;\n}\n\nconst losses = [2.25, 1.5, 0.75];\nmean(losses)",
  );
  const bug = page.locator(".jp-DebuggerBugButton").first();
  await bug.click();
  const margin = cell.locator(".cm-breakpoint-gutter").first();
  await margin.waitFor();
  await notebook.command("debugger:show-panel");
  const line = (await cell.locator(".cm-line").nth(2).boundingBox())!;
  const { x, width } = (await margin.boundingBox())!;
  await page.mouse.click(x + width / 2, line.y + line.height / 2);
  // One is there, unseen, to measure the margin by.
  await until(async () => (await cell.locator(".cm-breakpoint-icon").count()) > 1, "the breakpoint");
  await page.evaluate(() => {
    void (globalThis as unknown as PageCommands).jupyterapp.commands.execute("notebook:run-cell");
  });
  const stack = page.locator(".jp-DebuggerCallstack");
  await stack.getByText("mean").first().waitFor();
  const variables = page.locator(".jp-DebuggerVariables");
  await variables.getByText("sum", { exact: true }).first().waitFor();
  await page.mouse.move(0, 0);
  await page.screenshot({ path: notebook.picturePath("debugger"), caret: "hide" });
  assert.match(await stack.innerText(), /mean[^]*:3[^]*In \[\d+\][^]*:7/);
  await notebook.command("debugger:continue");
  await shows(cell, /1\.5/);
  await bug.click();
  await notebook.command("application:toggle-right-area");
  await page.setViewportSize(size);
});

test("widgets live on when the page is loaded anew", options, async () => {
  await notebook.run("const kept = ui.slider({ max: 50, value: 12, label: 'kept' });\nkept");
  await notebook.reload();
  const slider = notebook.page.locator(".widget-slider", { hasText: "kept" });
  await slider.waitFor({ state: "attached" });
  await slider.scrollIntoViewIfNeeded();
  await until(async () => (await slider.locator(".widget-readout").textContent()) === "12", "the value as it was");
  // Until the page has found its kernel again a control is only a picture, and is dragged in vain.
  const isHeard = async (): Promise<boolean> => {
    await drag(slider, 30);
    const value = await notebook.run("'kept is ' + (kept.value > 12 ? 'larger' : 'as it was')");
    await shows(value, /kept is (larger|as it was)/);
    return (await notebook.output(value)).includes("kept is larger");
  };
  await until(isHeard, "the value of the dragged slider in the kernel");
});

test(
  "what interact shows follows its controls when the page is loaded anew, and when the notebook is opened again",
  options,
  async () => {
    await notebook.run(
      "const scale = ui.slider({ min: 1, max: 50, value: 5, label: 'scale' });\n" +
        "ui.interact({ scale }, ({ scale }) => {\n" +
        "  console.log(`twice is ${2 * scale};`);\n" +
        "  display.plotly([{ y: [0, scale] }], { height: 220, title: { text: `up to ${scale};` } });\n" +
        "  if (scale > 20) display.markdown(`*beyond ${scale};*`);\n" +
        "});",
    );
    const cell = notebook.page.locator(".jp-CodeCell", { hasText: "const scale" });
    const slider = cell.locator(".widget-slider");
    /** All that there is to be seen is of the value, and each is there once. */
    const follows = (value: number): Promise<void> =>
      until(async () => {
        const text = await notebook.output(cell).catch(() => "");
        const seen = [...text.matchAll(/(twice is|up to|beyond) (\d+);/g)].map(([, what, n]) => `${what} ${n}`);
        const wanted = [`twice is ${2 * value}`, `up to ${value}`, ...(value > 20 ? [`beyond ${value}`] : [])];
        return seen.sort().join() === wanted.sort().join();
      }, `the results of ${value}`);
    /** The kernel's value, once the slider has told it. */
    const moved = async (pixels: number): Promise<number> => {
      await slider.scrollIntoViewIfNeeded();
      await drag(slider, pixels);
      return Number(await slider.locator(".widget-readout").textContent());
    };
    const shownAgain = async (): Promise<void> => {
      await slider.waitFor({ state: "attached" });
      await slider.scrollIntoViewIfNeeded();
      await cell.locator(".js-plotly-plot .gtitle").waitFor();
    };
    await follows(await moved(5));

    await notebook.reload();
    await shownAgain();
    const small = await moved(15);
    assert.ok(small > 5 && small <= 20, String(small));
    await follows(small);
    // There is more to see than the page that has run the cell ever saw.
    const large = await moved(100);
    assert.ok(large > 20, String(large));
    await follows(large);

    await notebook.reopen();
    await shownAgain();
    await follows(large);
    const last = await moved(-20);
    assert.notEqual(last, large);
    await follows(last);

    // What a program changes while no page looks is there when one is loaded.
    await notebook.run("setTimeout(() => { scale.value = 7; }, 1500);");
    await notebook.reload();
    await shownAgain();
    await follows(7);
  },
);

test("a bar goes on when the page is loaded anew while its cell runs", options, async () => {
  const cell = await notebook.start(
    "for (const step of progress(Array.from({ length: 3000 }, (_, i) => i), { label: 'long run' })) {\n" +
      "  await new Promise((done) => setTimeout(done, 10));\n}",
  );
  const percent = async (): Promise<number> =>
    Number(
      (await notebook.page
        .locator(".jp-CodeCell", { hasText: "long run" })
        .getByRole("progressbar")
        .getAttribute("aria-valuenow")) ?? 0,
    );
  await cell.getByRole("progressbar").waitFor();
  await until(async () => (await percent()) > 2, "the bar moves");
  await notebook.reload();
  const first = await percent();
  await until(async () => (await percent()) > first + 5, "the bar moves on");
});
