// @ts-check
// The links of a site of files.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/**
 * The links and pictures of a site's pages that lead to no file of it, or to a place that its page does not have. Addresses of
 * other sites are not looked at.
 *
 * @param {string} folder
 * @returns {string[]} `page: address`, sorted
 */
export function brokenLinks(folder) {
  /** @type {Map<string, Set<string>>} */
  const places = new Map();
  /** @param {string} page */
  const placesOf = (page) => {
    const known = places.get(page);
    if (known) return known;
    const found = [...readFileSync(page, "utf8").matchAll(/\s(?:id|name)="([^"]+)"/g)].map(([, id]) => unescaped(id));
    places.set(page, new Set(found));
    return placesOf(page);
  };
  const pages = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".html"));
  return pages
    .flatMap((page) => {
      const text = readFileSync(join(folder, page), "utf8");
      const addresses = [...text.matchAll(/<(?:a|img|link|script)\b[^>]*?\s(?:href|src)="([^"]*)"/g)].map(([, to]) =>
        unescaped(to),
      );
      return [...new Set(addresses)]
        .filter((address) => address !== "" && !/^([a-z]+:|\/\/)/.test(address))
        .filter((address) => {
          const [, file, place] = /^([^#?]*)[^#]*(?:#(.*))?$/.exec(address) ?? [];
          const target = fileOf(file === "" ? join(folder, page) : join(folder, dirname(page), decodeURI(file)));
          if (target === undefined) return true;
          return Boolean(place) && target.endsWith(".html") && !placesOf(target).has(decodeURIComponent(place));
        })
        .map((address) => `${relative(folder, join(folder, page))}: ${address}`);
    })
    .sort();
}

/**
 * The file that a path leads to: itself, or a folder's page; undefined where there is none.
 *
 * @param {string} path
 */
function fileOf(path) {
  if (!existsSync(path)) return undefined;
  if (!statSync(path).isDirectory()) return path;
  const page = join(path, "index.html");
  return existsSync(page) ? page : undefined;
}

/** @param {string} text as it stands in an attribute */
function unescaped(text) {
  return text.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&amp;", "&");
}
