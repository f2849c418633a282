/** The documentation as a site, made as `npm run docs` makes it. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { python, root, surroundings } from "../environment.js";
import { run } from "../program.js";

test(
  "the book holds guides, reference and tutorials, and no link of it leads nowhere",
  { timeout: 600_000 },
  async (t) => {
    const site = mkdtempSync(join(tmpdir(), "metastate-book-"));
    t.after(() => rmSync(site, { recursive: true }));
    const env = surroundings({ METASTATE_PYTHON: python });
    const typedoc = join(root, "node_modules", "typedoc", "bin", "typedoc");
    for (const args of [
      [typedoc, "--out", site],
      [join(root, "scripts", "docs", "book.mjs"), site],
    ]) {
      const { status, stdout, stderr } = await run(process.execPath, args, { cwd: root, env });
      assert.equal(status, 0, `${stdout}\n${stderr}`);
    }
    assert.match(readFileSync(join(site, "index.html"), "utf8"), /href="tutorials\/02-the-wkv-state-by-hand\.html"/);
    assert.match(readFileSync(join(site, "tutorials", "01-first-light.html"), "utf8"), /class="figure"/);
  },
);
