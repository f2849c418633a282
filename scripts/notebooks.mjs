#!/usr/bin/env node
// @ts-check
// `npm run notebooks`: runs the tutorials in full and writes their outputs. `npm run notebooks -- --help` tells the rest.

import { nodeIsRecent } from "./lib/node-version.mjs";

if (nodeIsRecent()) {
  import("./lib/notebooks-command.mjs")
    .then(({ notebooksCommand }) => notebooksCommand(process.argv.slice(2)))
    .then((code) => {
      process.exitCode = code;
    });
} else {
  process.exitCode = 1;
}
