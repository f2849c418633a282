/**
 * The declarations of JavaScript, and those of Node, as one file each. They come as sixty files each, and TypeScript goes through
 * all files of a program for every new one, and joins what several of them declare globally: it takes half as long with two.
 */
import { dirname, join } from "node:path";
import ts = require("typescript");
import { LIBRARY_YEAR } from "./options.js";

/** The library of JavaScript that cells have at least, unless a notebook's options say less. */
export const STANDARD_LIBRARY = join(dirname(ts.getDefaultLibFilePath({})), `lib.es${LIBRARY_YEAR}.d.ts`).replaceAll(
  "\\",
  "/",
);

const REFERENCE = /^\/\/\/\s*<reference\s+(path|lib)="([^"]+)"\s*\/>.*$/gm;
/** A file with this is a module: what it declares is not global. */
const MODULE = /^(?:import|export)\b/m;

/**
 * Files with modules of Node that few notebooks import. They are a fifth of all that Node declares, and the process starts the faster
 * the less it knows: their declarations are a file of their own, of which a program takes note when something imports one of them.
 */
const RARE = /\/(?:inspector(?:\.generated)?|http2|test|cluster|repl)\.d\.ts$/;
const DECLARED_MODULE = /^declare module (?:"([^"]+)"|'([^']+)')/gm;

/** The modules that a text declares. */
export function declaredModules(text: string): string[] {
  return [...text.matchAll(DECLARED_MODULE)].map(([, name, other]) => name ?? other ?? "");
}

/** Of what {@link packDeclarations} gives, the path of the file with the modules that are rare. */
export function rareFile(packed: Iterable<readonly [path: string, text: string]>): string | undefined {
  return [...packed].find(([path, text]) => RARE.test(path) && text !== "")?.[0];
}

/**
 * Texts by path. `root` has those of all files that it refers to, in the order in which TypeScript would read them; these have
 * none, should anything else refer to them. Modules stay as they are. The rare ones of Node are in the first of their files, and `root`
 * says no more than that they are there.
 */
export function packDeclarations(root: string): Map<string, string> {
  // TypeScript speaks of paths with forward slashes.
  root = root.replaceAll("\\", "/");
  const packed = new Map<string, string>();
  const bodies: string[] = [];
  const rare: [path: string, body: string][] = [];
  /** References to what stays a file of its own: they must come first. */
  const kept: string[] = [];
  const take = (path: string, text: string): void => {
    packed.set(path, "");
    const body = text.replace(REFERENCE, (reference: string, kind: string, name: string) => {
      const file = join(dirname(path), kind === "lib" ? `lib.${name}.d.ts` : name).replaceAll("\\", "/");
      if (packed.has(file)) return "";
      const other = ts.sys.readFile(file);
      if (other !== undefined && !MODULE.test(other)) take(file, other);
      else kept.push(kind === "lib" ? reference : `/// <reference path="${file}" />`);
      return "";
    });
    if (RARE.test(path)) {
      rare.push([path, body]);
      bodies.push(
        declaredModules(body)
          .map((name) => `declare module "${name}" {}\n`)
          .join(""),
      );
    } else bodies.push(body);
  };
  const text = ts.sys.readFile(root);
  if (text === undefined) return packed;
  take(root, text);
  const [[rarePath] = []] = rare;
  if (rarePath !== undefined) packed.set(rarePath, rare.map(([, body]) => body).join("\n"));
  return packed.set(root, [...kept, ...bodies].join("\n"));
}

/** Whether options name a library that has all of {@link STANDARD_LIBRARY} in it. */
export function hasStandardLibrary({ lib = [] }: ts.CompilerOptions): boolean {
  return lib.some((name) => {
    const year = /^lib\.es(next|\d{4})(?:\.full)?\.d\.ts$/.exec(name)?.[1];
    return year === "next" || Number(year) >= LIBRARY_YEAR;
  });
}
