// @ts-check
// A plugin of TypeDoc that makes a book of what TypeDoc finds: symbols of the reference stand under the concept whose folder of
// lib/src they are written in; guides and tutorials have parts, short names and addresses of their own, are searched section by
// section, and tutorials show what their cells have shown.
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import {
  Comment,
  CommentTag,
  Converter,
  DocumentReflection,
  IndexEvent,
  JSX,
  KindRouter,
  normalizePath,
  PageEvent,
  Reflection,
  ReflectionKind,
  RendererEvent,
} from "typedoc";

import { root } from "../lib/checkout.mjs";
import { documents, PARTS } from "./documents.mjs";
import { escaped } from "./html-text.mjs";
import { plain, sectionsOf } from "./sections.mjs";
import { withOutputs } from "./tutorials.mjs";

/**
 * What a reader looks for, by folder, in the order of the reference; and the pages that explain it.
 *
 * @type {Map<string, {title: string, pages: string[]}>}
 */
export const concepts = new Map([
  ["model", { title: "Models", pages: ["guides/model", "tutorials/03-from-rwkv-7-to-meta-state"] }],
  ["sse", { title: "SSE variants", pages: ["guides/variants", "tutorials/07-prototype-an-sse-variant"] }],
  ["baselines", { title: "Baselines", pages: ["guides/baselines"] }],
  ["training", { title: "Training", pages: ["guides/training", "tutorials/04-training"] }],
  ["generation", { title: "Generation", pages: ["guides/data", "tutorials/06-state-evolution-during-generation"] }],
  ["growth", { title: "Growth", pages: ["guides/growth", "tutorials/08-growing"] }],
  ["inspection", { title: "Inspection", pages: ["guides/inspection", "tutorials/05-looking-into-the-sse-state"] }],
  ["comparison", { title: "Comparison", pages: ["guides/comparison", "tutorials/04-training"] }],
  ["data", { title: "Texts and batches", pages: ["guides/data"] }],
  ["tokenizers", { title: "Tokenizers", pages: ["guides/data"] }],
  ["tasks", { title: "Tasks", pages: ["guides/data", "tutorials/09-state-tracking"] }],
  ["plots", { title: "Plots", pages: ["guides/plots"] }],
  ["io", { title: "Files", pages: ["guides/files"] }],
  ["ops", { title: "Ops", pages: ["guides/model", "tutorials/02-the-wkv-state-by-hand"] }],
  ["engine", { title: "Engine", pages: ["guides/engine", "tutorials/10-cuda-and-speed"] }],
  ["profile", { title: "Engine", pages: ["guides/engine", "tutorials/10-cuda-and-speed"] }],
]);

/** TypeDoc's index of words. */
const lunr = createRequire(import.meta.resolve("typedoc"))("lunr");

/** @typedef {import("./documents.mjs").BookDocument} BookDocument */

/** @type {Map<import("typedoc").Reflection, BookDocument>} */
const inBook = new Map();
/** What the search finds beside pages and symbols: a section of a document, with the address of its heading on the page. */
/** @type {Map<DocumentReflection, {page: DocumentReflection, anchor: string}>} */
const sections = new Map();
/** What stands below a document's title and above its first section. @type {Map<import("typedoc").Reflection, string>} */
const openings = new Map();
/** The addresses of the pages that explain a symbol. @type {Map<import("typedoc").RouterTarget, string[]>} */
const explained = new Map();

/** @param {import("typedoc").Application} app */
export function load(app) {
  const known = new Map(documents().map((document) => [normalizePath(document.source), document]));
  app.renderer.defineRouter("book", BookRouter);

  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_, document) => {
    const { files } = document.project;
    const path = files.getReflectionPath(document);
    const own = path && known.get(path);
    if (!own) throw new Error(`scripts/docs/documents.mjs does not know the document ${path}`);
    inBook.set(document, own);
    document.frontmatter["category"] = own.part;
    if (own.notebook) files.registerReflectionPath(normalizePath(own.notebook), document);
    const [title, ...rest] = sectionsOf(document.content, app.options.getValue("sluggerConfiguration"));
    if (!title) throw new Error(`${path} has no title`);
    const number = own.notebook ? `${Number.parseInt(basename(own.notebook), 10)}. ` : "";
    document.name = own.name ?? number + title.heading.split(":")[0];
    openings.set(document, title.text);
    for (const { heading, anchor, text } of rest) {
      const content = [{ kind: /** @type {const} */ ("text"), text }];
      const section = new DocumentReflection(`${heading} · ${document.name}`, document.project, content, {});
      sections.set(section, { page: document, anchor });
    }
  });

  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, (context) => {
    for (const reflection of context.project.getReflectionsByKind(ReflectionKind.SomeExport)) {
      if (!reflection.parent?.kindOf(ReflectionKind.SomeModule)) continue;
      const file = context.getSymbolFromReflection(reflection)?.declarations?.[0]?.getSourceFile().fileName;
      const folder = file && /\/lib\/src\/(\w+)[/.]/.exec(file)?.[1];
      const concept = folder && concepts.get(folder);
      if (!concept) continue;
      explained.set(reflection, concept.pages);
      // TypeDoc reads a function's category off its signatures.
      for (const documented of reflection.isDeclaration() ? (reflection.signatures ?? [reflection]) : []) {
        addCategory(documented, concept.title);
      }
    }
    for (const library of context.project.getChildrenByKind(ReflectionKind.Module))
      addCategory(library, PARTS.reference);
  });

  app.renderer.on(IndexEvent.PREPARE_INDEX, (event) => {
    // "in-context" is a word, not two.
    lunr.tokenizer.separator = /\s+/;
    event.searchResults.forEach((found, at) => {
      // What stands in a section is found there.
      const opening = openings.get(found);
      if (opening !== undefined) event.searchFields[at]["document"] = opening;
    });
  });

  app.renderer.on(PageEvent.END, (page) => {
    const own = inBook.get(/** @type {import("typedoc").Reflection} */ (page.model));
    if (own?.notebook) page.contents = withOutputs(page.contents ?? "", own.notebook, basename(own.address));
    const description = descriptionOf(page.model);
    page.contents = page.contents?.replace(
      /(<meta name="description" content=")[^"]*/,
      (_, start) => start + escaped(description),
    );
  });
  app.renderer.hooks.on("content.end", (context) => neighbours(context) ?? explanations(context));
  app.renderer.hooks.on("body.end", (context) =>
    inBook.get(context.page.model)?.notebook
      ? JSX.createElement(
          JSX.Fragment,
          null,
          SCRIPTS.map((file) =>
            JSX.createElement("script", { defer: true, src: context.relativeURL(`assets/${basename(file)}`) }),
          ),
        )
      : JSX.createElement(JSX.Fragment, null),
  );
  app.renderer.on(RendererEvent.END, ({ outputDirectory }) => {
    for (const file of SCRIPTS) copyFileSync(file, join(outputDirectory, "assets", basename(file)));
    searchForAllWords(join(outputDirectory, "assets", "main.js"));
  });
}

/**
 * TypeDoc's search finds what has any of the words that were typed, and takes a hyphen for the end of one: `in-context` finds each
 * name that ends with "in". The book's finds what has all words, first where they stand by themselves, and takes `ms.train` as it
 * stands in a cell.
 *
 * @param {string} file TypeDoc's script
 */
function searchForAllWords(file) {
  const script = readFileSync(file, "utf8");
  const any = '.split(" ").map(c=>c.length?`*${c}*`:"").join(" ")';
  const all =
    '.split(/[^\\p{L}\\p{N}_-]+/u).filter(c=>c&&c!=="ms").map(c=>c.replaceAll("-","\\\\-")).map(c=>`+*${c}* ${c}^10`).join(" ")';
  if (!script.includes(any)) throw new Error(`${file} makes another query of what is typed: mend searchForAllWords`);
  writeFileSync(
    file,
    script.replace(any, () => all),
  );
}

/** What a tutorial's page loads. */
const SCRIPTS = [
  createRequire(join(root, "lib", "package.json")).resolve("plotly.js-dist-min/plotly.min.js"),
  join(root, "scripts", "notebook-page", "outputs.js"),
];

/** Pages of documents have the names of their files, and the search knows where on them the sections are. */
class BookRouter extends KindRouter {
  /** @override @param {import("typedoc").ProjectReflection} project */
  buildPages(project) {
    const pages = super.buildPages(project);
    for (const [section, { page, anchor }] of sections) {
      this.fullUrls.set(section, `${this.getFullUrl(page)}#${anchor}`);
      this.anchors.set(section, anchor);
    }
    return pages;
  }

  /** @override @param {import("typedoc").Reflection} reflection */
  getIdealBaseName(reflection) {
    return inBook.get(reflection)?.address ?? super.getIdealBaseName(reflection);
  }
}

/**
 * The way from a tutorial to those before and after it.
 *
 * @param {import("typedoc").DefaultThemeRenderContext} context
 */
function neighbours({ page: { model }, urlTo }) {
  const all = [...inBook].flatMap(([document, { notebook }]) => (notebook ? [document] : []));
  const at = all.indexOf(/** @type {import("typedoc").Reflection} */ (model));
  if (at === -1) return undefined;
  /** @param {import("typedoc").Reflection | undefined} tutorial @param {"prev" | "next"} rel @param {(name: string) => string} text */
  const link = (tutorial, rel, text) =>
    tutorial ? JSX.createElement("a", { rel, href: urlTo(tutorial) }, text(tutorial.name)) : null;
  return JSX.createElement(
    "nav",
    { class: "book-ways", "aria-label": "The tutorials before and after this one" },
    link(all[at - 1], "prev", (name) => `← ${name}`),
    link(all[at + 1], "next", (name) => `${name} →`),
  );
}

/**
 * From a symbol to the pages that explain it.
 *
 * @param {import("typedoc").DefaultThemeRenderContext} context
 */
function explanations({ page: { model }, urlTo }) {
  const pages = explained.get(model) ?? [];
  if (pages.length === 0) return JSX.createElement(JSX.Fragment, null);
  const links = [...inBook]
    .filter(([, { address }]) => pages.includes(address))
    .map(([document, { part }]) =>
      JSX.createElement(
        "a",
        { href: urlTo(document) },
        `${part === PARTS.guides ? "Guide" : "Tutorial"}: ${document.name}`,
      ),
    );
  return JSX.createElement("nav", { class: "book-ways", "aria-label": "Pages that explain it" }, ...links);
}

/**
 * @param {import("typedoc").Reflection} reflection
 * @param {string} category
 */
function addCategory(reflection, category) {
  reflection.comment ??= new Comment();
  reflection.comment.blockTags.push(new CommentTag("@category", [{ kind: "text", text: category }]));
}

/**
 * What a page is about, in a line, for whoever lists pages.
 *
 * @param {import("typedoc").RouterTarget} target
 */
function descriptionOf(target) {
  if (!(target instanceof Reflection)) return target.name;
  const signed = target.isDeclaration() ? target.signatures?.[0]?.comment : undefined;
  const summary = Comment.combineDisplayParts((target.comment ?? signed)?.summary ?? []);
  const front = target.isProject() ? Comment.combineDisplayParts(target.readme ?? []).replace(/^# .*/, "") : "";
  const [first = ""] = (openings.get(target) ?? (summary || front)).trim().split(/\n\s*\n/);
  const line = plain(first).replace(/\s+/g, " ") || `${target.name} of metastate`;
  return line.length <= 200 ? line : `${line.slice(0, 200).replace(/\s+\S*$/, "")} …`;
}
