import js from "@eslint/js";
import prettier from "eslint-config-prettier";
import globals from "globals";
import tseslint from "typescript-eslint";

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
