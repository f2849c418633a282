/** Runs tables of what cells do: each row is a short notebook, and its name says what it shows. */
import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { ending, TestNotebook } from "../testing.js";

/** A cell and what is to be seen of it; what is left out is not looked at. */
export interface Cell {
  readonly code: string;
  /** text of the result; null: there is none */
  readonly result?: string | null;
  readonly stdout?: string;
  /** how it ends; `ok` when left out */
  readonly ends?: string | RegExp;
  /** the traceback, without its colours */
  readonly traceback?: RegExp;
}

/** A notebook by what it shows. */
export type CellTable = Readonly<Record<string, readonly Cell[]>>;

/** Makes a test of each row. The rows of a table share a session: to start one for each would take minutes. */
export function testCells(table: CellTable): void {
  let notebook: TestNotebook;
  before(() => {
    notebook = new TestNotebook();
  });
  after(() => notebook.close());

  for (const [name, cells] of Object.entries(table)) {
    void test(name, async () => {
      for (const { code, result, stdout, ends = "ok", traceback } of cells) {
        const ran = await notebook.run(code);
        const shown = ran.outcome.status === "ok" ? "" : stripVTControlCharacters(ran.outcome.traceback.join("\n"));
        const told = `${code}\n${ran.stderr}\n${shown}`;
        if (typeof ends === "string") assert.equal(ending(ran), ends, told);
        else assert.match(ending(ran), ends, told);
        if (result !== undefined) assert.equal(ran.result ?? null, result, told);
        if (stdout !== undefined) assert.equal(ran.stdout, stdout, told);
        if (traceback !== undefined) assert.match(shown, traceback, told);
      }
    });
  }
}
