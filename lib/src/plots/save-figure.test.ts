import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";

import type { Figure, SaveFigureOptions } from "./figure.js";
import { matrixPlot } from "./matrix.js";
import { overTokens } from "./over-tokens.js";
import { drawFigures, findBrowser } from "./save-figure.js";
import { withoutBrowser } from "./testing.js";
import { lossPlot } from "./training-curves.js";

const folder = mkdtempSync(join(tmpdir(), "metastate-figures-"));
after(() => rmSync(folder, { recursive: true }));

const figure = lossPlot(
  [
    { step: 1, loss: 2 },
    { step: 2, loss: 1 },
  ],
  { title: "Loss </script> & more" },
);

test("a picture has the size asked for, a drawing its text", { skip: withoutBrowser }, async () => {
  await figure.save(join(folder, "loss.png"), { width: 300, height: 200, scale: 3 });
  const png = readFileSync(join(folder, "loss.png"));
  assert.equal(png.subarray(1, 4).toString(), "PNG");
  assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [900, 600]);
  await figure.save(join(folder, "loss.svg"), { width: 300, height: 200 });
  const svg = readFileSync(join(folder, "loss.svg"), "utf8");
  assert.match(svg, /^<svg[^>]* width="300" height="200"/);
  assert.match(svg, /nats a token/);
});

test(
  "what is drawn small is laid out as large as it must be, and squares keep their form",
  { skip: withoutBrowser },
  async () => {
    const names = ["layer 0, head 0", "layer 0, head 1", "layer 1, head 0", "layer 1, head 1"];
    const lines = overTokens(Object.fromEntries(names.map((name, i) => [`${name}, the state`, [i, 1, 2]])));
    const svg = async (drawn: Figure, size: SaveFigureOptions) => {
      await drawn.save(join(folder, "small.svg"), size);
      return readFileSync(join(folder, "small.svg"), "utf8");
    };
    const small = await svg(lines, { width: 336, height: 200 });
    const [, box] = /^<svg[^>]* width="336" height="200"[^>]* viewBox="0 0 ([\d.]+ [\d.]+)"/.exec(small)!;
    const [width, height] = box!.split(" ").map(Number) as [number, number];
    const { margin } = lines.layout;
    assert.ok(Math.abs(width / height - 336 / 200) < 0.01 && height >= margin!.t! + margin!.b! + 130 - 1, box);
    // Below the axis, whatever the height: the legend's top, from the plot's lower edge.
    const own = /<g class="legend"[^>]*translate\([\d.]+,\s*([\d.]+)\)/;
    // As notebooks keep a figure: its JSON, with the legend placed for the height that it was given.
    const higher = overTokens(Object.fromEntries(names.map((name, i) => [`${name}, the state`, [i, 1, 2]])));
    higher.layout.height = 700;
    const [kept] = await drawFigures([higher.toJSON()], { format: "svg" });
    for (const drawn of [small, await svg(lines, { height: 700 }), Buffer.from(kept!).toString()]) {
      const viewed = Number(/viewBox="0 0 [\d.]+ ([\d.]+)"/.exec(drawn)![1]);
      const top = Number(own.exec(drawn)![1]) - (viewed - margin!.b!);
      assert.ok(Math.abs(top - 52) < 3, `${top} pixels below the plot`);
    }
    const squares = matrixPlot([
      [1, 2],
      [3, 4],
    ]);
    const { width: w, height: h } = squares.layout as { width: number; height: number };
    assert.match(
      await svg(squares, { width: w / 2 }),
      new RegExp(` width="${Math.round(w / 2)}" height="${Math.round(h / 2)}"`),
    );
    await lines.save(join(folder, "small.pdf"), { width: 336, height: 200 });
    const pdf = readFileSync(join(folder, "small.pdf"), "latin1");
    assert.match(pdf, /^%PDF/);
    assert.match(pdf, /\/MediaBox \[0 0 252(\.0+)? 150(\.0+)?\]/);
    assert.equal(pdf.match(/\/Type \/Page\b/g)!.length, 1);
    rmSync(join(folder, "small.svg"));
    rmSync(join(folder, "small.pdf"));
  },
);

test("a page holds plotly and the figure, whose text cannot end the script", async () => {
  await figure.save(join(folder, "loss.html"));
  const page = readFileSync(join(folder, "loss.html"), "utf8");
  assert.ok(page.length > 3e6);
  assert.match(page, /Loss \\u003c\/script> & more/);
  assert.doesNotMatch(page, /<script[^>]*src=/);
});

test("JSON is plotly's, and nothing else is left in the folder", async () => {
  const path = join(folder, "loss.json");
  await figure.save(path);
  assert.deepEqual(JSON.parse(readFileSync(path, "utf8")), JSON.parse(JSON.stringify(figure)));
  assert.deepEqual(
    readdirSync(folder).filter((name) => !name.startsWith("loss.")),
    [],
  );
});

test("another kind of file is refused with those there are, a missing browser with what to install", async () => {
  await assert.rejects(figure.save(join(folder, "loss.gif")), {
    name: "ConfigurationError",
    message: /ends with "\.gif", wanted a name that ends with \.png, \.svg, \.pdf, \.html or \.json/,
  });
  assert.throws(() => findBrowser({ PATH: folder }), /apt-get install chromium.*METASTATE_BROWSER/);
  assert.throws(() => findBrowser({ METASTATE_BROWSER: join(folder, "none") }), /none, which does not exist/);
});
