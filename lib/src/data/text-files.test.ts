import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";

import fc from "fast-check";

import { linesOf } from "../io/lines.js";
import { stateOfTheUnion, stateOfTheUnionAddresses } from "./state-of-the-union.js";
import { jsonLines, lines, textFile } from "./text-files.js";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "metastate-data-"));
});
after(() => rm(folder, { recursive: true, force: true }));

async function file(content: string | Uint8Array): Promise<string> {
  const path = join(folder, "file.txt");
  await writeFile(path, content);
  return path;
}

test("State of the Union: 233 addresses by year, and all as one text", () => {
  const addresses = stateOfTheUnionAddresses();
  assert.equal(addresses.length, 233);
  assert.deepEqual([addresses[0]!.year, addresses[0]!.president], [1790, "George Washington"]);
  assert.deepEqual(
    stateOfTheUnionAddresses({ from: 1861, to: 1864 }).map(({ year, president }) => `${year} ${president}`),
    ["1861 Abraham Lincoln", "1862 Abraham Lincoln", "1863 Abraham Lincoln", "1864 Abraham Lincoln"],
  );
  const text = stateOfTheUnion();
  assert.ok(text.startsWith("Fellow-Citizens of the Senate"));
  assert.ok(text.length > 10e6 && !text.includes("\ufffd"));
});

test("lines are split at line ends only, wherever the file is read in pieces", async () => {
  const content = fc.array(fc.constantFrom("a", "é", "🐳", "\u2028", "\u0085", "\n", "\r\n", "x".repeat(70_000)));
  await fc.assert(
    fc.asyncProperty(content, async (parts) => {
      const text = parts.join("");
      const expected = text.split("\n").map((line) => line.replace(/\r$/, ""));
      if (text.endsWith("\n") || text === "") expected.pop();
      const found: string[] = [];
      for await (const line of lines(await file(text))) found.push(line);
      assert.deepEqual(found, expected);
    }),
    { seed: 1, numRuns: 100 },
  );
  // A byte order mark begins a file, not a line.
  const numbered: [number, string][] = [];
  for await (const { number, text } of linesOf(await file("\ufeffa\n\n\ufeffb"))) numbered.push([number, text]);
  assert.deepEqual(numbered, [
    [1, "a"],
    [2, ""],
    [3, "\ufeffb"],
  ]);
});

test("text files are UTF-8, or the line that is not is named", async () => {
  assert.equal(await textFile(await file("né\r\n鯨")), "né\r\n鯨");
  const latin = await file(Buffer.concat([Buffer.from("one\ntwo\nn"), Buffer.from([0xe9]), Buffer.from("\n")]));
  await assert.rejects(textFile(latin), {
    name: "DataError",
    line: 3,
    message: /line 3: the line is not UTF-8; convert/,
  });
  await assert.rejects(textFile(join(folder, "none")), { name: "DataError", message: /there is no such file/ });
  await assert.rejects(textFile(folder), { name: "DataError", message: /a folder, wanted a file/ });
});

test("JSON lines: texts by field, streamed; what is wrong is said with its line", async () => {
  const texts = async (content: string, field?: string): Promise<string[]> => {
    const found: string[] = [];
    for await (const text of jsonLines(await file(content), field === undefined ? {} : { field })) found.push(text);
    return found;
  };
  assert.deepEqual(await texts('{"text":"a\u2028b"}\n\n  \n"plain"\n{"text":"né","other":1}'), [
    "a\u2028b",
    "plain",
    "né",
  ]);
  assert.deepEqual(await texts('{"body":"x"}\r\n', "body"), ["x"]);
  const refused = (content: string, message: RegExp): Promise<void> =>
    assert.rejects(texts(content), { name: "DataError", line: 2, message });
  await refused('{"text":"a"}\n{"text":', /line 2: this is no JSON/);
  await refused('{"text":"a"}\n{"body":"b","id":1}', /no field "text"; the line has "body", "id": pass field/);
  await refused('{"text":"a"}\n{"text":5}', /the field "text" is no text but number/);
  await refused('{"text":"a"}\n[1]', /the line is an array, wanted an object/);
  await refused('{"text":"a"}\nnull', /the line is null/);
  await assert.rejects(texts('{"__proto__":{"text":"x"}}'), /no field "text"/);
});

test("leaving the lines early closes the file", async () => {
  const path = await file("a\n".repeat(1_000_000));
  for await (const line of lines(path)) {
    assert.equal(line, "a");
    break;
  }
});
