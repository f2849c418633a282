/** What an import names: a package, by name, or a file, by path. */

/** Whether a specifier names a package or something in one: `three`, `@scope/name/part`, but not `./own.js` or `node:fs`. */
export function isPackage(specifier: string): boolean {
  return /^(@[^/]+\/)?[^./:@][^:]*$/.test(specifier);
}

/** The package that a specifier names: `@scope/name` of `@scope/name/part`. */
export function packageOf(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}
