// @ts-check
// The links of a site of files that TypeDoc has made.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { inflateSync } from "node:zlib";
import { unescaped } from "./html-text.mjs";

/**
 * The links and pictures of a site's pages, and what its search finds, that lead to no file of it or to a place that its page does
 * not have. Addresses of other sites are not looked at.
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
  /** @param {string} page @param {string} address @returns {boolean} whether it leads nowhere from there */
  const isBroken = (page, address) => {
    const [, file, place] = /^([^#?]*)[^#]*(?:#(.*))?$/.exec(address) ?? [];
    const target = fileOf(file === "" ? join(folder, page) : join(folder, dirname(page), decodeURI(file)));
    if (target === undefined) return true;
    return Boolean(place) && target.endsWith(".html") && !placesOf(target).has(decodeURIComponent(place));
  };
  const pages = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".html"));
  const links = pages.flatMap((page) => {
    const text = readFileSync(join(folder, page), "utf8");
    const addresses = [...text.matchAll(/<(?:a|img|link|script)\b[^>]*?\s(?:href|src)="([^"]*)"/g)].map(([, to]) =>
      unescaped(to),
    );
    return [...new Set(addresses)]
      .filter((address) => address !== "" && !/^([a-z]+:|\/\/)/.test(address) && isBroken(page, address))
      .map((address) => `${page}: ${address}`);
  });
  const found = searched(folder).filter((address) => isBroken("index.html", address));
  return [...links, ...found.map((address) => `the search: ${address}`)].sort();
}

/**
 * Where the search leads.
 *
 * @param {string} folder
 * @returns {string[]} nothing where there is none
 */
function searched(folder) {
  const file = join(folder, "assets", "search.js");
  if (!existsSync(file)) return [];
  const packed = /"(.*)"/.exec(readFileSync(file, "utf8"))?.[1] ?? "";
  /** @type {{rows: {url: string}[]}} */
  const { rows } = JSON.parse(inflateSync(Buffer.from(packed, "base64")).toString());
  return rows.map(({ url }) => url);
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
