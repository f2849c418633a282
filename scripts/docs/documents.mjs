// @ts-check
// The documents of the book beside the reference: which there are, in which order, in which part, and at which address.

import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { notebooks, root } from "../lib/checkout.mjs";
import { Failure } from "../lib/failure.mjs";
import { tutorialSources } from "./tutorials.mjs";

const docs = join(root, "docs");

/** The parts of the book, in its order. */
export const PARTS = /** @type {const} */ ({
  tutorials: "Tutorials",
  guides: "Guides",
  project: "For contributors",
  reference: "Reference",
});

/**
 * @typedef {object} BookDocument
 * @property {string} source the Markdown that TypeDoc reads
 * @property {string} address its page in the site, without `.html`
 * @property {string} part
 * @property {string} [name] in lists of pages; its title up to a colon unless told
 * @property {string} [notebook] of a tutorial: the file that links to it name
 */

/**
 * All documents but the front page, in the order of the list on it.
 *
 * @returns {BookDocument[]}
 * @throws {Failure} when a guide does not stand in that list
 */
export function documents() {
  const tutorials = tutorialSources().map(({ source, name, path }) => ({
    ...{ source, address: `tutorials/${name}`, part: PARTS.tutorials, notebook: path },
  }));
  const front = join(docs, "README.md");
  const links = readFileSync(front, "utf8").matchAll(/\[([^\]]+)\]\(([^)#]+\.md)\)/g);
  const listed = new Map([...links].map(([, text, to]) => [resolve(docs, to), text]));
  const unlisted = readdirSync(docs)
    .map((file) => join(docs, file))
    .filter((file) => file.endsWith(".md") && file !== front && !listed.has(file));
  if (unlisted.length > 0) {
    throw new Failure(
      `${unlisted.map((file) => basename(file)).join(", ")}: not in the list of docs/README.md`,
      "add it",
    );
  }
  const rest = [...listed].map(([source, text]) => {
    const isGuide = dirname(source) === docs;
    const name = basename(source, ".md").toLowerCase();
    const folder = dirname(source) === root ? "" : basename(dirname(source));
    return {
      source,
      address: isGuide ? `guides/${name}` : `project/${name === "readme" ? folder : name}`,
      ...(isGuide ? { part: PARTS.guides } : { part: PARTS.project, name: text[0].toUpperCase() + text.slice(1) }),
    };
  });
  const overview = {
    source: join(notebooks, "README.md"),
    address: "tutorials/index",
    part: PARTS.tutorials,
    name: "Overview",
  };
  return [overview, ...tutorials, ...rest.filter(({ source }) => source !== overview.source)];
}
