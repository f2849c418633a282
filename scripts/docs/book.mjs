#!/usr/bin/env node
// @ts-check
// The second half of `npm run docs`: adds the tutorials to the site that TypeDoc has written, and sees that its links lead
// somewhere.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "../lib/checkout.mjs";
import { exitStatusOf } from "../lib/exit-status.mjs";
import { Failure } from "../lib/failure.mjs";
import { brokenLinks } from "./links.mjs";
import { addTutorials } from "./tutorial-pages.mjs";

process.exitCode = await exitStatusOf(async () => {
  const site = process.argv[2] ?? join(root, "build", "docs");
  if (!existsSync(join(site, "index.html"))) throw new Failure(`there is no site in ${site}`, "npm run docs makes it");
  const count = await addTutorials(site);
  const broken = brokenLinks(site);
  if (broken.length > 0) {
    console.error(broken.map((link) => `  ${link}`).join("\n"));
    throw new Failure(`${broken.length} links lead nowhere`, "mend them in the guides or notebooks that they stand in");
  }
  console.log(`${count} tutorials are part of ${site}, and every link leads somewhere`);
  return 0;
});
