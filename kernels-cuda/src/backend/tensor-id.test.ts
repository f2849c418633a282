import type { TensorInfo } from "@tensorflow/tfjs-core";
import assert from "node:assert/strict";
import test from "node:test";
import { inspect } from "node:util";
import { TensorTable } from "./tensor-data.js";
import { TensorId, TensorRecords } from "./tensor-id.js";

const missing = (): never => {
  throw new Error("moved");
};

test("a table finds what it was given by any id, in order of entry, until that is deleted", () => {
  const table = new TensorTable<string>(missing);
  const [a, b, c] = [new TensorId(), {}, new TensorId()];
  table.set(a, "a");
  table.set(b, "b");
  table.set(c, "c");
  table.set(a, "A");
  assert.deepEqual(
    [a, b, c].map((id) => table.get(id)),
    ["A", "b", "c"],
  );
  assert.deepEqual(
    [...table.entries()].map(([id, value]) => [[a, b, c].indexOf(id), value]),
    [
      [2, "c"],
      [1, "b"],
      [0, "A"],
    ],
  );
  assert.equal(table.numDataIds(), 3);
  assert.ok(table.delete(b));
  assert.equal(table.delete(b), false);
  assert.deepEqual([table.has(a), table.has(b), table.has(c)], [true, false, true]);
  assert.throws(() => table.get(b), /moved/);
  assert.deepEqual(
    [...table.entries()].map(([, value]) => value),
    ["c", "A"],
  );
  table.clear();
  assert.deepEqual([table.numDataIds(), table.has(a), [...table.entries()].length], [0, false, 0]);
  table.set(a, "again");
  assert.equal(table.get(a), "again");
});

test("each of several owners finds its own value in an id", () => {
  const tables = ["first", "second", "third"].map((name) => ({ name, table: new TensorTable<string>(missing) }));
  const records = new TensorRecords<TensorInfo>(new WeakMap());
  const id = new TensorId();
  const record = { dataId: id, shape: [], dtype: "float32" as const };
  for (const { name, table } of tables) table.set(id, name);
  records.set(id, record);
  for (const { name, table } of tables) assert.equal(table.get(id), name);
  assert.equal(records.get(id), record);
  assert.ok(tables[0]!.table.delete(id));
  assert.equal(tables[0]!.table.has(id), false);
  assert.deepEqual([tables[1]!.table.get(id), tables[2]!.table.get(id)], ["second", "third"]);
  tables[1]!.table.set(id, "now the first");
  assert.deepEqual([tables[1]!.table.get(id), tables[1]!.table.numDataIds()], ["now the first", 1]);
  assert.ok(records.delete(id));
  assert.deepEqual([records.has(id), records.get(id), records.delete(id)], [false, undefined, false]);
});

test("records know what another WeakMap has", () => {
  const there = {};
  const others = new WeakMap<object, object>([[there, { old: true }]]);
  const records = new TensorRecords(others);
  assert.ok(records.has(there));
  const [plain, id] = [{}, new TensorId()];
  records.set(plain, { plain: true }).set(id, { plain: false });
  assert.deepEqual([records.get(plain), records.get(id), others.has(id)], [{ plain: true }, { plain: false }, false]);
  assert.ok(records.delete(plain));
  assert.equal(records.has(plain), false);
  assert.ok(records instanceof WeakMap);
});

test("an id shows nothing of what it carries", () => {
  const table = new TensorTable<string>(missing);
  const id = new TensorId();
  table.set(id, "secret");
  assert.equal(JSON.stringify(id), "{}");
  assert.equal(inspect(id), "TensorId {}");
  assert.deepEqual(id, new TensorId());
});
