import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";

import { findBrowser } from "./save-figure.js";
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
    message: /ends with "\.gif", wanted a name that ends with \.png, \.svg, \.html or \.json/,
  });
  assert.throws(() => findBrowser({ PATH: folder }), /apt-get install chromium.*METASTATE_BROWSER/);
  assert.throws(() => findBrowser({ METASTATE_BROWSER: join(folder, "none") }), /none, which does not exist/);
});
