// @ts-check
// The sections of a document, each of which the search finds by itself.

import { Slugger } from "typedoc";

/**
 * @typedef {object} Section
 * @property {string} heading without marks; of what stands above the first heading, empty
 * @property {string} anchor of the heading on the document's page
 * @property {string} text below it, up to the next heading
 */

/**
 * @param {readonly import("typedoc").CommentDisplayPart[]} content of a document
 * @param {ConstructorParameters<typeof Slugger>[0]} sluggerOptions as anchors of its page are made with
 * @returns {Section[]} in their order; the first is what stands below the document's title
 */
export function sectionsOf(content, sluggerOptions) {
  const slugger = new Slugger(sluggerOptions);
  /** @type {Section[]} */
  const sections = [];
  let fence = "";
  // A link's address is nothing to be searched for.
  for (const line of content
    .map(({ kind, text }) => (kind === "relative-link" ? "" : text))
    .join("")
    .split("\n")) {
    const [mark = ""] = /^(`{3,})/.exec(line) ?? [];
    if (fence === "") fence = mark;
    else if (mark.length >= fence.length) fence = "";
    // What a line of code begins with # is no heading.
    const title = fence === "" ? /^#{1,6} (.+)$/.exec(line)?.[1] : undefined;
    if (title !== undefined) sections.push({ heading: plain(title), anchor: slugger.slug(plain(title, "")), text: "" });
    else if (sections.length > 0) sections[sections.length - 1].text += `${line}\n`;
  }
  return sections;
}

/**
 * A line without the marks of Markdown.
 *
 * @param {string} line
 * @param {string} [code] what stands for its code; TypeDoc's anchors leave it out
 */
export function plain(line, code = "$1") {
  return line
    .replace(/`([^`]*)`/g, code)
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/[*_]{1,2}(\S[^*_]*)[*_]{1,2}/g, "$1");
}
