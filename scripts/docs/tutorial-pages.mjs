// @ts-check
// The tutorials as pages of the documentation's site, where its links to notebooks lead.

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { notebooks, venv } from "../lib/checkout.mjs";
import { Failure } from "../lib/failure.mjs";
import { writePages } from "../lib/notebook-pages.mjs";
import { tutorials } from "../lib/tutorials.mjs";

/** Their folder in the site. */
const FOLDER = "tutorials";

/**
 * Adds the pages, and lets the site's links to notebooks lead to them.
 *
 * @param {string} site the folder that TypeDoc has written
 * @returns {Promise<number>} how many
 */
export async function addTutorials(site) {
  const all = tutorials();
  const guides = guidePages(site);
  await writePages(interpreter(), all, join(site, FOLDER), {
    home: "../index.html",
    link: (address) => {
      const path = resolve(notebooks, decodeURI(address));
      if (!path.endsWith(".md") || !existsSync(path)) return address;
      const heading = /^# (.+)$/m.exec(readFileSync(path, "utf8"))?.[1];
      const page =
        basename(path) === "README.md" && dirname(path).endsWith("docs") ? "index.html" : guides.get(heading ?? "");
      return page === undefined ? address : `../${page}`;
    },
  });
  // TypeDoc copies what a guide links to, and links to the copy.
  const names = all.map(({ name }) => name);
  const copied = new RegExp(`(href="(?:\\.\\./)*)media/(${names.join("|")})\\.ipynb`, "g");
  for (const file of readdirSync(site, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".html") || file.startsWith(FOLDER)) continue;
    const text = readFileSync(join(site, file), "utf8");
    const linked = text.replace(copied, `$1${FOLDER}/$2.html`);
    if (linked !== text) writeFileSync(join(site, file), linked);
  }
  for (const name of names) rmSync(join(site, "media", `${name}.ipynb`), { force: true });
  return all.length;
}

/**
 * The pages of the guides, by heading.
 *
 * @param {string} site
 * @returns {Map<string, string>}
 */
function guidePages(site) {
  const folder = "documents";
  return new Map(
    readdirSync(join(site, folder)).map((file) => {
      const title = /<title>(.*?) \| /.exec(readFileSync(join(site, folder, file), "utf8"))?.[1] ?? file;
      return [title.replaceAll("&amp;", "&"), `${folder}/${file}`];
    }),
  );
}

/** @throws {Failure} when there is none */
function interpreter() {
  const python = process.env.METASTATE_PYTHON || join(venv, "bin", "python");
  if (existsSync(python)) return python;
  throw new Failure(`there is no Python environment with nbconvert (${python})`, "run npm start once, which makes one");
}
