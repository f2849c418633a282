// The script of which Node.js makes a snapshot, see src/language/build-snapshot.cts. Such a script is given no `exports`, of which
// what TypeScript compiles speaks.
const { readFileSync } = require("node:fs");
const { dirname, join } = require("node:path");
const { compileFunction } = require("node:vm");

const filename = join(__dirname, "..", "dist", "language", "build-snapshot.cjs");
const parameters = ["exports", "require", "__filename", "__dirname"];
const script = compileFunction(readFileSync(filename, "utf8"), parameters, { filename });
script({}, require, filename, dirname(filename));
