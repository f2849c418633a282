/** Declarations whose characters take a byte each. */
import assert from "node:assert/strict";
import test from "node:test";
import { asWritten, oneByte } from "./one-byte.js";

test("wide characters in comments are numbered, and read as they were written", () => {
  const text = "/** ─ of “one” 😀 */\nlet a: 'b'; // – c\n";
  const narrow = oneByte(text);
  assert.match(narrow, /^[\0-\xff]*$/);
  assert.equal(asWritten(narrow), text);
  assert.equal(narrow.replace(/&#\d+;/g, ""), text.replace(/[^\0-\xff]/gu, ""));
});

test("a text with wide characters in its types stays as it is", () => {
  const text = "/** – */\nlet a: '→';\n";
  assert.equal(oneByte(text), text);
});
