#!/usr/bin/env node
// @ts-check
// The second half of `npm run docs`: sees that the links of the site that TypeDoc has written, and what its search finds, lead
// somewhere.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "../lib/checkout.mjs";
import { exitStatusOf } from "../lib/exit-status.mjs";
import { Failure } from "../lib/failure.mjs";
import { brokenLinks } from "./links.mjs";

process.exitCode = await exitStatusOf(async () => {
  const site = process.argv[2] ?? join(root, "build", "docs");
  if (!existsSync(join(site, "index.html"))) throw new Failure(`there is no site in ${site}`, "npm run docs makes it");
  const broken = brokenLinks(site);
  if (broken.length > 0) {
    console.error(broken.map((link) => `  ${link}`).join("\n"));
    throw new Failure(`${broken.length} links lead nowhere`, "mend them in the guides or notebooks that they stand in");
  }
  console.log(`every link of ${site} leads somewhere`);
  return 0;
});
