/** The kernelspec: how Jupyter finds and starts the kernel. */
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { LIVE_FIGURES } from "./live-figures.js";
import { makeFolder } from "./make-folder.js";
import { canEncrypt } from "./protocol/connection.js";

/** Name under which Jupyter knows the kernel. */
export const KERNEL_NAME = "metastate";
/** The extension of JupyterLab that lets figures change in place, see kernel/labextension. */
const LAB_EXTENSION = "metastate-live-figures";
const PACKAGE_FOLDER = fileURLToPath(new URL("..", import.meta.url));

/** Where a kernelspec is: in the user's Jupyter data folder, or in `share/jupyter` under a prefix. */
export type Target = { readonly kind: "user" } | { readonly kind: "prefix"; readonly prefix: string };

export interface InstallOptions {
  readonly target: Target;
  readonly preloads: readonly string[];
  readonly name: string;
  /** What launchers show; `TypeScript (<name>)` unless told. */
  readonly displayName?: string;
  /** Environment variables of the kernel and its sessions. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Thrown when the kernelspec cannot be written or removed; the message says what to do. */
export class InstallError extends Error {
  override name = "InstallError";
}

/** Writes the kernelspec and returns its folder. A spec of that name is replaced as a whole. */
export function installKernelspec(options: InstallOptions): string {
  const { target, preloads, name } = options;
  if (!/^[a-z0-9._-]+$/i.test(name)) {
    throw new InstallError(
      `A kernel cannot be named "${name}": Jupyter allows letters, digits, dots, underscores and hyphens`,
    );
  }
  for (const preload of preloads) {
    if (!existsSync(preload))
      throw new InstallError(`The preload module ${preload} does not exist: build it first (npm run build)`);
  }
  const base = dataFolder(target);
  const folder = join(base, "kernels", name);
  const fresh = `${folder}.${process.pid}.new`;
  const old = `${folder}.${process.pid}.old`;
  try {
    makeFolder(fresh);
    writeFileSync(join(fresh, "kernel.json"), `${JSON.stringify(kernelspec(options), undefined, 2)}\n`);
    const logos = join(PACKAGE_FOLDER, "resources");
    if (existsSync(logos)) cpSync(logos, fresh, { recursive: true });
    cpSync(join(PACKAGE_FOLDER, "labextension"), join(base, "labextensions", LAB_EXTENSION), { recursive: true });
    // Two renames leave no kernelspec for a moment only: kernels may start meanwhile.
    if (existsSync(folder)) renameSync(folder, old);
    renameSync(fresh, folder);
    removeQuietly(old);
  } catch (cause) {
    removeQuietly(fresh);
    if (existsSync(old) && !existsSync(folder)) renameSync(old, folder);
    const { code } = cause as NodeJS.ErrnoException;
    const remedy =
      code === "EACCES" || code === "EPERM" || code === "EROFS"
        ? ": choose a folder that you may write to, with --user or --prefix"
        : "";
    throw new InstallError(`Cannot write the kernelspec to ${folder} (${code ?? String(cause)})${remedy}`, { cause });
  }
  return folder;
}

/** Removes a kernelspec and returns the folder that it was in. */
export function uninstallKernelspec(target: Target, name: string): string {
  const folder = join(dataFolder(target), "kernels", name);
  if (!existsSync(join(folder, "kernel.json"))) {
    throw new InstallError(
      `There is no kernel "${name}" in ${dirname(folder)}: metastate-kernel doctor lists those found`,
    );
  }
  rmSync(folder, { recursive: true, force: true });
  const extension = join(dataFolder(target), "labextensions", LAB_EXTENSION);
  if (findKernelspecs(target).length === 0) rmSync(extension, { recursive: true, force: true });
  return folder;
}

/** Jupyter's data folder in a place. */
function dataFolder(target: Target): string {
  return target.kind === "user" ? userDataFolder() : join(resolve(target.prefix), "share", "jupyter");
}

/** Kernelspecs of this kernel, of any of its copies, in a place: their files. */
export function findKernelspecs(target: Target): string[] {
  const kernels = join(dataFolder(target), "kernels");
  const names = existsSync(kernels) ? readdirSync(kernels) : [];
  return names.map((name) => join(kernels, name, "kernel.json")).filter((file) => startsThisKernel(file));
}

function startsThisKernel(file: string): boolean {
  return existsSync(file) && readFileSync(file, "utf8").includes("metastate-kernel.mjs");
}

function kernelspec({ preloads, name, displayName, env }: InstallOptions): object {
  return {
    argv: [
      process.execPath,
      join(PACKAGE_FOLDER, "bin", "metastate-kernel.mjs"),
      "run",
      "{connection_file}",
      ...preloads.flatMap((path) => ["--preload", path]),
    ],
    display_name: displayName ?? `TypeScript (${name})`,
    language: "typescript",
    interrupt_mode: "message",
    // The extension is found by every JupyterLab that finds this kernelspec: it lies beside it.
    env: { [LIVE_FIGURES]: "1", ...env },
    metadata: { debugger: true, ...(canEncrypt() && { supported_encryption: "curve" }) },
  };
}

/** Clears away what was begun; why it was not finished is what the user is told. */
function removeQuietly(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // It may never have come into being.
  }
}

/** Jupyter's data folder of this user, as `jupyter --paths` has it. */
function userDataFolder(): string {
  const given = process.env["JUPYTER_DATA_DIR"];
  if (given !== undefined && given !== "") return given;
  if (process.platform === "darwin") return join(homedir(), "Library", "Jupyter");
  if (process.platform === "win32") return join(process.env["APPDATA"] ?? homedir(), "jupyter");
  return join(process.env["XDG_DATA_HOME"] ?? join(homedir(), ".local", "share"), "jupyter");
}

/**
 * Preload modules that the project around `folder` names: `{"metastate-kernel": {"preload": "./dist/preload.js"}}` in
 * the nearest package.json that has that key.
 */
export function configuredPreloads(folder: string): string[] {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const file = join(at, "package.json");
    if (existsSync(file)) {
      const content = JSON.parse(readFileSync(file, "utf8")) as {
        "metastate-kernel"?: { preload?: string | string[] };
      };
      const preload = content["metastate-kernel"]?.preload;
      if (preload !== undefined) return [preload].flat().map((path) => resolve(at, path));
    }
    if (at === dirname(at)) return [];
  }
}
