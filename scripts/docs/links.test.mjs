// @ts-check
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { deflateSync } from "node:zlib";
import { brokenLinks } from "./links.mjs";

test("links and finds that lead to files and places that are not there are told, others and addresses of other sites are not", (t) => {
  const site = mkdtempSync(join(tmpdir(), "metastate-site-"));
  t.after(() => rmSync(site, { recursive: true }));
  mkdirSync(join(site, "guides"));
  mkdirSync(join(site, "empty"));
  writeFileSync(
    join(site, "index.html"),
    '<a href="guides/a%20b.html#x">a</a><a href="https://example.org/x">b</a><a href="empty">c</a>',
  );
  writeFileSync(
    join(site, "guides", "a b.html"),
    '<h1 id="x">A</h1><img alt="" src="../none.png"><a class="x" href="#x">d</a><a href="#y">f</a><a href="../index.html">e</a>',
  );
  const rows = ["guides/a b.html#x", "guides/a b.html#z", "none.html"].map((url) => ({ url }));
  mkdirSync(join(site, "assets"));
  const packed = deflateSync(JSON.stringify({ rows })).toString("base64");
  writeFileSync(join(site, "assets", "search.js"), `window.searchData = "${packed}";`);
  const page = join("guides", "a b.html");
  assert.deepEqual(brokenLinks(site), [
    `${page}: #y`,
    `${page}: ../none.png`,
    "index.html: empty",
    "the search: guides/a b.html#z",
    "the search: none.html",
  ]);
});
