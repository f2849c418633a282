/**
 * Folders that are to be there. Node's own `mkdir` with `recursive` never ends where a system says of a folder that stands that
 * it does not exist, as Linux does when something is to be made in `/proc` (Node 20), and a home may be anywhere: here every
 * folder is asked for once.
 */
import { mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** Makes a folder, and those that it is to lie in, with this mode where they are new; throws the system's error. */
export function makeFolder(path: string, { mode = 0o777 }: { mode?: number } = {}): void {
  if (isFolder(path)) return;
  const whole = resolve(path);
  if (dirname(whole) !== whole) makeFolder(dirname(whole), { mode });
  try {
    mkdirSync(whole, { mode });
  } catch (error) {
    // Somebody else may have been quicker.
    if (!isFolder(whole)) throw error;
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
