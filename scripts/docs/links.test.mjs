// @ts-check
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { brokenLinks } from "./links.mjs";

test("links to files and places that are not there are found, others and addresses of other sites are not", (t) => {
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
  const page = join("guides", "a b.html");
  assert.deepEqual(brokenLinks(site), [`${page}: #y`, `${page}: ../none.png`, "index.html: empty"]);
});
