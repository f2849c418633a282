#!/usr/bin/env node
// @ts-check
// npm run setup:peers: installs the kernels that ours is compared with, into .metastate/peers. Nothing outside is changed.

import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { peersFolder, PEER_PACKAGES, kernels } from "./lib/kernels.mjs";

mkdirSync(peersFolder, { recursive: true });
writeFileSync(
  join(peersFolder, "package.json"),
  `${JSON.stringify({ private: true, description: "Peers that benchmarks compare with" }, undefined, 2)}\n`,
);
console.log(`npm install ${PEER_PACKAGES.join(" ")} in ${peersFolder}`);
// Their install scripts are not needed: Deno's binary is in the package of its platform, zeromq comes with its own. Nested
// as in a global install: tslab looks for the types of Node.js in its own folder, and knows no console without them.
const { status } = spawnSync(
  process.platform === "win32" ? "npm.cmd" : "npm",
  [
    "install",
    "--install-strategy=nested",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
    ...PEER_PACKAGES,
  ],
  { cwd: peersFolder, stdio: "inherit", shell: process.platform === "win32" },
);
if (status !== 0) {
  console.error("npm could not install the peers: what it said stands above");
  process.exit(1);
}
let complete = true;
for (const kernel of kernels()) {
  console.log("reason" in kernel ? `${kernel.name}: ${kernel.reason}` : `${kernel.name} ${kernel.version}: there`);
  complete &&= !("reason" in kernel);
}
process.exit(complete ? 0 : 1);
