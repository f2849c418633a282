// @ts-check
// The links of a site of files.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/**
 * The links and pictures of a site's pages that lead to no file of it. Addresses of other sites are not looked at, and neither
 * are places within a page.
 *
 * @param {string} folder
 * @returns {string[]} `page: address`, sorted
 */
export function brokenLinks(folder) {
  const pages = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".html"));
  return pages
    .flatMap((page) => {
      const text = readFileSync(join(folder, page), "utf8");
      const addresses = [...text.matchAll(/<(?:a|img|link|script)\b[^>]*?\s(?:href|src)="([^"]*)"/g)].map(
        ([, to]) => to,
      );
      return [...new Set(addresses)]
        .filter((address) => !/^([a-z]+:|\/\/|#)/.test(address))
        .map((address) => address.split(/[#?]/)[0])
        .filter((address) => address !== "" && !leadsSomewhere(join(folder, dirname(page), decodeURI(address))))
        .map((address) => `${relative(folder, join(folder, page))}: ${address}`);
    })
    .sort();
}

/** @param {string} path */
function leadsSomewhere(path) {
  return existsSync(path) && (!statSync(path).isDirectory() || existsSync(join(path, "index.html")));
}
