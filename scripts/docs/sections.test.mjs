// @ts-check
import assert from "node:assert/strict";
import test from "node:test";
import { plain, sectionsOf } from "./sections.mjs";

/** A document as TypeDoc parses it: code and links apart. @param {...[kind: "text" | "code" | "relative-link", text: string]} parts */
const sections = (...parts) =>
  sectionsOf(
    parts.map(([kind, text]) =>
      kind === "relative-link" ? { kind, text, target: undefined, targetAnchor: undefined } : { kind, text },
    ),
    { lowercase: true },
  );

test("a document is split at its headings, each with the anchor that its page has", () => {
  assert.deepEqual(
    sections(
      ["text", "# A title\n\nFirst.\n\n## To try\n\nSee [it]("],
      ["relative-link", "other.md"],
      ["text", ").\n\n## Reading: "],
      ["code", "`ms.trace`"],
      ["text", "\n\n"],
      ["code", "```ts\n# no heading\n```"],
      ["text", "\n\n### To *try*\n\nEnd."],
    ),
    [
      { heading: "A title", anchor: "a-title", text: "\nFirst.\n\n" },
      { heading: "To try", anchor: "to-try", text: "\nSee [it]().\n\n" },
      { heading: "Reading: ms.trace", anchor: "reading", text: "\n```ts\n# no heading\n```\n\n" },
      { heading: "To try", anchor: "to-try-1", text: "\nEnd.\n" },
    ],
  );
});

test("marks of Markdown are left out of a line", () => {
  assert.equal(plain("**Meta-State** and [RWKV-7](https://x.org), `a_b`"), "Meta-State and RWKV-7, a_b");
});
