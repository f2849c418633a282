// @ts-check
// The documentation as a site: tutorials, the guides of docs/, and the reference out of the library's docstrings. `npm run docs` makes it.
import { katex } from "@mdit/plugin-katex";

import { concepts } from "./scripts/docs/plugin.mjs";

/** @type {Partial<import("typedoc").TypeDocOptions>} */
const options = {
  name: "metastate",
  entryPoints: ["lib/src/index.ts"],
  tsconfig: "lib/tsconfig.json",
  out: "build/docs",
  customCss: "scripts/docs/book.css",
  readme: "docs/README.md",
  projectDocuments: ["notebooks/README.md", "docs/!(README).md"],
  plugin: ["./scripts/docs/plugin.mjs"],
  navigation: { includeCategories: true },
  categoryOrder: [...concepts.values(), "*"],
  defaultCategory: "Engine and the rest",
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
