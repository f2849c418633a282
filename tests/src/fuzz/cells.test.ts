/** Cells gone wrong, by the thousand: each is compiled or refused with a clear message, and the kernel goes on. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { fileURLToPath } from "node:url";
import { basics } from "../../../kernel/dist/cells/basics.js";
import { errors } from "../../../kernel/dist/cells/errors.js";
import { modules } from "../../../kernel/dist/cells/modules.js";
import { names } from "../../../kernel/dist/cells/names.js";
import { syntax } from "../../../kernel/dist/cells/syntax.js";
import { complete } from "../../../kernel/dist/language/completion.js";
import { completeness } from "../../../kernel/dist/language/completeness.js";
import { inspect } from "../../../kernel/dist/language/inspection.js";
import { Language } from "../../../kernel/dist/language/language.js";
import { TestNotebook } from "../../../kernel/dist/testing.js";
import { mutate } from "./mutations.js";
import { Random } from "./random.js";

/** How many cells are compiled; a hundredth of them is run. */
const CELLS = Number(process.env["METASTATE_FUZZ_CELLS"] ?? 20_000);
const SEED = Number(process.env["METASTATE_FUZZ_SEED"] ?? 1);

const tables = [basics, names, syntax, modules, errors];
// The cells that test the compiler with its own size would take all the time.
const corpus = tables
  .flatMap((table) => Object.values(table).flatMap((cells) => cells.map(({ code }) => code)))
  .filter((code) => code.length < 2000);
/** Cells that touch nothing but themselves, and of whose mutants the same can be hoped. */
const harmless = corpus.filter(
  (code) => !/require|import|process|console|while|for|[!%]|eval|Function|globalThis|SharedArrayBuffer/.test(code),
);

const folder = mkdtempSync(join(tmpdir(), "metastate-fuzz-"));
after(() => rmSync(folder, { recursive: true }));

test(`${CELLS} mutated cells are compiled or refused with a message, and complete and inspect answer`, () => {
  const globals = [fileURLToPath(new URL("../../../kernel/dist/cell-api/index.js", import.meta.url))];
  const nodeTypes = createRequire(import.meta.url)
    .resolve("@types/node/package.json")
    .replace("package.json", "index.d.ts");
  const language = new Language({ folder, globals, nodeTypes });
  const numbers = new Random(SEED);
  const random = (): number => numbers.next();
  let compiled = 0;
  for (let i = 0; i < CELLS; i++) {
    const code = mutate(corpus[Math.floor(random() * corpus.length)] ?? "", corpus, random);
    const told = `cell ${i} of seed ${SEED}: ${JSON.stringify(code)}`;
    try {
      const result = language.compile(code, "In [1]");
      if (result.ok) compiled++;
      else {
        assert.match(result.errors.ename, /^(SyntaxError|TypeScriptError|UsageError|KernelError|CommandError)$/, told);
        assert.notEqual(result.errors.evalue, "", told);
        assert.ok(result.errors.traceback.length < 200, told);
      }
      completeness(code);
      if (i % 20 === 0) {
        const cursor = Math.floor(random() * (code.length + 1));
        complete(language, code, cursor);
        inspect(language, code, cursor);
      }
    } catch (error) {
      throw new Error(told, { cause: error });
    }
    // What mutants declare (types of the name of a global's, say) is not to spoil all that follow.
    if (i % 200 === 199) {
      language.reset();
      assert.ok(language.compile("const sane: number = 1 + 1; sane", "In [1]").ok, told);
    }
  }
  assert.ok(compiled > CELLS / 50, `only ${compiled} of ${CELLS} were compiled: the mutations are too wild`);
});

test("mutated cells are run, and the kernel answers after each", async () => {
  const notebook = new TestNotebook();
  try {
    const numbers = new Random(SEED + 1);
    const random = (): number => numbers.next();
    for (let i = 0; i < CELLS / 100; i++) {
      const code = mutate(harmless[Math.floor(random() * harmless.length)] ?? "", harmless, random);
      const timer = setTimeout(() => {
        notebook.interrupt();
      }, 2000);
      const { outcome } = await notebook.run(code);
      clearTimeout(timer);
      if (outcome.status === "error") assert.notEqual(outcome.ename, "", JSON.stringify(code));
      if (i % 20 === 0) {
        const { outcome: next } = await notebook.run("await Promise.resolve(6 * 7)");
        assert.equal(next.status, "ok", JSON.stringify(code));
      }
    }
  } finally {
    await notebook.close();
  }
});
