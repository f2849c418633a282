#!/usr/bin/env node
// @ts-check
// `npm start`: sets everything up and opens JupyterLab at notebooks/. `npm start -- --help` tells the rest.
//
// Only the version check is imported statically, so that an old Node.js reaches it and reads its advice, instead of
// stopping at syntax it does not know.

import { nodeIsRecent } from "./lib/node-version.mjs";

if (nodeIsRecent()) {
  import("./lib/start-command.mjs")
    .then(({ startCommand }) => startCommand(process.argv.slice(2)))
    .then((code) => {
      process.exitCode = code;
    });
} else {
  process.exitCode = 1;
}
