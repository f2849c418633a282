#!/usr/bin/env node
// @ts-check
// `npm test`: sets everything up, builds, and runs every test. `npm test -- --help` tells how to run some of them.

import { nodeIsRecent } from "./lib/node-version.mjs";

if (nodeIsRecent()) {
  import("./lib/test-command.mjs")
    .then(({ testCommand }) => testCommand(process.argv.slice(2)))
    .then((code) => {
      process.exitCode = code;
    });
} else {
  process.exitCode = 1;
}
