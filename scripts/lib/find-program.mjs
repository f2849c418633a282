// @ts-check
// Where the programs of other people are.

import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";

/**
 * The program's path, searched as a shell does and then in further folders.
 *
 * @param {string} name
 * @param {{env?: NodeJS.ProcessEnv, besides?: readonly string[]}} [where] besides: folders, looked at after PATH
 * @returns {string | undefined}
 */
export function findProgram(name, { env = process.env, besides = [] } = {}) {
  if (isAbsolute(name)) return isProgram(name) ? name : undefined;
  const folders = [...(env["PATH"] ?? "").split(delimiter).filter(Boolean), ...besides];
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

/** @param {string} path */
export function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
