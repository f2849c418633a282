// @ts-check
// The documentation as a site: tutorials, the guides of docs/, and the reference out of the library's docstrings. `npm run docs` makes it.
import { relative } from "node:path";

import { katex } from "@mdit/plugin-katex";

import { root } from "./scripts/lib/checkout.mjs";
import { documents, PARTS } from "./scripts/docs/documents.mjs";
import { concepts } from "./scripts/docs/plugin.mjs";

/** @type {Partial<import("typedoc").TypeDocOptions>} */
const options = {
  name: "metastate",
  entryPoints: ["lib/src/index.ts"],
  tsconfig: "lib/tsconfig.json",
  out: "build/docs",
  customCss: "scripts/docs/book.css",
  readme: "docs/README.md",
  projectDocuments: documents().map(({ source }) => relative(root, source)),
  plugin: ["./scripts/docs/plugin.mjs"],
  router: "book",
  headings: { readme: false, document: false },
  navigation: { includeCategories: true },
  categoryOrder: [...Object.values(PARTS), ...new Set([...concepts.values()].map(({ title }) => title)), "*"],
  defaultCategory: "The rest",
  categorizeByGroup: false,
  sort: ["source-order"],
  disableSources: true,
  excludePrivate: true,
  searchInDocuments: true,
  searchInComments: true,
  githubPages: false,
  includeVersion: true,
  treatWarningsAsErrors: true,
  validation: { notExported: true, invalidLink: true, notDocumented: true },
  requiredToBeDocumented: ["Namespace", "Class", "Interface", "TypeAlias", "Function", "Variable", "Enum"],
  markdownItOptions: { html: true, linkify: false },
  // MathML, which browsers draw without fonts or scripts of ours.
  markdownItLoader: (parser) => void parser.use(katex, { output: "mathml" }),
};

export default options;
