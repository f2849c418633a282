import js from "@eslint/js";
import prettier from "eslint-config-prettier";
import globals from "globals";
import tseslint from "typescript-eslint";

/**
 * The folders of lib/src, the lowest first: a module takes values from the folders before its own or beside it, and types from any.
 */
const layers = [
  ...["ops", "engine", "model|sse", "baselines", "io", "tokenizers", "data", "generation", "inspection", "training"],
  ...["tasks", "growth", "sse/check", "plots", "profile", "comparison"],
];

/**
 * Who must not import whom.
 *
 * @param {string} files
 * @param {string} modules a regular expression for what their modules do not import
 * @param {string} message
 */
const border = (files, modules, message) => ({
  files: [`${files}/*.ts`],
  ignores: ["**/*.test.ts", "**/testing*.ts"],
  rules: {
    "@typescript-eslint/no-restricted-imports": [
      "error",
      { patterns: [{ regex: modules, allowTypeImports: true, message }] },
    ],
  },
});

export default tseslint.config(
  {
    ignores: [
      ...["**/dist/", "**/build/", "**/node_modules/", ".venv/", "**/.ipynb_checkpoints/", "**/*.ipynb"],
      // What tests leave: pages with the scripts of others.
      "test-results/",
    ],
  },
  js.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
    },
  },
  {
    // node:test returns promises that the runner itself awaits.
    files: ["**/*.test.ts"],
    rules: { "@typescript-eslint/no-floating-promises": "off" },
  },
  {
    // Imported as if it were an ES module, TypeScript's 9 MB are searched for names: half a second of each start.
    files: ["kernel/src/**/*.ts"],
    rules: {
      "@typescript-eslint/no-require-imports": ["error", { allowAsImport: true }],
      "no-restricted-syntax": [
        "error",
        {
          selector: 'ImportDeclaration[importKind!="type"][source.value="typescript"]',
          message: 'Write import ts = require("typescript"): it loads in a fraction of the time.',
        },
      ],
    },
  },
  border("kernels-cuda/src/**", "^(metastate|@metastate/kernel)$", "The engines know neither lib nor kernel."),
  ...[
    { folders: "**", others: "none" },
    { folders: "language", others: "front|protocol|session|cell-api" },
    { folders: "front", others: "session|cell-api" },
    { folders: "{session,cell-api}", others: "front|protocol" },
  ].map(({ folders, others }) => {
    const modules = `^(metastate$|@metastate/|@tensorflow/|(\\.\\./)+(${others})/)`;
    return border(
      `kernel/src/${folders}/**`,
      modules,
      "The kernel knows no library, and cells and the language service are processes of their own.",
    );
  }),
  border("lib/src/**", "^@metastate/", "The library knows neither kernel nor engines."),
  ...layers.flatMap((layer, at) => {
    const higher = ["none", ...layers.slice(at + 1)].join("|");
    const modules = `^(@metastate/|(\\.\\./)+(${higher})/)`;
    const message = "lib/src is built in layers: `layers` in eslint.config.js.";
    return layer.split("|").map((folder) => border(`lib/src/${folder}/**`, modules, message));
  }),
  {
    files: ["**/*.mjs", "**/*.cjs", "**/*.js"],
    languageOptions: { globals: globals.node },
  },
  {
    files: ["kernel/labextension/**/*.js"],
    languageOptions: { globals: globals.browser },
  },
  prettier,
);
