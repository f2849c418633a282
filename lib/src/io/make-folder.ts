/**
 * Folders that are to be there. Node's own `mkdir` with `recursive` never ends where a system says of a folder that stands that
 * it does not exist, as Linux does when something is to be made in `/proc` (Node 20): here every folder is asked for once.
 */
import { mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/**
 * Makes a folder, and those that it is to lie in.
 *
 * @throws the system's error when it refuses one
 */
export async function makeFolder(path: string): Promise<void> {
  if (await isFolder(path)) return;
  const whole = resolve(path);
  if (dirname(whole) !== whole) await makeFolder(dirname(whole));
  await mkdir(whole).catch(async (error: unknown) => {
    // Somebody else may have been quicker.
    if (!(await isFolder(whole))) throw error;
  });
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}
