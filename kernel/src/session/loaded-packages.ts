/** Packages that cells have imported in this session: another version of one is taken up only by a fresh session. */
import { isPackage, packageOf } from "../package-name.js";

const loaded = new Set<string>();

export function noteImport(specifier: string): void {
  if (isPackage(specifier)) loaded.add(packageOf(specifier));
}

/** Names of the packages. */
export function loadedPackages(): ReadonlySet<string> {
  return loaded;
}
